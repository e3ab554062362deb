//! What a batch writes of records that tell who somebody is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use spil_proto::{
    changefeed::v1::{ApplyResponse, ItemResult, Outcome, ProblemCode, Record},
    model::Kind,
};
use uuid::Uuid;

use super::{Store, StoreError, erased_names};
use crate::{
    command::working_set::{Changed, WorkingSet, version},
    rule::problem,
    seal::{Mark, is_sealed, person_of, sealed_fields, split},
};

/// Where stored answers stand.
const ANSWERS: &str = "idempotency";

/// A record as it is written: what may be read by whoever has the database, and the rest, sealed.
#[derive(Debug)]
pub(in crate::store) struct Closed {
    pub(in crate::store) plain: Record,
    /// `None` if there is nothing to seal.
    pub(in crate::store) sealed: Option<Vec<u8>>,
}

/// The records of a batch whose kind tells who somebody is, as they are written; each version is sealed once.
#[derive(Debug, Default)]
pub(in crate::store) struct Sealing {
    closed: HashMap<(Kind, Uuid, u64), Closed>,
}

impl Sealing {
    /// Seals what a batch changed and what is in its answer.
    pub(in crate::store) async fn of(
        store: &Store,
        transaction: &DatabaseTransaction,
        changes: &[Changed<'_>],
        items: &[ItemResult],
    ) -> Result<Self, StoreError> {
        let answered = items.iter().filter_map(|item| item.record.as_ref());
        Self::close(store, transaction, changes.iter().map(|change| change.now).chain(answered)).await
    }

    /// Seals some records.
    pub(super) async fn close(
        store: &Store,
        transaction: &DatabaseTransaction,
        records: impl Iterator<Item = &Record>,
    ) -> Result<Self, StoreError> {
        let mut parts = HashMap::new();
        let mut people = BTreeSet::new();
        for record in records {
            let Some(name) = name(record) else { continue };
            if !is_sealed(name.0) || parts.contains_key(&name) {
                continue;
            }
            let (plain, part) = split(record);
            if part.is_some() {
                people.extend(person_of(record));
            }
            parts.insert(name, (plain, part));
        }
        let people = store.people_to_write(transaction, &people).await?;
        let mut closed = HashMap::with_capacity(parts.len());
        for (name, (plain, part)) in parts {
            let sealed = part.map(|part| people.seal(&plain, &part)).transpose()?.flatten();
            closed.insert(name, Closed { plain, sealed });
        }
        Ok(Self { closed })
    }

    /// A record as it is written; `None` if nothing of its kind is sealed.
    pub(in crate::store) fn find(&self, record: &Record) -> Option<&Closed> {
        self.closed.get(&name(record)?)
    }

    /// An answer without what is sealed, encoded, and that.
    pub(in crate::store) fn answer(&self, response: &ApplyResponse) -> (Vec<u8>, SealedAnswer) {
        let mut sealed = SealedAnswer::default();
        if self.closed.is_empty() {
            return (response.encode_to_vec(), sealed);
        }
        let mut plain = response.clone();
        for (item, result) in plain.items.iter_mut().enumerate() {
            let Some(closed) = result.record.as_ref().and_then(|record| self.find(record)) else { continue };
            if let (Ok(item), Some(part)) = (u32::try_from(item), &closed.sealed) {
                sealed.parts.push(SealedPart { item, sealed: part.clone() });
            }
            result.record = Some(closed.plain.clone());
        }
        (plain.encode_to_vec(), sealed)
    }
}

/// What is sealed of an answer.
#[derive(Clone, PartialEq, Message)]
pub(in crate::store) struct SealedAnswer {
    #[prost(message, repeated, tag = "1")]
    parts: Vec<SealedPart>,
}

/// What is sealed of the record of an item.
#[derive(Clone, PartialEq, Message)]
pub(in crate::store) struct SealedPart {
    #[prost(uint32, tag = "1")]
    item: u32,
    #[prost(bytes = "vec", tag = "2")]
    sealed: Vec<u8>,
}

impl SealedAnswer {
    /// Gives an answer back what was sealed of it.
    pub(in crate::store) async fn open<C: ConnectionTrait>(
        self,
        store: &Store,
        db: &C,
        response: &mut ApplyResponse,
    ) -> Result<(), StoreError> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let unreadable = || StoreError::Unreadable { table: ANSWERS, column: super::SEALED };
        let people =
            store.people(db, response.items.iter().filter_map(|item| person_of(item.record.as_ref()?))).await?;
        for part in self.parts {
            let item = usize::try_from(part.item).ok().and_then(|item| response.items.get_mut(item));
            let record = item.and_then(|item| item.record.as_mut()).ok_or_else(unreadable)?;
            people.open(record, &part.sealed, ANSWERS)?;
        }
        Ok(())
    }
}

fn name(record: &Record) -> Option<(Kind, Uuid, u64)> {
    Some((record.kind()?, record.id()?, version(record)))
}

/// Refuses what would tell again who somebody is who was erased: values for a record of theirs, and a record with a name of theirs.
pub(in crate::store) async fn refuse_erased(
    store: &Store,
    transaction: &DatabaseTransaction,
    set: &WorkingSet,
    items: &mut [ItemResult],
) -> Result<(), StoreError> {
    let mut people: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    let mut names: BTreeMap<Mark, Uuid> = BTreeMap::new();
    for change in set.changed().filter(|change| is_sealed(change.kind)) {
        let Some(entity) = change.now.entity() else { continue };
        if sealed_fields(change.kind).all(|info| entity.get(info.index).is_null()) {
            continue;
        }
        if let Some(person) = person_of(change.now) {
            people.entry(person).or_default().push(change.id);
        }
        if change.kind.info().person {
            let vault = store.vault()?;
            let had = change.stored.map(|stored| vault.marks_of_person(stored)).unwrap_or_default();
            let has = vault.marks_of_person(change.now).into_iter();
            names.extend(has.filter(|mark| !had.contains(mark)).map(|mark| (mark, change.id)));
        }
    }
    if people.is_empty() {
        return Ok(());
    }
    let known = store.people(transaction, people.keys().copied()).await?;
    let mut refused: BTreeSet<Uuid> = BTreeSet::new();
    for (person, records) in &people {
        if known.is_erased(*person) {
            refused.extend(records);
        }
    }
    let erased = erased_names(transaction, names.keys().copied()).await?;
    refused.extend(names.iter().filter(|(mark, _)| erased.contains(&mark.bytes()[..])).map(|(_, id)| *id));
    let fault = || problem("", ProblemCode::Erased, "the person was erased");
    for id in refused {
        let is_stored = set.changed().any(|change| change.id == id && change.stored.is_some());
        let invalid = ItemResult {
            outcome: Outcome::Invalid.into(),
            id: if is_stored { id.as_bytes().to_vec() } else { Vec::new() },
            problems: vec![fault()],
            ..ItemResult::default()
        };
        let mut is_told = false;
        for item in items.iter_mut().filter(|item| item.id == id.as_bytes()) {
            *item = invalid.clone();
            is_told = true;
        }
        // What follows from another command has no answer of its own.
        if !is_told && let Some(first) = items.first_mut() {
            *first = invalid;
        }
    }
    Ok(())
}
