//! The policy of a running process: what it lets whom do, what happens when its file changes, and what the commands say of it.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use spil_auth::{InternalKey, Permission, Signer};
use spil_proto::{changefeed::v1::SnapshotRequest, model::Owner};
use spil_tests::{Client, Spil, run};
use tonic::Code;

use crate::mutation::create;

/// Where the committed examples are.
fn example(name: &str) -> String {
    format!("{}/../services/lib/access/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A token with claims of its own and no scope.
fn token(data: &Path, subject: &str, claims: &Value) -> String {
    let key = InternalKey::read_or_create(&data.join("development-key.pem")).expect("a key");
    let claims = claims.as_object().cloned().expect("an object");
    let signer = Signer::new(&key).expect("a signer");
    signer.sign_with(subject, &[], claims, Duration::from_secs(3600)).expect("a token")
}

const READERS: &str = r#"
version = 1
[roles.reader]
members = [{ claim = "groups", value = "readers" }]
allow = [{ kinds = ["Capability"], actions = ["read"], scope = "all" }]
"#;

/// Asks until an answer has a status, for up to twenty seconds.
async fn becomes(client: &Client, expected: u16) -> Value {
    let body = json!({"query": "{ capabilities { totalCount } roles { totalCount } }"});
    for _ in 0..200 {
        let (status, answer) = client.try_ask(&body).await.expect("an answer");
        if status == expected {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the status is never {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_read_again_when_it_changes_and_stays_while_its_file_is_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    let write = |text: &str| fs::write(&path, text).expect("written");
    write(&READERS.replace("readers", "nobody"));
    let spil = Spil::builder(folder.path()).env("SPIL_POLICY", path.display().to_string()).start().await;
    let reader = spil.client().with_token(token(folder.path(), "rea", &json!({"groups": ["readers"]})));
    let refused = becomes(&reader, 403).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(refused["errors"][0]["message"], "the token does not allow to `read`");
    // The scopes of the built-in policy mean nothing here.
    becomes(&spil.client(), 403).await;

    write(READERS);
    let answer = becomes(&reader, 200).await;
    // A kind of which nothing may be read is as if it were empty.
    assert_eq!(answer["data"], json!({"capabilities": {"totalCount": 0}, "roles": {"totalCount": 0}}));
    let mutation = json!({"query": "mutation { createCapability(input: {name: \"x\"}) { stale } }"});
    let (status, refused) = reader.try_ask(&mutation).await.expect("an answer");
    assert_eq!(
        (status, &refused["errors"][0]["message"]),
        (403, &json!("the token does not allow to `create` records of the kind `Capability`"))
    );

    write("version = 1\n[roles.reader]\nallow = [{ kinds = [\"Wrker\"], actions = [\"read\"], scope = \"all\" }]\n");
    for _ in 0..200 {
        if spil.log().contains("policy.toml:3: `Wrker` is no kind of record") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = spil.log();
    assert!(log.contains("policy.toml:3: `Wrker` is no kind of record") && log.contains("stays in force"), "{log}");
    assert_eq!(becomes(&reader, 200).await["data"]["capabilities"]["totalCount"], 0);

    // The gateway follows the owners whatever the policy says, and nobody else reads their feeds.
    let refused = spil.owner(Owner::Capability).snapshot(reader.token(), SnapshotRequest::default()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    write(&READERS.replace("readers", "nobody"));
    becomes(&reader, 403).await;
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_none_keeps_a_process_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    fs::write(&path, "version = 1\n[roles.a]\nallow = [{ actions = [\"see\"] }]\n").expect("written");
    let config = folder.path().join("spil.toml");
    fs::write(&config, format!("policy = {:?}\ndata = {:?}\n", path.display().to_string(), folder.path()))
        .expect("written");
    let refused = run([
        "serve",
        "--config",
        &config.display().to_string(),
        "--listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
    ])
    .await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("`policy` can not be used") && said.contains("policy.toml:3: `see` is no action"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_changes_own_initiatives_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    let policy = format!(
        "{}{}",
        spil_access::DEFAULT_POLICY,
        r#"
[roles.lead]
members = [{ claim = "groups", value = "leads" }]
allow = [
  { kinds = ["Initiative"], actions = ["read", "update"], scope = "own_initiatives" },
]
"#
    );
    fs::write(&path, policy).expect("written");
    let spil = Spil::builder(folder.path()).env("SPIL_POLICY", path.display().to_string()).start().await;
    let client = spil.client();
    let id = |data: &Value, field: &str, kind: &str| data[field][kind]["id"].as_str().expect("an id").to_owned();
    let worker = "mutation { createWorker(input: {key: \"ada\"}) { worker { id } } }";
    let ada = id(&client.ask(worker, json!({})).await, "createWorker", "worker");
    let make = "mutation($i: CreateInitiativeInput!) { createInitiative(input: $i) { initiative { id } userErrors { message } } }";
    let own = client.ask(make, json!({"i": {"name": "Own", "sponsorId": ada}})).await;
    let other = client.ask(make, json!({"i": {"name": "Other"}})).await;
    let (own, other) = (id(&own, "createInitiative", "initiative"), id(&other, "createInitiative", "initiative"));
    let gone = client.ask(make, json!({"i": {"name": "Gone"}})).await;
    let gone = id(&gone, "createInitiative", "initiative");
    client.ask("mutation($id: ID!) { retireInitiative(input: {id: $id}) { stale } }", json!({"id": gone})).await;

    let lead = client.with_token(token(folder.path(), "ada", &json!({"worker": "ada", "groups": ["leads"]})));
    let seen = lead.ask("{ initiatives { nodes { name } } capabilities { totalCount } }", json!({})).await;
    assert_eq!(seen, json!({"initiatives": {"nodes": [{"name": "Own"}]}, "capabilities": {"totalCount": 0}}));
    let rename = "mutation($id: ID!) { updateInitiative(input: {id: $id, name: \"New\"}) { initiative { name } userErrors { code path message } } }";
    let done = lead.ask(rename, json!({"id": own})).await;
    assert_eq!(done["updateInitiative"], json!({"initiative": {"name": "New"}, "userErrors": []}));
    let hidden = lead.ask(rename, json!({"id": other})).await;
    assert_eq!(hidden["updateInitiative"]["userErrors"][0]["code"], "NOT_FOUND");
    let never = lead.ask(rename, json!({"id": "SW5pdGlhdGl2ZTowMTkw"})).await;
    assert_eq!(hidden, never, "a record that is hidden and one that never was are answered alike");
    let both = "mutation($own: ID!, $other: ID!) { applyChanges(input: {changes: [{updateInitiative: {id: $own, name: \"A\"}}, {updateInitiative: {id: $other, name: \"B\"}}]}) { applied results { userErrors { code } } } }";
    let both = lead.ask(both, json!({"own": own, "other": other})).await;
    assert_eq!(both["applyChanges"]["applied"], false);
    assert_eq!(both["applyChanges"]["results"][1]["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(
        client.ask("{ initiatives(orderBy: [{field: NAME}]) { nodes { name } } }", json!({})).await["initiatives"]["nodes"],
        json!([{"name": "New"}, {"name": "Other"}])
    );
    create(&client, json!({"name": "still everything for who may everything"})).await;
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_check_and_test_policies() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let sound = run(["policy", "check", &example("policy.toml")]).await;
    assert_eq!(sound.status.code(), Some(0), "{}", text(&sound.stderr));
    assert!(text(&sound.stdout).contains("works-council: "));
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "version = 1\n[roles.a]\nallow = [\n  { kinds = [\"Role\"], actions = [\"read\"] },\n]\n")
        .expect("written");
    let broken = broken.display().to_string();
    let said = run(["policy", "check", &broken]).await;
    assert_eq!(said.status.code(), Some(2));
    assert!(text(&said.stdout).starts_with(&format!("{broken}:4: `scope` is missing")), "{}", text(&said.stdout));
    let said = run(["policy", "check", "--json", &broken]).await;
    let json: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!((said.status.code(), &json["sound"], &json["faults"][0]["line"]), (Some(2), &json!(false), &json!(4)));

    let tested = run(["policy", "test", "--policy", &example("policy.toml"), &example("policy-cases.toml")]).await;
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested.stdout));
    let tested = run(["policy", "test", &example("default-policy-cases.toml")]).await;
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested.stdout));
    // Cases of one policy are not those of another.
    let tested = run(["policy", "test", "--json", &example("policy-cases.toml")]).await;
    let json: Value = serde_json::from_slice(&tested.stdout).expect("JSON");
    assert_eq!((tested.status.code(), &json["passed"]), (Some(2), &json!(false)));
    let missing = run(["policy", "test", "/nowhere.toml"]).await;
    assert_eq!(missing.status.code(), Some(1));
    let printed = run(["policy", "default"]).await;
    assert_eq!(text(&printed.stdout), spil_access::DEFAULT_POLICY);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_the_raw_feeds_but_who_may_follow() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let all = [Permission::Read, Permission::Write, Permission::Admin, Permission::Personal, Permission::Audit];
    for owner in Owner::ALL {
        let mut client = spil.owner(owner);
        let refused = client.snapshot(&spil.token("x", &all), SnapshotRequest::default()).await;
        assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
        assert_eq!(client.digest(&spil.token("x", &all)).await.expect_err("refused").code(), Code::PermissionDenied);
        client.digest(&spil.token("x", &[Permission::Follow])).await.expect("a digest");
    }
    assert_eq!(spil.stop().await, Some(0));
}
