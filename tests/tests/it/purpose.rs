//! What a client says it reads personal data for.

use reqwest::{Method, header};
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::Spil;

use crate::ws::Socket;

const HEADER: &str = "Spil-Purpose";
const KNOWN: &str = "SKILL_DEVELOPMENT";

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_is_one_that_is_known_and_is_written_down() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).env("RUST_LOG", "info").start().await;
    let client = spil.client();
    let query = json!({"query": "query Named { __typename }", "operationName": "Named"});
    for (method, path, accept) in [
        (Method::POST, "/graphql", "application/json"),
        (Method::POST, "/graphql", "application/graphql-response+json"),
        (Method::GET, "/graphql?query=%7B__typename%7D", "application/json"),
        (Method::POST, "/graphql", "text/event-stream"),
        (Method::GET, "/graphql/stream?query=%7B__typename%7D", "text/event-stream"),
    ] {
        let ask = |purpose: Option<&'static str>| {
            let request =
                client.request(method.clone(), path).bearer_auth(client.token()).header(header::ACCEPT, accept);
            let request = if method == Method::POST { request.json(&query) } else { request };
            let request = match purpose {
                Some(purpose) => request.header(HEADER, purpose),
                None => request,
            };
            async { request.send().await.expect("an answer") }
        };
        assert_eq!(ask(None).await.status(), 200, "{method} {path} {accept}");
        assert_eq!(ask(Some(KNOWN)).await.status(), 200, "{method} {path} {accept}");
        let refused = ask(Some("CURIOSITY")).await;
        assert_eq!(refused.status(), 400, "{method} {path} {accept}");
        let body: Value = refused.json().await.expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let message = body["errors"][0]["message"].as_str().expect("a text");
        assert!(message.contains(HEADER) && message.contains(KNOWN) && !message.contains("CURIOSITY"), "{message}");
    }

    // A purpose that is in the body is none: it is the transport that says it.
    let ignored = json!({"query": "query Unnamed { __typename }", "operationName": "Unnamed", "purpose": KNOWN});
    assert_eq!(client.without_purpose().try_ask(&ignored).await.expect("an answer").0, 200);

    let subject = "somebody";
    let token = spil.token(subject, &[Permission::Read]);
    for (payload, closed) in [
        (json!({"token": token, "purpose": KNOWN}), None),
        (json!({"token": token, "spil-purpose": KNOWN}), None),
        (json!({"token": token, "purpose": "CURIOSITY"}), Some(4400)),
        (json!({"token": token, "purpose": 1}), Some(4400)),
    ] {
        let mut socket = Socket::open(&spil).await;
        socket.say(&json!({"type": "connection_init", "payload": payload})).await;
        match closed {
            Some(code) => assert_eq!(socket.closed().await.0, code, "{payload}"),
            None => {
                assert_eq!(socket.next().await["type"], "connection_ack");
                socket.say(&json!({"id": "1", "type": "subscribe", "payload": {"query": "query Socket { __typename }", "operationName": "Socket"}})).await;
                assert_eq!(socket.next_of("1").await["type"], "next");
            }
        }
    }
    let log = spil.log();
    let noted: Vec<_> = log.lines().filter(|line| line.contains("a request names a purpose")).collect();
    assert!(noted.iter().all(|line| line.contains(KNOWN) && !line.contains(&token)), "{noted:?}");
    let of = |name: &str| noted.iter().filter(|line| line.contains(name)).count();
    // The same within a minute is one line.
    assert_eq!((of("Named"), of("Socket"), of("Unnamed")), (1, 1, 0), "{log}");
    assert_eq!(of(subject), 1);
}
