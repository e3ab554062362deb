//! `spil token`

use std::{process::ExitCode, time::Duration};

use clap::builder::ArgPredicate;
use serde_json::Map;
use spil_auth::{InternalKey, Permission, Signer};

use super::{Outcome, complain, say};
use crate::config::{Config, Profile};

/// What a token says.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// Whom the token names; the actor of every change made with it.
    #[arg(long, default_value = "developer")]
    subject: String,
    /// What its bearer may do, separated by commas: read, write, admin, personal, audit, follow. With a worker the default is nothing but what
    /// that worker may.
    #[arg(
        long,
        visible_alias = "scope",
        default_value = "read,write",
        default_value_if("worker", ArgPredicate::IsPresent, None),
        value_delimiter = ','
    )]
    permissions: Vec<Permission>,
    /// The key of the worker that the bearer is.
    #[arg(long, value_name = "KEY")]
    worker: Option<String>,
    /// How many hours it lasts.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=8760))]
    hours: u64,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("`profile` is `production`, where development tokens are not taken: ask the issuer for one")]
struct InProduction;

pub(super) async fn run(config: &Config, args: &TokenArgs) -> Outcome {
    if config.profile == Profile::Production {
        return Err(InProduction.into());
    }
    tokio::fs::create_dir_all(config.data_folder()).await?;
    if !config.key_file().exists() {
        complain(&format!(
            "spil: made a new key in {}; only processes that use this file take its tokens",
            config.key_file().display()
        ));
    }
    let signer = Signer::new(&InternalKey::read_or_create(&config.key_file())?)?;
    let mut claims = Map::new();
    if let Some(worker) = &args.worker {
        claims.insert("worker".to_owned(), worker.as_str().into());
    }
    let lifetime = Duration::from_secs(args.hours * 3600);
    let token = signer.sign_with(&args.subject, &args.permissions, claims, lifetime)?;
    say(&format!("{token}\n"))?;
    Ok(ExitCode::SUCCESS)
}
