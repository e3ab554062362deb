//! Who set which field.

use spil_proto::changefeed::v1::Origin;

use super::*;

/// Two writes to the first capability of the sample, none to the others.
fn written() -> Engine {
    let records = sample();
    let mut graph = Graph::new();
    records.iter().skip(1).for_each(|record| graph.apply(record).expect("a record"));
    let tag = |column: &str| Kind::Capability.info().field_by_column(column).expect("a field").tag;
    let origin = |source: &str, run: &str, at| {
        Arc::new(Origin { source: source.to_owned(), run: run.to_owned(), actor: "anna \"a\"".to_owned(), at })
    };
    let (import, edit) = (origin("import:hr", "r1", 0), origin("graphql", "", 1_500_000));
    let imported = [tag("key"), tag("name"), tag("maturity_current")];
    graph.apply_change(&records[0], &imported, &import).expect("a record");
    graph.apply_change(&records[0], &[tag("maturity_current"), tag("parent_id")], &edit).expect("a record");
    engine_over(graph, Limits::default())
}

#[tokio::test]
async fn a_field_and_all_fields_tell_who_set_them() {
    let query = "query($field: String!) {
        capability(key: \"K1\") {
            one: provenance(field: $field) { __typename at source run actor }
            cleared: provenance(field: \"parent\") { source run }
            never: provenance(field: \"description\") { source }
            provenances { __typename field source }
        }
        other: capability(key: \"K2\") { provenance(field: \"name\") { source } provenances { field } }
    }";
    let answer = ask_with(&written(), query, json!({"field": "maturityCurrent"})).await;
    let entry = |field: &str, source: &str| json!({"__typename": "FieldProvenance", "field": field, "source": source});
    assert_eq!(
        answer["data"],
        json!({
            "capability": {
                "one": {"__typename": "Provenance", "at": "1970-01-01T00:00:01.500000Z", "source": "graphql", "run": null, "actor": "anna \"a\""},
                "cleared": {"source": "graphql", "run": null},
                "never": null,
                "provenances": [
                    entry("key", "import:hr"), entry("name", "import:hr"), entry("maturityCurrent", "graphql"), entry("parent", "graphql")
                ],
            },
            "other": {"provenance": null, "provenances": []},
        })
    );
}

#[tokio::test]
async fn auditors_only_are_told_who_set_what_is_said_of_people() {
    let mut graph = Graph::new();
    let set: Vec<u32> = Kind::SkillAssertion.info().fields().map(|info| info.tag).collect();
    let origin =
        Origin { source: "graphql".to_owned(), run: String::new(), actor: "ada@example.org".to_owned(), at: 0 };
    let claim = record(Kind::SkillAssertion, 1, "", &[("level", Value::Int(3))]);
    graph.apply_change(&claim, &set, &Arc::new(origin)).expect("a record");
    let engine = engine_over(graph, Limits::default());
    let query = "{ skillAssertions { nodes { provenance(field: \"level\") { actor } provenances { actor } } } }";
    for (permissions, actor) in [(&[Permission::Read][..], Json::Null), (&Permission::ALL, json!("ada@example.org"))] {
        let request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
        let caller = Caller::new("somebody", permissions.iter().copied());
        let response = engine.execute(&caller, "token", request, Allowed::Everything).await;
        let answer: Json = serde_json::from_slice(&response.body).expect("JSON");
        let node = &answer["data"]["skillAssertions"]["nodes"][0];
        assert_eq!(node["provenance"], json!({"actor": actor}), "{answer}");
        assert!(
            node["provenances"]
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(|it| it["actor"] == actor))
        );
    }
}

#[tokio::test]
async fn a_name_that_is_no_field_is_refused() {
    let query = "query($field: String!) { capabilities { nodes { children { nodes { who: provenance(field: $field) { at } } } } } }";
    for field in ["maturity_current", "parent_id", "children", "fte", ""] {
        let answer = ask_with(&written(), query, json!({"field": field})).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        assert_eq!(error["path"], json!(["capabilities", "nodes", "children", "nodes", "who", "field"]));
    }
}

#[tokio::test]
async fn a_record_of_any_kind_is_asked_by_any_kinds_field() {
    let query =
        "query($id: ID!, $field: String!) { node(id: $id) { ... on Record { provenance(field: $field) { run } } } }";
    let id = super::super::global_id::encode(Kind::Capability, id(1));
    for (field, expected) in [("name", json!({"run": "r1"})), ("fte", Json::Null), ("maturityTarget", Json::Null)] {
        let answer = ask_with(&written(), query, json!({"id": id, "field": field})).await;
        assert_eq!(answer["data"]["node"]["provenance"], expected, "{answer}");
    }
    let answer = ask_with(&written(), query, json!({"id": id, "field": "nonsense"})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
}
