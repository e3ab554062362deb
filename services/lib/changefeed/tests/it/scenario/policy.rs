//! What an owner lets whom write, over its own data.

use std::sync::Arc;

use serde_json::json;
use spil_access::{Policy, PolicyHandle, WorkerName};
use spil_auth::Caller;
use spil_changefeed::{ApplyError, FoundNames, FoundPerson, OwnerService, People, Person};
use spil_proto::{
    changefeed::v1::{ApplyResponse, Command, ItemResult, Outcome, ProblemCode, Record, record::Entity},
    initiative::v1::{Initiative, Spend, Stakeholder},
    model::{Header, Kind, Owner},
    workforce::v1::{
        AssertionMethod, Assignment, OrgUnit, Position, Skill, SkillAssertion, Worker,
        service::{WhoIsRequest, who_is_request},
    },
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, batch, by_id, create, id, retire, update},
};

const POLICY: &str = r#"
version = 1
[worker]
claim = "worker"
by = "key"

[roles.employee]
members = [{ linked = true }]
allow = [
  { kinds = ["Worker", "SkillAssertion"], actions = ["read", "identify"], scope = "own_record" },
  { kinds = ["Skill"], actions = ["read"], scope = "all" },
  { kinds = ["Worker"], actions = ["update"], scope = "own_record", fields = ["contestation"] },
  { kinds = ["SkillAssertion"], actions = ["create", "update", "retire"], scope = "own_record", with = { method = ["SELF"] } },
  { kinds = ["SkillAssertion"], actions = ["update"], scope = "own_record", fields = ["contestation"] },
]

[roles.manager]
members = [{ claim = "groups", value = "managers" }]
allow = [
  { kinds = ["Worker", "SkillAssertion", "Assignment", "Position", "OrgUnit"], actions = ["read"], scope = "own_org_subtree" },
  { kinds = ["SkillAssertion"], actions = ["create", "update"], scope = "own_org_subtree", with = { method = ["MANAGER"] } },
  { kinds = ["Assignment", "Position", "OrgUnit"], actions = ["create", "update"], scope = "own_org_subtree" },
]

[roles.lead]
members = [{ claim = "groups", value = "leads" }]
allow = [
  { kinds = ["Initiative", "Spend", "Stakeholder"], actions = ["read", "create", "update", "retire"], scope = "own_initiatives" },
]
"#;

pub(super) fn service(owner: &TestOwner) -> OwnerService {
    let policy = Policy::parse("policy.toml", POLICY).expect("a policy");
    owner.service.clone().with_policy(PolicyHandle::fixed(policy))
}

pub(super) fn caller(worker: &str, groups: &[&str]) -> Caller {
    let claims = json!({"worker": worker, "groups": groups}).as_object().cloned().expect("an object");
    Caller::new(worker, []).with_claims(claims)
}

pub(super) fn header(key: &str) -> Option<Header> {
    Some(Header { key: Some(key.to_owned()), name: Some(key.to_owned()), ..Header::default() })
}

pub(super) fn bytes(id: Uuid) -> Option<Vec<u8>> {
    Some(id.as_bytes().to_vec())
}

pub(super) fn record(entity: Entity) -> Record {
    Record { entity: Some(entity) }
}

pub(super) async fn made(owner: &TestOwner, entity: Entity) -> Uuid {
    id(&owner.one(create(record(entity))).await)
}

pub(super) async fn answer(service: &OwnerService, caller: &Caller, command: Command) -> ItemResult {
    let response: ApplyResponse = service.apply(caller, batch(vec![command])).await.expect("an answer");
    response.items.into_iter().next().expect("an item")
}

pub(super) fn refused(item: &ItemResult) -> (Outcome, Vec<(&str, ProblemCode)>) {
    let problems = item.problems.iter().map(|problem| (problem.field.as_str(), problem.code())).collect();
    (item.outcome(), problems)
}

const ABSENT: (&str, ProblemCode) = ("id", ProblemCode::NotFound);

/// Unit `a` with `b` below it, and `c` elsewhere; ada works in and heads `a`, bob works in `b`, cleo in `c`.
pub(super) struct Organisation {
    pub(super) units: [Uuid; 3],
    pub(super) positions: [Uuid; 3],
    pub(super) workers: [Uuid; 3],
    skill: Uuid,
}

pub(super) async fn organisation(owner: &TestOwner) -> Organisation {
    let unit = |key: &str, parent: Option<Uuid>| {
        Entity::OrgUnit(OrgUnit { header: header(key), parent_id: parent.and_then(bytes), ..OrgUnit::default() })
    };
    let a = made(owner, unit("a", None)).await;
    let units = [a, made(owner, unit("b", Some(a))).await, made(owner, unit("c", None)).await];
    let (mut positions, mut workers) = ([Uuid::nil(); 3], [Uuid::nil(); 3]);
    for (at, key) in ["ada", "bob", "cleo"].into_iter().enumerate() {
        let position = Position { org_unit_id: bytes(units[at]), ..Position::default() };
        positions[at] = made(owner, Entity::Position(position)).await;
        workers[at] = made(owner, Entity::Worker(Worker { header: header(key), ..Worker::default() })).await;
        let assignment =
            Assignment { worker_id: bytes(workers[at]), position_id: bytes(positions[at]), ..Assignment::default() };
        made(owner, Entity::Assignment(assignment)).await;
    }
    let skill = made(owner, Entity::Skill(Skill { header: header("skill"), ..Skill::default() })).await;
    Organisation { units, positions, workers, skill }
}

impl Organisation {
    pub(super) fn claim(&self, worker: usize, method: AssertionMethod) -> Record {
        record(Entity::SkillAssertion(SkillAssertion {
            worker_id: bytes(self.workers[worker]),
            skill_id: bytes(self.skill),
            level: Some(3),
            method: method.into(),
            ..SkillAssertion::default()
        }))
    }
}

fn level(level: i32) -> Record {
    record(Entity::SkillAssertion(SkillAssertion { level: Some(level), ..SkillAssertion::default() }))
}

pub(crate) async fn a_worker_writes_own_claims_and_finds_no_other(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let organisation = organisation(&owner).await;
    let (service, bob) = (service(&owner), caller("bob", &[]));
    let others = id(&owner.one(create(organisation.claim(2, AssertionMethod::Self_))).await);
    let by_manager = id(&owner.one(create(organisation.claim(1, AssertionMethod::Manager))).await);

    let own = answer(&service, &bob, create(organisation.claim(1, AssertionMethod::Self_))).await;
    assert_eq!(own.outcome(), Outcome::Created, "{:?}", own.problems);
    assert!(own.record.is_some());
    let said = answer(&service, &bob, create(organisation.claim(1, AssertionMethod::Test))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("method", ProblemCode::Forbidden)]));
    let said = answer(&service, &bob, create(organisation.claim(2, AssertionMethod::Self_))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("worker_id", ProblemCode::NotFound)]));

    // What others say can be contested and not changed; the claims of others are not there.
    let said = answer(&service, &bob, update(by_id(by_manager), &["level"], level(5))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("level", ProblemCode::Forbidden)]));
    let mut contested = level(0);
    if let Some(Entity::SkillAssertion(claim)) = &mut contested.entity {
        (claim.level, claim.contestation) = (None, Some("not so".to_owned()));
    }
    let said = answer(&service, &bob, update(by_id(by_manager), &["contestation"], contested.clone())).await;
    assert_eq!(said.outcome(), Outcome::Updated, "{:?}", said.problems);
    for (fields, values) in [(vec!["contestation"], contested), (vec!["level"], level(5)), (vec!["level"], level(3))] {
        let mut there = answer(&service, &bob, update(by_id(others), &fields, values.clone())).await;
        let absent = answer(&service, &bob, update(by_id(Uuid::now_v7()), &fields, values)).await;
        assert_eq!(refused(&there), (Outcome::Invalid, vec![ABSENT]));
        there.id.clone_from(&absent.id);
        assert_eq!(there, absent, "what is hidden and what is not there are told apart");
    }
    let mut stale = update(by_id(others), &["level"], level(5));
    stale.expected_version = Some(9);
    assert_eq!(refused(&answer(&service, &bob, stale).await), (Outcome::Invalid, vec![ABSENT]));
    let said = answer(&service, &bob, retire(Kind::SkillAssertion, by_id(others))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![ABSENT]));
    // One command that is refused stops the batch.
    let mixed = vec![
        create(organisation.claim(1, AssertionMethod::Self_)),
        create(organisation.claim(2, AssertionMethod::Self_)),
    ];
    assert!(!service.apply(&bob, batch(mixed)).await.expect("an answer").applied);
    // Whoever may do nothing of the kind with a kind at all is told so at once.
    let worker = record(Entity::Worker(Worker { header: header("new"), ..Worker::default() }));
    assert!(matches!(service.apply(&bob, batch(vec![create(worker)])).await, Err(ApplyError::Forbidden(_))));
    let stranger = caller("nobody", &[]);
    let said = answer(&service, &stranger, create(organisation.claim(1, AssertionMethod::Self_))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("worker_id", ProblemCode::NotFound)]));
}

pub(crate) async fn a_manager_writes_within_the_own_units(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let organisation = organisation(&owner).await;
    let (service, ada) = (service(&owner), caller("ada", &["managers"]));
    let said = answer(&service, &ada, create(organisation.claim(1, AssertionMethod::Manager))).await;
    assert_eq!(said.outcome(), Outcome::Created, "{:?}", said.problems);
    let said = answer(&service, &ada, create(organisation.claim(2, AssertionMethod::Manager))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("worker_id", ProblemCode::NotFound)]));

    // A position can be moved within the units, and not out of them; one elsewhere is not there.
    let in_unit = |unit: usize| {
        record(Entity::Position(Position { org_unit_id: bytes(organisation.units[unit]), ..Position::default() }))
    };
    let moved = answer(&service, &ada, update(by_id(organisation.positions[1]), &["org_unit_id"], in_unit(0))).await;
    assert_eq!(moved.outcome(), Outcome::Updated, "{:?}", moved.problems);
    let out = answer(&service, &ada, update(by_id(organisation.positions[1]), &["org_unit_id"], in_unit(2))).await;
    assert_eq!(refused(&out), (Outcome::Invalid, vec![("org_unit_id", ProblemCode::NotFound)]));
    let elsewhere =
        answer(&service, &ada, update(by_id(organisation.positions[2]), &["org_unit_id"], in_unit(0))).await;
    assert_eq!(refused(&elsewhere), (Outcome::Invalid, vec![ABSENT]));

    // Nobody becomes more by what they may write: no place for oneself, no head of a unit.
    let place = |worker: usize, position: usize| {
        create(record(Entity::Assignment(Assignment {
            worker_id: bytes(organisation.workers[worker]),
            position_id: bytes(organisation.positions[position]),
            ..Assignment::default()
        })))
    };
    assert_eq!(answer(&service, &ada, place(1, 0)).await.outcome(), Outcome::Created);
    let far = answer(&service, &ada, place(0, 2)).await;
    assert_eq!(refused(&far), (Outcome::Invalid, vec![("position_id", ProblemCode::NotFound)]));
    let own = answer(&service, &ada, place(0, 1)).await;
    assert_eq!(refused(&own), (Outcome::Invalid, vec![("worker_id", ProblemCode::Forbidden)]));
    let head = record(Entity::OrgUnit(OrgUnit { head_id: bytes(organisation.positions[0]), ..OrgUnit::default() }));
    let head = answer(&service, &ada, update(by_id(organisation.units[1]), &["head_id"], head)).await;
    assert_eq!(refused(&head), (Outcome::Invalid, vec![("head_id", ProblemCode::Forbidden)]));

    let ask = |key: &str| WhoIsRequest { by: Some(who_is_request::By::Key(key.to_owned())) };
    let found = owner.service.who_is(&owner.caller, ask("ada")).await.expect("an answer");
    assert_eq!(found.worker_id, organisation.workers[0].as_bytes());
    let mut units = [organisation.units[0], organisation.units[1]].map(|id| id.as_bytes().to_vec());
    units.sort_unstable();
    assert_eq!(found.org_unit_ids, units);
    assert!(owner.service.who_is(&owner.caller, ask("zoe")).await.expect("an answer").worker_id.is_empty());
    assert!(service.who_is(&ada, ask("bob")).await.is_err(), "who may not follow is told nothing");
}

/// Knows one worker by the key `ada`.
struct OnlyAda(Uuid);

impl People for OnlyAda {
    fn find<'a>(&'a self, name: &'a WorkerName) -> FoundPerson<'a> {
        let found =
            (*name == WorkerName::Key("ada".to_owned())).then(|| Person { worker: self.0, ..Person::default() });
        Box::pin(async { Ok(found) })
    }

    fn names(&self, _kind: Kind, _person: Uuid) -> FoundNames<'_> {
        Box::pin(async { Ok(None) })
    }
}

pub(crate) async fn a_lead_writes_within_the_own_initiatives(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let ada = Uuid::now_v7();
    let initiative = |key: &str, parent: Option<Uuid>, sponsor: Option<Uuid>| {
        Entity::Initiative(Initiative {
            header: header(key),
            parent_id: parent.and_then(bytes),
            sponsor_id: sponsor.and_then(bytes),
            ..Initiative::default()
        })
    };
    let own = made(&owner, initiative("own", None, Some(ada))).await;
    let below = made(&owner, initiative("below", Some(own), None)).await;
    let other = made(&owner, initiative("other", None, None)).await;
    let past = made(&owner, initiative("past", None, None)).await;
    let stake = |initiative: Uuid, to: Option<i32>| {
        Entity::Stakeholder(Stakeholder {
            initiative_id: bytes(initiative),
            worker_id: bytes(ada),
            to,
            ..Stakeholder::default()
        })
    };
    made(&owner, stake(past, Some(10_000))).await;
    let lead = caller("ada", &["leads"]);
    let known = service(&owner).with_people(Arc::new(OnlyAda(ada)));
    let spend = |initiative: Uuid| {
        create(record(Entity::Spend(Spend {
            initiative_id: bytes(initiative),
            at: Some(20_000),
            amount: Some("10".to_owned()),
            currency: Some("EUR".to_owned()),
            ..Spend::default()
        })))
    };
    for initiative in [own, below] {
        let said = answer(&known, &lead, spend(initiative)).await;
        assert_eq!(said.outcome(), Outcome::Created, "{:?}", said.problems);
    }
    for initiative in [other, past] {
        let said = answer(&known, &lead, spend(initiative)).await;
        assert_eq!(refused(&said), (Outcome::Invalid, vec![("initiative_id", ProblemCode::NotFound)]));
    }
    let named = |name: &str| {
        let header = Header { name: Some(name.to_owned()), ..Header::default() };
        record(Entity::Initiative(Initiative { header: Some(header), ..Initiative::default() }))
    };
    assert_eq!(answer(&known, &lead, update(by_id(below), &["name"], named("B"))).await.outcome(), Outcome::Updated);
    let said = answer(&known, &lead, update(by_id(other), &["name"], named("B"))).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![ABSENT]));
    let grab = answer(&known, &lead, create(record(initiative("grab", Some(own), Some(ada))))).await;
    assert_eq!(refused(&grab), (Outcome::Invalid, vec![("sponsor_id", ProblemCode::Forbidden)]));
    let place = answer(&known, &lead, create(record(stake(below, None)))).await;
    assert_eq!(refused(&place), (Outcome::Invalid, vec![("worker_id", ProblemCode::Forbidden)]));
    // Where nobody knows who somebody is, nothing is theirs.
    let said = answer(&service(&owner), &lead, spend(own)).await;
    assert_eq!(refused(&said), (Outcome::Invalid, vec![("initiative_id", ProblemCode::NotFound)]));
}
