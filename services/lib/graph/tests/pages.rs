//! Lists too long for one block: pages in either direction, orders that are kept, budgets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, missing_docs, unreachable_pub, reason = "the model serves several tests")]
mod naive;
#[allow(dead_code, missing_docs, unreachable_pub, reason = "the choices serve several tests")]
#[path = "naive/random.rs"]
mod random;

use naive::Naive;
use random::{Choices, record, retired};
use spil_graph::{Budget, By, Exhausted, Filter, Graph, Order, Position, Quantifier, Row, Select, Source, Test};
use spil_proto::model::{Kind, Step, Value, field};
use uuid::Uuid;

const COUNT: usize = 1200;

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 * 7919 % 100_003 + 1)
}

/// Bytes that look random.
fn bytes(seed: usize) -> Vec<u8> {
    (0..64).map(|at| xxhash_rust::xxh3::xxh3_64(&(seed * 64 + at).to_le_bytes()) as u8).collect()
}

fn objectives() -> (Graph, Naive) {
    let (mut graph, mut naive) = (Graph::new(), Naive::default());
    for number in 0..COUNT {
        let mut image = record(&mut Choices::new(&bytes(number)), Kind::Objective, id(number));
        if !number.is_multiple_of(3) {
            let parent = Value::Id(id(number / 8));
            image.entity_mut().unwrap().set(number_of("parent_id"), parent).unwrap();
        }
        graph.apply(&image).unwrap();
        naive.apply(&image);
    }
    (graph, naive)
}

fn all<'a>(order: &'a [Order], filter: Option<&'a Filter>) -> Select<'a> {
    Select {
        kind: Kind::Objective,
        source: Source::All,
        filter,
        order,
        first: None,
        last: None,
        after: None,
        before: None,
        want_total: false,
    }
}

fn ids(graph: &Graph, rows: &[Row]) -> Vec<Uuid> {
    rows.iter().map(|row| graph.table(Kind::Objective).id(*row)).collect()
}

fn number_of(column: &str) -> usize {
    Kind::Objective.info().field_by_column(column).unwrap().index
}

fn unbounded() -> Budget {
    Budget::new(u64::MAX)
}

#[test]
fn paging_either_way_covers_every_record_once() {
    let (graph, naive) = objectives();
    let filter = Filter::Field { field: field::NAME, test: Test::Contains("a".into()) };
    let orders: [&[Order]; 4] = [
        &[],
        &[Order { by: By::Field(field::NAME), descending: false }],
        &[Order { by: By::Field(field::NAME), descending: true }],
        &[
            Order { by: By::Field(field::TAGS), descending: false },
            Order { by: By::Field(field::CREATED_AT), descending: true },
        ],
    ];
    for order in orders {
        for filter in [None, Some(&filter)] {
            let whole =
                naive.select(Kind::Objective, naive.ids(Kind::Objective), filter, order, (None, None), (None, None));
            let (mut forwards, mut backwards) = (Vec::new(), Vec::new());
            let mut cursor: Option<Position> = None;
            loop {
                let query = Select { first: Some(170), after: cursor.as_ref(), ..all(order, filter) };
                let page = graph.select(&query, &mut unbounded()).unwrap();
                assert_eq!(page.has_previous, !forwards.is_empty());
                forwards.extend(ids(&graph, &page.rows));
                assert_eq!(page.has_next, forwards.len() < whole.total);
                if !page.has_next {
                    break;
                }
                cursor =
                    page.rows.last().map(|row| graph.position(Kind::Objective, *row, order, &mut unbounded()).unwrap());
            }
            let mut cursor: Option<Position> = None;
            loop {
                let query = Select { last: Some(83), before: cursor.as_ref(), ..all(order, filter) };
                let page = graph.select(&query, &mut unbounded()).unwrap();
                assert_eq!(page.has_next, !backwards.is_empty());
                backwards.extend(ids(&graph, &page.rows).into_iter().rev());
                assert_eq!(page.has_previous, backwards.len() < whole.total);
                if !page.has_previous {
                    break;
                }
                cursor = page
                    .rows
                    .first()
                    .map(|row| graph.position(Kind::Objective, *row, order, &mut unbounded()).unwrap());
            }
            backwards.reverse();
            assert_eq!(forwards, whole.ids);
            assert_eq!(backwards, whole.ids);
        }
    }
}

#[test]
fn an_order_that_is_kept_follows_every_change() {
    let (mut graph, mut naive) = objectives();
    let orders = [
        Order { by: By::Field(field::NAME), descending: true },
        Order { by: By::Field(number_of("parent_id")), descending: false },
    ];
    let check = |graph: &Graph, naive: &Naive| {
        for order in orders.chunks(1) {
            let all_ids = naive.ids(Kind::Objective);
            let expected = naive.select(Kind::Objective, all_ids, None, order, (Some(50), None), (None, None));
            for _ in 0..5 {
                let page = graph.select(&Select { first: Some(50), ..all(order, None) }, &mut unbounded()).unwrap();
                assert_eq!(ids(graph, &page.rows), expected.ids);
            }
        }
    };
    check(&graph, &naive);
    for step in 0..9 {
        let (before, naive_before) = (graph.clone(), naive.clone());
        // A record that is on the page, so that the change shows.
        let number = (0..COUNT).find(|number| {
            let parent = naive.value(Kind::Objective, id(*number), number_of("parent_id"));
            number % 9 == step && !parent.is_null()
        });
        let on_page = id(number.unwrap());
        let image = match step % 3 {
            0 => retired(Kind::Objective, on_page),
            1 => {
                let mut image = naive.records[&Kind::Objective][&on_page].clone();
                let first = Value::Id(Uuid::from_u128(0x1_0000 + step as u128));
                image.entity_mut().unwrap().set(number_of("parent_id"), first).unwrap();
                image
            }
            _ => record(&mut Choices::new(&bytes(step + COUNT)), Kind::Objective, on_page),
        };
        graph.apply(&image).unwrap();
        naive.apply(&image);
        check(&graph, &naive);
        check(&before, &naive_before);
    }
}

#[test]
fn a_page_without_order_and_filter_costs_a_page() {
    let (graph, _) = objectives();
    let mut budget = Budget::new(10);
    let page = graph.select(&Select { first: Some(10), want_total: true, ..all(&[], None) }, &mut budget).unwrap();
    assert_eq!((page.rows.len(), page.total, budget.left()), (10, Some(COUNT), 0));
}

#[test]
fn indexes_narrow_what_is_looked_at() {
    let (graph, naive) = objectives();
    let parent = number_of("parent_id");
    let one = |field, value| Filter::Field { field, test: Test::Equals(value) };
    let filters = [
        one(field::ID, Value::Id(id(7))),
        one(parent, Value::Id(id(7))),
        Filter::Related {
            steps: vec![Step::Forward { kind: Kind::Objective, field: parent }],
            to: Kind::Objective,
            quantifier: Quantifier::Some,
            filter: Some(Box::new(one(field::ID, Value::Id(id(7))))),
        },
    ];
    for filter in &filters {
        let mut budget = Budget::new(200);
        let page = graph.select(&all(&[], Some(filter)), &mut budget).unwrap();
        let expected = naive.ids(Kind::Objective).into_iter().filter(|id| naive.matches(Kind::Objective, *id, filter));
        assert_eq!(ids(&graph, &page.rows), expected.collect::<Vec<_>>());
        assert!(!page.rows.is_empty(), "{filter:?}");
    }
}

#[test]
fn no_query_looks_at_more_than_it_may() {
    let (graph, _) = objectives();
    let filter = Filter::Field { field: field::NAME, test: Test::Equals(Value::Text("not there".into())) };
    let order = [
        Order { by: By::Field(field::NAME), descending: false },
        Order { by: By::Field(field::KEY), descending: false },
    ];
    // A filter costs one for the record and one for its test, and what it takes to make it ready.
    for (query, cost) in [(all(&[], Some(&filter)), 2 * COUNT + 2), (all(&order, None), COUNT), (all(&[], None), COUNT)]
    {
        assert_eq!(graph.select(&query, &mut Budget::new(cost as u64 - 1)), Err(Exhausted));
        assert!(graph.select(&query, &mut Budget::new(cost as u64)).is_ok());
    }
    let parent = number_of("parent_id");
    let related = Filter::Related {
        steps: vec![Step::Inverse { kind: Kind::Objective, field: parent }],
        to: Kind::Objective,
        quantifier: Quantifier::Every,
        filter: None,
    };
    let with_children = graph
        .table(Kind::Objective)
        .rows()
        .iter()
        .find(|row| !graph.referrers(Kind::Objective, *row, Kind::Objective, parent).is_empty());
    let related = graph.matches(Kind::Objective, with_children.unwrap(), &related, &mut Budget::new(1));
    assert_eq!(related, Err(Exhausted));
    let mut deep = filter;
    for _ in 0..200_000 {
        deep = Filter::Not(Box::new(deep));
    }
    assert_eq!(graph.select(&all(&[], Some(&deep)), &mut unbounded()), Err(Exhausted));
    // Dropping it would recurse as deep as it is.
    while let Filter::Not(inner) = deep {
        deep = *inner;
    }
}
