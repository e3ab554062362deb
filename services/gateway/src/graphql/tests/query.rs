//! What queries answer.

use super::*;

#[tokio::test]
async fn a_record_is_found_by_id_key_and_node() {
    let id = global_id::encode(Kind::Capability, id(2));
    let answer = data(
        "query($id: ID!) {
           a: capability(id: $id) { __typename id key name maturityCurrent maturityTarget kind tags version }
           b: capability(key: \"K2\") { id }
           node(id: $id) { id ... on Capability { maturityCurrent } ... on Record { name } ... on Initiative { budget } }
           nodes(ids: [$id, \"nonsense\"]) { id }
           none: capability(key: \"K99\") { id }
         }",
        json!({"id": id}),
    )
    .await;
    assert_eq!(
        answer,
        json!({
            "a": {"__typename": "Capability", "id": id, "key": "K2", "name": "Claims handling", "maturityCurrent": 3, "maturityTarget": null,
                  "kind": null, "tags": ["core"], "version": 1},
            "b": {"id": id},
            "node": {"id": id, "maturityCurrent": 3, "name": "Claims handling"},
            "nodes": [{"id": id}, null],
            "none": null
        })
    );
}

#[tokio::test]
async fn relations_go_both_ways_and_along_paths() {
    let answer = data(
        "{ capability(key: \"K2\") {
             parent { name children { totalCount nodes { name } } }
             initiatives { nodes { name usesAi budget start } }
             changes { nodes { initiative { key } } }
         } }",
        json!({}),
    )
    .await;
    assert_eq!(
        answer["capability"],
        json!({
            "parent": {"name": "Customer service", "children": {"totalCount": 2, "nodes": [{"name": "Claims handling"}, {"name": "Complaint \"handling\""}]}},
            "initiatives": {"nodes": [
                {"name": "Claims assistant", "usesAi": true, "budget": "1250.5", "start": "2024-10-04"},
                {"name": "Paperless", "usesAi": null, "budget": null, "start": null}
            ]},
            "changes": {"nodes": [{"initiative": {"key": "K10"}}, {"initiative": {"key": "K11"}}]}
        })
    );
}

#[tokio::test]
async fn an_edge_to_what_is_not_there_is_null_and_counted() {
    let answer = data(
        "{ capability(key: \"K5\") { parent { id } } snapshot { danglingReferences { kind field count } } }",
        json!({}),
    )
    .await;
    assert_eq!(answer["capability"]["parent"], Json::Null);
    assert_eq!(
        answer["snapshot"]["danglingReferences"],
        json!([{"kind": "Capability", "field": "parentId", "count": 1}])
    );
}

#[tokio::test]
async fn filters_compare_fields_and_related_records() {
    for (filter, expected) in [
        ("{maturityCurrent: {gte: 3}}", vec!["K2", "K4"]),
        ("{maturityCurrent: {in: [1, 2]}}", vec!["K1", "K3"]),
        ("{maturityCurrent: {isNull: true}}", vec!["K5"]),
        ("{name: {contains: \"HANDLING\"}}", vec!["K2", "K3"]),
        ("{name: {startsWith: \"b\"}}", vec!["K4"]),
        ("{kind: {eq: BUSINESS}}", vec!["K1"]),
        ("{tags: {has: \"core\"}}", vec!["K2"]),
        ("{tags: {isEmpty: false}}", vec!["K2"]),
        ("{parent: {key: {eq: \"K1\"}}}", vec!["K2", "K3"]),
        ("{children: {some: {maturityCurrent: {eq: 1}}}}", vec!["K1"]),
        ("{changes: {none: {}}, maturityCurrent: {isNull: false}}", vec!["K1", "K4"]),
        ("{initiatives: {some: {usesAi: {eq: true}}}}", vec!["K2", "K3"]),
        ("{or: [{key: {eq: \"K1\"}}, {key: {eq: \"K4\"}}]}", vec!["K1", "K4"]),
        ("{not: {maturityCurrent: {gte: 3}}}", vec!["K1", "K3", "K5"]),
        ("{}", vec!["K1", "K2", "K3", "K4", "K5"]),
    ] {
        let answer =
            data(&format!("{{ capabilities(filter: {filter}) {{ totalCount nodes {{ key }} }} }}"), json!({})).await;
        let keys: Vec<_> = answer["capabilities"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|node| node["key"].as_str().expect("a key"))
            .collect();
        assert_eq!(keys, expected, "{filter}");
        assert_eq!(answer["capabilities"]["totalCount"], json!(expected.len()), "{filter}");
    }
}

#[tokio::test]
async fn filters_and_orders_come_from_variables_too() {
    let answer = data(
        "query($filter: CapabilityFilter, $order: [CapabilityOrder!], $first: Int = 2) {
           capabilities(filter: $filter, orderBy: $order, first: $first) { nodes { key } } }",
        json!({"filter": {"maturityCurrent": {"isNull": false}}, "order": [{"field": "MATURITY_CURRENT", "direction": "DESC"}, {"field": "NAME"}]}),
    )
    .await;
    assert_eq!(answer["capabilities"]["nodes"], json!([{"key": "K4"}, {"key": "K2"}]));
}

#[tokio::test]
async fn fragments_are_merged_and_conditions_obeyed() {
    let query = "query($deep: Boolean!) {
        capability(key: \"K2\") { ...A parent { key } ...B @include(if: $deep) ... on Record @skip(if: $deep) { description } }
      }
      fragment A on Capability { key parent { name } }
      fragment B on Capability { parent { children(first: 1) { nodes { key } } } }";
    assert_eq!(
        data(query, json!({"deep": true})).await["capability"],
        json!({"key": "K2", "parent": {"name": "Customer service", "key": "K1", "children": {"nodes": [{"key": "K2"}]}}})
    );
    assert_eq!(
        data(query, json!({"deep": false})).await["capability"],
        json!({"key": "K2", "parent": {"name": "Customer service", "key": "K1"}, "description": null})
    );
}

#[tokio::test]
async fn the_schema_can_be_asked() {
    let answer = data(
        "{ __typename s: __schema { queryType { name } } __type(name: \"Capability\") { kind interfaces { name } } }",
        json!({}),
    )
    .await;
    assert_eq!(
        answer,
        json!({"__typename": "Query", "s": {"queryType": {"name": "Query"}}, "__type": {"kind": "OBJECT", "interfaces": [{"name": "Record"}, {"name": "Node"}]}})
    );
}

#[tokio::test]
async fn one_of_several_operations_is_named() {
    let engine = engine(&sample(), Limits::default());
    let ask = |name: Option<&str>| {
        let request = Request {
            query: Some("query A { a: __typename } query B { b: __typename }".to_owned()),
            operation_name: name.map(str::to_owned),
            ..Request::default()
        };
        async { engine.execute(&caller(), "token", request, Allowed::Everything).await }
    };
    assert!(ask(Some("B")).await.body.starts_with(b"{\"data\":{\"b\":\"Query\"}"));
    assert_eq!(ask(None).await.status, ResponseStatus::Refused(Code::ValidationFailed));
    assert_eq!(ask(Some("C")).await.status, ResponseStatus::Refused(Code::ValidationFailed));
}

#[tokio::test]
async fn permissions_are_needed() {
    let engine = engine(&sample(), Limits::default());
    for (permissions, query, code) in [
        (&[][..], "{ __typename }", Some(Code::Forbidden)),
        (&[Permission::Read][..], "{ __typename }", None),
        (&[Permission::Read, Permission::Write][..], "{ snapshot { owners { name } } }", Some(Code::Forbidden)),
        (&[Permission::Read, Permission::Admin][..], "{ snapshot { owners { name } } }", None),
        (&[Permission::Read][..], "mutation { retireWorker(input: {id: \"x\"}) { stale } }", Some(Code::Forbidden)),
        (&[Permission::Write][..], "mutation { retireWorker(input: {id: \"x\"}) { stale } }", None),
        (
            &[Permission::Write][..],
            "mutation { eraseWorker(input: {id: \"x\", reason: \"r\"}) { erasedAt } }",
            Some(Code::Forbidden),
        ),
        (&[Permission::Write][..], "{ workers { totalCount } }", Some(Code::Forbidden)),
    ] {
        let request = Request { query: Some(query.to_owned()), ..Request::default() };
        let response =
            engine.execute(&Caller::new("x", permissions.iter().copied()), "token", request, Allowed::Everything).await;
        let expected = code.map_or(ResponseStatus::Executed, ResponseStatus::Refused);
        assert_eq!(response.status, expected, "{permissions:?} {query}");
    }
}

#[tokio::test]
async fn an_owner_that_is_down_fails_the_mutation_alone() {
    let engine = engine(&sample(), Limits::default());
    let answer =
        ask_with(&engine, "mutation { __typename a: createCapability(input: {name: \"x\"}) { stale } }", json!({}))
            .await;
    assert_eq!(answer["data"], json!({"__typename": "Mutation", "a": null}));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(answer["errors"][0]["path"], json!(["a"]));
    assert_eq!(data("{ capabilities { totalCount } }", json!({})).await["capabilities"]["totalCount"], 5);
}

#[tokio::test]
async fn a_request_is_answered_as_fresh_as_it_asks() {
    let engine = engine(&sample(), Limits::default());
    let ask = |token: Option<String>| {
        let extensions = Some(RequestExtensions { consistency: token, ..RequestExtensions::default() });
        let request = Request { query: Some("{ __typename }".to_owned()), extensions, ..Request::default() };
        async { engine.execute(&caller(), "token", request, Allowed::Everything).await }
    };
    let response = ask(None).await;
    let json: Json = serde_json::from_slice(&response.body).expect("JSON");
    let token = json["extensions"]["consistency"].as_str().expect("a token").to_owned();
    assert_eq!(ask(Some(token)).await.status, ResponseStatus::Executed);
    assert_eq!(ask(Some("nonsense".to_owned())).await.status, ResponseStatus::Refused(Code::BadInput));
    let mut ahead = engine.live().load().owners.clone();
    ahead[1].cursor = Some(Cursor { store_id: vec![7; 16], epoch: 1, revision: 6, mark: 6 });
    let later = Published::new(engine.live().load().graph.clone(), ahead).token().to_owned();
    assert_eq!(ask(Some(later)).await.status, ResponseStatus::Refused(Code::NotReady));
    let mut other = engine.live().load().owners.clone();
    other[1].cursor = Some(Cursor { store_id: vec![8; 16], epoch: 1, revision: 1, mark: 1 });
    let foreign = Published::new(engine.live().load().graph.clone(), other).token().to_owned();
    assert_eq!(ask(Some(foreign)).await.status, ResponseStatus::Refused(Code::BadInput), "waiting would not help");
}
