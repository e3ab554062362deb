//! Values that are written and never read.

use futures::{StreamExt, future::join_all};
use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use spil_changefeed::ApplyError;
use spil_proto::{
    changefeed::v1::{Command, Outcome, ProblemCode, Record, SnapshotRequest, record::Entity},
    initiative::v1::{PulseResponse, PulseWave},
    model::{Header, Kind, Owner},
};
use uuid::Uuid;

use crate::{
    database::Database,
    follower::{next_changes, watch},
    owner::{TestOwner, batch, by_id, by_key, create, id, outcomes, problems, retire, update, upsert},
};

const ADA: &str = "Ada Lovelace <ada@example.org>";

async fn new_wave(owner: &TestOwner) -> Uuid {
    let wave = PulseWave {
        question: Some("How is it?".to_owned()),
        scale_min: Some(1),
        scale_max: Some(5),
        ..PulseWave::default()
    };
    id(&owner.one(create(Record { entity: Some(Entity::PulseWave(wave)) })).await)
}

fn response(wave: Uuid, respondent: &str, key: Option<&str>) -> Record {
    let header = Header { key: key.map(str::to_owned), ..Header::default() };
    Record {
        entity: Some(Entity::PulseResponse(PulseResponse {
            header: Some(header),
            wave_id: Some(wave.as_bytes().to_vec()),
            score: Some(4),
            respondent: Some(respondent.to_owned()),
            ..PulseResponse::default()
        })),
    }
}

fn answer(wave: Uuid, respondent: &str) -> Command {
    create(response(wave, respondent, None))
}

async fn count(db: &DatabaseConnection, table: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), format!("SELECT count(*) FROM {table}"));
    db.query_one_raw(statement).await.expect("a row").expect("a row").try_get_by_index(0).expect("a number")
}

pub(crate) async fn a_respondent_counts_once_in_a_wave(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let (wave, other) = (new_wave(&owner).await, new_wave(&owner).await);
    let first = owner.one(answer(wave, ADA)).await;
    // In one form, like every text.
    let item = owner.refused(answer(wave, &format!("  {ADA} "))).await;
    assert_eq!(problems(&item), [("respondent", ProblemCode::Taken)]);
    assert!(!item.problems[0].message.contains("Ada"), "{}", item.problems[0].message);
    owner.one(answer(wave, "Ben")).await;
    owner.one(answer(other, ADA)).await;

    let twice = owner.apply(vec![answer(wave, "Cleo"), answer(wave, "Cleo")]).await;
    assert_eq!((outcomes(&twice), twice.applied), (vec![Outcome::Created, Outcome::Invalid], false));

    // Read alike, counted alike.
    let item = owner.refused(answer(wave, &format!("\u{FEFF}{}\u{200B}", ADA.to_uppercase()))).await;
    assert_eq!(problems(&item), [("respondent", ProblemCode::Taken)]);

    // What is retired stays counted, within one batch and after: else it would be told whose it was.
    let again = owner.apply(vec![retire(Kind::PulseResponse, by_id(id(&first))), answer(wave, ADA)]).await;
    assert_eq!((outcomes(&again), again.applied), (vec![Outcome::Retired, Outcome::Invalid], false));
    owner.one(retire(Kind::PulseResponse, by_id(id(&first)))).await;
    let item = owner.refused(answer(wave, ADA)).await;
    assert_eq!(problems(&item), [("respondent", ProblemCode::Taken)]);

    // A batch that is refused anyway tells nothing, not even by asking.
    let score = |score| {
        let mut record = response(wave, ADA, None);
        if let Some(Entity::PulseResponse(response)) = &mut record.entity {
            response.score = score;
        }
        create(record)
    };
    assert_eq!(problems(&owner.refused(score(None)).await), [("score", ProblemCode::Required)]);
    let refused = owner.apply(vec![answer(wave, ADA), score(None)]).await;
    assert_eq!((outcomes(&refused), refused.applied), (vec![Outcome::Created, Outcome::Invalid], false));
}

pub(crate) async fn a_respondent_is_given_once_and_never_compared(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let wave = new_wave(&owner).await;
    let mut without = response(wave, "", None);
    assert_eq!(problems(&owner.refused(create(without.clone())).await), [("respondent", ProblemCode::Required)]);
    if let Some(Entity::PulseResponse(response)) = &mut without.entity {
        response.respondent = Some("a\u{0}b".to_owned());
    }
    assert_eq!(problems(&owner.refused(create(without)).await), [("respondent", ProblemCode::Malformed)]);

    let made = owner.one(upsert(by_key("r-1"), &["score"], response(wave, ADA, None))).await;
    assert_eq!(made.outcome(), Outcome::Created);
    // The right one and a wrong one are answered alike: nobody finds out whose answer it is.
    for respondent in [ADA, "Ben"] {
        let values = response(wave, respondent, None);
        let same = owner.one(upsert(by_key("r-1"), &["score"], values.clone())).await;
        assert_eq!(same.outcome(), Outcome::Unchanged);
        let item = owner.refused(update(by_key("r-1"), &["respondent"], values)).await;
        assert_eq!(problems(&item), [("respondent", ProblemCode::Immutable)]);
    }
}

pub(crate) async fn a_respondent_is_found_nowhere(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let wave = new_wave(&owner).await;
    let (start, _) = owner.snapshot().await;
    let request = batch(vec![create(response(wave, ADA, Some("r-1")))]);
    let first = owner.send(request.clone()).await;
    assert!(first.applied);

    // Sent again it is answered again; with another respondent it is another batch.
    let again = owner.send(request.clone()).await;
    assert_eq!((again.replayed, &again.items), (true, &first.items));
    let mut other = request.clone();
    other.commands = vec![create(response(wave, "Ben", Some("r-1")))];
    assert!(matches!(owner.service.apply(&owner.caller, other).await, Err(ApplyError::KeyReused)));

    let holds = |bytes: &[u8]| bytes.windows(8).any(|part| part == b"Lovelace");
    assert!(holds(&request.encode_to_vec()), "the search finds what is there");
    assert!(!holds(&first.encode_to_vec()));
    let mut stream = owner.service.snapshot(&owner.caller, SnapshotRequest::default()).await.expect("a snapshot");
    while let Some(part) = stream.next().await {
        assert!(!holds(&part.expect("a part").encode_to_vec()));
    }
    let mut changes = watch(&owner, start).await.expect("a stream");
    assert!(!holds(&next_changes(&mut changes).await.encode_to_vec()));

    // No table holds it, the salt or the token, but those made for them.
    let db = database.connect(Owner::Initiative).await;
    assert_eq!((count(&db, "one_way_token").await, count(&db, "one_way_salt").await), (1, 2));
    let backend = db.get_database_backend();
    let read = async |sql: &str| -> Vec<Vec<u8>> {
        let rows = db.query_all_raw(Statement::from_string(backend, sql)).await.expect("rows");
        rows.iter().map(|row| row.try_get_by_index(0).expect("bytes")).collect()
    };
    let secrets: Vec<Vec<u8>> =
        [read("SELECT salt FROM one_way_salt").await, read("SELECT token FROM one_way_token").await].concat();
    let stored = [
        read("SELECT record FROM change").await,
        read("SELECT response FROM idempotency").await,
        read("SELECT body_hash FROM idempotency").await,
    ]
    .concat();
    assert!(stored.len() >= 3);
    for bytes in &stored {
        assert!(!holds(bytes));
        assert!(secrets.iter().all(|secret| !bytes.windows(secret.len()).any(|part| part == secret)));
    }
    db.close().await.expect("closed");
}

pub(crate) async fn a_dry_run_keeps_no_salt_and_tells_nothing(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let wave = new_wave(&owner).await;
    let mut dry = batch(vec![answer(wave, ADA), answer(wave, ADA), answer(wave, "Ben")]);
    dry.dry_run = true;
    let found = outcomes(&owner.send(dry.clone()).await);
    assert_eq!(found, [Outcome::Created, Outcome::Created, Outcome::Created]);
    // Nor does a batch that is refused.
    owner.refused(create(response(Uuid::now_v7(), ADA, None))).await;
    let db = database.connect(Owner::Initiative).await;
    assert_eq!((count(&db, "one_way_token").await, count(&db, "one_way_salt").await), (0, 0));

    // Nor does it tell who was counted.
    owner.one(answer(wave, "Ben")).await;
    let found = outcomes(&owner.send(dry).await);
    assert_eq!(found, [Outcome::Created, Outcome::Created, Outcome::Created]);
    assert_eq!(count(&db, "one_way_token").await, 1);
    db.close().await.expect("closed");
}

pub(crate) async fn who_sends_an_answer_is_not_named(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let wave = new_wave(&owner).await;
    let mut cursor = owner.head().await;
    let made = owner.one(answer(wave, ADA)).await;
    let mut leads = response(wave, ADA, None);
    if let Some(Entity::PulseResponse(response)) = &mut leads.entity {
        (response.is_leader, response.respondent) = (Some(true), None);
    }
    let leads = update(by_id(id(&made)), &["is_leader"], leads);
    // Neither with an answer, nor with a change of one, nor for what else such a batch changes.
    let described =
        |header| Record { entity: Some(Entity::PulseWave(PulseWave { header: Some(header), ..PulseWave::default() })) };
    let named = described(Header { name: Some("a".to_owned()), ..Header::default() });
    let rename = update(by_id(wave), &["name"], named);
    let batches = [vec![answer(wave, "Ben"), rename], vec![leads], vec![retire(Kind::PulseResponse, by_id(id(&made)))]];
    for commands in batches {
        assert!(owner.apply(commands).await.applied);
    }
    let mut changes = watch(&owner, cursor.clone()).await.expect("a stream");
    let mut seen = 0;
    while seen < 3 {
        for revision in next_changes(&mut changes).await.revisions {
            assert_eq!(revision.actor, "anonymous");
            seen += 1;
        }
    }
    let told = owner.provenance().await;
    for ((kind, _), fields) in &told {
        for origin in fields.values().filter(|_| *kind == Kind::PulseResponse) {
            assert_eq!(origin.actor, "anonymous");
        }
    }
    assert!(told.keys().any(|(kind, _)| *kind == Kind::PulseResponse));

    // Every other batch has its actor.
    cursor = owner.head().await;
    new_wave(&owner).await;
    let mut changes = watch(&owner, cursor).await.expect("a stream");
    assert_eq!(next_changes(&mut changes).await.revisions[0].actor, "tester");
}

pub(crate) async fn one_of_many_answers_of_a_respondent_counts(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    for _ in 0..3 {
        let wave = new_wave(&owner).await;
        let answers = join_all((0..8).map(|_| owner.apply(vec![answer(wave, ADA)]))).await;
        assert_eq!(answers.iter().filter(|answer| answer.applied).count(), 1);
        for refused in answers.iter().filter(|answer| !answer.applied) {
            assert_eq!(problems(&refused.items[0]), [("respondent", ProblemCode::Taken)]);
        }
    }
}
