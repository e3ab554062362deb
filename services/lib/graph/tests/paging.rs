//! Pages of lists that change while one goes through them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, missing_docs, unreachable_pub, reason = "the model serves several tests")]
mod naive;
#[allow(dead_code, missing_docs, unreachable_pub, reason = "the choices serve several tests")]
#[path = "naive/random.rs"]
mod random;

use std::collections::BTreeMap;

use naive::Naive;
use proptest::prelude::*;
use random::{Choices, KINDS, any_filter, any_order, id_of, record, retired};
use spil_graph::{Budget, By, Filter, Graph, Order, Position, Select, Source};
use spil_proto::model::{Kind, Value, field};
use uuid::Uuid;

/// A list that somebody goes through.
struct List<'a> {
    kind: Kind,
    filter: Option<&'a Filter>,
    order: &'a [Order],
    /// From the end to the start.
    backwards: bool,
}

/// The records of the list, and where they stand in it.
fn positions(naive: &Naive, list: &List<'_>) -> BTreeMap<Uuid, Position> {
    let mut ids = naive.ids(list.kind);
    ids.retain(|id| list.filter.is_none_or(|filter| naive.matches(list.kind, *id, filter)));
    ids.into_iter().map(|id| (id, naive.position(list.kind, id, list.order))).collect()
}

/// Goes through a list page by page, lets something happen after each page, and checks that what was in the list all the time and stood
/// at the same place came just once. Gives how many records that were, and how many pages.
fn go_through(
    graph: &mut Graph,
    naive: &mut Naive,
    list: &List<'_>,
    size: usize,
    change: &mut dyn FnMut(&mut Graph, &mut Naive),
) -> (usize, usize) {
    let mut throughout = positions(naive, list);
    let mut seen: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut last_seen: Option<Position> = None;
    let mut pages = 0;
    loop {
        let query = Select {
            kind: list.kind,
            source: Source::All,
            filter: list.filter,
            order: list.order,
            first: (!list.backwards).then_some(size),
            last: list.backwards.then_some(size),
            after: last_seen.as_ref().filter(|_| !list.backwards),
            before: last_seen.as_ref().filter(|_| list.backwards),
            want_total: pages % 2 == 0,
        };
        let mut budget = Budget::new(u64::MAX);
        let page = graph.select(&query, &mut budget).unwrap();
        pages += 1;
        for row in &page.rows {
            *seen.entry(graph.table(list.kind).id(*row)).or_default() += 1;
        }
        let end = if list.backwards { page.rows.first() } else { page.rows.last() };
        let more = if list.backwards { page.has_previous } else { page.has_next };
        let Some(end) = end.filter(|_| more) else { break };
        last_seen = Some(graph.position(list.kind, *end, list.order, &mut budget).unwrap());
        change(graph, naive);
        let now = positions(naive, list);
        throughout.retain(|id, position| now.get(id) == Some(position));
    }
    for id in throughout.keys() {
        assert_eq!(seen.get(id), Some(&1), "{id} was there throughout {:?}", list.order);
    }
    if list.order.is_empty() {
        assert!(seen.values().all(|times| *times == 1), "by id nothing moves");
    }
    (throughout.len(), pages)
}

fn write(graph: &mut Graph, naive: &mut Naive, image: &spil_proto::changefeed::v1::Record) {
    graph.apply(image).unwrap();
    naive.apply(image);
}

/// How many records a kind has at most here: enough for several pages.
const MANY: usize = 40;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn what_is_there_throughout_comes_just_once(
        seed in prop::collection::vec(any::<u8>(), 64),
        start in prop::collection::vec(prop::collection::vec(any::<u8>(), 20..60), 20..MANY),
        changes in prop::collection::vec((0..10_usize, 0..MANY, prop::collection::vec(any::<u8>(), 0..60)), 0..60),
        size in 1..8_usize,
        backwards: bool,
    ) {
        let mut choices = Choices::new(&seed);
        let kind = choices.of(&KINDS);
        let order = any_order(&mut choices, kind);
        let filter = choices.chance(2).then(|| any_filter(&mut choices, kind, 2));
        let list = List { kind, filter: filter.as_ref(), order: &order, backwards };
        let (mut graph, mut naive) = (Graph::new(), Naive::default());
        for (number, bytes) in start.iter().enumerate() {
            // Some of them are of kinds that the records of the list lead to.
            let kind = if number % 4 == 3 { KINDS[number % KINDS.len()] } else { kind };
            write(&mut graph, &mut naive, &record(&mut Choices::new(bytes), kind, id_of(number)));
        }
        let mut changes = changes.iter();
        go_through(&mut graph, &mut naive, &list, size, &mut |graph, naive| {
            for (what, number, bytes) in changes.by_ref().take(3) {
                let other = KINDS[*number % KINDS.len()];
                match what {
                    0 | 1 => write(graph, naive, &retired(kind, id_of(*number))),
                    2 => write(graph, naive, &retired(other, id_of(*number % random::IDS))),
                    3 | 4 => write(graph, naive, &record(&mut Choices::new(bytes), other, id_of(*number % random::IDS))),
                    _ => write(graph, naive, &record(&mut Choices::new(bytes), kind, id_of(*number))),
                }
            }
        });
    }
}

#[test]
fn a_long_list_whose_order_is_kept_can_be_gone_through_while_it_changes() {
    const COUNT: usize = 800;
    let kind = Kind::Objective;
    let bytes = |seed: usize| -> Vec<u8> {
        (0..64).map(|at| xxhash_rust::xxh3::xxh3_64(&(seed * 64 + at).to_le_bytes()) as u8).collect()
    };
    let parent = kind.info().field_by_column("parent_id").unwrap().index;
    let image = |seed: usize, number: usize| {
        let mut image = record(&mut Choices::new(&bytes(seed)), kind, id_of(number));
        let above = Value::Id(id_of(seed % 97));
        image.entity_mut().unwrap().set(parent, above).unwrap();
        image
    };
    for order in [
        Vec::new(),
        vec![Order { by: By::Field(field::NAME), descending: false }],
        vec![Order { by: By::Field(field::UPDATED_AT), descending: true }],
    ] {
        for backwards in [false, true] {
            let (mut graph, mut naive) = (Graph::new(), Naive::default());
            for number in 0..COUNT {
                write(&mut graph, &mut naive, &image(number, number));
            }
            let list = List { kind, filter: None, order: &order, backwards };
            // So that an order by one field is kept from the start.
            for _ in 0..4 {
                let query = Select {
                    kind,
                    source: Source::All,
                    filter: None,
                    order: &order,
                    first: Some(1),
                    last: None,
                    after: None,
                    before: None,
                    want_total: false,
                };
                graph.select(&query, &mut Budget::new(u64::MAX)).unwrap();
            }
            let mut turn = 0;
            let (throughout, pages) = go_through(&mut graph, &mut naive, &list, 60, &mut |graph, naive| {
                for _ in 0..7 {
                    turn += 1;
                    let number = turn * 7919 % COUNT;
                    match turn % 3 {
                        0 => write(graph, naive, &retired(kind, id_of(number))),
                        1 => write(graph, naive, &image(turn + COUNT, number)),
                        _ => write(graph, naive, &image(turn + COUNT, COUNT + turn)),
                    }
                }
            });
            assert!(throughout > COUNT / 2 && pages > 10, "{throughout} records on {pages} pages");
        }
    }
}
