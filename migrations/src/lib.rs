//! Database migrations of the owners.
//!
//! One module for each owner and one file for each migration, named by date and verb. A migration that was ever released is
//! not edited: columns are written out in it and do not follow the model. A new kind is one new file and one line in the
//! list of its owner.

mod capability;
mod changefeed;
mod initiative;
mod record_table;
mod workforce;

use std::{collections::HashSet, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
    sea_query::{Asterisk, Query},
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};
use spil_proto::model::Owner;
use tokio::time::Instant;

use crate::{capability::CapabilityMigrator, initiative::InitiativeMigrator, workforce::WorkforceMigrator};

/// How long to wait for another migrator of the same owner.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two tries for the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Where the names of the migrations that were applied stand.
const APPLIED: &str = "seaql_migrations";

/// Why a database could not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database refused a statement or could not be reached.
    #[error("the database of the {owner} owner could not be migrated")]
    Database {
        /// Whose database.
        owner: &'static str,
        /// What the database says.
        #[source]
        source: DbErr,
    },
    /// Another migrator holds the lock and does not finish.
    #[error("another migration of the {owner} owner did not finish within {} s", LOCK_PATIENCE.as_secs())]
    Locked {
        /// Whose database.
        owner: &'static str,
    },
}

/// Brings the database of an owner up to date: on PostgreSQL the schema named like the owner, which is made if it is not
/// there; on SQLite the whole file. All of it or nothing. Several may start at once: one works, the others wait and then
/// find nothing to do.
///
/// On PostgreSQL the connections must have the owner's schema first in their search path.
///
/// # Errors
/// If the database can not be reached, refuses a statement, or another migrator keeps the lock for two minutes.
pub async fn migrate(db: &DatabaseConnection, owner: Owner) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::Database { owner: owner.name(), source };
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await.map_err(failed)?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        lock(&transaction, owner).await?;
        let schema = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", owner.name());
        transaction.execute_unprepared(&schema).await.map_err(failed)?;
    }
    match owner {
        Owner::Capability => CapabilityMigrator::up(&transaction, None).await,
        Owner::Workforce => WorkforceMigrator::up(&transaction, None).await,
        Owner::Initiative => InitiativeMigrator::up(&transaction, None).await,
    }
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// The names of the migrations that the database of an owner lacks, oldest first. Writes nothing. Migrations that a later
/// version has applied are no matter: an older version keeps working while the new one is rolled out.
///
/// # Errors
/// If the database can not be reached or refuses a statement.
pub async fn pending(db: &DatabaseConnection, owner: Owner) -> Result<Vec<String>, MigrateError> {
    let failed = |source| MigrateError::Database { owner: owner.name(), source };
    let applied = applied(db).await.map_err(failed)?;
    Ok(migrations(owner)
        .iter()
        .map(|migration| migration.name().to_owned())
        .filter(|name| !applied.contains(name))
        .collect())
}

fn migrations(owner: Owner) -> Vec<Box<dyn MigrationTrait>> {
    match owner {
        Owner::Capability => CapabilityMigrator::migrations(),
        Owner::Workforce => WorkforceMigrator::migrations(),
        Owner::Initiative => InitiativeMigrator::migrations(),
    }
}

async fn applied(db: &DatabaseConnection) -> Result<HashSet<String>, DbErr> {
    if !SchemaManager::new(db).has_table(APPLIED).await? {
        return Ok(HashSet::new());
    }
    let statement = Query::select().column(Asterisk).from(APPLIED).to_owned();
    db.query_all(&statement).await?.iter().map(|row| row.try_get("", "version")).collect()
}

/// Tries for a lock that lasts until the transaction ends. Trying instead of waiting: a statement that waits holds a
/// snapshot for as long, and what is done under the lock can not wait for snapshots then.
async fn lock(transaction: &DatabaseTransaction, owner: Owner) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::Database { owner: owner.name(), source };
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        let statement = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
            [format!("spil migration {}", owner.name()).into()],
        );
        let row = transaction.query_one_raw(statement).await.map_err(failed)?;
        if row.map_or(Ok(false), |row| row.try_get_by_index::<bool>(0)).map_err(failed)? {
            return Ok(());
        }
        if Instant::now() >= give_up {
            return Err(MigrateError::Locked { owner: owner.name() });
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}
