//! The rules of the domain, over HTTP: what breaks one is named by code and input field, and nothing is written.

use serde_json::{Value, json};
use spil_tests::Client;

use crate::mutation::on_both;

/// Sends a mutation with one input and gives its payload, with the record's fields that are asked for.
async fn send(client: &Client, name: &str, fields: &str, input: Value) -> Value {
    let kind = name.trim_start_matches("create").trim_start_matches("update").trim_start_matches("retire");
    let input_type = format!("{}{}Input", name.get(..1).unwrap_or_default().to_uppercase(), &name[1..]);
    let singular = format!("{}{}", kind.get(..1).unwrap_or_default().to_lowercase(), &kind[1..]);
    let query = format!(
        "mutation($input: {input_type}!) {{ it: {name}(input: $input) {{ record: {singular} {{ {fields} }} userErrors {{ code path message }} warnings {{ path }} }} }}"
    );
    client.ask(&query, json!({"input": input})).await["it"].clone()
}

/// Makes a record and gives its id.
async fn make(client: &Client, name: &str, input: Value) -> Value {
    let payload = send(client, name, "id", input).await;
    assert_eq!(payload["userErrors"], json!([]), "{name}");
    payload["record"]["id"].clone()
}

/// The code and the input field of the one thing that is wrong.
async fn refused(client: &Client, name: &str, input: Value) -> (String, String) {
    let payload = send(client, name, "id", input.clone()).await;
    assert_eq!(payload["record"], Value::Null, "{name} {input}");
    let errors = payload["userErrors"].as_array().expect("a list").clone();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&errors[0]["code"]), text(&errors[0]["path"][1]))
}

/// The code of the one thing that is wrong with a record as a whole.
async fn refused_whole(client: &Client, name: &str, input: Value) -> String {
    let (code, field) = refused(client, name, input).await;
    assert_eq!(field, "", "{name}");
    code
}

fn wrong(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_keep_to_their_form() {
    on_both(async |spil| {
        let client = spil.client();
        for (input, wanted) in [
            (json!({"maturityCurrent": 6}), wrong("OUT_OF_RANGE", "maturityCurrent")),
            (json!({"maturityTarget": -1}), wrong("OUT_OF_RANGE", "maturityTarget")),
            (json!({"name": "a\u{7}b"}), wrong("MALFORMED", "name")),
            (json!({"name": "é".repeat(2049)}), wrong("TOO_LONG", "name")),
            (json!({"description": "é".repeat(32_769)}), wrong("TOO_LONG", "description")),
        ] {
            assert_eq!(refused(&client, "createCapability", input).await, wanted);
        }
        let input = json!({"name": "  Cafe\u{301} ", "description": "é".repeat(32_768), "maturityTarget": 5});
        let made = send(&client, "createCapability", "name description", input).await;
        assert_eq!(made["record"]["name"], "Caf\u{e9}");
        assert_eq!(made["record"]["description"].as_str().map(str::len), Some(65_536));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_belong_to_one_live_record_and_trees_have_no_cycle() {
    on_both(async |spil| {
        let client = spil.client();
        let ids = json!([{"system": "ea", "id": "17"}]);
        let top = make(&client, "createCapability", json!({"key": "A", "externalIds": ids})).await;
        assert_eq!(refused(&client, "createCapability", json!({"key": "A"})).await, wrong("TAKEN", "key"));
        let taken = refused(&client, "createCapability", json!({"externalIds": ids})).await;
        assert_eq!(taken, wrong("TAKEN", "externalIds"));
        // Another kind may use the same names.
        make(&client, "createProcess", json!({"key": "A", "externalIds": ids})).await;

        let child = make(&client, "createCapability", json!({"parentId": top})).await;
        for parent in [&top, &child] {
            let cycle = refused(&client, "updateCapability", json!({"id": top, "parentId": parent})).await;
            assert_eq!(cycle, wrong("CYCLE", "parentId"));
        }

        make(&client, "retireCapability", json!({"id": top})).await;
        let gone = refused(&client, "createCapability", json!({"parentId": top})).await;
        assert_eq!(gone, wrong("RETIRED", "parentId"));
        make(&client, "createCapability", json!({"key": "A", "externalIds": ids})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_moves_only_by_a_gate_decision() {
    on_both(async |spil| {
        let client = spil.client();
        let initiative = make(&client, "createInitiative", json!({"name": "a", "stage": "PILOT"})).await;
        for stage in [json!("SCALE"), json!("IDEA"), Value::Null] {
            let input = json!({"id": initiative, "stage": stage});
            assert_eq!(refused(&client, "updateInitiative", input).await, wrong("RULE", "stage"));
        }
        let same = json!({"id": initiative, "stage": "PILOT"});
        let same = send(&client, "updateInitiative", "version", same).await;
        assert_eq!((&same["record"]["version"], &same["userErrors"]), (&json!(1), &json!([])));

        let decide = |decision: &str, to: Value| {
            json!({"initiativeId": initiative, "decision": decision, "decidedAt": "2026-03-01", "toStage": to})
        };
        let fields = "id initiative { stage version }";
        let ahead = json!({"initiativeId": initiative, "gate": "G3", "plannedAt": "2026-02-01"});
        let ahead = send(&client, "createGateDecision", fields, ahead).await;
        assert_eq!(ahead["record"]["initiative"], json!({"stage": "PILOT", "version": 1}));
        let gate = ahead["record"]["id"].clone();
        let half = json!({"id": gate, "decision": "GO"});
        assert_eq!(refused(&client, "updateGateDecision", half).await, wrong("RULE", "decidedAt"));
        let made = json!({"id": gate, "decision": "GO", "decidedAt": "2026-02-03"});
        let made = send(&client, "updateGateDecision", fields, made).await;
        assert_eq!(made["record"]["initiative"], json!({"stage": "SCALE", "version": 2}));
        for (field, value) in [("decision", "STOP"), ("decidedAt", "2026-02-04"), ("toStage", "RUN")] {
            let input = json!({"id": gate, field: value});
            assert_eq!(refused(&client, "updateGateDecision", input).await, wrong("IMMUTABLE", field));
        }

        assert_eq!(refused_whole(&client, "retireGateDecision", json!({"id": gate})).await, "RULE");
        let ahead = json!({"initiativeId": initiative, "decision": "HOLD", "decidedAt": "9999-01-01"});
        assert_eq!(refused(&client, "createGateDecision", ahead).await, wrong("RULE", "decidedAt"));
        let planned = make(&client, "createGateDecision", json!({"initiativeId": initiative})).await;
        make(&client, "retireGateDecision", json!({"id": planned})).await;

        let back = refused(&client, "createGateDecision", decide("GO", json!("PILOT"))).await;
        assert_eq!(back, wrong("RULE", "toStage"));
        for (decision, to, stage) in [
            ("HOLD", Value::Null, "SCALE"),
            ("PIVOT", json!("EXPERIMENT"), "EXPERIMENT"),
            ("GO", json!("SCALE"), "SCALE"),
            ("STOP", Value::Null, "STOPPED"),
            ("PIVOT", json!("PILOT"), "PILOT"),
            ("GO", json!("RUN"), "RUN"),
        ] {
            let payload = send(&client, "createGateDecision", fields, decide(decision, to)).await;
            assert_eq!(payload["userErrors"], json!([]), "{decision}");
            assert_eq!(payload["record"]["initiative"]["stage"], stage, "{decision}");
        }
        for decision in ["GO", "STOP"] {
            let input = decide(decision, Value::Null);
            assert_eq!(refused(&client, "createGateDecision", input).await, wrong("RULE", "decision"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_respondent_counts_once_and_is_shown_nowhere() {
    on_both(async |spil| {
        let client = spil.client();
        let wave = json!({"question": "How is it?", "scaleMin": 1, "scaleMax": 5, "topBox": 4, "from": "2026-03-01", "to": "2026-03-15"});
        let wave = make(&client, "createPulseWave", wave).await;
        let answer = |respondent: &str, score: i32, day: &str| json!({"waveId": wave, "respondent": respondent, "score": score, "respondedAt": day});
        make(&client, "createPulseResponse", answer("EMP-7", 4, "2026-03-02")).await;
        let again = send(&client, "createPulseResponse", "id", answer("EMP-7", 1, "2026-03-03")).await;
        assert_eq!(
            again["userErrors"],
            json!([{"code": "TAKEN", "path": ["input", "respondent"], "message": "`respondent` was given before"}])
        );
        let high = refused(&client, "createPulseResponse", answer("EMP-8", 6, "2026-03-02")).await;
        assert_eq!(high, wrong("RULE", "score"));
        let late = refused(&client, "createPulseResponse", answer("EMP-8", 5, "2026-03-15")).await;
        assert_eq!(late, wrong("RULE", "respondedAt"));
        let undated = json!({"waveId": wave, "respondent": "EMP-8", "score": 5});
        assert_eq!(refused(&client, "createPulseResponse", undated).await, wrong("REQUIRED", "respondedAt"));
        for (field, value) in [("question", json!("Why?")), ("scaleMax", json!(7)), ("topBox", json!(5))] {
            let input = json!({"id": wave, field: value});
            assert_eq!(refused(&client, "updatePulseWave", input).await, wrong("IMMUTABLE", field));
        }
        // A dry run does not tell who has answered.
        let mut tried = answer("EMP-7", 4, "2026-03-02");
        tried["dryRun"] = json!(true);
        make(&client, "createPulseResponse", tried).await;
        let last = send(&client, "createPulseResponse", "id provenance(field: \"score\") { actor }", answer("\u{200B}emp-8", 5, "2026-03-14")).await;
        assert_eq!(last["record"]["provenance"]["actor"], "anonymous");
        assert_eq!(refused(&client, "createPulseResponse", answer("EMP-8", 5, "2026-03-14")).await, wrong("TAKEN", "respondent"));

        // Sent again it is the same answer; with another respondent under the same name it is refused as a whole.
        let mut named = answer("EMP-9", 3, "2026-03-04");
        named["clientMutationId"] = json!("nine");
        let first = make(&client, "createPulseResponse", named.clone()).await;
        assert_eq!(make(&client, "createPulseResponse", named).await, first);

        let query = "query($id: ID!) { pulseWave(id: $id) { responses(orderBy: {field: SCORE}) { totalCount nodes { score wave { invited } } } } }";
        let data = client.ask(query, json!({"id": wave})).await;
        let scores: Vec<&Value> =
            data["pulseWave"]["responses"]["nodes"].as_array().expect("a list").iter().map(|node| &node["score"]).collect();
        assert_eq!(scores, [3, 4, 5]);
        let types = "{ r: __type(name: \"PulseResponse\") { fields { name } } f: __type(name: \"PulseResponseFilter\") { inputFields { name } }
                       o: __type(name: \"PulseResponseOrderField\") { enumValues { name } } u: __type(name: \"UpdatePulseResponseInput\") { inputFields { name } } }";
        let text = client.ask(types, json!({})).await.to_string().to_lowercase();
        assert!(text.contains("respondedat") && !text.contains("respondent"), "{text}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn learning_and_spending_are_recorded_once() {
    on_both(async |spil| {
        let client = spil.client();
        let worker = make(&client, "createWorker", json!({"number": "1"})).await;
        let activity = make(&client, "createLearningActivity", json!({"name": "Basics", "mode": "EMBEDDED"})).await;
        let skill = make(&client, "createSkill", json!({"name": "Checking"})).await;
        let outcome = json!({"activityId": activity, "skillId": skill, "toLevel": 3});
        make(&client, "createLearningOutcome", outcome.clone()).await;
        assert_eq!(refused(&client, "createLearningOutcome", outcome).await, wrong("RULE", "skillId"));

        let process = make(&client, "createProcess", json!({})).await;
        let application = make(&client, "createApplication", json!({})).await;
        let event = json!({"workerId": worker, "activityId": activity, "statementId": "6F1C2A4E-0B57-4C1D-9F1E-2D3A4B5C6D7E",
                           "completedAt": "2026-03-01T09:30:00.25+01:00", "minutes": 30, "processId": process});
        let made = send(&client, "createLearningEvent", "statementId completedAt", event.clone()).await;
        assert_eq!(
            made["record"],
            json!({"statementId": "6f1c2a4e-0b57-4c1d-9f1e-2d3a4b5c6d7e", "completedAt": "2026-03-01T08:30:00.250000Z"})
        );
        assert_eq!(refused(&client, "createLearningEvent", event).await, wrong("TAKEN", "statementId"));
        let both = json!({"workerId": worker, "activityId": activity, "processId": process, "applicationId": application});
        assert_eq!(refused(&client, "createLearningEvent", both).await, wrong("RULE", "applicationId"));

        let initiative = make(&client, "createInitiative", json!({"name": "a"})).await;
        let spend = |amount: &str| json!({"initiativeId": initiative, "at": "2026-03-01", "amount": amount, "currency": "EUR"});
        let entry = make(&client, "createSpend", spend("1250.50")).await;
        let changed = refused(&client, "updateSpend", json!({"id": entry, "amount": "1000"})).await;
        assert_eq!(changed, wrong("IMMUTABLE", "amount"));
        make(&client, "createSpend", spend("-250.50")).await;
    })
    .await;
}
