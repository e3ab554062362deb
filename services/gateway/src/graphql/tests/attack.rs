//! Documents that ask for too much are refused before they cost anything.

use std::fmt::Write;

use super::*;

#[tokio::test]
async fn deep_documents_are_refused() {
    for depth in [41, 1_000, 10_000] {
        let query = format!("{{ capabilities {{ nodes {}id{} }} }}", "{ parent ".repeat(depth), " }".repeat(depth));
        let (code, message) = error(&query, json!({})).await;
        assert_eq!(code, "QUERY_TOO_DEEP", "{depth}: {message}");
    }
}

#[tokio::test]
async fn wide_documents_are_refused() {
    let mut query = String::from("{");
    for at in 0..6_000 {
        let _ = write!(query, " a{at}: __typename");
    }
    query.push('}');
    assert_eq!(error(&query, json!({})).await.0, "QUERY_TOO_LARGE");
    let long = format!("{{ __typename #{}\n}}", "x".repeat(200_000));
    assert_eq!(error(&long, json!({})).await.0, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn fragments_that_double_each_other_are_refused_at_once() {
    let mut query = String::from("{ ...f0 }");
    for at in 0..40 {
        let _ = write!(query, " fragment f{at} on Query {{ ...f{} ...f{} }}", at + 1, at + 1);
    }
    query.push_str(" fragment f40 on Query { __typename }");
    assert_eq!(error(&query, json!({})).await.0, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn a_long_chain_of_fragments_is_refused() {
    let mut query = String::from("{ ...f0 }");
    for at in 0..1_000 {
        let _ = write!(query, " fragment f{at} on Query {{ ...f{} }}", at + 1);
    }
    query.push_str(" fragment f1000 on Query { __typename }");
    assert_eq!(error(&query, json!({})).await.0, "QUERY_TOO_DEEP");
}

#[tokio::test]
async fn fragments_in_a_circle_are_refused() {
    let query = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    assert_eq!(error(query, json!({})).await.0, "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn lists_of_lists_are_stopped_by_their_cost() {
    let query =
        "{ capabilities { nodes { parent { children { nodes { parent { children { nodes { id name } } } } } } } } }";
    let answer = ask_with(&engine(&sample(), Limits { cost: 50, ..Limits::default() }), query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY");
    assert_eq!(answer["data"], Json::Null);
    let answer = ask_with(&engine(&sample(), Limits::default()), query, json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
}

#[tokio::test]
async fn a_query_that_turns_out_costly_is_answered_as_well() {
    let records: Vec<_> = (1..=300)
        .map(|number| {
            record(Kind::Skill, number, "skill", &[("broader_ids", Value::Ids((1..number.min(200)).map(id).collect()))])
        })
        .collect();
    let engine = engine(&records, Limits::default());
    let query = "{ skills(first: 300) { nodes { broader(first: 200) { nodes { name key } } } } }";
    let first = ask_with(&engine, query, json!({})).await;
    let nodes = first["data"]["skills"]["nodes"].as_array().expect("nodes");
    let below: usize = nodes.iter().map(|node| node["broader"]["nodes"].as_array().map_or(0, Vec::len)).sum();
    assert!(below as u64 * 2 > LIGHT_COST, "{below} are enough to be costly");
    assert_eq!(ask_with(&engine, query, json!({})).await, first, "and when it is known to be so");
}

#[tokio::test]
async fn a_large_variable_used_many_times_is_refused() {
    let filter = json!({"or": vec![json!({"or": vec![json!({}); 500]}); 20]});
    let aliases: String =
        (0..200).map(|at| format!(" a{at}: workers(filter: $f, first: 0) {{ totalCount }}")).collect();
    let query = format!("query($f: WorkerFilter) {{{aliases} }}");
    assert_eq!(error(&query, json!({"f": filter})).await.0, "QUERY_TOO_LARGE");
    assert_eq!(
        error("{ a: capabilities(orderBy: [{field: NAME}, {field: NAME}]) { totalCount } }", json!({})).await.0,
        "BAD_USER_INPUT"
    );
}

#[tokio::test]
async fn empty_filters_cost_too() {
    let filter = json!({"and": vec![json!({"not": {}}); 900]});
    let query = "query($f: SkillFilter) { skills(filter: $f) { totalCount } }";
    let records: Vec<_> = (1..=100).map(|number| record(Kind::Skill, number, "skill", &[])).collect();
    let ask = |cost: u64| {
        let engine = engine(&records, Limits { cost, ..Limits::default() });
        let filter = filter.clone();
        async move { ask_with(&engine, query, json!({"f": filter})).await }
    };
    assert_eq!(ask(1_000).await["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY");
    assert_eq!(ask(100_000).await["data"]["skills"]["totalCount"], 0);
}

#[tokio::test]
async fn long_texts_cost_more_than_short_ones() {
    let prose = "x".repeat(64_000);
    let records = [record(Kind::Skill, 1, "skill", &[("description", Value::Text(prose.into()))])];
    let aliases: String = (0..100).map(|at| format!(" a{at}: description")).collect();
    let query = format!("{{ skills {{ nodes {{{aliases} }} }} }}");
    let answer = ask_with(&engine(&records, Limits { cost: 10_000, ..Limits::default() }), &query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY");
}

#[tokio::test]
async fn the_schema_can_be_asked_a_few_times_only() {
    let aliases: String = (0..5).map(|at| format!(" a{at}: __schema {{ description }}")).collect();
    assert_eq!(error(&format!("{{{aliases} }}"), json!({})).await.0, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn many_mutations_are_refused() {
    let mut query = String::from("mutation {");
    for at in 0..101 {
        let _ = write!(query, " a{at}: retireSkill(input: {{id: \"x\"}}) {{ stale }}");
    }
    query.push('}');
    assert_eq!(error(&query, json!({})).await.0, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn values_of_the_wrong_type_are_named() {
    let query = "query($first: Int!, $filter: CapabilityFilter) { capabilities(first: $first, filter: $filter) { totalCount } }";
    for variables in [
        json!({}),
        json!({"first": "x"}),
        json!({"first": 1, "filter": {"nme": {}}}),
        json!({"first": 1, "filter": 7}),
        json!({"first": 1.5}),
    ] {
        let (code, message) = error(query, variables.clone()).await;
        assert_eq!(code, "BAD_USER_INPUT", "{variables}: {message}");
    }
    assert_eq!(error("{", json!({})).await.0, "GRAPHQL_PARSE_FAILED");
    assert_eq!(error("{ nothing }", json!({})).await.0, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(error("subscription { x }", json!({})).await.0, "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn a_document_does_not_run_as_another_one_with_the_same_hash() {
    let mutation = include_str!("collision/mutation.graphql");
    let query = include_str!("collision/query.graphql");
    assert_eq!(
        xxhash_rust::xxh3::xxh3_128(mutation.as_bytes()),
        xxhash_rust::xxh3::xxh3_128(query.as_bytes()),
        "made to collide"
    );
    let engine = engine(&sample(), Limits::default());
    // There is no owner to do it, but what it is was found out.
    assert!(ask_with(&engine, mutation, json!({})).await.get("errors").is_some());
    for _ in 0..2 {
        let answer = ask_with(&engine, query, json!({})).await;
        assert!(answer["data"]["initiatives"]["totalCount"].is_u64(), "{answer}");
    }
}

#[tokio::test]
async fn a_condition_is_true_or_false() {
    let query = "query($x: Boolean = true) { __typename @include(if: $x) }";
    assert_eq!(error(query, json!({"x": null})).await.0, "BAD_USER_INPUT");
    assert_eq!(data(query, json!({})).await, json!({"__typename": "Query"}));
    assert_eq!(data(query, json!({"x": false})).await, json!({}));
}
