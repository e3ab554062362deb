//! The one row that says where the change log stands.

use std::num::NonZeroU64;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Query},
};
use spil_proto::changefeed::v1::Cursor;
use uuid::Uuid;

use super::{Store, StoreError, chain};
use crate::chain::Chain;

const TABLE: &str = "change_head";
const COLUMNS: [&str; 6] = ["store_id", "epoch", "revision", "mark", "trimmed_through", "chained_from"];

/// Where the change log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) store_id: Uuid,
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    /// The mark of that revision; 0 before the first.
    pub(crate) mark: u64,
    /// The last revision whose changes are no longer kept.
    pub(crate) trimmed_through: u64,
    /// The first revision that has a link, or will have.
    pub(crate) chained_from: u64,
}

impl Head {
    /// The place of the last revision.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            store_id: self.store_id.as_bytes().to_vec(),
            epoch: self.epoch,
            revision: self.revision,
            mark: self.mark,
        }
    }

    /// Whether a place, by its numbers, is in what is kept of this log. Its mark must be looked at too.
    fn spans(&self, cursor: &Cursor) -> bool {
        cursor.store_id == self.store_id.as_bytes()
            && cursor.epoch == self.epoch
            && (self.trimmed_through..=self.revision).contains(&cursor.revision)
    }

    /// Whether this is no later state of the log in which the other was seen before: a backup was restored.
    pub(super) fn is_rewound_from(&self, earlier: &Head) -> bool {
        self.same_log(earlier)
            && (self.revision < earlier.revision || (self.revision == earlier.revision && self.mark != earlier.mark))
    }

    /// Whether it is of the same log as another.
    pub(crate) fn same_log(&self, other: &Head) -> bool {
        (self.store_id, self.epoch) == (other.store_id, other.epoch)
    }

    fn from_row(row: &QueryResult) -> Result<Self, StoreError> {
        let number = |index: usize, column: &'static str| {
            let number: i64 = row.try_get_by_index(index)?;
            u64::try_from(number).map_err(|_| StoreError::Unreadable { table: TABLE, column })
        };
        Ok(Self {
            store_id: row.try_get_by_index(0)?,
            epoch: number(1, "epoch")?,
            revision: number(2, "revision")?,
            mark: mark_of(row.try_get_by_index(3)?),
            trimmed_through: number(4, "trimmed_through")?,
            chained_from: number(5, "chained_from")?,
        })
    }
}

impl Store {
    /// Where the change log stands.
    pub(crate) async fn head(&self) -> Result<Head, StoreError> {
        read(&self.inner.reader).await
    }

    /// Where the change log stands, if the changes after a cursor can be had from it: the cursor names a revision that is
    /// kept, and that very one, not another of the same number. A restored backup gives numbers again, but not marks.
    pub(crate) async fn head_after(&self, cursor: &Cursor) -> Result<Option<Head>, StoreError> {
        let head = self.head().await?;
        if !head.spans(cursor) {
            return Ok(None);
        }
        let mark = if cursor.revision == head.revision {
            Some(head.mark)
        } else {
            self.mark_of_revision(cursor.revision).await?
        };
        Ok((mark == Some(cursor.mark)).then_some(head))
    }
}

/// The mark in a column. SQL knows no unsigned numbers; the bits are the same.
pub(super) fn mark_of(column: i64) -> u64 {
    column.cast_unsigned()
}

/// A mark as the value of a column.
pub(super) fn mark_column(mark: u64) -> i64 {
    mark.cast_signed()
}

/// Reads the head.
pub(super) async fn read<C: ConnectionTrait>(db: &C) -> Result<Head, StoreError> {
    let statement = Query::select().columns(COLUMNS).from(TABLE).to_owned();
    one(db.query_one(&statement).await?)
}

/// Takes the next revision and marks it. From here to the commit nobody else can: revisions are committed in their order. Answers with the
/// link of the chain that the revision is to hang on.
pub(super) async fn advance(transaction: &DatabaseTransaction, mark: NonZeroU64) -> Result<(Head, Chain), StoreError> {
    let statement = Query::update()
        .table(TABLE)
        .value("revision", Expr::col("revision").add(1))
        .value("mark", mark_column(mark.get()))
        .returning(Query::returning().columns(COLUMNS))
        .to_owned();
    let head = one(transaction.query_one(&statement).await?)?;
    // A statement of its own: one that has waited for the row still sees the log as it was before it waited.
    let previous = chain::previous(transaction, &head).await?;
    Ok((head, previous))
}

/// Reads the head and holds it until the commit, so that no writer moves on meanwhile.
pub(super) async fn hold(transaction: &DatabaseTransaction) -> Result<Head, StoreError> {
    let hold = Query::update().table(TABLE).value("revision", Expr::col("revision")).to_owned();
    transaction.execute(&hold).await?;
    // A statement of its own: one that has waited for the row may see it as it was.
    read(transaction).await
}

/// Says that changes up to a revision are no longer kept. The revision of the head must carry the attachment that says so.
pub(super) async fn trim(transaction: &DatabaseTransaction, through: u64) -> Result<(), StoreError> {
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    let statement = Query::update().table(TABLE).value("trimmed_through", through).to_owned();
    transaction.execute(&statement).await?;
    Ok(())
}

fn one(row: Option<QueryResult>) -> Result<Head, StoreError> {
    match row {
        Some(row) => Head::from_row(&row),
        None => Err(StoreError::Unreadable { table: TABLE, column: "id" }),
    }
}
