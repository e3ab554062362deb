//! Everything that is kept of a person, for the person and for those who may export.

use serde_json::{Value, json};
use spil_auth::Permission::{Admin, Audit, Follow, Personal, Read, Write};
use spil_tests::{Client, Spil, run};

const EXPORT: &str = "query Export($id: ID!) { subjectExport(workerId: $id) { workerId at document } }";
const LOG: &str =
    "query($id: ID!) { node(id: $id) { ... on Worker { accessLog { nodes { reader purpose fields operation } } } } }";

/// Writes a record and gives its id.
async fn write(client: &Client, kind: &str, input: Value) -> String {
    let field = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
    let query = format!(
        "mutation($input: Create{kind}Input!) {{ create{kind}(input: $input) {{ {field} {{ id }} userErrors {{ message }} }} }}"
    );
    let data = client.ask(&query, json!({"input": input})).await;
    assert_eq!(data[format!("create{kind}")]["userErrors"], json!([]), "{kind}");
    data[format!("create{kind}")][&field]["id"].as_str().expect("an id").to_owned()
}

async fn export(client: &Client, id: &str) -> Value {
    let data = client.ask(EXPORT, json!({"id": id})).await["subjectExport"].take();
    let Some(document) = data["document"].as_str() else { return data };
    assert_eq!((&data["workerId"], data["at"].as_str().is_some()), (&json!(id), true));
    serde_json::from_str(document).expect("a text of JSON")
}

/// What an owner tells in an export.
fn of<'a>(document: &'a Value, owner: &str) -> &'a Value {
    let owners = document["owners"].as_array().expect("owners");
    owners.iter().find(|found| found["owner"] == owner).expect("an owner")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_everything_that_is_kept_and_nobody_else_without_a_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let ada = write(&client, "Worker", json!({"key": "E1", "displayName": "Ada Jansen", "number": "N1"})).await;
    let ben = write(&client, "Worker", json!({"key": "E2", "displayName": "Ben de Vries", "number": "N2"})).await;
    let skill = write(&client, "Skill", json!({"name": "Sailing"})).await;
    let claim =
        json!({"workerId": ada, "skillId": skill, "level": 3, "method": "MANAGER", "contestation": "It is four"});
    let claim = write(&client, "SkillAssertion", claim).await;
    write(&client, "SkillAssertion", json!({"workerId": ben, "skillId": skill, "level": 1, "method": "MANAGER"})).await;
    let plan = write(&client, "Initiative", json!({"name": "A secret plan", "sponsorId": ada})).await;
    let update =
        "mutation($input: UpdateWorkerInput!) { updateWorker(input: $input) { stale userErrors { message } } }";
    client.ask(update, json!({"input": {"id": ada, "displayName": "Ada de Boer"}})).await;

    // The person, without a purpose and without an entry in the log.
    let own = spil.client().without_purpose().with_token(spil.token_of_worker("ada", &[], "E1"));
    let told = export(&own, &ada).await;
    assert_eq!((&told["person"], &told["accessLog"]), (&json!(ada), &json!([])));
    let workforce = of(&told, "workforce");
    let records = workforce["records"].as_array().expect("records");
    let names: Vec<_> = records.iter().map(|record| (&record["kind"], &record["id"])).collect();
    assert_eq!(names, [(&json!("Worker"), &json!(ada)), (&json!("SkillAssertion"), &json!(claim))]);
    assert_eq!(
        (&records[0]["displayName"], &records[1]["contestation"]),
        (&json!("Ada de Boer"), &json!("It is four"))
    );
    let provenance = records[0]["provenance"].as_array().expect("provenance");
    assert!(provenance.iter().any(|origin| origin["fields"] == json!(["displayName"]) && origin["actor"] == "tester"));
    let history = workforce["history"].as_array().expect("a history");
    let before: Vec<_> = history.iter().filter_map(|change| change["record"]["displayName"].as_str()).collect();
    assert_eq!(before, ["Ada Jansen", "Ada de Boer"]);
    assert_eq!(history.len(), 3);
    // What is about something else is named, and not told.
    let initiative = of(&told, "initiative");
    assert_eq!(initiative["references"], json!([{"kind": "Initiative", "id": plan, "fields": ["sponsorId"]}]));
    let text = told.to_string();
    assert!(!text.contains("A secret plan") && !text.contains("Ben de Vries") && !text.contains(&ben));

    // Not of anybody else, not of somebody who is not there, and not without the right.
    assert_eq!(export(&own, &ben).await, Value::Null);
    assert_eq!(export(&client, &skill).await, Value::Null);
    let reader = client.with_token(spil.token("reader", &[Read, Write, Personal, Audit, Follow]));
    let (status, refused) =
        reader.try_ask(&json!({"query": EXPORT, "variables": {"id": ada}})).await.expect("an answer");
    assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")));

    // Somebody who may: the person sees that it was done, in the next export too.
    let officer = spil.client().without_purpose().with_token(spil.token("officer", &[Read, Admin]));
    let (status, answer) = officer
        .try_ask(&json!({"query": EXPORT, "variables": {"id": ada}, "operationName": "Export"}))
        .await
        .expect("an answer");
    assert_eq!((status, answer["data"]["subjectExport"]["document"].is_string()), (200, true), "{answer}");
    let log = own.ask(LOG, json!({"id": ada})).await["node"]["accessLog"]["nodes"].take();
    assert_eq!(
        (&log[0]["reader"], &log[0]["purpose"], &log[0]["operation"]),
        (&json!("officer"), &Value::Null, &json!("Export"))
    );
    let fields = log[0]["fields"].as_array().expect("fields");
    for field in ["Worker.key", "Worker.number", "Worker.displayName", "SkillAssertion.contestation"] {
        assert!(fields.contains(&json!(field)), "{field} is in {log}");
    }
    assert_eq!(log.as_array().map(Vec::len), Some(1));
    let again = export(&own, &ada).await;
    assert_eq!(
        (&again["accessLog"][0]["reader"], again["accessLog"][0]["fields"].as_array()),
        (&json!("officer"), Some(fields))
    );

    // From a shell it is the same; whoever may not read the feeds and the log does not get it there.
    let data = folder.path().display().to_string();
    let (server, file) = (spil.grpc.clone().expect("owners"), folder.path().join("ada.json"));
    let out = file.display().to_string();
    let arguments = ["subject", "export", "--data", &data, "--server", &server, "--id", &ada, "--out", &out];
    let weak = spil.token("weak", &[Read, Admin]);
    let refused = run(arguments.iter().copied().chain(["--token", &weak])).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("follow") && !file.exists(), "{said}");
    let enough = spil.token("shell", &[Follow, Audit]);
    let done = run(arguments.iter().copied().chain(["--token", &enough])).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let written: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(written, again);
    let log = own.ask(LOG, json!({"id": ada})).await["node"]["accessLog"]["nodes"].take();
    let newest = (&log[0]["reader"], &log[0]["operation"], &log[0]["fields"]);
    assert_eq!(newest, (&json!("shell"), &json!("spil subject export"), &log[1]["fields"]));
    assert_eq!(spil.stop().await, Some(0));
}
