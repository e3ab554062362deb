//! Reads the change log for those who ask who changed what.

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query, SelectStatement},
};
use spil_proto::{
    changefeed::v1::{AuditEntry, AuditPlace, Change},
    model::Kind,
    owner::MAX_MESSAGE_BYTES,
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    log::{CHANGE, REVISION, signed, unsigned},
    row,
    seal::SEALED,
};

/// What a change is read from, in the order in which [`Store::read_changes`] wants it.
const CHANGED: [&str; 4] = ["revision", "record", "fields", SEALED];
/// The most bytes of the records of a page, unless a single entry has more.
const PAGE_BYTES: usize = MAX_MESSAGE_BYTES / 4;

/// Which changes are asked for. What is given must hold together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Of these kinds; of all if empty.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) record: Option<Uuid>,
    pub(crate) actor: Option<String>,
    pub(crate) source: Option<String>,
    /// Not before this moment, in microseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Before this moment.
    pub(crate) until: Option<i64>,
    /// Before this place: a revision, and a change of it.
    pub(crate) before: Option<(u64, u32)>,
    pub(crate) first: u64,
}

/// Some changes, the newest first.
pub(crate) struct AuditPage {
    pub(crate) entries: Vec<AuditEntry>,
    pub(crate) more: bool,
}

impl Store {
    /// What was changed, the newest first.
    pub(crate) async fn audit(&self, asked: &Asked) -> Result<AuditPage, StoreError> {
        let transaction = self.begin_read().await?;
        let mut rows = transaction.query_all(&self.select(asked)).await?;
        let mut more = rows.len() as u64 > asked.first;
        rows.truncate(usize::try_from(asked.first).unwrap_or(usize::MAX));
        let mut earlier = Vec::with_capacity(rows.len());
        for row in &rows {
            earlier.push(before(&transaction, row).await?);
        }
        let after = self.read_changes(&rows).await?;
        let is_known: Vec<bool> = earlier.iter().map(Option::is_some).collect();
        let earlier: Vec<QueryResult> = earlier.into_iter().flatten().collect();
        let mut earlier = self.read_changes(&earlier).await?.into_iter();
        let mut entries = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for ((row, (_, change)), is_known) in rows.iter().zip(after).zip(is_known) {
            let before = if is_known { earlier.next().and_then(|(_, change)| change.record) } else { None };
            let entry = AuditEntry { before, ..entry(row, change)? };
            bytes += entry.encoded_len();
            if bytes > PAGE_BYTES && !entries.is_empty() {
                more = true;
                break;
            }
            entries.push(entry);
        }
        Ok(AuditPage { entries, more })
    }

    fn select(&self, asked: &Asked) -> SelectStatement {
        let of = |table: &'static str, column: &'static str| Expr::col((table, column));
        let mut select = Query::select();
        select
            .columns(CHANGED.map(|column| (CHANGE, column)))
            .columns(["ordinal", "kind", "record_id"].map(|column| (CHANGE, column)))
            .columns(["at", "actor", "source", "run", "reason", "origin"].map(|column| (REVISION, column)))
            .from(CHANGE)
            .inner_join(REVISION, of(REVISION, "revision").equals((CHANGE, "revision")))
            .order_by((CHANGE, "revision"), Order::Desc)
            .order_by((CHANGE, "ordinal"), Order::Desc)
            .limit(asked.first + 1);
        if !asked.kinds.is_empty() {
            select.and_where(of(CHANGE, "kind").is_in(asked.kinds.iter().map(|kind| *kind as i32)));
        }
        if let Some(record) = asked.record {
            select.and_where(of(CHANGE, "record_id").eq(record));
        }
        for (column, value) in [("actor", &asked.actor), ("source", &asked.source)] {
            if let Some(value) = value {
                select.and_where(of(REVISION, column).eq(value.as_str()));
            }
        }
        let dialect = self.inner.dialect;
        if let Some(since) = asked.since {
            select.and_where(of(REVISION, "at").gte(Expr::value(row::time(since, dialect))));
        }
        if let Some(until) = asked.until {
            select.and_where(of(REVISION, "at").lt(Expr::value(row::time(until, dialect))));
        }
        if let Some((revision, ordinal)) = asked.before {
            let revision = signed(revision);
            let earlier = of(CHANGE, "revision").eq(revision).and(of(CHANGE, "ordinal").lt(i64::from(ordinal)));
            select.and_where(of(CHANGE, "revision").lt(revision).or(earlier));
        }
        select
    }
}

/// The change of the same record before one, as far as that is kept.
async fn before(transaction: &DatabaseTransaction, row: &QueryResult) -> Result<Option<QueryResult>, StoreError> {
    let select = Query::select()
        .columns(CHANGED)
        .from(CHANGE)
        .and_where(Expr::col("kind").eq(row.try_get_by_index::<i32>(5)?))
        .and_where(Expr::col("record_id").eq(row.try_get_by_index::<Uuid>(6)?))
        .and_where(Expr::col("revision").lt(row.try_get_by_index::<i64>(0)?))
        .order_by("revision", Order::Desc)
        .limit(1)
        .to_owned();
    Ok(transaction.query_one(&select).await?)
}

fn entry(row: &QueryResult, change: Change) -> Result<AuditEntry, StoreError> {
    let text = |index| Ok::<_, StoreError>(row.try_get_by_index::<Option<String>>(index)?.unwrap_or_default());
    let revision = unsigned(row.try_get_by_index(0)?);
    let ordinal = u32::try_from(row.try_get_by_index::<i32>(4)?).unwrap_or_default();
    let at: chrono::DateTime<chrono::Utc> = row.try_get_by_index(7)?;
    Ok(AuditEntry {
        place: Some(AuditPlace { revision, ordinal }),
        at: at.timestamp_micros(),
        actor: text(8)?,
        source: text(9)?,
        run: text(10)?,
        reason: text(11)?,
        origin: text(12)?,
        after: change.record,
        before: None,
        fields: change.fields,
    })
}
