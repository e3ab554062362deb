//! Opens the database.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::Duration,
};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, sqlx::sqlite};
use spil_proto::model::Owner;
use tokio::sync::Semaphore;

use super::{Dialect, Inner, Store, StoreError, doorbell::Doorbell};

/// How long to wait for a free connection.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for a lock of another transaction.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// How long one statement may take.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(60);
/// The most statements that a connection keeps prepared. Statements come in few sizes, so that this is enough.
const PREPARED: usize = 200;

/// Where the database of an owner is. `Debug` does not show the URL, in which a password may be.
#[derive(Clone)]
pub struct StoreConfig {
    /// Whose database.
    pub owner: Owner,
    /// `sqlite:///folder/capability.db`, a file that is made if it is not there, or `postgres://user@host/database`, in which
    /// the owner uses the schema of its own name.
    pub url: String,
    /// The most connections, at least 2.
    pub max_connections: u32,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("owner", &self.owner)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// Opens the database of an owner. It is not migrated.
///
/// # Errors
/// If the URL is of no known kind, the file can not be made, or the database can not be reached.
pub async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
    let connections = config.max_connections.max(2);
    let (dialect, writer, reader) = if config.url.starts_with("sqlite:") {
        make_file(&config.url)?;
        let writer = Database::connect(sqlite_options(&config.url, 1)).await?;
        let reader = Database::connect(sqlite_options(&config.url, connections)).await?;
        (Dialect::Sqlite, writer, reader)
    } else if config.url.starts_with("postgres://") {
        let mut options = postgres_options(&config.url, config.owner, connections);
        options.map_sqlx_postgres_opts(|options| {
            options.statement_cache_capacity(PREPARED).options(
                [("lock_timeout", LOCK_PATIENCE), ("statement_timeout", STATEMENT_PATIENCE)]
                    .map(|(name, limit)| (name, limit.as_millis().to_string())),
            )
        });
        let pool = Database::connect(options).await?;
        (Dialect::Postgres, pool.clone(), pool)
    } else {
        return Err(StoreError::Url);
    };
    let long_reads = usize::try_from(connections / 2).unwrap_or(1).max(1);
    Ok(Store {
        inner: Arc::new(Inner {
            owner: config.owner,
            dialect,
            url: config.url.clone(),
            writer,
            doorbell: Doorbell::new(config.owner, dialect, &config.url, reader.clone()),
            reader,
            vault: OnceLock::new(),
            long_reads: Arc::new(Semaphore::new(long_reads)),
            purged_at: AtomicI64::new(0),
        }),
    })
}

/// A connection to migrate with: without the limits of the service.
pub(super) async fn postgres_migrator(url: &str, owner: Owner) -> Result<DatabaseConnection, StoreError> {
    Ok(Database::connect(postgres_options(url, owner, 1)).await?)
}

fn postgres_options(url: &str, owner: Owner, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_PATIENCE)
        .sqlx_logging(false)
        .set_application_name(format!("spil-{}", owner.name()))
        .set_schema_search_path(owner.name());
    options
}

fn sqlite_options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_PATIENCE)
        .sqlx_logging(false)
        // The file does not go away: no need to ask before each use.
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(|options| {
            options
                .create_if_missing(true)
                .journal_mode(sqlite::SqliteJournalMode::Wal)
                // What is acknowledged survives a power cut.
                .synchronous(sqlite::SqliteSynchronous::Full)
                .foreign_keys(false)
                .busy_timeout(LOCK_PATIENCE)
                .statement_cache_capacity(PREPARED)
                .pragma("cache_size", "-32768")
                // What was deleted is not left in the file.
                .pragma("secure_delete", "ON")
        });
    options
}

/// Makes the file where it is not there, readable by its owner alone; what the database puts beside it is as private as the file.
fn make_file(url: &str) -> Result<(), StoreError> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = Path::new(path.split('?').next().unwrap_or_default());
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::create_dir_all(folder).map_err(StoreError::Folder)?,
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::File(error)),
        _ => Ok(()),
    }
}
