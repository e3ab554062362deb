//! `spil subject rekey`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use spil_changefeed::{PersonalKey, Rekeyed, StoreConfig, needs_personal_key};
use spil_proto::model::Owner;

use super::{Outcome, say};
use crate::config::Config;

/// How the personal key is changed.
#[derive(Debug, clap::Args)]
pub(crate) struct RekeyArgs {
    /// The file of the new personal key; made, for its owner alone to read, where it is not there
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Why the key was not changed.
#[derive(Debug, thiserror::Error)]
enum RekeyError {
    #[error("{} is the personal key already (setting `personal_key`): name another file", path.display())]
    SameFile { path: PathBuf },
    #[error("the key {} was made by a development run: name a file that is not there, and a new one is made", path.display())]
    Development { path: PathBuf },
    #[error("there is no database of the owner `{owner}` at {}", path.display())]
    NoDatabase { owner: &'static str, path: PathBuf },
    #[error("the database of the owner `{owner}` lacks {}: run `spil migrate` first", migrations.join(", "))]
    Pending { owner: &'static str, migrations: Vec<String> },
}

/// Seals the keys of people with another personal key, in the databases that the settings name. No owner may run meanwhile.
pub(super) async fn run(config: &Config, args: &RekeyArgs) -> Outcome {
    let from = config.personal_key_file();
    if is_same(&from, &args.to) {
        return Err(RekeyError::SameFile { path: from }.into());
    }
    let old = PersonalKey::read(&from)?;
    let mut stores = Vec::new();
    for owner in Owner::ALL.into_iter().filter(|owner| needs_personal_key(*owner)) {
        let path = config.data_folder().join(format!("{}.db", owner.name()));
        if config.is_embedded() && !path.exists() {
            return Err(RekeyError::NoDatabase { owner: owner.name(), path }.into());
        }
        let url = config.database_url(owner);
        let store =
            spil_changefeed::open(&StoreConfig { owner, url, max_connections: config.database_connections }).await?;
        let migrations = store.pending_migrations().await?;
        if !migrations.is_empty() {
            return Err(RekeyError::Pending { owner: owner.name(), migrations }.into());
        }
        stores.push(store);
    }
    // On the disk before anything is sealed with it.
    let new = PersonalKey::create_or_read(&args.to, false)?;
    if new.is_development() {
        return Err(RekeyError::Development { path: args.to.clone() }.into());
    }
    let to = args.to.display();
    for store in stores {
        let owner = store.owner().name();
        let rekeyed = store.rekey(&old, &new).await;
        store.close().await;
        say(&match rekeyed? {
            Rekeyed::Done(people) => format!("{owner}: the keys of {people} people are sealed with {to}\n"),
            Rekeyed::Before => format!("{owner}: sealed with {to} already\n"),
            Rekeyed::Nothing => format!("{owner}: nothing is sealed yet\n"),
        })?;
    }
    say(&format!(
        "set `personal_key` to {to} before the owners start; keep {} as long as backups from before\n",
        from.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
