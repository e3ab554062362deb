//! Subscriptions over sockets.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value, json};
use spil_tests::{Client, Spil};

use super::Socket;

const CREATE: &str = "mutation($name: String!) { createSkill(input: {name: $name}) { skill { id version } } }";
const CHANGES: &str = "subscription($after: String) { changes(kinds: [SKILL], after: $after) { cursor action record { ... on Skill { name } } } }";

async fn create(client: &Client, name: &str) -> Value {
    client.ask(CREATE, json!({"name": name})).await["createSkill"]["skill"].take()
}

/// Where the graph stands, so that all that comes after it is told.
async fn stand(client: &Client) -> String {
    let answer = client.answer("{ __typename }", json!({})).await;
    answer["extensions"]["consistency"].as_str().expect("a token").to_owned()
}

/// The next change of an operation: name and cursor.
async fn change(socket: &mut Socket, id: &str) -> (String, String) {
    let message = socket.next_of(id).await;
    let change = &message["payload"]["data"]["changes"];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no change but {message}")).to_owned();
    (text(&change["record"]["name"]), text(&change["cursor"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_told_what_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let skill = create(&client, "Weaving").await;
    let after = stand(&client).await;

    // Two subscribers to the same, a live query and a record.
    let mut first = Socket::ready(&spil, client.token()).await;
    let mut second = Socket::ready(&spil, client.token()).await;
    for socket in [&mut first, &mut second] {
        socket.subscribe("changes", CHANGES, json!({"after": after})).await;
    }
    first.subscribe("live", "subscription { live { skills { totalCount } } }", json!({})).await;
    let live = |message: Value| message["payload"]["data"]["live"]["skills"]["totalCount"].as_u64();
    assert_eq!(live(first.next_of("live").await), Some(1));
    let query = "subscription($id: ID!) { skill(id: $id) { name } }";
    first.subscribe("record", query, json!({"id": skill["id"]})).await;
    assert_eq!(first.next_of("record").await["payload"]["data"]["skill"]["name"], "Weaving");

    // A mutation over the same socket as the subscriptions is told like any other.
    first.subscribe("write", CREATE, json!({"name": "Spinning"})).await;
    assert_eq!(first.next_of("write").await["type"], "next");
    assert_eq!(first.next_of("write").await["type"], "complete");
    let update = "mutation($id: ID!, $name: String) { updateSkill(input: {id: $id, expectedVersion: 1, name: $name}) { skill { name } } }";
    client.ask(update, json!({"id": skill["id"], "name": "Fine weaving"})).await;
    for socket in [&mut first, &mut second] {
        assert_eq!(change(socket, "changes").await.0, "Spinning");
        assert_eq!(change(socket, "changes").await.0, "Fine weaving");
    }
    assert_eq!(live(first.next_of("live").await), Some(2));
    assert_eq!(first.next_of("record").await["payload"]["data"]["skill"]["name"], "Fine weaving");

    // A record that is retired is told as null, and that is the end.
    let retire = "mutation($id: ID!) { retireSkill(input: {id: $id, expectedVersion: 2}) { userErrors { message } } }";
    client.ask(retire, json!({"id": skill["id"]})).await;
    assert_eq!(first.next_of("record").await["payload"]["data"], json!({"skill": null}));
    assert_eq!(first.next_of("record").await["type"], "complete");
    assert_eq!(live(first.next_of("live").await), Some(1));
    let retired = second.next_of("changes").await;
    assert_eq!(retired["payload"]["data"]["changes"]["action"], "RETIRED", "{retired}");

    // An operation of a name that runs closes the socket; so does nothing else here.
    first.subscribe("live", "subscription { live { skills { totalCount } } }", json!({})).await;
    assert_eq!(first.closed().await, (4409, "Subscriber for live already exists".to_owned()));
    // What the client ends is silent, and its name is free.
    second.say(&json!({"type": "complete", "id": "changes"})).await;
    create(&client, "Dyeing").await;
    let count = second.answer("changes", "{ skills { totalCount } }", json!({})).await;
    assert_eq!(count["data"]["skills"]["totalCount"], 2);
    assert!(second.is_silent(Duration::from_millis(300)).await);
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    const WRITES: usize = 60;
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let mut after = stand(&client).await;
    let writer = tokio::spawn({
        let client = client.clone();
        async move {
            for number in 0..WRITES {
                create(&client, &format!("Skill {number}")).await;
            }
        }
    });
    // The socket breaks, or is left, every few changes, while the writes go on.
    let mut told = Vec::new();
    while told.len() < WRITES {
        let mut socket = Socket::ready(&spil, client.token()).await;
        socket.subscribe("changes", CHANGES, json!({"after": after})).await;
        for _ in 0..7.min(WRITES - told.len()) {
            let (name, cursor) = change(&mut socket, "changes").await;
            told.push(name);
            after = cursor;
        }
    }
    writer.await.expect("all is written");
    let wanted: Vec<_> = (0..WRITES).map(|number| format!("Skill {number}")).collect();
    assert_eq!(told, wanted);
    let mut socket = Socket::ready(&spil, client.token()).await;
    socket.subscribe("changes", CHANGES, json!({"after": after})).await;
    assert!(socket.is_silent(Duration::from_millis(300)).await, "there is nothing after the last");
}

/// The smaller sister of the program `examples/subscribers.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_subscribers_get_fifty_changes_in_order() {
    const SUBSCRIBERS: usize = 100;
    const WRITES: usize = 50;
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let after = stand(&client).await;
    let mut sockets = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut socket = Socket::ready(&spil, client.token()).await;
        socket.subscribe("changes", CHANGES, json!({"after": after})).await;
        sockets.push(socket);
    }
    let readers: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            tokio::spawn(async move {
                let mut told = Vec::new();
                for _ in 0..WRITES {
                    told.push(change(&mut socket, "changes").await);
                }
                told
            })
        })
        .collect();
    for number in 0..WRITES {
        create(&client, &format!("Skill {number}")).await;
    }
    let wanted: Vec<_> = (0..WRITES).map(|number| format!("Skill {number}")).collect();
    let mut cursors = HashSet::new();
    for reader in readers {
        let told = reader.await.expect("all is told");
        let (names, places): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        assert_eq!(names, wanted);
        cursors.insert(places);
    }
    assert_eq!(cursors.len(), 1, "each place has one name");
}
