//! Batches that were answered already.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{Store, StoreError, row, seal::SEALED};

pub(super) const TABLE: &str = "idempotency";
/// How long an answer is kept: a day and an hour.
const KEEP_MICROS: i64 = 25 * 3600 * 1_000_000;
/// How many answers are deleted at once.
const PURGE: u64 = 500;

/// Who sent which batch.
#[derive(Clone, Debug)]
pub(crate) struct BatchKey {
    pub(crate) actor: String,
    pub(crate) key: String,
    /// Of the whole request. Of one with values that are only written it is made with a salt, when the batch is tried.
    pub(crate) body_hash: [u8; 16],
}

/// An answer that was given before.
pub(super) struct Answer {
    pub(super) body_hash: Vec<u8>,
    pub(super) response: Vec<u8>,
    /// What is sealed of the response.
    pub(super) sealed: Vec<u8>,
}

pub(super) async fn find(transaction: &DatabaseTransaction, key: &BatchKey) -> Result<Option<Answer>, StoreError> {
    let statement = Query::select()
        .columns(["body_hash", "response", SEALED])
        .from(TABLE)
        .and_where(Expr::col("actor").eq(key.actor.as_str()))
        .and_where(Expr::col("key").eq(key.key.as_str()))
        .to_owned();
    match transaction.query_one(&statement).await? {
        None => Ok(None),
        Some(row) => Ok(Some(Answer {
            body_hash: row.try_get_by_index(0)?,
            response: row.try_get_by_index(1)?,
            sealed: row.try_get_by_index::<Option<Vec<u8>>>(2)?.unwrap_or_default(),
        })),
    }
}

pub(super) async fn keep(
    transaction: &DatabaseTransaction,
    store: &Store,
    key: &BatchKey,
    response: Vec<u8>,
    sealed: Vec<u8>,
    now: i64,
) -> Result<(), StoreError> {
    let mut statement = Query::insert();
    statement.into_table(TABLE).columns(["actor", "key", "body_hash", "response", SEALED, "created_at"]);
    statement.values_panic([
        key.actor.as_str().into(),
        key.key.as_str().into(),
        key.body_hash.to_vec().into(),
        response.into(),
        sealed.into(),
        row::time(now, store.inner.dialect).into(),
    ]);
    transaction.execute(&statement).await?;
    Ok(())
}

impl Store {
    /// Deletes answers that are older than a day, in bounded pieces. Answers with how many there were.
    ///
    /// # Errors
    /// If the database can not be reached or refuses.
    pub async fn purge_answers(&self, now: i64) -> Result<u64, StoreError> {
        let old = || {
            let before = row::time(now.saturating_sub(KEEP_MICROS), self.inner.dialect);
            Expr::col("created_at").lt(Expr::value(before))
        };
        let columns = ["actor", "key"];
        let mut deleted = 0;
        loop {
            let piece = Query::select().columns(columns).from(TABLE).and_where(old()).limit(PURGE).to_owned();
            let statement = Query::delete()
                .from_table(TABLE)
                .and_where(Expr::tuple(columns.map(Expr::col)).in_subquery(piece))
                .to_owned();
            let transaction = self.begin(false).await?;
            let rows = transaction.execute(&statement).await?.rows_affected();
            transaction.commit().await?;
            deleted += rows;
            if rows < PURGE {
                return Ok(deleted);
            }
        }
    }
}
