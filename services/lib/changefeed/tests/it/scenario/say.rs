//! Who writes within a scope only: the scope never grows by that, and what is not seen can not be referred to or named.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use spil_access::{Policy, PolicyHandle};
use spil_changefeed::OwnerService;
use spil_proto::{
    changefeed::v1::{Action, Command, Outcome, ProblemCode, Record, Reference, Target, record::Entity},
    model::{Header, Kind, Owner, Value, field},
    workforce::v1::{AssertionMethod, Assignment, OrgUnit, Position, Worker},
};
use uuid::Uuid;

use super::policy::{answer, bytes, caller, header, made, organisation, record, refused, service};
use crate::{
    database::Database,
    owner::{TestOwner, batch, by_external, by_id, by_key, create, id, retire, update, upsert},
};

/// A planner sees every unit and everybody, and writes within the own units.
const POLICY: &str = r#"
version = 1
[worker]
claim = "worker"
by = "key"
[roles.planner]
members = [{ linked = true }]
allow = [
  { kinds = ["OrgUnit", "Position", "Worker", "Assignment"], actions = ["read"], scope = "all" },
  { kinds = ["OrgUnit", "Position", "Worker", "Assignment"], actions = ["create", "update", "retire"], scope = "own_org_subtree" },
]
"#;
/// A day that is past, and one that is to come.
const PAST: i32 = 10_000;
const TO_COME: i32 = 40_000;
const TODAY: i32 = 20_000;

fn planned(owner: &TestOwner) -> OwnerService {
    let policy = Policy::parse("policy.toml", POLICY).expect("a policy");
    owner.service.clone().with_policy(PolicyHandle::fixed(policy))
}

fn assignment(worker: Uuid, position: Uuid, from: Option<i32>, to: Option<i32>) -> Record {
    record(Entity::Assignment(Assignment {
        worker_id: bytes(worker),
        position_id: bytes(position),
        from,
        to,
        ..Assignment::default()
    }))
}

pub(crate) async fn nobody_makes_the_own_scope_wider(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let organisation = organisation(&owner).await;
    let (service, ada) = (planned(&owner), caller("ada", &[]));
    let ([a, b, c], [top, below, far]) = (organisation.units, organisation.positions);
    let [me, bob, cleo] = organisation.workers;
    let mine = async |position: Uuid, from: Option<i32>, to: Option<i32>| {
        id(&owner.one(create(assignment(me, position, from, to))).await)
    };
    let ended = mine(far, None, Some(PAST)).await;
    let second = mine(below, Some(PAST), Some(TO_COME)).await;
    let later = mine(far, Some(TO_COME), None).await;
    let forbidden = |field| (Outcome::Invalid, vec![(field, ProblemCode::Forbidden)]);
    let absent = (Outcome::Invalid, vec![("id", ProblemCode::NotFound)]);
    // Nothing that is the writer's own gets another place, begins earlier or ends later.
    for (which, field, values) in [
        (ended, "to", assignment(me, far, None, None)),
        (ended, "to", assignment(me, far, None, Some(TO_COME))),
        (second, "position_id", assignment(me, far, None, None)),
        (second, "position_id", assignment(me, top, None, None)),
        (second, "from", assignment(me, below, Some(PAST - 1), None)),
        (second, "from", assignment(me, below, None, None)),
        (second, "to", assignment(me, below, None, None)),
        (later, "from", assignment(me, far, Some(TODAY), None)),
        (later, "from", assignment(me, far, None, None)),
    ] {
        let said = answer(&service, &ada, update(by_id(which), &[field], values)).await;
        assert_eq!(refused(&said), forbidden(field));
    }
    assert_eq!(
        refused(&answer(&service, &ada, create(assignment(me, below, None, None))).await),
        forbidden("worker_id")
    );
    let of_bob = id(&owner.one(create(assignment(bob, below, None, Some(PAST)))).await);
    let to_me = update(by_id(of_bob), &["worker_id"], assignment(me, below, None, None));
    assert_eq!(refused(&answer(&service, &ada, to_me).await), forbidden("worker_id"));
    // Nobody is brought in who was not there, by a new place or an old one.
    let of_cleo = id(&owner.one(create(assignment(cleo, below, None, Some(PAST)))).await);
    for command in [
        create(assignment(cleo, below, None, None)),
        create(assignment(cleo, below, Some(TO_COME), None)),
        update(by_id(of_bob), &["worker_id"], assignment(cleo, below, None, None)),
    ] {
        assert_eq!(refused(&answer(&service, &ada, command).await), forbidden("worker_id"));
    }
    let reopened = answer(&service, &ada, update(by_id(of_cleo), &["to"], assignment(cleo, below, None, None))).await;
    assert_eq!(refused(&reopened), forbidden("worker_id"));
    // The own position stays where it is, and nobody becomes a head or another by what a token says.
    let in_unit = |unit| record(Entity::Position(Position { org_unit_id: bytes(unit), ..Position::default() }));
    let moved = answer(&service, &ada, update(by_id(top), &["org_unit_id"], in_unit(b))).await;
    assert_eq!(refused(&moved), forbidden("org_unit_id"));
    let head = record(Entity::OrgUnit(OrgUnit { head_id: bytes(top), ..OrgUnit::default() }));
    assert_eq!(refused(&answer(&service, &ada, update(by_id(b), &["head_id"], head)).await), forbidden("head_id"));
    let named = record(Entity::Worker(Worker { header: header("zoe"), ..Worker::default() }));
    assert_eq!(refused(&answer(&service, &ada, update(by_id(bob), &["key"], named)).await), forbidden("key"));
    // A unit elsewhere can not be drawn in, also not by two commands that need each other.
    let parent = |unit| record(Entity::OrgUnit(OrgUnit { parent_id: bytes(unit), ..OrgUnit::default() }));
    let drawn = answer(&service, &ada, update(by_id(c), &["parent_id"], parent(a))).await;
    assert_eq!(refused(&drawn).0, Outcome::Invalid);
    // To end what is one's own is allowed, and so is what changes nobody's place.
    for (which, fields, values) in [
        (second, vec!["to"], assignment(me, below, None, Some(TO_COME - 1))),
        (second, vec!["from"], assignment(me, below, Some(PAST + 1), None)),
        (of_bob, vec!["to"], assignment(bob, below, None, None)),
        (of_cleo, vec!["to"], assignment(cleo, below, None, Some(PAST - 1))),
    ] {
        let said = answer(&service, &ada, update(by_id(which), &fields, values)).await;
        assert_eq!(said.outcome(), Outcome::Updated, "{:?}", said.problems);
    }
    let said = answer(&service, &ada, retire(Kind::Assignment, by_id(second))).await;
    assert_eq!(said.outcome(), Outcome::Retired, "{:?}", said.problems);
    // What is retired is not there for anybody, and what is elsewhere neither.
    let elsewhere = answer(&service, &ada, update(by_id(far), &["org_unit_id"], in_unit(a))).await;
    assert_eq!(refused(&elsewhere), (Outcome::Invalid, vec![("", ProblemCode::Forbidden)]), "it is seen, and not hers");
    let nothing = answer(&service, &ada, update(by_id(Uuid::now_v7()), &["org_unit_id"], in_unit(a))).await;
    assert_eq!(refused(&nothing), absent);
}

/// The records of the owner, and whose scope they are.
struct World(BTreeMap<(Kind, Uuid), Record>);

impl World {
    async fn of(owner: &TestOwner) -> Self {
        let (_, records) = owner.snapshot().await;
        let named = records.into_iter().filter_map(|record| Some(((record.kind()?, record.id()?), record)));
        Self(named.filter(|(_, record)| !is_retired(record)).collect())
    }

    fn all(&self, kind: Kind) -> impl Iterator<Item = (Uuid, &Record)> {
        self.0.iter().filter(move |((of, _), _)| *of == kind).map(|((_, id), record)| (*id, record))
    }

    fn worker(&self) -> Option<Uuid> {
        let is_ada = |record: &Record| text(record, field::KEY).as_deref() == Some("ada");
        self.all(Kind::Worker).find(|(_, record)| is_ada(record)).map(|(id, _)| id)
    }

    fn positions_of(&self, worker: Uuid, day: i32) -> BTreeSet<Uuid> {
        let held = self.all(Kind::Assignment).filter(|(_, record)| {
            let (from, to) = (date(record, "from"), date(record, "to"));
            from.is_none_or(|from| from <= day) && to.is_none_or(|to| day < to)
        });
        held.filter(|(_, record)| reference(record, "worker_id") == Some(worker))
            .filter_map(|(_, record)| reference(record, "position_id"))
            .filter(|position| self.0.contains_key(&(Kind::Position, *position)))
            .collect()
    }

    /// The units that the viewer is in and heads on a day.
    fn roots(&self, day: i32) -> BTreeSet<Uuid> {
        let held = self.worker().map(|worker| self.positions_of(worker, day)).unwrap_or_default();
        let is_in = held.iter().filter_map(|id| reference(&self.0[&(Kind::Position, *id)], "org_unit_id"));
        let heads =
            self.all(Kind::OrgUnit).filter(|(_, unit)| reference(unit, "head_id").is_some_and(|id| held.contains(&id)));
        is_in.chain(heads.map(|(id, _)| id)).filter(|id| self.0.contains_key(&(Kind::OrgUnit, *id))).collect()
    }

    /// All units and workers that are the viewer's own on a day.
    fn scope(&self, day: i32) -> BTreeSet<Uuid> {
        let mut units = self.roots(day);
        while let Some(more) = self.all(Kind::OrgUnit).find(|(id, unit)| {
            !units.contains(id) && reference(unit, "parent_id").is_some_and(|id| units.contains(&id))
        }) {
            units.insert(more.0);
        }
        let is_here = |position: &Uuid| {
            reference(&self.0[&(Kind::Position, *position)], "org_unit_id").is_some_and(|unit| units.contains(&unit))
        };
        let workers: BTreeSet<Uuid> = self
            .all(Kind::Worker)
            .map(|(id, _)| id)
            .filter(|id| self.positions_of(*id, day).iter().any(is_here))
            .collect();
        units.union(&workers).copied().collect()
    }
}

fn is_retired(record: &Record) -> bool {
    !record.entity().expect("an entity").get(field::RETIRED_AT).is_null()
}

fn value<'a>(record: &'a Record, column: &str) -> Value<'a> {
    let info = record.kind().expect("a kind").info().field_by_column(column).expect("a field");
    record.entity().expect("an entity").get(info.index)
}

fn reference(record: &Record, column: &str) -> Option<Uuid> {
    if let Value::Id(id) = value(record, column) { Some(id) } else { None }
}

fn date(record: &Record, column: &str) -> Option<i32> {
    if let Value::Date(day) = value(record, column) { Some(day) } else { None }
}

fn text(record: &Record, index: usize) -> Option<String> {
    if let Value::Text(text) = record.entity()?.get(index) { Some(text.into_owned()) } else { None }
}

/// Any command about any of some records.
fn any_command(dice: &mut StdRng, ids: &BTreeMap<Kind, Vec<Uuid>>) -> Command {
    let mut of = |kind: Kind| ids[&kind][dice.random_range(0..ids[&kind].len())];
    let (unit, parent, position, head) = (of(Kind::OrgUnit), of(Kind::OrgUnit), of(Kind::Position), of(Kind::Position));
    let (worker, assigned) = (of(Kind::Worker), of(Kind::Assignment));
    let mut day = || [None, Some(PAST), Some(TODAY), Some(TO_COME)][dice.random_range(0..4)];
    let place = assignment(worker, position, day(), day());
    let in_unit = record(Entity::Position(Position { org_unit_id: bytes(unit), ..Position::default() }));
    let of_unit = OrgUnit { parent_id: bytes(parent), head_id: bytes(head), ..OrgUnit::default() };
    let of_unit = record(Entity::OrgUnit(of_unit));
    let named = |key: &str| record(Entity::Worker(Worker { header: header(key), ..Worker::default() }));
    match dice.random_range(0..14) {
        0..3 => create(place),
        3 => update(by_id(assigned), &["worker_id"], place),
        4 => update(by_id(assigned), &["position_id"], place),
        5 => update(by_id(assigned), &["to"], place),
        6 => update(by_id(assigned), &["from"], place),
        7 => update(by_id(position), &["org_unit_id"], in_unit),
        8 => update(by_id(unit), &["parent_id"], of_unit),
        9 => update(by_id(unit), &["head_id"], of_unit),
        10 => update(by_id(worker), &["key"], named(["ada", "zoe"][dice.random_range(0..2)])),
        11 => upsert(by_id(Uuid::now_v7()), &["org_unit_id"], in_unit),
        12 => retire(Kind::Assignment, by_id(assigned)),
        _ => retire(Kind::OrgUnit, by_id(unit)),
    }
}

pub(crate) async fn what_a_scoped_writer_sends_never_widens_the_scope(database: Database) {
    let (mut applied, mut would_widen) = (0, 0);
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    for seed in 0..4 {
        let mut dice = StdRng::seed_from_u64(seed);
        for (worker, _) in World::of(&owner).await.all(Kind::Worker) {
            owner.one(update(by_id(worker), &["key"], Record::empty(Kind::Worker))).await;
        }
        let mut ids: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
        for at in 0..7_usize {
            let name = format!("{seed} {at}");
            let parent = (at > 0).then(|| ids[&Kind::OrgUnit][dice.random_range(0..at)]).filter(|_| at != 3);
            let unit = OrgUnit { header: header(&name), parent_id: parent.and_then(bytes), ..OrgUnit::default() };
            let unit = made(&owner, Entity::OrgUnit(unit)).await;
            ids.entry(Kind::OrgUnit).or_default().push(unit);
            let position = Position { org_unit_id: bytes(unit), ..Position::default() };
            let position = made(&owner, Entity::Position(position)).await;
            ids.entry(Kind::Position).or_default().push(position);
            let header = Header { key: Some(if at == 1 { "ada".to_owned() } else { name }), ..Header::default() };
            let worker = made(&owner, Entity::Worker(Worker { header: Some(header), ..Worker::default() })).await;
            ids.entry(Kind::Worker).or_default().push(worker);
            for to in [None, [None, Some(PAST), Some(TO_COME)][at % 3]] {
                let elsewhere = ids[&Kind::Position][dice.random_range(0..=at)];
                let place = if to.is_none() { position } else { elsewhere };
                let made = id(&owner.one(create(assignment(worker, place, None, to))).await);
                ids.entry(Kind::Assignment).or_default().push(made);
            }
        }
        let (service, ada) = (planned(&owner), caller("ada", &[]));
        for _ in 0..120 {
            let commands: Vec<_> = (0..dice.random_range(1..3)).map(|_| any_command(&mut dice, &ids)).collect();
            let before = World::of(&owner).await;
            let said = service.apply(&ada, batch(commands.clone())).await.expect("an answer");
            if !said.applied {
                // Whoever may write everything could have.
                let mut tried = batch(commands);
                tried.dry_run = true;
                let free = owner.send(tried).await;
                would_widen += usize::from(free.items.iter().all(|item| item.problems.is_empty()));
                continue;
            }
            applied += 1;
            let after = World::of(&owner).await;
            let is_new = |id: &Uuid| !before.0.keys().any(|(_, known)| known == id);
            assert!(after.worker().is_none_or(|worker| Some(worker) == before.worker()), "seed {seed}: {commands:?}");
            let more = &after.scope(TODAY) - &before.scope(TODAY);
            assert!(more.iter().all(is_new), "seed {seed}: {commands:?} widened the scope");
            let more = &after.roots(TO_COME) - &before.scope(TO_COME);
            assert!(more.iter().all(is_new), "seed {seed}: {commands:?} will widen the scope");
        }
    }
    assert!(applied > 20 && would_widen > 60, "{applied} batches were applied, {would_widen} were refused to her only");
}

fn referring(field: &str, by: spil_proto::changefeed::v1::target::By, mut values: Record) -> Command {
    if let Some(Entity::SkillAssertion(claim)) = &mut values.entity {
        claim.worker_id = None;
    }
    let targets = vec![Target { by: Some(by) }];
    Command { references: vec![Reference { field: field.to_owned(), targets }], ..create(values) }
}

pub(crate) async fn references_to_what_is_not_seen_lead_nowhere(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let organisation = organisation(&owner).await;
    let (service, ada) = (service(&owner), caller("ada", &["managers"]));
    // Somebody else's worker and nobody's are told from one another by nothing, in a dry run either.
    let assigned = async |worker: Uuid, dry_run: bool| {
        let mut batch = batch(vec![create(assignment(worker, organisation.positions[1], None, None))]);
        batch.dry_run = dry_run;
        service.apply(&ada, batch).await.expect("an answer").items
    };
    for dry_run in [true, false] {
        let hidden = assigned(organisation.workers[2], dry_run).await;
        assert_eq!(refused(&hidden[0]), (Outcome::Invalid, vec![("worker_id", ProblemCode::NotFound)]));
        assert_eq!(hidden, assigned(Uuid::now_v7(), dry_run).await);
        assert_eq!(assigned(organisation.workers[1], true).await[0].outcome(), Outcome::Created);
    }
    owner.one(retire(Kind::Worker, by_id(organisation.workers[2]))).await;
    assert_eq!(assigned(organisation.workers[2], true).await, assigned(Uuid::now_v7(), true).await, "retired or not");
}

pub(crate) async fn names_of_people_tell_nothing_to_who_may_not_see_them(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let organisation = organisation(&owner).await;
    let (service, ada, bob) = (service(&owner), caller("ada", &["managers"]), caller("bob", &[]));
    let by_manager = || organisation.claim(1, AssertionMethod::Manager);
    // A manager sees who is in the own units, and not who they are: no number leads to a pseudonym.
    for dry_run in [true, false] {
        for by in [by_key("bob"), by_key("cleo"), by_key("nobody"), by_external("hr", "7")] {
            let mut request = batch(vec![referring("worker_id", by, by_manager())]);
            request.dry_run = dry_run;
            let item = service.apply(&ada, request).await.expect("an answer").items.remove(0);
            assert_eq!(refused(&item), (Outcome::Invalid, vec![("worker_id", ProblemCode::NotFound)]));
            assert!(item.record.is_none() && item.id.is_empty());
        }
    }
    // What has no people's names is named as before, and everybody may name themselves.
    let mut by_skill = referring("skill_id", by_key("skill"), by_manager());
    if let Some(Entity::SkillAssertion(claim)) = by_skill.values.as_mut().and_then(|values| values.entity.as_mut()) {
        (claim.worker_id, claim.skill_id) = (bytes(organisation.workers[1]), None);
    }
    assert_eq!(answer(&service, &ada, by_skill).await.outcome(), Outcome::Created);
    let own = referring("worker_id", by_key("bob"), organisation.claim(1, AssertionMethod::Self_));
    assert_eq!(answer(&service, &bob, own).await.outcome(), Outcome::Created);
    // Whether a key is somebody's is not told by what is changed or retired either.
    let contested = || {
        let header = Some(Header::default());
        record(Entity::Worker(Worker { header, contestation: Some("not so".to_owned()), ..Worker::default() }))
    };
    let absent = (Outcome::Invalid, vec![("key", ProblemCode::NotFound)]);
    for key in ["cleo", "ada", "nobody"] {
        let said = answer(&service, &bob, update(by_key(key), &["contestation"], contested())).await;
        assert_eq!(refused(&said), absent, "{key}");
        assert!(said.id.is_empty());
    }
    let said = answer(&service, &bob, update(by_key("bob"), &["contestation"], contested())).await;
    assert_eq!(said.outcome(), Outcome::Updated, "{:?}", said.problems);
    let both = [Action::Update, Action::Retire].map(|action| Command {
        action: action.into(),
        ..update(by_key("nobody"), &["level"], organisation.claim(1, AssertionMethod::Self_))
    });
    for command in both {
        assert_eq!(refused(&answer(&service, &bob, command).await), absent);
    }
    // Whoever writes all people names them by what they have.
    let all = owner.one(referring("worker_id", by_key("cleo"), by_manager())).await;
    assert_eq!(all.outcome(), Outcome::Created);
}
