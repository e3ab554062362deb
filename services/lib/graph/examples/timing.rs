//! How long it takes not to find a record that is hidden, and one that is not there: what somebody could tell by the clock.

#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::{
    error::Error,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use spil_graph::{Budget, Filter, Graph, RowSet, Select, Sight, Source, Test};
use spil_proto::{
    changefeed::v1::Record,
    model::{Kind, Value, field},
};
use uuid::Uuid;

const RECORDS: u128 = 20_000;
const ROUNDS: usize = 20_001;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(
        0x0193_0000_0000_7000_8000_0000_0000_0000 | (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff),
    )
}

/// The middle of what so many calls of either took, called in turns, the other one first every second time.
fn medians(mut one: impl FnMut(usize), mut other: impl FnMut(usize)) -> (Duration, Duration) {
    let (mut of_one, mut of_other) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS {
        let mut time_one = || {
            let start = Instant::now();
            one(round);
            of_one.push(start.elapsed());
        };
        let mut time_other = || {
            let start = Instant::now();
            other(round);
            of_other.push(start.elapsed());
        };
        if round % 2 == 0 {
            time_one();
            time_other();
        } else {
            time_other();
            time_one();
        }
    }
    of_one.sort_unstable();
    of_other.sort_unstable();
    (of_one[ROUNDS / 2], of_other[ROUNDS / 2])
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut graph = Graph::new();
    for number in 0..RECORDS {
        let mut record = Record::empty(Kind::Capability);
        let entity = record.entity_mut().ok_or("no entity")?;
        entity.set(field::ID, Value::Id(id(number)))?;
        entity.set(field::KEY, Value::Text(format!("K{number}").into()))?;
        graph.apply(&record)?;
    }
    // Every second record is seen.
    let table = graph.table(Kind::Capability);
    let seen: RowSet = (0..RECORDS).step_by(2).filter_map(|number| table.row_of(id(number))).collect();
    let mut sight = Sight::everything();
    sight.see_only(&graph, Kind::Capability, Arc::new(seen));
    let graph = graph.seen_by(&Arc::new(sight));
    let number = |round: usize| (round as u128 * 2 + 1) % RECORDS;
    let hidden: Vec<Uuid> = (0..ROUNDS).map(|round| id(number(round))).collect();
    let absent: Vec<Uuid> = (0..ROUNDS).map(|round| id(RECORDS + number(round))).collect();
    let find = |id: Uuid| {
        black_box(graph.table(Kind::Capability).row_of(id));
    };
    let filtered = |value: Value<'static>, field: usize| {
        let filter = Filter::Field { field, test: Test::Equals(value) };
        let query = Select {
            kind: Kind::Capability,
            source: Source::All,
            filter: Some(&filter),
            order: &[],
            first: Some(10),
            last: None,
            after: None,
            before: None,
            want_total: true,
        };
        let _ = black_box(graph.select(&query, &mut Budget::new(1_000_000)));
    };
    let key = |number: u128| Value::Text(format!("K{number}").into());
    for (what, (of_hidden, of_absent)) in [
        ("by id", medians(|round| find(hidden[round]), |round| find(absent[round]))),
        (
            "by a filter on the id",
            medians(
                |round| filtered(Value::Id(hidden[round]), field::ID),
                |round| filtered(Value::Id(absent[round]), field::ID),
            ),
        ),
        (
            "by a filter on the key",
            medians(
                |round| filtered(key(number(round)), field::KEY),
                |round| filtered(key(RECORDS + number(round)), field::KEY),
            ),
        ),
    ] {
        println!("{what}: hidden {of_hidden:?}, absent {of_absent:?}");
    }
    Ok(())
}
