//! Erases a person: the key goes, and with it everything that was ever sealed with it, in this database and in every copy of it.

use std::{collections::HashSet, num::NonZeroU64};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Condition, Expr, ExprTrait, OnConflict, Order, Query},
};
use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{FieldType, Kind},
};
use uuid::Uuid;

use super::{
    Store, StoreError, doorbell, external_id,
    head::{self, Head},
    log::{self, Deed, Entry},
    names::other_handles,
    row,
    seal::{self, ERASED_NAME, PERSON_KEY, Sealing},
    snapshot::Stored,
    statement::{self, Hold},
    write,
};
use crate::{
    command::{provenance::changed_fields, working_set::Changed},
    seal::{Mark, is_sealed, split},
};

/// Who is to be erased, and who says so.
pub(crate) struct Erasure {
    pub(crate) kind: Kind,
    pub(crate) person: Uuid,
    pub(crate) origin: Origin,
    /// Why, in the words of whoever asks for it.
    pub(crate) reason: String,
    /// By which way it came.
    pub(crate) way: String,
    /// The mark of the revision: random, and used once.
    pub(crate) mark: NonZeroU64,
}

/// What became of it.
pub(crate) struct Erased {
    pub(crate) head: Head,
    /// When the person was erased: microseconds since 1970.
    pub(crate) at: i64,
    /// How many records were written; none if it was done before.
    pub(crate) records: usize,
}

impl Store {
    /// Erases a person, live or retired, in one revision; `None` if there is none. Once is enough: the second time only says when it was done.
    pub(crate) async fn erase(&self, erasure: &Erasure) -> Result<Option<Erased>, StoreError> {
        // Looked for before anybody has to wait: what somebody is given meanwhile does no harm.
        let shared = self.borne_by_others(erasure.kind, erasure.person).await?;
        let transaction = self.begin(false).await?;
        match self.erase_in(&transaction, erasure, &shared).await {
            Ok(Some(erased)) if erased.records > 0 => {
                transaction.commit().await?;
                self.moved(erased.head);
                // The key may still stand in pages that were freed.
                self.overwrite_freed_pages().await;
                Ok(Some(erased))
            }
            Ok(outcome) => {
                transaction.rollback().await?;
                Ok(outcome)
            }
            Err(error) => {
                // The error that came first says more than what the rollback may meet.
                transaction.rollback().await.ok();
                Err(error)
            }
        }
    }

    async fn erase_in(
        &self,
        transaction: &DatabaseTransaction,
        erasure: &Erasure,
        shared: &HashSet<String>,
    ) -> Result<Option<Erased>, StoreError> {
        let Erasure { kind, person, origin, reason, way, mark } = erasure;
        let mut found = Vec::new();
        for sealed in self.inner.owner.kinds().filter(|kind| is_sealed(*kind)) {
            let records = self.records_of(transaction, sealed, *kind, *person).await?;
            found.extend(records.into_iter().map(|stored| (sealed, stored)));
        }
        let is_person = |(of, (record, _)): &(Kind, Stored)| of == kind && record.id() == Some(*person);
        let Some((_, (known, _))) = found.iter().find(|found| is_person(found)) else { return Ok(None) };
        if let Some(at) = self.erased_at(transaction, *person).await? {
            return Ok(Some(Erased { head: head::read(transaction).await?, at, records: 0 }));
        }
        let mut versions = self.versions(transaction, *kind, &[*person]).await?;
        versions.push(known.clone());
        let names = self.names_to_keep(transaction, *kind, &versions, *person, shared).await?;
        self.forget_key(transaction, *person, origin.at).await?;
        self.keep_names(transaction, &names, origin.at).await?;
        // The record of the person gets a new version in any case, which tells followers.
        let pseudonyms: Vec<Option<Record>> = found
            .iter()
            .map(|found| {
                let (plain, part) = split(&found.1.0);
                (part.is_some() || is_person(found)).then(|| next_version(plain, origin.at))
            })
            .collect();
        let mut changes = Vec::new();
        for ((kind, (stored, provenance)), now) in found.iter().zip(&pseudonyms) {
            if let (Some(now), Some(id)) = (now, stored.id()) {
                let provenance = provenance.as_ref();
                changes.push(Changed { kind: *kind, id, stored: Some(stored), provenance, now });
            }
        }
        let fields: Vec<_> = changes.iter().map(|change| changed_fields(change.stored, change.now)).collect();
        let sealing = Sealing::of(self, transaction, &changes, &[]).await?;
        write::records(self, transaction, &changes, &fields, origin, &[], &sealing).await?;
        let records = changes.len();
        let entries: Vec<_> = changes
            .into_iter()
            .zip(fields)
            .map(|(change, fields)| Entry { erased: true, ..Entry::new(change, fields, &sealing) })
            .collect();
        doorbell::ring_on_commit(transaction, self).await?;
        // From here on every other writer waits: nothing but the last statements.
        let (head, previous) = head::advance(transaction, *mark).await?;
        let deed = Deed { origin, reason, way };
        log::append(self, transaction, (&head, previous), &deed, &entries).await?;
        Ok(Some(Erased { head, at: origin.at, records }))
    }

    /// The records of a kind that are a person or of a person, retired ones too, held until the transaction ends.
    async fn records_of(
        &self,
        transaction: &DatabaseTransaction,
        kind: Kind,
        person_kind: Kind,
        person: Uuid,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut of = Condition::any();
        if kind == person_kind {
            of = of.add(Expr::col("id").eq(person));
        }
        let subject = kind.info().subject.and_then(|index| kind.info().field(index));
        if let Some(info) = subject.filter(|info| matches!(info.ty, FieldType::Ref(to) if to == person_kind)) {
            of = of.add(Expr::col(info.column).eq(person));
        }
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = row::select(kind);
        statement.cond_where(of).order_by("id", Order::Asc);
        Hold::Exclusive.apply(&mut statement, self.inner.dialect);
        let rows = transaction.query_all(&statement).await?;
        self.read_rows(transaction, kind, &rows).await
    }

    /// The marks of the names that a person has and had, but for those that somebody else has by now: who was retired gives them up.
    async fn names_to_keep(
        &self,
        transaction: &DatabaseTransaction,
        kind: Kind,
        versions: &[Record],
        person: Uuid,
        shared: &HashSet<String>,
    ) -> Result<Vec<Mark>, StoreError> {
        let vault = self.vault()?;
        let mut names: Vec<Mark> = versions.iter().flat_map(|record| vault.marks_of(record)).collect();
        names.sort_unstable();
        names.dedup();
        let texts: Vec<String> = names.iter().map(|mark| mark.text()).collect();
        let mut taken: Vec<String> = Vec::new();
        for list in statement::lists(texts) {
            for info in kind.info().fields().filter(|info| seal::is_name(kind, info)) {
                let statement = Query::select()
                    .column(info.column)
                    .from(kind.info().table)
                    .and_where(Expr::col(info.column).is_in(list.clone()))
                    .and_where(Expr::col("retired_at").is_null())
                    .and_where(Expr::col("id").ne(person))
                    .to_owned();
                for found in transaction.query_all(&statement).await? {
                    taken.push(found.try_get_by_index(0)?);
                }
            }
            taken.extend(external_id::of_others(transaction, kind, list, person).await?);
        }
        names.retain(|mark| !taken.contains(&mark.text()));
        let handles = versions.iter().flat_map(other_handles).filter(|(_, text)| !shared.contains(text));
        names.extend(handles.map(|(column, text)| vault.mark(kind, column, &[&text])));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Leaves of a key that there was one.
    async fn forget_key(&self, transaction: &DatabaseTransaction, person: Uuid, at: i64) -> Result<(), StoreError> {
        let mut statement = Query::insert();
        statement.into_table(PERSON_KEY).columns(["person_id", "wrapped", "erased_at"]);
        statement.values_panic([
            person.into(),
            Expr::value(None::<Vec<u8>>),
            Expr::value(row::time(at, self.inner.dialect)),
        ]);
        statement.on_conflict(OnConflict::column("person_id").update_columns(["wrapped", "erased_at"]).to_owned());
        transaction.execute(&statement).await?;
        Ok(())
    }

    /// Keeps the marks of names, so that whoever sends the person again is told. They name nobody to those who do not know the name and
    /// have not the key.
    async fn keep_names(&self, transaction: &DatabaseTransaction, names: &[Mark], at: i64) -> Result<(), StoreError> {
        for piece in statement::row_pieces(names) {
            let mut statement = Query::insert();
            statement.into_table(ERASED_NAME).columns(["mark", "erased_at"]);
            for mark in piece {
                statement
                    .values_panic([Expr::value(mark.bytes().to_vec()), Expr::value(row::time(at, self.inner.dialect))]);
            }
            statement.on_conflict(OnConflict::column("mark").do_nothing().to_owned());
            transaction.execute(&statement).await?;
        }
        Ok(())
    }
}

/// A record as it is written once more.
pub(super) fn next_version(mut record: Record, at: i64) -> Record {
    if let Some(entity) = record.entity_mut() {
        let header = entity.header_mut();
        header.version += 1;
        header.updated_at = at;
    }
    record
}
