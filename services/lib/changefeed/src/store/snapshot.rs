//! Reads every live record as of one revision.

use std::collections::VecDeque;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::{
    changefeed::v1::{Provenance, Record},
    model::Kind,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    Store, StoreError,
    head::{self, Head},
    row,
};

/// How many records are read at once.
const PAGE: u64 = 500;
/// How long to wait for a turn.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A live record, and who set its fields as far as that was kept.
pub(crate) type Stored = (Record, Option<Provenance>);

/// A read that sees one state of the database, whatever is written meanwhile. It holds a connection.
pub(crate) struct SnapshotReader {
    store: Store,
    transaction: DatabaseTransaction,
    head: Head,
    kinds: VecDeque<Kind>,
    after: Option<Uuid>,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Begins to read the live records of some kinds.
    pub(crate) async fn read_snapshot(&self, kinds: Vec<Kind>) -> Result<SnapshotReader, StoreError> {
        let turn = tokio::time::timeout(PATIENCE, self.inner.long_reads.clone().acquire_owned())
            .await
            .map_err(|_| StoreError::Crowded)?
            .map_err(|_| StoreError::Crowded)?;
        let transaction = self.begin_read().await?;
        let head = head::read(&transaction).await?;
        Ok(SnapshotReader { store: self.clone(), transaction, head, kinds: kinds.into(), after: None, _turn: turn })
    }
}

impl SnapshotReader {
    /// The state that is read.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// How many records there are, of the kinds not yet read.
    pub(crate) async fn count(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        for kind in &self.kinds {
            let statement = Query::select()
                .expr(Expr::col("id").count())
                .from(kind.info().table)
                .and_where(Expr::col("retired_at").is_null())
                .to_owned();
            if let Some(row) = self.transaction.query_one(&statement).await? {
                total += u64::try_from(row.try_get_by_index::<i64>(0)?).unwrap_or_default();
            }
        }
        Ok(total)
    }

    /// Some more records of one kind, by id; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<(Kind, Vec<Stored>)>, StoreError> {
        while let Some(&kind) = self.kinds.front() {
            let mut statement = row::select(kind);
            statement.and_where(Expr::col("retired_at").is_null()).order_by("id", Order::Asc).limit(PAGE);
            if let Some(after) = self.after {
                statement.and_where(Expr::col("id").gt(after));
            }
            let rows = self.transaction.query_all(&statement).await?;
            let records = self.store.read_rows(&self.transaction, kind, &rows).await?;
            if (records.len() as u64) < PAGE {
                self.kinds.pop_front();
                self.after = None;
            } else {
                self.after = records.last().and_then(|(record, _)| record.id());
            }
            if !records.is_empty() {
                return Ok(Some((kind, records)));
            }
        }
        Ok(None)
    }
}
