//! What can go wrong with the database.

use sea_orm::{DbErr, RuntimeErr, sqlx};
use spil_migrations::MigrateError;

/// The database can not do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is of no database that is supported.
    #[error("the database URL must begin with `postgres://` or `sqlite://`")]
    Url,
    /// The folder of the database file could not be made.
    #[error("the folder of the database file could not be made")]
    Folder(#[source] std::io::Error),
    /// The database file could not be made.
    #[error("the database file could not be made")]
    File(#[source] std::io::Error),
    /// The database can not be reached now.
    #[error("the database can not be reached")]
    Unreachable(#[source] DbErr),
    /// Other work is in the way; trying again helps.
    #[error("other work on the database is in the way")]
    Contended(#[source] DbErr),
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Refused(#[source] DbErr),
    /// A row holds what this version can not read.
    #[error("`{table}.{column}` holds a value that can not be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The personal key is needed and was not given.
    #[error("the database holds personal data, which need the personal key")]
    Locked,
    /// The personal key is another one than that with which the database was sealed.
    #[error("the personal key is not the one with which the database was sealed")]
    PersonalKey,
    /// The database could not be migrated.
    #[error("the database could not be migrated")]
    Migrate(#[from] MigrateError),
    /// Too much is to be redacted at once.
    #[error("at most 1,000 texts of at most 4 KiB are redacted at once")]
    Texts,
    /// Too many streams are being read at once.
    #[error("too many snapshots are being read")]
    Crowded,
}

impl StoreError {
    /// Whether trying the whole transaction again may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, StoreError::Contended(_) | StoreError::Unreachable(_))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let source = match &error {
            DbErr::ConnectionAcquire(_) => return StoreError::Unreachable(error),
            DbErr::Conn(RuntimeErr::SqlxError(source))
            | DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => source.as_ref(),
            _ => return StoreError::Refused(error),
        };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::Unreachable(error),
            sqlx::Error::Database(fault) => {
                let code = fault.code().unwrap_or_default();
                if fault.is_unique_violation() || is_contention(&code) {
                    StoreError::Contended(error)
                } else if is_outage(&code) {
                    StoreError::Unreachable(error)
                } else {
                    StoreError::Refused(error)
                }
            }
            _ => StoreError::Refused(error),
        }
    }
}

/// PostgreSQL: serialization failure, deadlock, lock not available. SQLite (primary and extended codes): busy, locked.
fn is_contention(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517" | "262")
}

/// PostgreSQL: connection failures, too many connections, the server stops or starts.
fn is_outage(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "53300" | "57P01" | "57P02" | "57P03" | "25P03")
}
