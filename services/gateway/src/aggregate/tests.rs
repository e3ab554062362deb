//! People of a small organisation are counted, and attacked.

use std::time::Duration;

use spil_proto::{
    changefeed::v1::Record,
    model::{Value, field},
};
use uuid::Uuid;

use super::*;
use spil_proto::model::Kind;

const DAY: i32 = 20_000;

fn id(kind: Kind, number: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 | ((kind as u128) << 32) | number)
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(DAY as u64 * SECONDS_A_DAY + 3600)
}

/// Writes a record into a graph.
pub(crate) fn put(graph: &mut Graph, kind: Kind, number: u128, values: &[(&str, Value<'static>)]) {
    let mut record = Record::empty(kind);
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::ID, Value::Id(id(kind, number))).expect("an id");
    entity.set(field::VERSION, Value::Int(1)).expect("a version");
    for (column, value) in values {
        let index = kind.info().field_by_column(column).expect("a field").index;
        entity.set(index, value.clone()).expect("a value of its type");
    }
    graph.apply(&record).expect("a record");
}

fn to(kind: Kind, number: u128) -> Value<'static> {
    Value::Id(id(kind, number))
}

/// Puts somebody to work in the position of a unit.
fn employ(graph: &mut Graph, worker: u128, unit: u128) {
    put(
        graph,
        Kind::Worker,
        worker,
        &[("status", Value::Enum(2)), ("is_contractor", Value::Bool(worker.is_multiple_of(2)))],
    );
    put(
        graph,
        Kind::Assignment,
        worker,
        &[
            ("worker_id", to(Kind::Worker, worker)),
            ("position_id", to(Kind::Position, unit)),
            ("fte", Value::Float(0.8)),
        ],
    );
}

fn assert_skill(graph: &mut Graph, worker: u128, level: i64) {
    put(
        graph,
        Kind::SkillAssertion,
        worker,
        &[("worker_id", to(Kind::Worker, worker)), ("skill_id", to(Kind::Skill, 1)), ("level", Value::Int(level))],
    );
}

const TEAMS: [(u128, u128); 3] = [(2, 3), (3, 12), (4, 20)];

/// A department with three teams of 3, 12 and 20 people; every second of the last has a skill, and all of the first.
fn organisation() -> Graph {
    let mut graph = Graph::new();
    put(&mut graph, Kind::Skill, 1, &[]);
    put(&mut graph, Kind::Role, 1, &[("job_family", Value::Text("Claims".into()))]);
    put(&mut graph, Kind::OrgUnit, 1, &[("function", Value::Enum(3))]);
    for (team, people) in TEAMS {
        put(&mut graph, Kind::OrgUnit, team, &[("parent_id", to(Kind::OrgUnit, 1))]);
        put(
            &mut graph,
            Kind::Position,
            team,
            &[("org_unit_id", to(Kind::OrgUnit, team)), ("role_id", to(Kind::Role, 1)), ("tier", Value::Int(3))],
        );
        for at in 0..people {
            let worker = team * 100 + at;
            employ(&mut graph, worker, team);
            if team == 2 || (team == 4 && at.is_multiple_of(2)) {
                assert_skill(&mut graph, worker, 4);
            }
        }
    }
    graph
}

fn ask(people: &People, graph: &Graph, at: SystemTime, by: &[Dimension], of: MeasureOf) -> Vec<Figure> {
    people.count(graph, at, &Question::new(by.to_vec(), of).expect("a question")).figures.clone()
}

fn of_unit(figures: &[Figure], unit: u128) -> Figure {
    let wanted = Some(id(Kind::OrgUnit, unit));
    figures.iter().find(|figure| figure.unit == wanted).cloned().expect("the unit")
}

fn skilled() -> MeasureOf {
    MeasureOf::Skilled(id(Kind::Skill, 1))
}

#[test]
fn people_are_counted_by_unit_and_few_are_not_told() {
    let (people, graph) = (People::new(Threshold::default()), organisation());
    let figures = ask(&people, &graph, now(), &[Dimension::OrgUnit], MeasureOf::Headcount);
    let told: Vec<_> = [1, 2, 3, 4].map(|unit| of_unit(&figures, unit).people).to_vec();
    // The team of three, and one that hides it: with all others it could be worked out.
    assert_eq!(told.iter().filter(|people| people.is_some()).count(), 2, "{told:?}");
    assert_eq!((told[0], told[1]), (Some(35), None));
    let fte = ask(&people, &graph, now(), &[], MeasureOf::Fte);
    assert_eq!(fte, [Figure { people: Some(35), fte: Some(28.0), ..Figure::default() }]);
    let by_function = ask(&people, &graph, now(), &[Dimension::Function], MeasureOf::Headcount);
    let business = by_function.iter().find(|figure| figure.function == Some(3)).expect("the function");
    assert_eq!(business.people, Some(35), "units without a function of their own speak for that above them");
    let families = ask(&people, &graph, now(), &[Dimension::JobFamily], MeasureOf::Headcount);
    assert_eq!(families.len(), 1);
    assert_eq!((families[0].family.as_deref(), families[0].people), (Some("Claims"), Some(35)));
    let contractors = ask(&people, &graph, now(), &[Dimension::Contractor], MeasureOf::Headcount);
    assert_eq!(contractors.iter().filter_map(|figure| figure.people).sum::<u64>(), 35);
    let learners = ask(&people, &graph, now(), &[], MeasureOf::Learners);
    assert_eq!(learners[0].share, None, "that nobody has learned is told of everybody");
}

#[test]
fn only_questions_of_the_list_are_asked() {
    use Dimension::{Contractor, Function, JobFamily, OrgUnit, Role, Status};
    assert!(Question::new(vec![Status, OrgUnit], MeasureOf::Headcount).is_ok());
    for by in [vec![Contractor, Status], vec![OrgUnit, Role], vec![OrgUnit, Contractor, Status], vec![Function, Status]]
    {
        assert_eq!(Question::new(by, MeasureOf::Headcount), Err(NoQuestion::By));
    }
    assert_eq!(Question::new(vec![JobFamily], skilled()), Err(NoQuestion::Of));
    assert_eq!(Question::new(vec![OrgUnit, Status], MeasureOf::Fte), Err(NoQuestion::Of));
    assert_eq!(Question::new(vec![OrgUnit, OrgUnit], skilled()), Question::new(vec![OrgUnit], skilled()));
}

/// What somebody works out of a unit: its figure, or that of the unit above minus those of its sisters.
fn reconstructed(figures: &[Figure], unit: u128) -> Option<u64> {
    let told = |unit| of_unit(figures, unit).people;
    told(unit).or_else(|| {
        let sisters = TEAMS.iter().filter(|(team, _)| *team != unit);
        sisters.map(|(team, _)| told(*team)).sum::<Option<u64>>().and_then(|sisters| Some(told(1)? - sisters))
    })
}

#[test]
fn a_unit_minus_its_other_parts_gives_nothing() {
    let (people, graph) = (People::new(Threshold::default()), organisation());
    let figures = ask(&people, &graph, now(), &[Dimension::OrgUnit], MeasureOf::Headcount);
    assert_eq!(reconstructed(&figures, 2), None);
    // Figures that hide only what is small give it away.
    let naive: Vec<_> = [(1, Some(35)), (2, None), (3, Some(12)), (4, Some(20))]
        .map(|(unit, people)| Figure { unit: Some(id(Kind::OrgUnit, unit)), people, ..Figure::default() })
        .to_vec();
    assert_eq!(reconstructed(&naive, 2), Some(3));
}

#[test]
fn shares_that_tell_of_everybody_are_not_told() {
    let (people, graph) = (People::new(Threshold::default()), organisation());
    let figures = ask(&people, &graph, now(), &[Dimension::OrgUnit], skilled());
    // Ten of twenty would do, but the rest of the department has three who are skilled.
    assert_eq!(of_unit(&figures, 4).share, None);
    assert_eq!(of_unit(&figures, 3).share, None, "nobody of twelve is a figure about all twelve");
    assert_eq!(of_unit(&figures, 1).share, Some(13.0 / 35.0));
}

#[test]
fn one_person_is_not_seen_to_move_come_leave_or_learn() {
    let before = organisation();
    let ask_all = |people: &People, graph: &Graph, at| {
        [
            ask(people, graph, at, &[Dimension::OrgUnit], MeasureOf::Headcount),
            ask(people, graph, at, &[], MeasureOf::Fte),
            ask(people, graph, at, &[Dimension::OrgUnit], skilled()),
            ask(people, graph, at, &[Dimension::Role], MeasureOf::Headcount),
        ]
    };
    let tomorrow = now() + Duration::from_secs(SECONDS_A_DAY);
    let changes: [fn(&mut Graph); 4] = [
        |graph| employ(graph, 400, 3),
        |graph| employ(graph, 999, 4),
        |graph| put(graph, Kind::Worker, 401, &[("status", Value::Enum(4))]),
        |graph| assert_skill(graph, 401, 5),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut after = before.clone();
        change(&mut after);
        let people = People::new(Threshold::default());
        let told = ask_all(&people, &before, now());
        // The same day, however often; and on the next, as long as it is about one person.
        assert_eq!(ask_all(&people, &after, now()), told, "{at}");
        assert_eq!(ask_all(&people, &after, tomorrow), told, "{at}");
        // Whoever counts anew sees that person.
        assert_ne!(ask_all(&People::new(Threshold::default()), &after, tomorrow), told, "{at}");
    }
    // What changes for enough is told the next day, and not before.
    let mut after = before.clone();
    (0..6).for_each(|at| employ(&mut after, 400 + at, 3));
    let people = People::new(Threshold::default());
    let told = ask_all(&people, &before, now());
    assert_eq!(ask_all(&people, &after, now()), told);
    assert_ne!(ask_all(&people, &after, tomorrow), told);
}

#[test]
fn everybody_is_counted_once_where_most_of_the_time_goes() {
    let mut graph = organisation();
    // A second, smaller assignment elsewhere, and one that is over.
    for (number, to_day) in [(9001, None), (9002, Some(DAY))] {
        let mut values = vec![
            ("worker_id", to(Kind::Worker, 300)),
            ("position_id", to(Kind::Position, 4)),
            ("fte", Value::Float(0.2)),
        ];
        values.extend(to_day.map(|day| ("to", Value::Date(day))));
        put(&mut graph, Kind::Assignment, number, &values);
    }
    let people = People::new(Threshold::default());
    assert_eq!(ask(&people, &graph, now(), &[], MeasureOf::Fte)[0].fte, Some(28.2));
    let figures = ask(&people, &graph, now(), &[Dimension::OrgUnit], MeasureOf::Headcount);
    assert_eq!(of_unit(&figures, 1).people, Some(35));
    assert!([None, Some(20)].contains(&of_unit(&figures, 4).people));
}
