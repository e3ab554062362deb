//! `spil audit`

use std::{path::PathBuf, process::ExitCode};

use spil_changefeed::{Checkpoint, Store, StoreConfig, Verified};
use spil_proto::model::Owner;

use super::{Outcome, say};
use crate::config::Config;

/// What to do with the change logs. They are read from the databases that the settings name.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Prints where each log stands: to be kept where nobody who can write to the databases can write.
    Head(HeadArgs),
    /// Checks that no revision was altered, left out, put in or moved. Ends with 1 if one was.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct HeadArgs {
    /// Only the log of this owner; may be given several times
    #[arg(long, value_name = "OWNER", value_parser = owner)]
    owner: Vec<Owner>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Only the log of this owner; may be given several times
    #[arg(long, value_name = "OWNER", value_parser = owner)]
    owner: Vec<Owner>,
    /// Begins after this revision, which must be what it was: `workforce:1204:` and the hash. May be given once for each owner
    #[arg(long, value_name = "CHECKPOINT")]
    since: Vec<Checkpoint>,
    /// The log must hold this revision, as `spil audit head` printed it at some time; may be given several times
    #[arg(long, value_name = "CHECKPOINT")]
    head: Vec<Checkpoint>,
}

/// Why the logs were not looked at.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    #[error("`roles` has no owner whose log could be read here")]
    NoOwner,
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    #[error("the database of the {} owner is of an older version; run `spil migrate` first", .0.name())]
    Outdated(Owner),
    #[error("`--since` is given twice for the {} owner", .0.name())]
    Twice(Owner),
    #[error("a checkpoint is given for the {} owner, whose log is not looked at", .0.name())]
    Elsewhere(Owner),
}

pub(super) async fn run(config: &Config, command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Head(args) => {
            for owner in owners(config, &args.owner)? {
                let store = open(config, owner).await?;
                let head = store.chain_head().await;
                store.close().await;
                match head? {
                    Some(head) => say(&format!("{head}\n"))?,
                    None => say(&format!("# {}: nothing is chained yet\n", owner.name()))?,
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Verify(args) => verify(config, args).await,
    }
}

async fn verify(config: &Config, args: &VerifyArgs) -> Outcome {
    let owners = owners(config, &args.owner)?;
    if let Some(stray) = args.since.iter().chain(&args.head).find(|given| !owners.contains(&given.owner)) {
        return Err(AuditError::Elsewhere(stray.owner).into());
    }
    let mut is_whole = true;
    for owner in owners {
        let mut since = args.since.iter().filter(|since| since.owner == owner);
        let from = since.next();
        if since.next().is_some() {
            return Err(AuditError::Twice(owner).into());
        }
        let store = open(config, owner).await?;
        let verified = store.verify_log(from, &args.head).await;
        store.close().await;
        let verified = verified?;
        is_whole &= verified.fault.is_none();
        say(&format!("{}\n", told(&verified)))?;
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was found, in words.
fn told(verified: &Verified) -> String {
    let mut text = format!("{}: ", verified.owner.name());
    if let Some(fault) = &verified.fault {
        text.push_str(&format!("BROKEN: {fault}"));
        if let Some(head) = &verified.head {
            text.push_str(&format!("; it is whole up to {head}"));
        }
        return text;
    }
    match &verified.head {
        Some(head) => text.push_str(&format!(
            "{} revisions from {} to {} are whole; {head}",
            verified.count, verified.first, head.revision
        )),
        None => text.push_str("there is nothing to check"),
    }
    if verified.trimmed > 0 {
        text.push_str(&format!("; what came up to {} was trimmed", verified.trimmed));
    }
    if verified.unchained > 0 {
        text.push_str(&format!("; up to {} revisions were not chained yet", verified.unchained));
    }
    text
}

/// The owners whose logs are meant.
fn owners(config: &Config, named: &[Owner]) -> Result<Vec<Owner>, AuditError> {
    let is_meant = |owner: &Owner| if named.is_empty() { config.is_local(*owner) } else { named.contains(owner) };
    let owners: Vec<Owner> = Owner::ALL.into_iter().filter(is_meant).collect();
    if owners.is_empty() { Err(AuditError::NoOwner) } else { Ok(owners) }
}

/// Opens a database that is there and up to date.
async fn open(config: &Config, owner: Owner) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
    if config.is_embedded() {
        let file = config.data_folder().join(format!("{}.db", owner.name()));
        if !tokio::fs::try_exists(&file).await? {
            return Err(AuditError::NoDatabase(file).into());
        }
    }
    let store =
        spil_changefeed::open(&StoreConfig { owner, url: config.database_url(owner), max_connections: 2 }).await?;
    if !store.pending_migrations().await?.is_empty() {
        store.close().await;
        return Err(AuditError::Outdated(owner).into());
    }
    Ok(store)
}

fn owner(name: &str) -> Result<Owner, String> {
    Owner::ALL
        .into_iter()
        .find(|owner| owner.name() == name)
        .ok_or_else(|| format!("an owner is one of {}", Owner::ALL.map(Owner::name).join(", ")))
}
