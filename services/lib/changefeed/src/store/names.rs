//! By which texts a person is or was known: what an erasure has to look for elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::{
    changefeed::v1::Record,
    model::{ExternalId, FieldType, Kind, Naming, Value, field},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    log::CHANGE,
    row,
    seal::{PERSON_KEY, SEALED},
    statement,
};
use crate::{Names, redact, seal::is_sealed};

/// How many rows are read at once.
const PAGE: u64 = 500;
/// The most texts of a person: more are of no person.
pub(crate) const MAX_NAMES: usize = 10_000;
/// How many characters a text must have to be looked for: shorter ones stand everywhere.
const MIN_CHARS: usize = 4;
/// How many it must have to be replaced where it is nothing but digits: shorter ones are years, amounts and codes of other things.
const MIN_DIGITS: usize = 6;

/// Texts by which people can be told from each other, as they are compared.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What names somebody in a record: each text, how it names, and whether it is an address.
pub(super) fn naming_texts(record: &Record, mut take: impl FnMut(&str, Naming)) {
    let Some(entity) = record.entity() else { return };
    let info = entity.kind().info();
    for (field, naming) in info.fields().filter_map(|field| Some((field, info.naming(field.index)?))) {
        match entity.get(field.index) {
            Value::Text(text) => take(&text, naming),
            Value::Texts(texts) => texts.iter().for_each(|text| take(text, naming)),
            Value::ExternalIds(ids) => ids.iter().for_each(|external: &ExternalId| take(&external.id, naming)),
            Value::Translations(names) => names.iter().for_each(|name| take(&name.name, naming)),
            _ => {}
        }
    }
}

/// The handles of a person that no row can be looked up by: those are looked up by marks that are made the same way. Each with its field.
pub(super) fn other_handles(record: &Record) -> Vec<(&'static str, String)> {
    let Some(entity) = record.entity() else { return Vec::new() };
    let info = entity.kind().info();
    let handles = info.own.iter().filter(|field| !field.unique && info.naming(field.index) == Some(Naming::Handle));
    let handles = handles.filter_map(|field| match entity.get(field.index) {
        Value::Text(text) => Some((field.column, folded(&text))),
        _ => None,
    });
    handles.collect()
}

/// Texts, those that differ in case alone once.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl Texts {
    fn add(&mut self, text: &str) {
        let text = text.trim();
        self.0.entry(folded(text)).or_insert_with(|| text.to_owned());
    }

    fn into_vec(self) -> Vec<String> {
        self.0.into_values().collect()
    }
}

impl Store {
    /// By which texts a person, live or retired, is or was known; `None` if there is none, and nothing if the person was erased. `subjects` says by which
    /// subjects of tokens a record of the person is known. What occurs in what others are or were called, or in the names of the kinds of the
    /// `vocabulary`, is doubtful.
    pub(crate) async fn names_of(
        &self,
        kind: Kind,
        person: Uuid,
        vocabulary: &[Kind],
        subjects: impl Fn(&Record) -> Vec<String>,
    ) -> Result<Option<Names>, StoreError> {
        let db = &self.inner.reader;
        let mut select = row::select(kind);
        select.and_where(Expr::col("id").eq(person));
        let rows = db.query_all(&select).await?;
        let mut versions: Vec<Record> =
            self.read_rows(db, kind, &rows).await?.into_iter().map(|(record, _)| record).collect();
        if versions.is_empty() {
            return Ok(None);
        }
        if self.erased_at(db, person).await?.is_some() {
            return Ok(Some(Names::default()));
        }
        versions.extend(self.versions(db, kind, &[person]).await?);
        let (mut handles, mut names, mut known_by) = (Texts::default(), Texts::default(), BTreeSet::new());
        for record in &versions {
            naming_texts(record, |text, naming| match naming {
                Naming::Handle => handles.add(text),
                Naming::Name => names.add(text),
            });
            known_by.extend(subjects(record));
        }
        let (mut sure, mut doubtful) = (Texts::default(), Texts::default());
        for text in handles.0.into_values() {
            if is_telling(&text) { sure.add(&text) } else { doubtful.add(&text) }
        }
        for text in names.0.into_values() {
            let has_words = text.split_whitespace().nth(1).is_some();
            if has_words { sure.add(&text) } else { doubtful.add(&text) }
        }
        for text in self.words_of_others((kind, person), vocabulary, &sure).await? {
            sure.0.remove(&folded(&text));
            doubtful.add(&text);
        }
        for text in self.codes_about(kind, person).await? {
            sure.add(&text);
        }
        doubtful.0.retain(|folded, text| text.chars().count() >= MIN_CHARS && !sure.0.contains_key(folded));
        sure.0.retain(|_, text| text.chars().count() >= MIN_CHARS);
        known_by.remove("");
        Ok(Some(Names {
            texts: sure.into_vec(),
            doubtful: doubtful.into_vec(),
            subjects: known_by.into_iter().collect(),
        }))
    }

    /// Every version of some records that the log keeps, oldest first.
    pub(super) async fn versions<C: ConnectionTrait>(
        &self,
        db: &C,
        kind: Kind,
        records: &[Uuid],
    ) -> Result<Vec<Record>, StoreError> {
        let mut versions = Vec::new();
        for list in statement::lists(records.iter().copied()) {
            let mut after = (0_i64, -1_i32);
            loop {
                let (revision, ordinal) = after;
                let later = Expr::col("revision").gt(revision);
                let same = Expr::col("revision").eq(revision).and(Expr::col("ordinal").gt(ordinal));
                let select = Query::select()
                    .columns(["revision", "record", "fields", SEALED, "ordinal"])
                    .from(CHANGE)
                    .and_where(Expr::col("kind").eq(kind as i32))
                    .and_where(Expr::col("record_id").is_in(list.clone()))
                    .and_where(later.or(same))
                    .order_by("revision", Order::Asc)
                    .order_by("ordinal", Order::Asc)
                    .limit(PAGE)
                    .to_owned();
                let rows = db.query_all(&select).await?;
                if let Some(last) = rows.last() {
                    after = (last.try_get_by_index(0)?, last.try_get_by_index(4)?);
                }
                versions.extend(self.read_changes(&rows).await?.into_iter().filter_map(|(_, change)| change.record));
                if (rows.len() as u64) < PAGE {
                    break;
                }
            }
        }
        Ok(versions)
    }

    /// Which of some texts occur, as words, in what other people are called, retired ones too, or in what records of the vocabulary are.
    async fn words_of_others(
        &self,
        (person_kind, person): (Kind, Uuid),
        vocabulary: &[Kind],
        texts: &Texts,
    ) -> Result<Vec<String>, StoreError> {
        let db = &self.inner.reader;
        let any = redact::Texts::new(texts.0.values().map(String::as_str));
        // One by one only where there is one at all.
        let single: Vec<_> = texts.0.values().map(|text| (text, redact::Texts::new([text.as_str()]))).collect();
        let mut found = BTreeSet::new();
        for kind in [person_kind].iter().chain(vocabulary).copied() {
            let mut after = None;
            loop {
                let mut select = row::select(kind);
                select.and_where(Expr::col("id").ne(person)).order_by("id", Order::Asc).limit(PAGE);
                if let Some(after) = after {
                    select.and_where(Expr::col("id").gt(after));
                }
                let rows = db.query_all(&select).await?;
                for (record, _) in self.read_rows(db, kind, &rows).await? {
                    after = record.id();
                    let mut look = |text: &str| {
                        if any.occur(text) {
                            let holds = single.iter().filter(|(_, one)| one.occur(text));
                            found.extend(holds.map(|(text, _)| (*text).clone()));
                        }
                    };
                    if kind == person_kind {
                        naming_texts(&record, |text, _| look(text));
                    } else if let Some(header) = record.entity().and_then(|entity| entity.header()) {
                        header.name.iter().chain(&header.key).for_each(|text| look(text));
                        header.translations.iter().for_each(|name| look(&name.name));
                    }
                }
                if (rows.len() as u64) < PAGE {
                    break;
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// What other live people of a kind are called, and their handles, as they are compared.
    pub(super) async fn borne_by_others(&self, kind: Kind, person: Uuid) -> Result<HashSet<String>, StoreError> {
        let mut borne = HashSet::new();
        let mut after = None;
        loop {
            let mut select = row::select(kind);
            select
                .and_where(Expr::col("retired_at").is_null())
                .and_where(Expr::col("id").ne(person))
                .order_by("id", Order::Asc)
                .limit(PAGE);
            if let Some(after) = after {
                select.and_where(Expr::col("id").gt(after));
            }
            let rows = self.inner.reader.query_all(&select).await?;
            for (record, _) in self.read_rows(&self.inner.reader, kind, &rows).await? {
                after = record.id();
                naming_texts(&record, |text, _| {
                    borne.insert(folded(text));
                });
            }
            if (rows.len() as u64) < PAGE {
                return Ok(borne);
            }
        }
    }

    /// Keys and external ids of the records that are about a person, as they are and were, but for those that a record which tells nobody who
    /// anybody is has too.
    async fn codes_about(&self, person_kind: Kind, person: Uuid) -> Result<Vec<String>, StoreError> {
        let db = &self.inner.reader;
        let mut codes = BTreeSet::new();
        for kind in self.inner.owner.kinds().filter(|kind| is_sealed(*kind)) {
            let subject = kind.info().subject.and_then(|index| kind.info().field(index));
            let Some(info) = subject.filter(|info| matches!(info.ty, FieldType::Ref(to) if to == person_kind)) else {
                continue;
            };
            let mut select = row::select(kind);
            select.and_where(Expr::col(info.column).eq(person));
            let rows = db.query_all(&select).await?;
            let mut records: Vec<Record> =
                self.read_rows(db, kind, &rows).await?.into_iter().map(|(record, _)| record).collect();
            let ids: Vec<Uuid> = records.iter().filter_map(Record::id).collect();
            records.extend(self.versions(db, kind, &ids).await?);
            for record in &records {
                naming_texts(record, |text, naming| {
                    if naming == Naming::Handle && is_telling(text) {
                        codes.insert(text.trim().to_owned());
                    }
                });
            }
        }
        for kind in self.inner.owner.kinds().filter(|kind| !kind.info().identifies(field::KEY)) {
            for list in statement::lists(codes.clone()) {
                for column in ["key", "external_id"] {
                    let mut select = Query::select();
                    match column {
                        "key" => select.column(column).from(kind.info().table),
                        _ => select.column(column).from("external_id").and_where(Expr::col("kind").eq(kind as i32)),
                    };
                    select.and_where(Expr::col(column).is_in(list.clone()));
                    for found in db.query_all(&select).await? {
                        codes.remove(&found.try_get_by_index::<String>(0)?);
                    }
                }
            }
        }
        Ok(codes.into_iter().collect())
    }

    /// When a person was erased; `None` if that was not done.
    pub(super) async fn erased_at<C: ConnectionTrait>(&self, db: &C, person: Uuid) -> Result<Option<i64>, StoreError> {
        let statement = Query::select()
            .column("erased_at")
            .from(PERSON_KEY)
            .and_where(Expr::col("person_id").eq(person))
            .to_owned();
        let Some(found) = db.query_one(&statement).await? else { return Ok(None) };
        let at: Option<chrono::DateTime<chrono::Utc>> = found.try_get_by_index(0)?;
        Ok(at.map(|at| at.timestamp_micros()))
    }
}

/// Whether a handle is long enough, and enough unlike a word or a year, to stand for one person wherever it stands.
fn is_telling(text: &str) -> bool {
    let text = text.trim();
    let is_number = text.chars().all(|char| char.is_ascii_digit());
    text.chars().count() >= if is_number { MIN_DIGITS } else { MIN_CHARS }
        && (text.contains('@') || text.chars().any(|char| char.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use spil_proto::{
        changefeed::v1::record::Entity,
        model::{Header, Translation},
        workforce::v1::Worker,
    };

    use super::*;

    #[test]
    fn a_worker_is_named_by_handles_and_names() {
        let header = Header {
            key: Some("K-77".into()),
            external_ids: vec![ExternalId { system: "hr".into(), id: "hr-9".into() }],
            name: Some("A. Kemp".into()),
            description: Some("likes tea".into()),
            tags: vec!["tall".into()],
            translations: vec![Translation { language: "nl".into(), name: "A. van der Kemp".into() }],
            ..Header::default()
        };
        let worker = Worker {
            header: Some(header),
            number: Some("4711".into()),
            display_name: Some("Anna Kemp".into()),
            email: Some("Anna@Example.org ".into()),
            contestation: Some("not so".into()),
            ..Worker::default()
        };
        let record = Record { entity: Some(Entity::Worker(worker)) };
        let mut found = Vec::new();
        naming_texts(&record, |text, naming| found.push((text.to_owned(), naming)));
        let of = |kind: Naming| -> Vec<&str> {
            found.iter().filter(|(_, naming)| *naming == kind).map(|(text, _)| text.as_str()).collect()
        };
        assert_eq!(of(Naming::Handle), ["K-77", "hr-9", "4711", "Anna@Example.org "]);
        assert_eq!(of(Naming::Name), ["A. Kemp", "A. van der Kemp", "Anna Kemp"]);
        let others = [("number", "4711".to_owned()), ("email", "anna@example.org".to_owned())];
        assert_eq!(other_handles(&record), others);
    }

    #[test]
    fn what_could_be_a_word_is_no_telling_handle() {
        for text in ["P-9988", "471100", "a@b.c", " 123456 "] {
            assert!(is_telling(text), "{text}");
        }
        for text in ["", "12", "P-1", "zwaluw", "KEY-Zwaluw", "2026", " 47110 "] {
            assert!(!is_telling(text), "{text}");
        }
    }
}
