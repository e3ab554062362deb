//! Whatever is written, each field is said to be of whoever changed it last.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spil_proto::{
    capability::v1::Capability,
    changefeed::v1::record::Entity,
    model::{Header, Kind},
};

use super::*;

/// A write: some fields get a value each, 0 for none.
type Write = BTreeMap<usize, u8>;

const COLUMNS: [&str; 6] = ["key", "name", "tags", "parent_id", "importance", "maturity_target"];

fn tag(column: &str) -> u32 {
    Kind::Capability.info().field_by_column(column).expect("a field").tag
}

fn record(values: [u8; 6], version: u64) -> Record {
    let text = |value: u8| (value > 0).then(|| value.to_string());
    let number = |value: u8| (value > 0).then(|| i32::from(value));
    let header = Header {
        key: text(values[0]),
        name: text(values[1]),
        tags: text(values[2]).into_iter().collect(),
        version,
        updated_at: 1_000 + i64::try_from(version).expect("small"),
        ..Header::default()
    };
    Record {
        entity: Some(Entity::Capability(Capability {
            header: Some(header),
            parent_id: (values[3] > 0).then(|| vec![values[3]; 16]),
            importance: number(values[4]),
            maturity_target: number(values[5]),
            ..Capability::default()
        })),
    }
}

fn origin(number: u8) -> Origin {
    Origin { source: format!("source {number}"), run: String::new(), actor: "somebody".to_owned(), at: number.into() }
}

/// The write of each field.
fn told(provenance: &Provenance) -> BTreeMap<u32, Origin> {
    let mut told = BTreeMap::new();
    for (origin, group) in groups_of(provenance) {
        assert!(group.fields.is_sorted() && !group.fields.is_empty());
        for field in &group.fields {
            assert_eq!(told.insert(*field, origin.clone()), None, "said twice");
        }
    }
    told
}

proptest! {
    #[test]
    fn each_field_is_of_its_last_writer(
        writes in prop::collection::vec((0..4_u8, prop::collection::btree_map(0..6_usize, 0..3_u8, 0..5)), 1..30)
    ) {
        let mut values = [0; 6];
        let mut present: Option<Record> = None;
        let mut provenance: Option<Provenance> = None;
        let mut last_writer = BTreeMap::new();
        for (at, (writer, write)) in writes.iter().enumerate() {
            let (by, write): (Origin, &Write) = (origin(*writer), write);
            for (place, value) in write {
                if values[*place] != *value {
                    values[*place] = *value;
                    last_writer.insert(tag(COLUMNS[*place]), by.clone());
                }
            }
            let after = record(values, u64::try_from(at).expect("small"));
            let fields = changed_fields(present.as_ref(), &after);
            let known = after_write(provenance.as_ref(), &fields, &by);
            prop_assert_eq!(told(&known), last_writer.clone());
            // Writes that account for nothing any more are forgotten.
            let used: Vec<u32> = known.records[0].groups.iter().map(|group| group.origin).collect();
            prop_assert!((0..known.origins.len()).all(|place| used.contains(&u32::try_from(place).expect("small"))));
            (present, provenance) = (Some(after), Some(known));
        }
    }
}

#[test]
fn what_the_owner_keeps_up_to_date_is_no_change() {
    assert!(changed_fields(Some(&record([1; 6], 1)), &record([1; 6], 2)).is_empty());
    assert_eq!(changed_fields(None, &record([1, 0, 0, 0, 0, 0], 1)), [tag("key")]);
    let mut retired = record([1; 6], 3);
    retired.entity_mut().expect("an entity").header_mut().retired_at = Some(5);
    assert_eq!(changed_fields(Some(&record([1; 6], 2)), &retired), [tag("retired_at")]);
}

#[test]
fn what_was_set_before_this_was_kept_stays_unknown() {
    let known = after_write(None, &[tag("name")], &origin(1));
    assert_eq!(told(&known), BTreeMap::from([(tag("name"), origin(1))]));
}

#[test]
fn a_write_is_named_once_for_many_records() {
    let mut gathered = Gathered::default();
    for fields in [&[1, 2][..], &[2], &[]] {
        gathered.push(Some(&after_write(Some(&after_write(None, &[1, 2], &origin(1))), fields, &origin(2))));
    }
    gathered.push(None);
    let gathered = gathered.finish();
    assert_eq!(gathered.origins, [origin(2), origin(1)]);
    let places: Vec<Vec<u32>> =
        gathered.records.iter().map(|record| record.groups.iter().map(|group| group.origin).collect()).collect();
    assert_eq!(places, [vec![0], vec![1, 0], vec![1], vec![]]);
}
