//! Who was erased is gone, from everything there is.

use std::sync::Arc;

use futures::{StreamExt, future::join_all};
use prost::Message;
use spil_auth::{Caller, Permission};
use spil_changefeed::{Clock, EraseError, NamesError, OwnerService, WallClock};
use spil_proto::{
    changefeed::v1::{
        AuditEntry, AuditRequest, Cursor, EraseRequest, EraseResponse, Outcome, ProblemCode, Record, SnapshotRequest,
        record::Entity,
    },
    model::{ExternalId, Header, Kind, Owner},
    workforce::v1::{
        Skill, Worker,
        service::{NamesOfRequest, NamesOfResponse},
    },
};
use uuid::Uuid;

use super::seal::{claim, skill, told, worker};
use crate::{
    database::Database,
    follower::{Follower, watch},
    owner::{TestOwner, TestRules, batch, by_external, by_id, by_key, create, id, problems, retire, update, upsert},
};

fn request(kind: Kind, id: Uuid) -> EraseRequest {
    let id = id.as_bytes().to_vec();
    EraseRequest { kind: kind as u32, id, reason: "asked for".into(), origin: "http 192.0.2.7".into() }
}

pub(crate) async fn erase(owner: &TestOwner, person: Uuid) -> Result<EraseResponse, EraseError> {
    owner.service.erase(&owner.caller, request(Kind::Worker, person), None).await
}

/// Everything that an owner tells: the records, and all changes from the first on.
async fn everything(owner: &TestOwner, first: &Cursor) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut parts = owner.service.snapshot(&owner.caller, SnapshotRequest::default()).await.expect("a snapshot");
    while let Some(part) = parts.next().await {
        bytes.extend(part.expect("a part").encode_to_vec());
    }
    let head = owner.head().await.revision;
    let mut changes = watch(owner, first.clone()).await.expect("a stream");
    let mut at = first.revision;
    while at < head {
        let message = changes.next().await.expect("more").expect("a message");
        at = message.revisions.last().map_or(at, |revision| revision.revision);
        bytes.extend(message.encode_to_vec());
    }
    bytes
}

pub(crate) async fn who_was_erased_is_found_nowhere(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let first = owner.head().await;
    let skill = skill(&owner).await;
    let request = batch(vec![create(worker())]);
    let made = owner.send(request.clone()).await;
    let person = id(&made.items[0]);
    owner.one(create(claim(person, skill))).await;
    let gone = id(&owner.one(create(claim(person, skill))).await);
    owner.one(retire(Kind::SkillAssertion, by_id(gone))).await;
    let mut renamed = worker();
    if let Some(Entity::Worker(worker)) = &mut renamed.entity {
        worker.display_name = Some("Wil van Zwaluwenburg".into());
    }
    owner.one(update(by_id(person), &["display_name"], renamed)).await;
    let mut follower = Follower::start(&owner).await;
    assert_eq!(told(&everything(&owner, &first).await).len(), 9, "the search finds what is there");
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0], "before the erasure too");

    let erased = erase(&owner, person).await.expect("erased");
    // The worker, and both claims, of which one is retired.
    assert_eq!(erased.records, 3);
    assert_eq!(told(&everything(&owner, &first).await), [""; 0]);
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);
    // The answer that was given before is given again, without what was erased.
    let again = owner.send(request).await;
    assert!(again.replayed);
    assert_eq!(id(&again.items[0]), person);
    assert_eq!(told(&again.encode_to_vec()), [""; 0]);

    // A follower comes to the same, is told what to forget, and the checksums agree.
    follower.follow_to(erased.cursor.expect("a cursor").revision).await;
    assert_eq!(follower.digest(Owner::Workforce), owner.digest().await.kinds);
    let mut changes = watch(&owner, first.clone()).await.expect("a stream");
    let (mut marked, mut at) = (0, first.revision);
    while at < follower.cursor.revision {
        let message = changes.next().await.expect("more").expect("a message");
        for revision in message.revisions {
            at = revision.revision;
            let erased = revision.changes.iter().filter(|change| change.erased).count();
            assert!(erased == 0 || (revision.source == "erasure" && revision.actor == "tester"));
            marked += erased;
        }
    }
    assert_eq!(marked, 3);

    // It is kept who erased, why, and which way that came.
    let asked = AuditRequest { source: Some("erasure".into()), first: 10, ..AuditRequest::default() };
    let audit = owner.service.audit(&owner.caller, asked).await.expect("an audit").entries;
    assert_eq!(audit.len(), 3);
    let kept = |entry: &AuditEntry| (entry.actor.clone(), entry.reason.clone(), entry.origin.clone());
    let said = ("tester".to_owned(), "asked for".to_owned(), "http 192.0.2.7".to_owned());
    assert!(audit.iter().all(|entry| kept(entry) == said), "{audit:?}");

    // What is left is a worker without a name.
    let (_, records) = owner.snapshot().await;
    let left = records.iter().find(|record| record.id() == Some(person)).expect("still there");
    let Some(Entity::Worker(left)) = &left.entity else { panic!("another kind") };
    assert_eq!((left.status, left.is_contractor, left.email.as_deref()), (2, Some(false), None));

    // Nor does it come back with the process.
    owner.store.close().await;
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    assert_eq!(told(&everything(&owner, &first).await), [""; 0]);
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);
}

pub(crate) async fn who_was_erased_does_not_come_back(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    let person = id(&owner.one(create(worker())).await);
    let assertion = id(&owner.one(create(claim(person, skill))).await);
    erase(&owner, person).await.expect("erased");
    let revision = owner.head().await.revision;
    for command in [
        create(worker()),
        upsert(by_key("KEY-Zwaluw"), &["number"], worker()),
        upsert(by_external("hr", "hr-554433"), &["number"], worker()),
        update(by_id(person), &["display_name"], worker()),
        create(claim(person, skill)),
        update(by_id(assertion), &["contestation"], claim(person, skill)),
    ] {
        assert_eq!(problems(&owner.refused(command).await), [("", ProblemCode::Erased)]);
    }
    assert_eq!(owner.head().await.revision, revision);
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);
    // What tells nobody who it is may still be written.
    let mut left = worker();
    if let Some(Entity::Worker(worker)) = &mut left.entity {
        (worker.header, worker.status) = (Some(Header::default()), 4);
    }
    let item = owner.one(update(by_id(person), &["status"], left)).await;
    assert_eq!(item.outcome(), Outcome::Updated);
    owner.one(retire(Kind::Worker, by_id(person))).await;
}

/// A worker with these handles and nothing else.
fn with_handles(key: Option<&str>, external: Option<&str>, number: Option<&str>, email: Option<&str>) -> Record {
    let external = external.map(|id| ExternalId { system: "hr".into(), id: id.into() });
    let header = Header { key: key.map(Into::into), external_ids: external.into_iter().collect(), ..Header::default() };
    let (number, email) = (number.map(Into::into), email.map(Into::into));
    Record { entity: Some(Entity::Worker(Worker { header: Some(header), number, email, ..Worker::default() })) }
}

pub(crate) async fn what_somebody_was_called_before_does_not_come_back_either(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let handles = ["key", "external_ids", "number", "email"];
    let early = with_handles(Some("K-1999"), Some("hr-1999"), Some("N-1999"), Some("Early@Example.org"));
    let late = with_handles(Some("K-2024"), Some("hr-2024"), Some("N-2024"), Some("late@example.org"));
    let person = id(&owner.one(create(early)).await);
    owner.one(update(by_id(person), &handles, late)).await;
    // Somebody else has one of them by now.
    let heir = id(&owner.one(create(with_handles(Some("K-1999"), None, None, Some("team@example.org")))).await);
    owner.one(update(by_id(person), &["email"], with_handles(None, None, None, Some("team@example.org")))).await;
    erase(&owner, person).await.expect("erased");
    for refused in [
        with_handles(Some("K-2024"), None, None, None),
        with_handles(None, Some("hr-1999"), None, None),
        with_handles(None, Some("hr-2024"), None, None),
        with_handles(None, None, Some("n-1999"), None),
        with_handles(None, None, Some("N-2024"), Some("new@example.org")),
        with_handles(None, None, Some("N-2030"), Some("EARLY@example.ORG")),
        with_handles(None, None, Some("N-2030"), Some("late@example.org")),
    ] {
        let item = owner.refused(create(refused.clone())).await;
        assert_eq!(problems(&item), [("", ProblemCode::Erased)], "{refused:?}");
        let item = owner.refused(update(by_id(heir), &handles, refused)).await;
        assert_eq!(problems(&item), [("", ProblemCode::Erased)]);
    }
    for taken in [
        with_handles(Some("K-2030"), None, Some("N-2030"), Some("Team@example.org")),
        with_handles(None, Some("hr-2030"), None, None),
    ] {
        owner.one(create(taken)).await;
    }
    owner.one(update(by_id(heir), &["number"], with_handles(None, None, Some("N-2031"), None))).await;
}

pub(crate) async fn names_are_told_to_services_alone(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    let person = id(&owner.one(create(worker())).await);
    let mut renamed = worker();
    if let Some(Entity::Worker(worker)) = &mut renamed.entity {
        worker.display_name = Some("Wil van Zwaluwenburg".into());
        worker.number = Some("P-111222".into());
    }
    owner.one(update(by_id(person), &["display_name", "number"], renamed)).await;
    let mut namesake = with_handles(None, None, Some("P-555"), None);
    if let Some(Entity::Worker(worker)) = &mut namesake.entity {
        worker.display_name = Some("wil zwaluwenburg".into());
    }
    owner.one(create(namesake)).await;
    let mut claim = claim(person, skill);
    if let Some(Entity::SkillAssertion(claim)) = &mut claim.entity {
        let external_ids = ["as-4711", "shared-1"].map(|id| ExternalId { system: "hr".into(), id: id.into() });
        claim.header = Some(Header { external_ids: external_ids.to_vec(), ..Header::default() });
    }
    owner.one(create(claim)).await;
    let header = Header { key: Some("shared-1".into()), ..Header::default() };
    let other = Skill { header: Some(header), ..Skill::default() };
    owner.one(create(Record { entity: Some(Entity::Skill(other)) })).await;

    let asked = NamesOfRequest { kind: Kind::Worker as u32, id: person.as_bytes().to_vec() };
    let service = owner.as_service().await;
    let names = owner.service.names_of(&service, asked.clone()).await.expect("names");
    let mut texts = names.texts.clone();
    texts.sort_unstable();
    let sure = [
        "P-111222",
        "P-998877",
        "W. Zwaluwenburg",
        "Wil van Zwaluwenburg",
        "as-4711",
        "hr-554433",
        "zwaluw@example.org",
    ];
    assert_eq!(texts, sure);
    let mut doubtful = names.doubtful;
    doubtful.sort_unstable();
    assert_eq!(doubtful, ["KEY-Zwaluw", "Wil Zwaluwenburg", "Zwaluwnl"]);
    assert_eq!(names.subjects, [""; 0]);
    let refused = owner.service.names_of(&owner.caller, asked.clone()).await;
    assert!(matches!(refused, Err(NamesError::NoService)));
    let unknown = NamesOfRequest { id: Uuid::now_v7().as_bytes().to_vec(), ..asked.clone() };
    assert!(matches!(owner.service.names_of(&service, unknown).await, Err(NamesError::NotFound)));
    erase(&owner, person).await.expect("erased");
    assert_eq!(owner.service.names_of(&service, asked).await.expect("an answer"), NamesOfResponse::default());
}

pub(crate) async fn an_erasure_is_done_once_whoever_is_in_the_way(database: Database) {
    let owner = Arc::new(TestOwner::new(&database, Owner::Workforce).await);
    let skill = skill(&owner).await;
    let person = id(&owner.one(create(worker())).await);
    // Somebody who has left, and whose record was retired, is erased all the same.
    owner.one(retire(Kind::Worker, by_id(person))).await;
    let other = id(&owner.one(create(worker())).await);
    erase(&owner, person).await.expect("erased");
    let revision = owner.head().await.revision;
    let erasures = (0..6).map(|number| {
        let owner = Arc::clone(&owner);
        tokio::spawn(async move {
            if number % 2 == 0 {
                return Some(erase(&owner, other).await.expect("erased"));
            }
            // Both orders are right; what is refused leaves nothing.
            owner.apply(vec![create(claim(other, skill))]).await;
            None
        })
    });
    let answers: Vec<EraseResponse> =
        join_all(erasures).await.into_iter().filter_map(|answer| answer.expect("no panic")).collect();
    assert!(answers.iter().all(|answer| answer.erased_at == answers[0].erased_at), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.records > 0).count(), 1);
    let (_, records) = owner.snapshot().await;
    let shown: Vec<u8> = records.iter().flat_map(Message::encode_to_vec).collect();
    assert_eq!(told(&shown), [""; 0]);
    assert!(owner.head().await.revision > revision);
}

pub(crate) async fn only_people_are_erased(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    assert!(matches!(erase(&owner, Uuid::now_v7()).await, Err(EraseError::NotFound)));
    assert!(matches!(erase(&owner, skill).await, Err(EraseError::NotFound)));
    let request_of_skill = request(Kind::Skill, skill);
    assert!(matches!(owner.service.erase(&owner.caller, request_of_skill, None).await, Err(EraseError::Request(_))));
    let person = id(&owner.one(create(worker())).await);
    let request = request(Kind::Worker, person);
    let writer = Caller::new("writer", [Permission::Read, Permission::Write]);
    assert!(matches!(owner.service.erase(&writer, request, None).await, Err(EraseError::Forbidden(_))));
    assert!(owner.snapshot().await.1.iter().any(|record| !told(&record.encode_to_vec()).is_empty()));
}

/// A clock that stands so many days after the present.
struct Later(i64);

impl Clock for Later {
    fn now(&self) -> i64 {
        WallClock.now() + self.0 * 86_400_000_000
    }
}

pub(crate) async fn who_left_long_ago_is_told_until_erased(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let left = |name: &str, status: i32| {
        let header = Header { name: Some(name.to_owned()), ..Header::default() };
        let worker = Worker { header: Some(header), status, ..Worker::default() };
        create(Record { entity: Some(Entity::Worker(worker)) })
    };
    let made = owner.apply(vec![left("gone", 4), left("here", 2), left("retired", 2), left("back", 4)]).await;
    let [gone, here, retired, back] = [0, 1, 2, 3].map(|place| id(&made.items[place]));
    owner.one(retire(Kind::Worker, by_id(retired))).await;
    let status = |status| Record { entity: Some(Entity::Worker(Worker { status, ..Worker::default() })) };
    owner.one(update(by_id(back), &["status"], status(2))).await;
    let later = |days| {
        let clock = Arc::new(Later(days));
        OwnerService::new(owner.store.clone(), Arc::new(TestRules), owner.signer.verifier(), clock)
    };
    let due = async |service: &OwnerService| {
        let people = service.due(&owner.caller).await.expect("an answer").people;
        people.iter().map(|person| Uuid::from_slice(&person.id).expect("an id")).collect::<Vec<_>>()
    };
    assert!(due(&owner.service).await.is_empty());
    assert!(due(&later(729)).await.is_empty());
    // What is written about somebody who has left does not lengthen the time.
    let named = Record { entity: Some(Entity::Worker(Worker { is_contractor: Some(true), ..Worker::default() })) };
    owner.one(update(by_id(gone), &["is_contractor"], named)).await;
    let mut both = vec![gone, retired];
    both.sort_unstable();
    assert_eq!(due(&later(731)).await, both);
    let writer = Caller::new("writer", [Permission::Read, Permission::Write, Permission::Follow]);
    assert!(matches!(later(731).due(&writer).await, Err(EraseError::Forbidden(_))));
    for person in both {
        let asked = request(Kind::Worker, person);
        later(731).erase(&owner.as_service().await, asked, None).await.expect("a service may");
    }
    assert!(due(&later(731)).await.is_empty(), "once is enough");
    let (_, records) = owner.snapshot().await;
    let named: Vec<Uuid> = records
        .iter()
        .filter(|record| record.entity().and_then(|entity| entity.header()).is_some_and(|header| header.name.is_some()))
        .filter_map(Record::id)
        .collect();
    let mut expected = vec![here, back];
    expected.sort_unstable();
    assert_eq!(named, expected);
}
