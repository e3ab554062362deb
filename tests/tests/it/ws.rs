//! GraphQL over WebSocket.

mod socket;
mod subscription;

use std::time::Duration;

use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::Spil;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, protocol::frame::coding::CloseCode};

pub(crate) use socket::Socket;

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test(flavor = "multi_thread")]
async fn sockets_answer_and_are_closed_with_the_right_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let token = spil.token("tester", &Permission::ALL);
    opening(&spil, &token).await;
    operations(&spil, &token).await;
    invalid_messages(&spil, &token).await;
    knowing_the_client(&spil, &token).await;
    pings(&spil).await;

    let mut open = Socket::ready(&spil, &token).await;
    let mut silent = Socket::open(&spil).await;
    let stopped = tokio::spawn(spil.stop());
    assert_eq!(open.closed().await.0, 1001);
    assert_eq!(silent.closed().await.0, 1001);
    assert_eq!(stopped.await.expect("it stops"), Some(0));
}

async fn opening(spil: &Spil, token: &str) {
    let refused = |headers: Vec<(&'static str, String)>| async move {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match Socket::try_open(spil, &headers, None).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => 101,
        }
    };
    let protocol = || (PROTOCOL.0, PROTOCOL.1.to_owned());
    let host = spil.http.clone().expect("a gateway");
    assert_eq!(refused(vec![protocol(), ("authorization", "Bearer nonsense".to_owned())]).await, 401);
    assert_eq!(refused(vec![protocol(), ("origin", "https://elsewhere.example".to_owned())]).await, 403);
    assert_eq!(refused(vec![protocol(), ("origin", host)]).await, 101);

    // Without the subprotocol a socket is opened only to say why it is closed.
    let mut socket = Socket::try_open(spil, &[], None).await.expect("a socket");
    assert_eq!(socket.closed().await, (4406, "Subprotocol not acceptable".to_owned()));

    // The token of the header counts where the client shows no other.
    let bearer = format!("Bearer {token}");
    let mut socket = Socket::try_open(spil, &[PROTOCOL, ("authorization", &bearer)], None).await.expect("a socket");
    socket.say(&json!({"type": "connection_init"})).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    let reader = spil.token("reader", &[Permission::Read]);
    let mut socket = Socket::try_open(spil, &[PROTOCOL, ("authorization", &bearer)], None).await.expect("a socket");
    socket.say(&json!({"type": "connection_init", "payload": {"token": reader}})).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    socket.subscribe("1", "mutation { createSkill(input: {name: \"x\"}) { stale } }", json!({})).await;
    let error = socket.next_of("1").await;
    assert_eq!((&error["type"], &error["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("FORBIDDEN")));
}

async fn operations(spil: &Spil, token: &str) {
    let mut socket = Socket::ready(spil, token).await;
    assert_eq!(socket.answer("1", "{ __typename }", json!({})).await["data"], json!({"__typename": "Query"}));
    let create = "mutation Create($name: String!) { createSkill(input: {name: $name}) { skill { id name } stale } }";
    let made = socket.answer("1", create, json!({"name": "Weaving"})).await;
    assert_eq!(made["data"]["createSkill"]["skill"]["name"], "Weaving");
    let found = socket.answer("1", "{ skills { nodes { name } } }", json!({})).await;
    assert_eq!(found["data"]["skills"]["nodes"], json!([{"name": "Weaving"}]));

    // What is refused before it runs is an `error`, after which nothing follows.
    for (query, code) in [
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.subscribe("2", query, json!({})).await;
        let error = socket.next().await;
        assert_eq!((&error["id"], &error["type"]), (&json!("2"), &json!("error")), "{error}");
        assert_eq!(error["payload"][0]["extensions"]["code"], code);
    }
    assert!(socket.is_silent(Duration::from_millis(300)).await);

    // To end what does not run is no fault, and a hundred at once are answered.
    socket.say(&json!({"type": "complete", "id": "unknown"})).await;
    for id in 0..100 {
        socket.subscribe(&id.to_string(), "{ skills { totalCount } }", json!({})).await;
    }
    for id in 0..100 {
        let message = socket.next_of(&id.to_string()).await;
        assert_eq!(message["payload"]["data"]["skills"]["totalCount"], 1, "{message}");
        assert_eq!(socket.next_of(&id.to_string()).await["type"], "complete");
    }
}

async fn invalid_messages(spil: &Spil, token: &str) {
    let request = json!({"query": "{ __typename }"});
    for (message, reason) in [
        (json!("text"), "a message is a JSON object"),
        (json!({}), "`type`"),
        (json!({"type": "nope"}), "no messages of this type"),
        (json!({"type": "start", "id": "1", "payload": request}), "no messages of this type"),
        (json!({"type": "subscribe", "payload": request}), "`id`"),
        (json!({"type": "subscribe", "id": "", "payload": request}), "`id`"),
        (json!({"type": "subscribe", "id": "1"}), "`payload`"),
        (json!({"type": "subscribe", "id": "1", "payload": {}}), "query"),
        (json!({"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": 7}}), "`payload`"),
        (json!({"type": "complete"}), "`id`"),
    ] {
        let mut socket = Socket::ready(spil, token).await;
        socket.say(&message).await;
        let (code, said) = socket.closed().await;
        assert_eq!(code, 4400, "{message}");
        assert!(said.contains(reason), "{message}: {said}");
    }
    for (message, code) in [
        (Message::text("{"), 4400),
        (Message::binary(request.to_string().into_bytes()), 4400),
        (Message::text(format!("\"{}\"", "x".repeat(2 << 20))), 1009),
    ] {
        let mut socket = Socket::ready(spil, token).await;
        socket.send(message).await;
        assert_eq!(socket.closed().await.0, code);
    }
    // A client that says good-bye is answered likewise.
    let mut socket = Socket::ready(spil, token).await;
    socket.close(CloseCode::Normal).await;
    assert_eq!(socket.closed().await.0, 1000);
}

async fn knowing_the_client(spil: &Spil, token: &str) {
    let init = |payload: Value| json!({"type": "connection_init", "payload": payload});
    for payload in [json!({}), json!({"token": "nonsense"}), json!({"Authorization": token}), json!({"token": 7})] {
        let mut socket = Socket::open(spil).await;
        socket.say(&init(payload)).await;
        let (code, said) = socket.closed().await;
        assert_eq!(code, 4403, "{said}");
        assert!(said.starts_with("Forbidden: "), "{said}");
    }
    for payload in [json!({"authorization": format!("bearer {token}")}), json!({"token": token})] {
        let mut socket = Socket::open(spil).await;
        socket.say(&init(payload.clone())).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket.say(&init(payload)).await;
        assert_eq!(socket.closed().await, (4429, "Too many initialisation requests".to_owned()));
    }
    let mut socket = Socket::open(spil).await;
    socket.subscribe("1", "{ __typename }", json!({})).await;
    assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
    let mut socket = Socket::open(spil).await;
    assert_eq!(socket.closed().await, (4408, "Connection initialisation timeout".to_owned()));
}

async fn pings(spil: &Spil) {
    let mut socket = Socket::open(spil).await;
    socket.say(&json!({"type": "ping", "payload": {"a": [1]}})).await;
    assert_eq!(socket.next().await, json!({"type": "pong", "payload": {"a": [1]}}));
    socket.say(&json!({"type": "pong"})).await;
    socket.say(&json!({"type": "ping"})).await;
    assert_eq!(socket.next().await, json!({"type": "pong"}));
    socket.send(Message::Ping(Bytes::from_static(b"there?"))).await;
    assert_eq!(socket.pong().await, b"there?");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_few_where_that_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).env("SPIL_MAX_STREAMS", "2").start().await;
    let token = spil.token("tester", &Permission::ALL);
    let (first, mut second) = (Socket::ready(&spil, &token).await, Socket::ready(&spil, &token).await);
    let Err(Error::Http(refused)) = Socket::try_open(&spil, &[PROTOCOL], None).await else { panic!("a third socket") };
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    drop(first);
    let mut third = None;
    for _ in 0..100 {
        third = Socket::try_open(&spil, &[PROTOCOL], None).await.ok();
        if third.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(third.is_some(), "the place of a client that left is free again");
    assert_eq!(second.answer("1", "{ __typename }", json!({})).await["data"]["__typename"], "Query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_closed_and_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let token = spil.token("tester", &Permission::ALL);
    let mut slow = Socket::try_open(&spil, &[PROTOCOL], Some(4096)).await.expect("a socket");
    slow.say(&json!({"type": "connection_init", "payload": {"token": token}})).await;
    assert_eq!(slow.next().await["type"], "connection_ack");
    let large = "{ __schema { types { name description fields(includeDeprecated: true) { name description } } } }";
    for id in 0..100 {
        slow.subscribe(&id.to_string(), large, json!({})).await;
    }
    let mut quick = Socket::ready(&spil, &token).await;
    for _ in 0..26 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(quick.answer("1", "{ __typename }", json!({})).await["data"]["__typename"], "Query");
    }
    let (code, said) = slow.closed().await;
    assert_eq!((code, said.as_str()), (1013, "the client does not read what it asked for"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_token_closes_the_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    // A token counts half a minute longer than it says, for clocks that differ.
    let token = spil.token_for("tester", &Permission::ALL, Duration::from_secs(1));
    let mut socket = Socket::ready(&spil, &token).await;
    assert_eq!(socket.answer("1", "{ __typename }", json!({})).await["data"]["__typename"], "Query");
    let (code, said) = socket.closed_within(Duration::from_secs(45)).await;
    assert_eq!((code, said.as_str()), (4403, "Forbidden: the token has expired"));
    assert_eq!(spil.stop().await, Some(0));
}
