//! What is kept beside the log: records, answers, who read what.

use prost::Message;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Order, Query, SelectStatement},
};
use spil_proto::{
    changefeed::v1::{ApplyResponse, Provenance, Record},
    model::Kind,
};
use uuid::Uuid;

use super::Work;
use crate::{
    command::{provenance::changed_fields, working_set::Changed},
    seal::person_of,
    store::{
        StoreError,
        erase::next_version,
        idempotency,
        log::{self, Entry},
        read_log, row,
        seal::{SEALED, SealedAnswer, Sealing},
        snapshot::Stored,
        write,
    },
};

/// How many records, and how many entries of the log of reads, are looked at at once.
const PAGE: u64 = 500;
/// How many answers are; each may be large.
const ANSWERS: u64 = 20;

/// A record that is written anew.
struct Anew {
    stored: Stored,
    now: Record,
    /// What changes, or was set by a write that names somebody.
    fields: Vec<u32>,
}

impl Work<'_> {
    /// Looks through the records of a kind, retired ones too.
    pub(super) async fn records(&mut self, kind: Kind) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let mut statement = row::select(kind);
            statement.order_by("id", Order::Asc).limit(PAGE);
            if let Some(after) = after {
                statement.and_where(Expr::col("id").gt(after));
            }
            let records = self.read(kind, statement).await?;
            let count = records.len() as u64;
            after = records.last().and_then(|(record, _)| record.id());
            let anew: Vec<Anew> = records.into_iter().filter_map(|stored| self.anew(stored)).collect();
            self.write(kind, &anew).await?;
            if count < PAGE {
                return Ok(());
            }
        }
    }

    /// Gives a record a new version, whatever it holds.
    pub(super) async fn record(&mut self, kind: Kind, id: Uuid) -> Result<(), StoreError> {
        let mut statement = row::select(kind);
        statement.and_where(Expr::col("id").eq(id));
        let records = self.read(kind, statement).await?;
        let again =
            |stored: Stored| Anew { now: next_version(stored.0.clone(), self.origin.at), fields: Vec::new(), stored };
        let anew: Vec<Anew> = records.into_iter().map(again).collect();
        self.write(kind, &anew).await
    }

    async fn read(&self, kind: Kind, statement: SelectStatement) -> Result<Vec<Stored>, StoreError> {
        let rows = self.transaction.query_all(&statement).await?;
        self.store.read_rows(self.transaction, kind, &rows).await
    }

    /// Whether what is sealed of a record stays as it is.
    pub(super) fn spares(&self, record: &Record) -> bool {
        self.spared.is_some() && person_of(record) == self.spared
    }

    /// A record without the texts; `None` if it has none.
    fn anew(&self, stored: Stored) -> Option<Anew> {
        let mut now = stored.0.clone();
        let is_changed = self.texts.redact_record(&mut now, self.spares(&stored.0));
        // The redaction is what set them from now on: who did before is not to be told.
        let mut fields = stored.1.as_ref().map(|provenance| self.named(provenance)).unwrap_or_default();
        if !is_changed && fields.is_empty() {
            return None;
        }
        fields.extend(changed_fields(Some(&stored.0), &now));
        fields.sort_unstable();
        fields.dedup();
        Some(Anew { now: next_version(now, self.origin.at), fields, stored })
    }

    /// The fields that were set by a write which names somebody.
    fn named(&self, provenance: &Provenance) -> Vec<u32> {
        let is_named: Vec<bool> = provenance.origins.iter().map(|origin| self.texts.occur_in(origin)).collect();
        let groups = provenance.records.iter().flat_map(|record| &record.groups);
        let named = groups.filter(|group| {
            usize::try_from(group.origin).is_ok_and(|place| is_named.get(place).copied().unwrap_or_default())
        });
        named.flat_map(|group| group.fields.iter().copied()).collect()
    }

    async fn write(&mut self, kind: Kind, anew: &[Anew]) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(anew.len());
        let mut fields = Vec::with_capacity(anew.len());
        for Anew { stored, now, fields: set } in anew {
            let Some(id) = now.id() else { continue };
            changes.push(Changed { kind, id, stored: Some(&stored.0), provenance: stored.1.as_ref(), now });
            fields.push(set.clone());
        }
        if changes.is_empty() {
            return Ok(());
        }
        let sealing = Sealing::of(self.store, self.transaction, &changes, &[]).await?;
        write::records(self.store, self.transaction, &changes, &fields, &self.origin, &[], &sealing).await?;
        let entries: Vec<Entry<'_>> = changes
            .into_iter()
            .zip(fields)
            .map(|(change, fields)| Entry { erased: true, ..Entry::new(change, fields, &sealing) })
            .collect();
        log::add_entries(self.transaction, &self.head, &mut self.size, &entries).await
    }

    /// Looks through the answers to batches. One whose name tells somebody goes, the others are written anew.
    pub(super) async fn answers(&mut self) -> Result<(), StoreError> {
        let mut after = (String::new(), String::new());
        loop {
            let statement = Query::select()
                .columns(["actor", "key", "response", SEALED])
                .from(idempotency::TABLE)
                .and_where(
                    Expr::tuple(["actor", "key"].map(Expr::col))
                        .gt(Expr::tuple([after.0.as_str().into(), after.1.as_str().into()])),
                )
                .order_by("actor", Order::Asc)
                .order_by("key", Order::Asc)
                .limit(ANSWERS)
                .to_owned();
            let rows = self.transaction.query_all(&statement).await?;
            for found in &rows {
                let (actor, key): (String, String) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
                let of = Expr::col("actor").eq(actor.as_str()).and(Expr::col("key").eq(key.as_str()));
                after = (actor, key);
                if self.texts.redact_in("actor", &after.0).is_some() || self.texts.occur(&after.1) {
                    let statement = Query::delete().from_table(idempotency::TABLE).and_where(of).to_owned();
                    self.transaction.execute(&statement).await?;
                    self.others += 1;
                    continue;
                }
                let response: Vec<u8> = found.try_get_by_index(2)?;
                let sealed: Vec<u8> = found.try_get_by_index::<Option<Vec<u8>>>(3)?.unwrap_or_default();
                if let Some((response, sealed)) = self.answer(&response, &sealed).await? {
                    let statement = Query::update()
                        .table(idempotency::TABLE)
                        .value("response", response)
                        .value(SEALED, sealed)
                        .and_where(of)
                        .to_owned();
                    self.transaction.execute(&statement).await?;
                    self.others += 1;
                }
            }
            if (rows.len() as u64) < ANSWERS {
                return Ok(());
            }
        }
    }

    /// An answer without the texts; `None` if it has none.
    async fn answer(&self, response: &[u8], sealed: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        let unreadable = |column| StoreError::Unreadable { table: idempotency::TABLE, column };
        let mut response = ApplyResponse::decode(response).map_err(|_| unreadable("response"))?;
        let sealed = SealedAnswer::decode(sealed).map_err(|_| unreadable(SEALED))?;
        sealed.open(self.store, self.transaction, &mut response).await?;
        let mut is_changed = false;
        for item in &mut response.items {
            if let Some(record) = &mut item.record {
                let spares = self.spares(record);
                is_changed |= self.texts.redact_record(record, spares);
            }
            for problem in item.problems.iter_mut().chain(&mut item.warnings) {
                if let Some(message) = self.texts.redact(&problem.message) {
                    problem.message = message;
                    is_changed = true;
                }
            }
        }
        if !is_changed {
            return Ok(None);
        }
        let sealing = Sealing::of(self.store, self.transaction, &[], &response.items).await?;
        let (response, sealed) = sealing.answer(&response);
        Ok(Some((response, sealed.encode_to_vec())))
    }

    /// Looks through the log of reads: somebody who read may be named there.
    pub(super) async fn reads(&mut self) -> Result<(), StoreError> {
        const TEXTS: [&str; 5] = ["reader", "issuer", "purpose", "operation", "entry"];
        let mut after: Option<Uuid> = None;
        loop {
            let mut statement = Query::select();
            statement
                .columns(["id"].into_iter().chain(TEXTS))
                .from(read_log::TABLE)
                .order_by("id", Order::Asc)
                .limit(PAGE);
            if let Some(after) = after {
                statement.and_where(Expr::col("id").gt(after));
            }
            let rows = self.transaction.query_all(&statement).await?;
            for found in &rows {
                let id: Uuid = found.try_get_by_index(0)?;
                after = Some(id);
                let mut statement = Query::update();
                let mut is_changed = false;
                for (column, place) in TEXTS.into_iter().zip(1..) {
                    if let Some(text) = self.texts.redact_in(column, &found.try_get_by_index::<String>(place)?) {
                        statement.value(column, text);
                        is_changed = true;
                    }
                }
                if is_changed {
                    statement.table(read_log::TABLE).and_where(Expr::col("id").eq(id));
                    self.transaction.execute(&statement).await?;
                    self.others += 1;
                }
            }
            if (rows.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }
}
