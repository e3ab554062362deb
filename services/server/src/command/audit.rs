//! `spil audit`

use std::{path::PathBuf, process::ExitCode};

use spil_changefeed::{Checkpoint, Difference, Fault, Store, StoreConfig, Tables, Verified, Wrong};
use spil_proto::model::Owner;

use super::{Outcome, say};
use crate::config::Config;

/// What to do with the change logs. They are read from the databases that the settings name.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Prints where each log stands: to be kept where nobody who can write to the databases can write.
    Head(HeadArgs),
    /// Checks that no revision was altered, left out, put in or moved, and that every record is what the log says.
    ///
    /// Read as of one moment, record by record; no key is needed. What is proven of the log is proven against the heads given with `--head` and `--since`;
    /// without one, that the log fits together. A trimmed log must say itself that it was trimmed, and a revision that is not as it was first written
    /// must be as a later one says that it was redacted. Of what is sealed the sealed bytes are compared. Not compared are who set which field,
    /// the names by which sealed records are found, and records that only a trimmed or unchained part of the log tells of: these are counted.
    ///
    /// Ends with 0 if all is whole; 1 if the log is broken or could not be read; 3 if the log is whole and a record is not what it says;
    /// 4 if links were taken away from revisions that had one.
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
    let mut worst = Found::Whole;
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
        worst = worst.max(Found::of(&verified));
        say(&format!("{}\n", told(&verified)))?;
    }
    Ok(worst.status())
}

/// What was found, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Whole,
    /// The log is, and records are not what it says.
    Differing,
    /// Links of the log were taken away.
    Unchained,
    Broken,
}

impl Found {
    fn of(verified: &Verified) -> Self {
        match (&verified.fault, &verified.tables) {
            (Some(Fault::Unchained(_)), _) => Found::Unchained,
            (Some(_), _) => Found::Broken,
            (None, Some(tables)) if tables.differing > 0 => Found::Differing,
            (None, _) => Found::Whole,
        }
    }

    fn status(self) -> ExitCode {
        match self {
            Found::Whole => ExitCode::SUCCESS,
            Found::Broken => ExitCode::FAILURE,
            Found::Differing => ExitCode::from(3),
            Found::Unchained => ExitCode::from(4),
        }
    }
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
    if verified.redacted > 0 {
        text.push_str(&format!("; {} of them were redacted since", verified.redacted));
    }
    if let Some(tables) = &verified.tables {
        text.push_str(&told_of_tables(tables));
    }
    text
}

/// What was found of the records, in words; no value is told.
fn told_of_tables(tables: &Tables) -> String {
    let mut text = format!("; {} records are what the log says", tables.proven);
    if tables.unproven > 0 {
        text.push_str(&format!(", of {} it does not tell any more", tables.unproven));
    }
    if tables.differing > 0 {
        text.push_str(&format!("; DIFFERING: {} records are not", tables.differing));
        for Difference { kind, id, how } in &tables.named {
            let how = match how {
                Wrong::Altered => "was altered",
                Wrong::Gone => "is gone",
                Wrong::Unlogged => "was never logged",
            };
            text.push_str(&format!("\n  {} {id} {how}", kind.info().name));
        }
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
