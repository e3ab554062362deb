//! `spil import`

use std::{path::PathBuf, process::ExitCode, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use spil_auth::{InternalKey, Permission, Signer};
use spil_connector::{Import, Owners, Phase, Progress, mapping::Mapping};
use spil_proto::{model::Owner, owner::OwnerClient};

use super::{Outcome, say};
use crate::{
    config::{Config, Profile},
    process,
    secret::Secret,
};

/// How long the token of an import lasts that it signs itself.
const TOKEN_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// How long an owner may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What to import.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file that says what the columns mean.
    #[arg(long, value_name = "FILE.toml")]
    mapping: PathBuf,
    /// The files with the data.
    #[arg(required = true, value_name = "DATA.csv")]
    files: Vec<PathBuf>,
    /// Says what would be done, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// The most records in one batch.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Why, for people: kept with what is written, for those who may see the audit
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = reason)]
    reason: String,
    /// How many records of a kind may be retired, where that is suspiciously many.
    #[arg(long, value_name = "COUNT")]
    allow_retire: Option<usize>,
    /// Where the owners of a running process are [default: http:// and the address in --grpc-listen]
    #[arg(long, env = "SPIL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The token to import with; signed with the development key where none is given.
    #[arg(long, env = "SPIL_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
}

/// Why an import did not start.
#[derive(Debug, thiserror::Error)]
enum ImportStartError {
    #[error("the mapping {} can not be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the mapping {} is wrong", path.display())]
    Mapping { path: PathBuf, source: spil_connector::mapping::MappingError },
    #[error("the file {} can not be read", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{address}` is no address of the owners; say for instance http://127.0.0.1:7601")]
    Address { address: String },
    #[error(
        "no owner answers at {address}; start Spil, or say with `--server` where it is (a process that starts prints it)"
    )]
    Nobody { address: String },
    #[error("no token was given, and there is no development key to sign one with")]
    NoToken(#[source] spil_auth::KeyError),
    #[error("`profile` is `production`: give a token of an issuer, in SPIL_TOKEN or with `--token`")]
    InProduction,
}

/// Reads a reason as the owners take it.
fn reason(text: &str) -> Result<String, &'static str> {
    if text.len() > 1024 || text.chars().any(char::is_control) {
        return Err("at most 1,024 bytes, without control characters");
    }
    Ok(text.to_owned())
}

pub(super) async fn run(config: &Config, args: ImportArgs) -> Outcome {
    let text = tokio::fs::read_to_string(&args.mapping)
        .await
        .map_err(|source| ImportStartError::Read { path: args.mapping.clone(), source })?;
    let mapping =
        Mapping::parse(&text).map_err(|source| ImportStartError::Mapping { path: args.mapping.clone(), source })?;
    for path in &args.files {
        tokio::fs::metadata(path).await.map_err(|source| ImportStartError::File { path: path.clone(), source })?;
    }
    let token = match args.token {
        Some(token) => token.expose().to_owned(),
        None if config.profile == Profile::Production => return Err(ImportStartError::InProduction.into()),
        None => {
            let key = InternalKey::read(&config.key_file()).map_err(ImportStartError::NoToken)?;
            Signer::new(&key)?.sign("spil-import", &[Permission::Write, Permission::Follow], TOKEN_LIFETIME)?
        }
    };
    let [capability, workforce, initiative] = Owner::ALL.map(|owner| {
        args.server
            .clone()
            .or_else(|| config.owners.of(owner).map(str::to_owned))
            .unwrap_or_else(|| format!("http://{}", config.grpc_listen))
    });
    let import = Import {
        mapping,
        files: args.files,
        dry_run: args.dry_run,
        clients: Owners {
            capability: client(Owner::Capability, capability).await?,
            workforce: client(Owner::Workforce, workforce).await?,
            initiative: client(Owner::Initiative, initiative).await?,
        },
        token,
        reason: args.reason,
        batch: args.batch as usize,
        allow_retire: args.allow_retire,
    };
    let bar = Bar::new();
    let report = spil_connector::run(import, &bar).await;
    bar.0.finish_and_clear();
    let report = report?;
    say(&format!("{report}\n"))?;
    Ok(if report.rejected.total == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// A client of an owner that is known to listen: what a call to nobody says is hard to understand.
async fn client(owner: Owner, address: String) -> Result<OwnerClient, ImportStartError> {
    let parsed = address.parse::<tonic::transport::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    let host = parsed.as_ref().and_then(|uri| Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(80))));
    let (Some((host, port)), Ok(channel)) = (host, process::connect(&address)) else {
        return Err(ImportStartError::Address { address });
    };
    match tokio::time::timeout(CONNECT_LIMIT, tokio::net::TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(OwnerClient::new(owner, channel)),
        _ => Err(ImportStartError::Nobody { address }),
    }
}

/// A progress bar on standard error; nothing where that is no terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) =
            ProgressStyle::with_template("{msg:>16} {bar:40} {human_pos}/{human_len} {per_sec} {elapsed}")
        {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn update(&self, phase: Phase, done: u64, total: Option<u64>) {
        self.0.set_message(match phase {
            Phase::Present => "present records",
            Phase::Read => "rows read",
            Phase::Plan => "planned",
            Phase::Apply => "applied",
        });
        self.0.set_length(total.unwrap_or(done));
        self.0.set_position(done);
    }
}
