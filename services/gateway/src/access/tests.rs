use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use spil_access::{Action, Policy, Scope, Viewer};
use spil_auth::Caller;
use spil_graph::{Graph, Row};
use spil_proto::{
    changefeed::v1::{Record, record::Entity},
    initiative::v1::{Initiative, Stakeholder},
    model::{Header, Kind, Purpose},
    workforce::v1::{Assignment, OrgUnit, Position, SkillAssertion, Worker},
};
use uuid::Uuid;

use super::{Sights, View, own::Own};
use crate::live::{Live, Published};

const TODAY: i32 = 20_000;

fn id(number: u8) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

fn bytes(number: u8) -> Option<Vec<u8>> {
    Some(id(number).as_bytes().to_vec())
}

fn header(number: u8) -> Option<Header> {
    Some(Header {
        id: id(number).as_bytes().to_vec(),
        version: 1,
        name: Some(format!("n{number}")),
        key: Some(format!("k{number}")),
        ..Header::default()
    })
}

fn apply(graph: &mut Graph, entity: Entity) {
    graph.apply(&Record { entity: Some(entity) }).expect("a record");
}

fn unit(graph: &mut Graph, number: u8, parent: Option<u8>, head: Option<u8>) {
    let unit = OrgUnit {
        header: header(number),
        parent_id: parent.and_then(bytes),
        head_id: head.and_then(bytes),
        ..OrgUnit::default()
    };
    apply(graph, Entity::OrgUnit(unit));
}

fn position(graph: &mut Graph, number: u8, unit: u8) {
    apply(
        graph,
        Entity::Position(Position { header: header(number), org_unit_id: bytes(unit), ..Position::default() }),
    );
}

fn worker(graph: &mut Graph, number: u8) {
    let worker = Worker {
        header: header(number),
        email: Some(format!("n{number}@example.org")),
        number: Some(format!("p{number}")),
        ..Worker::default()
    };
    apply(graph, Entity::Worker(worker));
}

fn assignment(graph: &mut Graph, number: u8, (worker, position): (u8, u8), (from, to): (Option<i32>, Option<i32>)) {
    let assignment = Assignment {
        header: header(number),
        worker_id: bytes(worker),
        position_id: bytes(position),
        from,
        to,
        ..Assignment::default()
    };
    apply(graph, Entity::Assignment(assignment));
}

fn claim(graph: &mut Graph, number: u8, worker: u8) {
    let claim = SkillAssertion {
        header: header(number),
        worker_id: bytes(worker),
        level: Some(3),
        ..SkillAssertion::default()
    };
    apply(graph, Entity::SkillAssertion(claim));
}

fn initiative(graph: &mut Graph, number: u8, parent: Option<u8>, sponsor: Option<u8>) {
    let initiative = Initiative {
        header: header(number),
        parent_id: parent.and_then(bytes),
        sponsor_id: sponsor.and_then(bytes),
        ..Initiative::default()
    };
    apply(graph, Entity::Initiative(initiative));
}

/// Unit 1 holds 2 and 3; 3 holds 4. Worker 31 works in 3 and heads it; 32 in 4; 33 in 2; 34 was in 3 and is in 2 now.
fn organisation() -> Graph {
    let mut graph = Graph::new();
    unit(&mut graph, 1, None, None);
    unit(&mut graph, 2, Some(1), None);
    unit(&mut graph, 3, Some(1), Some(13));
    unit(&mut graph, 4, Some(3), None);
    for (number, unit) in [(12, 2), (13, 3), (14, 4), (15, 3)] {
        position(&mut graph, number, unit);
    }
    (31..=34).for_each(|number| worker(&mut graph, number));
    assignment(&mut graph, 51, (31, 13), (Some(TODAY - 10), None));
    assignment(&mut graph, 52, (32, 14), (None, None));
    assignment(&mut graph, 53, (33, 12), (None, None));
    assignment(&mut graph, 54, (34, 15), (None, Some(TODAY)));
    assignment(&mut graph, 55, (34, 12), (Some(TODAY), None));
    (31..=34).for_each(|number| claim(&mut graph, number + 40, number));
    initiative(&mut graph, 81, None, Some(31));
    initiative(&mut graph, 82, Some(81), None);
    initiative(&mut graph, 83, None, None);
    initiative(&mut graph, 84, None, None);
    for (number, initiative, to) in [(91, 83, None), (92, 84, Some(TODAY))] {
        let stake = Stakeholder {
            header: header(number),
            initiative_id: bytes(initiative),
            worker_id: bytes(31),
            to,
            ..Stakeholder::default()
        };
        apply(&mut graph, Entity::Stakeholder(stake));
    }
    graph
}

fn viewer(allow: &str, worker: Option<&str>, purpose: Option<Purpose>) -> Viewer {
    let text = format!(
        "version = 1\n[worker]\nclaim = \"w\"\nby = \"key\"\n[roles.a]\nmembers = [{{ anyone = true }}]\nallow = [{allow}]\n"
    );
    let policy = Policy::parse("policy.toml", &text).expect("a policy");
    let claims = json!({"w": worker}).as_object().cloned().expect("an object");
    policy.viewer(&Caller::new("ada", []).with_claims(claims), purpose)
}

fn everything(scope: &str) -> String {
    format!(
        "{{ actions = [\"read\"], scope = \"{scope}\" }}, {{ actions = [\"identify\"], scope = \"{scope}\", purposes = [\"*\"] }}"
    )
}

fn numbers(graph: &Graph, own: &Own, scope: Scope, kind: Kind) -> Vec<u8> {
    let rows = own.rows(scope, kind).into_iter().flat_map(|rows| rows.iter().collect::<Vec<Row>>());
    let mut numbers: Vec<u8> = rows.map(|row| graph.table(kind).id(row).as_bytes()[15]).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn the_subtree_is_what_is_below_own_units_today() {
    let graph = organisation();
    let of = |key: &str| Own::find(&viewer(&everything("own_org_subtree"), Some(key), None), &graph, TODAY);
    let own = of("k31");
    let in_subtree = |kind| numbers(&graph, &own, Scope::OwnOrgSubtree, kind);
    assert_eq!(in_subtree(Kind::OrgUnit), [3, 4]);
    assert_eq!(in_subtree(Kind::Position), [13, 14, 15]);
    assert_eq!(in_subtree(Kind::Worker), [31, 32], "34 has left the unit today");
    assert_eq!(in_subtree(Kind::Assignment), [51, 52, 54], "what was in the unit stays known there");
    assert_eq!(in_subtree(Kind::SkillAssertion), [71, 72]);
    assert_eq!(in_subtree(Kind::Stakeholder), [91, 92], "stakes belong to their workers");
    assert_eq!(numbers(&graph, &of("k34"), Scope::OwnOrgSubtree, Kind::OrgUnit), [2]);
    let before = Own::find(&viewer(&everything("own_org_subtree"), Some("k34"), None), &graph, TODAY - 1);
    assert_eq!(numbers(&graph, &before, Scope::OwnOrgSubtree, Kind::OrgUnit), [3, 4]);
}

#[test]
fn own_initiatives_are_those_one_sponsors_or_has_a_stake_in_and_what_belongs_to_them() {
    let graph = organisation();
    let own = Own::find(&viewer(&everything("own_initiatives"), Some("k31"), None), &graph, TODAY);
    assert_eq!(numbers(&graph, &own, Scope::OwnInitiatives, Kind::Initiative), [81, 82, 83]);
    assert_eq!(numbers(&graph, &own, Scope::OwnInitiatives, Kind::Stakeholder), [91]);
    assert!(own.rows(Scope::OwnInitiatives, Kind::Worker).is_none());
}

#[test]
fn ones_record_is_the_worker_and_what_is_about_it() {
    let graph = organisation();
    let own = Own::find(&viewer(&everything("own_record"), Some("k34"), None), &graph, TODAY);
    assert_eq!(own.worker().map(|(id, _)| id), Some(id(34)));
    assert_eq!(numbers(&graph, &own, Scope::OwnRecord, Kind::Worker), [34]);
    assert_eq!(numbers(&graph, &own, Scope::OwnRecord, Kind::Assignment), [54, 55]);
    assert_eq!(numbers(&graph, &own, Scope::OwnRecord, Kind::SkillAssertion), [74]);
    assert!(own.rows(Scope::OwnRecord, Kind::OrgUnit).is_none());
    for key in [Some("k99"), None] {
        let own = Own::find(&viewer(&everything("own_record"), key, None), &graph, TODAY);
        assert!(own.worker().is_none() && own.rows(Scope::OwnRecord, Kind::Worker).is_none());
    }
}

#[test]
fn two_workers_with_one_number_are_nobody() {
    let mut graph = organisation();
    let name = spil_access::WorkerName::Number("p31".to_owned());
    assert!(super::own::worker(&graph, &name).is_some());
    let twin = Worker { header: header(39), number: Some("p31".to_owned()), ..Worker::default() };
    apply(&mut graph, Entity::Worker(twin));
    assert!(super::own::worker(&graph, &name).is_none());
}

fn published(graph: Graph) -> Arc<Published> {
    let live = Live::empty();
    let owners = live.load().owners.clone();
    Arc::new(Published::new(graph, owners))
}

fn seen(view: &View, graph: &Graph, kind: Kind) -> Vec<u8> {
    let graph = graph.seen_by(view.sight());
    let table = graph.table(kind);
    table.rows().iter().map(|row| table.id(row).as_bytes()[15]).collect()
}

#[test]
fn a_sight_shows_what_the_policy_allows() {
    let allow = r#"
  { kinds = ["OrgUnit"], actions = ["read"], scope = "all" },
  { kinds = ["Worker", "SkillAssertion"], actions = ["read"], scope = "own_org_subtree" },
  { kinds = ["Worker"], actions = ["identify"], scope = "own_record" },
"#;
    let state = published(organisation());
    let view = Sights::default().view_now(&viewer(allow, Some("k31"), None), &state);
    // The fixture is of another day than today: who is assigned without dates stays.
    assert_eq!(seen(&view, &state.graph, Kind::OrgUnit), [1, 2, 3, 4]);
    assert!(seen(&view, &state.graph, Kind::Position).is_empty());
    assert!(view.sight().sees_all(Kind::OrgUnit) && view.sight().sees_none(Kind::Position));
    let graph = state.graph.seen_by(view.sight());
    let email = Kind::Worker.info().field_by_name("email").expect("a field").index;
    let workers = graph.table(Kind::Worker);
    let emails: Vec<Option<&str>> = workers.rows().iter().map(|row| workers.text(row, email)).collect();
    assert_eq!(emails, [Some("n31@example.org"), None]);
    assert_eq!(workers.row_of_key("k32"), None, "nobody is found by a key that is hidden");
    assert!(workers.row_of_key("k31").is_some());
}

#[tokio::test]
async fn who_may_see_all_shares_one_sight_and_what_is_kept_falls_with_the_kinds_it_depends_on() {
    let sights = Arc::new(Sights::default());
    let state = published(organisation());
    let reader = viewer("{ actions = [\"read\"], scope = \"all\" }", None, None);
    let one = sights.view(&reader, &state).await;
    let other = sights.view(&viewer("{ actions = [\"read\"], scope = \"all\" }", Some("k31"), None), &state).await;
    assert!(Arc::ptr_eq(one.sight(), other.sight()));
    let manager = viewer(&everything("own_org_subtree"), Some("k31"), None);
    let first = sights.view(&manager, &state).await;
    assert!(Arc::ptr_eq(first.sight(), sights.view(&manager, &state).await.sight()));
    let mut later = Published::new(state.graph.clone(), state.owners.clone());
    later.changes.touch(Kind::Capability);
    assert!(Arc::ptr_eq(first.sight(), sights.view(&manager, &Arc::new(later)).await.sight()));
    let mut moved = Published::new(state.graph.clone(), state.owners.clone());
    moved.changes.touch(Kind::Assignment);
    assert!(!Arc::ptr_eq(first.sight(), sights.view(&manager, &Arc::new(moved)).await.sight()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What a sight shows is what the policy says of each record and field by itself.
    #[test]
    fn a_sight_agrees_with_the_policy(
        entries in proptest::collection::vec((0..3_usize, 0..2_usize, 0..4_usize, proptest::option::of(0..5_usize)), 0..7),
        who in 31..35_u8,
    ) {
        let kinds = [Kind::Worker, Kind::SkillAssertion, Kind::Initiative];
        let actions = [Action::Read, Action::Identify];
        let names = ["name", "key", "description", "tags", "translations"];
        let allow: String = entries
            .iter()
            .map(|(kind, action, scope, field)| {
                let fields = field.map_or(String::new(), |at| format!(", fields = [\"{}\"]", names[at]));
                let purposes = if *action == 1 { ", purposes = [\"*\"]" } else { "" };
                format!(
                    "{{ kinds = [\"{}\"], actions = [\"{}\"], scope = \"{}\"{fields}{purposes} }},",
                    kinds[*kind].info().name, actions[*action].name(), Scope::ALL[*scope].name()
                )
            })
            .collect();
        let viewer = viewer(&allow, Some(&format!("k{who}")), Some(Purpose::SkillDevelopment));
        let graph = organisation();
        let own = Own::find(&viewer, &graph, TODAY);
        let sight = Arc::new(super::compile::sight(&viewer, &own, &graph));
        let shown = graph.seen_by(&sight);
        for kind in kinds {
            for row in graph.table(kind).rows() {
                let expected = viewer.seen_fields(kind, own.scopes(kind, row));
                prop_assert_eq!(shown.table(kind).is_live(row), expected.is_some());
                for field in kind.info().fields() {
                    let is_seen = expected.is_some_and(|fields| fields.contains(field.index));
                    let value = shown.value(kind, row, field.index);
                    let there = if is_seen { graph.value(kind, row, field.index) } else { spil_proto::model::Value::Null };
                    prop_assert_eq!(value, there, "{:?} {}", kind, field.name);
                }
            }
        }
    }
}
