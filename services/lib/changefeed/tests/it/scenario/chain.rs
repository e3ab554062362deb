//! The chain of the change log: what was written is whole, and whatever is done to it is found.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use spil_changefeed::{ApplyError, Checkpoint, Clock, Fault, Verified, WallClock};
use spil_proto::{
    changefeed::v1::{ApplyRequest, Cursor, Origin},
    model::{Kind, Owner},
};

use crate::{
    database::Database,
    owner::{TestOwner, batch, by_id, create, id, retire, update},
    sample::capability,
};

/// The triggers by which a database refuses that its log is changed; whoever owns the database can take them away.
const SQLITE_TRIGGERS: [&str; 13] = [
    "revision_is_not_added_twice",
    "revision_is_not_deleted",
    "revision_is_not_updated",
    "change_is_not_added_twice",
    "change_is_not_deleted",
    "change_is_not_updated",
    "attachment_is_not_added_later",
    "attachment_is_not_updated",
    "attachment_is_not_deleted",
    "change_head_says_what_was_done",
    "change_head_goes_on",
    "change_head_is_one",
    "change_head_stays",
];

/// A connection on which the log can be changed.
pub(crate) async fn unlocked(database: &Database, owner: Owner) -> DatabaseConnection {
    let db = database.connect(owner).await;
    if database.is_postgres() {
        for table in ["revision", "change", "attachment", "change_head"] {
            run(&db, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await;
        }
    } else {
        for trigger in SQLITE_TRIGGERS {
            run(&db, &format!("DROP TRIGGER IF EXISTS {trigger}")).await;
        }
    }
    db
}

/// What trims a log, as the log tells it.
pub(crate) fn trimmer() -> Origin {
    Origin { source: "trim".into(), run: String::new(), actor: "janitor".into(), at: WallClock.now() }
}

pub(crate) async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Six revisions of several sorts.
pub(crate) async fn six(owner: &TestOwner) {
    let first = owner.one(create(capability(Some("a"), "A"))).await;
    owner.apply(vec![create(capability(Some("b"), "B")), create(capability(Some("c"), "C"))]).await;
    owner.one(update(by_id(id(&first)), &["name"], capability(None, "A2"))).await;
    owner.send(ApplyRequest { reason: "They merge.".into(), ..batch(vec![create(capability(None, "D"))]) }).await;
    owner.one(retire(Kind::Capability, by_id(id(&first)))).await;
    owner.one(create(capability(Some("a"), "E"))).await;
}

pub(crate) async fn verified(owner: &TestOwner, kept: &[Checkpoint]) -> Verified {
    owner.store.verify_log(None, kept).await.expect("read")
}

pub(crate) async fn head(owner: &TestOwner) -> Checkpoint {
    owner.store.chain_head().await.expect("read").expect("a head")
}

pub(crate) async fn what_was_written_is_whole(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let nothing = verified(&owner, &[]).await;
    assert_eq!((nothing.fault, nothing.count, nothing.head), (None, 0, None));
    assert_eq!(owner.store.chain_head().await.expect("read"), None);
    owner.one(create(capability(None, "0"))).await;
    let early = head(&owner).await;
    six(&owner).await;
    let late = head(&owner).await;
    let whole = verified(&owner, &[late, early]).await;
    assert_eq!((whole.fault, whole.first, whole.count, whole.head), (None, 1, 7, Some(late)));
    assert_eq!((whole.unchained, whole.trimmed), (0, 0));
    let rest = owner.store.verify_log(Some(&early), &[late]).await.expect("read");
    assert_eq!((rest.fault, rest.first, rest.count), (None, 2, 6));
    // One of another owner's log says nothing here.
    let other = Checkpoint { owner: Owner::Workforce, ..early };
    assert_eq!(verified(&owner, &[other]).await.fault, None);
    // A log that is read again after a restart goes on.
    owner.store.close().await;
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(None, "later"))).await;
    assert_eq!(verified(&owner, &[early, late]).await.fault, None);
}

pub(crate) async fn whatever_is_altered_is_found(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    six(&owner).await;
    let kept = head(&owner).await;
    let db = unlocked(&database, Owner::Capability).await;
    for table in ["revision", "change"] {
        run(&db, &format!("CREATE TABLE {table}_kept AS SELECT * FROM {table}")).await;
    }
    let byte = |column: &str| match database.is_postgres() {
        true => format!("set_byte({column}, 3, get_byte({column}, 3) # 1)"),
        false => format!("CAST(substr({column}, 1, 3) || x'ff' || substr({column}, 5) AS BLOB)"),
    };
    let altered: Vec<(String, Fault)> = ["actor", "source", "run", "reason", "origin"]
        .into_iter()
        .map(|column| (format!("UPDATE revision SET {column} = {column} || 'x' WHERE revision = 3"), Fault::Altered(3)))
        .chain(["mark", "bytes", "changes"].map(|column| {
            (format!("UPDATE revision SET {column} = {column} + 1 WHERE revision = 3"), Fault::Altered(3))
        }))
        .chain([
            (
                "UPDATE revision SET at = (SELECT at FROM revision WHERE revision = 1) WHERE revision = 3".to_owned(),
                Fault::Altered(3),
            ),
            (format!("UPDATE revision SET chain = {} WHERE revision = 3", byte("chain")), Fault::Altered(3)),
            ("UPDATE revision SET chain = NULL WHERE revision = 3".to_owned(), Fault::Unchained(3)),
            (format!("UPDATE change SET record = {} WHERE revision = 3", byte("record")), Fault::Altered(3)),
            (
                format!("UPDATE change SET record_id = {} WHERE revision = 3", uuid_of_another(&database)),
                Fault::Altered(3),
            ),
            ("UPDATE change SET kind = kind + 1 WHERE revision = 3".to_owned(), Fault::Altered(3)),
            ("UPDATE change SET fields = NULL WHERE revision = 3".to_owned(), Fault::Altered(3)),
            ("UPDATE change SET ordinal = 7 WHERE revision = 3".to_owned(), Fault::Altered(3)),
            ("DELETE FROM change WHERE revision = 2 AND ordinal = 0".to_owned(), Fault::Altered(2)),
            ("DELETE FROM change WHERE revision = 6".to_owned(), Fault::Altered(6)),
            ("DELETE FROM revision WHERE revision = 3".to_owned(), Fault::Missing(3)),
            ("DELETE FROM revision WHERE revision = 1".to_owned(), Fault::Missing(1)),
            (
                "INSERT INTO change (revision, ordinal, kind, record_id, record, fields)
             SELECT 3, 1, kind, record_id, record, fields FROM change WHERE revision = 1"
                    .to_owned(),
                Fault::Altered(3),
            ),
            (
                "INSERT INTO change (revision, ordinal, kind, record_id, record, fields)
             SELECT 9, 0, kind, record_id, record, fields FROM change WHERE revision = 1"
                    .to_owned(),
                Fault::Stray(9),
            ),
            // Two revisions change places.
            (
                "UPDATE revision SET revision = 100 WHERE revision = 3;
             UPDATE revision SET revision = 3 WHERE revision = 4;
             UPDATE revision SET revision = 4 WHERE revision = 100;
             UPDATE change SET revision = 100 WHERE revision = 3;
             UPDATE change SET revision = 3 WHERE revision = 4;
             UPDATE change SET revision = 4 WHERE revision = 100"
                    .to_owned(),
                Fault::Altered(3),
            ),
            // Two changes of one revision do.
            (
                "UPDATE change SET ordinal = 2 WHERE revision = 2 AND ordinal = 0;
             UPDATE change SET ordinal = 0 WHERE revision = 2 AND ordinal = 1;
             UPDATE change SET ordinal = 1 WHERE revision = 2 AND ordinal = 2"
                    .to_owned(),
                Fault::Altered(2),
            ),
            (
                "DELETE FROM revision WHERE revision > 5; DELETE FROM change WHERE revision > 5".to_owned(),
                Fault::Head { last: 5, head: 6 },
            ),
        ])
        .collect();
    for (sql, fault) in altered {
        run(&db, &sql).await;
        let found = verified(&owner, &[]).await;
        assert_eq!(found.fault, Some(fault), "{sql}");
        for table in ["revision", "change"] {
            run(&db, &format!("DELETE FROM {table}")).await;
            run(&db, &format!("INSERT INTO {table} SELECT * FROM {table}_kept")).await;
        }
        assert_eq!(verified(&owner, &[kept]).await.fault, None, "put back after {sql}");
    }
    // Who cuts the end off and the head with it is found by the head that was kept elsewhere.
    run(
        &db,
        "DELETE FROM revision WHERE revision > 5; DELETE FROM change WHERE revision > 5;
         UPDATE change_head SET revision = 5, mark = (SELECT mark FROM revision WHERE revision = 5)",
    )
    .await;
    assert_eq!(verified(&owner, &[]).await.fault, None);
    assert_eq!(verified(&owner, &[kept]).await.fault, Some(Fault::Cut { last: 5, kept: 6 }));
    let since = owner.store.verify_log(Some(&kept), &[]).await.expect("read");
    assert_eq!(since.fault, Some(Fault::Cut { last: 5, kept: 6 }));
    // So is who writes another end with links that fit.
    owner.one(create(capability(None, "another"))).await;
    assert_eq!(verified(&owner, &[]).await.fault, None);
    assert_eq!(verified(&owner, &[kept]).await.fault, Some(Fault::Rewritten(6)));
    let since = owner.store.verify_log(Some(&kept), &[]).await.expect("read");
    assert_eq!(since.fault, Some(Fault::Rewritten(6)));
}

/// A value for a column of ids that is none of the test's.
fn uuid_of_another(database: &Database) -> &'static str {
    if database.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" }
}

pub(crate) async fn the_log_is_only_added_to(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    six(&owner).await;
    let db = database.connect(Owner::Capability).await;
    let mut refused = vec![
        "UPDATE revision SET actor = 'nobody' WHERE revision = 3",
        "UPDATE change SET kind = 1 WHERE revision = 3",
        "DELETE FROM revision WHERE revision = 3",
        "DELETE FROM change",
        "INSERT INTO attachment (revision, deed, subject) VALUES (6, 1, 3)",
        "INSERT INTO attachment (revision, deed, subject) VALUES (7, 1, 3)",
        "UPDATE change_head SET trimmed_through = 3",
        "UPDATE change_head SET chained_from = 7",
        "UPDATE change_head SET revision = 5",
        "DELETE FROM change_head",
    ];
    if database.is_postgres() {
        refused.extend(["TRUNCATE revision", "TRUNCATE change", "TRUNCATE attachment", "TRUNCATE change_head"]);
    } else {
        refused.extend([
            "INSERT OR REPLACE INTO revision SELECT * FROM revision WHERE revision = 3",
            "INSERT OR REPLACE INTO change SELECT * FROM change WHERE revision = 3",
            "INSERT OR REPLACE INTO change_head SELECT * FROM change_head",
        ]);
    }
    for sql in refused {
        let error = db.execute_unprepared(sql).await.expect_err(sql);
        assert!(error.to_string().contains("the change log is only added to"), "{sql}: {error}");
    }
    let found = verified(&owner, &[]).await;
    assert_eq!((found.fault, found.count), (None, 6));
}

pub(crate) async fn what_is_left_of_a_trimmed_log_is_proven(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.store.trim(3, &trimmer(), "nothing to trim").await.expect("trimmed");
    assert_eq!(owner.store.chain_head().await.expect("read"), None);
    let mut kept = Vec::new();
    for number in 0..5 {
        owner.one(create(capability(None, &number.to_string()))).await;
        kept.push(head(&owner).await);
    }
    owner.store.trim(3, &trimmer(), "too old").await.expect("trimmed");
    let rest = verified(&owner, &kept[2..]).await;
    // The fourth, the fifth, and that which says that it was trimmed.
    assert_eq!((rest.fault, rest.trimmed, rest.first, rest.count), (None, 3, 4, 3));
    assert_eq!(verified(&owner, &kept[1..]).await.fault, Some(Fault::Trimmed(2)));
    let before = owner.store.verify_log(Some(&kept[3]), &kept[2..]).await.expect("read");
    assert_eq!(before.fault, Some(Fault::Before(3)));
    // Less is trimmed already.
    owner.store.trim(2, &trimmer(), "again").await.expect("trimmed");
    assert_eq!(verified(&owner, &[]).await.count, 3);
    owner.one(create(capability(None, "later"))).await;
    owner.store.trim(u64::MAX, &trimmer(), "all of it").await.expect("trimmed");
    owner.one(create(capability(None, "last"))).await;
    let rest = verified(&owner, &[]).await;
    assert_eq!((rest.fault, rest.trimmed, rest.first, rest.count), (None, 7, 8, 2));
    let db = database.connect(Owner::Capability).await;
    for sql in ["DELETE FROM change WHERE revision = 9", "DELETE FROM revision WHERE revision = 7"] {
        let error = db.execute_unprepared(sql).await.expect_err(sql);
        assert!(error.to_string().contains("the change log is only added to"), "{sql}: {error}");
    }
}

pub(crate) async fn a_trim_that_no_revision_tells_of_is_found(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    six(&owner).await;
    let db = unlocked(&database, Owner::Capability).await;
    let cut = "DELETE FROM change WHERE revision <= 3; DELETE FROM revision WHERE revision < 3";
    for table in ["revision", "change"] {
        run(&db, &format!("CREATE TABLE {table}_kept AS SELECT * FROM {table}")).await;
    }
    run(&db, &format!("UPDATE change_head SET trimmed_through = 3; {cut}")).await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Untold { head: 3, told: 0 }));
    // Nor does it help to say it in a revision that was there before.
    run(
        &db,
        "INSERT INTO attachment (revision, deed, subject, link) SELECT 6, 1, 3, chain FROM revision WHERE revision = 3",
    )
    .await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Altered(6)));
    run(&db, "DELETE FROM attachment; UPDATE change_head SET trimmed_through = 0").await;
    for table in ["revision", "change"] {
        run(&db, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {table}_kept")).await;
    }
    assert_eq!(verified(&owner, &[]).await.fault, None);
    // More than was told, less, and a start that is another one.
    owner.store.trim(2, &trimmer(), "too old").await.expect("trimmed");
    for (sql, fault) in [
        ("UPDATE change_head SET trimmed_through = 3", Fault::Untold { head: 3, told: 2 }),
        ("UPDATE change_head SET trimmed_through = 0", Fault::Untold { head: 0, told: 2 }),
        (
            "UPDATE revision SET chain = (SELECT chain FROM revision WHERE revision = 3) WHERE revision = 2",
            Fault::Altered(2),
        ),
    ] {
        run(&db, sql).await;
        assert_eq!(verified(&owner, &[]).await.fault, Some(fault), "{sql}");
        run(&db, "UPDATE change_head SET trimmed_through = 2").await;
    }
}

pub(crate) async fn a_log_from_before_begins_its_chain(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    six(&owner).await;
    let db = unlocked(&database, Owner::Capability).await;
    run(&db, "UPDATE revision SET chain = NULL; UPDATE change_head SET chained_from = 7").await;
    let none = verified(&owner, &[]).await;
    assert_eq!((none.fault, none.unchained, none.head), (None, 6, None));
    assert_eq!(owner.store.chain_head().await.expect("read"), None);
    owner.one(create(capability(None, "first"))).await;
    owner.one(create(capability(None, "second"))).await;
    let some = verified(&owner, &[head(&owner).await]).await;
    assert_eq!((some.fault, some.unchained, some.first, some.count), (None, 6, 7, 2));
    // Nobody makes one more of those from before: where the chain starts is known.
    run(&db, "UPDATE revision SET chain = NULL WHERE revision = 7").await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Unchained(7)));
    run(&db, "UPDATE change_head SET chained_from = 8").await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Altered(8)));
}

pub(crate) async fn links_that_were_taken_away_are_missed(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    six(&owner).await;
    let db = unlocked(&database, Owner::Capability).await;
    run(&db, "UPDATE revision SET chain = NULL").await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Unchained(1)));
    owner.one(create(capability(None, "later"))).await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Unchained(1)));
}

pub(crate) async fn writers_at_a_time_make_one_chain(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Capability).await);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let owner = Arc::clone(&owner);
            tokio::spawn(async move {
                for number in 0..6 {
                    owner.one(create(capability(None, &format!("{writer} {number}")))).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("written");
    }
    let found = verified(&owner, &[]).await;
    assert_eq!((found.fault, found.count), (None, 48));
}

pub(crate) async fn why_and_which_way_are_kept(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let request = |reason: &str, origin: &str| ApplyRequest {
        reason: reason.into(),
        origin: origin.into(),
        ..batch(vec![create(capability(None, "A"))])
    };
    let kept = async |cursor: &Cursor| {
        let db = database.connect(Owner::Capability).await;
        let sql = format!("SELECT reason, origin FROM revision WHERE revision = {}", cursor.revision);
        let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), sql)).await;
        let row = row.expect("read").expect("a row");
        let text = |index| row.try_get_by_index::<String>(index).expect("a text");
        (text(0), text(1))
    };
    let written = owner.send(request("Why not?", "http 192.0.2.7")).await.cursor.expect("a cursor");
    assert_eq!(kept(&written).await, ("Why not?".to_owned(), "http 192.0.2.7".to_owned()));
    let peer = "198.51.100.3".parse().ok();
    for (origin, told) in [("", "grpc 198.51.100.3"), ("ws 192.0.2.7", "ws 192.0.2.7 by grpc 198.51.100.3")] {
        let answer = owner.service.apply_from(&owner.caller, request("", origin), peer).await.expect("applied");
        assert_eq!(kept(&answer.cursor.expect("a cursor")).await.1, told);
    }
    let written = owner.send(request("", "")).await.cursor.expect("a cursor");
    assert_eq!(kept(&written).await, (String::new(), "grpc".to_owned()));
    // A reason belongs to what a key stands for, the way does not.
    let once = request("Once.", "http");
    owner.send(once.clone()).await;
    assert!(owner.send(ApplyRequest { origin: "ws".into(), ..once.clone() }).await.replayed);
    let other = owner.service.apply(&owner.caller, ApplyRequest { reason: "Twice.".into(), ..once }).await;
    assert!(matches!(other, Err(ApplyError::KeyReused)), "{other:?}");
    for (reason, origin) in
        [("x".repeat(1025), String::new()), ("a\nb".into(), String::new()), (String::new(), "x".repeat(257))]
    {
        let refused = owner.service.apply(&owner.caller, request(&reason, &origin)).await;
        assert!(matches!(refused, Err(ApplyError::Request(_))), "{refused:?}");
    }
}
