//! The worked queries work: each is asked of the demo organisation, and the answer is the one that stands there.
//!
//! `UPDATE_QUERIES=1` writes the answers anew; what changed is to be looked at.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use spil_tests::{Client, Spil, run};

/// A query in the text, and the block with its answer, if there is one yet.
struct Worked {
    query: String,
    answer: Option<String>,
    /// Where the query ends in the text, after the line that closes its block; and where the block of the answer does.
    end: usize,
    answer_end: usize,
}

const QUERY: &str = "```graphql\n";
const ANSWER: &str = "\n```json\n";
const CLOSE: &str = "```\n";

fn worked(text: &str) -> Vec<Worked> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find(QUERY) {
        let start = at + open + QUERY.len();
        let stop = start + text[start..].find(CLOSE).expect("a block is closed");
        let end = stop + CLOSE.len();
        let answer = text[end..].strip_prefix(ANSWER).map(|rest| {
            let length = rest.find(CLOSE).expect("a block is closed");
            (rest[..length].to_owned(), end + ANSWER.len() + length + CLOSE.len())
        });
        at = answer.as_ref().map_or(end, |(_, end)| *end);
        found.push(Worked {
            query: text[start..stop].to_owned(),
            answer_end: at,
            answer: answer.map(|(text, _)| text),
            end,
        });
    }
    found
}

/// The first answer to a subscription, by server-sent events.
async fn first_answer(client: &Client, query: &str) -> Value {
    let mut response = client
        .request(reqwest::Method::POST, "/graphql")
        .bearer_auth(client.token())
        .header("accept", "text/event-stream")
        .json(&json!({"query": query}))
        .send()
        .await
        .expect("a stream");
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    let limit = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let piece = tokio::time::timeout_at(limit, response.chunk()).await.expect("an event in time");
        text.push_str(std::str::from_utf8(&piece.expect("a piece").expect("more")).expect("text"));
        for event in text.split("\n\n").filter(|event| event.contains("event: next")) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
            if let Ok(mut answer) = serde_json::from_str::<Value>(data) {
                assert!(answer.get("errors").is_none(), "{answer}");
                return answer["data"].take();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_queries_are_answered_as_they_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../QUERIES.md");
    let text = std::fs::read_to_string(&path).expect("the queries");
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let filled =
        run(["demo", "--seed-only", "--data", &data, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]).await;
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let update = std::env::var_os("UPDATE_QUERIES").is_some();
    let worked = worked(&text);
    assert!(worked.len() >= 12);
    let mut written = String::new();
    let mut at = 0;
    for Worked { query, answer, end, answer_end } in worked {
        let given = match query.starts_with("subscription") {
            true => first_answer(&client, &query).await,
            false => client.ask(&query, json!({})).await,
        };
        if update {
            written.push_str(&text[at..end]);
            let pretty = serde_json::to_string_pretty(&given).expect("JSON");
            written.push_str(&format!("{ANSWER}{pretty}\n{CLOSE}"));
            at = answer_end;
        } else {
            let answer: Value = serde_json::from_str(&answer.expect("an answer follows the query")).expect("JSON");
            assert_eq!(given, answer, "{query}");
        }
    }
    if update {
        written.push_str(&text[at..]);
        std::fs::write(&path, written).expect("the queries are written");
    }
}
