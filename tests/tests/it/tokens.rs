//! Whatever is wrong with a token, no way into the system takes it.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use spil_auth::{InternalKey, Permission, Signer};
use spil_proto::{
    changefeed::v1::{
        ApplyRequest, AuditRequest, EraseRequest, LogReadsRequest, ReadLogRequest, SnapshotRequest, WatchRequest,
    },
    model::Owner,
    owner::OwnerClient,
    workforce::v1::service::WhoIsRequest,
};
use spil_tests::{
    Client, Spil,
    attack::{self, Attack},
    issuer::TestIssuer,
};
use tokio_tungstenite::tungstenite::Error;
use tonic::{Code, Status};

use crate::ws::Socket;

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
const QUERY: &str = "{ __typename }";
const EVENTS: &str = "text/event-stream";
/// Beyond this a server may end the request before it looks at the token.
const LONG: usize = 8 << 10;

/// The requests over HTTP that a token can come with.
fn requests(client: &Client, token: &str) -> Vec<(&'static str, reqwest::RequestBuilder)> {
    let request = |method: Method, path: &str| {
        client.request(method, path).header(header::AUTHORIZATION, format!("Bearer {token}"))
    };
    let body = json!({"query": QUERY});
    vec![
        ("POST", request(Method::POST, "/graphql").json(&body)),
        ("a batch", request(Method::POST, "/graphql").json(&json!([body, body]))),
        ("GET", request(Method::GET, "/graphql").query(&[("query", QUERY)])),
        ("events by POST", request(Method::POST, "/graphql").header(header::ACCEPT, EVENTS).json(&body)),
        (
            "events by GET",
            request(Method::GET, "/graphql/stream").header(header::ACCEPT, EVENTS).query(&[("query", QUERY)]),
        ),
        ("a stream to be", request(Method::PUT, "/graphql/stream")),
        ("an operation to end", request(Method::DELETE, "/graphql/stream?operationId=1&token=x")),
    ]
}

async fn socket_by_header(spil: &Spil, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    match Socket::try_open(spil, &[PROTOCOL, ("authorization", &bearer)], None).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(_) => 0,
    }
}

/// The calls of an owner, each with what it answers.
async fn calls(owner: &mut OwnerClient, token: &str) -> Vec<(&'static str, Result<(), Status>)> {
    let cursor = WatchRequest { after: None };
    let mut all = vec![
        ("apply", owner.apply(token, ApplyRequest::default()).await.map(drop)),
        ("snapshot", owner.snapshot(token, SnapshotRequest::default()).await.map(drop)),
        ("watch", owner.watch(token, cursor).await.map(drop)),
        ("digest", owner.digest(token).await.map(drop)),
        ("erase", owner.erase(token, EraseRequest::default()).await.map(drop)),
        ("audit", owner.audit(token, AuditRequest::default()).await.map(drop)),
        ("log reads", owner.log_reads(token, LogReadsRequest::default()).await.map(drop)),
        ("read log", owner.read_log(token, ReadLogRequest::default()).await.map(drop)),
    ];
    if owner.owner() == Owner::Workforce {
        all.push(("who is", owner.who_is(token, WhoIsRequest::default()).await.map(drop)));
    }
    all
}

/// Shows each token once, so that the issuer was asked about every key that one names: from then on what is said is definite.
async fn are_refused_at_first(spil: &Spil, attacks: &[Attack]) {
    for Attack { name, token } in attacks.iter().filter(|attack| attack.token.len() <= LONG) {
        let (status, answer) =
            spil.client().with_token(token.clone()).try_ask(&json!({"query": QUERY})).await.expect("an answer");
        let is_passing = status == 503 && answer["errors"][0]["extensions"]["code"] == "NOT_READY";
        assert!(status == 401 || is_passing, "{name}: {status} {answer}");
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
}

async fn is_refused_everywhere(spil: &Spil, owners: &mut [OwnerClient], Attack { name, token }: &Attack) {
    for (way, request) in requests(&spil.client(), token) {
        match request.send().await {
            Ok(response) if token.len() > LONG => assert!(response.status().is_client_error(), "{name}, {way}"),
            Ok(response) => {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}, {way}");
                let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().expect("a text").to_owned();
                assert!(challenge.starts_with("Bearer realm=\"spil\""), "{name}, {way}: {challenge}");
                let answer: Value = response.json().await.expect("JSON");
                assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{name}, {way}");
                assert!(answer["data"].is_null(), "{name}, {way}");
            }
            Err(error) => assert!(token.len() > LONG, "{name}, {way}: {error}"),
        }
    }
    let by_header = socket_by_header(spil, token).await;
    assert!(by_header == 401 || (by_header != 101 && token.len() > LONG), "{name}: {by_header}");
    for payload in [json!({"Authorization": format!("Bearer {token}")}), json!({"token": token})] {
        let mut socket = Socket::open(spil).await;
        socket.say(&json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.closed().await.0, 4403, "{name}");
    }
    for owner in owners {
        for (call, answer) in calls(owner, token).await {
            let status = answer.expect_err(name);
            assert!(
                status.code() == Code::Unauthenticated || token.len() > LONG,
                "{name}, {call} of {:?}: {status}",
                owner.owner()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_in_takes_a_token_that_is_not_sound() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).env("SPIL_ISSUERS", issuer.setting()).start().await;
    let mut owners = Owner::ALL.map(|owner| spil.owner(owner));

    // First that all these ways are open for those that are.
    for Attack { name, token } in attack::odd_and_sound(&issuer) {
        for (way, request) in requests(&spil.client(), &token) {
            let status = request.send().await.expect("an answer").status();
            let expected = match way {
                "a stream to be" => StatusCode::CREATED,
                "an operation to end" => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            assert_eq!(status, expected, "{name}, {way}");
        }
        assert_eq!(socket_by_header(&spil, &token).await, 101, "{name}");
        Socket::ready(&spil, &token).await;
        for owner in &mut owners {
            for (call, answer) in calls(owner, &token).await {
                let code = answer.err().map(|status| status.code());
                // Reads are kept for services alone.
                let is_let_in = call == "log reads" && code == Some(Code::PermissionDenied);
                assert!(
                    is_let_in || !matches!(code, Some(Code::Unauthenticated | Code::PermissionDenied)),
                    "{name}, {call}: {code:?}"
                );
            }
        }
    }
    let (before, began) = (issuer.asked(), Instant::now());
    let attacks = attack::attacks(&issuer);
    are_refused_at_first(&spil, &attacks).await;
    for attack in attacks {
        is_refused_everywhere(&spil, &mut owners, &attack).await;
    }
    let after = issuer.asked();
    let paths: Vec<_> = after.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/.well-known/openid-configuration", "/jwks"], "no address in a token is asked");
    let fetches = (after["/jwks"] - before["/jwks"]) as u64;
    assert!(
        fetches <= began.elapsed().as_secs() / 3 + 1,
        "keys are fetched now and then: {after:?} in {:?}",
        began.elapsed()
    );

    // A token in the address is none.
    let sound = attack::sound(&issuer, &issuer.keys.rsa);
    for name in ["access_token", "token", "authorization"] {
        let request = spil.client().request(Method::GET, "/graphql").query(&[("query", QUERY), (name, &sound)]);
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    ends_in_time(&spil, &issuer).await;
    ourselves(&spil, folder.path(), &mut owners).await;
    forbidden(&spil, &issuer).await;
    assert_eq!(spil.stop().await, Some(0));
}

/// A feed ends with the token that it was opened with.
async fn ends_in_time(spil: &Spil, issuer: &TestIssuer) {
    let token = attack::sound_for_seconds(issuer, 2);
    let mut owner = spil.owner(Owner::Workforce);
    let mut snapshot = owner.snapshot(&token, SnapshotRequest::default()).await.expect("a snapshot");
    let after = snapshot.message().await.expect("a part").expect("a part").cursor;
    let mut feed = owner.watch(&token, WatchRequest { after }).await.expect("a feed");
    let end = loop {
        if let Err(end) = feed.message().await {
            break end;
        }
    };
    assert_eq!((end.code(), end.message()), (Code::Unauthenticated, "the token has expired"));
}

/// What services say to owners is for owners, and for reading.
async fn ourselves(spil: &Spil, data: &std::path::Path, owners: &mut [OwnerClient]) {
    let key = InternalKey::read(&data.join("development-key.pem")).expect("a key");
    let token = Signer::new(&key).expect("a signer").sign_service(std::time::Duration::from_secs(60)).expect("a token");
    for (way, request) in requests(&spil.client(), &token) {
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED, "{way}");
    }
    let mut socket = Socket::open(spil).await;
    socket.say(&json!({"type": "connection_init", "payload": {"token": token}})).await;
    assert_eq!(socket.closed().await.0, 4403);
    for owner in owners {
        assert!(owner.digest(&token).await.is_ok());
        let refused = owner.apply(&token, ApplyRequest::default()).await.expect_err("no writing");
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    }
}

/// A token that is good and does not allow what is asked.
async fn forbidden(spil: &Spil, issuer: &TestIssuer) {
    let client = spil.client().with_token(attack::sound_for(issuer, "nobody", "openid"));
    let request = client.request(Method::POST, "/graphql").bearer_auth(client.token());
    let mutation = "mutation { createSkill(input: {name: \"x\"}) { stale } }";
    let response = request.json(&json!({"query": mutation})).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().expect("a text").to_owned();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    // With a token of ours as with one of an issuer.
    let reader = client.with_token(spil.token("reader", &[Permission::Read]));
    let (status, _) = reader.try_ask(&json!({"query": mutation})).await.expect("an answer");
    assert_eq!(status, 403);
}
