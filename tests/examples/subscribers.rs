//! Many subscribers on one gateway: says whether everyone gets everything in order, how late, and what it takes of memory.
//!
//! `cargo run --release -p spil-tests --example subscribers -- [SUBSCRIBERS] [CHANGES] [PAUSE_MS]`, by default 1000, 200 and 50. Each
//! subscriber has a socket of its own, so it takes two open files each; `ulimit -n` has to allow them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers; it fails by panicking"
)]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{SinkExt, StreamExt, future::join_all};
use serde_json::{Value, json};
use spil_tests::{Client, Spil};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

const CHANGES: &str = "subscription($after: String) { changes(kinds: [SKILL], after: $after) { cursor action at record { id ... on Skill { name description } } } }";
const CREATE: &str = "mutation($name: String!) { createSkill(input: {name: $name, description: \"What somebody can do.\"}) { skill { id } } }";

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let subscribers = arguments.next().unwrap_or(1000);
    let changes = arguments.next().unwrap_or(200);
    let pause = Duration::from_millis(arguments.next().unwrap_or(50) as u64);
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let after = client.answer("{ __typename }", json!({})).await["extensions"]["consistency"].clone();
    let before = spil.resident_bytes();

    let mut sockets = Vec::new();
    for _ in 0..subscribers {
        sockets.push(subscribe(&spil, &client, &after).await);
    }
    let connected = spil.resident_bytes();
    println!("{subscribers} subscribers, {changes} changes, {} ms apart", pause.as_millis());

    // When each change was sent and when it was answered.
    let times = Arc::new(Mutex::new(Vec::with_capacity(changes)));
    let readers: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(read(socket, changes))).collect();
    let began = Instant::now();
    for number in 0..changes {
        let sent = Instant::now();
        client.ask(CREATE, json!({"name": number.to_string()})).await;
        times.lock().expect("a list").push((sent, Instant::now()));
        tokio::time::sleep(pause).await;
    }
    let arrivals: Vec<Vec<Instant>> =
        join_all(readers).await.into_iter().map(|told| told.expect("all in order")).collect();
    let took = began.elapsed();
    let after_changes = spil.resident_bytes();

    let times = times.lock().expect("a list").clone();
    let late = |from: fn(&(Instant, Instant)) -> Instant| {
        let mut late: Vec<Duration> = arrivals
            .iter()
            .flat_map(|told| told.iter().zip(&times).map(|(at, sent)| at.saturating_duration_since(from(sent))))
            .collect();
        late.sort_unstable();
        let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
        (at(0.5), at(0.99), at(1.0))
    };
    let told = subscribers * changes;
    println!("everyone got all in order: {told} events in {:.2} s", took.as_secs_f64());
    let (half, most, all) = late(|(sent, _)| *sent);
    println!("from sending the mutation: p50 {half:.1} ms, p99 {most:.1} ms, max {all:.1} ms");
    let (half, most, all) = late(|(_, answered)| *answered);
    println!("from its answer:           p50 {half:.1} ms, p99 {most:.1} ms, max {all:.1} ms");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "resident memory: {:.1} MiB, with all connected {:.1} MiB ({:.1} KiB each), after all changes {:.1} MiB",
        mib(before),
        mib(connected),
        (connected.saturating_sub(before)) as f64 / 1024.0 / subscribers as f64,
        mib(after_changes)
    );
    assert_eq!(spil.stop().await, Some(0), "it stops with all of them connected");
}

type Socket = WebSocketStream<TcpStream>;

async fn subscribe(spil: &Spil, client: &Client, after: &Value) -> Socket {
    let url = spil.http.as_deref().expect("a gateway").replacen("http", "ws", 1);
    let mut request = format!("{url}/graphql").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let tcp = TcpStream::connect(url.trim_start_matches("ws://")).await.expect("a connection");
    let (mut socket, _) = client_async(request, tcp).await.expect("a socket");
    say(&mut socket, json!({"type": "connection_init", "payload": {"token": client.token()}})).await;
    assert_eq!(hear(&mut socket).await["type"], "connection_ack");
    let payload = json!({"query": CHANGES, "variables": {"after": after}});
    say(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    socket
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.expect("the socket is open");
}

async fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("the socket is open").expect("a message") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// Reads all changes, which have to come in order, and says when each came.
async fn read(mut socket: Socket, changes: usize) -> Vec<Instant> {
    let mut arrivals = Vec::with_capacity(changes);
    for number in 0..changes {
        let message = hear(&mut socket).await;
        arrivals.push(Instant::now());
        assert_eq!(message["payload"]["data"]["changes"]["record"]["name"], number.to_string(), "{message}");
    }
    arrivals
}
