//! Whatever happens to the records, the graph answers every question as looking at all records would.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, missing_docs, unreachable_pub, reason = "the model serves several tests")]
mod naive;
#[allow(dead_code, missing_docs, unreachable_pub, reason = "the choices serve several tests")]
#[path = "naive/random.rs"]
mod random;

use std::{collections::BTreeSet, sync::Arc};

use naive::{Naive, NaivePage, by_key};
use proptest::prelude::*;
use prost::Message;
use random::{Choices, IDS, KEYS, KINDS, any_filter, any_id, any_order, id_of, record, retired};
use spil_graph::{Budget, By, Filter, Graph, Position, Row, RowSet, Select, Sight, Source};
use spil_proto::model::{FieldType, Kind, Owner, Step, Value, field};
use uuid::Uuid;

/// What can happen to a graph.
#[derive(Clone, Debug)]
enum Event {
    Write { kind: usize, id: usize, bytes: Vec<u8> },
    Retire { kind: usize, id: usize },
    Again,
    Clear { owner: usize },
    Publish,
}

fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let write = (0..KINDS.len(), 0..IDS, prop::collection::vec(any::<u8>(), 0..90))
        .prop_map(|(kind, id, bytes)| Event::Write { kind, id, bytes });
    let event = prop_oneof![
        40 => write,
        12 => (0..KINDS.len(), 0..IDS).prop_map(|(kind, id)| Event::Retire { kind, id }),
        3 => Just(Event::Again),
        2 => (0..3_usize).prop_map(|owner| Event::Clear { owner }),
        4 => Just(Event::Publish),
    ];
    prop::collection::vec(event, 1..most)
}

/// Plays the events; gives back all that was published, the last state included.
fn play(events: &[Event]) -> Vec<(Graph, Naive)> {
    let (mut graph, mut naive) = (Graph::new(), Naive::default());
    let mut published = Vec::new();
    let mut last = None;
    for event in events {
        match event {
            Event::Write { kind, id, bytes } => {
                let image = record(&mut Choices::new(bytes), KINDS[*kind], id_of(*id));
                graph.apply(&image).unwrap();
                naive.apply(&image);
                last = Some(image);
            }
            Event::Retire { kind, id } => {
                let image = retired(KINDS[*kind], id_of(*id));
                graph.apply(&image).unwrap();
                naive.apply(&image);
            }
            Event::Again => {
                if let Some(image) = &last {
                    graph.apply(image).unwrap();
                    graph.apply(image).unwrap();
                    naive.apply(image);
                }
            }
            Event::Clear { owner } => {
                graph.clear(Owner::ALL[*owner]);
                naive.clear(Owner::ALL[*owner]);
            }
            Event::Publish => published.push((graph.clone(), naive.clone())),
        }
    }
    published.push((graph, naive));
    published
}

fn ids(graph: &Graph, kind: Kind, rows: impl IntoIterator<Item = Row>) -> Vec<Uuid> {
    rows.into_iter().map(|row| graph.table(kind).id(row)).collect()
}

fn check_records(graph: &Graph, naive: &Naive) {
    for kind in KINDS {
        let table = graph.table(kind);
        assert_eq!(table.len(), naive.ids(kind).len());
        assert_eq!(table.is_empty(), naive.ids(kind).is_empty());
        assert_eq!(ids(graph, kind, table.rows()), naive.ids(kind));
        assert_eq!(graph.digest(kind), naive.digest(kind));
        for number in 0..IDS {
            let id = id_of(number);
            let row = table.row_of(id);
            assert_eq!(row.is_some(), naive.entity(kind, id).is_some());
            assert_eq!(ids(graph, kind, table.rows().after(id)), {
                naive.ids(kind).into_iter().filter(|other| *other > id).collect::<Vec<_>>()
            });
            assert_eq!(ids(graph, kind, table.rows().before(id)), {
                naive.ids(kind).into_iter().filter(|other| *other < id).collect::<Vec<_>>()
            });
            if let Some(row) = row {
                check_record(graph, naive, kind, id, row);
            }
        }
        for key in KEYS {
            assert_eq!(table.row_of_key(key).map(|row| table.id(row)), by_key(naive, kind, key));
        }
        for system in ["hr", "it"] {
            for id in ["1", "2", "3"] {
                let holds = |other: &Uuid| match naive.value(kind, *other, field::EXTERNAL_IDS) {
                    Value::ExternalIds(items) => items.iter().any(|item| item.system == system && item.id == id),
                    _ => false,
                };
                let expected = naive.ids(kind).into_iter().find(holds);
                assert_eq!(table.row_of_external_id(system, id).map(|row| table.id(row)), expected);
            }
        }
    }
    assert_eq!(graph.dangling(), naive.dangling());
}

fn check_record(graph: &Graph, naive: &Naive, kind: Kind, id: Uuid, row: Row) {
    let table = graph.table(kind);
    assert!(table.is_live(row) && table.rows().contains(row));
    assert_eq!(table.id(row), id);
    let expected = &naive.records[&kind][&id];
    assert_eq!(graph.record(kind, row).encode_to_vec(), expected.encode_to_vec(), "{expected:?}");
    for info in kind.info().fields() {
        let value = naive.value(kind, id, info.index);
        assert_eq!(graph.value(kind, row, info.index), value, "{kind:?}.{}", info.name);
        check_readers(graph, kind, row, info.index, &value);
        if let FieldType::Ref(to) | FieldType::RefList(to) = info.ty {
            let targets = naive.references(kind, id, info.index);
            assert_eq!(ids(graph, to, graph.references(kind, row, info.index)), targets);
            if matches!(info.ty, FieldType::Ref(_)) {
                assert_eq!(graph.reference(kind, row, info.index).map(|row| graph.table(to).id(row)), {
                    targets.first().copied()
                });
            }
        }
    }
    check_tree(graph, naive, kind, row, id);
    for relation in kind.relations() {
        let expected = naive.walk(id, &relation.steps);
        assert_eq!(ids(graph, relation.to, graph.walk(kind, row, &relation.steps)), expected, "{}", relation.name);
        if let [Step::Inverse { kind: from, field }] = relation.steps[..] {
            let referrers = graph.referrers(kind, row, from, field);
            assert_eq!(ids(graph, from, referrers.clone()), expected);
            assert_eq!(referrers.len(), expected.len());
            let mut back = ids(graph, from, referrers.iter().rev());
            back.reverse();
            assert_eq!(back, expected);
        }
    }
}

/// The ways up and down the tree of a kind, with any bound on the levels.
fn check_tree(graph: &Graph, naive: &Naive, kind: Kind, row: Row, id: Uuid) {
    let Some(field) = kind.tree_field() else { return };
    let mut budget = Budget::new(1_000_000);
    let above = naive.levels(id, Step::Forward { kind, field }).concat();
    let found = graph.ancestors(kind, row, field, &mut budget).unwrap();
    assert_eq!(ids(graph, kind, found), above);
    let below = naive.levels(id, Step::Inverse { kind, field });
    for depth in 0..=below.len() + 1 {
        let found = graph.descendants(kind, row, field, Some(depth), &mut budget).unwrap();
        assert_eq!(ids(graph, kind, found), below[..depth.min(below.len())].concat());
    }
    let found = graph.descendants(kind, row, field, None, &mut budget).unwrap();
    assert_eq!(ids(graph, kind, found), below.concat());
}

/// The typed reader of a field gives its value, all others give none.
fn check_readers(graph: &Graph, kind: Kind, row: Row, field: usize, value: &Value<'_>) {
    let table = graph.table(kind);
    let is = |wanted: bool, read: Option<Value<'_>>| {
        let expected = if wanted { Some(value.clone()) } else { None };
        assert_eq!(read, expected);
    };
    is(matches!(value, Value::Text(_)), table.text(row, field).map(|text| Value::Text(text.into())));
    is(matches!(value, Value::Int(_)), table.int(row, field).map(Value::Int));
    is(matches!(value, Value::Float(_)), table.float(row, field).map(Value::Float));
    is(matches!(value, Value::Bool(_)), table.boolean(row, field).map(Value::Bool));
    is(matches!(value, Value::Date(_)), table.date(row, field).map(Value::Date));
    is(matches!(value, Value::DateTime(_)), table.date_time(row, field).map(Value::DateTime));
    is(matches!(value, Value::Decimal(_)), table.decimal(row, field).map(Value::Decimal));
    is(matches!(value, Value::Enum(_)), table.enumeration(row, field).map(Value::Enum));
    let some = |empty: bool, value| (!empty).then_some(value);
    let texts = table.texts(row, field);
    is(matches!(value, Value::Texts(_)), some(texts.is_empty(), Value::Texts(texts.into())));
    let numbers = table.enumerations(row, field);
    is(matches!(value, Value::Enums(_)), some(numbers.is_empty(), Value::Enums(numbers.into())));
    let items = table.external_ids(row, field);
    is(matches!(value, Value::ExternalIds(_)), some(items.is_empty(), Value::ExternalIds(items.into())));
    let items = table.translations(row, field);
    is(matches!(value, Value::Translations(_)), some(items.is_empty(), Value::Translations(items.into())));
}

/// Asks one query of both.
fn check_query(graph: &Graph, naive: &Naive, choices: &mut Choices<'_>) {
    let relation;
    let kind = choices.of(&KINDS);
    let (kind, source, source_ids) = match (choices.below(3), naive.ids(kind).as_slice()) {
        (0 | 1, _) | (_, []) => (kind, Source::All, naive.ids(kind)),
        (_, start) => {
            let (from, id) = (kind, choices.of(start));
            let row = graph.table(from).row_of(id).unwrap();
            relation = choices.of(&from.relations());
            let source = match relation.steps[..] {
                [Step::Inverse { field, .. }] => Source::Referrers { to: from, row, field },
                [Step::Forward { field, .. }] => Source::References { from, row, field },
                [Step::Below { field, .. }] => Source::Below { row, field, depth: None },
                _ => Source::Walk { from, row, steps: &relation.steps },
            };
            (relation.to, source, naive.walk(id, &relation.steps))
        }
    };
    let filter = choices.chance(2).then(|| any_filter(choices, kind, 3));
    let order = any_order(choices, kind);
    let count = |choices: &mut Choices<'_>| choices.chance(2).then(|| choices.of(&[0, 1, 2, 5, usize::MAX]));
    let (first, last) = (count(choices), count(choices));
    // Positions of records that may be gone, or have other values by now.
    let position = |choices: &mut Choices<'_>| {
        choices.chance(3).then(|| {
            let mut position = naive.position(kind, any_id(choices), &order);
            if choices.chance(2) {
                for (value, level) in position.values.iter_mut().zip(&order) {
                    *value = match level.by {
                        By::Field(field) => random::any_value(choices, kind.info().field(field).unwrap().ty),
                        By::Count(_) => Value::Int(choices.below(4) as i64),
                    };
                }
            }
            position
        })
    };
    let (after, before): (Option<Position>, Option<Position>) = (position(choices), position(choices));
    let clamp = |count: Option<usize>| count.map(|count| count.min(1000));
    let expected = naive.select(
        kind,
        source_ids.clone(),
        filter.as_ref(),
        &order,
        (clamp(first), clamp(last)),
        (after.as_ref(), before.as_ref()),
    );
    // Asked again and again, since orders are kept after a while.
    for want_total in [false, true, false, true] {
        let query = Select {
            kind,
            source,
            filter: filter.as_ref(),
            order: &order,
            first,
            last,
            after: after.as_ref(),
            before: before.as_ref(),
            want_total,
        };
        let page = graph.select(&query, &mut Budget::new(1_000_000)).unwrap();
        let found = NaivePage {
            ids: ids(graph, kind, page.rows.iter().copied()),
            total: expected.total,
            has_next: page.has_next,
            has_previous: page.has_previous,
        };
        assert_eq!(found, expected, "{query:?}");
        assert_eq!(page.total, want_total.then_some(expected.total));
    }
    check_facets(graph, naive, choices, (kind, source, filter.as_ref()), &source_ids);
    if let Some(filter) = &filter {
        for row in graph.table(kind).rows() {
            let found = graph.matches(kind, row, filter, &mut Budget::new(1_000_000)).unwrap();
            assert_eq!(found, naive.matches(kind, graph.table(kind).id(row), filter), "{filter:?}");
        }
    }
}

/// How often each value of some field occurs, by both.
fn check_facets(
    graph: &Graph,
    naive: &Naive,
    choices: &mut Choices<'_>,
    (kind, source, filter): (Kind, Source<'_>, Option<&Filter>),
    source_ids: &[Uuid],
) {
    let mut budget = Budget::new(1_000_000);
    let rows = graph.gather(kind, source, filter, &mut budget).unwrap();
    let mut expected_ids = source_ids.to_vec();
    expected_ids.retain(|id| filter.is_none_or(|filter| naive.matches(kind, *id, filter)));
    assert_eq!(ids(graph, kind, rows.iter().copied()), expected_ids);
    let info = kind.info().field(choices.below(kind.info().field_count())).unwrap();
    let first = choices.of(&[1, 2, 1000]);
    let facets = graph.facets(kind, &rows, info.index, first, &mut budget).unwrap();
    let mut expected = naive.facets(kind, &expected_ids, info.index);
    if matches!(
        info.ty,
        FieldType::Id | FieldType::Float | FieldType::Decimal | FieldType::ExternalIds | FieldType::Translations
    ) {
        expected.clear();
    }
    expected.truncate(first);
    let found: Vec<_> = facets.iter().map(|facet| (facet.value.clone(), facet.count)).collect();
    assert_eq!(found, expected, "{kind:?}.{}", info.name);
    for facet in &facets {
        let live = match (&facet.value, info.ty) {
            (Value::Id(id), FieldType::Ref(to) | FieldType::RefList(to)) => graph.table(to).row_of(*id),
            _ => None,
        };
        assert_eq!(facet.target, live);
    }
}

/// The graph as somebody sees it, and the records that are left when all else is taken away.
fn seen(graph: &Graph, naive: &Naive, choices: &mut Choices<'_>) -> (Graph, Naive) {
    let mut sight = if choices.chance(8) { Sight::nothing() } else { Sight::everything() };
    let mut left = naive.clone();
    for kind in KINDS {
        let some = |choices: &mut Choices<'_>| -> Arc<RowSet> {
            let rows = graph.table(kind).rows();
            Arc::new(rows.into_iter().filter(|_| choices.chance(2)).collect())
        };
        let is_in = |rows: &RowSet, id: &Uuid| graph.table(kind).row_of(*id).is_some_and(|row| rows.contains(row));
        let records = left.records.entry(kind).or_default();
        match choices.below(6) {
            0 => {
                sight.see_none(kind);
                records.clear();
            }
            1..=3 => {
                let rows = some(choices);
                records.retain(|id, _| is_in(&rows, id));
                sight.see_only(graph, kind, rows);
            }
            _ => sight.see_all(kind),
        }
        for _ in 0..choices.below(3) {
            let header = [field::ID, field::VERSION, field::CREATED_AT, field::UPDATED_AT, field::RETIRED_AT];
            let fields: Vec<usize> = (0..kind.info().field_count())
                .filter(|field| !header.contains(field) && choices.chance(4))
                .chain([kind.info().field_count() - 1])
                .collect();
            let except = if choices.chance(2) { some(choices) } else { Arc::default() };
            if choices.chance(2) && except.is_empty() {
                sight.hide(kind, fields.iter().copied());
            } else {
                sight.hide_except(graph, kind, fields.iter().copied(), Arc::clone(&except));
            }
            for (_, record) in records.iter_mut().filter(|(id, _)| !is_in(&except, id)) {
                for field in &fields {
                    record.entity_mut().unwrap().set(*field, Value::Null).unwrap();
                }
            }
        }
    }
    (graph.seen_by(&Arc::new(sight)), left)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_not_seen_is_as_if_it_were_not_there(
        events in events(100),
        sight in prop::collection::vec(any::<u8>(), 0..300),
        queries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..32),
    ) {
        let (graph, naive) = play(&events).pop().unwrap();
        let (restricted, left) = seen(&graph, &naive, &mut Choices::new(&sight));
        check_records(&restricted, &left);
        for bytes in &queries {
            check_query(&restricted, &left, &mut Choices::new(bytes));
        }
        // The original shows all it did.
        check_records(&graph, &naive);
    }

    #[test]
    fn a_query_costs_as_if_what_is_not_seen_were_not_there(
        events in events(80),
        sight in prop::collection::vec(any::<u8>(), 0..300),
        queries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..32),
    ) {
        let (graph, naive) = play(&events).pop().unwrap();
        let (restricted, left) = seen(&graph, &naive, &mut Choices::new(&sight));
        let mut bare = Graph::new();
        left.records.values().flat_map(|records| records.values()).for_each(|record| bare.apply(record).unwrap());
        for bytes in &queries {
            let choices = &mut Choices::new(bytes);
            let kind = choices.of(&KINDS);
            let (filter, order) = (any_filter(choices, kind, 3), any_order(choices, kind));
            let cost = |graph: &Graph| {
                let mut budget = Budget::new(1_000_000);
                let query = Select {
                    kind,
                    source: Source::All,
                    filter: Some(&filter),
                    order: &order,
                    first: Some(3),
                    last: None,
                    after: None,
                    before: None,
                    want_total: true,
                };
                graph.select(&query, &mut budget).unwrap();
                budget.left()
            };
            prop_assert_eq!(cost(&restricted), cost(&bare), "{:?} {:?}", filter, order);
        }
    }

    #[test]
    fn what_changed_in_what_is_seen_is_told(
        events in events(80),
        sights in prop::array::uniform2(prop::collection::vec(any::<u8>(), 0..300)),
        pick in any::<[prop::sample::Index; 2]>(),
    ) {
        let published = play(&events);
        let mut states = pick.into_iter().zip(&sights).map(|(pick, sight)| {
            let (graph, naive) = &published[pick.index(published.len())];
            seen(graph, naive, &mut Choices::new(sight))
        });
        let ((new, now), (old, before)) = (states.next().unwrap(), states.next().unwrap());
        let fields = [field::NAME, field::DESCRIPTION, field::TAGS, field::TRANSLATIONS];
        for kind in KINDS {
            let mut expected: Vec<Uuid> = now.ids(kind).into_iter().chain(before.ids(kind)).collect();
            expected.sort();
            expected.dedup();
            expected.retain(|id| {
                fields.iter().any(|field| now.value(kind, *id, *field) != before.value(kind, *id, *field))
            });
            prop_assert_eq!(new.changed_since(&old, kind, &fields), expected);
        }
    }

    #[test]
    fn a_sight_of_other_records_shows_none_of_them(
        before in events(60),
        after in events(20),
        sight in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (mut graph, naive) = play(&before).pop().unwrap();
        let (mut restricted, left) = seen(&graph, &naive, &mut Choices::new(&sight));
        let sight = Arc::new(restricted.sight().cloned().unwrap_or_else(Sight::everything));
        let mut moved = BTreeSet::new();
        for event in &after {
            let image = match event {
                Event::Write { kind, id, bytes } => record(&mut Choices::new(bytes), KINDS[*kind], id_of(*id)),
                Event::Retire { kind, id } => retired(KINDS[*kind], id_of(*id)),
                _ => continue,
            };
            let kind = image.kind().unwrap();
            let before = graph.table(kind).len();
            graph.apply(&image).unwrap();
            restricted.apply(&image).unwrap();
            if graph.table(kind).len() != before {
                moved.insert(kind);
            }
        }
        // Whether the change was made to what is seen, or the sight is put before what has changed.
        for restricted in [restricted, graph.seen_by(&sight)] {
            for kind in KINDS {
                let (table, whole) = (restricted.table(kind), graph.table(kind));
                let all = ids(&graph, kind, whole.rows());
                let seen = ids(&restricted, kind, table.rows());
                if !moved.contains(&kind) {
                    prop_assert_eq!(&seen, &left.ids(kind), "nothing has come or gone");
                } else {
                    prop_assert!(seen.is_empty() || seen == all, "{:?}", kind);
                }
            }
        }
    }

    #[test]
    fn the_graph_holds_what_was_applied_and_what_was_published_stays(events in events(120)) {
        for (graph, naive) in play(&events) {
            check_records(&graph, &naive);
        }
    }

    #[test]
    fn what_changed_between_two_states_is_told(events in events(120), pick in any::<[prop::sample::Index; 2]>()) {
        let published = play(&events);
        let [(new, now), (old, before)] = pick.map(|pick| &published[pick.index(published.len())]);
        let fields = [field::NAME, field::DESCRIPTION, field::TAGS, field::TRANSLATIONS];
        for kind in KINDS {
            for fields in [&fields[..], &fields[2..3]] {
                let mut expected: Vec<Uuid> = now.ids(kind).into_iter().chain(before.ids(kind)).collect();
                expected.sort();
                expected.dedup();
                expected.retain(|id| {
                    fields.iter().any(|field| now.value(kind, *id, *field) != before.value(kind, *id, *field))
                });
                prop_assert_eq!(new.changed_since(old, kind, fields), expected);
                prop_assert!(new.changed_since(new, kind, fields).is_empty());
            }
        }
    }

    #[test]
    fn every_query_is_answered_as_by_looking_at_everything(
        events in events(60),
        queries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..24),
    ) {
        let (graph, naive) = play(&events).pop().unwrap();
        for bytes in &queries {
            check_query(&graph, &naive, &mut Choices::new(bytes));
        }
    }
}
