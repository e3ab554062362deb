//! What was just written is found by its words, and reached along its relations.

use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::{Client, Spil};

use crate::mutation::create;

async fn found(client: &Client, text: &str) -> Value {
    let query = "query($text: String!) { search(text: $text) { totalCount isStale nodes { key } } }";
    client.ask(query, json!({"text": text})).await["search"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_shows_what_its_caller_has_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    assert_eq!(found(&client, "anything").await, json!({"totalCount": 0, "isStale": false, "nodes": []}));
    for number in 0..20 {
        // Each search comes right after the write that it is to show.
        let key = format!("CAP-{number}");
        let id = create(&client, json!({"key": key, "name": "Klachten", "description": format!("word{number}")})).await;
        let shown = json!({"totalCount": 1, "isStale": false, "nodes": [{"key": key}]});
        assert_eq!(found(&client, &format!("klacht word{number} ")).await, shown);
        if number % 2 == 0 {
            let update = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) { stale } }";
            let input = json!({"id": id, "description": format!("other{number}")});
            assert_eq!(client.ask(update, json!({"input": input})).await["updateCapability"]["stale"], false);
            assert_eq!(found(&client, &format!("other{number} ")).await, shown);
        } else {
            let retire = "mutation($input: RetireCapabilityInput!) { retireCapability(input: $input) { stale } }";
            assert_eq!(client.ask(retire, json!({"input": {"id": id}})).await["retireCapability"]["stale"], false);
        }
        assert_eq!(found(&client, &format!("word{number} ")).await["totalCount"], 0);
    }
    assert_eq!(found(&client, "klachten").await["totalCount"], 10);
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_the_texts_that_are_seen_and_by_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    let policy = r#"
version = 1
[roles.all]
members = [{ claim = "scope", value = "write" }]
allow = [{ actions = ["read", "create"], scope = "all" }]
[roles.some]
members = [{ claim = "scope", value = "read" }]
allow = [
  { kinds = ["*"], except = ["Capability"], actions = ["read"], scope = "all" },
  { kinds = ["Capability"], actions = ["read"], scope = "all", fields = ["name", "translations"] },
]
"#;
    std::fs::write(&path, policy).expect("written");
    let spil = Spil::builder(folder.path()).env("SPIL_POLICY", path.display().to_string()).start().await;
    create(&spil.client(), json!({"key": "SECRET", "name": "Permits", "description": "hidden words"})).await;
    create(&spil.client(), json!({"key": "OTHER", "name": "Roads", "description": "permits of another kind"})).await;
    let reader = spil.client().with_token(spil.token("reader", &[Permission::Read]));
    let of = |text: &str, count: u64| (text.to_owned(), count);
    for (text, count) in [of("permits", 1), of("roads", 1), of("hidden", 0), of("SECRET", 0), of("another", 0)] {
        assert_eq!(found(&reader, &text).await["totalCount"], count, "{text}");
    }
    for (text, count) in [of("permits", 2), of("hidden", 1), of("SECRET", 1)] {
        assert_eq!(found(&spil.client(), &text).await["totalCount"], count, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_together_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let top = create(&client, json!({"key": "TOP"})).await;
    let middle = create(&client, json!({"key": "MIDDLE", "parentId": top})).await;
    create(&client, json!({"key": "BOTTOM", "parentId": middle})).await;
    let query = "query($from: [ID!]!) {
      down: reach(from: $from, along: [CAPABILITY_CHILDREN]) { totalCount edges { distance path { relation forward record { key } } } }
      up: reach(from: $from, along: [CAPABILITY_CHILDREN], direction: IN) { nodes { key } }
      capability(id: \"ID\") { ancestors { key } descendants { nodes { key } } }
    }"
    .replace("ID\"", &format!("{middle}\""));
    let answer = client.ask(&query, json!({"from": [middle]})).await;
    assert_eq!(
        answer,
        json!({
            "down": {"totalCount": 1, "edges": [{"distance": 1, "path": [
                {"relation": "CAPABILITY_CHILDREN", "forward": true, "record": {"key": "BOTTOM"}}
            ]}]},
            "up": {"nodes": [{"key": "TOP"}]},
            "capability": {"ancestors": [{"key": "TOP"}], "descendants": {"nodes": [{"key": "BOTTOM"}]}}
        })
    );
    assert_eq!(spil.stop().await, Some(0));
}
