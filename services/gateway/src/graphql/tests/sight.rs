//! Subscriptions and mutations of those who do not see everything.

use spil_access::Policy;
use spil_proto::model::Purpose;

use super::{
    subscription::{CHANGES, assert_quiet, next, write},
    *,
};
use crate::read_log::ReadLog;

/// Whoever is linked to a worker sees that worker and what is said of that worker's skills, and writes what they like.
const OWN: &str = r#"
version = 1
[worker]
claim = "worker"
by = "key"
[roles.employee]
description = "Sees own data."
members = [{ linked = true }]
allow = [
  { kinds = ["Worker", "SkillAssertion"], actions = ["read"], scope = "own_record" },
  { kinds = ["Skill", "Capability"], actions = ["read"], scope = "all" },
  { kinds = ["*"], except = ["Worker"], actions = ["create", "update"], scope = "all" },
]
[roles.hris]
description = "Changes every worker and sees none of them by that."
members = [{ claim = "scope", value = "write" }]
allow = [
  { kinds = ["Worker", "Skill", "SkillAssertion"], actions = ["create", "update"], scope = "all" },
]
"#;

fn worker(number: u128, name: &str, status: i32, version: i64) -> Record {
    let name = ("display_name", Value::Text(name.to_owned().into()));
    in_version(record(Kind::Worker, number, "", &[name, ("status", Value::Enum(status))]), version)
}

fn in_version(mut record: Record, version: i64) -> Record {
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::VERSION, Value::Int(version)).expect("a version");
    entity.header_mut().updated_at = version - 1;
    record
}

fn assertion(number: u128, worker: u128, level: i64, version: i64) -> Record {
    let values = [("worker_id", Value::Id(id(worker))), ("level", Value::Int(level))];
    in_version(record(Kind::SkillAssertion, number, "", &values), version)
}

fn people() -> Vec<Record> {
    vec![worker(1, "Ada", 2, 1), worker(2, "Bo", 2, 1), record(Kind::Skill, 5, "Rust", &[]), assertion(11, 1, 3, 1)]
}

fn restricted() -> Arc<Engine> {
    let policy = Policy::parse("own.toml", OWN).expect("a policy");
    Arc::new(engine(&people(), Limits::default()).with_policy(PolicyHandle::fixed(policy)))
}

fn ada() -> Caller {
    let claims = json!({"worker": "K1"}).as_object().expect("an object").clone();
    Caller::new("ada", []).with_claims(claims)
}

async fn subscribe_as(engine: &Arc<Engine>, caller: &Caller, purpose: Option<Purpose>, query: &str) -> Responses {
    let mut request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
    request.purpose = purpose;
    match engine.start(caller, "token", request, Allowed::Everything).await {
        Started::Stream(responses) => responses,
        Started::Once(response) => panic!("refused: {:?}", response.body),
    }
}

fn retired(mut record: Record) -> Record {
    record.entity_mut().expect("an entity").header_mut().retired_at = Some(7);
    record
}

#[tokio::test]
async fn a_change_of_nothing_but_what_is_hidden_is_none() {
    let (log, _) = ReadLog::in_memory();
    let engine = Arc::new(engine(&people(), Limits::default()).with_read_log(Some(log)));
    let mut anybody = subscribe_as(&engine, &caller(), None, CHANGES).await;
    let by_name = "subscription { changes(filter: {fields: [\"displayName\"]}) { fields } }";
    let mut asks_for_names = subscribe_as(&engine, &caller(), None, by_name).await;
    let purpose = Some(Purpose::PersonnelAdministration);
    let mut personnel = subscribe_as(&engine, &caller(), purpose, CHANGES).await;
    write(&engine, Owner::Workforce, vec![worker(1, "Ada L.", 2, 2)]);
    write(&engine, Owner::Workforce, vec![worker(1, "Ada Lovelace", 3, 3)]);
    write(&engine, Owner::Workforce, vec![worker(3, "Cy", 2, 1)]);
    for expected in [json!(["status"]), json!(["status"])] {
        let change = next(&mut anybody).await["data"]["changes"].take();
        assert_eq!((&change["fields"], &change["record"]["name"]), (&expected, &Json::Null), "{change}");
    }
    assert_quiet(&mut anybody);
    assert_quiet(&mut asks_for_names);
    for expected in
        [json!(["displayName"]), json!(["displayName", "status"]), json!(["key", "name", "displayName", "status"])]
    {
        assert_eq!(next(&mut personnel).await["data"]["changes"]["fields"], expected);
    }
}

#[tokio::test]
async fn auditors_only_are_told_who_writes_about_people() {
    let engine = Arc::new(engine(&people(), Limits::default()));
    let reader = Caller::new("reader", [Permission::Read]);
    let auditor = Caller::new("auditor", [Permission::Read, Permission::Audit]);
    let (all, by_anna) = (
        "subscription { changes { kind actor } }",
        "subscription { changes(filter: {actors: [\"anna\"]}) { kind actor } }",
    );
    let mut told = subscribe_as(&engine, &reader, None, all).await;
    let mut asks_for_her = subscribe_as(&engine, &reader, None, by_anna).await;
    let mut audits = subscribe_as(&engine, &auditor, None, by_anna).await;
    write(&engine, Owner::Workforce, vec![assertion(12, 2, 4, 1), record(Kind::Skill, 6, "Go", &[])]);
    let claim = |actor: Json| json!({"kind": "SKILL_ASSERTION", "actor": actor});
    let skill = json!({"kind": "SKILL", "actor": "anna"});
    for (stream, expected) in [
        (&mut told, vec![claim(Json::Null), skill.clone()]),
        (&mut asks_for_her, vec![skill.clone()]),
        (&mut audits, vec![claim(json!("anna")), skill.clone()]),
    ] {
        for expected in expected {
            assert_eq!(next(stream).await["data"]["changes"], expected);
        }
        assert_quiet(stream);
    }
}

#[tokio::test]
async fn nobody_is_told_who_others_are_where_that_can_not_be_kept() {
    let engine = engine(&people(), Limits::default());
    for (query, is_told) in [
        ("{ workers { nodes { displayName } } }", false),
        ("{ workers { nodes { status skillAssertions { nodes { worker { displayName } } } } } }", false),
        ("{ workers(filter: {displayName: {eq: \"Ada\"}}) { totalCount } }", false),
        ("{ workers(filter: {not: {displayName: {eq: \"Nobody\"}}}, first: 0) { totalCount } }", false),
        ("{ workers(filter: {displayName: {eq: \"Nobody\"}}) { totalCount } }", true),
        ("{ workers(orderBy: {field: DISPLAY_NAME}) { nodes { id } } }", false),
        ("{ skillAssertions(filter: {worker: {displayName: {eq: \"Ada\"}}}) { totalCount } }", false),
        ("{ workers { totalCount nodes { id status } } }", true),
    ] {
        let request: Request = serde_json::from_value(json!({"query": query})).expect("a request");
        let request = Request { purpose: Some(Purpose::PersonnelAdministration), ..request };
        let response = engine.execute(&caller(), "token", request, Allowed::Everything).await;
        let answer: Json = serde_json::from_slice(&response.body).expect("JSON");
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code == "UNAVAILABLE", !is_told, "{query} {answer}");
    }
}

#[tokio::test]
async fn changes_of_others_are_not_told() {
    let engine = restricted();
    let mut own = subscribe_as(&engine, &ada(), None, CHANGES).await;
    write(&engine, Owner::Workforce, vec![worker(2, "Bo", 3, 2), assertion(12, 2, 4, 1), worker(1, "Ada", 3, 2)]);
    write(&engine, Owner::Workforce, vec![assertion(13, 1, 4, 1)]);
    write(&engine, Owner::Workforce, vec![retired(assertion(12, 2, 4, 1)), retired(assertion(11, 1, 3, 1))]);
    for (kind, number, action) in
        [(Kind::Worker, 1, "UPDATED"), (Kind::SkillAssertion, 13, "CREATED"), (Kind::SkillAssertion, 11, "RETIRED")]
    {
        let change = next(&mut own).await["data"]["changes"].take();
        assert_eq!((&change["id"], &change["action"]), (&json!(global_id::encode(kind, id(number))), &json!(action)));
    }
    assert_quiet(&mut own);
}

#[tokio::test]
async fn live_answers_are_shared_by_those_who_see_the_same() {
    let (log, kept) = ReadLog::in_memory();
    let engine = Arc::new(engine(&people(), Limits::default()).with_read_log(Some(log)));
    let query = "subscription { live { workers { nodes { displayName } } } }";
    let purpose = Some(Purpose::PersonnelAdministration);
    let mut anybody = subscribe_as(&engine, &caller(), None, query).await;
    let mut personnel = subscribe_as(&engine, &caller(), purpose, query).await;
    let other = Caller::new("other", Permission::ALL);
    let mut colleague = subscribe_as(&engine, &other, purpose, query).await;
    let names = |answer: &Json| answer["data"]["live"]["workers"]["nodes"].clone();
    assert_eq!(names(&next(&mut anybody).await), json!([{"displayName": null}, {"displayName": null}]));
    assert_eq!(names(&next(&mut personnel).await), json!([{"displayName": "Ada"}, {"displayName": "Bo"}]));
    assert_eq!(names(&next(&mut colleague).await), json!([{"displayName": "Ada"}, {"displayName": "Bo"}]));
    // They share the answer, and each of them has read it.
    let mut readers: Vec<_> = kept.lock().expect("reads").iter().map(|read| read.reader.clone()).collect();
    readers.sort();
    assert_eq!(readers, ["other", "other", "tester", "tester"]);
    write(&engine, Owner::Workforce, vec![worker(1, "Ada L.", 2, 2)]);
    assert_eq!(names(&next(&mut personnel).await), json!([{"displayName": "Ada L."}, {"displayName": "Bo"}]));
    assert_quiet(&mut anybody);
}

#[tokio::test]
async fn a_live_answer_follows_what_becomes_one_s_own() {
    let engine = restricted();
    let mut own = subscribe_as(&engine, &ada(), None, "subscription { live { skillAssertions { totalCount } } }").await;
    let count = |answer: Json| answer["data"]["live"]["skillAssertions"]["totalCount"].clone();
    assert_eq!(count(next(&mut own).await), 1);
    write(&engine, Owner::Workforce, vec![assertion(12, 2, 4, 1)]);
    write(&engine, Owner::Workforce, vec![assertion(12, 1, 4, 2)]);
    assert_eq!(count(next(&mut own).await), 2);
}

#[tokio::test]
async fn a_reference_to_what_is_hidden_is_one_to_what_is_not_there() {
    let engine = restricted();
    let query = "mutation($worker: ID!, $skill: ID!) { createSkillAssertion(input: {workerId: $worker, skillId: $skill, level: 2}) { userErrors { __typename ... on InputError { code message path } } } }";
    let ask = async |caller: &Caller, number: u128| {
        let request: Request = serde_json::from_value(json!({"query": query, "variables": {
            "worker": global_id::encode(Kind::Worker, id(number)),
            "skill": global_id::encode(Kind::Skill, id(5)),
        }}))
        .expect("a request");
        let response = engine.execute(caller, "token", request, Allowed::Everything).await;
        serde_json::from_slice::<Json>(&response.body).expect("JSON")
    };
    let answer = ask(&ada(), 2).await;
    let error = json!({
        "__typename": "InputError",
        "code": "NOT_FOUND",
        "message": "`workerId` refers to a record that is not there",
        "path": ["input", "workerId"],
    });
    assert_eq!(answer["data"]["createSkillAssertion"]["userErrors"], json!([error]), "{answer}");
    // The owner, which can not be reached here, is asked about the others.
    for number in [1, 99] {
        assert!(ask(&ada(), number).await.get("errors").is_some());
    }
    // Whoever may change all workers may refer to each, seen or not.
    let claims = json!({"scope": "write"}).as_object().cloned().expect("an object");
    let hris = Caller::new("hris", []).with_claims(claims);
    assert!(ask(&hris, 2).await.get("errors").is_some());
}
