//! What tells who somebody is stands nowhere as it is.

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use spil_changefeed::{ApplyError, PersonalKey, StoreConfig, StoreError, open};
use spil_proto::{
    changefeed::v1::{Command, Outcome, ProblemCode, Record, Reference, Target, record::Entity},
    model::{ExternalId, Header, Kind, Owner, Translation},
    workforce::v1::{Skill, SkillAssertion, Worker},
};
use uuid::Uuid;

use crate::{
    database::Database,
    owner::{TestOwner, batch, by_external, by_id, by_key, create, id, problems, retire, update, upsert},
};

/// What would tell who somebody is, none of it part of another.
pub(crate) const TELLING: [&str; 9] = [
    "Zwaluwenburg",
    "P-998877",
    "zwaluw@example.org",
    "KEY-Zwaluw",
    "hr-554433",
    "Zwaluwtag",
    "Zwaluwnl",
    "I can do more",
    "proof.example",
];

/// A worker of whom everything is known.
pub(crate) fn worker() -> Record {
    let header = Header {
        key: Some("KEY-Zwaluw".into()),
        external_ids: vec![ExternalId { system: "hr".into(), id: "hr-554433".into() }],
        name: Some("W. Zwaluwenburg".into()),
        description: Some("Zwaluwenburg, who is new here".into()),
        tags: vec!["Zwaluwtag".into()],
        translations: vec![Translation { language: "nl".into(), name: "Zwaluwnl".into() }],
        ..Header::default()
    };
    let worker = Worker {
        header: Some(header),
        number: Some("P-998877".into()),
        display_name: Some("Wil Zwaluwenburg".into()),
        email: Some("zwaluw@example.org".into()),
        status: 2,
        is_contractor: Some(false),
        contestation: Some("My name is not Zwaluwenburg".into()),
    };
    Record { entity: Some(Entity::Worker(worker)) }
}

/// A claim about a worker, contested and proved.
pub(crate) fn claim(worker: Uuid, skill: Uuid) -> Record {
    let claim = SkillAssertion {
        worker_id: Some(worker.as_bytes().to_vec()),
        skill_id: Some(skill.as_bytes().to_vec()),
        level: Some(4),
        evidence_links: vec!["https://proof.example/1".into()],
        contestation: Some("I can do more".into()),
        ..SkillAssertion::default()
    };
    Record { entity: Some(Entity::SkillAssertion(claim)) }
}

pub(crate) async fn skill(owner: &TestOwner) -> Uuid {
    id(&owner.one(create(Record { entity: Some(Entity::Skill(Skill::default())) })).await)
}

/// Which of the telling texts some bytes hold, as they are or written in hexadecimal digits.
pub(crate) fn told(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    TELLING.into_iter().filter(|text| holds(text.as_bytes()) || holds(hex(text).as_bytes())).collect()
}

pub(crate) async fn what_tells_who_somebody_is_stands_nowhere_in_plain(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    let request = batch(vec![create(worker())]);
    let first = owner.send(request.clone()).await;
    assert!(first.applied, "{:?}", first.items);
    let person = id(&first.items[0]);
    let assertion = id(&owner.one(create(claim(person, skill))).await);
    owner.one(update(by_id(person), &["status"], worker())).await;
    owner.one(retire(Kind::SkillAssertion, by_id(assertion))).await;
    assert_eq!(told(&first.encode_to_vec()).len(), 7, "the search finds what is there");
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);

    // Whoever may read is told everything, as before.
    let (_, records) = owner.snapshot().await;
    let shown: Vec<u8> = records.iter().flat_map(Message::encode_to_vec).collect();
    assert_eq!(told(&shown).len(), 7);
    let again = owner.send(request.clone()).await;
    assert_eq!((again.replayed, &again.items), (true, &first.items));
    let mut other = request;
    other.commands = vec![create(claim(person, skill))];
    assert!(matches!(owner.service.apply(&owner.caller, other).await, Err(ApplyError::KeyReused)));
}

pub(crate) async fn names_that_are_sealed_are_found_and_unique(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let person = id(&owner.one(create(worker())).await);
    for target in [by_key("KEY-Zwaluw"), by_external("hr", "hr-554433")] {
        let item = owner.one(upsert(target, &["number"], worker())).await;
        assert_eq!((id(&item), item.outcome()), (person, Outcome::Unchanged));
    }
    let mut other = worker();
    if let Some(Entity::Worker(worker)) = &mut other.entity {
        worker.header.as_mut().expect("a header").external_ids.clear();
    }
    assert_eq!(problems(&owner.refused(create(other.clone())).await), [("key", ProblemCode::Taken)]);
    if let Some(Entity::Worker(worker)) = &mut other.entity {
        *worker.header.as_mut().expect("a header") = Header {
            external_ids: vec![ExternalId { system: "hr".into(), id: "hr-554433".into() }],
            ..Header::default()
        };
    }
    assert_eq!(problems(&owner.refused(create(other)).await), [("external_ids", ProblemCode::Taken)]);

    // A reference by a name that is sealed.
    let skill = skill(&owner).await;
    let mut about = claim(person, skill);
    if let Some(Entity::SkillAssertion(claim)) = &mut about.entity {
        claim.worker_id = None;
    }
    let targets = vec![Target { by: Some(by_key("KEY-Zwaluw")) }];
    let references = vec![Reference { field: "worker_id".into(), targets }];
    let item = owner.one(Command { references, ..create(about) }).await;
    let Some(Entity::SkillAssertion(made)) = item.record.expect("a record").entity else { panic!("another kind") };
    assert_eq!(made.worker_id.as_deref(), Some(&person.as_bytes()[..]));

    // A name can be handed on.
    let handed = owner.apply(vec![retire(Kind::Worker, by_id(person)), create(worker())]).await;
    assert!(handed.applied, "{:?}", handed.items);
    let found = owner.one(upsert(by_external("hr", "hr-554433"), &["number"], worker())).await;
    assert_eq!(id(&found), id(&handed.items[1]));
}

pub(crate) async fn another_key_opens_nothing(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    owner.one(create(worker())).await;
    let config = StoreConfig { owner: Owner::Workforce, url: database.url(Owner::Workforce), max_connections: 2 };
    let store = open(&config).await.expect("a store");
    assert!(store.needs_personal_key() && store.has_personal_key().await.expect("an answer"));
    assert!(matches!(store.unlock(&PersonalKey::generate()).await, Err(StoreError::PersonalKey)));
    store.unlock(&database.key).await.expect("unlocked");
    store.close().await;
    let capability = TestOwner::new(&database, Owner::Capability).await;
    assert!(!capability.store.needs_personal_key());
}

async fn run(db: &DatabaseConnection, sql: &str, values: Vec<sea_orm::Value>) {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.execute_raw(statement).await.expect("done");
}

/// Makes of a database one as it was before anything was sealed.
async fn unseal(database: &Database, record: &Record, answer: Vec<u8>) {
    let db = database.connect(Owner::Workforce).await;
    let Some(Entity::Worker(worker)) = &record.entity else { panic!("another kind") };
    let header = worker.header.as_ref().expect("a header");
    let texts = [
        header.key.clone(),
        Some(r#"[{"system":"hr","id":"hr-554433"}]"#.to_owned()),
        header.name.clone(),
        header.description.clone(),
        Some(r#"["Zwaluwtag"]"#.to_owned()),
        Some(r#"[{"language":"nl","name":"Zwaluwnl"}]"#.to_owned()),
        worker.number.clone(),
        worker.display_name.clone(),
        worker.email.clone(),
        worker.contestation.clone(),
    ];
    let sql = "UPDATE worker SET key = $1, external_ids = $2, name = $3, description = $4, tags = $5, translations = $6, \
        number = $7, display_name = $8, email = $9, contestation = $10, sealed = NULL";
    run(&db, sql, texts.into_iter().map(Into::into).collect()).await;
    // Nothing was chained then, so that what was logged could be written in another form.
    if database.is_postgres() {
        run(&db, "ALTER TABLE revision DISABLE TRIGGER USER", Vec::new()).await;
    } else {
        run(&db, "DROP TRIGGER revision_is_not_updated", Vec::new()).await;
    }
    run(&db, "UPDATE revision SET chain = NULL", Vec::new()).await;
    run(&db, "UPDATE external_id SET external_id = 'hr-554433'", Vec::new()).await;
    run(&db, "UPDATE change SET record = $1, sealed = NULL WHERE kind = 24", vec![record.encode_to_vec().into()]).await;
    run(&db, "UPDATE idempotency SET response = $1, sealed = NULL", vec![answer.into()]).await;
    run(&db, "DELETE FROM personal_key", Vec::new()).await;
    run(&db, "DELETE FROM person_key", Vec::new()).await;
    db.close().await.expect("closed");
}

pub(crate) async fn a_database_from_before_is_sealed_when_it_is_opened(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let answer = owner.apply(vec![create(worker())]).await;
    let record = answer.items[0].record.clone().expect("a record");
    let (cursor, before) = owner.snapshot().await;
    owner.store.close().await;
    unseal(&database, &record, answer.encode_to_vec()).await;
    assert_eq!(told(&database.bytes(Owner::Workforce).await).len(), 7, "nothing was put back");

    let owner = TestOwner::new(&database, Owner::Workforce).await;
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);
    assert_eq!(owner.snapshot().await, (cursor.clone(), before));
    for target in [by_key("KEY-Zwaluw"), by_external("hr", "hr-554433")] {
        let item = owner.one(upsert(target, &["number"], worker())).await;
        assert_eq!(item.outcome(), Outcome::Unchanged);
    }
    // Opened again, there is nothing to do.
    let digest = owner.digest().await;
    owner.store.close().await;
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    assert_eq!(owner.digest().await, digest);
}

/// A start that sealed everything, and was killed before it wrote the file anew.
pub(crate) async fn a_rewrite_that_was_cut_off_is_made_up_for(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    owner.store.close().await;
    if database.is_postgres() {
        return;
    }
    let db = database.connect(Owner::Workforce).await;
    for sql in [
        "PRAGMA secure_delete = OFF",
        "CREATE TABLE scratch (text TEXT)",
        "INSERT INTO scratch VALUES ('Wil Zwaluwenburg')",
        "DROP TABLE scratch",
        "PRAGMA user_version = 1",
    ] {
        run(&db, sql, Vec::new()).await;
    }
    db.close().await.expect("closed");
    assert!(!told(&database.bytes(Owner::Workforce).await).is_empty(), "nothing was left behind");
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    assert_eq!(told(&database.bytes(Owner::Workforce).await), [""; 0]);
    owner.store.close().await;
}
