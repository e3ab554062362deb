//! Sealed values in the database: the keys of people, the marks of names, and records that are opened as they are read.
//!
//! The key of a person is read anew with the rows that need it and kept nowhere else, so that a person who was erased is unknown to
//! every process from the next read on.

mod adopt;
mod batch;
mod rekey;

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use spil_proto::{
    changefeed::v1::Record,
    model::{ExternalId, FieldInfo, Kind, Owner, field},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    names::other_handles,
    row,
    snapshot::Stored,
    statement::{self, Hold},
};
use crate::{
    command::working_set::version,
    seal::{Mark, PersonalKey, Secret, is_sealed, join, person_of},
};

pub(super) use batch::{Closed, SealedAnswer, Sealing, refuse_erased};
pub use rekey::Rekeyed;

/// The column of a record, a change or a stored answer that holds what is sealed.
pub(super) const SEALED: &str = "sealed";
const PERSONAL_KEY: &str = "personal_key";
pub(super) const PERSON_KEY: &str = "person_key";
pub(super) const ERASED_NAME: &str = "erased_name";

/// The keys of an owner that has its personal key.
#[derive(Debug)]
pub(super) struct Vault {
    /// With it the keys of people are sealed.
    people: Secret,
    /// With it names are marked.
    marks: Secret,
    /// The same as it stands in the database, sealed with the personal key that was given.
    wrapped_marks: Vec<u8>,
}

/// Some people and their keys.
#[derive(Debug, Default)]
pub(super) struct People(HashMap<Uuid, Person>);

#[derive(Debug)]
enum Person {
    Known(Secret),
    Erased,
}

impl Store {
    /// Whether the owner has anything that tells who somebody is, so that nothing of it goes without [`Store::unlock`].
    pub fn needs_personal_key(&self) -> bool {
        needs_personal_key(self.inner.owner)
    }

    /// Whether the database was ever given a personal key. It takes no other one then.
    ///
    /// # Errors
    /// If the database can not be reached or refuses.
    pub async fn has_personal_key(&self) -> Result<bool, StoreError> {
        Ok(wrapped_marks(&self.inner.reader).await?.is_some())
    }

    /// Gives the store its personal key: with another one than before it refuses. Without, nothing that tells who somebody is can be read
    /// or written. Values that stand in the database from before they were sealed are sealed before this returns.
    ///
    /// # Errors
    /// If the database was sealed with another key, can not be reached, or refuses.
    pub async fn unlock(&self, key: &PersonalKey) -> Result<(), StoreError> {
        let wrapping = marks_key(key);
        if wrapped_marks(&self.inner.reader).await?.is_none() {
            let wrapped =
                Secret::random().wrapped(&wrapping, PERSONAL_KEY.as_bytes()).ok_or(StoreError::PersonalKey)?;
            let mut statement = Query::insert();
            statement.into_table(PERSONAL_KEY).columns(["id", "wrapped", "sealed_through"]);
            statement.values_panic([1.into(), wrapped.into(), 0_i64.into()]);
            // Another process may have made it meanwhile; then its key counts.
            statement.on_conflict(OnConflict::column("id").do_nothing().to_owned());
            let transaction = self.begin(false).await?;
            transaction.execute(&statement).await?;
            transaction.commit().await?;
        }
        let wrapped = wrapped_marks(&self.inner.writer).await?.ok_or(StoreError::PersonalKey)?;
        let marks = wrapping.unwrap_key(PERSONAL_KEY.as_bytes(), &wrapped).ok_or(StoreError::PersonalKey)?;
        // Given twice, the first stays: it is the same.
        let _ = self.inner.vault.set(Vault { people: people_key(key), marks, wrapped_marks: wrapped });
        self.seal_what_is_plain().await
    }

    /// The keys.
    pub(super) fn vault(&self) -> Result<&Vault, StoreError> {
        self.inner.vault.get().ok_or(StoreError::Locked)
    }

    /// A text that names a record, as it stands in the database: a mark where it tells who somebody is.
    pub(super) fn kept<'a>(&self, kind: Kind, info: &FieldInfo, text: &'a str) -> Result<Cow<'a, str>, StoreError> {
        if kind.info().identifies(info.index) {
            Ok(Cow::Owned(self.vault()?.mark(kind, info.column, &[text]).text()))
        } else {
            Ok(Cow::Borrowed(text))
        }
    }

    /// The id of an external id, as it stands in the database.
    pub(super) fn kept_external<'a>(&self, kind: Kind, system: &str, id: &'a str) -> Result<Cow<'a, str>, StoreError> {
        if kind.info().identifies(field::EXTERNAL_IDS) {
            Ok(Cow::Owned(self.vault()?.mark_external(kind, system, id).text()))
        } else {
            Ok(Cow::Borrowed(id))
        }
    }

    /// Reads rows of [`row::select`] and opens them.
    pub(super) async fn read_rows<C: ConnectionTrait>(
        &self,
        db: &C,
        kind: Kind,
        rows: &[QueryResult],
    ) -> Result<Vec<Stored>, StoreError> {
        let mut read = Vec::with_capacity(rows.len());
        let mut closed = Vec::new();
        for found in rows {
            let (record, sealed) = row::read(kind, found)?;
            if let Some(sealed) = sealed {
                closed.push((read.len(), sealed));
            }
            read.push((record, row::read_provenance(kind, found)?));
        }
        if !closed.is_empty() {
            let records = closed.iter().filter_map(|(place, _)| person_of(&read.get(*place)?.0));
            let people = self.people(db, records).await?;
            for (place, sealed) in closed {
                if let Some((record, _)) = read.get_mut(place) {
                    people.open(record, &sealed, kind.info().table)?;
                }
            }
        }
        Ok(read)
    }

    /// People, those who were erased among them.
    pub(super) async fn people<C: ConnectionTrait>(
        &self,
        db: &C,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<People, StoreError> {
        let ids: BTreeSet<Uuid> = ids.into_iter().collect();
        let mut people = People::default();
        for list in statement::lists(ids) {
            let statement = Query::select()
                .columns(["person_id", "wrapped"])
                .from(PERSON_KEY)
                .and_where(Expr::col("person_id").is_in(list))
                .to_owned();
            for found in db.query_all(&statement).await? {
                let id: Uuid = found.try_get_by_index(0)?;
                let person = match found.try_get_by_index::<Option<Vec<u8>>>(1)? {
                    Some(wrapped) => {
                        let key = self.vault()?.people.unwrap_key(id.as_bytes(), &wrapped);
                        Person::Known(key.ok_or(StoreError::Unreadable { table: PERSON_KEY, column: "wrapped" })?)
                    }
                    None => Person::Erased,
                };
                people.0.insert(id, person);
            }
        }
        Ok(people)
    }

    /// The same, with new keys for those who have none.
    async fn people_to_write(
        &self,
        transaction: &DatabaseTransaction,
        ids: &BTreeSet<Uuid>,
    ) -> Result<People, StoreError> {
        let mut people = self.people(transaction, ids.iter().copied()).await?;
        // In a fixed order, so that two batches do not wait for each other.
        let missing: Vec<Uuid> = ids.iter().copied().filter(|id| !people.0.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(people);
        }
        let vault = self.vault()?;
        // A process that was left running while the personal key was changed would seal keys so that nobody opens them.
        let present = self.wrapped_marks_held(transaction, Hold::Shared).await?;
        if present.as_ref() != Some(&vault.wrapped_marks) {
            return Err(StoreError::PersonalKey);
        }
        for piece in statement::row_pieces(&missing) {
            let mut statement = Query::insert();
            statement.into_table(PERSON_KEY).columns(["person_id", "wrapped"]);
            for id in piece {
                let wrapped = Secret::random().wrapped(&vault.people, id.as_bytes()).ok_or(StoreError::PersonalKey)?;
                statement.values_panic([(*id).into(), wrapped.into()]);
            }
            // Another batch may have made one meanwhile; then that counts.
            statement.on_conflict(OnConflict::column("person_id").do_nothing().to_owned());
            transaction.execute(&statement).await?;
        }
        people.0.extend(self.people(transaction, missing).await?.0);
        Ok(people)
    }
}

impl Vault {
    /// The mark of a value of a field.
    pub(super) fn mark(&self, kind: Kind, column: &str, parts: &[&str]) -> Mark {
        let kind = (kind as u32).to_be_bytes();
        let parts = parts.iter().map(|part| part.as_bytes());
        self.marks.mark(&[&kind[..], column.as_bytes()].into_iter().chain(parts).collect::<Vec<_>>())
    }

    /// The mark of an external id.
    pub(super) fn mark_external(&self, kind: Kind, system: &str, id: &str) -> Mark {
        self.mark(kind, "external_ids", &[system, id])
    }

    /// The mark of each name that a record has: its key, its external ids, its values that occur once.
    pub(super) fn marks_of(&self, record: &Record) -> Vec<Mark> {
        let Some(entity) = record.entity() else { return Vec::new() };
        let kind = entity.kind();
        let names = kind.info().fields().filter(|info| is_name(kind, info));
        let mut marks: Vec<Mark> = names
            .filter_map(|info| match entity.get(info.index) {
                spil_proto::model::Value::Text(text) => Some(self.mark(kind, info.column, &[&text])),
                _ => None,
            })
            .collect();
        let externals: &[ExternalId] = entity.header().map_or(&[], |header| &header.external_ids);
        marks.extend(externals.iter().map(|external| self.mark_external(kind, &external.system, &external.id)));
        marks
    }

    /// The mark of everything by which a person who was erased is known again: the names, and what no record is looked up by.
    pub(super) fn marks_of_person(&self, record: &Record) -> Vec<Mark> {
        let mut marks = self.marks_of(record);
        if let Some(kind) = record.kind() {
            let handles = other_handles(record);
            marks.extend(handles.into_iter().map(|(column, text)| self.mark(kind, column, &[&text])));
        }
        marks
    }

    /// What is kept of the hash of a batch that tells who somebody is: without a key the batch could be guessed from it.
    pub(super) fn mark_batch(&self, body_hash: [u8; 16]) -> [u8; 16] {
        self.marks.mark(&[b"batch", &body_hash]).bytes()
    }
}

impl People {
    /// Whether a person was erased.
    pub(super) fn is_erased(&self, id: Uuid) -> bool {
        matches!(self.0.get(&id), Some(Person::Erased))
    }

    /// Seals a part of a record; `None` if the person was erased.
    pub(super) fn seal(&self, record: &Record, part: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match person_of(record).and_then(|id| self.0.get(&id)) {
            Some(Person::Known(key)) => key.seal(&place(record), part).map(Some).ok_or(StoreError::PersonalKey),
            Some(Person::Erased) => Ok(None),
            None => Err(StoreError::PersonalKey),
        }
    }

    /// Gives a record what was sealed of it. One whose person was erased stays as it is.
    pub(super) fn open(&self, record: &mut Record, sealed: &[u8], table: &'static str) -> Result<(), StoreError> {
        let unreadable = || StoreError::Unreadable { table, column: SEALED };
        match person_of(record).and_then(|id| self.0.get(&id)) {
            Some(Person::Known(key)) => {
                let part = key.open(&place(record), sealed).ok_or_else(unreadable)?;
                join(record, &part).ok_or_else(unreadable)
            }
            Some(Person::Erased) => Ok(()),
            None => Err(unreadable()),
        }
    }
}

/// Whether an owner has anything that tells who somebody is.
pub fn needs_personal_key(owner: Owner) -> bool {
    owner.kinds().any(is_sealed)
}

/// Whether a field names a record, so that it is looked up by it, and the name tells who somebody is.
pub(super) fn is_name(kind: Kind, info: &FieldInfo) -> bool {
    (info.unique || info.index == field::KEY) && kind.info().identifies(info.index)
}

/// Where a part of a record belongs: it is opened in no other record and in no other version of it.
fn place(record: &Record) -> Vec<u8> {
    let mut place = record.kind().map_or(0, |kind| kind as u32).to_be_bytes().to_vec();
    place.extend(record.entity().and_then(|entity| entity.header()).map_or(&[][..], |header| &header.id));
    place.extend(version(record).to_be_bytes());
    place
}

fn people_key(key: &PersonalKey) -> Secret {
    key.secret.derive("spil: keys of people")
}

fn marks_key(key: &PersonalKey) -> Secret {
    key.secret.derive("spil: key of marks")
}

async fn wrapped_marks<C: ConnectionTrait>(db: &C) -> Result<Option<Vec<u8>>, StoreError> {
    let statement = Query::select().column("wrapped").from(PERSONAL_KEY).to_owned();
    let row = db.query_one(&statement).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Which of some marks are of names of people who were erased.
async fn erased_names(
    transaction: &DatabaseTransaction,
    marks: impl IntoIterator<Item = Mark>,
) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let mut erased = BTreeSet::new();
    for list in statement::lists(marks.into_iter().map(|mark| mark.bytes().to_vec())) {
        let statement =
            Query::select().column("mark").from(ERASED_NAME).and_where(Expr::col("mark").is_in(list)).to_owned();
        for row in transaction.query_all(&statement).await? {
            erased.insert(row.try_get_by_index(0)?);
        }
    }
    Ok(erased)
}
