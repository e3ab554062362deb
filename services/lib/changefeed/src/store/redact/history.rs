//! The log of changes: rows are written anew where they stand.

use prost::Message;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::{changefeed::v1::Record, model::Kind};
use uuid::Uuid;

use super::Work;
use crate::{
    seal::{is_sealed, person_of, split},
    store::{
        StoreError,
        log::{CHANGE, REVISION, signed, unsigned},
        seal::{People, SEALED},
    },
};

/// How many rows are looked at at once.
const PAGE: u64 = 500;
/// What people wrote of a revision, or who they are.
const TEXTS: [&str; 5] = ["actor", "source", "run", "reason", "origin"];

/// A row of the log.
struct Row {
    revision: u64,
    ordinal: i32,
    record: Record,
    /// What is sealed of it.
    sealed: Option<Vec<u8>>,
}

impl Work<'_> {
    /// Looks through the log up to the revision that is being written. Answers with a record of which something was written anew.
    pub(super) async fn log(&mut self) -> Result<Option<(Kind, Uuid)>, StoreError> {
        let mut found = self.changes().await?;
        let mut after = 0;
        loop {
            let statement = Query::select()
                .columns(["revision"].into_iter().chain(TEXTS))
                .from(REVISION)
                .and_where(Expr::col("revision").gt(signed(after)))
                .order_by("revision", Order::Asc)
                .limit(PAGE)
                .to_owned();
            let rows = self.transaction.query_all(&statement).await?;
            for row in &rows {
                after = unsigned(row.try_get_by_index(0)?);
                let mut statement = Query::update();
                let mut is_changed = false;
                for (column, place) in TEXTS.into_iter().zip(1..) {
                    let text: Option<String> = row.try_get_by_index(place)?;
                    if let Some(text) = text.and_then(|text| self.texts.redact_in(column, &text)) {
                        statement.value(column, text);
                        is_changed = true;
                    }
                }
                if is_changed {
                    self.unseal(after).await?;
                    statement.table(REVISION).and_where(Expr::col("revision").eq(signed(after)));
                    self.transaction.execute(&statement).await?;
                    if found.is_none() {
                        found = self.changed_by(after).await?;
                    }
                }
            }
            if (rows.len() as u64) < PAGE {
                return Ok(found);
            }
        }
    }

    /// A record that a revision changed.
    async fn changed_by(&self, revision: u64) -> Result<Option<(Kind, Uuid)>, StoreError> {
        let statement = Query::select()
            .columns(["kind", "record_id"])
            .from(CHANGE)
            .and_where(Expr::col("revision").eq(signed(revision)))
            .order_by("ordinal", Order::Asc)
            .limit(1)
            .to_owned();
        let Some(row) = self.transaction.query_one(&statement).await? else { return Ok(None) };
        let kind = u32::try_from(row.try_get_by_index::<i32>(0)?).ok().and_then(Kind::from_number);
        let id: Uuid = row.try_get_by_index(1)?;
        Ok(kind.map(|kind| (kind, id)))
    }

    async fn changes(&mut self) -> Result<Option<(Kind, Uuid)>, StoreError> {
        let (mut found, mut after, mut unsealed) = (None, (0, i32::MAX), None);
        loop {
            let statement = Query::select()
                .columns(["revision", "ordinal", "record", SEALED])
                .from(CHANGE)
                .and_where(
                    Expr::tuple(["revision", "ordinal"].map(Expr::col))
                        .gt(Expr::tuple([signed(after.0).into(), after.1.into()])),
                )
                .and_where(Expr::col("revision").lt(signed(self.head.revision)))
                .order_by("revision", Order::Asc)
                .order_by("ordinal", Order::Asc)
                .limit(PAGE)
                .to_owned();
            let mut rows = Vec::new();
            for row in self.transaction.query_all(&statement).await? {
                let bytes: Vec<u8> = row.try_get_by_index(2)?;
                let unreadable = |_| StoreError::Unreadable { table: CHANGE, column: "record" };
                rows.push(Row {
                    revision: unsigned(row.try_get_by_index(0)?),
                    ordinal: row.try_get_by_index(1)?,
                    record: Record::decode(bytes.as_slice()).map_err(unreadable)?,
                    sealed: row.try_get_by_index(3)?,
                });
            }
            let is_last = (rows.len() as u64) < PAGE;
            let closed = rows.iter().filter(|row| row.sealed.as_ref().is_some_and(|sealed| !sealed.is_empty()));
            let people: Vec<Uuid> = closed.filter_map(|row| person_of(&row.record)).collect();
            let people = self.store.people(self.transaction, people).await?;
            for mut row in rows {
                after = (row.revision, row.ordinal);
                if !self.redact_row(&people, &mut row)? {
                    continue;
                }
                if unsealed != Some(row.revision) {
                    self.unseal(row.revision).await?;
                    unsealed = Some(row.revision);
                }
                let statement = Query::update()
                    .table(CHANGE)
                    .value("record", row.record.encode_to_vec())
                    .value(SEALED, row.sealed)
                    .and_where(Expr::col("revision").eq(signed(row.revision)))
                    .and_where(Expr::col("ordinal").eq(row.ordinal))
                    .to_owned();
                self.transaction.execute(&statement).await?;
                found = found.or(row.record.kind().zip(row.record.id()));
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Takes the texts out of a row, as far as it can be opened. Answers whether it had any.
    fn redact_row(&self, people: &People, row: &mut Row) -> Result<bool, StoreError> {
        let Some(kind) = row.record.kind() else { return Ok(false) };
        let sealed = row.sealed.as_ref().filter(|sealed| !sealed.is_empty());
        let Some(sealed) = sealed.filter(|_| !self.spares(&row.record)) else {
            return Ok(self.texts.redact_record(&mut row.record, false));
        };
        let mut whole = row.record.clone();
        people.open(&mut whole, sealed, CHANGE)?;
        if whole == row.record || !is_sealed(kind) {
            // Whose it is was erased: what is sealed is gone for everybody.
            return Ok(self.texts.redact_record(&mut row.record, false));
        }
        if !self.texts.redact_record(&mut whole, false) {
            return Ok(false);
        }
        let (plain, part) = split(&whole);
        let sealed = match part {
            Some(part) => people.seal(&plain, &part)?.unwrap_or_default(),
            None => Vec::new(),
        };
        (row.record, row.sealed) = (plain, Some(sealed));
        Ok(true)
    }
}
