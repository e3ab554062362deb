//! How a process is set up: defaults, then a file, then the environment, then flags; the later one wins.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use spil_auth::{IssuerConfig, IssuerError};
use spil_gateway::http::{Origins, OriginsError};
use spil_proto::model::Owner;

use crate::secret::Database;

/// How many bytes of a body may be allowed.
const BODY_LIMIT: RangeInclusive<usize> = 1 << 10..=16 << 20;
/// How many requests of a batch may be allowed.
const BATCH_LIMIT: RangeInclusive<usize> = 1..=1000;
/// How few people a figure may be about.
const SMALLEST_GROUP: RangeInclusive<usize> = 3..=1000;
/// How many connections that last may be asked for.
const MAX_STREAMS: RangeInclusive<usize> = 1..=1_000_000;

/// The settings of a process. In a file (TOML) by these names; in the environment as `SPIL_LISTEN` and so on, with two underscores
/// before a name within a section: `SPIL_OWNERS__WORKFORCE`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the process is for. In `production` nobody gets in by a key that lies in a file: see [`Config::check_production`].
    pub profile: Profile,
    /// What this process does; in the environment separated by commas.
    #[serde(deserialize_with = "roles")]
    pub roles: Vec<Role>,
    /// The folder of the SQLite files and of the development key.
    pub data: PathBuf,
    /// Where the data are: `sqlite` (a file for each owner in the data folder) or a URL `postgres://…` (a schema for each owner).
    pub database: Database,
    /// The most connections of each owner to PostgreSQL.
    pub database_connections: u32,
    /// Where the gateway listens for HTTP.
    pub listen: SocketAddr,
    /// Where the owners of this process listen for gRPC.
    pub grpc_listen: SocketAddr,
    /// Where owners that are not in this process are: `http://host:port`.
    pub owners: OwnerAddresses,
    /// The file of the key with which our services sign what they say to each other, and in development the tokens of everybody (Ed25519,
    /// PKCS#8, PEM); `development-key.pem` in the data folder where nothing is said. All processes that work together need the same.
    pub key: Option<PathBuf>,
    /// The issuers whose tokens are taken. All processes that work together need the same.
    pub issuers: Vec<IssuerConfig>,
    /// The file of the personal key, with which what tells who somebody is is sealed; `personal.key` in the data folder where nothing is said.
    /// Whoever loses it loses those values. In development it is made where it is not there; the owners of a production profile need one that is.
    pub personal_key: Option<PathBuf>,
    /// Whether the gateway erases from all owners, every day, the people who left longer ago than the register of personal data lets their data be kept.
    pub retention: bool,
    /// The policy: who may what. The built-in one where nothing is said. It is read again whenever it changes, by every role.
    pub policy: Option<PathBuf>,
    /// How many threads answer HTTP requests; as many as there are cores where nothing is said.
    pub http_workers: Option<usize>,
    /// How many seconds requests that are under way may take when the process is asked to stop.
    pub drain_seconds: u64,
    /// How many WebSockets and event streams may be open at once: 1 to 1000000.
    pub max_streams: usize,
    /// The most bytes of the body of an HTTP request: 1024 to 16777216.
    pub body_limit: usize,
    /// The most requests of a batch, a JSON list of GraphQL requests: 1 to 1000.
    pub batch_limit: usize,
    /// The fewest people that a figure about a group of people is told of: 3 to 1000.
    pub smallest_group: usize,
    /// The origins whose web pages may ask, besides the gateway's own: `https://app.example.org`, or `*` alone for any; in the
    /// environment separated by commas.
    #[serde(deserialize_with = "texts")]
    pub origins: Vec<String>,
    /// The manifest of trusted documents, which clients name by their identifiers: Apollo's `apollo-persisted-query-manifest`, or a JSON
    /// object of documents by hash. It is read again whenever it changes.
    pub trusted_documents: Option<PathBuf>,
    /// Whether no other documents than those of the manifest are run.
    pub trusted_documents_only: bool,
    /// Whether the schema can be asked for, by `__schema`, `__type` and `_service` and at `/schema.graphql`.
    pub introspection: bool,
}

/// What a process is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Trying and building: whoever can read the key file may sign tokens for everybody.
    Development,
    /// Real people's data: tokens are those of issuers.
    Production,
}

/// What a process does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers GraphQL.
    Gateway,
    /// Owns objectives, capabilities, processes and applications.
    Capability,
    /// Owns org units, roles, positions, workers and skills.
    Workforce,
    /// Owns initiatives and benefits.
    Initiative,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Gateway, Role::Capability, Role::Workforce, Role::Initiative];

    /// The owner that the role is, if it is one.
    pub fn owner(self) -> Option<Owner> {
        match self {
            Role::Gateway => None,
            Role::Capability => Some(Owner::Capability),
            Role::Workforce => Some(Owner::Workforce),
            Role::Initiative => Some(Owner::Initiative),
        }
    }
}

/// Where owners that are not in this process are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerAddresses {
    /// The owner `capability`.
    pub capability: Option<String>,
    /// The owner `workforce`.
    pub workforce: Option<String>,
    /// The owner `initiative`.
    pub initiative: Option<String>,
}

impl OwnerAddresses {
    /// The address of one owner.
    pub fn of(&self, owner: Owner) -> Option<&str> {
        match owner {
            Owner::Capability => self.capability.as_deref(),
            Owner::Workforce => self.workforce.as_deref(),
            Owner::Initiative => self.initiative.as_deref(),
        }
    }
}

/// Reads roles from a list, or from one text with commas.
fn roles<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<Role>),
        Text(String),
    }
    match Given::deserialize(deserializer)? {
        Given::List(roles) => Ok(roles),
        Given::Text(text) => text
            .split(',')
            .map(|name| <Role as clap::ValueEnum>::from_str(name.trim(), true).map_err(serde::de::Error::custom))
            .collect(),
    }
}

/// Reads texts from a list, or from one text with commas.
fn texts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::List(texts) => texts,
        Given::Text(text) => {
            text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned).collect()
        }
    })
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            profile: Profile::Development,
            roles: Role::ALL.to_vec(),
            data: PathBuf::from(".spil"),
            database: "sqlite".into(),
            database_connections: 10,
            listen: local(7600),
            grpc_listen: local(7601),
            owners: OwnerAddresses::default(),
            key: None,
            issuers: Vec::new(),
            personal_key: None,
            retention: true,
            policy: None,
            http_workers: None,
            drain_seconds: 10,
            max_streams: 10_000,
            body_limit: 1 << 20,
            batch_limit: 20,
            smallest_group: 5,
            origins: Vec::new(),
            trusted_documents: None,
            trusted_documents_only: false,
            introspection: true,
        }
    }
}

/// Flags that every command which needs settings takes.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub struct Flags {
    /// A file with settings (TOML).
    #[arg(long, env = "SPIL_CONFIG", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// What the process is for [default: development]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
    /// The folder of the SQLite files and of the development key [default: .spil]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// `sqlite`, or the URL of a PostgreSQL database [default: sqlite]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Database>,
    /// Where the gateway listens for HTTP [default: 127.0.0.1:7600]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Where the owners listen for gRPC [default: 127.0.0.1:7601]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_listen: Option<SocketAddr>,
    /// What this process does, separated by commas [default: all]
    #[arg(long, global = true, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<Role>>,
    /// The file of the key that signs [default: development-key.pem in the data folder]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
}

/// Environment variables that begin like settings and are none.
const OTHER_VARIABLES: [&str; 5] = ["config", "log", "samples", "server", "token"];

/// Whether a variable is one of those that Kubernetes gives every pod for a Service whose name begins with `spil`:
/// `SPIL_PORT`, `SPIL_SERVICE_HOST`, `SPIL_OWNERS_PORT_7601_TCP`. No setting has a name of that form.
fn is_service_link(key: &str) -> bool {
    let padded = format!("_{key}_");
    ["_port_", "_service_host_", "_service_port_"].iter().any(|part| padded.contains(part))
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings can not be read; the message names the setting and where it comes from.
    #[error("{0}")]
    Unreadable(Box<figment::Error>),
    /// The file is not there.
    #[error("the file {} with settings is not there", .0.display())]
    NoFile(PathBuf),
    /// No role is left to run.
    #[error("`roles` is empty: name at least one of gateway, capability, workforce, initiative")]
    NoRole,
    /// An issuer can not be trusted.
    #[error("`issuers` can not be used: {0}")]
    Issuers(#[from] IssuerError),
    /// Nobody would get in.
    #[error("`profile = \"production\"` needs at least one of `[[issuers]]`: development tokens are not taken")]
    NoIssuer,
    /// The key would be a development key.
    #[error(
        "`profile = \"production\"` needs a `key`: the file of an Ed25519 key (PKCS#8, PEM) that no development run has made"
    )]
    NoKey,
    /// The database is neither kind.
    #[error("`database` is `sqlite` or a URL that begins with `postgres://`")]
    Database,
    /// No thread is left to answer.
    #[error("`http_workers` is at least 1")]
    HttpWorkers,
    /// A number is out of its range.
    #[error("`{name}` is {} to {}", range.start(), range.end())]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: RangeInclusive<usize>,
    },
    /// The origins can not be used.
    #[error("`origins` can not be used: {0}")]
    Origins(OriginsError),
    /// An allow-list without a list.
    #[error("`trusted_documents_only` needs a manifest in `trusted_documents`")]
    NoManifest,
    /// The address of an owner is no URL.
    #[error("`owners.{0}` is a URL like `http://host:7601`")]
    OwnerAddress(&'static str),
    /// An owner is neither here nor anywhere.
    #[error("the gateway needs the owner `{0}`: add it to `roles`, or give its address in `owners.{0}`")]
    OwnerNowhere(&'static str),
}

impl Config {
    /// Puts the settings together.
    ///
    /// # Errors
    /// If one is unknown or malformed, or they do not make sense together.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = &flags.config {
            if !file.exists() {
                return Err(ConfigError::NoFile(file.clone()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // Some names speak to commands or to tests, not to the settings.
        let environment = Env::prefixed("SPIL_").filter(|key| {
            let key = key.as_str().to_ascii_lowercase();
            !OTHER_VARIABLES.contains(&key.as_str()) && !key.starts_with("test_") && !is_service_link(&key)
        });
        let config: Config = figment
            .merge(environment.split("__"))
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| ConfigError::Unreadable(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.roles.is_empty() {
            return Err(ConfigError::NoRole);
        }
        let database = self.database.expose();
        if database != "sqlite" && !database.starts_with("postgres://") && !database.starts_with("postgresql://") {
            return Err(ConfigError::Database);
        }
        IssuerConfig::check(&self.issuers)?;
        if self.http_workers == Some(0) {
            return Err(ConfigError::HttpWorkers);
        }
        for (name, value, range) in [
            ("body_limit", self.body_limit, BODY_LIMIT),
            ("batch_limit", self.batch_limit, BATCH_LIMIT),
            ("max_streams", self.max_streams, MAX_STREAMS),
            ("smallest_group", self.smallest_group, SMALLEST_GROUP),
        ] {
            if !range.contains(&value) {
                return Err(ConfigError::Range { name, range });
            }
        }
        self.origins()?;
        if self.trusted_documents_only && self.trusted_documents.is_none() {
            return Err(ConfigError::NoManifest);
        }
        let is_url = |address: &str| address.starts_with("http://");
        if let Some(owner) =
            Owner::ALL.into_iter().find(|owner| self.owners.of(*owner).is_some_and(|address| !is_url(address)))
        {
            return Err(ConfigError::OwnerAddress(owner.name()));
        }
        if self.roles.contains(&Role::Gateway)
            && let Some(owner) =
                Owner::ALL.into_iter().find(|owner| !self.is_local(*owner) && self.owners.of(*owner).is_none())
        {
            return Err(ConfigError::OwnerNowhere(owner.name()));
        }
        Ok(())
    }

    /// Says whether roles may run with these settings where `profile` is `production`.
    ///
    /// # Errors
    /// If there is no issuer, so that nobody would get in, or no key is named. That the key is none of development says whoever reads it.
    pub fn check_production(&self) -> Result<(), ConfigError> {
        match self.profile {
            Profile::Development => Ok(()),
            Profile::Production if self.issuers.is_empty() => Err(ConfigError::NoIssuer),
            Profile::Production if self.key.is_none() => Err(ConfigError::NoKey),
            Profile::Production => Ok(()),
        }
    }

    /// The origins whose web pages may ask.
    ///
    /// # Errors
    /// If one is no origin.
    pub fn origins(&self) -> Result<Origins, ConfigError> {
        Origins::new(&self.origins).map_err(ConfigError::Origins)
    }

    /// Whether an owner runs in this process.
    pub fn is_local(&self, owner: Owner) -> bool {
        self.roles.iter().any(|role| role.owner() == Some(owner))
    }

    /// Whether the data are in files of this process, which then brings them up to date by itself.
    pub fn is_embedded(&self) -> bool {
        self.database.expose() == "sqlite"
    }

    /// The URL of the database of an owner.
    pub fn database_url(&self, owner: Owner) -> String {
        if self.is_embedded() {
            format!("sqlite://{}", self.data.join(format!("{}.db", owner.name())).display())
        } else {
            self.database.expose().to_owned()
        }
    }

    /// The settings as they may be shown: without the password of the database.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { database: self.database.masked(), ..self.clone() }
    }

    /// The file of the key that signs.
    pub fn key_file(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.data.join("development-key.pem"))
    }

    /// The file of the personal key.
    pub fn personal_key_file(&self) -> PathBuf {
        self.personal_key.clone().unwrap_or_else(|| self.data.join("personal.key"))
    }

    /// The folder that has to be there before anything starts.
    pub fn data_folder(&self) -> &Path {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::result_large_err, reason = "the closure's error type is the library's")]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        figment::Jail::expect_with(|jail| {
            jail.create_file(
                "spil.toml",
                "listen = \"127.0.0.1:1\"\ngrpc_listen = \"127.0.0.1:1\"\ndrain_seconds = 3\n",
            )?;
            jail.set_env("SPIL_TEST_POSTGRES", "postgres://x");
            jail.set_env("SPIL_TOKEN", "x");
            // What Kubernetes adds for a Service called `spil` and one called `spil-owners`.
            jail.set_env("SPIL_PORT", "tcp://10.0.0.1:7600");
            jail.set_env("SPIL_PORT_7600_TCP_ADDR", "10.0.0.1");
            jail.set_env("SPIL_SERVICE_HOST", "10.0.0.1");
            jail.set_env("SPIL_OWNERS_SERVICE_PORT_GRPC", "7601");
            jail.set_env("SPIL_ROLES", "capability, gateway,initiative");
            jail.set_env("SPIL_DATABASE", "postgres://spil:se:cr@et@db/spil");
            jail.set_env("SPIL_LISTEN", "127.0.0.1:2");
            jail.set_env("SPIL_GRPC_LISTEN", "127.0.0.1:2");
            jail.set_env("SPIL_OWNERS__WORKFORCE", "http://workforce:7601");
            let flags =
                Flags { config: Some("spil.toml".into()), listen: "127.0.0.1:3".parse().ok(), ..Flags::default() };
            let config = Config::load(&flags).map_err(|error| error.to_string())?;
            assert_eq!((config.listen.port(), config.grpc_listen.port(), config.drain_seconds), (3, 2, 3));
            assert_eq!(config.owners.of(Owner::Workforce), Some("http://workforce:7601"));
            assert_eq!(config.roles, [Role::Capability, Role::Gateway, Role::Initiative]);
            assert_eq!(config.without_secrets().database.expose(), "postgres://spil:***@db/spil");
            assert_eq!(config.database.expose(), "postgres://spil:se:cr@et@db/spil");
            assert!(!format!("{config:?}").contains("cr@et"), "{config:?}");
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "the closure's error type is the library's")]
    fn production_needs_an_issuer_and_a_key() {
        figment::Jail::expect_with(|jail| {
            jail.set_env("SPIL_PROFILE", "production");
            let load = || Config::load(&Flags::default()).map_err(|error| error.to_string());
            assert!(matches!(load()?.check_production(), Err(ConfigError::NoIssuer)));
            jail.set_env("SPIL_ISSUERS", "[{issuer=\"https://a.example\", audiences=[\"urn:spil\"]}]");
            assert!(matches!(load()?.check_production(), Err(ConfigError::NoKey)));
            jail.set_env("SPIL_KEY", "key.pem");
            let config = load()?;
            assert!(config.check_production().is_ok());
            let shown = toml::to_string_pretty(&config.without_secrets()).map_err(|error| error.to_string())?;
            assert!(shown.contains("[[issuers]]") && shown.contains("types = [\"at+jwt\"]"), "{shown}");
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "the closure's error type is the library's")]
    fn issuers_are_checked() {
        figment::Jail::expect_with(|jail| {
            let sound = "issuer = \"https://a.example\"\naudiences = [\"urn:spil\"]\n";
            for (more, told) in [
                ("", None),
                ("algorithms = [\"ES256\", \"EdDSA\"]", None),
                ("algorithms = [\"HS256\"]", Some("HS256")),
                ("algorithms = [\"none\"]", Some("none")),
                ("jwks_uri = \"http://a.example/keys\"", Some("https")),
                ("secret = \"x\"", Some("secret")),
            ] {
                jail.create_file("spil.toml", &format!("[[issuers]]\n{sound}{more}\n"))?;
                let flags = Flags { config: Some("spil.toml".into()), ..Flags::default() };
                match (Config::load(&flags), told) {
                    (Ok(_), None) => {}
                    (Err(error), Some(word)) => assert!(error.to_string().contains(word), "{more}: {error}"),
                    (result, _) => return Err(format!("{more}: {result:?}").into()),
                }
            }
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "the closure's error type is the library's")]
    fn nonsense_is_named() {
        figment::Jail::expect_with(|jail| {
            jail.create_file("spil.toml", "lisen = \"127.0.0.1:1\"\n")?;
            let flags = Flags { config: Some("spil.toml".into()), ..Flags::default() };
            let error = Config::load(&flags).expect_err("an unknown setting").to_string();
            assert!(error.contains("lisen"), "{error}");
            let flags = Flags { roles: Some(vec![Role::Gateway, Role::Workforce]), ..Flags::default() };
            let error = Config::load(&flags).expect_err("an owner that is nowhere").to_string();
            assert!(error.contains("owners.capability"), "{error}");
            jail.set_env("SPIL_HTTP_WORKERS", "0");
            assert!(matches!(Config::load(&Flags::default()), Err(ConfigError::HttpWorkers)));
            jail.set_env("SPIL_HTTP_WORKERS", "2");
            jail.set_env("SPIL_BATCH_LIMIT", "0");
            let error = Config::load(&Flags::default()).expect_err("no batch at all").to_string();
            assert_eq!(error, "`batch_limit` is 1 to 1000");
            jail.set_env("SPIL_BATCH_LIMIT", "1");
            jail.set_env("SPIL_ORIGINS", "https://a.example, b.example");
            let error = Config::load(&Flags::default()).expect_err("no origin").to_string();
            assert!(error.contains("`b.example`"), "{error}");
            jail.set_env("SPIL_ORIGINS", "https://a.example, https://b.example");
            jail.set_env("SPIL_TRUSTED_DOCUMENTS_ONLY", "true");
            assert!(matches!(Config::load(&Flags::default()), Err(ConfigError::NoManifest)));
            jail.set_env("SPIL_TRUSTED_DOCUMENTS", "manifest.json");
            jail.set_env("SPIL_OWNERS__INITIATIVE", "owners:7601");
            assert!(matches!(Config::load(&Flags::default()), Err(ConfigError::OwnerAddress("initiative"))));
            jail.set_env("SPIL_OWNERS__INITIATIVE", "http://owners:7601");
            let flags = Flags { database: Some("mysql://x".into()), ..Flags::default() };
            assert!(matches!(Config::load(&flags), Err(ConfigError::Database)));
            Ok(())
        });
    }
}
