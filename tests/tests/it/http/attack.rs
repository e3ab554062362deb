//! Requests that ask for too much, as they come over the wire: each is refused with its code, soon, and the next one is answered.

use std::{fmt::Write, time::Duration};

use reqwest::{Body, Method, header};
use serde_json::{Value, json};
use spil_tests::{Client, Spil};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Far beyond what any refusal takes; what hangs or grinds fails the test.
const SOON: Duration = Duration::from_secs(20);

/// Sends a body as it is, and gives the status and the code of the answer.
async fn send(client: &Client, body: impl Into<Body>) -> (u16, String) {
    let request = client
        .request(Method::POST, "/graphql")
        .bearer_auth(client.token())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json")
        .body(body);
    let answer = async {
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    let (status, answer) = tokio::time::timeout(SOON, answer).await.expect("an answer soon");
    (status, answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn ask(client: &Client, query: &str, variables: Value) -> (u16, String) {
    send(client, json!({"query": query, "variables": variables}).to_string()).await
}

fn repeat(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = write!(text, " {}", piece(at));
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_are_refused_with_their_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    documents(&client).await;
    values(&client).await;
    bodies(&client).await;
    assert_eq!(client.ask("{ __typename }", json!({})).await, json!({"__typename": "Query"}));
    assert_eq!(spil.stop().await, Some(0));
}

async fn documents(client: &Client) {
    let deep = |depth: usize| {
        format!("{{ capabilities {{ nodes {{ {} id {} }} }} }}", "parent { ".repeat(depth), "}".repeat(depth))
    };
    let fan_out = |levels: usize| {
        let fragments = repeat(levels, |at| format!("fragment f{at} on Query {{ ...f{} ...f{} }}", at + 1, at + 1));
        format!("{{ ...f0 }} {fragments} fragment f{levels} on Query {{ __typename }}")
    };
    let chain = repeat(1_000, |at| format!("fragment f{at} on Query {{ ...f{} }}", at + 1));
    for (what, query, code) in [
        ("depth 1,000", deep(1_000), "QUERY_TOO_DEEP"),
        ("10,000 aliases", format!("{{{} }}", repeat(10_000, |at| format!("a{at}: __typename"))), "QUERY_TOO_LARGE"),
        ("10,000 times the same field", format!("{{{} }}", "__typename ".repeat(10_000)), "QUERY_TOO_LARGE"),
        (
            "a fragment cycle",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("fragments that double each other, 30 levels", fan_out(30), "QUERY_TOO_LARGE"),
        (
            "a chain of fragments",
            format!("{{ ...f0 }} {chain} fragment f1000 on Query {{ __typename }}"),
            "QUERY_TOO_DEEP",
        ),
        ("10,000 directives", format!("{{ __typename{} }}", "@include(if: true) ".repeat(10_000)), "QUERY_TOO_LARGE"),
        ("1,000 unknown directives", format!("{{ __typename {} }}", "@x ".repeat(1_000)), "GRAPHQL_VALIDATION_FAILED"),
        ("a document of 200,000 bytes", format!("{{ __typename }} #{}", "x".repeat(200_000)), "QUERY_TOO_LARGE"),
        (
            "introspection in circles",
            format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(12), "} }".repeat(12)),
            "QUERY_TOO_DEEP",
        ),
        (
            "introspection many times",
            format!("{{{} }}", repeat(50, |at| format!("a{at}: __schema {{ description }}"))),
            "QUERY_TOO_LARGE",
        ),
        (
            "1,000 mutations",
            format!(
                "mutation {{{} }}",
                repeat(1_000, |at| format!("a{at}: retireSkill(input: {{id: \"x\"}}) {{ stale }}"))
            ),
            "QUERY_TOO_LARGE",
        ),
        ("1,000 operations", repeat(1_000, |at| format!("query q{at} {{ __typename }}")), "GRAPHQL_VALIDATION_FAILED"),
        (
            "1,000 variables",
            format!("query({}) {{ __typename }}", repeat(1_000, |at| format!("$v{at}: Int"))),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "a deep input object",
            format!("{{ skills(filter: {}{}) {{ totalCount }} }}", "{not: ".repeat(1_000) + "{}", "}".repeat(1_000)),
            "QUERY_TOO_DEEP",
        ),
        (
            "a deep list",
            format!("{{ skills(filter: {}{}) {{ totalCount }} }}", "[".repeat(5_000), "]".repeat(5_000)),
            "QUERY_TOO_DEEP",
        ),
    ] {
        let (status, given) = ask(client, &query, json!({})).await;
        assert_eq!((status, given.as_str()), (400, code), "{what}");
    }
}

async fn values(client: &Client) {
    let first = "query($first: Int) { skills(first: $first) { totalCount } }";
    let filter = "query($filter: SkillFilter) { skills(filter: $filter) { totalCount } }";
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({"not": inner}));
    let wide = |width: usize| json!({"or": vec![json!({"not": {}}); width]});
    for (what, query, variables, code) in [
        ("first: 1000000000", first, json!({"first": 1_000_000_000}), "BAD_USER_INPUT"),
        ("first: 2^40", first, json!({"first": 1_u64 << 40}), "BAD_USER_INPUT"),
        ("first: -1", first, json!({"first": -1}), "BAD_USER_INPUT"),
        ("a text for a number", first, json!({"first": "1"}), "BAD_USER_INPUT"),
        ("an object for a number", first, json!({"first": {}}), "BAD_USER_INPUT"),
        ("a number for an object", filter, json!({"filter": 7}), "BAD_USER_INPUT"),
        ("a field that is not there", filter, json!({"filter": {"nope": 1}}), "BAD_USER_INPUT"),
        ("a wide input object", filter, json!({"filter": wide(60_000)}), "QUERY_TOO_LARGE"),
    ] {
        let (status, given) = ask(client, query, variables).await;
        assert_eq!((status, given.as_str()), (400, code), "{what}");
    }
    let deep = ask(client, filter, json!({"filter": nested(100)})).await;
    assert_eq!(deep, (200, "QUERY_TOO_COSTLY".to_owned()), "a deep input object is tried, up to the bound of filters");
}

async fn bodies(client: &Client) {
    let good = r#"{"query": "{ __typename }"}"#;
    let deep = |open: &str, close: &str| {
        format!("{{\"query\": \"{{ __typename }}\", \"variables\": {}{}}}", open.repeat(50_000), close.repeat(50_000))
    };
    for (what, body, status, code) in [
        ("deep lists", deep("[", "]").into_bytes(), 400, "BAD_REQUEST"),
        ("deep objects", deep("{\"a\":", "}").into_bytes(), 400, "BAD_REQUEST"),
        ("deep JSON that does not end", "[".repeat(1_000_000).into_bytes(), 400, "BAD_REQUEST"),
        ("invalid UTF-8", b"{\"query\": \"{ __typename } # \xff\xfe\"}".to_vec(), 400, "BAD_REQUEST"),
        ("half a pair of surrogates", br#"{"query": "{ __typename } # \ud800"}"#.to_vec(), 400, "BAD_REQUEST"),
        ("a batch of 10,000", format!("[{}]", vec![good; 10_000].join(",")).into_bytes(), 413, "REQUEST_TOO_LARGE"),
        ("a batch of batches", format!("[[{good}]]").into_bytes(), 400, "BAD_REQUEST"),
        ("two megabytes", vec![b' '; 2 << 20], 413, "REQUEST_TOO_LARGE"),
        ("fifty megabytes", vec![b' '; 50 << 20], 413, "REQUEST_TOO_LARGE"),
    ] {
        assert_eq!(send(client, body).await, (status, code.to_owned()), "{what}");
    }
    assert!(pour(client, 50).await.starts_with("HTTP/1.1 413 "), "fifty megabytes whose length is not told beforehand");
}

/// Sends a body of some MiB in pieces, whose length nobody knows beforehand, and gives the first line of the answer.
async fn pour(client: &Client, mebibytes: usize) -> String {
    let request = client.request(Method::POST, "/graphql").build().expect("a request");
    let (host, port) = (request.url().host_str().expect("a host"), request.url().port().expect("a port"));
    let mut socket = TcpStream::connect((host, port)).await.expect("a connection");
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        client.token()
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    let (answers, mut requests) = socket.split();
    let piece = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    let sending = async {
        for _ in 0..mebibytes {
            // The other side may stop listening before all is sent.
            if requests.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let mut lines = BufReader::new(answers).lines();
    let (line, ()) =
        tokio::time::timeout(SOON, async { tokio::join!(lines.next_line(), sending) }).await.expect("an answer soon");
    line.expect("an answer").unwrap_or_default()
}

/// A list of lists of lists over a few hundred records would be millions of values.
#[tokio::test(flavor = "multi_thread")]
async fn the_product_of_nested_lists_is_stopped_by_its_cost() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let input = "mutation($a: CreateCapabilityInput!) { createCapability(input: $a) { capability { id } } }";
    let top = client.ask(input, json!({"a": {"name": "top"}})).await["createCapability"]["capability"]["id"].clone();
    for round in 0..3 {
        let creates = repeat(80, |at| {
            format!("a{at}: createCapability(input: {{name: \"{round} {at}\", parentId: {top}}}) {{ stale }}")
        });
        client.ask(&format!("mutation {{{creates} }}"), json!({})).await;
    }
    let nested = (0..6)
        .fold("id".to_owned(), |inner, _| format!("parent {{ children(first: 1000) {{ nodes {{ {inner} }} }} }}"));
    let query = format!("{{ capabilities(first: 1000) {{ nodes {{ {nested} }} }} }}");
    let (status, code) = ask(&client, &query, json!({})).await;
    assert_eq!((status, code.as_str()), (200, "QUERY_TOO_COSTLY"), "it was run, up to its bound");
    assert_eq!(client.ask("{ capabilities { totalCount } }", json!({})).await["capabilities"]["totalCount"], 241);
    assert_eq!(spil.stop().await, Some(0));
}
