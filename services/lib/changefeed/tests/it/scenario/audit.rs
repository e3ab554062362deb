//! Who changed what, and who read what about whom.

use spil_auth::{Caller, Permission};
use spil_changefeed::{AuditError, Clock, WallClock};
use spil_proto::{
    changefeed::v1::{
        ApplyRequest, AuditEntry, AuditPlace, AuditRequest, LogReadsRequest, Read, ReadLogRequest, Record,
        record::Entity,
    },
    model::{Kind, Owner},
    workforce::v1::Worker,
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, batch, by_id, create, id, retire, update},
    sample::{capability, name_of},
    scenario::chain::trimmer,
};

fn names(record: Option<&Record>) -> Option<String> {
    record.map(name_of)
}

/// Before and after of each entry.
fn told(entries: &[AuditEntry]) -> Vec<(Option<String>, Option<String>)> {
    entries.iter().map(|entry| (names(entry.before.as_ref()), names(entry.after.as_ref()))).collect()
}

pub(crate) async fn the_audit_tells_every_change_with_what_was_before(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let first = id(&owner.one(create(capability(None, "A"))).await);
    owner.apply(vec![create(capability(None, "B")), create(capability(None, "C"))]).await;
    let because = ApplyRequest {
        reason: "Because.".into(),
        source: "import:x".into(),
        run: "7".into(),
        origin: "http".into(),
        ..batch(vec![update(by_id(first), &["name"], capability(None, "A2"))])
    };
    owner.service.apply(&Caller::new("ben", Permission::ALL), because).await.expect("applied");
    owner.one(retire(Kind::Capability, by_id(first))).await;

    let ask = async |request: AuditRequest| owner.service.audit(&owner.caller, request).await.expect("an answer");
    let all = ask(AuditRequest { first: 10, ..AuditRequest::default() }).await;
    assert!(!all.more);
    let some = |before: Option<&str>, after: &str| (before.map(str::to_owned), Some(after.to_owned()));
    assert_eq!(
        told(&all.entries),
        [some(Some("A2"), "A2"), some(Some("A"), "A2"), some(None, "C"), some(None, "B"), some(None, "A")]
    );
    let entry = &all.entries[1];
    let texts = [&entry.actor, &entry.source, &entry.run, &entry.reason, &entry.origin].map(String::as_str);
    assert_eq!(texts, ["ben", "import:x", "7", "Because.", "http"]);
    let name = Kind::Capability.info().field_by_column("name").expect("a field").tag;
    assert_eq!(entry.fields, [name]);
    assert_eq!(entry.place, Some(AuditPlace { revision: 3, ordinal: 0 }));

    // In pieces it is the same.
    let mut pieces = Vec::new();
    let mut before = None;
    loop {
        let piece = ask(AuditRequest { first: 2, before, ..AuditRequest::default() }).await;
        before = piece.entries.last().and_then(|entry| entry.place);
        pieces.extend(piece.entries);
        if !piece.more {
            break;
        }
    }
    assert_eq!(pieces, all.entries);

    let (early, late) = (all.entries[4].at, all.entries[1].at);
    let kinds = |kind: Kind| vec![kind as u32];
    for (request, count) in [
        (AuditRequest { record_id: first.as_bytes().to_vec(), ..AuditRequest::default() }, 3),
        (AuditRequest { record_id: Uuid::nil().as_bytes().to_vec(), ..AuditRequest::default() }, 0),
        (AuditRequest { actor: Some("ben".into()), ..AuditRequest::default() }, 1),
        (AuditRequest { source: Some("test".into()), ..AuditRequest::default() }, 4),
        (AuditRequest { actor: Some("ben".into()), source: Some("test".into()), ..AuditRequest::default() }, 0),
        (AuditRequest { kinds: kinds(Kind::Capability), ..AuditRequest::default() }, 5),
        (AuditRequest { kinds: kinds(Kind::Objective), ..AuditRequest::default() }, 0),
        (AuditRequest { since: Some(late), ..AuditRequest::default() }, 2),
        (AuditRequest { until: Some(late), ..AuditRequest::default() }, 3),
        (AuditRequest { since: Some(early), until: Some(early), ..AuditRequest::default() }, 0),
    ] {
        let request = AuditRequest { first: 100, ..request };
        assert_eq!(ask(request.clone()).await.entries.len(), count, "{request:?}");
    }
    // What was before is told as far as it is kept.
    owner.store.trim(2, &trimmer(), "too old").await.expect("trimmed");
    let rest = ask(AuditRequest { first: 10, ..AuditRequest::default() }).await;
    assert_eq!(told(&rest.entries), [some(Some("A2"), "A2"), some(None, "A2")]);

    let refused = async |caller: &Caller, request: AuditRequest| owner.service.audit(caller, request).await.err();
    let nobody = Caller::new("x", [Permission::Read, Permission::Write, Permission::Admin]);
    assert!(matches!(refused(&nobody, AuditRequest::default()).await, Some(AuditError::Forbidden(_))));
    for request in [
        AuditRequest { kinds: kinds(Kind::Worker), ..AuditRequest::default() },
        AuditRequest { record_id: vec![1], ..AuditRequest::default() },
        AuditRequest { actor: Some("x".repeat(257)), ..AuditRequest::default() },
        AuditRequest { first: 1_001, ..AuditRequest::default() },
    ] {
        assert!(matches!(refused(&owner.caller, request).await, Some(AuditError::Request(_))));
    }
}

pub(crate) async fn the_audit_tells_who_people_are_to_services_alone(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let values = Worker { display_name: Some("Ada".into()), status: 1, ..Worker::default() };
    let mut record = Record { entity: Some(Entity::Worker(values)) };
    record.entity_mut().expect("an entity").header_mut().key = Some("E1".into());
    let worker = id(&owner.one(create(record)).await);
    owner.one(retire(Kind::Worker, by_id(worker))).await;
    let service = owner.as_service().await;
    for (caller, is_told) in [(&owner.caller, false), (&service, true)] {
        let request = AuditRequest { first: 10, ..AuditRequest::default() };
        let told = owner.service.audit(caller, request).await.expect("an answer");
        assert_eq!(told.entries.len(), 2);
        let images = told.entries.iter().flat_map(|entry| [&entry.before, &entry.after]).flatten();
        let mut count = 0;
        for image in images {
            let Some(Entity::Worker(worker)) = &image.entity else { panic!("another kind") };
            assert_eq!(worker.display_name.is_some(), is_told);
            assert_eq!(worker.header.as_ref().and_then(|header| header.key.as_ref()).is_some(), is_told);
            assert_eq!(worker.status, 1);
            count += 1;
        }
        assert_eq!(count, 3);
    }
}

pub(crate) async fn reads_are_kept_and_told(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let service = owner.as_service().await;
    let (ada, ben) = (Uuid::now_v7(), Uuid::now_v7());
    let read = |person: Uuid, number: usize| Read {
        person_id: person.as_bytes().to_vec(),
        reader: format!("reader {number}"),
        issuer: "https://issuer.example".into(),
        purpose: "SKILL_DEVELOPMENT".into(),
        fields: vec!["Worker.displayName".into(), "Worker.email".into()],
        operation: "Team".into(),
        entry: "http".into(),
        id: Vec::new(),
    };
    let keep =
        async |caller: &Caller, reads: Vec<Read>| owner.service.log_reads(caller, LogReadsRequest { reads }).await;
    keep(&service, (0..5).map(|number| read(ada, number)).chain([read(ben, 9)]).collect()).await.expect("kept");
    keep(&service, vec![read(ada, 5)]).await.expect("kept");

    let ask = async |caller: &Caller, person: Uuid, first: u32, after: Vec<u8>| {
        let request = ReadLogRequest { person_id: person.as_bytes().to_vec(), first, after };
        owner.service.read_log(caller, request).await
    };
    let mut readers = Vec::new();
    let mut after = Vec::new();
    loop {
        let piece = ask(&service, ada, 4, after).await.expect("an answer");
        after = piece.reads.last().expect("a read").id.clone();
        readers.extend(piece.reads.into_iter().map(|logged| logged.read.expect("a read")));
        if !piece.more {
            break;
        }
    }
    assert_eq!(readers, (0..6).rev().map(|number| read(ada, number)).collect::<Vec<_>>());
    let one = ask(&owner.caller, ben, 10, Vec::new()).await.expect("an answer");
    assert_eq!((one.reads.len(), one.more), (1, false));
    assert!(ask(&service, Uuid::now_v7(), 10, Vec::new()).await.expect("an answer").reads.is_empty());

    // What is read beside within a minute makes the entry longer.
    let eve = Uuid::now_v7();
    let id = Uuid::now_v7().as_bytes().to_vec();
    let longer = |fields: &[&str]| Read {
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        id: id.clone(),
        ..read(eve, 1)
    };
    keep(&service, vec![longer(&["Worker.email"])]).await.expect("kept");
    let all = ["Worker.status", "Worker.email"];
    keep(&service, vec![read(ben, 1), longer(&all)]).await.expect("kept");
    let of_eve = ask(&service, eve, 10, Vec::new()).await.expect("an answer").reads;
    assert_eq!((of_eve.len(), &of_eve[0].id), (1, &id));
    assert_eq!(of_eve[0].read.as_ref().expect("a read").fields, all);

    // Who may follow writes in the own name only.
    let import = Caller::new("import", [Permission::Follow]);
    keep(&import, vec![read(eve, 1)]).await.expect("kept");
    let of_eve = ask(&service, eve, 1, Vec::new()).await.expect("an answer").reads;
    let newest = of_eve[0].read.as_ref().expect("a read");
    assert_eq!((newest.reader.as_str(), newest.issuer.as_str()), ("import", import.issuer()));
    assert!(matches!(keep(&import, vec![longer(&all)]).await, Err(AuditError::Request(_))));
    let reader = Caller::new("reader", [Permission::Read, Permission::Audit]);
    assert!(matches!(keep(&reader, vec![read(ada, 7)]).await, Err(AuditError::Forbidden(_))));

    let nobody = Caller::new("x", [Permission::Read, Permission::Personal]);
    assert!(matches!(ask(&nobody, ada, 1, Vec::new()).await, Err(AuditError::Forbidden(_))));
    let good = read(ada, 0);
    for bad in [
        Read { person_id: vec![1], ..good.clone() },
        Read { reader: String::new(), ..good.clone() },
        Read { reader: "x".repeat(257), ..good.clone() },
        Read { operation: "a\nb".into(), ..good.clone() },
        Read { fields: Vec::new(), ..good.clone() },
        Read { fields: vec!["Worker.email Worker".into()], ..good.clone() },
        Read { fields: vec!["x".into(); 129], ..good.clone() },
        Read { id: vec![1], ..good.clone() },
        Read { id: Uuid::nil().as_bytes().to_vec(), ..good.clone() },
    ] {
        let refused = keep(&service, vec![good.clone(), bad.clone()]).await;
        assert!(matches!(refused, Err(AuditError::Request(_))), "{bad:?}");
    }
    let many = keep(&service, vec![good; 10_001]).await;
    assert!(matches!(many, Err(AuditError::Request(_))));
    assert_eq!(
        ask(&service, ada, 100, Vec::new()).await.expect("an answer").reads.len(),
        6,
        "nothing was kept of those"
    );
    let twice = keep(&service, vec![longer(&all), longer(&all)]).await;
    assert!(matches!(twice, Err(AuditError::Request(_))));

    let now = WallClock.now();
    let later = |days: i64| now + days * 86_400_000_000;
    assert_eq!(owner.store.trim_read_log(later(729)).await.expect("a run"), 0);
    assert_eq!(owner.store.trim_read_log(later(731)).await.expect("a run"), 10);
    assert!(ask(&service, ada, 10, Vec::new()).await.expect("an answer").reads.is_empty());
}
