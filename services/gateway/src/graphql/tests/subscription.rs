//! Subscriptions, through the engine over a graph that changes.

use std::time::SystemTime;

use futures::{FutureExt, StreamExt};
use spil_proto::changefeed::v1::{Change, Revision};

use super::*;
use crate::journal::{Logged, Spot};

/// An engine over the sample that a test can change.
fn subject() -> Arc<Engine> {
    Arc::new(engine(&sample(), Limits::default()))
}

/// Writes a revision of an owner: into the graph and into the journal, as the publisher does.
pub(super) fn write(engine: &Engine, owner: Owner, records: Vec<Record>) -> Revision {
    let before = engine.live.load();
    let mut owners = before.owners.clone();
    let mut changes = before.changes.clone();
    let mut graph = before.graph.clone();
    let cursor = owners[owner as usize].cursor.as_mut().expect("a place");
    let log = Spot::of(cursor);
    cursor.revision += 1;
    cursor.mark = cursor.revision;
    let revision = Revision {
        revision: cursor.revision,
        mark: cursor.mark,
        at: 1_700_000_000_000_000,
        actor: "anna".to_owned(),
        source: "test".to_owned(),
        run: "7".to_owned(),
        changes: records.iter().map(|record| Change { record: Some(record.clone()), ..Change::default() }).collect(),
    };
    let logged = Logged::new(owner, &log, revision.clone(), Some(&graph));
    for record in &records {
        changes.touch(record.kind().expect("a kind"));
        graph.apply(record).expect("a record");
    }
    engine.live.publish(Published::of(graph, owners, changes), vec![logged]);
    revision
}

/// A capability in a version after its first.
pub(super) fn capability(number: u128, name: &str, version: i64) -> Record {
    let mut record = record(Kind::Capability, number, name, &[]);
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::VERSION, Value::Int(version)).expect("a version");
    entity.header_mut().updated_at = version;
    record
}

fn retired(mut record: Record) -> Record {
    record.entity_mut().expect("an entity").header_mut().retired_at = Some(7);
    record
}

pub(super) async fn start_as(engine: &Arc<Engine>, caller: &Caller, query: &str, variables: Json) -> Started {
    let request: Request = serde_json::from_value(json!({"query": query, "variables": variables})).expect("a request");
    engine.start(caller, "token", request, Allowed::Everything).await
}

pub(super) async fn subscribe(engine: &Arc<Engine>, query: &str, variables: Json) -> Responses {
    match start_as(engine, &caller(), query, variables).await {
        Started::Stream(responses) => responses,
        Started::Once(response) => panic!("refused: {:?}", response.body),
    }
}

pub(super) async fn refusal(engine: &Arc<Engine>, query: &str, variables: Json) -> String {
    match start_as(engine, &caller(), query, variables).await {
        Started::Stream(_) => panic!("`{query}` was not refused"),
        Started::Once(response) => {
            let json: Json = serde_json::from_slice(&response.body).expect("JSON");
            json["errors"][0]["extensions"]["code"].as_str().expect("a code").to_owned()
        }
    }
}

/// The next answer, whole.
pub(super) async fn next(responses: &mut Responses) -> Json {
    let next = tokio::time::timeout(Duration::from_secs(10), responses.next()).await.expect("in time");
    serde_json::from_slice(&next.expect("an answer").body).expect("JSON")
}

/// Nothing is there to be sent now.
pub(super) fn assert_quiet(responses: &mut Responses) {
    assert!(responses.next().now_or_never().is_none(), "there was something to send");
}

pub(super) const CHANGES: &str =
    "subscription ($after: String, $kinds: [RecordKind!], $ids: [ID!], $filter: ChangeFilter) {
    changes(after: $after, kinds: $kinds, ids: $ids, filter: $filter) {
        cursor kind id action version actor source run fields at record { name ... on Capability { parent { name } } }
    }
}";

#[tokio::test]
async fn each_change_is_told_once_with_what_it_did() {
    let engine = subject();
    let mut all = subscribe(&engine, CHANGES, json!({})).await;
    assert_quiet(&mut all);
    let made = record(Kind::Capability, 6, "Fraud", &[("parent_id", Value::Id(id(1)))]);
    write(&engine, Owner::Capability, vec![made.clone(), capability(4, "Billing", 2)]);
    write(&engine, Owner::Capability, vec![retired(made)]);
    let first = next(&mut all).await;
    let change = &first["data"]["changes"];
    assert_eq!(change["action"], "CREATED");
    assert_eq!(change["kind"], "CAPABILITY");
    assert_eq!(change["id"], global_id::encode(Kind::Capability, id(6)));
    assert_eq!(change["fields"], json!(["key", "name", "parentId"]));
    assert_eq!(change["record"], json!({"name": "Fraud", "parent": {"name": "Customer service"}}));
    assert_eq!((&change["actor"], &change["source"], &change["run"]), (&json!("anna"), &json!("test"), &json!("7")));
    assert_eq!(change["at"], "2023-11-14T22:13:20Z");
    let second = next(&mut all).await["data"]["changes"].take();
    assert_eq!((&second["action"], &second["version"]), (&json!("UPDATED"), &json!(2)));
    assert_eq!(second["fields"], json!(["name", "maturityCurrent"]), "what is not given any more counts");
    let third = next(&mut all).await["data"]["changes"].take();
    assert_eq!((&third["action"], &third["record"]), (&json!("RETIRED"), &Json::Null));
    assert_quiet(&mut all);
}

#[tokio::test]
async fn one_goes_on_from_any_cursor_and_from_any_answer() {
    let engine = subject();
    let token = |json: &Json| json["extensions"]["consistency"].as_str().expect("a token").to_owned();
    let request: Request = serde_json::from_value(json!({"query": "{ __typename }"})).expect("a request");
    let answer = engine.execute(&caller(), "token", request, Allowed::Everything).await;
    let start = token(&serde_json::from_slice(&answer.body).expect("JSON"));
    for number in 0..3 {
        let record = |at| capability(at, &format!("{number}"), 2);
        write(&engine, Owner::Capability, vec![record(1), record(2), record(3)]);
        write(&engine, Owner::Initiative, vec![record_of_initiative(&format!("{number}"))]);
    }
    let mut from_start = subscribe(&engine, CHANGES, json!({"after": start})).await;
    let mut told = Vec::new();
    for _ in 0..12 {
        told.push(next(&mut from_start).await["data"]["changes"].take());
    }
    assert_quiet(&mut from_start);
    for (at, change) in told.iter().enumerate() {
        let mut again = subscribe(&engine, CHANGES, json!({"after": change["cursor"]})).await;
        for expected in &told[at + 1..] {
            assert_eq!(next(&mut again).await["data"]["changes"]["cursor"], expected["cursor"]);
        }
        assert_quiet(&mut again);
    }
}

fn record_of_initiative(name: &str) -> Record {
    record(Kind::Initiative, 10, name, &[])
}

#[tokio::test]
async fn only_wanted_changes_are_told() {
    let engine = subject();
    let one = global_id::encode(Kind::Capability, id(1));
    let cases = [
        (json!({"kinds": ["INITIATIVE"]}), vec!["i"]),
        (json!({"ids": [one]}), vec!["a", "a"]),
        (json!({"ids": ["nonsense"]}), vec![]),
        (json!({"filter": {"actions": ["RETIRED"]}}), vec!["a"]),
        (json!({"filter": {"actors": ["nobody"]}}), vec![]),
        (json!({"filter": {"sources": ["test", "other"], "actors": ["anna"]}}), vec!["a", "b", "i", "a"]),
        (json!({"filter": {"fields": ["parentId"]}}), vec!["b"]),
        // Kinds without a filter of their own are not concerned.
        (json!({"filter": {"capability": {"name": {"eq": "b"}}}}), vec!["b", "i"]),
        // A retired record is filtered as it last was.
        (json!({"filter": {"capability": {"name": {"eq": "a"}}}, "kinds": ["CAPABILITY"]}), vec!["a", "a"]),
        (
            json!({"filter": {"capability": {"parent": {"name": {"eq": "billing"}}}}, "kinds": ["CAPABILITY"]}),
            vec!["b"],
        ),
    ];
    let mut streams = Vec::new();
    for (variables, expected) in cases {
        streams.push((subscribe(&engine, CHANGES, variables.clone()).await, variables, expected));
    }
    let child = record(Kind::Capability, 2, "b", &[("parent_id", Value::Id(id(4)))]);
    write(&engine, Owner::Capability, vec![capability(1, "a", 2), child]);
    write(&engine, Owner::Initiative, vec![record_of_initiative("i")]);
    write(&engine, Owner::Capability, vec![retired(capability(1, "a", 3))]);
    let names =
        [("Capability", 1, "a"), ("Capability", 2, "b"), ("Initiative", 10, "i")].map(|(kind, number, name)| {
            let kind = Kind::ALL.iter().find(|found| found.info().name == kind).expect("a kind");
            (global_id::encode(*kind, id(number)), name)
        });
    for (stream, variables, expected) in &mut streams {
        for name in expected.iter() {
            let change = next(stream).await["data"]["changes"].take();
            let told = names.iter().find(|(id, _)| *id == change["id"]).expect("one of them");
            assert_eq!(told.1, *name, "{variables}");
        }
        assert_quiet(stream);
    }
}

#[tokio::test]
async fn a_live_query_is_sent_again_when_its_answer_differs() {
    let engine = subject();
    let query = "subscription { live { capabilities(first: 2) { nodes { name } } } }";
    let mut live = subscribe(&engine, query, json!({})).await;
    let mut other = subscribe(&engine, query, json!({})).await;
    let names = |json: Json| json["data"]["live"]["capabilities"]["nodes"].clone();
    assert_eq!(names(next(&mut live).await), json!([{"name": "Customer service"}, {"name": "Claims handling"}]));
    write(&engine, Owner::Initiative, vec![record_of_initiative("i")]);
    write(&engine, Owner::Capability, vec![capability(5, "not on the page", 2)]);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_quiet(&mut live);
    // Changes that come shortly after each other are answered together.
    write(&engine, Owner::Capability, vec![capability(1, "a", 2)]);
    write(&engine, Owner::Capability, vec![capability(2, "b", 2)]);
    assert_eq!(names(next(&mut live).await), json!([{"name": "a"}, {"name": "b"}]));
    assert_quiet(&mut live);
    // Whoever does not read gets the newest answer only.
    assert_eq!(names(next(&mut other).await), json!([{"name": "a"}, {"name": "b"}]));
    assert_quiet(&mut other);
    drop((live, other));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(Arc::strong_count(&engine), 1, "nothing goes on for a subscription that was dropped");
}

#[tokio::test]
async fn a_search_can_be_live() {
    let engine = subject();
    let query = "subscription { live { search(text: \"paperless\") { nodes { name } } } }";
    let mut live = subscribe(&engine, query, json!({})).await;
    let names = |json: Json| json["data"]["live"]["search"]["nodes"].clone();
    assert_eq!(names(next(&mut live).await), json!([{"name": "Paperless"}]));
    write(&engine, Owner::Capability, vec![capability(4, "Paperless billing", 2)]);
    assert_eq!(names(next(&mut live).await), json!([{"name": "Paperless"}, {"name": "Paperless billing"}]));
    assert_quiet(&mut live);
}

#[tokio::test]
async fn a_record_is_followed_until_it_is_gone() {
    let engine = subject();
    let query = "subscription ($id: ID!) { capability(id: $id) { name parent { name } } }";
    let variables = json!({"id": global_id::encode(Kind::Capability, id(2))});
    let mut followed = subscribe(&engine, query, variables).await;
    let told = |json: Json| json["data"]["capability"].clone();
    assert_eq!(
        told(next(&mut followed).await),
        json!({"name": "Claims handling", "parent": {"name": "Customer service"}})
    );
    write(&engine, Owner::Capability, vec![capability(1, "Service", 2)]);
    assert_eq!(told(next(&mut followed).await)["parent"]["name"], "Service");
    write(&engine, Owner::Capability, vec![retired(capability(2, "x", 2))]);
    assert_eq!(told(next(&mut followed).await), Json::Null);
    assert!(followed.next().await.is_none(), "it is over");
    let absent = json!({"id": global_id::encode(Kind::Capability, id(77))});
    let mut absent = subscribe(&engine, query, absent).await;
    assert_eq!(told(next(&mut absent).await), Json::Null);
    assert!(absent.next().await.is_none(), "it is over");
}

#[tokio::test]
async fn what_can_not_be_followed_is_refused() {
    let engine = subject();
    let invalid = [
        "subscription { live { __typename } other: live { __typename } }",
        "subscription { __typename }",
        "subscription ($x: Boolean!) { live @skip(if: $x) { __typename } }",
        "subscription { live { __schema { queryType { name } } } }",
        "subscription { live { snapshot { owners { name } } } }",
        "subscription { live { _service { sdl } } }",
        "subscription { live { nothing } }",
    ];
    for query in invalid {
        assert_eq!(refusal(&engine, query, json!({"x": false})).await, "GRAPHQL_VALIDATION_FAILED", "{query}");
    }
    for variables in [
        json!({"after": "nonsense"}),
        json!({"filter": {"fields": ["nothing"]}}),
        json!({"filter": {"capability": {"name": {"eq": null}}}}),
    ] {
        assert_eq!(refusal(&engine, CHANGES, variables.clone()).await, "BAD_USER_INPUT", "{variables}");
    }
    let ids = vec!["x"; limits::MAX_PAGE + 1];
    assert_eq!(refusal(&engine, CHANGES, json!({"ids": ids})).await, "BAD_USER_INPUT");
    let plain = ask_with(&engine, "subscription { live { __typename } }", json!({})).await;
    assert_eq!(plain["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert!(plain["errors"][0]["message"].as_str().expect("a text").contains("text/event-stream"), "{plain}");
    let may_not = Caller::new("x", [Permission::Write]);
    let Started::Once(response) = start_as(&engine, &may_not, "subscription { live { __typename } }", json!({})).await
    else {
        panic!("somebody who may not read was let in")
    };
    assert_eq!(response.status, ResponseStatus::Refused(Code::Forbidden));
}

#[tokio::test]
async fn subscriptions_end_with_the_token_and_are_bounded() {
    let engine =
        Arc::new(super::engine(&sample(), Limits { subscriptions: 3, subscriptions_each: 2, ..Limits::default() }));
    let soon = SystemTime::now() + Duration::from_millis(50);
    for query in ["subscription { live { __typename } }", "subscription { changes { id } }"] {
        let Started::Stream(mut stream) = start_as(&engine, &caller().until(soon), query, json!({})).await else {
            panic!("refused")
        };
        let mut last = Json::Null;
        while let Some(response) = stream.next().await {
            last = serde_json::from_slice(&response.body).expect("JSON");
        }
        assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{query}");
    }
    let query = "subscription { changes { id } }";
    let (first, _second) = (subscribe(&engine, query, json!({})).await, subscribe(&engine, query, json!({})).await);
    assert_eq!(refusal(&engine, query, json!({})).await, "OVERLOADED", "as many as one caller may have");
    drop(first);
    let _third = subscribe(&engine, query, json!({})).await;
    let other = Caller::new("other", [Permission::Read]);
    let Started::Stream(_fourth) = start_as(&engine, &other, query, json!({})).await else { panic!("refused") };
    let Started::Once(_) = start_as(&engine, &other, query, json!({})).await else { panic!("more than there may be") };
}

#[tokio::test]
async fn subscriptions_are_bounded_by_what_was_sent_for_them() {
    let query = "subscription ($ids: [ID!]) { changes(ids: $ids) { id } }";
    let limits = |each, all| Limits { subscription_bytes_each: each, subscription_bytes: all, ..Limits::default() };
    let ids = |count| json!({"ids": vec!["x"; count]});
    let engine = Arc::new(super::engine(&sample(), limits(1000, 1500)));
    assert_eq!(refusal(&engine, query, ids(300)).await, "OVERLOADED", "one of too many bytes");
    let first = subscribe(&engine, query, ids(200)).await;
    assert_eq!(refusal(&engine, query, ids(200)).await, "OVERLOADED", "more bytes than one caller may have");
    let other = Caller::new("other", [Permission::Read]);
    let Started::Once(_) = start_as(&engine, &other, query, ids(200)).await else { panic!("more than there may be") };
    drop(first);
    let Started::Stream(_second) = start_as(&engine, &other, query, ids(200)).await else { panic!("refused") };
}

#[tokio::test]
async fn answers_to_live_queries_are_kept_as_long_as_there_is_room() {
    const ROOM: usize = 1500;
    let limits = Limits { live_answer_bytes: ROOM - 200, live_bytes: ROOM, ..Limits::default() };
    let engine = Arc::new(super::engine(&sample(), limits));
    let query = |number: usize| format!("subscription {{ live {{ a{number}: capabilities {{ nodes {{ name }} }} }} }}");
    let first_name =
        |number: usize, answer: &Json| answer["data"]["live"][format!("a{number}")]["nodes"][0]["name"].clone();
    let mut streams = Vec::new();
    for number in 0..20 {
        let mut stream = subscribe(&engine, &query(number), json!({})).await;
        assert_eq!(first_name(number, &next(&mut stream).await), "Customer service");
        streams.push(stream);
        assert!((1..=ROOM).contains(&engine.subscriptions.kept_bytes()), "{}", engine.subscriptions.kept_bytes());
    }
    // Who comes later gets an answer that is not kept any more, and nobody else gets it twice.
    let mut late = subscribe(&engine, &query(0), json!({})).await;
    assert_eq!(first_name(0, &next(&mut late).await), "Customer service");
    assert_quiet(&mut late);
    streams.iter_mut().for_each(assert_quiet);
    // Nobody reads while all answers change: there is no room for them, and each gets its own all the same.
    write(&engine, Owner::Capability, vec![capability(1, "Service", 2)]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(engine.subscriptions.kept_bytes() <= ROOM);
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(first_name(number, &next(stream).await), "Service");
    }
    streams.iter_mut().for_each(assert_quiet);
    drop((streams, late));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(engine.subscriptions.kept_bytes(), 0, "what nobody asks for is not kept");
}

#[tokio::test]
async fn a_live_query_that_failed_can_be_asked_anew() {
    let limits = Limits { live_answer_bytes: 1000, ..Limits::default() };
    let engine = Arc::new(super::engine(&sample(), limits));
    let query = "subscription { live { capabilities(first: 1) { nodes { name } } } }";
    write(&engine, Owner::Capability, vec![capability(1, &"long".repeat(300), 2)]);
    let _unread = subscribe(&engine, query, json!({})).await;
    let mut failed = subscribe(&engine, query, json!({})).await;
    assert_eq!(next(&mut failed).await["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY", "of too many bytes");
    write(&engine, Owner::Capability, vec![capability(1, "short", 3)]);
    let mut anew = subscribe(&engine, query, json!({})).await;
    assert_eq!(next(&mut anew).await["data"]["live"]["capabilities"]["nodes"], json!([{"name": "short"}]));
}

#[tokio::test]
async fn costly_live_queries_do_not_wait_for_queries_that_are_asked_once() {
    let engine = subject();
    let busy = engine.heavy.acquire_many(engine.heavy.available_permits() as u32).await.expect("all turns");
    let mut live =
        subscribe(&engine, "subscription { live { search(text: \"paperless\") { totalCount } } }", json!({})).await;
    assert_eq!(next(&mut live).await["data"]["live"]["search"]["totalCount"], 1);
    drop(busy);
}
