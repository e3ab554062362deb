//! `spil subject`

use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, SecondsFormat};
use spil_auth::{InternalKey, Permission, Signer};
use spil_gateway::{erasure, graphql::global_id, subject};
use spil_proto::{
    changefeed::v1::{LogReadsRequest, Read},
    model::{Kind, Owner},
    owner::OwnerClient,
};
use tonic::Code;
use uuid::Uuid;

use super::{Outcome, complain, rekey, say};
use crate::{
    config::{Config, Profile},
    process,
    secret::Secret,
};

/// How long the token lasts that is signed here.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// How an export stands in the access log of the person. Who read is the subject of the token, which the owner puts in.
const READER: &str = "spil-subject";
const OPERATION: &str = "spil subject export";
const ENTRY: &str = "shell";

/// What to do for or with a person whose data are kept.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SubjectCommand {
    /// Writes a file with everything that is kept of a person: the record, what is about the person or refers to it, in all owners, and its history.
    /// The person sees in the access log that this was done.
    Export(ExportArgs),
    /// Erases a person for ever, from all owners: everything that tells who it is. Nobody can undo it. Stopped half way, it goes on when it is given
    /// again.
    Erase(EraseArgs),
    /// Says whose data were kept as long as they may be: how many people, and their ids, no names. Erases nobody.
    Due(DueArgs),
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

#[derive(Debug, clap::Args)]
pub(crate) struct DueArgs {
    #[command(flatten)]
    reach: Reach,
}

/// Where the owners are, and with which token they are asked.
#[derive(Debug, clap::Args)]
struct Reach {
    /// Where the owners of a running process are [default: http:// and the address in --grpc-listen]
    #[arg(long, env = "SPIL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The token to ask with; signed with the development key where none is given. An export needs `follow` and `audit`, the rest `erase`.
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
    #[error("there is no such person")]
    NotFound,
    #[error("nothing is written: the access log of the person can not take it; the {owner} owner answers {}: {}", status.code(), status.message())]
    Unlogged { owner: &'static str, status: Box<tonic::Status> },
    #[error("the file {} can not be written", path.display())]
    Write { path: PathBuf, source: io::Error },
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

    /// A client of each owner.
    fn clients(&self, config: &Config) -> Result<Vec<OwnerClient>, tonic::transport::Error> {
        Owner::ALL.into_iter().map(|owner| self.client(config, owner)).collect()
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
        SubjectCommand::Due(args) => due(config, &args).await,
        SubjectCommand::Rekey(args) => rekey::run(config, &args).await,
    }
}

async fn export(config: &Config, args: &ExportArgs) -> Outcome {
    let token = args.reach.token(config)?;
    let mut clients = args.reach.clients(config)?;
    let found = subject::export(&mut clients, &token, args.id, usize::MAX).await?;
    let (records, changes) = (found.records, found.changes);
    if records + changes == 0 {
        return Err(SubjectError::NotFound.into());
    }
    // Before anybody can look at it, as with everything else that is told of people.
    let fields = found.fields();
    if !fields.is_empty() {
        let read = Read {
            person_id: args.id.1.as_bytes().to_vec(),
            reader: READER.to_owned(),
            fields,
            operation: OPERATION.to_owned(),
            entry: ENTRY.to_owned(),
            ..Read::default()
        };
        let owner = args.id.0.info().owner;
        let mut people = args.reach.client(config, owner)?;
        let kept = people.log_reads(&token, LogReadsRequest { reads: vec![read] }).await;
        kept.map_err(|status| SubjectError::Unlogged { owner: owner.name(), status: Box::new(status) })?;
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
    let request = erasure::Request { person: (kind, id), reason: &args.reason, origin: "" };
    let done = match erasure::erase(&args.reach.clients(config)?, &token, request).await {
        Ok(done) => done,
        Err(error) if error.status.code() == Code::NotFound => return Err(SubjectError::NotFound.into()),
        Err(error) => return Err(error.into()),
    };
    let (at, others) = (moment(done.erased_at), done.redacted);
    say(&match done.records {
        0 => format!("the person was erased before, at {at}; {others} other records were written now\n"),
        records => format!(
            "the person was erased at {at}; {records} records of the person were written, and {others} others\n"
        ),
    })?;
    if !done.mentions.is_empty() {
        say("these fields may still name the person, or somebody else; look at each:\n")?;
        for (kind, id, field) in &done.mentions {
            say(&format!("  {} {} {field}\n", kind.info().name, global_id::encode(*kind, *id)))?;
        }
        if done.more_mentions {
            say("  and there are more\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn due(config: &Config, args: &DueArgs) -> Outcome {
    let token = args.reach.token(config)?;
    let people = erasure::due(&args.reach.clients(config)?, &token).await?;
    say(&format!("{} people are to be erased\n", people.len()))?;
    for (kind, id) in people {
        say(&format!("  {} {}\n", kind.info().name, global_id::encode(kind, id)))?;
    }
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
