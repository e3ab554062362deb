//! How often each value of a field occurs in a list.

use super::*;

fn applications() -> Vec<Record> {
    let tags = |tags: &[&str]| ("tags", Value::Texts(tags.iter().map(|tag| (*tag).to_owned()).collect()));
    let vendor = |name: &str| ("vendor", Value::Text(name.to_owned().into()));
    let unit = |number| ("owner_org_unit_id", Value::Id(id(number)));
    let ai = |is| ("is_ai_system", Value::Bool(is));
    let stage = |number| ("lifecycle", Value::Enum(number));
    vec![
        record(Kind::OrgUnit, 50, "Back Office", &[]),
        record(Kind::Application, 1, "a", &[tags(&["core", "sox"]), vendor("Zeta"), unit(50), ai(true), stage(3)]),
        record(Kind::Application, 2, "b", &[tags(&["core"]), vendor("alpha"), unit(50), ai(false), stage(3)]),
        record(Kind::Application, 3, "c", &[tags(&["sox", "core"]), vendor("Zeta"), unit(99), ai(false), stage(1)]),
        record(Kind::Application, 4, "d", &[vendor("Beta"), stage(2)]),
        record(Kind::Application, 5, "e", &[vendor("Zeta")]),
    ]
}

#[tokio::test]
async fn every_sort_of_field_is_counted_over_the_whole_list() {
    let engine = engine(&applications(), Limits::default());
    let query = "{ applications(first: 1, orderBy: {field: NAME, direction: DESC}) {
        nodes { key } totalCount
        lifecycle: facets(by: LIFECYCLE) { value count record { id } }
        tags: facets(by: TAGS) { value count }
        vendor: facets(by: VENDOR, first: 2) { value count }
        ai: facets(by: IS_AI_SYSTEM) { __typename value count }
        owner: facets(by: OWNER_ORG_UNIT_ID) { value count record { __typename name ... on OrgUnit { key } } }
    } }";
    let answer = ask_with(&engine, query, json!({})).await;
    let unit = |number| global_id::encode(Kind::OrgUnit, id(number));
    assert_eq!(
        answer["data"]["applications"],
        json!({
            "nodes": [{"key": "K5"}],
            "totalCount": 5,
            "lifecycle": [
                {"value": "ACTIVE", "count": 2, "record": null},
                {"value": "PLAN", "count": 1, "record": null},
                {"value": "PHASE_IN", "count": 1, "record": null},
                {"value": null, "count": 1, "record": null}
            ],
            "tags": [{"value": "core", "count": 3}, {"value": "sox", "count": 2}, {"value": null, "count": 2}],
            "vendor": [{"value": "Zeta", "count": 3}, {"value": "alpha", "count": 1}],
            "ai": [
                {"__typename": "Facet", "value": "false", "count": 2},
                {"__typename": "Facet", "value": null, "count": 2},
                {"__typename": "Facet", "value": "true", "count": 1}
            ],
            "owner": [
                {"value": unit(50), "count": 2, "record": {"__typename": "OrgUnit", "name": "Back Office", "key": "K50"}},
                {"value": null, "count": 2, "record": null},
                {"value": unit(99), "count": 1, "record": null}
            ]
        }),
        "{answer}"
    );
}

#[tokio::test]
async fn facets_follow_the_filter_and_the_relation() {
    let engine = engine(&applications(), Limits::default());
    let query = "query($by: ApplicationFacetField!, $first: Int) {
        applications(filter: {isAiSystem: {eq: false}}) { totalCount facets(by: $by, first: $first) { value count record { name } } }
        orgUnit(key: \"K50\") { ownedApplications(after: null, first: 0) { nodes { id } facets(by: $by, first: $first) { value count } } }
    }";
    let answer = ask_with(&engine, query, json!({"by": "VENDOR", "first": 1})).await;
    assert_eq!(
        answer["data"],
        json!({
            "applications": {"totalCount": 2, "facets": [{"value": "alpha", "count": 1, "record": null}]},
            "orgUnit": {"ownedApplications": {"nodes": [], "facets": [{"value": "alpha", "count": 1}]}}
        }),
        "{answer}"
    );
    let answer = ask_with(&engine, query, json!({"by": "OWNER_ORG_UNIT_ID"})).await;
    assert_eq!(
        answer["data"]["applications"]["facets"][0]["record"],
        json!({"name": "Back Office"}),
        "which kind it is turns out with the variables: {answer}"
    );
}

#[tokio::test]
async fn what_has_no_facets_is_refused() {
    for (arguments, code) in [
        ("by: NAME", "GRAPHQL_VALIDATION_FAILED"),
        ("by: VENDOR, first: -1", "BAD_USER_INPUT"),
        ("by: VENDOR, first: 1001", "BAD_USER_INPUT"),
    ] {
        let query = format!("{{ applications {{ facets({arguments}) {{ count }} }} }}");
        let answer = ask_with(&engine(&applications(), Limits::default()), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{arguments}: {answer}");
    }
}
