//! The front door.

mod attack;
mod conditional;
mod documents;

use reqwest::{Method, header};
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::Spil;

#[tokio::test(flavor = "multi_thread")]
async fn the_front_door_behaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();

    let (status, media, sdl) = client.get("/schema.graphql").await;
    assert_eq!((status, media.as_str()), (200, "text/plain; charset=utf-8"));
    assert!(sdl.contains("type Capability implements"));
    assert_eq!(client.get("/livez").await.0, 200);
    let (status, _, ready) = client.get("/readyz").await;
    assert_eq!((status, serde_json::from_str::<Value>(&ready).expect("JSON")["ready"].clone()), (200, json!(true)));
    assert_eq!(client.get("/graphiql").await.0, 200);
    assert_eq!(client.get("/graphiql/../../etc/passwd").await.0, 404);
    assert_eq!(client.get("/nothing").await.0, 404);

    no_token(&spil).await;
    media_types(&spil).await;
    methods(&spil).await;
    bodies(&spil).await;
    batches(&spil).await;
    assert_eq!(spil.stop().await, Some(0));
}

async fn no_token(spil: &Spil) {
    let client = spil.client();
    let other = tempfile::tempdir().expect("a folder");
    let foreign = Spil::builder(other.path()).start().await.token("tester", &Permission::ALL);
    let invalid = "Bearer realm=\"spil\", error=\"invalid_token\", error_description=\"the token is ";
    for (token, challenge) in [
        (None, "Bearer realm=\"spil\"".to_owned()),
        (Some("nonsense".to_owned()), format!("{invalid}not valid\"")),
        (Some(foreign), format!("{invalid}not valid\"")),
        (Some("x".repeat(9000)), format!("{invalid}too long\"")),
    ] {
        let mut request = client.request(Method::POST, "/graphql").json(&json!({"query": "{ __typename }"}));
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge);
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
    let reader = client.with_token(spil.token("reader", &[Permission::Read]));
    let (status, answer) = reader
        .try_ask(&json!({"query": "mutation { createSkill(input: {name: \"x\"}) { stale } }"}))
        .await
        .expect("an answer");
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")));
}

async fn media_types(spil: &Spil) {
    let client = spil.client();
    for (accept, query, status, media) in [
        (None, "{ __typename }", 200, "application/json; charset=utf-8"),
        (Some("*/*"), "{ __typename }", 200, "application/json; charset=utf-8"),
        (
            Some("application/graphql-response+json"),
            "{ __typename }",
            200,
            "application/graphql-response+json; charset=utf-8",
        ),
        (
            Some("application/graphql-response+json, application/json;q=0.9"),
            "{ nope }",
            400,
            "application/graphql-response+json; charset=utf-8",
        ),
        (Some("application/json"), "{ nope }", 200, "application/json; charset=utf-8"),
        (Some("application/json"), "{", 200, "application/json; charset=utf-8"),
        (Some("application/json;q=0, */*;q=0.1"), "{ nope }", 400, "application/graphql-response+json; charset=utf-8"),
        (Some("text/html, */*;q=0.5"), "{ __typename }", 200, "application/json; charset=utf-8"),
        (Some("text/html"), "{ __typename }", 406, "text/plain; charset=utf-8"),
    ] {
        let mut request =
            client.request(Method::POST, "/graphql").bearer_auth(client.token()).json(&json!({"query": query}));
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.headers()[header::CONTENT_TYPE].as_bytes()),
            (status, media.as_bytes()),
            "{accept:?} {query}"
        );
    }
}

async fn methods(spil: &Spil) {
    let client = spil.client();
    let get = |query: &str| {
        client
            .request(Method::GET, "/graphql")
            .bearer_auth(client.token())
            .query(&[("query", query), ("variables", "{}")])
            .send()
    };
    let answer: Value = get("{ __typename }").await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["data"], json!({"__typename": "Query"}));
    let response = get("mutation { createSkill(input: {name: \"x\"}) { stale } }").await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.headers()[header::ALLOW].as_bytes()), (405, &b"POST"[..]));
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "METHOD_NOT_ALLOWED");
    assert_eq!(
        client.ask("{ skills { totalCount } }", json!({})).await["skills"]["totalCount"],
        0,
        "nothing is written by GET"
    );
    for (parameters, status) in [
        ("query=%7B__typename%7D&operationName=&variables=&extensions=", 200),
        ("query=%7B__typename%7D&variables=%7B%22x%22%3A1%7D", 200),
        ("", 400),
        ("query=", 400),
        ("query=%7B__typename%7D&query=%7B__typename%7D", 400),
        ("query=%7B__typename%7D&variables=7", 400),
        ("query=%7B__typename%7D&variables=%5B%5D", 400),
        ("query=%7B__typename%7D&extensions=%5B%5D", 400),
        ("query=%7B__typename%20%23%FF%7D", 400),
    ] {
        let request = client.request(Method::GET, &format!("/graphql?{parameters}")).bearer_auth(client.token());
        assert_eq!(request.send().await.expect("an answer").status(), status, "{parameters}");
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let response = client.request(method, "/graphql").bearer_auth(client.token()).send().await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.headers()[header::ALLOW].as_bytes()),
            (405, &b"GET, POST"[..])
        );
    }
}

async fn bodies(spil: &Spil) {
    let client = spil.client();
    let send = |media: &'static str, body: Vec<u8>| {
        client
            .request(Method::POST, "/graphql")
            .bearer_auth(client.token())
            .header(header::CONTENT_TYPE, media)
            .body(body)
            .send()
    };
    let good = br#"{"query": "{ __typename }"}"#.to_vec();
    let deep =
        format!("{{\"query\": \"{{ __typename }}\", \"variables\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (media, body, status) in [
        ("application/json", good.clone(), 200),
        ("application/json; charset=utf-8", good.clone(), 200),
        ("application/json; charset=\"UTF-8\"", good.clone(), 200),
        ("application/json; charset=utf-16", good.clone(), 415),
        ("text/plain", good.clone(), 415),
        ("multipart/form-data; boundary=x", good, 415),
        ("application/json", b"{".to_vec(), 400),
        ("application/json", b"[]".to_vec(), 400),
        ("application/json", br#"{"query": 7}"#.to_vec(), 400),
        ("application/json", b"{\"query\": \"\xff\"}".to_vec(), 400),
        ("application/json", deep.into_bytes(), 400),
        ("application/json", vec![b' '; 3 << 20], 413),
    ] {
        let response = send(media, body).await.expect("an answer");
        assert_eq!(response.status(), status, "{media}");
        if status != 200 {
            let code = if status == 413 { "REQUEST_TOO_LARGE" } else { "BAD_REQUEST" };
            let answer: Value = response.json().await.expect("JSON");
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{media} {status}");
        }
    }
    let coded = client
        .request(Method::POST, "/graphql")
        .bearer_auth(client.token())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip")
        .body(vec![0x1f, 0x8b])
        .send()
        .await
        .expect("an answer");
    assert_eq!((coded.status().as_u16(), coded.headers()[header::ACCEPT_ENCODING].as_bytes()), (415, &b"identity"[..]));
    assert_eq!(client.ask("{ __typename }", json!({})).await, json!({"__typename": "Query"}));
}

/// A batch is answered in order, and a request in it sees what those before it have written.
async fn batches(spil: &Spil) {
    let client = spil.client();
    let create = json!({"query": "mutation { createSkill(input: {name: \"Batching\"}) { skill { name } } }"});
    let count = json!({"query": "{ skills { totalCount } }"});
    let (status, answers) = client
        .try_ask(&json!([count, create, count, {"query": "{ nope }"}, {"query": null}]))
        .await
        .expect("an answer");
    assert_eq!((status, answers.as_array().map(Vec::len)), (200, Some(5)), "{answers}");
    assert_eq!(answers[0]["data"]["skills"]["totalCount"], 0);
    assert_eq!(answers[1]["data"]["createSkill"]["skill"]["name"], "Batching");
    assert_eq!(answers[2]["data"]["skills"]["totalCount"], 1);
    assert_eq!(answers[3]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(answers[4]["errors"][0]["extensions"]["code"], "BAD_REQUEST");

    let (status, answer) = client.try_ask(&Value::Array(vec![create; 21])).await.expect("an answer");
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (413, &json!("REQUEST_TOO_LARGE")));
    let (status, answer) = client.try_ask(&json!([count, 7])).await.expect("an answer");
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("BAD_REQUEST")));
    assert_eq!(client.ask("{ skills { totalCount } }", json!({})).await["skills"]["totalCount"], 1);
}
