//! Changes of yesterday, told to those who see less today: nothing shows that is out of their sight by now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use futures::StreamExt;
use spil_access::Policy;
use spil_proto::model::Purpose;

use super::{
    leak::bytes,
    random::Choices,
    subscription::{next, write},
    *,
};
use crate::read_log::ReadLog;

/// Somebody sees what is in the own units and of the own initiatives; who people are too, of the own units or of the own record only.
const MANAGER: &str = r#"
version = 1
[worker]
claim = "worker"
by = "key"
[roles.manager]
members = [{ linked = true }]
allow = [
  { kinds = ["OrgUnit", "Position", "Worker", "Assignment", "SkillAssertion"], actions = ["read"], scope = "own_org_subtree" },
  { kinds = ["Worker", "Assignment", "SkillAssertion", "Stakeholder"], actions = ["read", "identify"], scope = "own_record" },
  { kinds = ["Initiative", "Stakeholder"], actions = ["read"], scope = "own_initiatives" },
"#;
const NAMES: &str = r#"  { kinds = ["Worker"], actions = ["identify"], scope = "own_org_subtree", purposes = ["SKILL_DEVELOPMENT"] },
"#;

const KINDS: [Kind; 7] = [
    Kind::OrgUnit,
    Kind::Position,
    Kind::Worker,
    Kind::Assignment,
    Kind::SkillAssertion,
    Kind::Initiative,
    Kind::Stakeholder,
];
/// How many records of a kind there are.
const EACH: usize = 5;

fn number(kind: Kind, at: usize) -> u128 {
    (kind as u128) << 8 | at as u128
}

fn reference(column: &'static str, kind: Kind, at: usize) -> (&'static str, Value<'static>) {
    (column, Value::Id(id(number(kind, at))))
}

/// A record of a kind with some references, and no name yet.
fn made(kind: Kind, at: usize, values: &[(&str, Value<'static>)]) -> Record {
    let mut record = record(kind, number(kind, at), "", values);
    record.entity_mut().expect("an entity").header_mut().key = Some(format!("{}{at}", kind.info().name));
    record
}

/// What was written, so that each write is of the next version.
struct Company {
    engine: Arc<Engine>,
    now: BTreeMap<(Kind, Uuid), Record>,
}

impl Company {
    fn new(policy: &str) -> Self {
        let policy = Policy::parse("policy.toml", policy).expect("a policy");
        let (log, _) = ReadLog::in_memory();
        let engine = engine(&[], Limits::default()).with_policy(PolicyHandle::fixed(policy)).with_read_log(Some(log));
        Self { engine: Arc::new(engine), now: BTreeMap::new() }
    }

    fn write(&mut self, mut record: Record) {
        let (kind, id) = (record.kind().expect("a kind"), record.id().expect("an id"));
        let before = self.now.get(&(kind, id)).and_then(|record| record.entity()?.header()).map_or(0, |it| it.version);
        record.entity_mut().expect("an entity").header_mut().version = before + 1;
        self.now.insert((kind, id), record.clone());
        write(&self.engine, kind.info().owner, vec![record]);
    }

    fn change(&mut self, kind: Kind, at: usize, column: &str, value: Value<'static>) {
        let Some(mut record) = self.live(kind, at) else { return };
        let index = kind.info().field_by_column(column).expect("a field").index;
        record.entity_mut().expect("an entity").set(index, value).expect("a value of its type");
        self.write(record);
    }

    fn retire(&mut self, kind: Kind, at: usize) {
        let Some(mut record) = self.live(kind, at) else { return };
        record.entity_mut().expect("an entity").header_mut().retired_at = Some(7);
        self.write(record);
    }

    fn live(&self, kind: Kind, at: usize) -> Option<Record> {
        let record = self.now.get(&(kind, id(number(kind, at))))?;
        record.entity()?.header()?.retired_at.is_none().then(|| record.clone())
    }

    async fn ask(&self, query: &str) -> Json {
        let mut request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
        request.purpose = Some(Purpose::SkillDevelopment);
        let response = self.engine.execute(&caller(), "token", request, Allowed::Everything).await;
        serde_json::from_slice(&response.body).expect("JSON")
    }

    async fn replay(&self, after: &str, record: &str) -> Responses {
        let query =
            format!("subscription {{ changes(after: {}) {{ id action fields record {{ {record} }} }} }}", json!(after));
        let mut request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
        request.purpose = Some(Purpose::SkillDevelopment);
        match self.engine.start(&caller(), "token", request, Allowed::Everything).await {
            Started::Stream(responses) => responses,
            Started::Once(response) => panic!("refused: {}", String::from_utf8_lossy(&response.body)),
        }
    }

    /// Unit 0 with unit 1 below it, and unit 2; the viewer in position 0 of unit 0, worker 1 in position 1 of unit 1, worker 2 in position 2.
    fn small() -> (Self, String) {
        let mut company = Self::new(&format!("{MANAGER}{NAMES}]\n"));
        for at in 0..3 {
            let parent = (at == 1).then(|| reference("parent_id", Kind::OrgUnit, 0));
            company.write(made(Kind::OrgUnit, at, parent.as_slice()));
            company.write(made(Kind::Position, at, &[reference("org_unit_id", Kind::OrgUnit, at)]));
            company.write(made(Kind::Worker, at, &[("display_name", Value::Text(format!("Worker {at}").into()))]));
            let references = [reference("worker_id", Kind::Worker, at), reference("position_id", Kind::Position, at)];
            company.write(made(Kind::Assignment, at, &references));
        }
        let start = company.engine.live.load().token().to_owned();
        (company, start)
    }
}

fn caller() -> Caller {
    let claims = json!({"worker": "Worker0"}).as_object().expect("an object").clone();
    Caller::new("ada", []).with_claims(claims)
}

fn record_of(answer: &Json) -> &Json {
    assert!(answer.get("errors").is_none(), "{answer}");
    &answer["data"]["changes"]["record"]
}

const NAME: &str = "... on Worker { displayName } ... on Assignment { worker { displayName } } ... on OrgUnit { positions { nodes { workers { nodes { displayName } } } } }";

#[tokio::test]
async fn who_has_left_the_units_is_not_told_of_by_an_old_assignment() {
    let (mut company, start) = Company::small();
    company.change(Kind::Assignment, 1, "fte", Value::Float(0.5));
    let seen = company.replay(&start, NAME).await.next().await.expect("a change");
    let seen: Json = serde_json::from_slice(&seen.body).expect("JSON");
    assert_eq!(record_of(&seen), &json!({"worker": {"displayName": "Worker 1"}}), "as long as they are in the unit");
    company.change(Kind::Assignment, 1, "position_id", Value::Id(id(number(Kind::Position, 2))));
    company.change(Kind::Worker, 1, "display_name", Value::Text("hidden".into()));
    assert_eq!(company.ask("{ workers { totalCount } }").await["data"]["workers"]["totalCount"], 1);
    assert_eq!(told(&mut company.replay(&start, NAME).await).await, [""; 0]);
    // The same where the assignment is no more.
    let (mut company, start) = Company::small();
    company.retire(Kind::Assignment, 1);
    company.change(Kind::Worker, 1, "display_name", Value::Text("hidden".into()));
    let mut replay = company.replay(&start, NAME).await;
    assert_eq!(record_of(&next(&mut replay).await), &Json::Null, "it is told that it is gone");
    assert_eq!(told(&mut replay).await, [""; 0]);
}

#[tokio::test]
async fn a_unit_that_was_moved_away_opens_nothing() {
    let (mut company, start) = Company::small();
    company.change(Kind::OrgUnit, 1, "description", Value::Text("closing".into()));
    company.change(Kind::OrgUnit, 1, "parent_id", Value::Id(id(number(Kind::OrgUnit, 2))));
    company.change(Kind::Worker, 1, "display_name", Value::Text("hidden".into()));
    assert_eq!(told(&mut company.replay(&start, NAME).await).await, [""; 0]);
}

#[tokio::test]
async fn who_gets_the_key_of_another_is_not_shown_the_other() {
    // Whichever of two who had the key is found by it first: the one had it, and the other has it now.
    for (old, new) in [(0, 2), (2, 0)] {
        for is_retired in [false, true] {
            let (mut company, _) = Company::small();
            company.change(Kind::Worker, 0, "key", Value::Null);
            let start = company.engine.live.load().token().to_owned();
            company.change(Kind::Worker, old, "key", Value::Text("Worker0".into()));
            company.change(Kind::Worker, old, "status", Value::Enum(3));
            match is_retired {
                true => company.retire(Kind::Worker, old),
                false => company.change(Kind::Worker, old, "key", Value::Null),
            }
            company.change(Kind::Worker, new, "key", Value::Text("Worker0".into()));
            let answers = told(&mut company.replay(&start, NAME).await).await;
            let name = |at: usize| format!("Worker {at}");
            assert!(answers.iter().all(|answer| !answer.contains(&name(old))), "{answers:?}");
            assert!(answers.iter().any(|answer| answer.contains(&name(new))), "{answers:?}");
        }
    }
}

/// What there is to be told now: until nothing more comes.
async fn told(responses: &mut Responses) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(Some(response)) = tokio::time::timeout(Duration::from_millis(100), responses.next()).await {
        all.push(String::from_utf8(response.body.to_vec()).expect("text"));
    }
    all
}

/// Everything of a record and of what it leads to, so deep.
fn deep(kind: Kind, depth: usize) -> String {
    let mut out = "id version key name description".to_owned();
    if kind == Kind::Worker {
        out.push_str(" displayName");
    }
    for relation in kind.relations().into_iter().filter(|relation| depth > 0 && KINDS.contains(&relation.to)) {
        let inner = deep(relation.to, depth - 1);
        let _ = match relation.many && relation.name != "ancestors" {
            true => write!(out, " {} {{ totalCount nodes {{ {inner} }} }}", relation.name),
            false => write!(out, " {} {{ {inner} }}", relation.name),
        };
    }
    out
}

fn references(kind: Kind) -> &'static [(&'static str, Kind)] {
    match kind {
        Kind::OrgUnit => &[("parent_id", Kind::OrgUnit), ("head_id", Kind::Position)],
        Kind::Position => &[("org_unit_id", Kind::OrgUnit)],
        Kind::Assignment => &[("worker_id", Kind::Worker), ("position_id", Kind::Position)],
        Kind::SkillAssertion => &[("worker_id", Kind::Worker)],
        Kind::Initiative => &[("parent_id", Kind::Initiative), ("sponsor_id", Kind::Worker)],
        Kind::Stakeholder => &[("initiative_id", Kind::Initiative), ("worker_id", Kind::Worker)],
        _ => &[],
    }
}

/// A record that is nowhere in a circle: units and initiatives lead to those with lower numbers.
fn any(choices: &mut Choices<'_>, kind: Kind, at: usize) -> Record {
    let mut values = Vec::new();
    for (column, to) in references(kind) {
        match if *to == kind { at } else { EACH } {
            0 => {}
            most => values.push(reference(column, *to, choices.below(most))),
        }
    }
    made(kind, at, &values)
}

/// Writes something that moves people and units about.
fn any_write(company: &mut Company, choices: &mut Choices<'_>) {
    let (kind, at) = (choices.of(&KINDS), choices.below(EACH));
    match choices.below(8) {
        0 => company.retire(kind, at),
        1 => {
            // Somebody else becomes the viewer.
            for other in 0..EACH {
                company.change(Kind::Worker, other, "key", Value::Text(format!("other{other}").into()));
            }
            company.change(Kind::Worker, at, "key", Value::Text("Worker0".into()));
        }
        2 => company.change(kind, at, "description", Value::Text("changed".into())),
        _ if company.live(kind, at).is_some() => {
            let mut record = any(choices, kind, at);
            if kind == Kind::Worker {
                record = company.live(kind, at).expect("it is live");
            }
            company.write(record);
        }
        _ => {}
    }
}

/// Gives all that is not seen texts that must not show.
fn hide(company: &mut Company, names: bool) -> usize {
    let published = company.engine.live.load();
    let viewer = company.engine.policy.load().viewer(&caller(), Some(Purpose::SkillDevelopment));
    let view = company.engine.sights.view_now(&viewer, &published);
    let seen = published.graph.seen_by(view.sight());
    let mut hidden = BTreeSet::new();
    for kind in KINDS {
        for at in (0..EACH).filter(|at| company.live(kind, *at).is_some()) {
            let row = seen.table(kind).row_of(id(number(kind, at)));
            let is_own = row.is_some_and(|row| view.is_own(kind, row));
            if row.is_none() {
                hidden.extend([(kind, at, "name"), (kind, at, "description")]);
            }
            if kind == Kind::Worker && (row.is_none() || !names && !is_own) {
                hidden.insert((kind, at, "display_name"));
            }
        }
    }
    for (kind, at, column) in &hidden {
        company.change(*kind, *at, column, Value::Text("hidden".into()));
    }
    hidden.len()
}

#[tokio::test]
async fn whatever_happened_a_replay_shows_nothing_that_is_hidden_now() {
    let cases = std::env::var("SPIL_LEAK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    let fragments: String =
        KINDS.iter().map(|kind| format!(" ... on {} {{ {} }}", kind.info().name, deep(*kind, 2))).collect();
    let (mut changes, mut records, mut hidden) = (0, 0, 0);
    for seed in 0..cases {
        let all = bytes(seed, 2_000);
        let choices = &mut Choices(&all);
        let names = seed % 2 == 0;
        let mut company = Company::new(&format!("{MANAGER}{}]\n", if names { NAMES } else { "" }));
        let start = company.engine.live.load().token().to_owned();
        for kind in KINDS {
            for at in 0..EACH {
                company.write(any(choices, kind, at));
            }
        }
        for _ in 0..choices.below(24) {
            any_write(&mut company, choices);
        }
        hidden += hide(&mut company, names);
        let answers = told(&mut company.replay(&start, &fragments).await).await;
        for answer in &answers {
            assert!(!answer.contains("hidden") && !answer.contains("\"errors\""), "case {seed}: {answer}");
            changes += 1;
            records += usize::from(!answer.contains("\"record\":null"));
        }
    }
    let cases = usize::try_from(cases).expect("few");
    assert!(records > 3 * cases && hidden > 20 * cases, "{changes} changes, {records} records, {hidden} are hidden");
}
