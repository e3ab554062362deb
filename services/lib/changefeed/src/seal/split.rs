//! Cutting a record into what may be read by whoever has the database, and what may not.

use prost::Message;
use spil_proto::{
    changefeed::v1::Record,
    model::{FieldInfo, Kind, Value},
};
use uuid::Uuid;

/// The fields of a kind whose values are sealed.
pub(crate) fn sealed_fields(kind: Kind) -> impl Iterator<Item = &'static FieldInfo> {
    kind.info().fields().filter(move |info| kind.info().identifies(info.index))
}

/// Whether anything of a kind is sealed.
pub(crate) fn is_sealed(kind: Kind) -> bool {
    sealed_fields(kind).next().is_some()
}

/// The person with whose key a record is sealed: whose data it is; of a record without one, itself.
pub(crate) fn person_of(record: &Record) -> Option<Uuid> {
    let entity = record.entity()?;
    let subject = entity.kind().info().subject.map(|index| entity.get(index));
    match subject {
        Some(Value::Id(person)) => Some(person),
        _ => record.id(),
    }
}

/// A record without what is sealed, and that, encoded as a message of the same kind; `None` if it has no such value.
pub(crate) fn split(record: &Record) -> (Record, Option<Vec<u8>>) {
    let mut plain = record.clone();
    let (Some(kind), Some(from)) = (record.kind(), record.entity()) else { return (plain, None) };
    let mut sealed = Record::empty(kind);
    let mut is_any = false;
    if let (Some(plain), Some(sealed)) = (plain.entity_mut(), sealed.entity_mut()) {
        for info in sealed_fields(kind) {
            let value = from.get(info.index);
            if value.is_null() {
                continue;
            }
            // The value is the field's own, so neither fails.
            let _ = sealed.set(info.index, value);
            let _ = plain.set(info.index, Value::Null);
            is_any = true;
        }
    }
    (plain, is_any.then(|| sealed.encode_to_vec()))
}

/// Gives a record back what was sealed. `None` if the bytes are not of a record of its kind.
pub(crate) fn join(plain: &mut Record, sealed: &[u8]) -> Option<()> {
    let kind = plain.kind()?;
    plain.merge(sealed).ok()?;
    (plain.kind() == Some(kind)).then_some(())
}

#[cfg(test)]
mod tests {
    use spil_proto::{
        changefeed::v1::record::Entity,
        model::{ExternalId, Header, Owner, Translation},
        workforce::v1::{SkillAssertion, Worker},
    };

    use super::*;

    fn worker() -> Record {
        let id = Uuid::from_u128(7).as_bytes().to_vec();
        let header = Header {
            id,
            key: Some("W-7".into()),
            external_ids: vec![ExternalId { system: "hr".into(), id: "4711".into() }],
            name: Some("Aleida".into()),
            tags: vec!["first".into(), "second".into()],
            translations: vec![Translation { language: "nl".into(), name: "Aleida".into() }],
            version: 3,
            created_at: 5,
            updated_at: 6,
            ..Header::default()
        };
        let worker = Worker {
            header: Some(header),
            number: Some("4711".into()),
            display_name: Some("Aleida".into()),
            email: Some("aleida@example.org".into()),
            status: 2,
            is_contractor: Some(false),
            contestation: Some("Aleida is not my name".into()),
        };
        Record { entity: Some(Entity::Worker(worker)) }
    }

    #[test]
    fn the_parts_of_a_record_are_the_record() {
        let record = worker();
        let (plain, sealed) = split(&record);
        let sealed = sealed.expect("something");
        let seen = plain.encode_to_vec();
        for name in ["Aleida", "4711", "W-7", "first"] {
            assert!(!seen.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
        }
        let mut back = plain.clone();
        join(&mut back, &sealed).expect("joined");
        assert_eq!(back, record);
        // The encodings one after the other are the encoding of a record that is the same.
        let both = [plain.encode_to_vec(), sealed].concat();
        assert_eq!(Record::decode(both.as_slice()).expect("a record"), record);
        assert_eq!(split(&plain), (plain, None), "nothing is left to be sealed");
    }

    #[test]
    fn a_claim_is_sealed_with_the_key_of_its_worker() {
        let person = Uuid::from_u128(7);
        let claim = SkillAssertion {
            header: Some(Header { id: Uuid::from_u128(9).as_bytes().to_vec(), ..Header::default() }),
            worker_id: Some(person.as_bytes().to_vec()),
            level: Some(4),
            contestation: Some("I am better".into()),
            ..SkillAssertion::default()
        };
        let record = Record { entity: Some(Entity::SkillAssertion(claim)) };
        assert_eq!(person_of(&record), Some(person));
        assert_eq!(person_of(&worker()), Some(person));
        let (plain, sealed) = split(&record);
        let Some(Entity::SkillAssertion(plain)) = plain.entity else { panic!("another kind") };
        assert_eq!((plain.level, plain.contestation), (Some(4), None));
        assert!(sealed.is_some());
    }

    #[test]
    fn what_is_of_another_kind_does_not_join() {
        let (mut plain, _) = split(&worker());
        assert_eq!(join(&mut plain, &Record::empty(Kind::Role).encode_to_vec()), None);
        assert_eq!(join(&mut plain, &[0xff; 9]), None);
    }

    #[test]
    fn nothing_by_which_records_hang_together_is_sealed() {
        for kind in Owner::ALL.into_iter().flat_map(Owner::kinds) {
            for info in sealed_fields(kind) {
                assert!(info.relation.is_empty() && info.writable && !info.required, "{kind:?}.{}", info.name);
            }
            assert!(!is_sealed(kind) || kind.info().person || kind.info().subject.is_some(), "{kind:?}");
        }
        assert!(is_sealed(Kind::Worker) && is_sealed(Kind::SkillAssertion) && !is_sealed(Kind::Role));
    }
}
