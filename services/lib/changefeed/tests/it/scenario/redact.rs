//! Texts that tell who somebody is are replaced wherever they stand, and that this was done is proven.

use std::sync::Arc;

use futures::StreamExt;
use prost::Message;
use sea_orm::ConnectionTrait;
use spil_auth::{Caller, Permission};
use spil_changefeed::{Clock, Fault, Redacted, Redaction, WallClock};
use spil_proto::{
    capability::v1::Capability,
    changefeed::v1::{ApplyRequest, Cursor, LogReadsRequest, Origin, Outcome, Read, Record, record::Entity},
    model::{ExternalId, Header, Kind, Owner, Translation},
    workforce::v1::{OrgUnit, Role, SkillAssertion, Worker, service::NamesOfRequest},
};
use uuid::Uuid;

use super::{
    chain::{head, run, unlocked, verified},
    seal::skill,
};
use crate::{
    database::Database,
    follower::{Follower, watch},
    owner::{TestOwner, batch, by_id, create, id, retire, update},
    sample::{capability, name_of},
};

const TEXTS: [&str; 4] = ["Aleida Zwaluw", "zwaluw@example.org", "P-4711", "zwaluw-desk"];

fn redaction(spared: Option<Uuid>) -> Redaction {
    Redaction {
        texts: TEXTS.map(str::to_owned).to_vec(),
        subjects: Vec::new(),
        person: spared.map(|person| (Kind::Worker, person)),
        origin: Origin { source: "erasure".into(), run: String::new(), actor: "officer".into(), at: WallClock.now() },
        reason: "asked for by ALEIDA ZWALUW".into(),
        way: "http 192.0.2.7".into(),
        mark: rand::random(),
    }
}

async fn redact(owner: &TestOwner) -> Redacted {
    owner.store.redact(&redaction(None)).await.expect("redacted")
}

/// Which of the texts some bytes hold, in whatever case, as they are or written in hexadecimal digits.
fn told(bytes: &[u8]) -> Vec<&'static str> {
    let bytes = bytes.to_ascii_lowercase();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let is_told = |text: &str| {
        holds(text.as_bytes())
            || [text.to_owned(), text.to_uppercase(), text.to_lowercase()]
                .iter()
                .any(|text| holds(hex(text).as_bytes()))
    };
    TEXTS.into_iter().filter(|text| is_told(&text.to_lowercase()) || is_told(text)).collect()
}

/// All changes from the beginning on.
async fn changes(owner: &TestOwner) -> Vec<spil_proto::changefeed::v1::Revision> {
    let head = owner.head().await;
    let mut stream = watch(owner, Cursor { revision: 0, mark: 0, ..head.clone() }).await.expect("a stream");
    let mut revisions = Vec::new();
    while (revisions.len() as u64) < head.revision {
        revisions.extend(stream.next().await.expect("more").expect("a message").revisions);
    }
    revisions
}

/// Everything that an owner tells: records, who set them, changes, the audit.
async fn everything(owner: &TestOwner) -> Vec<u8> {
    let mut bytes: Vec<u8> = owner.snapshot().await.1.iter().flat_map(Message::encode_to_vec).collect();
    for origins in owner.provenance().await.values() {
        bytes.extend(origins.values().flat_map(Message::encode_to_vec));
    }
    bytes.extend(changes(owner).await.iter().flat_map(Message::encode_to_vec));
    let asked = spil_proto::changefeed::v1::AuditRequest { first: 1000, ..Default::default() };
    bytes.extend(owner.service.audit(&owner.caller, asked).await.expect("an audit").encode_to_vec());
    bytes
}

/// Records that name somebody in many places, live, retired and corrected, and a batch that is answered again.
async fn named(owner: &TestOwner) -> (ApplyRequest, Uuid) {
    let header = Header {
        key: Some("zwaluw-desk".into()),
        external_ids: vec![ExternalId { system: "hr".into(), id: "P-4711".into() }],
        name: Some("Desk of Aleida Zwaluw".into()),
        description: Some("Ask ZWALUW@example.org, or call.".into()),
        tags: vec!["aleida zwaluw".into(), "other".into()],
        translations: vec![Translation { language: "nl".into(), name: "Bureau van Aleida Zwaluw".into() }],
        ..Header::default()
    };
    let desk =
        Record { entity: Some(Entity::Capability(Capability { header: Some(header), ..Capability::default() })) };
    let request = batch(vec![create(desk)]);
    let made = owner.send(request.clone()).await;
    assert!(made.applied, "{:?}", made.items);
    let gone = id(&owner.one(create(capability(None, "To P-4711"))).await);
    owner.one(retire(Kind::Capability, by_id(gone))).await;
    let corrected = id(&owner.one(create(capability(None, "Aleida Zwaluw leads this"))).await);
    owner.one(update(by_id(corrected), &["name"], capability(None, "Somebody leads this"))).await;
    let caller = Caller::new("Zwaluw@example.org", Permission::ALL);
    let own = ApplyRequest { reason: "Aleida Zwaluw asked.".into(), ..batch(vec![create(capability(None, "A plan"))]) };
    owner.service.apply(&caller, own).await.expect("applied");
    owner.one(create(capability(None, "Aleida Z. and P-471"))).await;
    (request, id(&made.items[0]))
}

pub(crate) async fn what_was_redacted_is_found_nowhere(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let (request, desk) = named(&owner).await;
    let read = Read {
        person_id: vec![9; 16],
        reader: "zwaluw@example.org".into(),
        issuer: "issuer".into(),
        purpose: "planning".into(),
        fields: vec!["Worker.email".into()],
        operation: "Aleida Zwaluw".into(),
        entry: "http".into(),
        id: Vec::new(),
    };
    let service = owner.as_service().await;
    owner.service.log_reads(&service, LogReadsRequest { reads: vec![read] }).await.expect("kept");
    let mut follower = Follower::start(&owner).await;
    let kept = head(&owner).await;
    assert_eq!(told(&everything(&owner).await), TEXTS, "the search finds what is there");
    assert_eq!(told(&database.bytes(Owner::Capability).await), TEXTS);

    let redacted = redact(&owner).await;
    // The desk, the retired one, and that which somebody who is named wrote.
    assert_eq!((redacted.records, redacted.revisions), (3, 5));
    assert_eq!(told(&everything(&owner).await), [""; 0]);
    assert_eq!(told(&database.bytes(Owner::Capability).await), [""; 0]);
    let again = owner.send(request).await;
    assert!(again.replayed);
    assert_eq!((id(&again.items[0]), told(&again.encode_to_vec())), (desk, vec![]));

    let (_, records) = owner.snapshot().await;
    let left = records.iter().find(|record| record.id() == Some(desk)).expect("still there");
    let header = left.entity().and_then(|entity| entity.header()).expect("a header");
    assert_eq!(header.name.as_deref(), Some("Desk of [erased]"));
    assert_eq!(header.description.as_deref(), Some("Ask [erased], or call."));
    assert_eq!((header.tags.as_slice(), header.external_ids.len()), (&["[erased]".to_owned(), "other".into()][..], 0));
    assert!(header.key.as_ref().is_some_and(|key| key.starts_with("[erased]-")), "{:?}", header.key);
    assert_eq!(header.version, 2);
    // What merely looks alike stays.
    assert!(records.iter().any(|record| name_of(record) == "Aleida Z. and P-471"));
    // The log goes on.
    owner.one(create(capability(Some("other-desk"), "B"))).await;
    owner.one(update(by_id(desk), &["name"], capability(None, "Desk"))).await;

    // A follower comes to the same and is told what to forget.
    follower.follow_to(owner.head().await.revision).await;
    assert_eq!(follower.digest(Owner::Capability), owner.digest().await.kinds);
    assert_eq!(follower.told, owner.provenance().await);
    let told_of: Vec<_> = changes(&owner).await.into_iter().filter(|revision| revision.source == "erasure").collect();
    assert_eq!((told_of.len(), told_of[0].actor.as_str()), (1, "officer"));
    assert!(told_of[0].changes.len() == 3 && told_of[0].changes.iter().all(|change| change.erased));

    // Once is enough; and what was kept elsewhere before still holds.
    let place = owner.head().await;
    let nothing = redact(&owner).await;
    assert_eq!((nothing.records, nothing.revisions, nothing.cursor()), (0, 0, place));
    let found = verified(&owner, &[kept]).await;
    assert_eq!((found.fault, found.redacted), (None, 5));
    owner.store.close().await;
    let owner = TestOwner::new(&database, Owner::Capability).await;
    assert_eq!(told(&everything(&owner).await), [""; 0]);
    assert_eq!(told(&database.bytes(Owner::Capability).await), [""; 0]);
}

pub(crate) async fn a_redaction_is_proven(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let first = id(&owner.one(create(capability(None, "Aleida Zwaluw"))).await);
    owner.one(update(by_id(first), &["name"], capability(None, "Somebody"))).await;
    let db = unlocked(&database, Owner::Capability).await;
    for table in ["revision", "change"] {
        run(&db, &format!("CREATE TABLE {table}_kept AS SELECT * FROM {table}")).await;
    }
    let redacted = redact(&owner).await;
    // Only history held it: the record gets a version all the same, by which followers are told.
    assert_eq!((redacted.records, redacted.revisions), (1, 1));
    let last = changes(&owner).await.pop().expect("a revision");
    assert!(last.changes.len() == 1 && last.changes[0].erased && last.changes[0].fields.is_empty());
    let whole = verified(&owner, &[]).await;
    assert_eq!((whole.fault, whole.redacted, whole.count), (None, 1, 3));
    for (sql, fault) in [
        // What was there before is put back.
        (
            "UPDATE change SET record = (SELECT record FROM change_kept k WHERE k.revision = 1) WHERE revision = 1",
            Fault::Unredacted(1),
        ),
        ("UPDATE revision SET actor = 'nobody' WHERE revision = 1", Fault::Unredacted(1)),
        (
            "UPDATE revision SET chain = (SELECT chain FROM revision WHERE revision = 2) WHERE revision = 1",
            Fault::Unredacted(1),
        ),
        ("UPDATE attachment SET link = NULL", Fault::Unredacted(1)),
        ("UPDATE attachment SET digest = (SELECT chain FROM revision WHERE revision = 2)", Fault::Unredacted(1)),
        ("DELETE FROM attachment", Fault::Altered(1)),
        ("UPDATE attachment SET subject = 2", Fault::Altered(1)),
        ("UPDATE attachment SET revision = 2", Fault::Altered(2)),
        ("UPDATE attachment SET revision = 9", Fault::Altered(3)),
        ("UPDATE revision SET reason = 'another' WHERE revision = 3", Fault::Altered(3)),
        (
            "INSERT INTO attachment (revision, deed, subject, digest) VALUES (4, 2, 3, (SELECT chain FROM revision WHERE revision = 2))",
            Fault::Unredacted(3),
        ),
    ] {
        for table in ["revision", "change", "attachment"] {
            run(
                &db,
                &format!("DROP TABLE IF EXISTS {table}_after; CREATE TABLE {table}_after AS SELECT * FROM {table}"),
            )
            .await;
        }
        run(&db, sql).await;
        assert_eq!(verified(&owner, &[]).await.fault, Some(fault), "{sql}");
        for table in ["revision", "change", "attachment"] {
            run(&db, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {table}_after")).await;
        }
        assert_eq!(verified(&owner, &[]).await.fault, None, "put back after {sql}");
    }
    // A second redaction of the same revision counts from then on.
    let more = Redaction { texts: vec!["tester".into()], ..redaction(None) };
    let redacted = owner.store.redact(&more).await.expect("redacted");
    assert_eq!(redacted.revisions, 2);
    let whole = verified(&owner, &[]).await;
    assert_eq!((whole.fault, whole.redacted, whole.count), (None, 2, 4));
}

pub(crate) async fn only_a_redaction_writes_the_log_anew(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    owner.one(create(capability(None, "Aleida Zwaluw"))).await;
    redact(&owner).await;
    let db = database.connect(Owner::Capability).await;
    let refused = async |sql: &str| {
        let error = db.execute_unprepared(sql).await.expect_err(sql);
        assert!(error.to_string().contains("the change log is only added to"), "{sql}: {error}");
    };
    for sql in [
        "UPDATE change SET record = (SELECT record FROM change WHERE revision = 2) WHERE revision = 1",
        "UPDATE revision SET actor = 'nobody' WHERE revision = 1",
        "UPDATE attachment SET digest = NULL",
        "UPDATE attachment SET subject = 2",
        "DELETE FROM attachment",
        "INSERT INTO attachment (revision, deed, subject) VALUES (2, 2, 1)",
        "INSERT INTO attachment (revision, deed, subject) VALUES (3, 2, 1)",
    ] {
        refused(sql).await;
    }
    assert_eq!(verified(&owner, &[]).await.fault, None);
    // Whoever says that a redaction is going on may write texts anew, nothing else, and is found out.
    run(&db, "UPDATE change_head SET revision = 3, mark = 77").await;
    run(
        &db,
        "INSERT INTO attachment (revision, deed, subject, link) SELECT 3, 2, 1, chain FROM revision WHERE revision = 1",
    )
    .await;
    for sql in [
        "UPDATE change SET kind = kind + 1 WHERE revision = 1",
        "UPDATE change SET ordinal = 1 WHERE revision = 1",
        "UPDATE revision SET mark = 1 WHERE revision = 1",
        "UPDATE revision SET chain = NULL WHERE revision = 1",
        "UPDATE revision SET actor = 'nobody' WHERE revision = 2",
    ] {
        refused(sql).await;
    }
    run(&db, "UPDATE revision SET actor = 'nobody' WHERE revision = 1").await;
    let seal = "UPDATE attachment SET digest = (SELECT chain FROM revision WHERE revision = 1) WHERE revision = 3";
    run(&db, seal).await;
    refused("UPDATE revision SET actor = 'somebody' WHERE revision = 1").await;
    assert_eq!(verified(&owner, &[]).await.fault, Some(Fault::Unredacted(1)));
}

pub(crate) async fn what_is_sealed_of_others_is_redacted_too(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    let worker = |number: &str, name: &str| {
        let header = Header { name: Some(name.to_owned()), ..Header::default() };
        let worker = Worker { header: Some(header), number: Some(number.into()), status: 2, ..Worker::default() };
        create(Record { entity: Some(Entity::Worker(worker)) })
    };
    let person = id(&owner.one(worker("P-4711", "Aleida Zwaluw")).await);
    let other = id(&owner.one(worker("P-1", "Bo")).await);
    let said = |text: &str| {
        let claim = SkillAssertion {
            worker_id: Some(other.as_bytes().to_vec()),
            skill_id: Some(skill.as_bytes().to_vec()),
            level: Some(2),
            contestation: Some(text.to_owned()),
            ..SkillAssertion::default()
        };
        Record { entity: Some(Entity::SkillAssertion(claim)) }
    };
    let live = id(&owner.one(create(said("Aleida Zwaluw says so"))).await);
    let corrected = id(&owner.one(create(said("as P-4711 told"))).await);
    owner.one(update(by_id(corrected), &["contestation"], said("as I was told"))).await;
    let mut follower = Follower::start(&owner).await;

    let redacted = owner.store.redact(&redaction(Some(person))).await.expect("redacted");
    assert_eq!((redacted.records, redacted.revisions), (1, 2));
    let (_, records) = owner.snapshot().await;
    let found =
        |id: Uuid| records.iter().find(|record| record.id() == Some(id)).and_then(|record| record.entity.clone());
    let Some(Entity::SkillAssertion(claim)) = found(live) else { panic!("another kind") };
    assert_eq!(claim.contestation.as_deref(), Some("[erased] says so"));
    // The person's own goes with the key, which is destroyed afterwards.
    let Some(Entity::Worker(kept)) = found(person) else { panic!("another kind") };
    assert_eq!(kept.number.as_deref(), Some("P-4711"));
    let history = changes(&owner).await;
    let texts: Vec<String> = history
        .iter()
        .flat_map(|revision| &revision.changes)
        .filter_map(|change| match &change.record.as_ref()?.entity {
            Some(Entity::SkillAssertion(claim)) => claim.contestation.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["[erased] says so", "as [erased] told", "as I was told", "[erased] says so"]);
    follower.follow_to(redacted.cursor().revision).await;
    assert_eq!(follower.digest(Owner::Workforce), owner.digest().await.kinds);
    assert_eq!(verified(&owner, &[]).await.fault, None);
    let again = owner.store.redact(&redaction(Some(person))).await.expect("redacted");
    assert_eq!((again.records, again.revisions), (0, 0));
}

pub(crate) async fn others_keep_what_they_are_called(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let worker = |number: &str, name: &str, email: &str| {
        let (number, display_name, email) = (Some(number.into()), Some(name.into()), Some(email.into()));
        let worker = Worker { number, display_name, email, status: 2, ..Worker::default() };
        create(Record { entity: Some(Entity::Worker(worker)) })
    };
    let named = |name: &str, entity: fn(Header) -> Entity| {
        let header = Header { name: Some(name.into()), ..Header::default() };
        create(Record { entity: Some(entity(header)) })
    };
    let jan = id(&owner.one(worker("471199", "Jan Jansen", "jan@example.co")).await);
    owner.one(worker("471199-2", "Jan Jansen de Vries", "jan@example.co.uk")).await;
    let left = id(&owner.one(worker("2027", "Eva Maria", "eva@example.org")).await);
    owner.one(retire(Kind::Worker, by_id(left))).await;
    let eva = id(&owner.one(worker("2026", "Eva  MARIA", "eva2@example.org")).await);
    let manager = id(&owner.one(worker("V-100", "Project Manager", "pm@example.org")).await);
    let role = |header| Entity::Role(Role { header: Some(header), ..Role::default() });
    owner.one(named("Senior project manager", role)).await;
    let unit = |header| Entity::OrgUnit(OrgUnit { header: Some(header), ..OrgUnit::default() });
    let team = id(&owner.one(named("Team of 471199 (jan@example.co.)", unit)).await);

    let service = owner.as_service().await;
    for (person, sure, doubtful) in [
        (jan, vec!["471199", "jan@example.co"], vec!["Jan Jansen"]),
        (eva, vec!["eva2@example.org"], vec!["2026", "Eva  MARIA"]),
        (manager, vec!["V-100", "pm@example.org"], vec!["Project Manager"]),
    ] {
        let asked = NamesOfRequest { kind: Kind::Worker as u32, id: person.as_bytes().to_vec() };
        let mut names = owner.service.names_of(&service, asked).await.expect("names");
        names.texts.sort_unstable();
        names.doubtful.sort_unstable();
        assert_eq!((names.texts, names.doubtful), (to_texts(&sure), to_texts(&doubtful)));
    }

    let called = |records: Vec<Record>| -> Vec<Record> {
        records.into_iter().filter(|record| record.kind() == Some(Kind::Worker)).collect()
    };
    let before = called(owner.snapshot().await.1);
    // Even a text that is given all the same leaves what somebody is called.
    let texts = to_texts(&["471199", "jan@example.co", "Jan Jansen", "Eva Maria"]);
    let redacted = owner.store.redact(&Redaction { texts, ..redaction(Some(jan)) }).await.expect("redacted");
    assert_eq!((redacted.records, redacted.revisions), (1, 1));
    let (_, records) = owner.snapshot().await;
    let found = records.iter().find(|record| record.id() == Some(team)).and_then(Record::entity);
    let name = found.and_then(|entity| entity.header()).and_then(|header| header.name.as_deref());
    assert_eq!(name, Some("Team of [erased] ([erased].)"));
    assert_eq!(called(records), before);
}

fn to_texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) async fn who_reads_and_writes_meanwhile_is_not_in_the_way(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Capability).await);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let owner = Arc::clone(&owner);
            tokio::spawn(async move {
                for number in 0..12 {
                    let made = owner.one(create(capability(None, &format!("Aleida Zwaluw {writer} {number}")))).await;
                    let item = owner.one(update(by_id(id(&made)), &["name"], capability(None, "Aleida Zwaluw"))).await;
                    assert!(matches!(item.outcome(), Outcome::Updated));
                }
            })
        })
        .collect();
    for _ in 0..6 {
        // One that stands in the way of a batch is told so, and tries again.
        while owner.store.redact(&redaction(None)).await.is_err() {}
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    for writer in writers {
        writer.await.expect("written");
    }
    while owner.store.redact(&redaction(None)).await.is_err() {}
    assert_eq!(told(&everything(&owner).await), [""; 0]);
    assert_eq!(told(&database.bytes(Owner::Capability).await), [""; 0]);
    assert_eq!(verified(&owner, &[]).await.fault, None);
}
