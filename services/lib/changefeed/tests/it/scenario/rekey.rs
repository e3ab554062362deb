//! The personal key is changed, and nothing else is.

use std::time::Duration;

use spil_changefeed::{PersonalKey, Rekeyed, Store, StoreConfig, StoreError, open};
use spil_proto::{
    changefeed::v1::{Outcome, Record, record::Entity},
    model::{Header, Owner},
    workforce::v1::Worker,
};

use super::{erase::erase, seal::worker};
use crate::{
    database::Database,
    owner::{TestOwner, batch, by_key, create, id, update, upsert},
};

/// More than are held in memory at once.
const PEOPLE: usize = 1500;

async fn store(database: &Database) -> Store {
    let config = StoreConfig { owner: Owner::Workforce, url: database.url(Owner::Workforce), max_connections: 2 };
    open(&config).await.expect("a store")
}

fn somebody(number: usize) -> Record {
    let header = Header { key: Some(format!("W-{number}")), ..Header::default() };
    let worker = Worker { header: Some(header), display_name: Some(format!("Person {number}")), ..Worker::default() };
    Record { entity: Some(Entity::Worker(worker)) }
}

fn name_of(record: Option<Record>) -> Option<String> {
    match record?.entity? {
        Entity::Worker(worker) => worker.display_name,
        _ => None,
    }
}

/// The name of somebody, as an update that changes nothing tells it.
async fn name(owner: &TestOwner, number: usize) -> Option<String> {
    let item = owner.one(update(by_key(&format!("W-{number}")), &["display_name"], somebody(number))).await;
    assert_eq!(item.outcome(), Outcome::Unchanged);
    name_of(item.record)
}

/// Whether a key is the one with which the database is sealed.
async fn opens(database: &Database, key: &PersonalKey) -> bool {
    let store = store(database).await;
    let answer = store.unlock(key).await;
    store.close().await;
    match answer {
        Ok(()) => true,
        Err(StoreError::PersonalKey) => false,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn another_key_opens_what_was_sealed(mut database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let full = owner.one(create(worker())).await;
    owner.apply((0..PEOPLE).map(|number| create(somebody(number))).collect()).await;
    let gone = owner.one(create(somebody(PEOPLE))).await;
    let erased = erase(&owner, id(&gone)).await.expect("erased");
    assert!(erased.records > 0);
    owner.store.close().await;

    let (old, new) = (database.key.clone(), PersonalKey::generate());
    let changing = store(&database).await;
    let other = PersonalKey::generate();
    assert!(matches!(changing.rekey(&other, &new).await, Err(StoreError::PersonalKey)));
    // Everybody but the one who was erased.
    assert_eq!(changing.rekey(&old, &new).await.expect("changed"), Rekeyed::Done(PEOPLE as u64 + 1));
    assert_eq!(changing.rekey(&old, &new).await.expect("found"), Rekeyed::Before);
    changing.close().await;
    assert!(!opens(&database, &old).await && opens(&database, &new).await);

    database.key = new;
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    for number in [0, 999, 1000, PEOPLE - 1] {
        assert_eq!(name(&owner, number).await, Some(format!("Person {number}")));
    }
    // Marks stay, so that names are found and are unique; and who was erased stays so.
    let found = owner.one(upsert(by_key("KEY-Zwaluw"), &["number"], worker())).await;
    assert_eq!((id(&found), found.outcome()), (id(&full), Outcome::Unchanged));
    let again = owner.apply(vec![create(somebody(PEOPLE))]).await;
    assert!(!again.applied, "who was erased does not come back: {:?}", again.items);
    assert!(owner.apply(vec![create(somebody(PEOPLE + 1))]).await.applied);
}

pub(crate) async fn a_change_of_the_key_that_is_cut_off_changes_nothing(mut database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    owner.apply((0..PEOPLE).map(|number| create(somebody(number))).collect()).await;
    owner.store.close().await;
    let (old, new) = (database.key.clone(), PersonalKey::generate());
    let mut patience = Duration::from_millis(1);
    let mut cuts = 0;
    // Cut off ever later, until it comes to its end.
    loop {
        let changing = store(&database).await;
        let outcome = tokio::time::timeout(patience, changing.rekey(&old, &new)).await;
        changing.close().await;
        match outcome {
            Ok(rekeyed) => {
                let rekeyed = rekeyed.expect("changed");
                assert!(matches!(rekeyed, Rekeyed::Done(_) | Rekeyed::Before), "{rekeyed:?}");
                break;
            }
            Err(_) => {
                cuts += 1;
                // One of them opens it, and all of it.
                let is_old = opens(&database, &old).await;
                assert_ne!(is_old, opens(&database, &new).await);
            }
        }
        patience = patience.mul_f64(1.6);
    }
    assert!(cuts > 1, "it was cut off: {cuts}");
    assert!(!opens(&database, &old).await);
    database.key = new;
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    for number in [0, PEOPLE / 2, PEOPLE - 1] {
        assert_eq!(name(&owner, number).await, Some(format!("Person {number}")));
    }
}

pub(crate) async fn who_has_an_older_key_writes_nobody_new(mut database: Database) {
    let running = TestOwner::new(&database, Owner::Workforce).await;
    running.one(create(somebody(1))).await;
    let new = PersonalKey::generate();
    let changing = store(&database).await;
    assert_eq!(changing.rekey(&database.key, &new).await.expect("changed"), Rekeyed::Done(1));
    changing.close().await;
    let refused = running.service.apply(&running.caller, batch(vec![create(somebody(2))])).await;
    assert!(refused.is_err(), "it would be sealed with a key that opens nothing: {refused:?}");
    running.store.close().await;
    database.key = new;
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    assert_eq!(name(&owner, 1).await.as_deref(), Some("Person 1"));
    assert!(owner.apply(vec![create(somebody(2))]).await.applied);
}
