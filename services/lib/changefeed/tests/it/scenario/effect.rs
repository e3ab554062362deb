//! Commands that change another record than the one they name.

use futures::future::join_all;
use spil_proto::{
    changefeed::v1::{Command, Outcome, ProblemCode, Record, record::Entity, target::By},
    initiative::v1::{GateDecision, GateOutcome, Initiative, InitiativeStage},
    model::{Kind, Owner},
};
use uuid::Uuid;

use crate::{
    database::Database,
    follower::{Follower, next_changes, watch},
    owner::{TestOwner, batch, by_id, create, id, outcomes, problems, retire, update},
};

fn initiative(values: Initiative) -> Record {
    Record { entity: Some(Entity::Initiative(values)) }
}

fn decision(of: Uuid, decision: GateOutcome, to: InitiativeStage) -> Record {
    Record {
        entity: Some(Entity::GateDecision(GateDecision {
            initiative_id: Some(of.as_bytes().to_vec()),
            decision: decision.into(),
            to_stage: to.into(),
            ..GateDecision::default()
        })),
    }
}

async fn new_initiative(owner: &TestOwner) -> Uuid {
    id(&owner.one(create(initiative(Initiative::default()))).await)
}

/// The stage and the version of an initiative as it is stored.
async fn stored(owner: &TestOwner, of: Uuid) -> (InitiativeStage, u64) {
    let (_, snapshot) = owner.snapshot().await;
    let record = snapshot.into_iter().find(|record| record.id() == Some(of)).expect("the initiative");
    let Some(Entity::Initiative(initiative)) = record.entity else { panic!("no initiative") };
    (initiative.stage(), initiative.header.expect("a header").version)
}

pub(crate) async fn a_decision_changes_the_initiative_in_the_same_revision(database: Database) {
    use InitiativeStage::{Pilot, Scale, Unspecified};
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let of = new_initiative(&owner).await;
    let (start, _) = owner.snapshot().await;
    let mut follower = Follower::start(&owner).await;

    let made = owner.one(create(decision(of, GateOutcome::Go, Pilot))).await;
    assert_eq!(made.outcome(), Outcome::Created);
    assert_eq!(stored(&owner, of).await, (Pilot, 2));
    let mut stream = watch(&owner, start).await.expect("a stream");
    let revisions = next_changes(&mut stream).await.revisions;
    let kinds: Vec<_> =
        revisions[0].changes.iter().map(|change| change.record.as_ref().and_then(Record::kind)).collect();
    assert_eq!(kinds, [Some(Kind::GateDecision), Some(Kind::Initiative)]);

    // One that is ahead changes nothing; when it is made, it does.
    let ahead = owner.one(create(decision(of, GateOutcome::Unspecified, Scale))).await;
    assert_eq!(stored(&owner, of).await, (Pilot, 2));
    let decided = decision(of, GateOutcome::Go, Unspecified);
    owner.one(update(by_id(id(&ahead)), &["decision"], decided)).await;
    assert_eq!(stored(&owner, of).await, (Scale, 3));

    // A dry run says what would be and leaves it.
    let mut dry = batch(vec![create(decision(of, GateOutcome::Go, Pilot))]);
    dry.dry_run = true;
    assert_eq!(outcomes(&owner.send(dry).await), [Outcome::Created]);
    assert_eq!(stored(&owner, of).await, (Scale, 3));

    let head = owner.head().await.revision;
    follower.follow_to(head).await;
    assert_eq!(follower.digest(Owner::Initiative), owner.digest().await.kinds);
}

pub(crate) async fn effects_are_seen_by_later_commands(database: Database) {
    use InitiativeStage::{Pilot, Scale};
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let of = Uuid::now_v7();
    let target = || Some(spil_proto::changefeed::v1::Target { by: Some(By::Id(of.as_bytes().to_vec())) });
    let make = || Command { target: target(), ..create(initiative(Initiative::default())) };
    let renamed = initiative(Initiative { uses_ai: Some(true), ..Initiative::default() });
    let write =
        |version| Command { expected_version: Some(version), ..update(by_id(of), &["uses_ai"], renamed.clone()) };
    let go = |to| create(decision(of, GateOutcome::Go, to));
    let answer = owner.apply(vec![make(), go(Pilot), write(1)]).await;
    assert_eq!(outcomes(&answer), [Outcome::Created, Outcome::Created, Outcome::Conflict]);
    let answer = owner.apply(vec![make(), go(Pilot), go(Scale), write(3)]).await;
    assert!(answer.applied, "{:?}", answer.items);
    assert_eq!(stored(&owner, of).await, (Scale, 4));
}

pub(crate) async fn what_forbids_an_effect_forbids_the_command(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let values = Initiative { budget: Some("1".to_owned()), ..Initiative::default() };
    let frozen = id(&owner.one(create(initiative(values))).await);
    let head = owner.head().await;
    let item = owner.refused(create(decision(frozen, GateOutcome::Go, InitiativeStage::Pilot))).await;
    assert_eq!(problems(&item), [("initiative_id", ProblemCode::Rule)]);
    assert_eq!(owner.head().await, head);

    // A decision that was ahead when its initiative was retired.
    let of = new_initiative(&owner).await;
    let ahead = id(&owner.one(create(decision(of, GateOutcome::Unspecified, InitiativeStage::Pilot))).await);
    owner.one(retire(Kind::Initiative, by_id(of))).await;
    let made = decision(of, GateOutcome::Go, InitiativeStage::Pilot);
    let item = owner.refused(update(by_id(ahead), &["decision"], made)).await;
    assert_eq!(problems(&item), [("initiative_id", ProblemCode::Retired)]);
}

pub(crate) async fn decisions_at_a_time_lose_nothing(database: Database) {
    const WRITERS: usize = 12;
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let of = new_initiative(&owner).await;
    let (start, _) = owner.snapshot().await;
    let calls = (0..WRITERS).map(|writer| {
        let stage = InitiativeStage::try_from(i32::try_from(writer % 6 + 1).expect("small")).expect("a stage");
        // Half of them decide, half write another field; each goes by the initiative from another side.
        let command = if writer % 2 == 0 {
            create(decision(of, GateOutcome::Go, stage))
        } else {
            let days = i32::try_from(writer).expect("small");
            let values = Initiative { planned_stage_days: Some(days), ..Initiative::default() };
            update(by_id(of), &["planned_stage_days"], initiative(values))
        };
        owner.apply(vec![command])
    });
    assert!(join_all(calls).await.iter().all(|answer| answer.applied));

    // By the log each decision moved the initiative in its own revision, and no version was written twice.
    let mut stream = watch(&owner, start).await.expect("a stream");
    let (mut version, mut stage, mut decided, mut written) = (1, InitiativeStage::Unspecified, 0, 0);
    while decided + written < WRITERS {
        for revision in next_changes(&mut stream).await.revisions {
            let mut wanted = None;
            for record in revision.changes.iter().filter_map(|change| change.record.as_ref()) {
                match &record.entity {
                    Some(Entity::GateDecision(made)) => wanted = Some(made.to_stage()),
                    Some(Entity::Initiative(now)) => {
                        version += 1;
                        assert_eq!(now.header.as_ref().map(|header| header.version), Some(version));
                        stage = now.stage();
                    }
                    _ => panic!("another kind"),
                }
            }
            if let Some(wanted) = wanted {
                assert_eq!(stage, wanted);
                decided += 1;
            } else {
                written += 1;
            }
        }
    }
    assert_eq!((decided, stored(&owner, of).await), (WRITERS / 2, (stage, version)));
}
