//! A running process: built, then listening, then asked to stop.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use spil_access::{PolicyError, PolicyHandle};
use spil_auth::{InternalKey, IssuerError, KeyError, SignError, Signer, Trust, TrustedIssuers, Verifier};
use spil_changefeed::{
    OwnerService, OwnerToken, PersonalKey, PersonalKeyError, RemotePeople, Store, StoreConfig, StoreError, WallClock,
};
use spil_gateway::{
    aggregate::Threshold,
    follow::{FeedToken, FeedTokenError, Followers},
    graphql::{
        Engine,
        limits::Limits,
        schema::SpilSchema,
        trusted::{DocumentRules, ManifestError, TrustedDocuments},
    },
    http::{HttpConfig, HttpLimits, HttpServer},
    live::Live,
    place_seal,
    read_log::ReadLog,
};
use spil_proto::{model::Owner, owner::OwnerClient};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server},
};

use crate::{
    config::{Config, ConfigError, Profile, Role},
    in_process, retention,
};

/// How long a token lasts with which the gateway opens a stream of an owner.
const FEED_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// How long a token lasts with which one owner asks another.
const OWNER_TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// How often the file of the policy is looked at.
const POLICY_INTERVAL: Duration = Duration::from_secs(2);

/// A process that runs its roles.
pub struct Process {
    /// Where GraphQL is answered, if it is.
    pub http: Option<SocketAddr>,
    /// Where the owners answer, if there are any.
    pub grpc: Option<SocketAddr>,
    /// Clients of all owners that this process knows.
    pub clients: Vec<OwnerClient>,
    /// Signs what our services say to each other. In development it also signs tokens that are taken as anybody's.
    pub signer: Signer,
    /// The graph that is live, if this process is a gateway.
    pub live: Option<Arc<Live>>,
    /// Whose tokens are taken, by the gateway; by owners those of our services too.
    trust: Trust,
    policy: Arc<PolicyHandle>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    gateway: Option<Gateway>,
    stores: Vec<Store>,
}

struct Gateway {
    server: HttpServer,
    _followers: Followers,
}

/// Why a process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can not be made.
    #[error("the data folder {} can not be made", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no key.
    #[error("there is no key to sign with")]
    Key(#[from] KeyError),
    /// The key has been made by a development run, and the profile is `production`.
    #[error("the key file {} was made by a development run, and the profile is `production`: make a new key", path.display())]
    DevelopmentKey {
        /// The file.
        path: PathBuf,
    },
    /// The key can not sign.
    #[error("the key can not be used")]
    Sign(#[from] SignError),
    /// An issuer can not be trusted.
    #[error("the issuers of tokens can not be used")]
    Issuers(#[from] IssuerError),
    /// The database of an owner can not be used.
    #[error("the database of the owner `{owner}` can not be used")]
    Store {
        /// Which owner.
        owner: &'static str,
        /// Why.
        source: StoreError,
    },
    /// There is no personal key.
    #[error("the personal key can not be used")]
    PersonalKey(#[from] PersonalKeyError),
    /// The personal key has been made by a development run, and the profile is `production`.
    #[error(
        "the personal key {} was made by a development run, and the profile is `production`: make a new one with `spil subject rekey`",
        path.display()
    )]
    DevelopmentPersonalKey {
        /// The file.
        path: PathBuf,
    },
    /// The personal key is not where it was.
    #[error(
        "the personal key is not at {} (setting `personal_key`), and the database of the owner `{owner}` was sealed with one: put it back",
        path.display()
    )]
    PersonalKeyGone {
        /// Whose database.
        owner: &'static str,
        /// Where it is looked for.
        path: PathBuf,
    },
    /// The database is of another version.
    #[error("the database of the owner `{owner}` lacks {}: run `spil migrate` first", migrations.join(", "))]
    Pending {
        /// Which owner.
        owner: &'static str,
        /// What is to be done.
        migrations: Vec<String>,
    },
    /// The address of an owner is none.
    #[error("the address of the owner `{owner}` is not a URL")]
    Address {
        /// Which owner.
        owner: &'static str,
        /// Why.
        source: tonic::transport::Error,
    },
    /// A socket can not be opened.
    #[error("{address} can not be listened on (`{flag}` says where)")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The flag that says where.
        flag: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The settings do not make sense.
    #[error("the settings can not be used")]
    Config(#[from] ConfigError),
    /// The policy can not be used.
    #[error("`policy` can not be used")]
    Policy(#[from] PolicyError),
    /// The manifest of trusted documents can not be used.
    #[error("`trusted_documents` is {}, which can not be used", path.display())]
    TrustedDocuments {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ManifestError,
    },
    /// The model makes no schema: a fault of ours.
    #[error("there is no schema")]
    Schema(#[source] &'static spil_gateway::graphql::schema::SchemaError),
    /// The clients of the owners are not three: a fault of ours.
    #[error("the gateway needs the three owners")]
    Owners,
}

/// Signs the tokens with which the gateway follows the owners.
struct FeedSigner(Signer);

impl FeedToken for FeedSigner {
    fn feed_token(&self) -> Result<String, FeedTokenError> {
        self.0.sign_service(FEED_TOKEN_LIFETIME).map_err(|error| FeedTokenError(Box::new(error)))
    }
}

impl Process {
    /// Starts the roles.
    ///
    /// # Errors
    /// If a database, a key, a socket or an address can not be used; nothing is left running then.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        tokio::fs::create_dir_all(config.data_folder())
            .await
            .map_err(|source| StartError::DataFolder { path: config.data_folder().to_owned(), source })?;
        config.check_production()?;
        let key = read_key(config)?;
        place_seal::share(&key.derive("places in logs"));
        let signer = Signer::new(&key)?;
        let trust = Trust::in_issuers(TrustedIssuers::start(&config.issuers)?);
        let trust = match config.profile {
            Profile::Development => trust.and_development(&signer),
            Profile::Production => trust,
        };
        let mut process = Self {
            http: None,
            grpc: None,
            clients: Vec::new(),
            signer,
            live: None,
            trust,
            policy: PolicyHandle::open(config.policy.as_deref())?,
            stop: CancellationToken::new(),
            tasks: Vec::new(),
            gateway: None,
            stores: Vec::new(),
        };
        match process.start_roles(config).await {
            Ok(()) => Ok(process),
            Err(error) => {
                process.stop().await;
                Err(error)
            }
        }
    }

    async fn start_roles(&mut self, config: &Config) -> Result<(), StartError> {
        self.watch_policy();
        let mut services = Vec::new();
        let verifier = Verifier::new(&self.trust.clone().and_services(&self.signer));
        // The owner of the workers comes first: the others ask it who somebody is.
        for owner in [Owner::Workforce, Owner::Capability, Owner::Initiative] {
            if config.is_local(owner) {
                let service = self.open(config, owner, &verifier).await?;
                services.push(service.clone());
                let (channel, server) = in_process::serve(spil_changefeed::routes([service]), self.stop.child_token());
                self.tasks.push(tokio::spawn(report(owner.name(), server)));
                self.clients.push(OwnerClient::new(owner, channel));
            } else if let Some(address) = config.owners.of(owner) {
                let channel = connect(address).map_err(|source| StartError::Address { owner: owner.name(), source })?;
                self.clients.push(OwnerClient::new(owner, channel));
            }
        }
        self.clients.sort_by_key(OwnerClient::owner);
        if !services.is_empty() {
            self.listen_grpc(config.grpc_listen, spil_changefeed::routes(services)).await?;
        }
        if config.roles.contains(&Role::Gateway) {
            self.start_gateway(config)?;
        }
        Ok(())
    }

    /// Opens the database of an owner; one in a file of ours is brought up to date, any other must be.
    async fn open(&mut self, config: &Config, owner: Owner, verifier: &Verifier) -> Result<OwnerService, StartError> {
        let failed = |source| StartError::Store { owner: owner.name(), source };
        let store = spil_changefeed::open(&StoreConfig {
            owner,
            url: config.database_url(owner),
            max_connections: config.database_connections,
        })
        .await
        .map_err(failed)?;
        if config.is_embedded() {
            store.migrate().await.map_err(failed)?;
        } else {
            let migrations = store.pending_migrations().await.map_err(failed)?;
            if !migrations.is_empty() {
                return Err(StartError::Pending { owner: owner.name(), migrations });
            }
        }
        self.stores.push(store.clone());
        if store.needs_personal_key() {
            let path = config.personal_key_file();
            // A new key would open nothing of what is there.
            if !path.exists() && store.has_personal_key().await.map_err(failed)? {
                return Err(StartError::PersonalKeyGone { owner: owner.name(), path });
            }
            store.unlock(&personal_key(path, config.profile)?).await.map_err(failed)?;
        }
        let rules = match owner {
            Owner::Capability => spil_capability::rules(),
            Owner::Workforce => spil_workforce::rules(),
            Owner::Initiative => spil_initiative::rules(),
        };
        let mut service = OwnerService::new(store, rules, verifier.clone(), Arc::new(WallClock))
            .with_policy(Arc::clone(&self.policy));
        if let Some(workers) = self.clients.iter().find(|client| client.owner() == Owner::Workforce) {
            service = service.with_people(Arc::new(RemotePeople::new(workers.clone(), self.owner_token())));
        }
        Ok(service)
    }

    /// Signs what an owner shows when it asks another.
    fn owner_token(&self) -> OwnerToken {
        let signer = self.signer.clone();
        Arc::new(move || signer.sign_service(OWNER_TOKEN_LIFETIME).ok())
    }

    /// Reads the policy again whenever its file changes.
    fn watch_policy(&mut self) {
        if !self.policy.is_watched() {
            return;
        }
        let (policy, stop) = (Arc::clone(&self.policy), self.stop.child_token());
        let watch = async move {
            loop {
                tokio::time::sleep(POLICY_INTERVAL).await;
                let policy = Arc::clone(&policy);
                if let Err(error) = tokio::task::spawn_blocking(move || policy.look()).await {
                    tracing::error!(%error, "the policy could not be read");
                }
            }
        };
        self.tasks.push(tokio::spawn(async move {
            let _ = stop.run_until_cancelled(watch).await;
        }));
    }

    async fn listen_grpc(&mut self, address: SocketAddr, routes: Routes) -> Result<(), StartError> {
        let failed = |source| StartError::Listen { address, flag: "--grpc-listen", source };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        self.grpc = Some(listener.local_addr().map_err(failed)?);
        let server = tokio::spawn(
            Server::builder()
                .http2_keepalive_interval(Some(Duration::from_secs(30)))
                .add_routes(routes)
                .serve_with_incoming_shutdown(
                    TcpListenerStream::new(listener),
                    self.stop.child_token().cancelled_owned(),
                ),
        );
        self.tasks.push(tokio::spawn(report("grpc", server)));
        Ok(())
    }

    fn start_gateway(&mut self, config: &Config) -> Result<(), StartError> {
        let schema = SpilSchema::get().map_err(StartError::Schema)?;
        let clients: [OwnerClient; 3] = std::mem::take(&mut self.clients).try_into().map_err(|_| StartError::Owners)?;
        self.clients = clients.to_vec();
        let live = Arc::new(Live::empty());
        let feed_token: Arc<dyn FeedToken> = Arc::new(FeedSigner(self.signer.clone()));
        let followers = Followers::start(Arc::clone(&live), clients.clone(), Arc::clone(&feed_token));
        let limits = Limits::default();
        let rules = self.document_rules(config, schema, &limits)?;
        let reads = ReadLog::start(&clients, Arc::clone(&feed_token));
        // What the settings allow can be one.
        let smallest = u32::try_from(config.smallest_group).ok().and_then(|people| Threshold::new(people).ok());
        let engine = Engine::new(schema, Arc::clone(&live), clients, limits)
            .with_smallest_group(smallest.unwrap_or_default())
            .with_rules(rules)
            .with_policy(Arc::clone(&self.policy))
            .with_read_log(reads)
            .with_feed_token(feed_token);
        engine.prepare_search();
        let address = config.listen;
        let failed = |source| StartError::Listen { address, flag: "--listen", source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        self.http = Some(listener.local_addr().map_err(failed)?);
        let workers = config.http_workers.or_else(|| thread::available_parallelism().ok().map(Into::into)).unwrap_or(2);
        let http_config = HttpConfig {
            workers,
            limits: HttpLimits { body_bytes: config.body_limit, batch: config.batch_limit },
            origins: config.origins()?,
            drain: Duration::from_secs(config.drain_seconds),
            max_streams: config.max_streams,
        };
        let server =
            HttpServer::start(listener, engine, Verifier::new(&self.trust), schema, http_config).map_err(failed)?;
        if config.retention {
            let (clients, token, stop) = (self.clients.clone(), self.owner_token(), self.stop.child_token());
            self.tasks.push(tokio::spawn(async move {
                let _ = stop.run_until_cancelled(retention::keep(clients, token)).await;
            }));
        }
        self.live = Some(live);
        self.gateway = Some(Gateway { server, _followers: followers });
        Ok(())
    }

    /// Which documents are run. A manifest is followed from now on.
    fn document_rules(
        &mut self,
        config: &Config,
        schema: &'static SpilSchema,
        limits: &Limits,
    ) -> Result<DocumentRules, StartError> {
        let mut rules = DocumentRules {
            trusted: None,
            only_trusted: config.trusted_documents_only,
            introspection: config.introspection,
        };
        if let Some(path) = &config.trusted_documents {
            let trusted = TrustedDocuments::open(path, schema, limits)
                .map_err(|source| StartError::TrustedDocuments { path: path.clone(), source })?;
            let (stop, follow) = (self.stop.child_token(), Arc::clone(&trusted).follow());
            self.tasks.push(tokio::spawn(async move {
                let _ = stop.run_until_cancelled(follow).await;
            }));
            rules.trusted = Some(trusted);
        }
        Ok(rules)
    }

    /// Answers what is under way, then stops: first the front door, then the owners, then the databases.
    pub async fn stop(mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.server.stop().await;
        }
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            // A follower elsewhere may hold a stream open; it is cut off after a moment and goes on with another replica.
            let mut task = task;
            if tokio::time::timeout(Duration::from_secs(3), &mut task).await.is_err() {
                task.abort();
            }
        }
        for store in self.stores.drain(..) {
            store.close().await;
        }
    }
}

/// The key of the process: one that is there in production, and else one that is made if it is not.
fn read_key(config: &Config) -> Result<InternalKey, StartError> {
    let path = config.key_file();
    match config.profile {
        Profile::Development => Ok(InternalKey::read_or_create(&path)?),
        Profile::Production => {
            let key = InternalKey::read(&path)?;
            if key.is_development() { Err(StartError::DevelopmentKey { path }) } else { Ok(key) }
        }
    }
}

/// Reads the personal key. In development one is made where there is none, which production does not take.
fn personal_key(path: PathBuf, profile: Profile) -> Result<PersonalKey, StartError> {
    match profile {
        Profile::Development => Ok(PersonalKey::create_or_read(&path, true)?),
        Profile::Production => {
            let key = PersonalKey::read(&path)?;
            if key.is_development() { Err(StartError::DevelopmentPersonalKey { path }) } else { Ok(key) }
        }
    }
}

/// A channel to an address, which connects when it is first used and again whenever it has to.
///
/// # Errors
/// If the address is no URL.
pub fn connect(address: &str) -> Result<Channel, tonic::transport::Error> {
    Ok(Endpoint::from_shared(address.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(15))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .connect_lazy())
}

async fn report(name: &'static str, server: JoinHandle<Result<(), tonic::transport::Error>>) {
    match server.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(name, %error, "a gRPC server failed"),
        Err(error) => tracing::error!(name, %error, "a gRPC server was ended"),
    }
}
