//! Figures about groups of people, and the register, as they are asked.

use super::*;

/// A unit with seven people in its one position, and one with two.
fn staff() -> Vec<Record> {
    let mut records = Vec::new();
    for (unit, people) in [(100, 7), (200, 2)] {
        records.push(record(Kind::OrgUnit, unit, "Unit", &[]));
        records.push(record(Kind::Position, unit + 1, "", &[("org_unit_id", Value::Id(id(unit)))]));
        for at in 0..people {
            let worker = unit + 10 + at;
            records.push(record(Kind::Worker, worker, "", &[("status", Value::Enum(2))]));
            let values = [("worker_id", Value::Id(id(worker))), ("position_id", Value::Id(id(unit + 1)))];
            records.push(record(Kind::Assignment, unit + 50 + at, "", &values));
        }
    }
    records
}

const COUNT: &str = "{ peopleCounts(by: ORG_UNIT) { smallestGroup groups { orgUnit { key } n } } }";

#[tokio::test]
async fn people_are_counted_and_small_groups_are_not_told() {
    let engine = engine(&staff(), Limits::default());
    let answer = ask_with(&engine, COUNT, json!({})).await;
    let counts = &answer["data"]["peopleCounts"];
    assert_eq!(counts["smallestGroup"], 5);
    // The second is hidden because it is small, the first because the whole minus it is the second.
    let groups = json!([{"orgUnit": {"key": "K100"}, "n": null}, {"orgUnit": {"key": "K200"}, "n": null}]);
    assert_eq!(counts["groups"], groups, "{answer}");
    let query =
        "{ a: peopleCounts { groups { n fte __typename } } b: peopleCounts(of: FTE) { asOf groups { n fte } } }";
    let answer = ask_with(&engine, query, json!({})).await;
    assert_eq!(answer["data"]["a"]["groups"], json!([{"n": 9, "fte": null, "__typename": "PeopleGroup"}]), "{answer}");
    assert_eq!(answer["data"]["b"]["groups"], json!([{"n": 9, "fte": 9}]));
}

#[tokio::test]
async fn other_questions_are_refused() {
    let engine = engine(&staff(), Limits::default());
    for (arguments, at) in [
        ("by: [STATUS, TIER]", "by"),
        ("by: [ORG_UNIT, ROLE]", "by"),
        ("by: STATUS, of: FTE", "of"),
        ("of: SKILLED", "skillId"),
        ("of: SKILLED, skillId: \"x\"", "skillId"),
        ("skillId: \"x\"", "skillId"),
    ] {
        let answer = ask_with(&engine, &format!("{{ peopleCounts({arguments}) {{ asOf }} }}"), json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{arguments}: {answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["peopleCounts", at]), "{arguments}");
    }
    let live = ask_with(&engine, "subscription { live { peopleCounts { asOf } } }", json!({})).await;
    assert_eq!(live["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn figures_need_the_action_and_the_register_needs_none() {
    let engine = engine(&staff(), Limits::default());
    let caller = Caller::new("writer", [Permission::Write]);
    let ask = async |query: &str| {
        let request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
        let response = engine.execute(&caller, "token", request, Allowed::Everything).await;
        serde_json::from_slice::<Json>(&response.body).expect("JSON")
    };
    assert_eq!(ask(COUNT).await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(ask("{ workers { totalCount } }").await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let register = ask("{ dataRegister { kind field isIdentifying readers } }").await;
    let entries = register["data"]["dataRegister"].as_array().expect("a list");
    let email = entries.iter().find(|entry| entry["kind"] == "WORKER" && entry["field"] == "email").expect("an entry");
    assert_eq!(
        *email,
        json!({"kind": "WORKER", "field": "email", "isIdentifying": true, "readers": ["employee", "personnel"]})
    );
}
