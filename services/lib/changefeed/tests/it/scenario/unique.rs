//! Fields in which a value occurs once.

use futures::future::join_all;
use spil_proto::{
    changefeed::v1::{Outcome, ProblemCode, Record, record::Entity},
    model::{Kind, Owner},
    workforce::v1::LearningEvent,
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, by_id, create, id, outcomes, problems, retire, update},
    sample::minimal,
};

const STATEMENT: &str = "6f1c2a4e-0b57-4c1d-9f1e-2d3a4b5c6d7e";

async fn event(owner: &TestOwner, statement: &str) -> Record {
    let mut record = minimal(owner, Kind::LearningEvent).await;
    if let Some(Entity::LearningEvent(event)) = &mut record.entity {
        event.statement_id = Some(statement.to_owned());
    }
    record
}

pub(crate) async fn a_statement_counts_once(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let first = id(&owner.one(create(event(&owner, STATEMENT).await)).await);
    let upper = event(&owner, &STATEMENT.to_uppercase()).await;
    assert_eq!(problems(&owner.refused(create(upper)).await), [("statement_id", ProblemCode::Taken)]);
    let no_uuid = event(&owner, "statement 7").await;
    assert_eq!(problems(&owner.refused(create(no_uuid)).await), [("statement_id", ProblemCode::Malformed)]);

    let (one, two) = (event(&owner, STATEMENT).await, event(&owner, &Uuid::now_v7().to_string()).await);
    let second = id(&owner.one(create(two)).await);
    let item = owner.refused(update(by_id(second), &["statement_id"], one.clone())).await;
    assert_eq!(problems(&item), [("statement_id", ProblemCode::Taken)]);

    // Within one batch a record can take what another one gives up, whichever row is written first.
    let empty = Record { entity: Some(Entity::LearningEvent(LearningEvent::default())) };
    let handed_on =
        vec![update(by_id(first), &["statement_id"], empty), update(by_id(second), &["statement_id"], one.clone())];
    let answer = owner.apply(handed_on).await;
    assert_eq!(outcomes(&answer), [Outcome::Updated, Outcome::Updated]);
    let answer = owner.apply(vec![retire(Kind::LearningEvent, by_id(second)), create(one.clone())]).await;
    assert_eq!(outcomes(&answer), [Outcome::Retired, Outcome::Created]);
    assert_eq!(outcomes(&owner.apply(vec![create(one)]).await), [Outcome::Invalid]);
}

pub(crate) async fn one_of_many_records_gets_a_statement(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    for _ in 0..5 {
        let record = event(&owner, &Uuid::now_v7().to_string()).await;
        let answers = join_all((0..6).map(|_| owner.apply(vec![create(record.clone())]))).await;
        assert_eq!(answers.iter().filter(|answer| answer.applied).count(), 1);
    }
}
