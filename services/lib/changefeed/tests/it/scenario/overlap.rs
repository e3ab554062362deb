//! Transactions that overlap: one that began first commits last.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use spil_proto::model::Owner;

use crate::{
    database::Database,
    follower::Follower,
    owner::{TestOwner, by_id, create, id, update},
    sample::{capability, name_of},
};

pub(crate) async fn overlapping_transactions_lose_no_change(database: Database) {
    a_plain_sequence_loses_one(&database).await;
    a_slow_start_is_not_passed_over(&database).await;
    a_slow_end_holds_the_others_up(&database).await;
}

/// What a follower misses that polls for numbers taken from a sequence.
async fn a_plain_sequence_loses_one(database: &Database) {
    let slow = database.connect(Owner::Workforce).await;
    let quick = database.connect(Owner::Workforce).await;
    let follower = database.connect(Owner::Workforce).await;
    slow.execute_unprepared("CREATE TABLE public.plain (number bigserial PRIMARY KEY, what text)")
        .await
        .expect("a table");
    let transaction = slow.begin().await.expect("begun");
    transaction.execute_unprepared("INSERT INTO public.plain (what) VALUES ('slow')").await.expect("inserted");
    quick.execute_unprepared("INSERT INTO public.plain (what) VALUES ('quick')").await.expect("inserted");
    let mut last = 0;
    let mut seen = poll_plain(&follower, &mut last).await;
    transaction.commit().await.expect("committed");
    seen.extend(poll_plain(&follower, &mut last).await);
    assert_eq!(seen, ["quick"], "the slow one was expected to be lost");
}

async fn poll_plain(db: &DatabaseConnection, last: &mut i64) -> Vec<String> {
    let sql = format!("SELECT number, what FROM public.plain WHERE number > {last} ORDER BY number");
    let rows =
        db.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql)).await.expect("rows");
    rows.iter()
        .map(|row| {
            *last = row.try_get_by_index(0).expect("a number");
            row.try_get_by_index(1).expect("a text")
        })
        .collect()
}

/// A batch that began first and is held up before its end commits after the others, under a later revision.
async fn a_slow_start_is_not_passed_over(database: &Database) {
    let owner = Arc::new(TestOwner::new(database, Owner::Capability).await);
    let slow = id(&owner.one(create(capability(None, "slow"))).await);
    let quick = id(&owner.one(create(capability(None, "quick"))).await);
    let mut follower = Follower::start(&owner).await;
    let other = database.connect(Owner::Capability).await;
    let holder = other.begin().await.expect("begun");
    holder.execute_unprepared(&format!("SELECT 1 FROM capability WHERE id = '{slow}' FOR UPDATE")).await.expect("held");
    let held_up = tokio::spawn({
        let owner = Arc::clone(&owner);
        async move { owner.apply(vec![update(by_id(slow), &["name"], capability(None, "slow done"))]).await }
    });
    wait_until_blocked(database, 1).await;
    let answer = owner.apply(vec![update(by_id(quick), &["name"], capability(None, "quick done"))]).await;
    follower.follow_to(answer.cursor.expect("a cursor").revision).await;
    assert!(!held_up.is_finished());
    holder.rollback().await.expect("released");
    let late = held_up.await.expect("applied").cursor.expect("a cursor").revision;
    assert_eq!(late, follower.cursor.revision + 1);
    follower.follow_to(late).await;
    let mut names: Vec<String> = follower.records.values().map(name_of).collect();
    names.sort();
    assert_eq!(names, ["quick done", "slow done"]);
    assert_eq!(follower.digest(Owner::Capability), owner.digest().await.kinds);
}

/// A transaction that has its revision and is slow to commit: nobody gets a later revision before it has.
async fn a_slow_end_holds_the_others_up(database: &Database) {
    let owner = Arc::new(TestOwner::new(database, Owner::Initiative).await);
    let make = |owner: &Arc<TestOwner>| {
        let owner = Arc::clone(owner);
        tokio::spawn(async move {
            let record = spil_proto::changefeed::v1::Record::empty(spil_proto::model::Kind::Initiative);
            owner.apply(vec![create(record)]).await
        })
    };
    let first = make(&owner).await.expect("applied");
    let mut follower = Follower::start(&owner).await;
    let other = database.connect(Owner::Initiative).await;
    let slow = other.begin().await.expect("begun");
    slow.execute_unprepared("UPDATE change_head SET revision = revision + 1, mark = 77").await.expect("advanced");
    for sql in [
        "INSERT INTO revision SELECT 2, 77, at, 'slow', source, changes, bytes FROM revision WHERE revision = 1",
        "INSERT INTO change SELECT 2, ordinal, kind, record_id, record FROM change WHERE revision = 1",
    ] {
        slow.execute_unprepared(sql).await.expect("inserted");
    }
    let waiting: Vec<_> = (0..3).map(|_| make(&owner)).collect();
    wait_until_blocked(database, 3).await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    // Nothing is shown that could be passed over.
    tokio::time::timeout(Duration::from_millis(300), follower.follow_to(2)).await.expect_err("shown too early");
    slow.commit().await.expect("committed");
    let mut revisions = Vec::new();
    for task in waiting {
        revisions.push(task.await.expect("applied").cursor.expect("a cursor").revision);
    }
    revisions.sort_unstable();
    assert_eq!(revisions, [3, 4, 5]);
    follower.follow_to(5).await;
    assert_eq!(follower.followed, 4);
    assert_eq!(first.cursor.expect("a cursor").revision, 1);
}

/// Waits until so many connections of the database wait for a lock.
async fn wait_until_blocked(database: &Database, count: i64) {
    let admin = database.connect(Owner::Workforce).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        let row = admin.query_one_raw(statement).await.expect("a row").expect("a row");
        if row.try_get_by_index::<i64>(0).expect("a number") >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
