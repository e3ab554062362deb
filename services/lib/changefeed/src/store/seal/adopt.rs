//! Seals what stands in a database in plain, from before such values were sealed. In pieces of bounded size, each a transaction, so
//! that it goes on where it stopped; what is sealed already is passed over.

use std::time::Duration;

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, Statement,
    sea_query::{Condition, Expr, ExprTrait, Order, Query},
};
use spil_proto::{
    changefeed::v1::{ApplyResponse, Record},
    model::Kind,
};
use uuid::Uuid;

use super::{PERSONAL_KEY, SEALED, Sealing, Store, StoreError, is_name};
use crate::{
    seal::{is_sealed, sealed_fields},
    store::{
        Dialect,
        external_id::{self, Entry},
        head, idempotency,
        log::{CHANGE, REVISION},
        row,
        statement::Hold,
        write::{self, Written},
    },
};

/// How many rows are sealed at once.
const PIECE: u64 = 500;
/// How many answers are; each may be large.
const ANSWERS: u64 = 20;
/// How long to wait until the log is tried again that somebody reads, and how often: a day.
const LOG_PAUSE: Duration = Duration::from_secs(10);
const LOG_TRIES: u32 = 8_640;

impl Store {
    /// Seals what is plain, and on SQLite overwrites where it stood.
    pub(super) async fn seal_what_is_plain(&self) -> Result<(), StoreError> {
        if self.inner.dialect == Dialect::Sqlite {
            // An earlier process may have ended before it came to it. Where somebody reads, nothing is lost by leaving it to the next erasure.
            self.empty_log().await;
        }
        let kinds: Vec<Kind> = self.inner.owner.kinds().filter(|kind| is_sealed(*kind)).collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let mut count = 0;
        for kind in &kinds {
            count += self.seal_records(*kind).await?;
        }
        count += self.seal_log(&kinds).await?;
        count += self.seal_answers().await?;
        if count > 0 {
            tracing::info!(owner = self.inner.owner.name(), count, "sealed what stood in plain");
        }
        // Also where an earlier start was killed before it came to it.
        if self.inner.dialect == Dialect::Sqlite && self.rewrite_is_due().await? {
            self.inner.writer.execute_unprepared("VACUUM").await?;
            if self.empty_log().await {
                self.inner.writer.execute_unprepared("PRAGMA user_version = 0").await?;
            }
        }
        Ok(())
    }

    /// Keeps in the file itself, with the transaction that sealed something, that plain values stand in pages which are free now.
    async fn rewrite_becomes_due(&self, transaction: &DatabaseTransaction, sealed: usize) -> Result<(), StoreError> {
        if sealed > 0 && self.inner.dialect == Dialect::Sqlite {
            transaction.execute_unprepared("PRAGMA user_version = 1").await?;
        }
        Ok(())
    }

    async fn rewrite_is_due(&self) -> Result<bool, StoreError> {
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA user_version");
        let row = self.inner.writer.query_one_raw(statement).await?;
        Ok(row.map(|row| row.try_get_by_index::<i32>(0)).transpose()?.is_some_and(|version| version != 0))
    }

    /// Empties the log that SQLite writes ahead, which holds pages as they were. Where somebody who reads is in the way longer than a lock is waited
    /// for, it is tried again in the background until it is done or the process ends; the next start does it then.
    pub(in crate::store) async fn overwrite_freed_pages(&self) {
        if self.inner.dialect != Dialect::Sqlite || self.empty_log().await {
            return;
        }
        let owner = self.inner.owner.name();
        tracing::warn!(
            owner,
            "a reader is in the way of overwriting what was erased in the log of the database; it is tried again"
        );
        let store = self.clone();
        tokio::spawn(async move {
            for _ in 0..LOG_TRIES {
                tokio::time::sleep(LOG_PAUSE).await;
                if store.empty_log().await {
                    tracing::info!(owner, "what was erased is overwritten in the log of the database");
                    return;
                }
            }
            tracing::error!(
                owner,
                "what was erased may still stand in the log of the database: end who reads it and start again"
            );
        });
    }

    /// Whether the log is empty now.
    pub(super) async fn empty_log(&self) -> bool {
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let row = match self.inner.writer.query_one_raw(statement).await {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log of the database could not be emptied"
                );
                return false;
            }
        };
        // The first column says whether somebody was in the way.
        row.is_some_and(|row| matches!(row.try_get_by_index::<i32>(0), Ok(0)))
    }

    async fn seal_records(&self, kind: Kind) -> Result<usize, StoreError> {
        let mut count = 0;
        loop {
            let transaction = self.begin(false).await?;
            let done = self.seal_piece_of_records(&transaction, kind).await?;
            self.rewrite_becomes_due(&transaction, done).await?;
            transaction.commit().await?;
            count += done;
            if (done as u64) < PIECE {
                return Ok(count);
            }
        }
    }

    async fn seal_piece_of_records(&self, transaction: &DatabaseTransaction, kind: Kind) -> Result<usize, StoreError> {
        let mut plain = Condition::any();
        for info in sealed_fields(kind) {
            let there = Expr::col(info.column).is_not_null();
            // Where something is sealed a name is a mark.
            let there = if is_name(kind, info) { there.and(Expr::col(SEALED).is_null()) } else { there };
            plain = plain.add(there);
        }
        let mut statement = row::select(kind);
        statement.cond_where(plain).order_by("id", Order::Asc).limit(PIECE);
        Hold::Exclusive.apply(&mut statement, self.inner.dialect);
        let rows = transaction.query_all(&statement).await?;
        let records = self.read_rows(transaction, kind, &rows).await?;
        let sealing = Sealing::close(self, transaction, records.iter().map(|(record, _)| record)).await?;
        let written: Vec<Written<'_>> = records
            .iter()
            .map(|(record, provenance)| Written {
                record,
                closed: sealing.find(record),
                provenance: provenance.clone().unwrap_or_default().encode_to_vec(),
            })
            .collect();
        write::upsert(self, transaction, kind, &written, true).await?;
        let ids: Vec<Uuid> = records.iter().filter_map(|(record, _)| record.id()).collect();
        external_id::delete_all(transaction, kind, &ids).await?;
        let mut entries = Vec::new();
        for (record, _) in &records {
            let header =
                record.entity().and_then(|entity| entity.header()).filter(|header| header.retired_at.is_none());
            if let (Some(header), Some(id)) = (header, record.id()) {
                entries.extend(header.external_ids.iter().map(|external| Entry { kind, external, record: id }));
            }
        }
        external_id::insert(self, transaction, &entries).await?;
        Ok(records.len())
    }

    /// Looks through the log, as far as that was not done.
    async fn seal_log(&self, kinds: &[Kind]) -> Result<usize, StoreError> {
        let head = head::read(&self.inner.writer).await?;
        let through = i64::try_from(head.revision).unwrap_or(i64::MAX);
        let mut count = 0;
        loop {
            let transaction = self.begin(false).await?;
            let done = self.seal_piece_of_log(&transaction, kinds).await?;
            self.rewrite_becomes_due(&transaction, done).await?;
            if (done as u64) < PIECE {
                let statement = Query::update()
                    .table(PERSONAL_KEY)
                    .value("sealed_through", through)
                    .and_where(Expr::col("sealed_through").lt(through))
                    .to_owned();
                transaction.execute(&statement).await?;
            }
            transaction.commit().await?;
            count += done;
            if (done as u64) < PIECE {
                return Ok(count);
            }
        }
    }

    async fn seal_piece_of_log(&self, transaction: &DatabaseTransaction, kinds: &[Kind]) -> Result<usize, StoreError> {
        // What is chained can not be written in another form, and was sealed from the start.
        let unchained =
            Query::select().column("revision").from(REVISION).and_where(Expr::col("chain").is_null()).to_owned();
        let through = Query::select().column("sealed_through").from(PERSONAL_KEY).to_owned();
        let mut statement = Query::select();
        statement
            .columns(["revision", "ordinal", "record"])
            .from(CHANGE)
            .and_where(Expr::col("revision").gt(Expr::SubQuery(None, Box::new(through.into()))))
            .and_where(Expr::col("kind").is_in(kinds.iter().map(|kind| *kind as i32)))
            .and_where(Expr::col(SEALED).is_null())
            .and_where(Expr::col("revision").in_subquery(unchained))
            .order_by("revision", Order::Asc)
            .order_by("ordinal", Order::Asc)
            .limit(PIECE);
        Hold::Exclusive.apply(&mut statement, self.inner.dialect);
        let mut rows = Vec::new();
        for found in transaction.query_all(&statement).await? {
            let (revision, ordinal): (i64, i32) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
            let bytes: Vec<u8> = found.try_get_by_index(2)?;
            let record = Record::decode(bytes.as_slice())
                .map_err(|_| StoreError::Unreadable { table: CHANGE, column: "record" })?;
            rows.push((revision, ordinal, record));
        }
        let sealing = Sealing::close(self, transaction, rows.iter().map(|(.., record)| record)).await?;
        for (revision, ordinal, record) in &rows {
            let Some(closed) = sealing.find(record) else { continue };
            let statement = Query::update()
                .table(CHANGE)
                .value("record", closed.plain.encode_to_vec())
                .value(SEALED, closed.sealed.clone().unwrap_or_default())
                .and_where(Expr::col("revision").eq(*revision))
                .and_where(Expr::col("ordinal").eq(*ordinal))
                .to_owned();
            transaction.execute(&statement).await?;
        }
        Ok(rows.len())
    }

    async fn seal_answers(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        loop {
            let transaction = self.begin(false).await?;
            let done = self.seal_piece_of_answers(&transaction).await?;
            self.rewrite_becomes_due(&transaction, done).await?;
            transaction.commit().await?;
            count += done;
            if (done as u64) < ANSWERS {
                return Ok(count);
            }
        }
    }

    async fn seal_piece_of_answers(&self, transaction: &DatabaseTransaction) -> Result<usize, StoreError> {
        let mut statement = Query::select();
        statement
            .columns(["actor", "key", "response", "body_hash"])
            .from(idempotency::TABLE)
            .and_where(Expr::col(SEALED).is_null())
            .limit(ANSWERS);
        Hold::Exclusive.apply(&mut statement, self.inner.dialect);
        let rows = transaction.query_all(&statement).await?;
        for found in &rows {
            let (actor, key): (String, String) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
            let bytes: Vec<u8> = found.try_get_by_index(2)?;
            let mut body_hash: Vec<u8> = found.try_get_by_index(3)?;
            let response = ApplyResponse::decode(bytes.as_slice())
                .map_err(|_| StoreError::Unreadable { table: idempotency::TABLE, column: "response" })?;
            let records = || response.items.iter().filter_map(|item| item.record.as_ref());
            let sealing = Sealing::close(self, transaction, records()).await?;
            let (answer, sealed) = sealing.answer(&response);
            if records().any(|record| sealing.find(record).is_some())
                && let Ok(hash) = <[u8; 16]>::try_from(body_hash.as_slice())
            {
                body_hash = self.vault()?.mark_batch(hash).to_vec();
            }
            let statement = Query::update()
                .table(idempotency::TABLE)
                .value("response", answer)
                .value("body_hash", body_hash)
                .value(SEALED, sealed.encode_to_vec())
                .and_where(Expr::col("actor").eq(actor))
                .and_where(Expr::col("key").eq(key))
                .to_owned();
            transaction.execute(&statement).await?;
        }
        Ok(rows.len())
    }
}
