//! Who reads what tells who people are, and who changed what: kept before it is told, and told to whom it concerns.

use serde_json::{Value, json};
use spil_auth::Permission::{Audit, Personal, Read};
use spil_tests::{Client, Spil};

use crate::ws::Socket;

const TEAM: &str = "query Team { workers(orderBy: {field: KEY}) { nodes { displayName email } } }";
const LOG: &str = "{ viewer { subject issuer purpose roles worker { key accessLog { nodes { at reader purpose fields operation entry } pageInfo { hasNextPage } } } } }";

/// A system with two workers.
async fn system(spil: &Spil) {
    let create =
        "mutation($input: CreateWorkerInput!) { createWorker(input: $input) { stale userErrors { code message } } }";
    for (key, name) in [("E1", "Ada Jansen"), ("E2", "Ben de Vries")] {
        let mail = format!("{key}@example.org");
        let input = json!({"key": key, "number": key, "displayName": name, "email": mail, "reason": "Hired."});
        let data = spil.client().ask(create, json!({"input": input})).await;
        assert_eq!(data["createWorker"]["userErrors"], json!([]));
    }
}

fn ada(spil: &Spil) -> Client {
    spil.client().without_purpose().with_token(spil.token_of_worker("ada", &[Read], "E1"))
}

/// What the access log of Ada says, the newest first, without the times.
async fn log_of_ada(spil: &Spil) -> Vec<Value> {
    let data = ada(spil).ask(LOG, json!({})).await;
    let viewer = &data["viewer"];
    assert_eq!((&viewer["subject"], &viewer["purpose"]), (&json!("ada"), &Value::Null));
    assert_eq!(viewer["worker"]["key"], "E1");
    let log = &viewer["worker"]["accessLog"];
    assert_eq!(log["pageInfo"]["hasNextPage"], false);
    let mut nodes = log["nodes"].as_array().expect("a list").clone();
    for node in &mut nodes {
        let at = node.as_object_mut().and_then(|node| node.remove("at")).expect("a time");
        assert!(at.as_str().is_some_and(|at| at.ends_with('Z')), "{at}");
    }
    nodes
}

/// The id of Ada.
async fn own_id(spil: &Spil) -> Value {
    ada(spil).ask("{ viewer { worker { id } } }", json!({})).await["viewer"]["worker"]["id"].take()
}

fn entry(reader: &str, fields: &[&str], operation: Option<&str>, way: &str) -> Value {
    json!({
        "reader": reader, "purpose": "PERSONNEL_ADMINISTRATION", "fields": fields, "operation": operation, "entry": way,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sees_who_read_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    system(&spil).await;
    // The answers to the mutations told nothing of anybody.
    assert_eq!(log_of_ada(&spil).await, Vec::<Value>::new());

    let hr = spil.client().with_token(spil.token("hr", &[Read, Personal]));
    let named = json!({"query": TEAM});
    for _ in 0..3 {
        let (status, answer) = hr.try_ask(&named).await.expect("an answer");
        assert_eq!((status, &answer["data"]["workers"]["nodes"][0]["displayName"]), (200, &json!("Ada Jansen")));
    }
    let team = entry("hr", &["Worker.key", "Worker.displayName", "Worker.email"], Some("Team"), "http");
    assert_eq!(log_of_ada(&spil).await, std::slice::from_ref(&team), "three reads within a minute are one entry");

    // Without a purpose nothing is told and nothing is kept; one's own name is no news.
    let data = hr.without_purpose().ask(TEAM, json!({})).await;
    assert_eq!(data["workers"]["nodes"][0], json!({"displayName": null, "email": null}));
    let own = ada(&spil).ask("{ worker(key: \"E1\") { displayName } }", json!({})).await;
    assert_eq!(own["worker"]["displayName"], "Ada Jansen");
    assert_eq!(log_of_ada(&spil).await, std::slice::from_ref(&team));

    // What is found by a name, or counted by it, is told of whoever has it, and of nobody else.
    let count = "{ workers(filter: {displayName: {contains: \"jansen\"}}) { totalCount } }";
    assert_eq!(hr.ask(count, json!({})).await["workers"]["totalCount"], 1);
    let none = "{ workers(filter: {displayName: {contains: \"vries\"}}) { totalCount } }";
    assert_eq!(hr.ask(none, json!({})).await["workers"]["totalCount"], 1);
    let counted = entry("hr", &["Worker.displayName"], None, "http");
    assert_eq!(log_of_ada(&spil).await, [counted, team.clone()]);
    hr.ask("{ worker(key: \"E1\") { status } }", json!({})).await;
    // What is told beside a name is kept with it, in the same entry as what was told a moment ago.
    let found = entry("hr", &["Worker.key", "Worker.displayName", "Worker.status"], None, "http");
    assert_eq!(log_of_ada(&spil).await, [found.clone(), team.clone()]);

    // What is told of somebody who stays a pseudonym is not kept; what is told beside a name is, also where only the way tells it.
    let skills = "mutation($worker: ID!, $skill: ID!) { createSkillAssertion(input: {workerId: $worker, skillId: $skill, level: 3}) { userErrors { code } } }";
    let worker = own_id(&spil).await;
    let made = spil.client().ask("mutation { createSkill(input: {name: \"Rust\"}) { skill { id } } }", json!({})).await;
    let skill = made["createSkill"]["skill"]["id"].clone();
    let made = spil.client().ask(skills, json!({"worker": worker, "skill": skill})).await;
    assert_eq!(made["createSkillAssertion"]["userErrors"], json!([]));
    let levels = hr.ask("query Levels { skillAssertions { nodes { level worker { status } } } }", json!({})).await;
    assert_eq!(levels["skillAssertions"]["nodes"][0]["level"], 3);
    assert_eq!(log_of_ada(&spil).await, [found.clone(), team.clone()]);
    let query = "query Skills { workers(filter: {isContractor: {isNull: true}}) { nodes { displayName skillAssertions { nodes { level } } } } }";
    assert_eq!(hr.ask(query, json!({})).await["workers"]["nodes"].as_array().map(Vec::len), Some(2));
    let fields = ["Worker.displayName", "Worker.isContractor", "SkillAssertion.workerId", "SkillAssertion.level"];
    let skilled = entry("hr", &fields, Some("Skills"), "http");
    assert_eq!(log_of_ada(&spil).await, [skilled.clone(), found.clone(), team.clone()]);

    // Each answer of a subscription is kept too.
    let mut socket = Socket::open(&spil).await;
    let payload = json!({"token": spil.token("board", &[Read, Personal]), "purpose": "PERSONNEL_ADMINISTRATION"});
    socket.say(&json!({"type": "connection_init", "payload": payload})).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    let live = "subscription Live { live { workers { nodes { displayName } } } }";
    socket.say(&json!({"id": "1", "type": "subscribe", "payload": {"query": live, "operationName": "Live"}})).await;
    let next = socket.next_of("1").await;
    assert_eq!(next["type"], "next", "{next}");
    let lived = entry("board", &["Worker.displayName"], Some("Live"), "ws");
    assert_eq!(log_of_ada(&spil).await, [lived, skilled, found, team]);

    // Others see no log but their own, unless they may see the audit.
    let log = "{ workers(orderBy: {field: ID}) { nodes { accessLog(first: 2) { nodes { reader } pageInfo { hasNextPage endCursor } } } } }";
    let nodes = ada(&spil).ask(log, json!({})).await["workers"]["nodes"].take();
    assert_eq!((nodes[0]["accessLog"].is_null(), nodes[1]["accessLog"].is_null()), (false, true));
    let nodes = hr.ask(log, json!({})).await["workers"]["nodes"].take();
    assert!(nodes[0]["accessLog"].is_null() && nodes[1]["accessLog"].is_null());
    let auditor = spil.client().without_purpose().with_token(spil.token("works council", &[Read, Audit]));
    let nodes = auditor.ask(log, json!({})).await["workers"]["nodes"].take();
    assert_eq!(nodes[0]["accessLog"]["pageInfo"]["hasNextPage"], true);
    let after = nodes[0]["accessLog"]["pageInfo"]["endCursor"].clone();
    let rest = "query($after: String) { workers(orderBy: {field: ID}, first: 1) { nodes { accessLog(after: $after) { nodes { reader } } } } }";
    let rest = auditor.ask(rest, json!({"after": after})).await;
    assert_eq!(rest["workers"]["nodes"][0]["accessLog"]["nodes"], json!([{"reader": "hr"}, {"reader": "hr"}]));
    assert_eq!(nodes[1]["accessLog"]["nodes"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_logged_is_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut owners = Spil::builder(folder.path()).args(["--roles", "capability,workforce,initiative"]).start().await;
    let place = owners.grpc.clone().expect("owners");
    let mut gateway = Spil::builder(folder.path()).args(["--roles", "gateway"]);
    for owner in ["CAPABILITY", "WORKFORCE", "INITIATIVE"] {
        gateway = gateway.env(&format!("SPIL_OWNERS__{owner}"), place.clone());
    }
    let gateway = gateway.start().await;
    system(&gateway).await;
    let hr = gateway.client().with_token(gateway.token("hr", &[Read, Personal]));
    let ask = json!({"query": TEAM});
    assert_eq!(
        hr.try_ask(&ask).await.expect("an answer").1["data"]["workers"]["nodes"][0]["displayName"],
        "Ada Jansen"
    );
    owners.kill().await;
    // What was kept a moment ago need not be kept again.
    assert!(hr.try_ask(&ask).await.expect("an answer").1["errors"].is_null());
    let other = gateway.client().with_token(gateway.token("other", &[Read, Personal]));
    let (_, refused) = other.try_ask(&ask).await.expect("an answer");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    assert!(!refused.to_string().contains("Jansen"), "{refused}");
    // What tells nobody who anybody is goes on being told.
    let plain = other.without_purpose().ask("{ workers { totalCount nodes { displayName } } }", json!({})).await;
    assert_eq!(plain["workers"]["totalCount"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_what_was_changed_and_hides_who_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    system(&spil).await;
    let client = spil.client();
    let id = client.ask("{ workers(orderBy: {field: ID}, first: 1) { nodes { id } } }", json!({})).await;
    let id = id["workers"]["nodes"][0]["id"].clone();
    let update = "mutation($input: UpdateWorkerInput!) { updateWorker(input: $input) { userErrors { code } } }";
    client
        .ask(update, json!({"input": {"id": id, "status": "LEFT", "displayName": "Ada Bakker", "reason": "Left."}}))
        .await;
    client.ask("mutation { createCapability(input: {name: \"A\"}) { stale } }", json!({})).await;

    let query = "query($filter: AuditFilter, $first: Int, $after: String) { audit(filter: $filter, first: $first, after: $after) {
        nodes { cursor at actor source reason origin action kind recordId fields { name before after isHidden } }
        pageInfo { hasNextPage endCursor } } }";
    let auditor = client.without_purpose().with_token(spil.token("auditor", &[Read, Audit]));
    let all = auditor.ask(query, json!({})).await["audit"].take();
    let nodes = all["nodes"].as_array().expect("a list");
    let told: Vec<_> =
        nodes.iter().map(|node| (node["kind"].as_str(), node["action"].as_str(), node["reason"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("CAPABILITY"), Some("CREATED"), None),
            (Some("WORKER"), Some("UPDATED"), Some("Left.")),
            (Some("WORKER"), Some("CREATED"), Some("Hired.")),
            (Some("WORKER"), Some("CREATED"), Some("Hired."))
        ]
    );
    assert_eq!(
        (&nodes[1]["actor"], &nodes[1]["source"], &nodes[1]["recordId"]),
        (&json!("tester"), &json!("graphql"), &id)
    );
    assert!(nodes[1]["origin"].as_str().is_some_and(|way| way.starts_with("http 127.0.0.1")), "{}", nodes[1]);
    let field = |node: &Value, name: &str| {
        node["fields"].as_array().and_then(|fields| fields.iter().find(|field| field["name"] == name)).cloned()
    };
    let hidden = json!({"name": "displayName", "before": null, "after": null, "isHidden": true});
    assert_eq!(field(&nodes[1], "displayName"), Some(hidden));
    let status = field(&nodes[1], "status").expect("it was changed");
    assert_eq!((&status["after"], &status["isHidden"]), (&json!("LEFT"), &json!(false)));
    assert!(!all.to_string().contains("Ada"), "{all}");

    // In pieces it is the same, and so is the part of one record.
    let mut pieces = Vec::new();
    let mut after = Value::Null;
    loop {
        let piece = auditor.ask(query, json!({"first": 1, "after": after})).await["audit"].take();
        after = piece["pageInfo"]["endCursor"].clone();
        pieces.extend(piece["nodes"].as_array().expect("a list").iter().cloned());
        if piece["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(&pieces, nodes);
    let count = async |filter: Value| {
        let page = auditor.ask(query, json!({"filter": filter})).await["audit"].take();
        page["nodes"].as_array().map(Vec::len)
    };
    assert_eq!(count(json!({"record": id})).await, Some(2));
    assert_eq!(count(json!({"kinds": ["CAPABILITY", "SKILL"]})).await, Some(1));
    assert_eq!(count(json!({"actor": "nobody"})).await, Some(0));
    assert_eq!(count(json!({"source": "graphql", "since": nodes[1]["at"]})).await, Some(2));
    assert_eq!(count(json!({"record": "nonsense"})).await, Some(0));

    // Who may identify people sees who it was, and that is kept.
    assert_eq!(log_of_ada(&spil).await, Vec::<Value>::new(), "so far nobody was told");
    let officer = client.with_token(spil.token("officer", &[Read, Audit, Personal]));
    let page = officer.ask(query, json!({"filter": {"record": id}})).await["audit"].take();
    let name = field(&page["nodes"][0], "displayName").expect("it was changed");
    assert_eq!((&name["before"], &name["after"]), (&json!("Ada Jansen"), &json!("Ada Bakker")));
    let log = log_of_ada(&spil).await;
    assert!(log.len() == 1 && log[0]["reader"] == "officer", "{log:?}");

    let (_, refused) = client
        .with_token(spil.token("x", &[Read]))
        .try_ask(&json!({"query": "{ audit { nodes { at } } }"}))
        .await
        .expect("an answer");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
}
