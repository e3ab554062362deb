//! Batches: all or nothing, once, in order.

use spil_auth::{Caller, Permission};
use spil_changefeed::ApplyError;
use spil_proto::{
    changefeed::v1::{ApplyRequest, Command, Outcome, ProblemCode, Record, Reference, Target, target::By},
    model::{Kind, Owner, Value, field},
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, batch, by_external, by_id, by_key, create, id, outcomes, problems, retire, update, upsert},
    sample::{capability, child_of, get, minimal, name_of, set},
};

pub(crate) async fn a_batch_is_answered_once(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let request = batch(vec![create(capability(Some("a"), "A"))]);
    let first = owner.send(request.clone()).await;
    assert!(first.applied && !first.replayed);
    // Others go on meanwhile.
    owner.one(update(by_key("a"), &["name"], capability(None, "B"))).await;
    let second = owner.send(request).await;
    assert!(second.replayed);
    assert_eq!((&second.cursor, &second.items), (&first.cursor, &first.items));
    assert_eq!(name_of(&owner.snapshot().await.1[0]), "B");

    // A batch that changes nothing is kept too: a late repetition must not undo what came after it.
    let same = batch(vec![update(by_key("a"), &["name"], capability(None, "B"))]);
    let before = owner.head().await;
    let answer = owner.send(same.clone()).await;
    assert_eq!((outcomes(&answer), answer.applied), (vec![Outcome::Unchanged], true));
    assert_eq!(owner.head().await, before);
    owner.one(update(by_key("a"), &["name"], capability(None, "C"))).await;
    assert!(owner.send(same).await.replayed);
    assert_eq!(name_of(&owner.snapshot().await.1[0]), "C");
}

pub(crate) async fn a_batch_that_comes_twice_at_a_time_is_applied_once(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    for _ in 0..10 {
        let before = owner.snapshot().await.1.len();
        let request = batch((0..20).map(|number| create(capability(None, &number.to_string()))).collect());
        let calls = (0..4).map(|_| owner.send(request.clone()));
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(answers.iter().all(|answer| answer.items == answers[0].items && answer.cursor == answers[0].cursor));
        assert_eq!(owner.snapshot().await.1.len(), before + 20);
    }
}

pub(crate) async fn a_key_is_not_used_for_another_batch(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let request = batch(vec![create(capability(None, "A"))]);
    owner.send(request.clone()).await;
    let mut other = request.clone();
    other.commands = vec![create(capability(None, "B"))];
    let refused = owner.service.apply(&owner.caller, other.clone()).await;
    assert!(matches!(refused, Err(ApplyError::KeyReused)));
    // Somebody else's keys are their own.
    let caller = spil_auth::Caller::new("another", spil_auth::Permission::ALL);
    let answer = owner.service.apply(&caller, other).await.expect("an answer");
    assert!(answer.applied && !answer.replayed);
}

pub(crate) async fn a_dry_run_writes_nothing(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(Some("a"), "A"))).await;
    let (before, digest) = (owner.head().await, owner.digest().await);
    let mut request = batch(vec![
        create(capability(Some("b"), "B")),
        update(by_key("a"), &["name"], capability(None, "changed")),
        update(by_key("b"), &["name"], capability(None, "seen")),
        retire(Kind::Capability, by_key("a")),
    ]);
    request.dry_run = true;
    request.idempotency_key = String::new();
    let answer = owner.send(request.clone()).await;
    assert!(!answer.applied);
    assert_eq!(outcomes(&answer), [Outcome::Created, Outcome::Updated, Outcome::Updated, Outcome::Retired]);
    assert_eq!(answer.cursor.as_ref(), Some(&before));
    assert_eq!((owner.head().await, owner.digest().await), (before, digest));
    // And again: nothing was kept that could be in the way.
    assert_eq!(outcomes(&owner.send(request).await), outcomes(&answer));
}

pub(crate) async fn a_dry_run_with_the_key_of_a_batch_finds_its_answer(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let request = batch(vec![create(capability(Some("once"), "Once"))]);
    let dry = ApplyRequest { dry_run: true, ..request.clone() };
    for _ in 0..2 {
        let asked = owner.send(dry.clone()).await;
        assert!(!asked.applied && !asked.replayed, "a dry run keeps no answer");
    }
    let done = owner.send(request.clone()).await;
    assert!(done.applied && !done.replayed);
    let asked = owner.send(dry.clone()).await;
    assert!(asked.applied && asked.replayed);
    assert_eq!((asked.items, asked.cursor), (done.items, done.cursor));
    let others = [
        ApplyRequest { commands: vec![create(capability(None, "B"))], ..dry.clone() },
        ApplyRequest { batch: vec![7; 32], ..dry.clone() },
        ApplyRequest { commands: Vec::new(), ..dry },
    ];
    for other in others {
        assert!(matches!(owner.service.apply(&owner.caller, other).await, Err(ApplyError::KeyReused)));
    }
    // Whether a key is known can be asked without a command.
    let unknown =
        ApplyRequest { idempotency_key: "unknown".to_owned(), commands: Vec::new(), dry_run: true, ..request };
    let asked = owner.send(unknown.clone()).await;
    assert!(!asked.applied && !asked.replayed && asked.items.is_empty());
    let long = ApplyRequest { batch: vec![7; 65], ..unknown };
    assert!(matches!(owner.service.apply(&owner.caller, long).await, Err(ApplyError::Request(_))));
}

pub(crate) async fn a_conflict_tells_what_else_is_wrong(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(Some("a"), "A"))).await;
    let mut stale = update(by_key("a"), &["name"], capability(None, &"x".repeat(5000)));
    stale.expected_version = Some(7);
    let item = owner.send(batch(vec![stale])).await.items.remove(0);
    assert_eq!((item.outcome(), item.version), (Outcome::Conflict, 1));
    assert_eq!(item.problems.iter().map(|problem| problem.code()).collect::<Vec<_>>(), [ProblemCode::TooLong]);
}

pub(crate) async fn who_may_only_write_is_shown_no_record(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(Some("a"), "Secret"))).await;
    let writer = Caller::new("writer", [Permission::Write]);
    let both = Caller::new("writer", [Permission::Write, Permission::Read]);
    let touch = || update(by_key("a"), &[], Record::empty(Kind::Capability));
    let mut stale = update(by_key("a"), &["name"], capability(None, "Other"));
    stale.expected_version = Some(9);
    let mut dry = batch(vec![touch(), update(by_key("a"), &["description"], Record::empty(Kind::Capability))]);
    dry.dry_run = true;
    let cases = [
        (batch(vec![touch()]), vec![Outcome::Unchanged]),
        // Whether the description is as asked for already is not told who does not see it.
        (dry, vec![Outcome::Unchanged, Outcome::Updated]),
        (batch(vec![stale]), vec![Outcome::Conflict]),
        (batch(vec![create(capability(Some("b"), "B"))]), vec![Outcome::Created]),
        (batch(vec![retire(Kind::Capability, by_key("a"))]), vec![Outcome::Retired]),
    ];
    for (request, expected) in cases {
        let first = owner.service.apply(&writer, request.clone()).await.expect("an answer");
        let again = owner.service.apply(&writer, request.clone()).await.expect("an answer");
        assert_eq!(again.replayed, first.applied);
        for answer in [&first, &again] {
            assert_eq!(outcomes(answer), expected);
            for item in &answer.items {
                assert_eq!((&item.record, item.conflicting_fields.len()), (&None, 0));
                assert!(!item.id.is_empty() && item.version > 0);
            }
        }
        // What is kept is whole, for who may read.
        let whole = owner.service.apply(&both, request).await.expect("an answer");
        assert_eq!(whole.replayed, first.applied);
        for item in &whole.items {
            let conflict = item.outcome() == Outcome::Conflict;
            assert_eq!((item.record.is_some(), item.conflicting_fields.len()), (!conflict, usize::from(conflict)));
        }
    }
}

pub(crate) async fn one_bad_command_stops_the_batch(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(Some("a"), "A"))).await;
    let before = owner.digest().await;
    let answer = owner
        .apply(vec![
            create(capability(Some("b"), "B")),
            update(by_key("nobody"), &["name"], capability(None, "C")),
            create(capability(Some("a"), "again")),
            create(capability(None, "bad\u{7}")),
            update(by_key("a"), &["name", "colour", "version"], capability(None, "D")),
            create(child_of(Uuid::now_v7())),
            Command::default(),
        ])
        .await;
    assert!(!answer.applied);
    assert_eq!(answer.items[0].outcome(), Outcome::Created);
    assert_eq!(problems(&answer.items[1]), [("key", ProblemCode::NotFound)]);
    assert_eq!(problems(&answer.items[2]), [("key", ProblemCode::Taken)]);
    assert_eq!(problems(&answer.items[3]), [("name", ProblemCode::Malformed)]);
    let unknown = [("colour", ProblemCode::UnknownField), ("version", ProblemCode::UnknownField)];
    assert_eq!(problems(&answer.items[4]), unknown);
    assert_eq!(problems(&answer.items[5]), [("parent_id", ProblemCode::NotFound)]);
    assert_eq!(problems(&answer.items[6]), [("", ProblemCode::Required)]);
    assert_eq!(owner.digest().await, before);
}

pub(crate) async fn later_commands_see_earlier_ones(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut child = create(capability(Some("child"), "Child"));
    child.references = vec![reference("parent_id", vec![by_key("parent")])];
    let mut process = create(Record::empty(Kind::Process));
    process.references = vec![reference("capability_ids", vec![by_key("child"), by_key("parent"), by_key("child")])];
    let answer = owner
        .apply(vec![
            create(capability(Some("parent"), "Parent")),
            child.clone(),
            process,
            update(by_key("child"), &["name"], capability(None, "renamed")),
        ])
        .await;
    assert!(answer.applied, "{:?}", answer.items);
    let (parent, child_id) = (id(&answer.items[0]), id(&answer.items[1]));
    assert_eq!(get(answer.items[1].record.as_ref().expect("a record"), parent_field()), Value::Id(parent));
    let mut both = vec![parent, child_id];
    both.sort_unstable();
    let info = Kind::Process.info().field_by_column("capability_ids").expect("a field");
    assert_eq!(get(answer.items[2].record.as_ref().expect("a record"), info.index), Value::Ids(both));
    assert_eq!(answer.items[3].version, 2);
    // One revision, one change for each record.
    assert_eq!(owner.head().await.revision, 1);
    let (_, snapshot) = owner.snapshot().await;
    assert_eq!(snapshot.len(), 3);

    // The other way round it is not there yet.
    let mut early = create(capability(Some("early"), "Early"));
    early.references = vec![reference("parent_id", vec![by_key("late")])];
    let answer = owner.apply(vec![early, create(capability(Some("late"), "Late"))]).await;
    assert_eq!(problems(&answer.items[0]), [("parent_id", ProblemCode::NotFound)]);
}

pub(crate) async fn names_can_be_handed_on_within_a_batch(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let named = |key: &str, external: &str| {
        let mut record = capability(Some(key), key);
        let ids = [spil_proto::model::ExternalId { system: "ea".into(), id: external.into() }];
        set(&mut record, field::EXTERNAL_IDS, Value::ExternalIds((&ids[..]).into()));
        record
    };
    let a = id(&owner.one(create(named("a", "1"))).await);
    let b = id(&owner.one(create(named("b", "2"))).await);
    let fields = ["key", "external_ids"];
    // The two swap their names by way of a third.
    let answer = owner
        .apply(vec![
            update(by_id(a), &fields, named("x", "3")),
            update(by_id(b), &fields, named("a", "1")),
            update(by_id(a), &fields, named("b", "2")),
        ])
        .await;
    assert!(answer.applied, "{:?}", answer.items);
    for (key, external, wanted) in [("a", "1", b), ("b", "2", a)] {
        let found = owner.one(update(by_key(key), &[], Record::empty(Kind::Capability))).await;
        assert_eq!(id(&found), wanted);
        let found = owner.one(update(by_external("ea", external), &[], Record::empty(Kind::Capability))).await;
        assert_eq!(id(&found), wanted);
    }
    // A name that is given up by retiring goes to a new record in the same batch.
    let answer = owner.apply(vec![retire(Kind::Capability, by_id(a)), create(named("b", "2"))]).await;
    assert_eq!(outcomes(&answer), [Outcome::Retired, Outcome::Created]);
    assert!(answer.applied);
    let found = owner.one(update(by_external("ea", "2"), &[], Record::empty(Kind::Capability))).await;
    assert_eq!(id(&found), id(&answer.items[1]));
}

pub(crate) async fn a_stale_write_is_told_what_differs(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut record = capability(Some("a"), "A");
    set(&mut record, field::DESCRIPTION, Value::Text("same".into()));
    owner.one(create(record.clone())).await;
    owner.one(update(by_key("a"), &["name"], capability(None, "B"))).await;
    let stale =
        Command { expected_version: Some(1), ..update(by_key("a"), &["name", "description", "key"], record.clone()) };
    let item = owner.refused(stale.clone()).await;
    assert_eq!(item.outcome(), Outcome::Conflict);
    assert_eq!((item.version, item.conflicting_fields), (2, vec!["name".to_owned()]));
    let fresh = Command { expected_version: Some(2), ..stale };
    assert_eq!(owner.one(fresh).await.version, 3);
    let stale = Command { expected_version: Some(2), ..retire(Kind::Capability, by_key("a")) };
    assert_eq!(owner.refused(stale).await.outcome(), Outcome::Conflict);
    // Who expects a record that is not there is told so.
    let gone = Command { expected_version: Some(4), ..upsert(by_key("none"), &[], capability(None, "N")) };
    let item = owner.refused(gone).await;
    assert_eq!((item.outcome(), item.version), (Outcome::Conflict, 0));
}

pub(crate) async fn records_are_found_by_every_name(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let first = owner.one(upsert(by_external("ea", "17"), &["name"], capability(None, "A"))).await;
    assert_eq!(first.outcome(), Outcome::Created);
    let again = owner.one(upsert(by_external("ea", "17"), &["name"], capability(None, "A"))).await;
    assert_eq!((again.outcome(), again.id.clone()), (Outcome::Unchanged, first.id.clone()));
    let other_system = owner.one(upsert(by_external("hr", "17"), &[], capability(None, "B"))).await;
    assert_ne!(other_system.id, first.id);
    // Names are compared in their one form: `é` as one character or as two.
    let keyed = owner.one(upsert(by_key(" caf\u{e9} "), &["name"], capability(None, "C"))).await;
    let same = owner.one(upsert(by_key("cafe\u{301}"), &["name"], capability(None, "D"))).await;
    assert_eq!((same.outcome(), same.id), (Outcome::Updated, keyed.id));
    let taken = owner.refused(create(capability(Some("caf\u{e9}"), "E"))).await;
    assert_eq!(problems(&taken), [("key", ProblemCode::Taken)]);
    let id = Uuid::now_v7();
    let named = Command { target: Some(Target { by: Some(by_id(id)) }), ..create(capability(None, "F")) };
    assert_eq!(crate::owner::id(&owner.one(named.clone()).await), id);
    assert_eq!(problems(&owner.refused(named).await), [("id", ProblemCode::Taken)]);
    let two = upsert(by_key("one"), &["key"], capability(Some("two"), "G"));
    assert_eq!(problems(&owner.refused(two).await), [("key", ProblemCode::Malformed)]);
}

pub(crate) async fn rules_see_the_record_referred_to(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let mut earlier = minimal(&owner, Kind::Measurement).await;
    set(&mut earlier, field::KEY, Value::Text("earlier".into()));
    let on = |day: i32| {
        let mut record = earlier.clone();
        set(&mut record, field::KEY, Value::Null);
        let at = Kind::Measurement.info().field_by_column("at").expect("a field");
        set(&mut record, at.index, Value::Date(day));
        Command { references: vec![reference("corrects_id", vec![by_key("earlier")])], ..create(record) }
    };
    let rule = [("corrects_id", ProblemCode::Rule)];
    // Stored, and made by the same batch.
    let answer = owner.apply(vec![create(earlier.clone()), on(0)]).await;
    assert_eq!(problems(&answer.items[1]), rule);
    owner.one(create(earlier.clone())).await;
    assert_eq!(problems(&owner.refused(on(0)).await), rule);
    owner.one(on(30_000)).await;
}

pub(crate) async fn a_retired_record_is_left_alone(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let old = id(&owner.one(upsert(by_external("ea", "1"), &[], capability(Some("a"), "A"))).await);
    let child = id(&owner.one(create(child_of(old))).await);
    owner.one(retire(Kind::Capability, by_key("a"))).await;
    // What referred to it before still may be written.
    owner
        .one(update(by_id(child), &["name", "parent_id"], {
            let mut record = child_of(old);
            set(&mut record, field::NAME, Value::Text("kept".into()));
            record
        }))
        .await;
    let refused = owner.refused(create(child_of(old))).await;
    assert_eq!(problems(&refused), [("parent_id", ProblemCode::Retired)]);
    // Its names can be used again.
    let new = owner.one(upsert(by_external("ea", "1"), &[], capability(Some("a"), "A"))).await;
    assert_eq!(new.outcome(), Outcome::Created);
    assert_ne!(id(&new), old);
    let refused = owner.refused(upsert(by_id(old), &["name"], capability(None, "B"))).await;
    assert_eq!(problems(&refused), [("", ProblemCode::Retired)]);
}

pub(crate) async fn a_request_that_is_not_sound_is_refused(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let sound = || batch(vec![create(capability(None, "A"))]);
    let mut requests = vec![sound(), sound(), sound(), sound()];
    requests[0].idempotency_key = String::new();
    requests[1].idempotency_key = "k".repeat(257);
    requests[2].source = "s".repeat(257);
    requests[3].commands = vec![create(capability(None, "A")); 10_001];
    for request in requests {
        let refused = owner.service.apply(&owner.caller, request).await;
        assert!(matches!(refused, Err(ApplyError::Request(_))), "{refused:?}");
    }
    assert_eq!(owner.head().await.revision, 0);
    // A kind of somebody else.
    let item = owner.refused(create(Record::empty(Kind::Worker))).await;
    assert_eq!(problems(&item), [("", ProblemCode::Malformed)]);
}

pub(crate) async fn old_answers_are_purged(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let request = batch(vec![create(capability(None, "A"))]);
    owner.send(request.clone()).await;
    let now = spil_changefeed::Clock::now(&spil_changefeed::WallClock);
    let hours = |hours: i64| now + hours * 3_600_000_000;
    assert_eq!(owner.store.purge_answers(hours(24)).await.expect("purged"), 0);
    assert!(owner.send(request.clone()).await.replayed);
    assert_eq!(owner.store.purge_answers(hours(26)).await.expect("purged"), 1);
    assert!(!owner.send(request).await.replayed);
}

fn reference(field: &str, targets: Vec<By>) -> Reference {
    let targets = targets.into_iter().map(|by| Target { by: Some(by) }).collect();
    Reference { field: field.to_owned(), targets }
}

fn parent_field() -> usize {
    Kind::Capability.info().field_by_column("parent_id").expect("a field").index
}
