//! What is no longer of use is given back, which no reader can see.

use super::*;

fn skill(number: u128, broader: &[u128]) -> Record {
    let mut record = Record::empty(Kind::Skill);
    let entity = record.entity_mut().unwrap();
    entity.set(field::ID, Value::Id(Uuid::from_u128(number))).unwrap();
    entity.set(field::KEY, Value::Text(format!("skill {number}").into())).unwrap();
    let item = ExternalId { system: "esco".to_owned(), id: number.to_string() };
    entity.set(field::EXTERNAL_IDS, Value::ExternalIds(vec![item].into())).unwrap();
    let ids = broader.iter().map(|number| Uuid::from_u128(*number)).collect();
    entity.set(broader_ids(), Value::Ids(ids)).unwrap();
    record
}

fn retired(number: u128) -> Record {
    let mut record = Record::empty(Kind::Skill);
    let entity = record.entity_mut().unwrap();
    entity.set(field::ID, Value::Id(Uuid::from_u128(number))).unwrap();
    entity.set(field::RETIRED_AT, Value::DateTime(1)).unwrap();
    record
}

fn broader_ids() -> usize {
    Kind::Skill.info().field_by_column("broader_ids").unwrap().index
}

fn entries(table: &Table) -> [usize; 3] {
    [table.by_id.len(), table.by_key.len(), table.by_external_id.len()]
}

#[test]
fn rows_and_index_entries_of_retired_records_are_used_again() {
    let mut graph = Graph::new();
    for number in 1..2000 {
        // One target that never comes, and one that has been there.
        graph.apply(&skill(number, &[number + 1_000_000, number - 1, number])).unwrap();
        if number > 1 {
            graph.apply(&retired(number - 1)).unwrap();
        }
    }
    let table = graph.raw(Kind::Skill);
    assert_eq!(table.live.len(), 1);
    assert_eq!(entries(table), [3, 1, 1]);
    assert!(table.rows <= 8, "{} rows", table.rows);
    graph.apply(&retired(1999)).unwrap();
    assert_eq!(entries(graph.raw(Kind::Skill)), [0, 0, 0]);
    assert_eq!(graph.dangling(), []);
}

#[test]
fn a_change_of_references_frees_what_only_they_led_to() {
    let mut graph = Graph::new();
    graph.apply(&skill(1, &[10, 11, 12])).unwrap();
    graph.apply(&skill(1, &[12, 13])).unwrap();
    assert_eq!(entries(graph.raw(Kind::Skill)), [3, 1, 1]);
    assert_eq!(graph.raw(Kind::Skill).row_of(Uuid::from_u128(12)), None);
}

#[test]
fn a_cleared_owner_leaves_only_what_others_refer_to() {
    let mut graph = Graph::new();
    let mut capability = Record::empty(Kind::Capability);
    let entity = capability.entity_mut().unwrap();
    let required = Kind::Capability.info().field_by_column("required_skill_ids").unwrap().index;
    entity.set(field::ID, Value::Id(Uuid::from_u128(1))).unwrap();
    entity.set(required, Value::Ids(vec![Uuid::from_u128(5)])).unwrap();
    graph.apply(&capability).unwrap();
    for number in 1..1000 {
        graph.apply(&skill(number, &[number + 1])).unwrap();
    }
    graph.clear(Owner::Workforce);
    assert_eq!(entries(graph.raw(Kind::Skill)), [1, 0, 0]);
    for number in 1..1000 {
        graph.apply(&skill(number, &[])).unwrap();
    }
    let table = graph.raw(Kind::Skill);
    assert_eq!((table.live.len(), entries(table)), (999, [999, 999, 999]));
    assert!(table.rows <= 1024, "{} rows", table.rows);
    assert_eq!(graph.dangling(), []);
    graph.clear(Owner::Capability);
    graph.clear(Owner::Workforce);
    assert_eq!(graph.raw(Kind::Skill).rows, 0);
}

#[test]
fn what_can_not_be_applied_changes_nothing() {
    let mut graph = Graph::new();
    assert_eq!(graph.apply(&Record { entity: None }), Err(ApplyError::UnknownKind));
    assert_eq!(graph.apply(&Record::empty(Kind::Skill)), Err(ApplyError::NoId { kind: Kind::Skill }));
    let id = Uuid::from_u128(1);
    let benefit = spil_proto::initiative::v1::Benefit {
        header: Some(spil_proto::model::Header { id: id.as_bytes().to_vec(), ..Default::default() }),
        value: Some("much".to_owned()),
        ..Default::default()
    };
    let record = Record { entity: Some(spil_proto::changefeed::v1::record::Entity::Benefit(benefit)) };
    let expected = ApplyError::Malformed { kind: Kind::Benefit, id, column: "value" };
    assert_eq!(graph.apply(&record), Err(expected));
    assert_eq!(graph.raw(Kind::Benefit).rows, 0);
}
