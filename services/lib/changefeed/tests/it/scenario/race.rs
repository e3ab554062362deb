//! Many writers at a time.

use futures::future::join_all;
use spil_proto::{
    changefeed::v1::{Command, Outcome, Record, record::Entity},
    initiative::v1::{Benefit, BenefitShare, Initiative},
    model::Owner,
};

use crate::{
    database::Database,
    owner::{TestOwner, by_key, create, id, outcomes, update, upsert},
    sample::{capability, name_of},
};

pub(crate) async fn one_of_twenty_writers_wins_each_round(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(Some("a"), "start"))).await;
    for version in 1..=5 {
        let calls = (0..20).map(|writer| {
            let name = format!("round {version} writer {writer}");
            let write = update(by_key("a"), &["name"], capability(None, &name));
            let owner = &owner;
            async move { (name, owner.apply(vec![Command { expected_version: Some(version), ..write }]).await) }
        });
        let answers = join_all(calls).await;
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.applied).collect();
        assert_eq!(winners.len(), 1);
        for (_, answer) in answers.iter().filter(|(_, answer)| !answer.applied) {
            assert_eq!(outcomes(answer), [Outcome::Conflict]);
            assert_eq!(answer.items[0].version, version + 1);
            assert_eq!(answer.items[0].conflicting_fields, ["name"]);
        }
        assert_eq!(name_of(&owner.snapshot().await.1[0]), winners[0].0);
    }
    assert_eq!(owner.head().await.revision, 6);
}

pub(crate) async fn shares_are_never_given_away_twice(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let initiative = Record { entity: Some(Entity::Initiative(Initiative::default())) };
    let initiative = id(&owner.one(create(initiative)).await);
    for _ in 0..5 {
        let benefit = Record { entity: Some(Entity::Benefit(Benefit::default())) };
        let benefit = id(&owner.one(create(benefit)).await);
        let share = || {
            create(Record {
                entity: Some(Entity::BenefitShare(BenefitShare {
                    benefit_id: Some(benefit.as_bytes().to_vec()),
                    initiative_id: Some(initiative.as_bytes().to_vec()),
                    share: Some(0.3),
                    ..BenefitShare::default()
                })),
            })
        };
        let answers = join_all((0..10).map(|_| owner.apply(vec![share()]))).await;
        assert_eq!(answers.iter().filter(|answer| answer.applied).count(), 3);
        // Within one batch, and on top of what is stored.
        assert!(!owner.apply(vec![share()]).await.applied);
    }
}

pub(crate) async fn one_key_makes_one_record(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    for round in 0..10 {
        let key = format!("key {round}");
        let calls = (0..8).map(|_| owner.apply(vec![upsert(by_key(&key), &["name"], capability(None, "A"))]));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| answer.applied));
        assert_eq!(answers.iter().filter(|answer| outcomes(answer) == [Outcome::Created]).count(), 1);
        let creates =
            join_all((0..4).map(|_| owner.apply(vec![create(capability(Some(&format!("new {round}")), "B"))]))).await;
        assert_eq!(creates.iter().filter(|answer| answer.applied).count(), 1);
    }
}
