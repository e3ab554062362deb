//! `spil migrate`

use std::process::ExitCode;

use spil_changefeed::StoreConfig;
use spil_proto::model::Owner;

use super::{Outcome, say};
use crate::config::Config;

pub(super) async fn run(config: &Config) -> Outcome {
    tokio::fs::create_dir_all(config.data_folder()).await?;
    for owner in Owner::ALL.into_iter().filter(|owner| config.is_local(*owner)) {
        let store =
            spil_changefeed::open(&StoreConfig { owner, url: config.database_url(owner), max_connections: 2 }).await?;
        let pending = store.pending_migrations().await?;
        store.migrate().await?;
        store.close().await;
        let text = match pending.len() {
            0 => "is up to date".to_owned(),
            1 => "took 1 migration".to_owned(),
            count => format!("took {count} migrations"),
        };
        say(&format!("{} {text}\n", owner.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}
