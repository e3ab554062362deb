//! Pages of a connection.

use super::*;

const QUERY: &str = "query($first: Int, $after: String, $last: Int, $before: String, $order: [CapabilityOrder!]) {
  capabilities(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { key } } } }";

/// Reads all pages in one direction.
async fn pages(engine: &Engine, size: usize, forward: bool, order: Json) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let variables = if forward {
            json!({"first": size, "after": cursor, "order": order})
        } else {
            json!({"last": size, "before": cursor, "order": order})
        };
        let answer = ask_with(engine, QUERY, variables).await;
        let connection = &answer["data"]["capabilities"];
        assert_eq!(connection["totalCount"], 5, "{answer}");
        let page: Vec<_> = connection["edges"]
            .as_array()
            .expect("edges")
            .iter()
            .map(|edge| edge["node"]["key"].as_str().expect("a key").to_owned())
            .collect();
        assert!(page.len() <= size);
        let info = &connection["pageInfo"];
        assert_eq!(info["startCursor"], connection["edges"][0]["cursor"]);
        let (more, next) = if forward {
            (&info["hasNextPage"], &info["endCursor"])
        } else {
            (&info["hasPreviousPage"], &info["startCursor"])
        };
        if forward {
            keys.extend(page);
        } else {
            keys.splice(0..0, page);
        }
        if more == &json!(false) {
            return keys;
        }
        cursor = next.clone();
    }
}

#[tokio::test]
async fn pages_in_both_directions_hold_everything_once() {
    let engine = engine(&sample(), Limits::default());
    for order in [json!([]), json!([{"field": "NAME"}]), json!([{"field": "MATURITY_CURRENT", "direction": "DESC"}])] {
        let whole = pages(&engine, 10, true, order.clone()).await;
        assert_eq!(whole.len(), 5);
        for size in 1..=5 {
            assert_eq!(pages(&engine, size, true, order.clone()).await, whole, "forward {size} {order}");
            assert_eq!(pages(&engine, size, false, order.clone()).await, whole, "backward {size} {order}");
        }
    }
    assert_eq!(
        pages(&engine, 10, true, json!([{"field": "NAME"}])).await,
        ["K5", "K4", "K2", "K3", "K1"],
        "in any case: Archive, billing, Claims"
    );
}

#[tokio::test]
async fn what_is_no_page_is_refused() {
    for (arguments, code) in [
        ("first: -1", "BAD_USER_INPUT"),
        ("first: 1001", "BAD_USER_INPUT"),
        ("last: 1000000000", "BAD_USER_INPUT"),
        ("after: \"nonsense\"", "BAD_USER_INPUT"),
        ("first: 99999999999", "GRAPHQL_VALIDATION_FAILED"),
        ("orderBy: {field: TAGS}", "GRAPHQL_VALIDATION_FAILED"),
        ("filter: {name: {eq: null}}", "BAD_USER_INPUT"),
        ("filter: {createdAt: {gt: \"yesterday\"}}", "BAD_USER_INPUT"),
    ] {
        let (found, message) = error(&format!("{{ capabilities({arguments}) {{ totalCount }} }}"), json!({})).await;
        assert_eq!(found, code, "{arguments}: {message}");
    }
    let answer = ask_with(
        &engine(&sample(), Limits::default()),
        "{ a: capabilities(filter: {and: [{createdAt: {gt: \"x\"}}]}) { totalCount } }",
        json!({}),
    )
    .await;
    assert_eq!(answer["errors"][0]["path"], json!(["a", "filter", "and", "0", "createdAt", "gt"]));
}
