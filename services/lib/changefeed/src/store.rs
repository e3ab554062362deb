//! The database of an owner. This is the only place that knows SQL, sea-orm and sqlx.

mod apply;
mod attachment;
mod audit;
mod chain;
mod connect;
mod digest;
mod doorbell;
mod erase;
mod error;
mod external_id;
mod head;
mod idempotency;
mod load;
mod log;
mod mentions;
mod names;
mod one_way;
mod read_log;
mod redact;
mod retention;
mod row;
mod seal;
mod snapshot;
mod statement;
mod tables;
mod write;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, IsolationLevel, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use spil_proto::model::Owner;
use tokio::sync::Semaphore;

pub(crate) use apply::{Attempt, AttemptError, Batch};
pub(crate) use audit::{Asked, AuditPage};
pub use chain::{Fault, Verified};
pub use connect::{StoreConfig, open};
use doorbell::Doorbell;
pub(crate) use erase::{Erased, Erasure};
pub use error::StoreError;
pub(crate) use head::Head;
pub(crate) use idempotency::BatchKey;
pub(crate) use log::Page;
pub(crate) use names::MAX_NAMES;
pub(crate) use read_log::NewRead;
pub(crate) use redact::MAX_TEXTS;
pub use redact::{Redacted, Redaction};
pub use seal::{Rekeyed, needs_personal_key};
pub(crate) use snapshot::{SnapshotReader, Stored};
pub use tables::{Difference, Tables, Wrong};

/// The database of an owner. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    owner: Owner,
    dialect: Dialect,
    url: String,
    /// On SQLite one connection: there is one writer at a time. On PostgreSQL the same as `reader`.
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    doorbell: Doorbell,
    /// The keys, once they were given.
    vault: OnceLock<seal::Vault>,
    /// Snapshots and digests hold a connection for long; they may take half of them.
    long_reads: Arc<Semaphore>,
    /// When answered batches were last looked through for old ones: microseconds since 1970.
    purged_at: AtomicI64,
}

/// Which SQL the database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Postgres,
    Sqlite,
}

impl Store {
    /// Whose database it is.
    pub fn owner(&self) -> Owner {
        self.inner.owner
    }

    /// Brings the database up to date. Safe when several do it at once.
    ///
    /// # Errors
    /// If the database can not be reached, refuses a statement, or another migration does not finish.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        match inner.dialect {
            Dialect::Sqlite => spil_migrations::migrate(&inner.writer, inner.owner).await?,
            Dialect::Postgres => {
                // Of its own: a migration may take longer than any statement of the service is allowed to.
                let db = connect::postgres_migrator(&inner.url, inner.owner).await?;
                let migrated = spil_migrations::migrate(&db, inner.owner).await;
                db.close().await.map_err(StoreError::from)?;
                migrated?;
            }
        }
        Ok(())
    }

    /// The names of the migrations that the database lacks, oldest first.
    ///
    /// # Errors
    /// If the database can not be reached or refuses a statement.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        Ok(spil_migrations::pending(&self.inner.reader, self.inner.owner).await?)
    }

    /// Closes the connections once those who use them are done. Other clones are of no use afterwards.
    pub async fn close(self) {
        self.inner.doorbell.stop();
        for connection in [&self.inner.reader, &self.inner.writer] {
            if let Err(error) = connection.clone().close().await {
                tracing::debug!(%error, owner = self.inner.owner.name(), "a connection could not be closed");
            }
        }
    }

    /// Begins a transaction that writes; `dry` ones write nothing and wait for nobody.
    async fn begin(&self, dry: bool) -> Result<DatabaseTransaction, StoreError> {
        let inner = &self.inner;
        Ok(match inner.dialect {
            Dialect::Postgres => inner.writer.begin().await?,
            Dialect::Sqlite if dry => inner.reader.begin().await?,
            Dialect::Sqlite => {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..TransactionOptions::default()
                };
                inner.writer.begin_with_options(options).await?
            }
        })
    }

    /// Begins a transaction in which every read sees the same state.
    async fn begin_read(&self) -> Result<DatabaseTransaction, StoreError> {
        let inner = &self.inner;
        Ok(match inner.dialect {
            Dialect::Postgres => {
                let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
                inner.reader.begin_with_config(Some(isolation), Some(access)).await?
            }
            Dialect::Sqlite => inner.reader.begin().await?,
        })
    }

    /// Deletes the answers to batches older than a day, and entries of the read log that are kept no longer, in the background and now and then.
    pub(crate) fn purge_now_and_then(&self, now: i64) {
        const PAUSE: Duration = Duration::from_secs(600);
        let last = self.inner.purged_at.load(Ordering::Relaxed);
        let pause = i64::try_from(PAUSE.as_micros()).unwrap_or(i64::MAX);
        if now.saturating_sub(last) < pause
            || self.inner.purged_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.trim_read_log(now).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old entries of the read log were not deleted"
                );
            }
            if let Err(error) = store.purge_answers(now).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "old answers could not be deleted");
            }
        });
    }
}
