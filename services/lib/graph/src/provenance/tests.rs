//! Whatever happens, a field is said to be of the write that set it last.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spil_proto::{
    changefeed::v1::FieldGroup,
    model::{Owner, Value, field},
};
use uuid::Uuid;

use super::*;

const COLUMNS: [&str; 5] = ["key", "name", "tags", "uri", "broader_ids"];
/// More than two blocks, few of which are used.
const IDS: [u128; 6] = [1, 2, 3, 300, 301, 600];

/// For each record the write of each field.
type Naive = BTreeMap<u128, BTreeMap<usize, i64>>;

#[derive(Clone, Debug)]
enum Event {
    Change { record: usize, fields: Vec<usize>, at: i64 },
    Known { record: usize, groups: Vec<(Vec<usize>, i64)> },
    Silent { record: usize },
    Retire { record: usize },
    Clear,
    Publish,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let record = || 0..IDS.len();
    let fields = || prop::collection::vec(0..COLUMNS.len(), 0..4);
    let event = prop_oneof![
        12 => (record(), fields(), 0..5_i64).prop_map(|(record, fields, at)| Event::Change { record, fields, at }),
        4 => (record(), prop::collection::vec((fields(), 0..5_i64), 0..3))
            .prop_map(|(record, groups)| Event::Known { record, groups }),
        1 => record().prop_map(|record| Event::Silent { record }),
        2 => record().prop_map(|record| Event::Retire { record }),
        1 => Just(Event::Clear),
        3 => Just(Event::Publish),
    ];
    prop::collection::vec(event, 1..80)
}

fn index(column: &str) -> usize {
    Kind::Skill.info().field_by_column(column).unwrap().index
}

fn tags(fields: &[usize]) -> Vec<u32> {
    fields.iter().map(|place| Kind::Skill.info().field_by_column(COLUMNS[*place]).unwrap().tag).collect()
}

fn origin(at: i64) -> Arc<Origin> {
    Arc::new(Origin { source: "s".to_owned(), run: String::new(), actor: format!("actor {at}"), at })
}

fn skill(id: u128, name: &str) -> Record {
    let mut record = Record::empty(Kind::Skill);
    let entity = record.entity_mut().unwrap();
    entity.set(field::ID, Value::Id(Uuid::from_u128(id))).unwrap();
    entity.set(field::NAME, Value::Text(name.to_owned().into())).unwrap();
    record
}

fn check(graph: &Graph, naive: &Naive) {
    let table = graph.table(Kind::Skill);
    assert_eq!(table.len(), naive.len());
    for (id, known) in naive {
        let row = table.row_of(Uuid::from_u128(*id)).unwrap();
        for number in 0..table.schema().types.len() {
            let told = table.origin(row, number).map(|origin| origin.at);
            assert_eq!(told, known.get(&number).copied(), "{id} {number}");
        }
    }
}

/// Rows that come to stand in the third block, so that places and blocks are told apart.
fn fill(graph: &mut Graph, naive: &mut Naive) {
    for id in 1..=600 {
        graph.apply_change(&skill(id, "new"), &tags(&[1]), &origin(9)).unwrap();
        naive.insert(id, BTreeMap::from([(index("name"), 9)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn fields_are_of_their_last_writer(events in events()) {
        let (mut graph, mut naive) = (Graph::new(), Naive::new());
        fill(&mut graph, &mut naive);
        let mut published = Vec::new();
        for event in &events {
            match event {
                Event::Change { record, fields, at } => {
                    let id = IDS[*record];
                    graph.apply_change(&skill(id, "new"), &tags(fields), &origin(*at)).unwrap();
                    let known = naive.entry(id).or_default();
                    known.extend(fields.iter().map(|place| (index(COLUMNS[*place]), *at)));
                }
                Event::Known { record, groups } => {
                    let mut known = BTreeMap::new();
                    let mut told = Vec::new();
                    for (place, (fields, at)) in groups.iter().enumerate() {
                        let new: Vec<usize> =
                            fields.iter().copied().filter(|field| !known.contains_key(&index(COLUMNS[*field]))).collect();
                        known.extend(new.iter().map(|field| (index(COLUMNS[*field]), *at)));
                        told.push(FieldGroup { origin: u32::try_from(place).unwrap(), fields: tags(&new) });
                    }
                    let origins: Vec<_> = groups.iter().map(|(_, at)| origin(*at)).collect();
                    let told = RecordProvenance { groups: told };
                    graph.apply_known(&skill(IDS[*record], "new"), &told, &origins).unwrap();
                    naive.insert(IDS[*record], known);
                }
                Event::Silent { record } => {
                    let id = IDS[*record];
                    // The same image again is no change; another name is one.
                    graph.apply(&skill(id, "new")).unwrap();
                    check(&graph, &{ let mut same = naive.clone(); same.entry(id).or_default(); same });
                    graph.apply(&skill(id, "other")).unwrap();
                    graph.apply(&skill(id, "new")).unwrap();
                    naive.entry(id).or_default().remove(&index("name"));
                }
                Event::Retire { record } => {
                    let mut image = skill(IDS[*record], "new");
                    image.entity_mut().unwrap().set(field::RETIRED_AT, Value::DateTime(1)).unwrap();
                    graph.apply_change(&image, &tags(&[0]), &origin(1)).unwrap();
                    naive.remove(&IDS[*record]);
                }
                Event::Clear => {
                    graph.clear(Owner::Workforce);
                    naive.clear();
                }
                Event::Publish => published.push((graph.clone(), naive.clone())),
            }
        }
        published.push((graph, naive));
        for (graph, naive) in &published {
            check(graph, naive);
        }
    }
}

#[test]
fn there_is_room_for_the_fields_of_every_kind() {
    for kind in Kind::ALL {
        assert!(kind.info().field_count() <= MAX_FIELDS, "{kind:?}");
    }
}

#[test]
fn what_was_written_together_is_kept_once() {
    let mut graph = Graph::new();
    for id in 1..=512_u128 {
        graph.apply_change(&skill(id, "new"), &tags(&[0, 1]), &origin(3)).unwrap();
    }
    let distinct = |graph: &Graph| -> Vec<usize> {
        let table = graph.raw(Kind::Skill);
        let columns = table.blocks.iter().map(|block| block.column(table.schema.provenance_column()));
        columns
            .map(|column| match column {
                Some(crate::column::Column::Provenance(groups)) => groups.distinct.len(),
                _ => 0,
            })
            .collect()
    };
    assert_eq!(distinct(&graph), [1, 1]);
    // However often records are written, what nobody needs any more is given back.
    for at in 0..2_000 {
        let id = u128::from(at % 7_u16) + 1;
        graph.apply_change(&skill(id, "new"), &tags(&[1]), &origin(at.into())).unwrap();
    }
    assert!(distinct(&graph)[0] <= 9, "{:?}", distinct(&graph));
    assert_eq!(distinct(&graph)[1], 1);
}

#[test]
fn names_that_this_version_does_not_know_are_left_out() {
    let mut graph = Graph::new();
    graph.apply_change(&skill(1, "new"), &[0, 4, 63, 4_000_000_000], &origin(3)).unwrap();
    let known = RecordProvenance { groups: vec![FieldGroup { origin: 7, fields: vec![4] }] };
    let table = graph.table(Kind::Skill);
    let row = table.row_of(Uuid::from_u128(1)).unwrap();
    assert_eq!(table.origin(row, field::NAME), Some(&*origin(3)));
    graph.apply_known(&skill(1, "new"), &known, &[]).unwrap();
    assert_eq!(graph.table(Kind::Skill).origin(row, field::NAME), None);
}
