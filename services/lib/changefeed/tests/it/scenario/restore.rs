//! Backups that are restored: the log goes back, and on from there another way.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{ConnectionTrait, TransactionTrait};
use spil_changefeed::FeedError;
use spil_proto::{changefeed::v1::Cursor, model::Owner};

use crate::{
    database::Database,
    follower::{Follower, watch},
    owner::{TestOwner, create},
    sample::capability,
    scenario::chain::unlocked,
};

/// Writes so many revisions.
async fn write(owner: &TestOwner, revisions: u64) {
    for number in 0..revisions {
        owner.one(create(capability(None, &number.to_string()))).await;
    }
}

async fn is_refused(owner: &TestOwner, cursor: &Cursor) -> bool {
    matches!(watch(owner, cursor.clone()).await, Err(FeedError::OutOfRange))
}

pub(crate) async fn a_restored_backup_is_another_history(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut early = Follower::start(&owner).await;
    let start = early.cursor.clone();
    assert_eq!((start.revision, start.mark), (0, 0));
    write(&owner, 5).await;
    early.follow_to(5).await;
    write(&owner, 2).await;
    let at_backup = Follower::start(&owner).await;
    owner.store.close().await;
    database.back_up().await;

    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut late = Follower::resume(&owner, at_backup).await;
    let at_backup = late.cursor.clone();
    write(&owner, 2).await;
    late.follow_to(9).await;
    let lost = late.passed.clone();
    owner.store.close().await;
    database.restore().await;

    let owner = TestOwner::new(&database, Owner::Capability).await;
    assert_eq!(owner.head().await, at_backup);
    // The numbers come again one by one: before, at and past those that the follower has seen.
    for revision in 7..=10 {
        assert_eq!(owner.head().await.revision, revision);
        for cursor in &lost {
            assert!(is_refused(&owner, cursor).await, "{cursor:?} at {revision}");
        }
        assert!(!is_refused(&owner, &at_backup).await);
        assert!(!is_refused(&owner, &start).await);
        write(&owner, 1).await;
    }
    // Who was not yet past the backup goes on.
    let mut early = Follower::resume(&owner, early).await;
    early.follow_to(11).await;
    let digest = owner.digest().await;
    assert_eq!((early.digest(Owner::Capability), Some(&early.cursor)), (digest.kinds, digest.cursor.as_ref()));
    let marks: BTreeSet<u64> = early.passed.iter().chain(&lost).map(|cursor| cursor.mark).collect();
    assert_eq!(marks.len(), early.passed.len() + lost.len());
    // Who was past it begins anew.
    assert!(is_refused(&owner, &late.cursor).await);
    let anew = Follower::start(&owner).await;
    assert_eq!(anew.digest(Owner::Capability), early.digest(Owner::Capability));
}

pub(crate) async fn a_restore_ends_the_streams_of_a_running_owner(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    // Nothing, or fewer, as many, or more revisions come after the restore than the follower has seen.
    for written in 0..=3 {
        write(&owner, 1).await;
        let fork = owner.head().await;
        write(&owner, 1).await;
        let mut follower = Follower::start(&owner).await;
        write(&owner, 1).await;
        follower.follow_to(fork.revision + 2).await;
        let seen = follower.followed;

        rewind(&database, &fork).await;
        write(&owner, written).await;
        // A bound, not a measure: a stream that is not ended goes on for ever.
        let end = tokio::time::timeout(Duration::from_secs(30), follower.follow_to_end()).await.expect("the end");
        assert!(matches!(end, FeedError::OutOfRange), "{end:?}");
        assert_eq!(follower.followed, seen, "followed another history after {written}");
        assert!(is_refused(&owner, &follower.cursor).await);

        // A follower of the history as it is now is served, by the same owner.
        let mut stream = watch(&owner, fork.clone()).await.expect("a stream");
        write(&owner, 1).await;
        let mut next = fork.revision + 1;
        while next <= fork.revision + written + 1 {
            let message = futures::StreamExt::next(&mut stream).await.expect("more").expect("a message");
            for revision in message.revisions {
                assert_eq!(revision.revision, next);
                next += 1;
            }
        }
    }
}

/// Puts the log back to a place, beside the owner.
async fn rewind(database: &Database, to: &Cursor) {
    let db = unlocked(database, Owner::Capability).await;
    let transaction = db.begin().await.expect("begun");
    let (revision, mark) = (to.revision, to.mark.cast_signed());
    for sql in [
        format!("UPDATE change_head SET revision = {revision}, mark = {mark}"),
        format!("DELETE FROM change WHERE revision > {revision}"),
        format!("DELETE FROM revision WHERE revision > {revision}"),
    ] {
        transaction.execute_unprepared(&sql).await.expect("put back");
    }
    transaction.commit().await.expect("committed");
}
