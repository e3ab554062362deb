//! Documents that are named by their hash or by their identifier in a manifest.

use std::{fs, path::Path, time::Duration};

use reqwest::{Method, header};
use serde_json::{Value, json};
use spil_tests::{Client, Spil};

const COUNT: &str = "{ skills { totalCount } }";
const COUNT_SHA256: &str = "41e67d7b9c94e968aadb1e56e30c61479adbd615b214317492aab2d48007913b";
const NOPE_SHA256: &str = "a0276661df3f6318da2313fd98fbe50f1e2be566dbf8092c5e0530cf0ca232d9";
const MUTATION_SHA256: &str = "22c9efff0269bd71ee0875759c0ae2b966100d019474f3e91a2b73d3dada7f8f";

fn hash(sha256: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": sha256}})
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

async fn ask(client: &Client, request: Value) -> (u16, Value) {
    client.try_ask(&request).await.expect("an answer")
}

async fn get(client: &Client, parameters: &[(&str, &str)], accept: &str) -> (u16, Value) {
    let request = client.request(Method::GET, "/graphql").bearer_auth(client.token()).query(parameters);
    let response = request.header(header::ACCEPT, accept).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_sent_once_and_then_named_by_its_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let extensions = hash(COUNT_SHA256).to_string();
    let by_hash = [("extensions", extensions.as_str())];

    // What Apollo's clients look for: the message, and a status that they read the body of.
    for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
        let (given, answer) = get(&client, &by_hash, accept).await;
        assert_eq!((given, code(&answer)), (status, "PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(answer["errors"][0]["message"], "PersistedQueryNotFound");
    }
    let (status, answer) = ask(&client, json!({"extensions": hash(COUNT_SHA256)})).await;
    assert_eq!((status, code(&answer)), (200, "PERSISTED_QUERY_NOT_FOUND"));

    for wrong in [NOPE_SHA256, "", "xyz"] {
        let (status, answer) = ask(&client, json!({"query": COUNT, "extensions": hash(wrong)})).await;
        assert_eq!((status, code(&answer)), (400, "BAD_REQUEST"), "{wrong}");
    }
    let (status, answer) = ask(
        &client,
        json!({"query": COUNT, "extensions": {"persistedQuery": {"version": 2, "sha256Hash": COUNT_SHA256}}}),
    )
    .await;
    assert_eq!((status, code(&answer)), (400, "BAD_REQUEST"));
    assert_eq!(
        code(&ask(&client, json!({"extensions": hash(COUNT_SHA256)})).await.1),
        "PERSISTED_QUERY_NOT_FOUND",
        "what was refused is not kept"
    );

    let (status, answer) = ask(&client, json!({"query": COUNT, "extensions": hash(COUNT_SHA256)})).await;
    assert_eq!((status, &answer["data"]["skills"]["totalCount"]), (200, &json!(0)));
    for answer in [
        get(&client, &by_hash, "application/graphql-response+json").await,
        ask(&client, json!({"extensions": hash(COUNT_SHA256)})).await,
        ask(&client, json!({"extensions": hash(&COUNT_SHA256.to_uppercase())})).await,
        ask(&client, json!({"documentId": format!("sha256:{COUNT_SHA256}")})).await,
        get(&client, &[("documentId", COUNT_SHA256)], "*/*").await,
    ] {
        assert_eq!((answer.0, &answer.1["data"]["skills"]["totalCount"]), (200, &json!(0)), "{}", answer.1);
    }

    // A document that is not valid is told so each time, and not kept.
    for _ in 0..2 {
        let (_, answer) = ask(&client, json!({"query": "{ nope }", "extensions": hash(NOPE_SHA256)})).await;
        assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(code(&ask(&client, json!({"extensions": hash(NOPE_SHA256)})).await.1), "PERSISTED_QUERY_NOT_FOUND");
    }
    // A mutation is kept as well, and is still not run by GET.
    let (_, answer) =
        ask(&client, json!({"query": "mutation { __typename }", "extensions": hash(MUTATION_SHA256)})).await;
    assert_eq!(answer["data"]["__typename"], "Mutation");
    let extensions = hash(MUTATION_SHA256).to_string();
    let (status, answer) = get(&client, &[("extensions", &extensions)], "application/json").await;
    assert_eq!((status, code(&answer)), (405, "METHOD_NOT_ALLOWED"));
    let (status, answer) = ask(&client, json!({"query": COUNT, "documentId": COUNT_SHA256})).await;
    assert_eq!((status, code(&answer)), (400, "BAD_REQUEST"));
    assert_eq!(spil.stop().await, Some(0));
}

fn write(path: &Path, manifest: &Value) {
    // As a deployment does it: the new file is moved over the old one, so that nobody sees half of it.
    let aside = path.with_extension("new");
    fs::write(&aside, manifest.to_string()).expect("written");
    fs::rename(&aside, path).expect("renamed");
}

fn manifest(documents: &[(&str, &str)]) -> Value {
    let operations: Vec<_> =
        documents.iter().map(|(id, body)| json!({"id": id, "name": id, "type": "query", "body": body})).collect();
    json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
}

/// Asks until the answer has `data`, or an error, as is expected.
async fn until(client: &Client, request: Value, has_data: bool) {
    for _ in 0..200 {
        let (_, answer) = ask(client, request.clone()).await;
        if answer["data"].is_object() == has_data {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{request} is not answered as it should be");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_documents_are_run_where_that_is_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("manifest.json");
    let create = "mutation Create($name: String!) { createSkill(input: {name: $name}) { skill { name } } }";
    write(&path, &manifest(&[("count", COUNT), ("create", create), ("stale", "{ gone }")]));
    let spil = Spil::builder(folder.path())
        .env("SPIL_TRUSTED_DOCUMENTS", path.display().to_string())
        .env("SPIL_TRUSTED_DOCUMENTS_ONLY", "true")
        .start()
        .await;
    let client = spil.client();
    assert!(spil.log().contains("stale"), "the document that can not be used is named:\n{}", spil.log());

    let (status, answer) = ask(&client, json!({"documentId": "create", "variables": {"name": "Weaving"}})).await;
    assert_eq!((status, &answer["data"]["createSkill"]["skill"]["name"]), (200, &json!("Weaving")), "{answer}");
    for request in [
        json!({"documentId": "count"}),
        json!({"query": COUNT}),
        json!({"extensions": hash(COUNT_SHA256)}),
        json!({"extensions": hash("count")}),
        json!({"query": COUNT, "extensions": hash(COUNT_SHA256)}),
    ] {
        let (status, answer) = ask(&client, request.clone()).await;
        assert_eq!((status, &answer["data"]["skills"]["totalCount"]), (200, &json!(1)), "{request} {answer}");
    }
    assert_eq!(get(&client, &[("documentId", "count")], "*/*").await.1["data"]["skills"]["totalCount"], 1);
    assert_eq!(get(&client, &[("documentId", "create"), ("variables", "{\"name\": \"x\"}")], "*/*").await.0, 405);

    for request in [
        json!({"query": "{ __typename }"}),
        json!({"query": "{skills{totalCount}}"}),
        json!({"documentId": "nothing"}),
        json!({"documentId": "stale"}),
        json!({"documentId": NOPE_SHA256}),
        json!({"extensions": hash(NOPE_SHA256)}),
        json!({"query": "mutation { __typename }", "extensions": hash(MUTATION_SHA256)}),
        json!({"extensions": hash(MUTATION_SHA256)}),
        json!({"query": "{"}),
    ] {
        let (status, answer) = ask(&client, request.clone()).await;
        assert_eq!((status, code(&answer)), (200, "DOCUMENT_NOT_TRUSTED"), "{request} {answer}");
    }
    let (_, answers) = ask(&client, json!([{"query": "{ __typename }"}, {"documentId": "count"}])).await;
    assert_eq!((code(&answers[0]), &answers[1]["data"]["skills"]["totalCount"]), ("DOCUMENT_NOT_TRUSTED", &json!(1)));

    // Another list, in the other form; then a broken file, which changes nothing.
    write(&path, &json!({"names": "{ skills { nodes { name } } }"}));
    until(&client, json!({"documentId": "names"}), true).await;
    until(&client, json!({"documentId": "count"}), false).await;
    fs::write(&path, "{").expect("written");
    for _ in 0..100 {
        if spil.log().contains("the list stays as it is") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(spil.log().contains("the list stays as it is"), "{}", spil.log());
    until(&client, json!({"documentId": "names"}), true).await;
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_beside_other_documents_and_a_schema_that_is_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("manifest.json");
    write(&path, &json!({"count": COUNT, "schema": "{ __schema { description } }"}));
    let spil = Spil::builder(folder.path())
        .env("SPIL_TRUSTED_DOCUMENTS", path.display().to_string())
        .env("SPIL_INTROSPECTION", "false")
        .start()
        .await;
    let client = spil.client();
    for request in [
        json!({"documentId": "count"}),
        json!({"query": COUNT}),
        json!({"query": "{ skills { __typename totalCount } }"}),
    ] {
        assert_eq!(ask(&client, request).await.1["data"]["skills"]["totalCount"], 0);
    }
    assert_eq!(code(&ask(&client, json!({"documentId": "nothing"})).await.1), "PERSISTED_QUERY_NOT_FOUND");
    for request in [
        json!({"query": "{ __schema { types { name } } }"}),
        json!({"query": "{ a: __type(name: \"Skill\") { name } }"}),
        json!({"query": "{ ...f } fragment f on Query { ... { __schema { description } } }"}),
        json!({"query": "query($s: Boolean!) { __typename __schema @include(if: $s) { description } }", "variables": {"s": true}}),
        json!({"query": "{ _service { sdl } }"}),
        json!({"documentId": "schema"}),
    ] {
        let (_, answer) = ask(&client, request.clone()).await;
        assert_eq!(code(&answer), "INTROSPECTION_DISABLED", "{request}");
    }
    assert_eq!(client.get("/schema.graphql").await.0, 404);
    assert_eq!(spil.stop().await, Some(0));
}
