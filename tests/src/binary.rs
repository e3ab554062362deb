//! The binary as a child process.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use spil_auth::{InternalKey, Permission, Signer};
use spil_proto::{model::Owner, owner::OwnerClient};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
};
use tonic::transport::Endpoint;

use crate::Client;

/// How long a process may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The path of the binary, which is built first if it has to be.
pub fn spil() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = std::process::Command::new(cargo);
        build.args(["build", "--quiet", "--package", "spil-server", "--bin", "spil"]);
        // The profile of the tests, so that nothing is compiled twice.
        let test = std::env::current_exe().expect("the path of the test");
        let folder = test.parent().and_then(Path::parent).expect("the folder of the profile").to_owned();
        if folder.file_name() == Some(OsStr::new("release")) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the binary can be built");
        folder.join("spil")
    })
}

/// Runs a command of the binary to its end.
pub async fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(spil())
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the binary runs")
}

/// A running process.
pub struct Spil {
    child: Child,
    /// Where it answers GraphQL, if it does.
    pub http: Option<String>,
    /// Where its owners are, if it has any.
    pub grpc: Option<String>,
    data: PathBuf,
    log: watch::Receiver<Vec<String>>,
}

/// How a process is started.
pub struct SpilBuilder {
    data: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    http: String,
    grpc: String,
    log_lines: usize,
}

impl Spil {
    /// A process with its files in a folder; on SQLite, with all roles, unless more is said.
    pub fn builder(data: &Path) -> SpilBuilder {
        SpilBuilder {
            data: data.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            http: "127.0.0.1:0".to_owned(),
            grpc: "127.0.0.1:0".to_owned(),
            log_lines: 2000,
        }
    }

    /// The folder with its files.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A token for this process.
    pub fn token(&self, subject: &str, permissions: &[Permission]) -> String {
        self.token_for(subject, permissions, Duration::from_secs(3600))
    }

    /// A token for this process that ends after a while.
    pub fn token_for(&self, subject: &str, permissions: &[Permission], lifetime: Duration) -> String {
        token(&self.data, subject, permissions, lifetime)
    }

    /// A token of somebody who is the worker with a key.
    pub fn token_of_worker(&self, subject: &str, permissions: &[Permission], key: &str) -> String {
        let signer = InternalKey::read_or_create(&self.data.join("development-key.pem")).expect("a key");
        let claims = serde_json::Map::from_iter([("worker".to_owned(), key.into())]);
        let signer = Signer::new(&signer).expect("a signer");
        signer.sign_with(subject, permissions, claims, Duration::from_secs(3600)).expect("a token")
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        let url = self.http.clone().expect("a gateway");
        Client::new(url, self.token("tester", &Permission::ALL))
    }

    /// A client of an owner.
    pub fn owner(&self, owner: Owner) -> OwnerClient {
        let url = self.grpc.clone().expect("owners");
        OwnerClient::new(owner, Endpoint::from_shared(url).expect("a URL").connect_lazy())
    }

    /// Ends the process at once, as a power cut would.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the process is ours");
    }

    /// Asks the process to stop, and gives its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(asked.success());
        tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .expect("it stops in time")
            .expect("it is ours")
            .code()
    }

    /// How much memory the process has, in bytes; 0 where the system does not say.
    pub fn resident_bytes(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// What was logged so far.
    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }
}

/// A token signed with the key of a data folder.
fn token(data: &Path, subject: &str, permissions: &[Permission], lifetime: Duration) -> String {
    let key = InternalKey::read_or_create(&data.join("development-key.pem")).expect("a key");
    Signer::new(&key).expect("a signer").sign(subject, permissions, lifetime).expect("a token")
}

impl SpilBuilder {
    /// Adds flags.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Keeps all that is logged, and not only the end of it.
    #[must_use]
    pub fn keep_whole_log(mut self) -> Self {
        self.log_lines = usize::MAX;
        self
    }

    /// Listens where another process did, `http://host:port`.
    #[must_use]
    pub fn at(mut self, http: Option<&str>, grpc: Option<&str>) -> Self {
        let address = |url: &str| url.trim_start_matches("http://").to_owned();
        self.http = http.map_or(self.http, address);
        self.grpc = grpc.map_or(self.grpc, address);
        self
    }

    /// Starts it, and waits until it says where it listens and, if it is a gateway, until it is ready.
    pub async fn start(self) -> Spil {
        let roles: Vec<String> =
            self.arguments.iter().skip_while(|argument| *argument != "--roles").skip(1).take(1).cloned().collect();
        let is_gateway = roles.first().is_none_or(|roles| roles.contains("gateway"));
        let is_owner = roles.first().is_none_or(|roles| roles != "gateway");
        let mut command = Command::new(spil());
        command
            .arg("serve")
            .args(["--data", &self.data.display().to_string(), "--listen", &self.http, "--grpc-listen", &self.grpc])
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let log_lines = self.log_lines;
        let (sender, mut log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|lines: &mut Vec<String>| {
                    if lines.len() == log_lines {
                        lines.remove(0);
                    }
                    lines.push(line);
                });
            }
        });
        let (mut http, mut grpc) = (None, None);
        let listening = async {
            loop {
                for line in log.borrow_and_update().iter() {
                    http = http.take().or_else(|| address(line, "GraphQL is answered at "));
                    grpc = grpc.take().or_else(|| address(line, "the owners are at "));
                }
                if http.is_some() == is_gateway && grpc.is_some() == is_owner {
                    return true;
                }
                if log.changed().await.is_err() {
                    return false;
                }
            }
        };
        let listens = tokio::time::timeout(START_LIMIT, listening).await.unwrap_or(false);
        assert!(listens, "it says where it listens:\n{}", log.borrow().join("\n"));
        let spil = Spil {
            child,
            http: http.map(|url: String| url.trim_end_matches("/graphql").to_owned()),
            grpc,
            data: self.data,
            log,
        };
        if is_gateway {
            spil.client().wait_until_ready().await;
        }
        spil
    }
}

fn address(line: &str, after: &str) -> Option<String> {
    line.split_once(after).map(|(_, address)| address.trim().to_owned())
}
