//! `spil subject`

use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, SecondsFormat};
use spil_auth::{InternalKey, Permission, Signer};
use spil_gateway::{graphql::global_id, subject};
use spil_proto::{
    changefeed::v1::EraseRequest,
    model::{Kind, Owner},
    owner::OwnerClient,
};
use uuid::Uuid;

use super::{Outcome, complain, rekey, say};
use crate::{
    config::{Config, Profile},
    process,
    secret::Secret,
};

/// How long the token lasts that is signed here.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// What to do for or with a person whose data are kept.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SubjectCommand {
    /// Writes a file with everything that is kept of a person: the record, what is about the person or refers to it, in all owners, and its history.
    Export(ExportArgs),
    /// Erases a person for ever: everything that tells who it is. Nobody can undo it.
    Erase(EraseArgs),
    /// Changes the personal key: seals the keys of all people with another one, in the databases of the settings. No owner may run meanwhile.
    Rekey(rekey::RekeyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    reach: Reach,
    /// The id of the person, as GraphQL gives it
    #[arg(long, value_parser = person)]
    id: (Kind, Uuid),
    /// The file to write (JSON); it must not be there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    reach: Reach,
    /// The id of the person, as GraphQL gives it
    #[arg(long, value_parser = person)]
    id: (Kind, Uuid),
    /// Why: kept with what is written, for those who may see the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Does not ask whether this is meant
    #[arg(long)]
    yes: bool,
}

/// Where the owners are, and with which token they are asked.
#[derive(Debug, clap::Args)]
struct Reach {
    /// Where the owners of a running process are [default: http:// and the address in --grpc-listen]
    #[arg(long, env = "SPIL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The token to ask with; signed with the development key where none is given. An export needs `follow` and `audit`, an erasure `erase`.
    #[arg(long, env = "SPIL_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum SubjectError {
    #[error("`profile` is `production`: give a token of an issuer, in SPIL_TOKEN or with `--token`")]
    InProduction,
    #[error("this was not confirmed; nothing was done")]
    NotConfirmed,
    #[error("the {owner} owner answers {}: {}", status.code(), status.message())]
    Owner { owner: &'static str, status: Box<tonic::Status> },
    #[error("there is no such person")]
    NotFound,
    #[error("the file {} can not be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl SubjectError {
    fn of(owner: Owner) -> impl Fn(tonic::Status) -> SubjectError {
        move |status| SubjectError::Owner { owner: owner.name(), status: Box::new(status) }
    }
}

impl Reach {
    fn token(&self, config: &Config) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        match &self.token {
            Some(token) => Ok(token.expose().to_owned()),
            None if config.profile == Profile::Production => Err(SubjectError::InProduction.into()),
            None => {
                let signer = Signer::new(&InternalKey::read(&config.key_file())?)?;
                Ok(signer.sign("spil-subject", &Permission::ALL, TOKEN_LIFETIME)?)
            }
        }
    }

    fn client(&self, config: &Config, owner: Owner) -> Result<OwnerClient, tonic::transport::Error> {
        let address = self.server.clone().or_else(|| config.owners.of(owner).map(str::to_owned));
        let address = address.unwrap_or_else(|| format!("http://{}", config.grpc_listen));
        Ok(OwnerClient::new(owner, process::connect(&address)?))
    }
}

pub(super) async fn run(config: &Config, command: SubjectCommand) -> Outcome {
    match command {
        SubjectCommand::Export(args) => export(config, &args).await,
        SubjectCommand::Erase(args) => erase(config, &args).await,
        SubjectCommand::Rekey(args) => rekey::run(config, &args).await,
    }
}

async fn export(config: &Config, args: &ExportArgs) -> Outcome {
    let token = args.reach.token(config)?;
    let mut clients = Vec::new();
    for owner in Owner::ALL {
        clients.push(args.reach.client(config, owner)?);
    }
    let found = subject::export(&mut clients, &token, args.id, usize::MAX).await?;
    let (records, changes) = (found.records, found.changes);
    if records + changes == 0 {
        return Err(SubjectError::NotFound.into());
    }
    write_private(&args.out, serde_json::to_string_pretty(&found.document)?.as_bytes())
        .map_err(|source| SubjectError::Write { path: args.out.clone(), source })?;
    say(&format!("{records} records and {changes} changes are in {}\n", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

async fn erase(config: &Config, args: &EraseArgs) -> Outcome {
    let (kind, id) = args.id;
    let token = args.reach.token(config)?;
    if !args.yes {
        complain("This can not be undone. Type `erase` to go on:");
        let mut line = String::new();
        if !io::stdin().is_terminal() || io::stdin().lock().read_line(&mut line).is_err() || line.trim() != "erase" {
            return Err(SubjectError::NotConfirmed.into());
        }
    }
    let owner = kind.info().owner;
    let request = EraseRequest { kind: kind as u32, id: id.as_bytes().to_vec(), reason: args.reason.clone() };
    let answer = args.reach.client(config, owner)?.erase(&token, request).await.map_err(SubjectError::of(owner))?;
    let at = moment(answer.erased_at);
    say(&match answer.records {
        0 => format!("the person was erased before, at {at}\n"),
        records => format!("the person was erased at {at}; {records} records were written\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A moment (RFC 3339, UTC); empty if it is none.
fn moment(micros: i64) -> String {
    let at = DateTime::from_timestamp_micros(micros);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

/// A file for its owner alone.
fn write_private(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, bytes)
}

/// Reads the id of a record that is a person.
fn person(text: &str) -> Result<(Kind, Uuid), &'static str> {
    global_id::decode(text).filter(|(kind, _)| kind.info().person).ok_or("this is not the id of a person")
}
