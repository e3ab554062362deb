//! The table is whole and says the same as the messages.

use std::collections::HashSet;

use prost::Message;

use super::*;

#[test]
fn numbers_of_fields_are_their_places() {
    for kind in Kind::ALL {
        for (place, info) in kind.info().fields().enumerate() {
            assert_eq!(info.index, place, "{kind:?}.{}", info.name);
            assert_eq!(kind.info().field(place).map(|found| found.name), Some(info.name));
        }
        assert_eq!(Kind::from_number(*kind as u32), Some(*kind));
    }
    for (index, column) in [
        (field::ID, "id"),
        (field::KEY, "key"),
        (field::EXTERNAL_IDS, "external_ids"),
        (field::NAME, "name"),
        (field::DESCRIPTION, "description"),
        (field::TAGS, "tags"),
        (field::TRANSLATIONS, "translations"),
        (field::VERSION, "version"),
        (field::CREATED_AT, "created_at"),
        (field::UPDATED_AT, "updated_at"),
        (field::RETIRED_AT, "retired_at"),
    ] {
        assert_eq!(HEADER_FIELDS[index].column, column);
    }
    assert_eq!(HEADER_FIELDS.len(), field::OWN);
}

#[test]
fn every_name_on_a_kind_means_one_thing() {
    for kind in Kind::ALL {
        let mut names = HashSet::new();
        for info in kind.info().fields() {
            assert!(names.insert(info.name), "{kind:?}.{} twice", info.name);
        }
        let relations = kind.relations();
        for relation in &relations {
            assert!(!relation.name.is_empty(), "{kind:?} has a relation without a name");
            assert!(names.insert(relation.name), "{kind:?}.{} twice", relation.name);
        }
        assert_eq!(
            relations.len(),
            kind.direct_relations().len() + kind.tree_relations().len() + kind.info().paths.len(),
            "a path of {kind:?} leads nowhere"
        );
    }
}

#[test]
fn what_belongs_somewhere_gets_there() {
    for kind in Kind::ALL {
        let info = kind.info();
        assert_eq!(kind.belongs_to().len(), info.belongs_to.len(), "{kind:?} belongs to what is no relation of it");
        let subject = info.subject.and_then(|index| info.field(index)).map(|field| field.ty);
        assert!(
            subject.is_none_or(|ty| matches!(ty, FieldType::Ref(to) if to.info().person)),
            "the subject of {kind:?} is no person"
        );
    }
}

#[test]
fn whatever_leads_to_a_person_is_personal() {
    for kind in Kind::ALL {
        let info = kind.info();
        let leads = |ty: &FieldType| matches!(ty, FieldType::Ref(to) | FieldType::RefList(to) if to.info().person);
        for field in info.own.iter().filter(|field| info.person || leads(&field.ty)) {
            assert!(field.personal.is_some(), "{kind:?}.{} is in no register", field.name);
        }
    }
}

#[test]
fn what_tells_who_somebody_is_belongs_to_a_person() {
    for kind in Kind::ALL {
        let info = kind.info();
        let identifies = info.fields().any(|field| info.identifies(field.index));
        assert!(!identifies || info.person || info.subject.is_some(), "{kind:?} identifies nobody's record");
        assert!(!info.identifies(field::ID) && !info.identifies(field::VERSION));
    }
    assert!(Kind::Worker.info().identifies(field::KEY));
    assert!(!Kind::Role.info().identifies(field::KEY));
}

#[test]
fn every_field_of_every_kind_can_be_written_and_read_back() {
    let external = [ExternalId { system: "hr".into(), id: "7".into() }];
    let translations = [Translation { language: "nl".into(), name: "Naam".into() }];
    for kind in Kind::ALL {
        for info in kind.info().fields() {
            let value = match info.ty {
                FieldType::Id | FieldType::Ref(_) => Value::Id(uuid::Uuid::from_u128(7)),
                FieldType::RefList(_) => Value::Ids(vec![uuid::Uuid::from_u128(7), uuid::Uuid::from_u128(8)]),
                FieldType::Text => Value::Text("text".into()),
                FieldType::TextList => Value::Texts(vec!["a".to_owned()].into()),
                FieldType::Bool => Value::Bool(true),
                FieldType::Int => Value::Int(3),
                FieldType::Float => Value::Float(0.5),
                FieldType::Decimal => Value::Decimal("12.5".parse().expect("a decimal")),
                FieldType::Date => Value::Date(20_000),
                FieldType::DateTime => Value::DateTime(1_700_000_000_000_000),
                FieldType::Enum(list) => Value::Enum(list.values[0].number),
                FieldType::EnumList(list) => Value::Enums(vec![list.values[0].number].into()),
                FieldType::ExternalIds => Value::ExternalIds((&external[..]).into()),
                FieldType::Translations => Value::Translations((&translations[..]).into()),
            };
            let mut record = Record::empty(*kind);
            record
                .entity_mut()
                .expect("an entity")
                .set(info.index, value.clone())
                .unwrap_or_else(|error| panic!("{kind:?}.{}: {error}", info.name));
            let copy = Record::decode(record.encode_to_vec().as_slice()).expect("what was encoded");
            assert_eq!(copy.kind(), Some(*kind));
            assert_eq!(copy.entity().expect("an entity").get(info.index), value, "{kind:?}.{}", info.name);
            let wrong = if matches!(info.ty, FieldType::Bool) { Value::Int(1) } else { Value::Bool(true) };
            assert!(record.entity_mut().expect("an entity").set(info.index, wrong).is_err(), "{kind:?}.{}", info.name);
        }
    }
}
