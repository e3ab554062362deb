//! Who was erased is in no file and in no answer, of the gateway that was there or of one that comes later.

use std::{fs, io::ErrorKind, path::Path};

use prost::Message;
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_proto::{
    changefeed::v1::{Cursor, EraseRequest, SnapshotRequest, WatchRequest},
    model::{Kind, Owner},
};
use spil_tests::{Client, Database, Spil, digests_agree, postgres_url, run};
use tonic::Code;

/// What would tell who it is.
const TELLING: [&str; 7] =
    ["Zwaluwenburg", "P-998877", "zwaluw@example.org", "KEY-Zwaluw", "hr-554433", "Zwaluwnl", "I can do more"];

/// Asks for all there is.
const EVERYTHING: &str = "{ workers { totalCount nodes { id key name displayName number email description tags status translations { name } \
    externalIds { id } skillAssertions { nodes { level contestation evidenceLinks } } } } initiatives { nodes { name description } } }";

fn told(text: &[u8]) -> Vec<&'static str> {
    let holds = |part: &str| text.windows(part.len()).any(|window| window == part.as_bytes());
    TELLING.into_iter().filter(|part| holds(part)).collect()
}

/// What of some texts stands in the files of a PostgreSQL server, its log of writes among them.
async fn told_by_postgres(database: &Database, texts: &[&'static str]) -> Option<Vec<&'static str>> {
    let mut folders = vec![database.files().await?];
    let mut found = Vec::new();
    let gone = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    while let Some(folder) = folders.pop() {
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if gone(&error) => continue,
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        for file in files {
            let path = file.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            match fs::read(&path) {
                // Quicker than a search in bytes, and the texts stay what they are.
                Ok(bytes) => {
                    let bytes = String::from_utf8_lossy(&bytes);
                    found.extend(texts.iter().copied().filter(|text| bytes.contains(*text)));
                }
                // A server that runs renames and removes files.
                Err(error) if gone(&error) => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// Every byte of the files of the workforce owner.
fn files(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder).expect("files") {
        let file = file.expect("a file");
        if file.file_name().to_string_lossy().starts_with("workforce.db") {
            bytes.extend(std::fs::read(file.path()).expect("read"));
        }
    }
    assert!(bytes.len() > 4096);
    bytes
}

/// Everything that the workforce owner tells: its records, and all changes.
async fn fed(spil: &Spil, client: &Client) -> Vec<u8> {
    let mut owner = spil.owner(Owner::Workforce);
    let mut bytes = Vec::new();
    let mut parts = owner.snapshot(client.token(), SnapshotRequest::default()).await.expect("a snapshot");
    let mut head = Cursor::default();
    while let Some(part) = parts.message().await.expect("a part") {
        head = part.cursor.clone().unwrap_or(head);
        bytes.extend(part.encode_to_vec());
    }
    let first = Cursor { revision: 0, mark: 0, ..head.clone() };
    let mut changes = owner.watch(client.token(), WatchRequest { after: Some(first) }).await.expect("a stream");
    let mut at = 0;
    while at < head.revision {
        let message = changes.message().await.expect("more").expect("a message");
        at = message.revisions.last().map_or(at, |revision| revision.revision);
        bytes.extend(message.encode_to_vec());
    }
    bytes
}

async fn write(client: &Client, mutation: &str, kind: &str, input: Value) -> String {
    let query = format!(
        "mutation($input: {}{}Input!) {{ {mutation}(input: $input) {{ {kind} {{ id }} userErrors {{ message }} }} }}",
        mutation[..1].to_uppercase(),
        &mutation[1..]
    );
    let data = client.ask(&query, json!({"input": input})).await;
    assert_eq!(data[mutation]["userErrors"], json!([]), "{mutation}");
    data[mutation][kind]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_in_no_file_and_in_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let worker = json!({"key": "KEY-Zwaluw", "externalIds": [{"system": "hr", "id": "hr-554433"}], "name": "W. Zwaluwenburg",
        "displayName": "Wil Zwaluwenburg", "number": "P-998877", "email": "zwaluw@example.org",
        "translations": [{"language": "nl", "name": "Zwaluwnl"}], "status": "ACTIVE", "clientMutationId": "first"});
    let id = write(&client, "createWorker", "worker", worker.clone()).await;
    let skill = write(&client, "createSkill", "skill", json!({"name": "Sailing"})).await;
    let claim =
        json!({"workerId": id, "skillId": skill, "level": 3, "method": "MANAGER", "contestation": "I can do more"});
    write(&client, "createSkillAssertion", "skillAssertion", claim).await;
    write(&client, "updateWorker", "worker", json!({"id": id, "displayName": "Wil van Zwaluwenburg"})).await;
    let initiative = write(
        &client,
        "createInitiative",
        "initiative",
        json!({"name": "X", "description": "Ask wil van zwaluwenburg"}),
    )
    .await;
    assert_eq!(told(&fed(&spil, &client).await), TELLING, "the search finds what is there");
    assert_eq!(told(&files(folder.path())), [""; 0], "nothing is stored as it is");

    let erase =
        "mutation($input: EraseWorkerInput!) { eraseWorker(input: $input) { clientMutationId erasedAt hasMoreMentions
        mentions { id kind field } userErrors { __typename ... on InputError { code path } } } }";
    let input = json!({"input": {"id": id, "reason": "asked for", "clientMutationId": "bye"}});
    let writer = client.with_token(spil.token("writer", &[Permission::Read, Permission::Write]));
    let asked = json!({"query": erase, "variables": input});
    let (status, refused) = writer.try_ask(&asked).await.expect("an answer");
    assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")));
    let missing = client.ask(erase, json!({"input": {"id": skill, "reason": "asked for"}})).await;
    assert_eq!(missing["eraseWorker"]["erasedAt"], Value::Null);
    assert_eq!(missing["eraseWorker"]["userErrors"][0]["path"], json!(["input", "id"]));
    let unsaid = client.ask(erase, json!({"input": {"id": id, "reason": ""}})).await;
    assert_eq!(unsaid["eraseWorker"]["userErrors"][0]["code"], "REQUIRED");
    let done = client.ask(erase, input.clone()).await["eraseWorker"].clone();
    assert_eq!((&done["clientMutationId"], &done["userErrors"]), (&json!("bye"), &json!([])));
    assert_eq!((&done["mentions"], &done["hasMoreMentions"]), (&json!([]), &json!(false)));
    let again = client.ask(erase, input).await["eraseWorker"].clone();
    assert_eq!((&again["erasedAt"], &again["mentions"]), (&done["erasedAt"], &json!([])));
    let left = client.ask("query($id: ID!) { initiative(id: $id) { description } }", json!({"id": initiative})).await;
    assert_eq!(left["initiative"]["description"], "Ask [erased]");

    // The mutation that made the worker is not done again, and another one does not bring it back.
    let create = "mutation($input: CreateWorkerInput!) { createWorker(input: $input) { worker { id displayName } userErrors { ... on InputError { code } } } }";
    let replayed = client.answer(create, json!({"input": worker})).await;
    assert_eq!(told(replayed.to_string().as_bytes()), [""; 0]);
    let mut new = worker;
    new["clientMutationId"] = json!("second");
    let refused = client.ask(create, json!({"input": new})).await;
    assert_eq!(refused["createWorker"]["userErrors"], json!([{"code": "ERASED"}]));

    let answers = async |spil: &Spil, client: &Client| {
        let all = client.answer(EVERYTHING, json!({})).await;
        assert_eq!(all["data"]["workers"]["totalCount"], 1, "{all}");
        let found = client.ask("{ search(text: \"Zwaluwenburg\") { totalCount } }", json!({})).await;
        assert_eq!(found["search"]["totalCount"], 0);
        assert_eq!(told(all.to_string().as_bytes()), [""; 0]);
        assert_eq!(told(&fed(spil, client).await), [""; 0]);
        assert_eq!(told(&files(folder.path())), [""; 0]);
    };
    answers(&spil, &client).await;
    let mut owners = Owner::ALL.map(|owner| spil.owner(owner));
    digests_agree(&client, &mut owners).await;
    assert_eq!(told(spil.log().as_bytes()), [""; 0]);
    assert_eq!(spil.stop().await, Some(0));

    let spil = Spil::builder(folder.path()).start().await;
    answers(&spil, &spil.client()).await;
    assert_eq!(spil.stop().await, Some(0));
    let verified = run(["audit", "verify", "--data", &folder.path().display().to_string()]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_in_no_file_of_postgresql() {
    /// The name of a skill, which is no secret: the search would find what is there.
    const PLAIN: &str = "Kielwaterkunde";
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    crate::operate::migrate(folder.path(), &database.url).await;
    let spil = Spil::builder(folder.path()).args(["--database", &database.url]).start().await;
    let client = spil.client();
    let worker = json!({"key": "KEY-Grutto", "externalIds": [{"system": "hr", "id": "hr-665544"}], "name": "G. Gruttovelden",
        "displayName": "Guus Gruttovelden", "number": "P-887766", "email": "grutto@example.org",
        "translations": [{"language": "nl", "name": "Gruttonl"}], "status": "ACTIVE"});
    let texts =
        ["Gruttovelden", "P-887766", "grutto@example.org", "KEY-Grutto", "hr-665544", "Gruttonl", "I know more", PLAIN];
    let id = write(&client, "createWorker", "worker", worker).await;
    let skill = write(&client, "createSkill", "skill", json!({"name": PLAIN})).await;
    let claim =
        json!({"workerId": id, "skillId": skill, "level": 3, "method": "MANAGER", "contestation": "I know more"});
    write(&client, "createSkillAssertion", "skillAssertion", claim).await;
    write(&client, "updateWorker", "worker", json!({"id": id, "displayName": "Guusje Gruttovelden"})).await;
    let before = told_by_postgres(&database, &texts).await;

    // An owner judges by itself who may erase, and says so to whoever comes round the gateway.
    let (_, person) = spil_gateway::graphql::global_id::decode(&id).expect("an id");
    let request = EraseRequest {
        kind: Kind::Worker as u32,
        id: person.as_bytes().to_vec(),
        reason: "asked for".to_owned(),
        origin: String::new(),
    };
    let mut owner = spil.owner(Owner::Workforce);
    let writer = spil.token("writer", &[Permission::Read, Permission::Write, Permission::Follow]);
    let refused = owner.erase(&writer, request.clone()).await.expect_err("not allowed");
    assert_eq!(refused.code(), Code::PermissionDenied);
    owner.erase(&spil.token("officer", &[Permission::Admin]), request).await.expect("erased");
    let after = told_by_postgres(&database, &texts).await;
    assert_eq!(spil.stop().await, Some(0));
    database.drop().await;
    for found in [before, after].into_iter().flatten() {
        assert_eq!(found, [PLAIN], "this stands in a file as it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_personal_key_an_owner_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    write(&spil.client(), "createWorker", "worker", json!({"name": "Somebody"})).await;
    assert_eq!(spil.stop().await, Some(0));
    let key = folder.path().join("personal.key");
    let kept = folder.path().join("kept.key");
    std::fs::rename(&key, &kept).expect("moved");
    let data = folder.path().display().to_string();
    let start = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
    let output = run(start).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("put it back") && said.contains("personal.key"), "{said}");
    assert!(!key.exists(), "a new key opens nothing");

    // Another one is refused too.
    let other = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(other.path()).start().await;
    assert_eq!(spil.stop().await, Some(0));
    std::fs::copy(other.path().join("personal.key"), &key).expect("copied");
    let output = run(start).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("not the one with which the database was sealed"));
    std::fs::remove_file(&key).expect("removed");
    std::fs::rename(&kept, &key).expect("moved");
    let spil = Spil::builder(folder.path()).start().await;
    let all = spil.client().ask("{ workers { totalCount } }", json!({})).await;
    assert_eq!(all["workers"]["totalCount"], 1);
    assert_eq!(spil.stop().await, Some(0));
}
