//! Ends and new beginnings.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::ConnectionTrait;
use spil_changefeed::{StoreConfig, open};
use spil_proto::model::{Owner, field};

use crate::{
    database::Database,
    follower::{Follower, watch},
    owner::{TestOwner, batch, by_key, create, id, upsert},
    sample::{capability, get, name_of},
};

pub(crate) async fn everything_is_there_after_a_restart(database: Database) {
    let config = |owner| StoreConfig { owner, url: database.url(owner), max_connections: 4 };
    let fresh = open(&config(Owner::Capability)).await.expect("a store");
    let pending = fresh.pending_migrations().await.expect("the list");
    assert!(pending.first().is_some_and(|name| name == "m20261123_000001_create_change_log"), "{pending:?}");
    assert!(pending.len() > Owner::Capability.kinds().count(), "{pending:?}");
    fresh.close().await;

    let owner = TestOwner::new(&database, Owner::Capability).await;
    assert!(owner.store.pending_migrations().await.expect("the list").is_empty());
    let request = batch(vec![create(capability(Some("a"), "A"))]);
    owner.send(request.clone()).await;
    owner.one(create(capability(Some("b"), "B"))).await;
    let (cursor, before) = owner.snapshot().await;
    let digest = owner.digest().await;
    owner.store.close().await;

    let owner = TestOwner::new(&database, Owner::Capability).await;
    assert_eq!(owner.snapshot().await, (cursor.clone(), before));
    assert_eq!(owner.digest().await, digest);
    assert!(owner.send(request).await.replayed);
    // The place in the log is still good.
    assert!(watch(&owner, cursor).await.is_ok());
}

pub(crate) async fn lost_connections_lose_no_acknowledged_write(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Capability).await);
    let mut follower = Follower::start(&owner).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (owner, stop) = (Arc::clone(&owner), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("{writer} {number}");
                    number += 1;
                    let request = batch(vec![upsert(by_key(&key), &["name"], capability(None, &key))]);
                    // As a client does: the same batch again until there is an answer.
                    while !stop.load(Ordering::Relaxed) {
                        if let Ok(answer) = owner.service.apply(&owner.caller, request.clone()).await {
                            assert!(answer.applied);
                            acknowledged.push((id(&answer.items[0]), key));
                            break;
                        }
                    }
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        cut_connections(&database).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("written"));
    }
    assert!(acknowledged.len() > 10, "only {}", acknowledged.len());
    let (cursor, records) = owner.snapshot().await;
    for (id, name) in &acknowledged {
        let record = records.iter().find(|record| record.id() == Some(*id)).expect("kept");
        assert_eq!(name_of(record), *name);
        assert_eq!(get(record, field::VERSION), spil_proto::model::Value::Int(1), "applied twice");
    }
    // The stream of the follower may have broken; from its cursor on nothing is missing.
    follower = Follower::resume(&owner, follower).await;
    follower.follow_to(cursor.revision).await;
    assert_eq!(follower.digest(Owner::Capability), owner.digest().await.kinds);
}

/// Cuts every connection. Where `SPIL_TEST_POSTGRES_RESTART` holds a shell command that restarts the server it is used; this
/// test must run alone then.
async fn cut_connections(database: &Database) {
    if let Ok(command) = std::env::var("SPIL_TEST_POSTGRES_RESTART") {
        let restart = move || std::process::Command::new("sh").arg("-c").arg(command).status();
        let status = tokio::task::spawn_blocking(restart).await.expect("run").expect("run");
        assert!(status.success());
        return;
    }
    let admin = database.connect(Owner::Capability).await;
    admin
        .execute_unprepared(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .expect("terminated");
}
