//! Load, one change, walks and pages at the size of a company and of a very large one, and how much memory a record takes.
#![allow(clippy::panic, reason = "a bench that can not go on says so")]

use std::{
    collections::HashMap,
    hint::black_box,
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spil_graph::{Budget, By, Filter, Graph, Order, Quantifier, Row, Select, Source, Test};
use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{Kind, Step, Value, field},
};
use uuid::Uuid;

const ASSERTIONS_EACH: u32 = 10;
const SKILLS: u32 = 5000;
const ROLES: u32 = 400;

/// 2026-11-23, in microseconds.
const NOW: i64 = 1_795_392_000_000_000;

/// Ids as a store would give them: a time, then bits that look random.
fn id(kind: Kind, number: u32) -> Uuid {
    let millis = (NOW / 1000) as u128 + u128::from(number / 50);
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 66;
    Uuid::from_u128(millis << 80 | 7 << 76 | u128::from(number % 50) << 64 | 2 << 62 | (mixed ^ kind as u128))
}

fn named(kind: Kind, number: u32, name: &str) -> Record {
    let mut record = bare(kind, number);
    set(&mut record, "key", Value::Text(format!("{name}-{number}").into()));
    set(&mut record, "name", Value::Text(format!("{name} of the number {number}").into()));
    record
}

fn bare(kind: Kind, number: u32) -> Record {
    let mut record = Record::empty(kind);
    set(&mut record, "id", Value::Id(id(kind, number)));
    set(&mut record, "version", Value::Int(1));
    let at = NOW + i64::from(number) * 20;
    set(&mut record, "created_at", Value::DateTime(at));
    set(&mut record, "updated_at", Value::DateTime(at));
    record
}

fn number_of(kind: Kind, column: &str) -> usize {
    kind.info().field_by_column(column).map(|info| info.index).unwrap_or_else(|| panic!("no field {column}"))
}

fn set(record: &mut Record, column: &str, value: Value<'_>) {
    let kind = record.kind().unwrap_or_else(|| panic!("a kind"));
    let entity = record.entity_mut().unwrap_or_else(|| panic!("an entity"));
    entity.set(number_of(kind, column), value).unwrap_or_else(|error| panic!("{column}: {error}"));
}

fn assertion(number: u32, level: u32) -> Record {
    let mut record = bare(Kind::SkillAssertion, number);
    let skill = number.wrapping_mul(2_654_435_761) % SKILLS;
    set(&mut record, "worker_id", Value::Id(id(Kind::Worker, number / ASSERTIONS_EACH)));
    set(&mut record, "skill_id", Value::Id(id(Kind::Skill, skill)));
    set(&mut record, "level", Value::Int(i64::from(level % 5 + 1)));
    set(&mut record, "method", Value::Enum((number % 5 + 1) as i32));
    set(&mut record, "assessed_at", Value::Date(20_000 + (number.wrapping_mul(40_503) % 2000) as i32));
    record
}

/// An organisation, in the order in which a feed brings it.
fn organisation(workers: u32) -> Vec<Record> {
    let mut records = Vec::new();
    records.extend((0..ROLES).map(|number| named(Kind::Role, number, "Role")));
    for number in 0..workers {
        let mut position = named(Kind::Position, number, "Position");
        set(&mut position, "role_id", Value::Id(id(Kind::Role, number % ROLES)));
        set(&mut position, "reports_to_id", Value::Id(id(Kind::Position, number / 8)));
        records.push(position);
    }
    for number in 0..workers {
        let mut worker = named(Kind::Worker, number, "Worker");
        set(&mut worker, "number", Value::Text(format!("{number:07}").into()));
        set(&mut worker, "email", Value::Text(format!("worker.{number}@example.org").into()));
        set(&mut worker, "status", Value::Enum(2));
        records.push(worker);
    }
    for number in 0..workers {
        let mut assignment = bare(Kind::Assignment, number);
        set(&mut assignment, "worker_id", Value::Id(id(Kind::Worker, number)));
        set(&mut assignment, "position_id", Value::Id(id(Kind::Position, number)));
        set(&mut assignment, "from", Value::Date(19_000 + (number % 1500) as i32));
        records.push(assignment);
    }
    records.extend((0..SKILLS).map(|number| named(Kind::Skill, number, "Skill")));
    records.extend(assertions(0..workers * ASSERTIONS_EACH));
    records
}

fn assertions(numbers: Range<u32>) -> impl Iterator<Item = Record> {
    numbers.map(|number| assertion(number, number / 3))
}

/// How many records one write brings.
const BATCH: usize = 1000;

/// Applies records as imports bring them: each batch is a write that set all that has a value.
fn load<'a>(records: impl IntoIterator<Item = &'a Record>) -> Graph {
    let mut graph = Graph::new();
    let mut origin = Arc::default();
    for (number, record) in records.into_iter().enumerate() {
        if number % BATCH == 0 {
            origin = write(number);
        }
        graph.apply_change(record, set_fields(record), &origin).unwrap_or_else(|error| panic!("{error}"));
    }
    graph
}

fn write(number: usize) -> Arc<Origin> {
    let run = Uuid::from_u128(number as u128 / 100_000).to_string();
    Arc::new(Origin { source: "import:hr".to_owned(), run, actor: "spil-import".to_owned(), at: NOW + number as i64 })
}

/// The numbers of the fields that a record has a value in. Those of a kind have the same ones here.
fn set_fields(record: &Record) -> &'static [u32] {
    static FIELDS: OnceLock<Mutex<HashMap<Kind, &'static [u32]>>> = OnceLock::new();
    let entity = record.entity().unwrap_or_else(|| panic!("an entity"));
    let mut fields = FIELDS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    fields.entry(entity.kind()).or_insert_with(|| {
        let set = entity.kind().info().fields().filter(|info| info.writable && !entity.get(info.index).is_null());
        set.map(|info| info.tag).collect::<Vec<_>>().leak()
    })
}

/// What the process holds in memory, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}

/// The time that the process has been running on a processor: unlike that of the clock, it says something on a busy machine.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

#[allow(clippy::print_stdout, reason = "figures that criterion has no place for")]
fn report(workers: u32, records: &[Record]) -> Graph {
    let memory = resident();
    let (start, processor) = (Instant::now(), processor_seconds());
    let graph = load(records);
    let (seconds, processor) = (start.elapsed().as_secs_f64(), processor_seconds() - processor);
    let grown = resident() - memory;
    let count = records.len();
    println!("{workers} workers: {count} records in {seconds:.2} s, {:.0} a second", count as f64 / seconds);
    println!("  {:.0} for each second of processor time", count as f64 / processor);
    println!("  {} bytes a record resident, {} by estimate", grown / count, graph.size_bytes() / count);

    let memory = resident();
    let only = load(records.iter().filter(|record| record.kind() == Some(Kind::SkillAssertion)));
    let facts = (workers * ASSERTIONS_EACH) as usize;
    println!(
        "  {} bytes a skill assertion resident, {} by estimate, placeholders of workers and skills included",
        (resident() - memory) / facts,
        only.size_bytes() / facts
    );
    let start = Instant::now();
    let (count, sum) = graph.digest(Kind::SkillAssertion);
    println!("  digest of {count} records in {:.2} s ({sum:x})", start.elapsed().as_secs_f64());
    graph
}

fn benches(criterion: &mut Criterion) {
    for workers in [10_000, 200_000] {
        let records = organisation(workers);
        let graph = report(workers, &records);
        let mut group = criterion.benchmark_group(format!("{workers} workers"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(records.len() as u64));
        group.bench_function("load", |bencher| bencher.iter_with_large_drop(|| load(&records)));
        drop(records);
        group.throughput(Throughput::Elements(1));
        group.sample_size(50);

        let mut turn = 0_u32;
        group.bench_function("one update after a publish", |bencher| {
            let mut next = || {
                turn += 1;
                let number = turn.wrapping_mul(7919) % (workers * ASSERTIONS_EACH);
                assertion(number, number / 3 + turn)
            };
            bencher.iter_custom(|times| time_changes(&graph, times, &mut next));
        });
        let mut number = workers * ASSERTIONS_EACH;
        group.bench_function("one new record after a publish", |bencher| {
            let mut next = || {
                number += 1;
                let mut record = assertion(number, 1);
                let worker = number.wrapping_mul(7919) % workers;
                set(&mut record, "worker_id", Value::Id(id(Kind::Worker, worker)));
                record
            };
            bencher.iter_custom(|times| time_changes(&graph, times, &mut next));
        });
        reads(&mut group, &graph);
        group.finish();
    }
}

/// How long it takes to apply a change to the working copy, publish a clone, and drop the clone that was published before.
fn time_changes(graph: &Graph, times: u64, next: &mut dyn FnMut() -> Record) -> Duration {
    let mut working = graph.clone();
    let mut published = working.clone();
    let mut taken = Duration::ZERO;
    let level = [Kind::SkillAssertion.info().field_by_column("level").map_or(0, |info| info.tag)];
    for turn in 0..times {
        let record = next();
        let fields = if graph.table(Kind::SkillAssertion).row_of(record.id().unwrap_or_default()).is_some() {
            &level
        } else {
            set_fields(&record)
        };
        let origin = write(turn as usize);
        let start = Instant::now();
        working.apply_change(&record, fields, &origin).unwrap_or_else(|error| panic!("{error}"));
        published.clone_from(&working);
        taken += start.elapsed();
    }
    taken
}

fn reads(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, graph: &Graph) {
    let steps: Vec<Step> = ["workers"]
        .iter()
        .filter_map(|name| Kind::Role.relation(name))
        .chain(Kind::Worker.relation("skillAssertions"))
        .flat_map(|relation| relation.steps)
        .collect();
    let roles: Vec<Row> = graph.table(Kind::Role).rows().iter().collect();
    let mut at = 0;
    let mut role = move || {
        at = (at + 1) % roles.len();
        roles[at]
    };
    let reached = graph.walk(Kind::Role, role(), &steps).len() as u64;
    group.throughput(Throughput::Elements(reached));
    group.bench_function("walk from a role to the assertions of its workers", |bencher| {
        bencher.iter(|| graph.walk(Kind::Role, role(), &steps).len());
    });
    let level = number_of(Kind::SkillAssertion, "level");
    group.bench_function("sum of the levels reached so, in hops", |bencher| {
        bencher.iter(|| levels(graph, role(), level));
    });
    group.throughput(Throughput::Elements(1));
    let ids: Vec<Uuid> = graph.table(Kind::Worker).rows().iter().map(|row| graph.table(Kind::Worker).id(row)).collect();
    let mut at = 0;
    group.bench_function("worker by id", |bencher| {
        bencher.iter(|| {
            at = (at + 7919) % ids.len();
            graph.table(Kind::Worker).row_of(black_box(ids[at]))
        });
    });

    let by_name = [Order { by: By::Field(field::NAME), descending: false }];
    let by_two = [by_name[0], Order { by: By::Field(field::KEY), descending: true }];
    let contains = Filter::Field { field: field::NAME, test: Test::Contains("NUMBER 77".into()) };
    let related = Filter::Related {
        steps: vec![Step::Forward { kind: Kind::SkillAssertion, field: number_of(Kind::SkillAssertion, "skill_id") }],
        to: Kind::Skill,
        quantifier: Quantifier::Some,
        filter: Some(Box::new(Filter::Field { field: field::KEY, test: Test::Equals(Value::Text("Skill-7".into())) })),
    };
    let queries: [(&str, Kind, &[Order], Option<&Filter>); 5] = [
        ("page by id", Kind::Worker, &[], None),
        ("page by name, kept order", Kind::Worker, &by_name, None),
        ("page by name and key, one pass", Kind::Worker, &by_two, None),
        ("all whose name contains", Kind::Worker, &[], Some(&contains)),
        ("page by key of a related record", Kind::SkillAssertion, &[], Some(&related)),
    ];
    for (name, kind, order, filter) in queries {
        let query = Select {
            kind,
            source: Source::All,
            filter,
            order,
            first: Some(50),
            last: None,
            after: None,
            before: None,
            want_total: true,
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| graph.select(black_box(&query), &mut Budget::new(u64::MAX)));
        });
    }
}

/// As an executor would go, without lists in between.
fn levels(graph: &Graph, role: Row, level: usize) -> i64 {
    let role_id = number_of(Kind::Position, "role_id");
    let position_id = number_of(Kind::Assignment, "position_id");
    let worker_id = number_of(Kind::Assignment, "worker_id");
    let assertion_worker = number_of(Kind::SkillAssertion, "worker_id");
    let mut sum = 0;
    for position in graph.referrers(Kind::Role, role, Kind::Position, role_id) {
        for assignment in graph.referrers(Kind::Position, position, Kind::Assignment, position_id) {
            let Some(worker) = graph.reference(Kind::Assignment, assignment, worker_id) else { continue };
            for assertion in graph.referrers(Kind::Worker, worker, Kind::SkillAssertion, assertion_worker) {
                sum += graph.table(Kind::SkillAssertion).int(assertion, level).unwrap_or_default();
            }
        }
    }
    sum
}

criterion_group!(all, benches);
criterion_main!(all);
