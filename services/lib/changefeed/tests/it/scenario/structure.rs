//! Trees and other acyclic structures.

use spil_proto::{
    changefeed::v1::{Outcome, ProblemCode, Record, record::Entity},
    model::{Kind, Owner},
    workforce::v1::Skill,
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, by_id, create, id, outcomes, problems, update},
    sample::{capability, child_of},
};

fn under(child: Uuid, parent: Uuid) -> spil_proto::changefeed::v1::Command {
    update(by_id(child), &["parent_id"], child_of(parent))
}

pub(crate) async fn a_cycle_is_refused(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut chain = vec![id(&owner.one(create(capability(None, "root"))).await)];
    for _ in 0..5 {
        let parent = chain[chain.len() - 1];
        chain.push(id(&owner.one(create(child_of(parent))).await));
    }
    let cycle = [("parent_id", ProblemCode::Cycle)];
    assert_eq!(problems(&owner.refused(under(chain[0], chain[0])).await), cycle);
    assert_eq!(problems(&owner.refused(under(chain[0], chain[5])).await), cycle);
    assert_eq!(problems(&owner.refused(under(chain[2], chain[3])).await), cycle);
    // Within a batch: each is sound alone.
    let two =
        [id(&owner.one(create(capability(None, "a"))).await), id(&owner.one(create(capability(None, "b"))).await)];
    let answer = owner.apply(vec![under(two[0], two[1]), under(two[1], two[0])]).await;
    assert_eq!(outcomes(&answer), [Outcome::Updated, Outcome::Invalid]);
    // Through records that the batch does not change.
    let answer = owner.apply(vec![under(chain[0], two[0]), under(two[0], chain[5])]).await;
    assert_eq!(outcomes(&answer), [Outcome::Updated, Outcome::Invalid]);
    // Through a record that the batch makes.
    let new = Uuid::now_v7();
    let target = spil_proto::changefeed::v1::Target { by: Some(by_id(new)) };
    let make = spil_proto::changefeed::v1::Command { target: Some(target), ..create(child_of(chain[5])) };
    let answer = owner.apply(vec![make.clone(), under(chain[0], new)]).await;
    assert_eq!(outcomes(&answer), [Outcome::Created, Outcome::Invalid]);
    // A cycle that is opened first is none.
    let answer = owner
        .apply(vec![
            make,
            update(by_id(chain[1]), &["parent_id"], Record::empty(Kind::Capability)),
            under(chain[0], new),
        ])
        .await;
    assert!(answer.applied, "{:?}", answer.items);

    // Over lists.
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = |broader: &[Uuid]| Record {
        entity: Some(Entity::Skill(Skill {
            broader_ids: broader.iter().map(|id| id.as_bytes().to_vec()).collect(),
            ..Skill::default()
        })),
    };
    let top = id(&owner.one(create(skill(&[]))).await);
    let other = id(&owner.one(create(skill(&[]))).await);
    let middle = id(&owner.one(create(skill(&[other, top]))).await);
    let bottom = id(&owner.one(create(skill(&[middle]))).await);
    let item = owner.refused(update(by_id(top), &["broader_ids"], skill(&[other, bottom]))).await;
    assert_eq!(problems(&item), [("broader_ids", ProblemCode::Cycle)]);
    owner.one(update(by_id(bottom), &["broader_ids"], skill(&[middle, top]))).await;
}

pub(crate) async fn two_writers_close_no_cycle_together(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    for _ in 0..20 {
        let a = id(&owner.one(create(capability(None, "a"))).await);
        let b = id(&owner.one(create(capability(None, "b"))).await);
        let (one, two) = tokio::join!(owner.apply(vec![under(a, b)]), owner.apply(vec![under(b, a)]));
        assert_ne!(one.applied, two.applied, "{one:?} {two:?}");
    }
}
