//! Who was erased is in no database of any owner and in no answer of any gateway, however the name came there.

use std::{path::Path, time::Duration};

use prost::Message;
use sea_orm::{ConnectionTrait, Database as Orm, DatabaseConnection, Statement};
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_gateway::graphql::global_id;
use spil_proto::{
    changefeed::v1::{Cursor, RedactRequest, SnapshotRequest, WatchRequest},
    model::Owner,
};
use spil_tests::{Client, Database, Spil, digests_agree, postgres_url, run, spil};
use tonic::Code;

/// What would tell who it is, in small letters: names, handles and texts about the person, those of before among them.
const TELLING: [&str; 12] = [
    "quirijn vlierbloesem",
    "quirijn oudenaam",
    "p-776655",
    "p-112233",
    "quirijn.vlier@example.org",
    "q.oud@example.org",
    "k-445566",
    "hr-33445",
    "hr-11223",
    "stakename",
    "stakewords",
    "stakeword before",
];
const SUBJECT: &str = "Quirijn.Vlier@example.org";

fn told(bytes: &[u8]) -> Vec<&'static str> {
    let small = bytes.to_ascii_lowercase();
    let holds = |text: &str| small.windows(text.len()).any(|window| window == text.as_bytes());
    TELLING.into_iter().filter(|text| holds(text)).collect()
}

/// Every byte of the files of all owners.
fn files(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder).expect("files") {
        let file = file.expect("a file");
        if file.file_name().to_string_lossy().contains(".db") {
            bytes.extend(std::fs::read(file.path()).expect("read"));
        }
    }
    assert!(bytes.len() > 12_288);
    bytes
}

/// Every row of every table, bytes as they are.
async fn rows(url: &str) -> Vec<u8> {
    let db: DatabaseConnection = Orm::connect(url).await.expect("a database");
    let ask = async |sql: String| {
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("rows");
        rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("a text")).collect::<Vec<_>>()
    };
    let tables = "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables \
                  WHERE table_schema IN ('capability', 'workforce', 'initiative')";
    let tables = ask(tables.to_owned()).await;
    assert!(tables.len() > 30, "{tables:?}");
    let mut bytes = Vec::new();
    for table in tables {
        for row in ask(format!("SELECT t::text FROM {table} AS t")).await {
            bytes.extend(row.as_bytes());
            // Bytes are shown in hexadecimal digits.
            for piece in row.split("\\x").skip(1) {
                let digits: Vec<u8> = piece.bytes().take_while(u8::is_ascii_hexdigit).collect();
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).ok();
                bytes.extend(digits.chunks(2).filter_map(byte));
                bytes.push(b'\n');
            }
            bytes.push(b'\n');
        }
    }
    db.close().await.expect("closed");
    bytes
}

/// What all owners tell: their records, and all changes from the first on.
async fn fed(spil: &Spil, token: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for owner in Owner::ALL {
        let mut owner = spil.owner(owner);
        let mut parts = owner.snapshot(token, SnapshotRequest::default()).await.expect("a snapshot");
        let mut head = Cursor::default();
        while let Some(part) = parts.message().await.expect("a part") {
            head = part.cursor.clone().unwrap_or(head);
            bytes.extend(part.encode_to_vec());
        }
        let first = Cursor { revision: 0, mark: 0, ..head.clone() };
        let mut changes = owner.watch(token, WatchRequest { after: Some(first) }).await.expect("a stream");
        let mut at = 0;
        while at < head.revision {
            let message = changes.message().await.expect("more").expect("a message");
            at = message.revisions.last().map_or(at, |revision| revision.revision);
            bytes.extend(message.encode_to_vec());
        }
    }
    bytes
}

async fn write(client: &Client, verb: &str, kind: &str, input: Value) -> String {
    let field = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
    let query = format!(
        "mutation($input: {verb}{kind}Input!) {{ {0}{kind}(input: $input) {{ {field} {{ id }} userErrors {{ message }} }} }}",
        verb.to_lowercase()
    );
    let name = format!("{}{kind}", verb.to_lowercase());
    let data = client.ask(&query, json!({"input": input})).await;
    assert_eq!(data[&name]["userErrors"], json!([]), "{name}");
    data[&name][&field]["id"].as_str().unwrap_or_default().to_owned()
}

/// A person of whom much is said, and what must be mended by hand afterwards: a record that mentions the first name alone.
struct Planted {
    /// A place before everything; null where nobody asks for what came after it.
    first: Value,
    person: String,
    doubtful: String,
    ids: Vec<String>,
}

async fn plant(spil: &Spil) -> Planted {
    let client = spil.client();
    let own = client.with_token(spil.token(SUBJECT, &[Permission::Read, Permission::Write, Permission::Personal]));
    let person = write(
        &client,
        "Create",
        "Worker",
        json!({"key": "K-445566", "externalIds": [{"system": "hr", "id": "hr-11223"}], "name": "Quirijn",
            "displayName": "Quirijn Oudenaam", "number": "P-112233", "email": "q.oud@example.org", "status": "ACTIVE"}),
    )
    .await;
    let now = json!({"id": person, "externalIds": [{"system": "hr", "id": "hr-33445"}], "number": "P-776655",
        "displayName": "Quirijn Vlierbloesem", "email": "quirijn.vlier@example.org"});
    write(&client, "Update", "Worker", now).await;
    let mut ids = Vec::new();
    // What stands there now, what was corrected, what was retired; in names, codes, labels and prose; whoever wrote it, and why.
    let idea = json!({"name": "Idea of Quirijn  VLIERBLOESEM", "description": "ask QUIRIJN.VLIER@example.org", "key": "P-776655",
        "tags": ["hr-33445", "other"], "reason": "told by Quirijn Oudenaam"});
    ids.push(write(&own, "Create", "Capability", idea).await);
    let idea = write(&client, "Create", "Capability", json!({"name": "Formerly of p-112233"})).await;
    write(&client, "Update", "Capability", json!({"id": idea, "name": "Formerly of somebody"})).await;
    ids.push(idea);
    let gone = json!({"name": "Gone", "description": "k-445566 has it"});
    let gone = write(&client, "Create", "Application", gone).await;
    write(&client, "Retire", "Application", json!({"id": gone})).await;
    ids.push(write(&own, "Create", "Skill", json!({"name": "Coached by quirijn oudenaam"})).await);
    let other =
        json!({"displayName": "Somebody Else", "description": "sits beside Quirijn Vlierbloesem", "number": "P-1"});
    let other = write(&client, "Create", "Worker", other).await;
    write(&client, "Update", "Worker", json!({"id": other, "description": "sits beside P-776655"})).await;
    ids.push(other);
    let plan = json!({"name": "Plan", "description": "q.oud@example.org agreed", "externalIds": [{"system": "jira", "id": "hr-11223"}],
        "translations": [{"language": "nl", "name": "Plan van Quirijn Vlierbloesem"}], "clientMutationId": "P-776655"});
    let plan = write(&own, "Create", "Initiative", plan).await;
    let stake = json!({"initiativeId": plan, "workerId": person, "name": "Stakeword before", "description": "stakewords", "key": "STAKENAME-1"});
    let stake = write(&client, "Create", "Stakeholder", stake).await;
    write(&client, "Update", "Stakeholder", json!({"id": stake, "name": "stakename"})).await;
    let gone = json!({"initiativeId": plan, "workerId": person, "description": "stakewords"});
    let gone = write(&client, "Create", "Stakeholder", gone).await;
    write(&client, "Retire", "Stakeholder", json!({"id": gone})).await;
    let doubtful = write(&client, "Create", "Initiative", json!({"name": "Lunch with quirijn"})).await;
    ids.extend([plan, stake, doubtful.clone(), person.clone()]);
    // The person read who others are.
    own.ask("query Look { workers { nodes { displayName } } }", json!({})).await;
    Planted { first: Value::Null, person, doubtful, ids }
}

/// Everything that a gateway tells.
async fn answers(client: &Client, planted: &Planted) -> Vec<u8> {
    let mut bytes = Vec::new();
    let named =
        "id key name description tags translations { name } externalIds { id } provenances { field actor source run }";
    let everything = format!(
        "{{ capabilities {{ nodes {{ {named} }} }} skills {{ nodes {{ {named} }} }} initiatives {{ nodes {{ {named} }} }}
            stakeholders {{ nodes {{ {named} }} }} workers {{ nodes {{ {named} displayName number email }} }} }}"
    );
    bytes.extend(client.answer(&everything, json!({})).await.to_string().into_bytes());
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Capability { name } ... on Worker { displayName } } }";
    bytes.extend(client.answer(nodes, json!({"ids": planted.ids})).await.to_string().into_bytes());
    let search = "query($text: String!) { search(text: $text) { edges { node { __typename } highlights { field parts { text } } } } }";
    for text in TELLING {
        let found = client.ask(search, json!({"text": text})).await;
        bytes.extend(found["search"].to_string().into_bytes());
    }
    let audit = "{ audit(first: 200) { nodes { actor source run reason origin fields { name before after } } } }";
    bytes.extend(client.answer(audit, json!({})).await.to_string().into_bytes());
    let log = "query($id: ID!) { node(id: $id) { ... on Worker { accessLog { nodes { reader operation } } } } }";
    for id in &planted.ids {
        bytes.extend(client.answer(log, json!({"id": id})).await.to_string().into_bytes());
    }
    if !planted.first.is_null() {
        bytes.extend(replayed(client, &planted.first).await);
    }
    bytes
}

/// What a subscriber is sent who asks for everything after a place, or that it is no longer known.
async fn replayed(client: &Client, after: &Value) -> Vec<u8> {
    let query = "subscription($after: String) { changes(after: $after) { id actor source record { ... on Capability { name description }
        ... on Initiative { name description } ... on Skill { name } ... on Stakeholder { name description } } } }";
    let mut response = client
        .request(reqwest::Method::POST, "/graphql/stream")
        .bearer_auth(client.token())
        .header("accept", "text/event-stream")
        .json(&json!({"query": query, "variables": {"after": after}}))
        .send()
        .await
        .expect("an answer");
    let mut bytes = Vec::new();
    while let Ok(Ok(Some(piece))) = tokio::time::timeout(Duration::from_secs(2), response.chunk()).await {
        bytes.extend(piece);
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"changes\"") || text.contains("CURSOR_EXPIRED"), "{text}");
    bytes
}

/// A gateway beside the owners of another process.
async fn gateway(data: &Path, owners: &[(Owner, String)]) -> Spil {
    let mut builder = Spil::builder(data).args(["--roles", "gateway"]);
    for (owner, address) in owners {
        builder = builder.env(&format!("SPIL_OWNERS__{}", owner.name().to_uppercase()), address.clone());
    }
    builder.start().await
}

/// Runs `spil subject`; whether it succeeded, and what it printed.
async fn subject(data: &Path, server: &str, more: &[&str]) -> (bool, String) {
    let mut all = vec!["subject", more[0], "--data", data.to_str().expect("a path"), "--server", server];
    all.extend(&more[1..]);
    let output = run(all).await;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// The logs of all owners are whole.
async fn proven(data: &Path, database: Option<&str>) {
    let mut all = vec!["audit", "verify", "--data", data.to_str().expect("a path")];
    all.extend(database.into_iter().flat_map(|url| ["--database", url]));
    let output = run(all).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The start of both tests of the whole: the first place is from before anything was written.
async fn planted(spil: &Spil) -> Planted {
    let first = spil.client().answer("{ __typename }", json!({})).await["extensions"]["consistency"].clone();
    Planted { first, ..plant(spil).await }
}

/// An erasure by GraphQL, after which two gateways, and one that starts later, tell nothing.
async fn nobody_is_found(data: &Path, database: Option<&str>) {
    let arguments: Vec<String> =
        database.into_iter().flat_map(|url| ["--database".to_owned(), url.to_owned()]).collect();
    let spil = Spil::builder(data).args(arguments.clone()).start().await;
    let owners: Vec<_> = Owner::ALL.map(|owner| (owner, spil.grpc.clone().expect("owners"))).to_vec();
    let second = gateway(data, &owners).await;
    let planted = planted(&spil).await;
    let (client, other) = (spil.client(), second.client());
    digests_agree(&other, &mut Owner::ALL.map(|owner| spil.owner(owner))).await;
    let stored = async |spil: &Spil| match database {
        Some(url) => rows(url).await,
        None => files(spil.data()),
    };
    // The search finds what is there, everywhere.
    let before = told(&stored(&spil).await);
    assert!(before.contains(&"stakename") && before.contains(&"hr-11223") && before.len() >= 9, "{before:?}");
    assert_eq!(told(&fed(&spil, client.token()).await), TELLING);
    for client in [&client, &other] {
        assert_eq!(told(&answers(client, &planted).await), TELLING);
    }

    let erase = "mutation($input: EraseWorkerInput!) { eraseWorker(input: $input) { erasedAt hasMoreMentions
        mentions { id kind field } userErrors { ... on InputError { code path } } } }";
    // Also the reason names the person, and who erases does.
    let officer = client.with_token(spil.token(SUBJECT, &[Permission::Read, Permission::Admin]));
    let input = json!({"input": {"id": planted.person, "reason": "Quirijn Vlierbloesem asked for it"}});
    let done = officer.ask(erase, input.clone()).await["eraseWorker"].clone();
    assert_eq!((&done["userErrors"], &done["hasMoreMentions"]), (&json!([]), &json!(false)), "{done}");
    assert_eq!(done["mentions"], json!([{"id": planted.doubtful, "kind": "Initiative", "field": "name"}]));
    let again = officer.ask(erase, input).await["eraseWorker"].clone();
    assert_eq!((&again["erasedAt"], &again["mentions"]), (&done["erasedAt"], &json!([])));

    assert_eq!(told(&stored(&spil).await), [""; 0]);
    assert_eq!(told(&fed(&spil, client.token()).await), [""; 0]);
    digests_agree(&other, &mut Owner::ALL.map(|owner| spil.owner(owner))).await;
    for client in [&client, &other] {
        assert_eq!(told(&answers(client, &planted).await), [""; 0]);
    }
    // What is not of the person is there as before, and it is kept who erased, why and which way.
    let kept =
        client.ask("{ capabilities { nodes { name description tags } } stakeholders { totalCount } }", json!({})).await;
    assert_eq!(
        kept["capabilities"]["nodes"],
        json!([
            {"name": "Idea of [erased]", "description": "ask [erased]", "tags": ["[erased]", "other"]},
            {"name": "Formerly of somebody", "description": null, "tags": []},
        ])
    );
    assert_eq!(kept["stakeholders"]["totalCount"], 1);
    let audit = "{ audit(filter: {source: \"erasure\"}, first: 100) { nodes { actor reason origin kind } } }";
    let audit = client.ask(audit, json!({})).await;
    let entries = audit["audit"]["nodes"].as_array().expect("entries");
    for kind in ["CAPABILITY", "INITIATIVE", "SKILL", "WORKER", "STAKEHOLDER"] {
        assert!(entries.iter().any(|entry| entry["kind"] == kind), "{kind}: {entries:?}");
    }
    for entry in entries {
        assert_eq!((&entry["actor"], &entry["reason"]), (&json!("[erased]"), &json!("[erased] asked for it")));
        assert!(entry["origin"].as_str().expect("a way").starts_with("http 127.0.0.1"), "{entry}");
    }
    proven(data, database).await;
    let third = gateway(data, &owners).await;
    assert_eq!(told(&answers(&third.client(), &planted).await), [""; 0]);
    for gateway in [second, third] {
        assert_eq!(gateway.stop().await, Some(0));
    }
    assert_eq!(spil.stop().await, Some(0));
    if database.is_none() {
        assert_eq!(told(&files(data)), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_in_no_database_and_in_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    nobody_is_found(folder.path(), None).await;
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    crate::operate::migrate(folder.path(), &database.url).await;
    nobody_is_found(folder.path(), Some(&database.url)).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_was_cut_off_is_ended_when_it_is_given_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    // Each owner by itself: the first is asked by the others who somebody is.
    let mut owners: Vec<Spil> = Vec::new();
    let mut addresses: Vec<(Owner, String)> = Vec::new();
    for owner in [Owner::Workforce, Owner::Capability, Owner::Initiative] {
        let spil = owner_alone(data, owner, addresses.first(), None).await;
        addresses.push((owner, spil.grpc.clone().expect("an owner")));
        owners.push(spil);
    }
    let front = gateway(data, &addresses).await;
    let planted = plant(&front).await;
    let (kind, id) = global_id::decode(&planted.person).expect("an id");
    let token = front.token("officer", &[Permission::Read, Permission::Admin]);

    // One owner is down: it is said who has done their part, and the person is still known.
    owners[2].kill().await;
    let input = json!({"input": {"id": planted.person, "reason": "asked for"}});
    let erase = "mutation($input: EraseWorkerInput!) { eraseWorker(input: $input) { erasedAt } }";
    let asked = json!({"query": erase, "variables": input});
    let (_, refused) = front.client().with_token(token.clone()).try_ask(&asked).await.expect("an answer");
    let error = &refused["errors"][0];
    assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{refused}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("the initiative owner") && message.contains("done theirs: capability"), "{message}");
    assert!(!told(&files(data)).is_empty());

    // Each owner ends as by a power cut, one right after it has done its part, one while it does, and the last step is never reached.
    let restart = async |owners: &mut Vec<Spil>, place: usize| {
        owners[place].kill().await;
        let (owner, address) = &addresses[place];
        let workers = addresses.first().filter(|_| place > 0);
        owners[place] = owner_alone(data, *owner, workers, Some(address)).await;
    };
    restart(&mut owners, 2).await;
    restart(&mut owners, 1).await;
    let request =
        RedactRequest { kind: kind as u32, id: id.as_bytes().to_vec(), reason: "cut".into(), origin: String::new() };
    for (place, pause) in [(2, 0), (2, 3), (0, 6), (0, 12), (1, 25), (2, 50)] {
        let mut client = owners[place].owner(addresses[place].0);
        let (token, request) = (token.clone(), request.clone());
        let call =
            tokio::spawn(async move { client.redact(&token, request).await.map(drop).map_err(|status| status.code()) });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        restart(&mut owners, place).await;
        let answer = call.await.expect("no panic");
        assert!(matches!(answer, Ok(()) | Err(Code::Unavailable | Code::Unknown | Code::Cancelled)), "{answer:?}");
    }
    // Wholly done by all but for the last step; then the command itself ends half way, and the owner of the person.
    for (place, (owner, _)) in addresses.iter().enumerate() {
        owners[place].owner(*owner).redact(&token, request.clone()).await.expect("done");
        restart(&mut owners, place).await;
    }
    let again =
        subject_of_split(data, &addresses, &["erase", "--id", &planted.person, "--reason", "asked for", "--yes"]).await;
    assert!(again.0 && again.1.contains("the person was erased at"), "{}", again.1);
    restart(&mut owners, 0).await;
    let last =
        subject_of_split(data, &addresses, &["erase", "--id", &planted.person, "--reason", "asked for", "--yes"]).await;
    assert!(last.0 && last.1.contains("erased before, at ") && last.1.contains("0 other records"), "{}", last.1);
    assert_eq!(told(&files(data)), [""; 0]);
    digests_agree(&front.client(), &mut [1, 0, 2].map(|place| owners[place].owner(addresses[place].0))).await;
    proven(data, None).await;
    assert_eq!(front.stop().await, Some(0));
    for owner in owners {
        assert_eq!(owner.stop().await, Some(0));
    }
    assert_eq!(told(&files(data)), [""; 0]);
}

async fn owner_alone(data: &Path, owner: Owner, workers: Option<&(Owner, String)>, at: Option<&String>) -> Spil {
    let mut builder = Spil::builder(data).args(["--roles", owner.name()]).at(None, at.map(String::as_str));
    if let Some((_, address)) = workers {
        builder = builder.env("SPIL_OWNERS__WORKFORCE", address.clone());
    }
    builder.start().await
}

/// Runs `spil subject` against owners of which each is somewhere else.
async fn subject_of_split(data: &Path, addresses: &[(Owner, String)], more: &[&str]) -> (bool, String) {
    let mut command = tokio::process::Command::new(spil());
    command.args(["subject", more[0], "--data", data.to_str().expect("a path")]).args(&more[1..]);
    for (owner, address) in addresses {
        command.env(format!("SPIL_OWNERS__{}", owner.name().to_uppercase()), address);
    }
    let output = command.output().await.expect("it runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_long_ago_is_erased_from_all_owners_whoever_can_not_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let spil = Spil::builder(data).env("SPIL_RETENTION", "false").start().await;
    let client = spil.client();
    let stuck = write(&client, "Create", "Worker", json!({"displayName": "Stuck Fast", "number": "P-424242"})).await;
    let planted = plant(&spil).await;
    let grpc = spil.grpc.clone().expect("owners");
    assert_eq!(subject(data, &grpc, &["due"]).await, (true, "0 people are to be erased\n".to_owned()));
    for id in [&planted.person, &stuck] {
        write(&client, "Retire", "Worker", json!({"id": id})).await;
    }
    assert_eq!(spil.stop().await, Some(0));
    // Years pass, and the database lets one of them not go: the one who is told first.
    let db = Orm::connect(format!("sqlite://{}", data.join("workforce.db").display())).await.expect("a database");
    let (_, id) = global_id::decode(&stuck).expect("an id");
    let hold = format!(
        "CREATE TRIGGER held BEFORE UPDATE ON person_key WHEN lower(hex(OLD.person_id)) = '{}' BEGIN SELECT RAISE(ABORT, 'held'); END",
        id.simple()
    );
    for sql in
        ["UPDATE worker SET retired_at = '2020-01-01T00:00:00.000000Z' WHERE retired_at IS NOT NULL", hold.as_str()]
    {
        db.execute_unprepared(sql).await.expect("done");
    }
    db.close().await.expect("closed");
    let spil = Spil::builder(data).env("SPIL_RETENTION", "false").start().await;
    let grpc = spil.grpc.clone().expect("owners");
    let (_, due) = subject(data, &grpc, &["due"]).await;
    assert!(
        due.starts_with(&format!("2 people are to be erased\n  Worker {stuck}\n  Worker {}", planted.person)),
        "{due}"
    );
    assert_eq!(told(due.as_bytes()), [""; 0]);
    assert_eq!(spil.stop().await, Some(0));

    let spil = Spil::builder(data).start().await;
    let second = gateway(data, &Owner::ALL.map(|owner| (owner, spil.grpc.clone().expect("owners")))).await;
    for tried in 0.. {
        if spil.log().contains("erased people who left long ago") && told(&files(data)).is_empty() {
            break;
        }
        assert!(tried < 300, "{}", spil.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let grpc = spil.grpc.clone().expect("owners");
    let (_, due) = subject(data, &grpc, &["due"]).await;
    assert!(due == format!("1 people are to be erased\n  Worker {stuck}\n"), "{due}");
    assert_eq!(
        told(&answers(&second.client(), &Planted { ids: Vec::new(), first: Value::Null, ..planted }).await),
        [""; 0]
    );
    assert_eq!(told(spil.log().as_bytes()), [""; 0]);
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(spil.stop().await, Some(0));
}
