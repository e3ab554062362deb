//! What people do about the data that are kept of them, with a token that says who they are and nothing else.

use serde_json::{Value, json};
use spil_tests::{Client, Spil, run};

use crate::mutation::on_both;

const CREATE_WORKER: &str =
    "mutation($i: CreateWorkerInput!) { it: createWorker(input: $i) { record: worker { id } userErrors { message } } }";
const UPDATE_WORKER: &str = "mutation($i: UpdateWorkerInput!) { it: updateWorker(input: $i) { record: worker { contestation version } userErrors { ... on InputError { code path message } } } }";
const CREATE_SKILL: &str =
    "mutation($i: CreateSkillInput!) { it: createSkill(input: $i) { record: skill { id } userErrors { message } } }";
const CREATE_ASSERTION: &str = "mutation($i: CreateSkillAssertionInput!) { it: createSkillAssertion(input: $i) { record: skillAssertion { id level method } userErrors { ... on InputError { code path message } } } }";
const UPDATE_ASSERTION: &str = "mutation($i: UpdateSkillAssertionInput!) { it: updateSkillAssertion(input: $i) { record: skillAssertion { contestation level } userErrors { ... on InputError { code path message } } } }";
const RETIRE_ASSERTION: &str = "mutation($i: RetireSkillAssertionInput!) { it: retireSkillAssertion(input: $i) { record: skillAssertion { level } userErrors { ... on InputError { code path message } } } }";
const WORKER: &str =
    "query($id: ID!) { worker(id: $id) { key displayName contestation skillAssertions { totalCount } } }";

/// Whoever has a token that `spil token --worker` has made, without a purpose.
async fn as_worker(spil: &Spil, key: &str) -> Client {
    let data = spil.data().display().to_string();
    let made = run(["token", "--data", &data, "--worker", key]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).expect("a token").trim().to_owned();
    spil.client().with_token(token).without_purpose()
}

/// Sends a mutation and gives its payload.
async fn send(client: &Client, mutation: &str, input: Value) -> Value {
    client.ask(mutation, json!({"i": input})).await["it"].take()
}

/// Makes a record as somebody who may and gives its id.
async fn make(client: &Client, mutation: &str, input: Value) -> String {
    let payload = send(client, mutation, input).await;
    payload["record"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// The code of the one thing that is wrong and the field of the input, if it is one; nothing may have been given with it.
fn refused(payload: &Value) -> (&str, &str) {
    let errors = payload["userErrors"].as_array().expect("a list");
    assert_eq!((errors.len(), &payload["record"]), (1, &Value::Null), "{payload}");
    (errors[0]["code"].as_str().expect("a code"), errors[0]["path"][1].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_contest_their_own_data_and_nobody_else_s() {
    on_both(async |spil| {
        let admin = spil.client();
        let ada = make(&admin, CREATE_WORKER, json!({"key": "ada", "displayName": "Ada L", "number": "7"})).await;
        let ben = make(&admin, CREATE_WORKER, json!({"key": "ben", "displayName": "Ben K"})).await;
        let gone = make(&admin, CREATE_WORKER, json!({"key": "gone"})).await;
        admin.ask("mutation($id: ID!) { retireWorker(input: {id: $id}) { stale } }", json!({"id": gone})).await;
        let skill = make(&admin, CREATE_SKILL, json!({"name": "Welding"})).await;
        let said = |worker: &str| json!({"workerId": worker, "skillId": skill, "level": 2, "method": "MANAGER"});
        let of_ada = make(&admin, CREATE_ASSERTION, said(&ada)).await;
        let of_ben = make(&admin, CREATE_ASSERTION, said(&ben)).await;

        // The own record, with names and without a purpose; another one is as if it were not there.
        let me = as_worker(spil, "ada").await;
        let all = "{ workers { totalCount nodes { displayName number skillAssertions { nodes { level skill { name } } } } } }";
        let own = json!({"displayName": "Ada L", "number": "7", "skillAssertions": {"nodes": [{"level": 2, "skill": {"name": "Welding"}}]}});
        assert_eq!(me.ask(all, json!({})).await["workers"], json!({"totalCount": 1, "nodes": [own]}));
        assert_eq!(me.ask(WORKER, json!({"id": ben})).await, json!({"worker": null}));

        // Contesting changes what is said against a record and nothing else of it.
        let payload = send(&me, UPDATE_WORKER, json!({"id": ada, "contestation": "My name is Ada B"})).await;
        assert_eq!(payload, json!({"record": {"contestation": "My name is Ada B", "version": 2}, "userErrors": []}));
        let payload = send(&me, UPDATE_ASSERTION, json!({"id": of_ada, "contestation": "I can do more"})).await;
        assert_eq!(payload, json!({"record": {"contestation": "I can do more", "level": 2}, "userErrors": []}));
        let kept = admin.ask(WORKER, json!({"id": ada})).await["worker"].take();
        assert_eq!((&kept["displayName"], &kept["contestation"]), (&json!("Ada L"), &json!("My name is Ada B")));
        let pseudonym = admin.without_purpose().ask(WORKER, json!({"id": ada})).await["worker"].take();
        assert_eq!((&pseudonym["displayName"], &pseudonym["contestation"]), (&Value::Null, &Value::Null));

        for (mutation, input, field) in [
            (UPDATE_WORKER, json!({"id": ada, "displayName": "Ada B"}), "displayName"),
            (UPDATE_WORKER, json!({"id": ada, "status": "LEFT"}), "status"),
            (UPDATE_WORKER, json!({"id": ada, "contestation": "x", "number": "8"}), "number"),
            (UPDATE_ASSERTION, json!({"id": of_ada, "level": 5}), "level"),
            (UPDATE_ASSERTION, json!({"id": of_ada, "contestation": "x", "method": "SELF"}), "method"),
        ] {
            let payload = send(&me, mutation, input.clone()).await;
            assert_eq!(refused(&payload), ("FORBIDDEN", field), "{input}");
        }

        // What is about others is answered as what is there no more and as what never was.
        for (mutation, about, absent) in [
            (UPDATE_WORKER, ben.as_str(), gone.as_str()),
            (UPDATE_WORKER, ben.as_str(), "nothing"),
            (UPDATE_ASSERTION, of_ben.as_str(), "nothing"),
        ] {
            let contest = |id: &str| json!({"id": id, "contestation": "x"});
            let payload = send(&me, mutation, contest(about)).await;
            assert_eq!(refused(&payload).0, "NOT_FOUND");
            assert_eq!(payload.to_string(), send(&me, mutation, contest(absent)).await.to_string());
        }
        assert_eq!(refused(&send(&me, RETIRE_ASSERTION, json!({"id": of_ben})).await).0, "NOT_FOUND");
        assert_eq!(refused(&send(&me, RETIRE_ASSERTION, json!({"id": of_ada})).await).0, "FORBIDDEN");
        let kept = admin.ask(WORKER, json!({"id": ben})).await["worker"].take();
        let untouched = json!({"key": "ben", "displayName": "Ben K", "contestation": null, "skillAssertions": {"totalCount": 1}});
        assert_eq!(kept, untouched);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_say_themselves_what_they_can_do() {
    on_both(async |spil| {
        let admin = spil.client();
        let ada = make(&admin, CREATE_WORKER, json!({"key": "ada"})).await;
        let ben = make(&admin, CREATE_WORKER, json!({"key": "ben"})).await;
        let skill = make(&admin, CREATE_SKILL, json!({"name": "Welding"})).await;
        let me = as_worker(spil, "ada").await;
        let said =
            |worker: &str, method: &str| json!({"workerId": worker, "skillId": skill, "level": 3, "method": method});

        let payload = send(&me, CREATE_ASSERTION, said(&ada, "SELF")).await;
        assert_eq!((&payload["record"]["method"], &payload["userErrors"]), (&json!("SELF"), &json!([])));
        let mine = payload["record"]["id"].clone();
        let payload = send(&me, UPDATE_ASSERTION, json!({"id": mine, "level": 4})).await;
        assert_eq!((&payload["record"]["level"], &payload["userErrors"]), (&json!(4), &json!([])));

        for method in ["MANAGER", "TEST", "INFERRED"] {
            let payload = send(&me, CREATE_ASSERTION, said(&ada, method)).await;
            assert_eq!(refused(&payload), ("FORBIDDEN", "method"), "{method}");
            let payload = send(&me, UPDATE_ASSERTION, json!({"id": mine, "method": method})).await;
            assert_eq!(refused(&payload), ("FORBIDDEN", "method"), "{method}");
        }
        // Neither about somebody else, nor by handing over what is the own. That there is somebody else is not said.
        let payload = send(&me, CREATE_ASSERTION, said(&ben, "SELF")).await;
        assert_eq!(refused(&payload), ("NOT_FOUND", "workerId"));
        let payload = send(&me, UPDATE_ASSERTION, json!({"id": mine, "workerId": ben})).await;
        assert_eq!(refused(&payload), ("NOT_FOUND", "workerId"));
        let count = async |worker: &str| {
            admin.ask(WORKER, json!({"id": worker})).await["worker"]["skillAssertions"]["totalCount"].take()
        };
        assert_eq!((count(&ada).await, count(&ben).await), (json!(1), json!(0)));
        let payload = send(&me, RETIRE_ASSERTION, json!({"id": mine})).await;
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(count(&ada).await, json!(0));

        // What a worker never writes is refused before anything is looked at.
        for (mutation, input) in [(CREATE_WORKER, json!({"key": "x"})), (CREATE_SKILL, json!({"name": "x"}))] {
            let body = json!({"query": mutation, "variables": {"i": input}});
            let (status, answer) = me.try_ask(&body).await.expect("an answer");
            assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")), "{mutation}");
        }
    })
    .await;
}
