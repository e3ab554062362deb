//! What can be reached, and how it is explained.

use super::*;

/// An initiative that changes a capability with two levels below; a process of the lowest, a role, two positions, three people, one of
/// whom holds both positions.
fn organisation() -> Vec<Record> {
    let to = |column: &'static str, number: u128| (column, Value::Id(id(number)));
    let all = |column: &'static str, numbers: &[u128]| {
        (column, Value::Ids(numbers.iter().map(|number| id(*number)).collect()))
    };
    vec![
        record(Kind::Initiative, 1, "Paperless", &[]),
        record(Kind::CapabilityChange, 2, "", &[to("initiative_id", 1), to("capability_id", 10)]),
        record(Kind::Capability, 10, "Claims", &[]),
        record(Kind::Capability, 11, "Intake", &[to("parent_id", 10)]),
        record(Kind::Capability, 12, "Scanning", &[to("parent_id", 11)]),
        record(Kind::Process, 20, "Scan a letter", &[all("capability_ids", &[12])]),
        record(Kind::Role, 30, "Clerk", &[all("process_ids", &[20])]),
        record(Kind::Position, 40, "Clerk 1", &[to("role_id", 30)]),
        record(Kind::Position, 41, "Clerk 2", &[to("role_id", 30), to("reports_to_id", 40)]),
        record(Kind::Worker, 50, "", &[]),
        record(Kind::Worker, 51, "", &[]),
        record(Kind::Worker, 52, "", &[]),
        record(Kind::Assignment, 60, "", &[to("worker_id", 51), to("position_id", 40)]),
        record(Kind::Assignment, 61, "", &[to("worker_id", 50), to("position_id", 40)]),
        record(Kind::Assignment, 62, "", &[to("worker_id", 50), to("position_id", 41)]),
        record(Kind::Assignment, 63, "", &[to("worker_id", 52), to("position_id", 99)]),
    ]
}

fn global(kind: Kind, number: u128) -> String {
    global_id::encode(kind, id(number))
}

async fn answer(arguments: &str, selection: &str) -> Json {
    let query = format!("{{ reach({arguments}) {{ {selection} }} }}");
    ask_with(&engine(&organisation(), Limits::default()), &query, json!({})).await
}

/// The key of the record with an id.
fn key_of(id: &Json) -> String {
    let (_, id) = global_id::decode(id.as_str().expect("an id")).expect("an id of ours");
    format!("K{}", id.as_u128() & 0xffff)
}

/// The keys of what is reached, with their distances; by their ids, since the key of a worker says who that is.
async fn reached(arguments: &str) -> Vec<(String, i64)> {
    let answer = answer(arguments, "totalCount edges { distance node { id } }").await;
    let edges = answer["data"]["reach"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(answer["data"]["reach"]["totalCount"], edges.len());
    let key = |edge: &Json| key_of(&edge["node"]["id"]);
    edges.iter().map(|edge| (key(edge), edge["distance"].as_i64().expect("a distance"))).collect()
}

fn pairs(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(key, distance)| ((*key).to_owned(), *distance)).collect()
}

#[tokio::test]
async fn who_an_initiative_touches_is_one_query() {
    let initiative = global(Kind::Initiative, 1);
    let answer = answer(
        &format!(
            "from: [\"{initiative}\"], along: [INITIATIVE_CAPABILITIES, CAPABILITY_DESCENDANTS, CAPABILITY_PROCESSES, PROCESS_ROLES, ROLE_WORKERS], to: [WORKER]"
        ),
        "__typename totalCount nodes { __typename id }
         edges { __typename distance start { key } path { __typename relation forward record { key ... on Role { name } ... on Worker { id } } } }",
    )
    .await;
    let path = json!([
        {"__typename": "ReachStep", "relation": "INITIATIVE_CAPABILITIES", "forward": true, "record": {"key": "K10"}},
        {"__typename": "ReachStep", "relation": "CAPABILITY_DESCENDANTS", "forward": true, "record": {"key": "K12"}},
        {"__typename": "ReachStep", "relation": "CAPABILITY_PROCESSES", "forward": true, "record": {"key": "K20"}},
        {"__typename": "ReachStep", "relation": "PROCESS_ROLES", "forward": true, "record": {"key": "K30", "name": "Clerk"}},
    ]);
    let edge = |worker: u128| {
        let mut path = path.clone();
        path.as_array_mut().expect("a list").push(
            json!({"__typename": "ReachStep", "relation": "ROLE_WORKERS", "forward": true, "record": {"key": null, "id": global(Kind::Worker, worker)}}),
        );
        json!({"__typename": "ReachEdge", "distance": 5, "start": {"key": "K1"}, "path": path})
    };
    assert_eq!(
        answer["data"]["reach"],
        json!({
            "__typename": "ReachConnection",
            "totalCount": 2,
            "nodes": [
                {"__typename": "Worker", "id": global(Kind::Worker, 50)},
                {"__typename": "Worker", "id": global(Kind::Worker, 51)},
            ],
            "edges": [edge(50), edge(51)],
        }),
        "{answer}"
    );
}

#[tokio::test]
async fn relations_are_followed_either_way() {
    let (capability, worker) = (global(Kind::Capability, 11), global(Kind::Worker, 50));
    for (arguments, expected) in [
        (format!("from: [\"{capability}\"], along: [CAPABILITY_CHILDREN]"), &[("K12", 1)][..]),
        (format!("from: [\"{capability}\"], along: [CAPABILITY_CHILDREN], direction: IN"), &[("K10", 1)]),
        (format!("from: [\"{capability}\"], along: CAPABILITY_PARENT, direction: BOTH"), &[("K10", 1), ("K12", 1)]),
        (
            format!("from: [\"{worker}\"], along: [ROLE_WORKERS, CAPABILITY_ROLES], direction: IN"),
            &[("K30", 1), ("K12", 2)],
        ),
        (format!("from: [\"{worker}\"], along: [ROLE_WORKERS], direction: BOTH"), &[("K30", 1), ("K51", 2)]),
        (
            format!("from: [\"{worker}\"], to: [WORKER, ROLE]"),
            // By the assignments, without anything said of relations.
            &[("K30", 3), ("K51", 4)],
        ),
        (format!("from: [\"{worker}\"], along: []"), &[]),
        (format!("from: [\"{worker}\"], to: []"), &[]),
        (
            format!("from: [\"{capability}\", \"{capability}\", \"nonsense\"], along: [CAPABILITY_CHILDREN]"),
            &[("K12", 1)],
        ),
        (format!("from: \"{}\"", global(Kind::Worker, 999)), &[]),
    ] {
        assert_eq!(reached(&arguments).await, pairs(expected), "{arguments}");
    }
}

#[tokio::test]
async fn a_depth_ends_the_walk() {
    let capability = global(Kind::Capability, 10);
    let arguments = |depth: u32| format!("from: [\"{capability}\"], along: [CAPABILITY_CHILDREN], depth: {depth}");
    assert_eq!(reached(&arguments(1)).await, pairs(&[("K11", 1)]));
    assert_eq!(reached(&arguments(20)).await, pairs(&[("K11", 1), ("K12", 2)]));
}

#[tokio::test]
async fn pages_cover_everything_once() {
    let initiative = global(Kind::Initiative, 1);
    let whole = reached(&format!("from: [\"{initiative}\"], depth: 20")).await;
    assert_eq!(whole.len(), 13, "all but the assignment that dangles and its worker");
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let answer = answer(
            &format!("from: [\"{initiative}\"], depth: 20, first: 4{after}"),
            "totalCount nodes { id } edges { cursor distance } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }",
        )
        .await;
        let page = &answer["data"]["reach"];
        assert_eq!(page["totalCount"], 13, "{answer}");
        let (edges, nodes) = (page["edges"].as_array().expect("edges"), page["nodes"].as_array().expect("nodes"));
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !found.is_empty());
        assert_eq!(page["pageInfo"]["startCursor"], edges[0]["cursor"]);
        let key = |node: &Json| key_of(&node["id"]);
        found.extend(nodes.iter().zip(edges).map(|(node, edge)| (key(node), edge["distance"].as_i64().expect("one"))));
        assert_eq!(page["pageInfo"]["hasNextPage"], found.len() < whole.len());
        if found.len() == whole.len() {
            break;
        }
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    assert_eq!(found, whole);
}

#[tokio::test]
async fn what_can_not_be_asked_is_refused_with_its_place() {
    let many = vec![format!("\"{}\"", global(Kind::Worker, 50)); 101].join(",");
    for (arguments, place, code) in [
        (format!("from: [{many}]"), "from", "BAD_USER_INPUT"),
        ("from: [], depth: 0".to_owned(), "depth", "BAD_USER_INPUT"),
        ("from: [], depth: 21".to_owned(), "depth", "BAD_USER_INPUT"),
        ("from: [], first: -1".to_owned(), "first", "BAD_USER_INPUT"),
        ("from: [], first: 1001".to_owned(), "first", "BAD_USER_INPUT"),
        ("from: [], after: \"nonsense\"".to_owned(), "after", "BAD_USER_INPUT"),
    ] {
        let answer = answer(&arguments, "totalCount").await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["reach", place]), "{answer}");
    }
}

#[tokio::test]
async fn a_walk_costs_what_it_looks_at() {
    let query = format!("{{ reach(from: [\"{}\"], depth: 20) {{ totalCount }} }}", global(Kind::Initiative, 1));
    let answer = ask_with(&engine(&organisation(), Limits { cost: 10, ..Limits::default() }), &query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY", "{answer}");
}
