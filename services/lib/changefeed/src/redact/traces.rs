//! What a person leaves in what others have: texts, the subjects of tokens, and what records about the person say.

use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{FieldType, Kind, Value},
};
use uuid::Uuid;

use super::{ERASED, Texts};

/// Where the subject of a token stands, among the texts that are kept of a write or a read.
const SUBJECTS: [&str; 2] = ["actor", "reader"];

/// Everything that is taken out for a person.
pub(crate) struct Traces {
    texts: Texts,
    /// Subjects of tokens, without the prefix of an issuer, which ends with a colon.
    subjects: Vec<String>,
    /// Whoever it is: what records about this person say is taken out whatever it is.
    person: Option<(Kind, Uuid)>,
}

impl Traces {
    /// What is to be taken out.
    pub(crate) fn new(texts: Texts, subjects: &[String], person: Option<(Kind, Uuid)>) -> Self {
        let subjects = subjects.iter().filter(|subject| !subject.is_empty()).cloned().collect();
        Self { texts, subjects, person }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.subjects.is_empty() && self.person.is_none()
    }

    /// A text with what is looked for replaced; `None` if nothing of it occurs.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        self.texts.redact(text)
    }

    /// The same of a text from a column: one that holds the subject of a token may be the person's as a whole.
    pub(crate) fn redact_in(&self, column: &str, text: &str) -> Option<String> {
        let is_subject = |subject: &String| {
            text.strip_suffix(subject.as_str()).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(':'))
        };
        if SUBJECTS.contains(&column) && self.subjects.iter().any(is_subject) {
            return Some(ERASED.to_owned());
        }
        self.redact(text)
    }

    /// Whether a text holds any of them.
    pub(crate) fn occur(&self, text: &str) -> bool {
        self.texts.occur(text)
    }

    /// Whether a write names the person.
    pub(crate) fn occur_in(&self, origin: &Origin) -> bool {
        self.redact_in("actor", &origin.actor).is_some() || self.texts.occur_in(origin)
    }

    /// Takes them out of a record, but not out of what is sealed if that is to be spared. Answers whether there was anything.
    pub(crate) fn redact_record(&self, record: &mut Record, spares_sealed: bool) -> bool {
        let is_emptied = self.empty(record);
        self.texts.redact_record(record, spares_sealed) || is_emptied
    }

    /// Empties the texts of a record that is about the person, but for those that are sealed with the key of the person.
    fn empty(&self, record: &mut Record) -> bool {
        let (Some((person_kind, person)), Some(kind)) = (self.person, record.kind()) else { return false };
        let Some(entity) = record.entity_mut() else { return false };
        let subject = kind.info().subject.and_then(|index| kind.info().field(index));
        let is_about = subject.is_some_and(|info| {
            matches!(info.ty, FieldType::Ref(to) if to == person_kind) && entity.get(info.index) == Value::Id(person)
        });
        let mut is_changed = false;
        for info in kind.info().fields().filter(|info| is_about && info.writable && !info.required) {
            let is_text = matches!(
                info.ty,
                FieldType::Text | FieldType::TextList | FieldType::ExternalIds | FieldType::Translations
            );
            if is_text && !kind.info().identifies(info.index) && !entity.get(info.index).is_null() {
                // To clear a field never fails.
                let _ = entity.set(info.index, Value::Null);
                is_changed = true;
            }
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::{
        changefeed::v1::record::Entity,
        initiative::v1::Stakeholder,
        model::{ExternalId, Header, Translation},
    };

    use super::*;

    const PERSON: (Kind, Uuid) = (Kind::Worker, Uuid::from_u128(7));

    fn traces() -> Traces {
        Traces::new(Texts::new(["Jan Janssen"]), &["jan".to_owned(), String::new()], Some(PERSON))
    }

    fn stake(worker: u128) -> Record {
        let header = Header {
            id: Uuid::from_u128(1).as_bytes().to_vec(),
            key: Some("S".into()),
            external_ids: vec![ExternalId { system: "x".into(), id: "y".into() }],
            name: Some("Jan".into()),
            description: Some("likes it".into()),
            tags: vec!["keen".into()],
            translations: vec![Translation { language: "nl".into(), name: "Jan".into() }],
            version: 3,
            ..Header::default()
        };
        let stake = Stakeholder {
            header: Some(header),
            worker_id: Some(Uuid::from_u128(worker).as_bytes().to_vec()),
            fte: Some(0.5),
            ..Stakeholder::default()
        };
        Record { entity: Some(Entity::Stakeholder(stake)) }
    }

    #[test]
    fn what_is_about_the_person_says_nothing_any_more() {
        let mut record = stake(7);
        assert!(traces().redact_record(&mut record, false));
        let Some(Entity::Stakeholder(left)) = &record.entity else { panic!("another kind") };
        let header = Header { id: Uuid::from_u128(1).as_bytes().to_vec(), version: 3, ..Header::default() };
        assert_eq!((left.header.as_ref(), left.fte), (Some(&header), Some(0.5)));
        assert!(!traces().redact_record(&mut record, false), "once is enough");
        let mut other = stake(8);
        assert!(!traces().redact_record(&mut other, false));
        assert_eq!(other, stake(8));
    }

    #[test]
    fn a_subject_is_one_as_a_whole() {
        for (actor, becomes) in [
            ("jan", Some("[erased]")),
            ("staff:jan", Some("[erased]")),
            ("staff:jan janssen", Some("staff:[erased]")),
            ("janine", None),
            ("jan@example.org", None),
            ("staff:other-jan", None),
        ] {
            assert_eq!(traces().redact_in("actor", actor).as_deref(), becomes, "{actor}");
        }
        assert_eq!(traces().redact_in("reader", "jan").as_deref(), Some("[erased]"));
        assert_eq!(traces().redact_in("reason", "jan"), None);
        let origin = Origin { actor: "jan".into(), ..Origin::default() };
        assert!(traces().occur_in(&origin));
        assert!(!Traces::new(Texts::new([]), &[String::new()], None).occur_in(&origin));
    }

    #[test]
    fn nothing_is_looked_for_where_nobody_is_named() {
        assert!(Traces::new(Texts::new([]), &[String::new()], None).is_empty());
        assert!(!Traces::new(Texts::new([]), &[], Some(PERSON)).is_empty());
    }
}
