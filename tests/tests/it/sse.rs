//! GraphQL over server-sent events.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::{Client, Spil};

const STREAM: &str = "/graphql/stream";
const STREAM_HEADER: &str = "x-graphql-event-stream-token";
const LIVE: &str = "subscription { live { skills { totalCount } } }";
const CREATE: &str = "mutation($name: String!) { createSkill(input: {name: $name}) { stale } }";

/// An event stream.
struct Events {
    response: reqwest::Response,
    buffer: String,
}

impl Events {
    fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        Self { response, buffer: String::new() }
    }

    /// A stream for one operation.
    async fn distinct(client: &Client, path: &str, query: &str) -> Self {
        Self::of(
            client
                .request(Method::POST, path)
                .bearer_auth(client.token())
                .header(header::ACCEPT, "text/event-stream")
                .json(&json!({"query": query}))
                .send()
                .await
                .expect("an answer"),
        )
    }

    /// The next event: its name and its data; none at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let block = block.to_owned();
                self.buffer = rest.to_owned();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let Some(event) = field("event: ") else { continue };
                let data = field("data: ").unwrap_or_default();
                return Some((event, serde_json::from_str(&data).unwrap_or(Value::Null)));
            }
            let read = tokio::time::timeout(Duration::from_secs(60), self.response.chunk());
            let piece = read.await.expect("it goes on").expect("a piece")?;
            self.buffer.push_str(std::str::from_utf8(&piece).expect("a text"));
        }
    }

    /// All events to the end.
    async fn all(mut self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_has_a_stream_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    for path in ["/graphql", STREAM] {
        let events = Events::distinct(&client, path, "{ __typename }").await.all().await;
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!((events[0].0.as_str(), &events[0].1["data"]), ("next", &json!({"__typename": "Query"})));
        assert_eq!(events[1], ("complete".to_owned(), Value::Null));
        // What keeps it from being run is told as an event too.
        let events = Events::distinct(&client, path, "subscription { nope }").await.all().await;
        assert_eq!(events[0].1["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        assert_eq!((events.len(), events[1].0.as_str()), (2, "complete"));
    }
    refusals(&spil, &client).await;

    let mut live = Events::distinct(&client, STREAM, LIVE).await;
    let count = |event: Option<(String, Value)>| {
        event.expect("an event").1["data"]["live"]["skills"]["totalCount"].as_u64().expect("a number")
    };
    assert_eq!(count(live.next().await), 0);
    client.ask(CREATE, json!({"name": "Weaving"})).await;
    assert_eq!(count(live.next().await), 1);
    // A service that stops ends the stream without `complete`, so that clients come back.
    let stopped = tokio::spawn(spil.stop());
    assert_eq!(live.next().await, None);
    assert_eq!(stopped.await.expect("it stops"), Some(0));
}

async fn refusals(spil: &Spil, client: &Client) {
    let request = |method: Method, path: &str| client.request(method, path);
    let get = |query: &str, accept: &'static str| {
        request(Method::GET, STREAM)
            .bearer_auth(client.token())
            .header(header::ACCEPT, accept)
            .query(&[("query", query)])
            .send()
    };
    let events = Events::of(get("{ __typename }", "text/event-stream").await.expect("an answer")).all().await;
    assert_eq!(events.len(), 2);
    let mutation = "mutation { createSkill(input: {name: \"By GET\"}) { stale } }";
    let events = Events::of(get(mutation, "text/event-stream").await.expect("an answer")).all().await;
    assert!(events[0].1["errors"].is_array(), "{events:?}");
    assert_eq!(client.ask("{ skills { totalCount } }", json!({})).await["skills"]["totalCount"], 0);
    assert_eq!(get("{ __typename }", "application/json").await.expect("an answer").status(), 406);
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let response = request(method, STREAM).send().await.expect("an answer");
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"spil\"");
    }
    let response = request(Method::PATCH, STREAM).bearer_auth(client.token()).send().await.expect("an answer");
    assert_eq!(
        (response.status(), &response.headers()[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST, PUT, DELETE".parse().expect("a header"))
    );
    let body = json!([{"query": "{ __typename }"}]);
    let response = request(Method::POST, STREAM).bearer_auth(client.token()).json(&body).send().await;
    assert_eq!(response.expect("an answer").status(), 400);
    // A client that would take both gets one answer.
    let response = request(Method::POST, "/graphql")
        .bearer_auth(client.token())
        .header(header::ACCEPT, "application/graphql-response+json, application/json, text/event-stream")
        .json(&json!({"query": "{ __typename }"}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/graphql-response+json; charset=utf-8");
    assert_eq!(spil.http.as_deref().map(|url| url.starts_with("http://")), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_reserves_few_streams_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let other = client.with_token(spil.token("other", &Permission::ALL));
    let reserve = async |who: &Client| {
        let request = client.request(Method::PUT, STREAM).bearer_auth(who.token());
        request.send().await.expect("an answer")
    };
    let mut last = String::new();
    for _ in 0..20 {
        let reserved = reserve(&client).await;
        assert_eq!(reserved.status(), 201);
        last = reserved.text().await.expect("a name");
    }
    assert_eq!(reserve(&client).await.status(), 429);
    assert_eq!(reserve(&other).await.status(), 201, "others are not concerned");
    let open = client.request(Method::GET, STREAM).query(&[("token", &last)]).send().await.expect("an answer");
    assert_eq!(open.status(), 200);
    assert_eq!(reserve(&client).await.status(), 201, "a stream that is open is not reserved any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_serves_all_operations_of_a_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let other = client.with_token(spil.token("other", &Permission::ALL));
    let status =
        |request: reqwest::RequestBuilder| async { request.send().await.expect("an answer").status().as_u16() };
    let reserved = client.request(Method::PUT, STREAM).bearer_auth(client.token()).send().await.expect("an answer");
    assert_eq!(reserved.status(), 201);
    let name = reserved.text().await.expect("a name");
    let run = |who: &Client, id: Option<&str>, query: &str| {
        let extensions = id.map_or(json!({}), |id| json!({"operationId": id}));
        client
            .request(Method::POST, STREAM)
            .bearer_auth(who.token())
            .header(STREAM_HEADER, &name)
            .header(header::ACCEPT, "application/graphql-response+json")
            .json(&json!({"query": query, "extensions": extensions}))
    };
    let open = || client.request(Method::GET, STREAM).query(&[("token", &name)]);

    // An operation may come before the stream is opened. Its name is used once at a time.
    assert_eq!(status(run(&client, Some("live"), LIVE)).await, 202);
    assert_eq!(status(run(&client, Some("live"), LIVE)).await, 409);
    let mut events = Events::of(open().send().await.expect("an answer"));
    assert_eq!(status(open()).await, 409, "a stream is opened once");
    let (event, data) = events.next().await.expect("an event");
    assert_eq!((event.as_str(), &data["id"]), ("next", &json!("live")));
    assert_eq!(data["payload"]["data"]["live"]["skills"]["totalCount"], 0);

    // Nobody else may use it, and what can not be run is answered where it was asked.
    assert_eq!(status(run(&other, Some("x"), "{ __typename }")).await, 403);
    assert_eq!(status(run(&client, None, "{ __typename }")).await, 400);
    assert_eq!(status(run(&client, Some("x"), "{ nope }")).await, 400);
    assert_eq!(status(run(&client, Some("x"), "{ __typename }")).await, 202);
    assert_eq!(events.next().await.expect("an event").1["payload"]["data"], json!({"__typename": "Query"}));
    assert_eq!(events.next().await, Some(("complete".to_owned(), json!({"id": "x"}))));

    let end = |who: &Client, id: &str| {
        client.request(Method::DELETE, STREAM).bearer_auth(who.token()).query(&[("operationId", id), ("token", &name)])
    };
    assert_eq!(status(end(&other, "live")).await, 403);
    assert_eq!(status(end(&client, "live")).await, 200);
    assert_eq!(status(end(&client, "unknown")).await, 200);
    client.ask(CREATE, json!({"name": "Weaving"})).await;
    assert_eq!(status(run(&client, Some("live"), "{ skills { totalCount } }")).await, 202);
    let (_, data) = events.next().await.expect("an event");
    assert_eq!(data["payload"]["data"], json!({"skills": {"totalCount": 1}}), "what was ended is silent");

    // With the stream its name is gone.
    drop(events);
    let mut last = 0;
    for _ in 0..100 {
        last = status(run(&client, Some("y"), "{ __typename }")).await;
        if last == 404 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(last, 404);
    assert_eq!(status(client.request(Method::GET, STREAM).query(&[("token", "nope")])).await, 404);
    assert_eq!(spil.stop().await, Some(0));
}
