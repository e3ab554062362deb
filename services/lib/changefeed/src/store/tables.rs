//! Holds the tables that are served against the log: each record is to be what the last change of it says.

use std::collections::HashMap;

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::{changefeed::v1::Record, model::Kind};
use uuid::Uuid;

use super::{
    Store, StoreError,
    head::Head,
    log::{CHANGE, signed, unsigned},
    row,
    seal::SEALED,
    statement,
};

/// How many records are compared at once.
const PAGE: u64 = 500;
/// How many differences are named; the others are counted.
const NAMED: usize = 20;

/// What the tables were found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// How many records are what the log says.
    pub proven: u64,
    /// How many are not in what is kept and chained of the log, so that nothing can be said of them.
    pub unproven: u64,
    /// How many are not what the log says.
    pub differing: u64,
    /// The first of these, at most 20.
    pub named: Vec<Difference>,
}

/// A record that is not what the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// What is wrong with it.
    pub how: Wrong,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Its row holds other values than the last change of it.
    Altered,
    /// The log tells of it, and it has no row.
    Gone,
    /// It has a row, and the log, which is kept whole, does not tell of it.
    Unlogged,
}

/// The last change of a record.
struct Image {
    revision: u64,
    record: Vec<u8>,
    sealed: Vec<u8>,
}

impl Store {
    /// Compares every record with the log, retired ones too.
    pub(super) async fn compare_tables(
        &self,
        transaction: &DatabaseTransaction,
        head: &Head,
    ) -> Result<Tables, StoreError> {
        let mut tables = Tables::default();
        let first = Ord::max(head.trimmed_through + 1, head.chained_from);
        for kind in self.inner.owner.kinds() {
            let mut after: Option<Uuid> = None;
            loop {
                let mut statement = row::select(kind);
                statement.order_by("id", Order::Asc).limit(PAGE);
                if let Some(after) = after {
                    statement.and_where(Expr::col("id").gt(after));
                }
                let rows = transaction.query_all(&statement).await?;
                let ids = rows.iter().map(|row| row.try_get_by_index(0));
                let ids: Vec<Uuid> = ids.collect::<Result<_, _>>()?;
                after = ids.last().copied();
                let images = last_images(transaction, kind, &ids).await?;
                for (id, row) in ids.into_iter().zip(&rows) {
                    let wrong = match images.get(&id) {
                        Some(image) if image.revision < first => None,
                        Some(image) if is_as_logged(kind, row, image) => {
                            tables.proven += 1;
                            continue;
                        }
                        Some(_) => Some(Wrong::Altered),
                        None => (first == 1).then_some(Wrong::Unlogged),
                    };
                    match wrong {
                        Some(how) => tables.add(kind, id, how),
                        None => tables.unproven += 1,
                    }
                }
                if (rows.len() as u64) < PAGE {
                    break;
                }
            }
            for id in gone(transaction, kind, first).await? {
                tables.add(kind, id, Wrong::Gone);
            }
        }
        Ok(tables)
    }
}

impl Tables {
    fn add(&mut self, kind: Kind, id: Uuid, how: Wrong) {
        self.differing += 1;
        if self.named.len() < NAMED {
            self.named.push(Difference { kind, id, how });
        }
    }
}

/// Whether a row says the same as the last change. Of what is sealed the bytes are compared; one that can not be read says something else.
fn is_as_logged(kind: Kind, row: &QueryResult, image: &Image) -> bool {
    match (row::read(kind, row), Record::decode(image.record.as_slice())) {
        (Ok((record, sealed)), Ok(logged)) => record == logged && sealed.unwrap_or_default() == image.sealed,
        _ => false,
    }
}

/// The last change of each of some records.
async fn last_images(
    transaction: &DatabaseTransaction,
    kind: Kind,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Image>, StoreError> {
    const LATER: &str = "later";
    let mut images = HashMap::with_capacity(ids.len());
    for list in statement::lists(ids.iter().copied()) {
        let last = Query::select()
            .expr(Expr::col((LATER, "revision")).max())
            .from_as(CHANGE, LATER)
            .and_where(Expr::col((LATER, "kind")).eq(kind as i32))
            .and_where(Expr::col((LATER, "record_id")).equals((CHANGE, "record_id")))
            .to_owned();
        let statement = Query::select()
            .columns(["record_id", "revision", "record", SEALED].map(|column| (CHANGE, column)))
            .from(CHANGE)
            .and_where(Expr::col((CHANGE, "kind")).eq(kind as i32))
            .and_where(Expr::col((CHANGE, "record_id")).is_in(list))
            .and_where(Expr::col((CHANGE, "revision")).eq(Expr::SubQuery(None, Box::new(last.into()))))
            .to_owned();
        for row in transaction.query_all(&statement).await? {
            let image = Image {
                revision: unsigned(row.try_get_by_index(1)?),
                record: row.try_get_by_index(2)?,
                sealed: row.try_get_by_index::<Option<Vec<u8>>>(3)?.unwrap_or_default(),
            };
            images.insert(row.try_get_by_index(0)?, image);
        }
    }
    Ok(images)
}

/// Records that the log tells of from a revision on and that have no row; not more than are named.
async fn gone(transaction: &DatabaseTransaction, kind: Kind, first: u64) -> Result<Vec<Uuid>, StoreError> {
    let there = Query::select().column("id").from(kind.info().table).to_owned();
    let statement = Query::select()
        .distinct()
        .column("record_id")
        .from(CHANGE)
        .and_where(Expr::col("kind").eq(kind as i32))
        .and_where(Expr::col("revision").gte(signed(first)))
        .and_where(Expr::col("record_id").not_in_subquery(there))
        .limit(NAMED as u64)
        .to_owned();
    let rows = transaction.query_all(&statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(StoreError::from)).collect()
}
