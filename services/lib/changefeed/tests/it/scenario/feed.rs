//! Snapshots, changes and checksums.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use spil_changefeed::{FeedError, FeedLimits};
use spil_proto::{
    changefeed::v1::{Cursor, WatchResponse},
    model::{Kind, Owner, Value, field},
};

use crate::{
    database::Database,
    follower::{Follower, watch},
    owner::{TestOwner, by_id, create, id, retire, update},
    sample::{capability, set},
    scenario::chain::trimmer,
};

/// Writes as many batches as asked for, each of some records, by several writers at a time.
async fn write(owner: &TestOwner, writers: usize, batches: usize) {
    join_all((0..writers).map(|writer| async move {
        for number in 0..batches {
            let name = format!("{writer} {number}");
            let answer = owner.apply(vec![create(capability(None, &name)), create(capability(None, &name))]).await;
            let first = id(&answer.items[0]);
            owner.one(update(by_id(first), &["name"], capability(None, "again"))).await;
            if number % 3 == 0 {
                owner.one(retire(Kind::Capability, by_id(first))).await;
            }
        }
    }))
    .await;
}

pub(crate) async fn a_follower_sees_every_revision_in_order(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Capability).await);
    let followers = join_all((0..3).map(|_| Follower::start(&owner))).await;
    let last = 8 * 12 * 2 + 8 * 4;
    let following: Vec<_> = followers
        .into_iter()
        .map(|mut follower| {
            tokio::spawn(async move {
                follower.follow_to(last).await;
                follower
            })
        })
        .collect();
    write(&owner, 8, 12).await;
    assert_eq!(owner.head().await.revision, last);
    let digest = owner.digest().await.kinds;
    for follower in following {
        let follower = follower.await.expect("followed");
        assert_eq!(follower.followed, last);
        assert_eq!(follower.digest(Owner::Capability), digest);
    }
    // From the beginning, all at once.
    let (cursor, _) = owner.snapshot().await;
    let mut stream = watch(&owner, Cursor { revision: 0, mark: 0, ..cursor }).await.expect("a stream");
    let mut next = 1;
    while next <= last {
        for revision in stream.next().await.expect("more").expect("a message").revisions {
            assert_eq!(revision.revision, next);
            assert_eq!((revision.actor.as_str(), revision.source.as_str()), ("tester", "test"));
            assert!(revision.at > 1_600_000_000_000_000);
            next += 1;
        }
    }
}

pub(crate) async fn snapshot_and_watch_come_to_the_later_snapshot(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Capability).await);
    owner.apply((0..1200).map(|number| create(capability(None, &number.to_string()))).collect()).await;
    let writer = tokio::spawn({
        let owner = Arc::clone(&owner);
        async move { write(&owner, 4, 10).await }
    });
    // Snapshots are taken in the midst of the writing.
    let mut followers = Vec::new();
    for _ in 0..4 {
        followers.push(Follower::start(&owner).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writer.await.expect("written");
    let digest = owner.digest().await;
    let head = digest.cursor.expect("a cursor").revision;
    for mut follower in followers {
        follower.follow_to(head).await;
        assert_eq!(follower.digest(Owner::Capability), digest.kinds);
        assert_eq!(follower.told, owner.provenance().await);
    }
}

pub(crate) async fn large_revisions_come_whole(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut follower = Follower::start(&owner).await;
    let long = |number: usize| {
        let mut record = capability(None, &number.to_string());
        set(&mut record, field::DESCRIPTION, Value::Text("x".repeat(2_000).into()));
        create(record)
    };
    for size in [1, 3_500, 1, 1] {
        let answer = owner.apply((0..size).map(long).collect()).await;
        assert!(answer.applied);
    }
    follower.follow_to(4).await;
    assert_eq!(follower.records.len(), 3_503);
    assert_eq!(follower.digest(Owner::Capability), owner.digest().await.kinds);
}

pub(crate) async fn a_slow_reader_is_dropped(database: Database) {
    let mut owner = TestOwner::new(&database, Owner::Capability).await;
    let limits = FeedLimits { buffer: 2, patience: Duration::from_millis(200), checkpoint: Duration::from_millis(20) };
    owner.service = owner.service.clone().with_limits(limits);
    let (cursor, _) = owner.snapshot().await;
    let mut slow = watch(&owner, cursor).await.expect("a stream");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut read = 0;
    let end = loop {
        match slow.next().await.expect("an error at the end") {
            Ok(_) => read += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(end, FeedError::TooSlow), "{end:?}");
    assert!(read <= 3, "{read} messages waited");
    assert!(slow.next().await.is_none());
}

pub(crate) async fn what_was_trimmed_is_out_of_range(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut follower = Follower::start(&owner).await;
    let start = follower.cursor.clone();
    write(&owner, 1, 30).await;
    let digest = owner.digest().await;
    let head = digest.cursor.clone().expect("a cursor");
    follower.follow_to(head.revision).await;
    assert_eq!(follower.passed.last(), Some(&head));
    let at = |revision: u64| follower.passed[usize::try_from(revision).expect("small") - 1].clone();
    assert!(watch(&owner, at(39)).await.is_ok());
    owner.store.trim(40, &trimmer(), "too old").await.expect("trimmed");
    assert!(matches!(watch(&owner, start.clone()).await, Err(FeedError::OutOfRange)));
    assert!(matches!(watch(&owner, at(39)).await, Err(FeedError::OutOfRange)));
    // The edge of what is kept is still told from another of its number.
    let another = Cursor { mark: at(40).mark ^ 1, ..at(40) };
    assert!(matches!(watch(&owner, another).await, Err(FeedError::OutOfRange)));
    let mut stream = watch(&owner, at(40)).await.expect("a stream");
    let mut next = 41;
    while next <= head.revision {
        for revision in stream.next().await.expect("more").expect("a message").revisions {
            assert_eq!(revision.revision, next);
            next += 1;
        }
    }
    // The records are all there, and trimming less takes nothing back.
    assert_eq!(owner.digest().await.kinds, digest.kinds);
    owner.store.trim(10, &trimmer(), "too old").await.expect("trimmed");
    assert!(matches!(watch(&owner, at(39)).await, Err(FeedError::OutOfRange)));
    // Other logs, and what never was.
    let beyond = Cursor { revision: head.revision + 1, ..head.clone() };
    assert!(matches!(watch(&owner, beyond).await, Err(FeedError::OutOfRange)));
    let other = Cursor { store_id: vec![7; 16], ..head.clone() };
    assert!(matches!(watch(&owner, other).await, Err(FeedError::OutOfRange)));
    let restored = Cursor { epoch: head.epoch + 1, ..head.clone() };
    assert!(matches!(watch(&owner, restored).await, Err(FeedError::OutOfRange)));
    for mark in [0, head.mark ^ (1 << 63)] {
        let another = Cursor { mark, ..head.clone() };
        assert!(matches!(watch(&owner, another).await, Err(FeedError::OutOfRange)));
    }
    let marked = Cursor { mark: 1, ..start };
    assert!(matches!(watch(&owner, marked).await, Err(FeedError::OutOfRange)));
    // A number beyond the head is the head; what says that it was trimmed comes after it.
    let head = owner.head().await;
    owner.store.trim(u64::MAX, &trimmer(), "too old").await.expect("trimmed");
    assert!(watch(&owner, head.clone()).await.is_ok());
    owner.one(create(capability(None, "after"))).await;
    let mut stream = watch(&owner, head).await.expect("a stream");
    while stream.next().await.expect("more").expect("a message").revisions.is_empty() {}
}

pub(crate) async fn checkpoints_come_when_nothing_happens(database: Database) {
    let mut owner = TestOwner::new(&database, Owner::Capability).await;
    let limits = FeedLimits { checkpoint: Duration::from_millis(50), ..FeedLimits::default() };
    owner.service = owner.service.clone().with_limits(limits);
    owner.one(create(capability(None, "A"))).await;
    let (cursor, _) = owner.snapshot().await;
    let mut stream = watch(&owner, cursor.clone()).await.expect("a stream");
    for _ in 0..3 {
        let message = stream.next().await.expect("more").expect("a message");
        assert_eq!(message, WatchResponse { revisions: Vec::new(), head: Some(cursor.clone()) });
    }
    // The first message says where the log stands, also to who is behind.
    let mut stream = watch(&owner, Cursor { revision: 0, mark: 0, ..cursor.clone() }).await.expect("a stream");
    let message = stream.next().await.expect("more").expect("a message");
    assert_eq!((message.revisions.len(), message.head), (0, Some(cursor)));
}

pub(crate) async fn two_instances_see_each_other(database: Database) {
    let one = TestOwner::new(&database, Owner::Capability).await;
    let two = TestOwner::new(&database, Owner::Capability).await;
    let mut follower = Follower::start(&two).await;
    for number in 0..5 {
        one.one(create(capability(None, &number.to_string()))).await;
    }
    follower.follow_to(5).await;
    assert_eq!(follower.digest(Owner::Capability), one.digest().await.kinds);
}
