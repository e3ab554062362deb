//! Mutations over HTTP: what is written can be read at once, nobody's write is lost, and what is wrong is named.

use futures::future::join_all;
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::{Client, Database, Spil, postgres_url};

/// Runs a test on SQLite, and on PostgreSQL if there is one.
pub(crate) async fn on_both(test: impl AsyncFn(&Spil)) {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    test(&spil).await;
    assert_eq!(spil.stop().await, Some(0));
    if let Some(server) = postgres_url() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::create(&server).await;
        crate::operate::migrate(folder.path(), &database.url).await;
        let spil = Spil::builder(folder.path()).args(["--database", &database.url]).start().await;
        test(&spil).await;
        assert_eq!(spil.stop().await, Some(0));
        database.drop().await;
    }
}

/// Makes a capability and gives its id.
pub(crate) async fn create(client: &Client, input: Value) -> String {
    let query = "mutation($input: CreateCapabilityInput!) { createCapability(input: $input) { capability { id } userErrors { message } stale } }";
    let data = client.ask(query, json!({"input": input})).await;
    let payload = &data["createCapability"];
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["stale"], false);
    payload["capability"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_lives_from_create_to_retire() {
    on_both(async |spil| {
        let client = spil.client();
        let parent = create(&client, json!({"key": "CAP-1", "name": "Service", "tags": ["b", "a", "b"]})).await;
        let id = create(&client, json!({"name": "  Claims ", "parentId": parent, "maturityCurrent": 1, "description": "What we do"})).await;
        let read = "query($id: ID!) { capability(id: $id) { name description maturityCurrent maturityTarget version parent { key tags } } }";
        assert_eq!(
            client.ask(read, json!({"id": id})).await["capability"],
            json!({"name": "Claims", "description": "What we do", "maturityCurrent": 1, "maturityTarget": null, "version": 1,
                   "parent": {"key": "CAP-1", "tags": ["a", "b"]}})
        );

        let update = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) { capability { version } userErrors { __typename } } }";
        let input = json!({"id": id, "expectedVersion": 1, "description": null, "maturityTarget": 4});
        assert_eq!(client.ask(update, json!({"input": input})).await["updateCapability"]["capability"]["version"], 2);
        let after = client.ask(read, json!({"id": id})).await;
        assert_eq!((&after["capability"]["description"], &after["capability"]["maturityTarget"], &after["capability"]["name"]), (&json!(null), &json!(4), &json!("Claims")));

        let again = json!({"id": id, "maturityTarget": 4});
        assert_eq!(client.ask(update, json!({"input": again})).await["updateCapability"]["capability"]["version"], 2, "an update that changes nothing");

        let retire = "mutation($input: RetireCapabilityInput!) { retireCapability(input: $input) { capability { key retiredAt version } userErrors { __typename } stale } }";
        let retired = client.ask(retire, json!({"input": {"id": parent}})).await;
        let payload = &retired["retireCapability"];
        assert_eq!((&payload["capability"]["key"], &payload["capability"]["version"], &payload["stale"]), (&json!("CAP-1"), &json!(2), &json!(false)));
        assert!(payload["capability"]["retiredAt"].is_string());
        let data = client.ask("query($id: ID!, $child: ID!) { gone: capability(id: $id) { id } node(id: $id) { id } child: capability(id: $child) { parent { id } } }", json!({"id": parent, "child": id})).await;
        assert_eq!(data, json!({"gone": null, "node": null, "child": {"parent": null}}), "an edge to what is retired is null");
        create(&client, json!({"key": "CAP-1", "name": "The key can be used again"})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_writes_nothing() {
    on_both(async |spil| {
        let client = spil.client();
        let id = create(&client, json!({"key": "TAKEN", "name": "x"})).await;
        let child = create(&client, json!({"name": "y", "parentId": id})).await;
        let count = client.ask("{ capabilities { totalCount } }", json!({})).await;
        let initiative = spil_gateway::graphql::global_id::encode(spil_proto::model::Kind::Initiative, uuid::Uuid::from_u128(7));
        let absent = spil_gateway::graphql::global_id::encode(spil_proto::model::Kind::Capability, uuid::Uuid::now_v7());
        for (input, code, path) in [
            (json!({"id": id, "maturityTarget": 6}), "OUT_OF_RANGE", vec!["input", "maturityTarget"]),
            (json!({"id": id, "name": "x".repeat(5000)}), "TOO_LONG", vec!["input", "name"]),
            (json!({"id": child, "key": "TAKEN"}), "TAKEN", vec!["input", "key"]),
            (json!({"id": id, "parentId": id}), "CYCLE", vec!["input", "parentId"]),
            (json!({"id": id, "parentId": child}), "CYCLE", vec!["input", "parentId"]),
            (json!({"id": id, "parentId": absent}), "NOT_FOUND", vec!["input", "parentId"]),
            (json!({"id": absent, "name": "z"}), "NOT_FOUND", vec!["input", "id"]),
            (json!({"id": "nonsense", "name": "z"}), "NOT_FOUND", vec!["input", "id"]),
            (json!({"id": id, "name": "a\u{7}b"}), "MALFORMED", vec!["input", "name"]),
            (json!({"id": id, "parentId": initiative}), "MALFORMED", vec!["input", "parentId"]),
            (json!({"id": id, "parentId": "nonsense"}), "MALFORMED", vec!["input", "parentId"]),
            (json!({"id": id, "objectiveIds": ["nonsense"]}), "MALFORMED", vec!["input", "objectiveIds", "0"]),
        ] {
            let query = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) { capability { id } userErrors { code message path } } }";
            let data = client.ask(query, json!({"input": input})).await;
            let payload = &data["updateCapability"];
            assert_eq!(payload["capability"], Value::Null, "{input}");
            let message = payload["userErrors"][0]["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty() && !message.contains('_'), "no names of columns: {message}");
            assert_eq!((&payload["userErrors"][0]["code"], &payload["userErrors"][0]["path"]), (&json!(code), &json!(path)), "{input}: {payload}");
        }
        assert_eq!(client.ask("{ capabilities { totalCount } }", json!({})).await, count);
        let data = client.ask("query($id: ID!) { capability(id: $id) { version name } }", json!({"id": id})).await;
        assert_eq!(data["capability"], json!({"version": 1, "name": "x"}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_and_writes_nothing() {
    on_both(async |spil| {
        let client = spil.client();
        let parent = create(&client, json!({"name": "Service"})).await;
        let state = "{ capabilities { totalCount nodes { id name version retiredAt } } }";
        let before = client.ask(state, json!({})).await;
        let fields = "capability { id name version retiredAt parent { name children { totalCount } } } dryRun stale userErrors { code path }";
        let make = format!("mutation($input: CreateCapabilityInput!) {{ createCapability(input: $input) {{ {fields} }} }}");
        let input = json!({"dryRun": true, "name": " Claims ", "parentId": parent, "clientMutationId": "tried"});
        let tried = client.ask(&make, json!({"input": input})).await;
        let payload = &tried["createCapability"];
        assert_eq!((&payload["dryRun"], &payload["stale"], &payload["userErrors"]), (&json!(true), &json!(false), &json!([])));
        assert_eq!(payload["capability"]["name"], "Claims");
        assert_eq!(payload["capability"]["parent"], json!({"name": "Service", "children": {"totalCount": 1}}), "as it would be");
        let change = format!("mutation($input: UpdateCapabilityInput!) {{ updateCapability(input: $input) {{ {fields} }} }}");
        let tried = client.ask(&change, json!({"input": {"dryRun": true, "id": parent, "name": "Services"}})).await;
        assert_eq!(tried["updateCapability"]["capability"], json!({"id": parent, "name": "Services", "version": 2, "retiredAt": null, "parent": null}));
        let retire = format!("mutation($input: RetireCapabilityInput!) {{ retireCapability(input: $input) {{ {fields} }} }}");
        let tried = client.ask(&retire, json!({"input": {"dryRun": true, "id": parent}})).await;
        assert!(tried["retireCapability"]["capability"]["retiredAt"].is_string(), "{tried}");
        let wrong = client.ask(&change, json!({"input": {"dryRun": true, "id": parent, "expectedVersion": 3, "importance": 9}})).await;
        assert_eq!(
            wrong["updateCapability"]["userErrors"],
            json!([{"code": "VERSION_CONFLICT", "path": ["input", "expectedVersion"]}, {"code": "OUT_OF_RANGE", "path": ["input", "importance"]}])
        );
        assert_eq!(client.ask(state, json!({})).await, before, "nothing was written");
        // The name of the mutation is still free: what is done with it is done.
        let input = json!({"name": "Claims", "parentId": parent, "clientMutationId": "tried"});
        let done = client.ask(&make, json!({"input": input})).await;
        assert_eq!((&done["createCapability"]["dryRun"], &done["createCapability"]["capability"]["version"]), (&json!(false), &json!(1)));
        let again = json!({"dryRun": true, "name": "Claims", "parentId": parent, "clientMutationId": "tried"});
        let tried = client.ask(&make, json!({"input": again})).await;
        assert_ne!(tried["createCapability"]["capability"]["id"], done["createCapability"]["capability"]["id"], "a dry run is no repetition");
        let other = json!({"name": "Other", "clientMutationId": "tried"});
        let refused = client.ask(&make, json!({"input": other})).await;
        assert_eq!(refused["createCapability"]["userErrors"], json!([{"code": "MUTATION_ID_REUSED", "path": ["input", "clientMutationId"]}]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_writers_of_one_version_one_wins() {
    on_both(async |spil| {
        let client = spil.client();
        let id = create(&client, json!({"name": "contested", "maturityCurrent": 0})).await;
        for round in 1..=5 {
            let query = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) {
                capability { version description } userErrors { __typename code ... on VersionConflict { currentVersion fields } } } }";
            let writers = (0..20).map(|writer| {
                let input = json!({"id": id, "expectedVersion": round, "description": format!("round {round} writer {writer}")});
                client.ask(query, json!({"input": input}))
            });
            let answers = join_all(writers).await;
            let (won, lost): (Vec<_>, Vec<_>) = answers.iter().map(|data| &data["updateCapability"]).partition(|payload| payload["userErrors"] == json!([]));
            assert_eq!(won.len(), 1, "round {round}");
            assert_eq!(won[0]["capability"]["version"], round + 1);
            for payload in lost {
                assert_eq!(
                    payload["userErrors"],
                    json!([{"__typename": "VersionConflict", "code": "VERSION_CONFLICT", "currentVersion": round + 1, "fields": ["description"]}])
                );
            }
            let data = client.ask("query($id: ID!) { capability(id: $id) { version description } }", json!({"id": id})).await;
            assert_eq!(data["capability"], won[0]["capability"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_sent_twice_is_done_once() {
    on_both(async |spil| {
        let client = spil.client();
        let query = "mutation($input: CreateSkillInput!) { createSkill(input: $input) { clientMutationId skill { id version } userErrors { code } } }";
        let input = json!({"clientMutationId": "once", "name": "Patience"});
        let answers = join_all((0..8).map(|_| client.ask(query, json!({"input": input})))).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0]["createSkill"]["clientMutationId"], "once");
        assert_eq!(client.ask("{ skills { totalCount } }", json!({})).await["skills"]["totalCount"], 1);
        let other = client.with_token(spil.token("somebody else", &[Permission::Read, Permission::Write]));
        assert_ne!(other.ask(query, json!({"input": input})).await, answers[0], "somebody else may use the same text");
        assert_eq!(client.ask("{ skills { totalCount } }", json!({})).await["skills"]["totalCount"], 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_mutation_says_so_and_shows_what_is_there_now() {
    on_both(async |spil| {
        let client = spil.client();
        let query = "mutation($input: CreateRoleInput!) { createRole(input: $input) { role { id version } warnings { path } userErrors { code } } }";
        let input = json!({"input": {"clientMutationId": "r", "key": "R1", "name": "Role"}});
        let first = client.ask(query, input.clone()).await;
        assert_eq!(first["createRole"]["warnings"], json!([]));
        let id = first["createRole"]["role"]["id"].clone();
        client.ask("mutation($id: ID!) { retireRole(input: {id: $id}) { stale } }", json!({"id": id})).await;
        let again = client.ask(query, input).await;
        assert_eq!(again["createRole"]["role"], json!(null), "it was retired since");
        assert_eq!(again["createRole"]["warnings"], json!([{"path": ["input", "clientMutationId"]}]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_refers_to_what_is_retired_in_another_owner() {
    on_both(async |spil| {
        let client = spil.client();
        let capability = create(&client, json!({"name": "short-lived"})).await;
        let data = client.ask("mutation { createInitiative(input: {name: \"i\"}) { initiative { id } } }", json!({})).await;
        let initiative = data["createInitiative"]["initiative"]["id"].clone();
        let query = "mutation($input: CreateCapabilityChangeInput!) { createCapabilityChange(input: $input) { capabilityChange { id } userErrors { code path } } }";
        let input = json!({"input": {"initiativeId": initiative, "capabilityId": capability}});
        client.ask("mutation($id: ID!) { retireCapability(input: {id: $id}) { stale } }", json!({"id": capability})).await;
        let refused = client.ask(query, input).await;
        assert_eq!(
            refused["createCapabilityChange"],
            json!({"capabilityChange": null, "userErrors": [{"code": "NOT_FOUND", "path": ["input", "capabilityId"]}]})
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_domain_hold() {
    on_both(async |spil| {
        let client = spil.client();
        let data = client
            .ask(
                "mutation { i: createInitiative(input: {name: \"a\", stage: PILOT}) { initiative { id } } j: createInitiative(input: {name: \"b\"}) { initiative { id } }
                            b: createBenefit(input: {name: \"Time saved\"}) { benefit { id } } w: createWorker(input: {number: \"1\"}) { worker { id } }
                            p: createPosition(input: {fte: 1}) { position { id } } }",
                json!({}),
            )
            .await;
        let id = |name: &str, kind: &str| data[name][kind]["id"].clone();
        let (initiative, other, benefit) = (id("i", "initiative"), id("j", "initiative"), id("b", "benefit"));
        let share = "mutation($input: CreateBenefitShareInput!) { createBenefitShare(input: $input) { userErrors { code path message } } }";
        let give = |initiative: &Value, share: f64| json!({"input": {"benefitId": benefit, "initiativeId": initiative, "share": share}});
        assert_eq!(client.ask(share, give(&initiative, 0.6)).await["createBenefitShare"]["userErrors"], json!([]));
        assert_eq!(client.ask(share, give(&other, 0.5)).await["createBenefitShare"]["userErrors"][0]["code"], "RULE");
        assert_eq!(client.ask(share, give(&other, 0.4)).await["createBenefitShare"]["userErrors"], json!([]));

        let back = "mutation($input: UpdateInitiativeInput!) { updateInitiative(input: $input) { userErrors { code path } } }";
        let errors = client.ask(back, json!({"input": {"id": initiative, "stage": "IDEA"}})).await;
        assert_eq!(errors["updateInitiative"]["userErrors"], json!([{"code": "RULE", "path": ["input", "stage"]}]));

        let assign = "mutation($input: CreateAssignmentInput!) { createAssignment(input: $input) { assignment { id } userErrors { code path } warnings { message path } } }";
        let (worker, position) = (id("w", "worker"), id("p", "position"));
        let during = |from: &str, to: &str, fte: f64| json!({"input": {"workerId": worker, "positionId": position, "from": from, "to": to, "fte": fte}});
        assert_eq!(client.ask(assign, during("2026-03-01", "2026-01-01", 1.0)).await["createAssignment"]["userErrors"][0]["code"], "RULE");
        let first = client.ask(assign, during("2026-01-01", "2026-06-01", 1.0)).await;
        assert_eq!((&first["createAssignment"]["userErrors"], &first["createAssignment"]["warnings"]), (&json!([]), &json!([])));
        let second = client.ask(assign, during("2026-03-01", "2026-09-01", 1.0)).await;
        assert_eq!(second["createAssignment"]["userErrors"], json!([]), "too much work is a warning, not an error");
        assert!(!second["createAssignment"]["warnings"].as_array().expect("a list").is_empty());
    })
    .await;
}

/// Runs an update of a capability and gives what is wrong with it: codes and paths.
async fn wrong(client: &Client, kind: &str, input: Value) -> Vec<(String, String)> {
    let query = format!(
        "mutation($input: {kind}Input!) {{ it: {}{}(input: $input) {{ userErrors {{ code path }} }} }}",
        kind[..1].to_lowercase(),
        &kind[1..]
    );
    let data = client.ask(&query, json!({"input": input})).await;
    let text = |json: &Value| json.as_str().expect("a text").to_owned();
    let errors = data["it"]["userErrors"].as_array().expect("a list").clone();
    errors
        .iter()
        .map(|error| {
            let path: Vec<_> = error["path"].as_array().expect("a path").iter().map(text).collect();
            (path.join("."), text(&error["code"]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_told_in_one_answer_with_its_path() {
    on_both(async |spil| {
        let client = spil.client();
        let id = create(&client, json!({"name": "x", "key": "X"})).await;
        create(&client, json!({"key": "TAKEN", "name": "y"})).await;
        let child = create(&client, json!({"name": "z", "parentId": id})).await;
        let far = spil_gateway::graphql::global_id::encode(spil_proto::model::Kind::Worker, uuid::Uuid::now_v7());
        let long = "x".repeat(5000);
        for (kind, input, expected) in [
            (
                "UpdateCapability",
                json!({"id": id, "expectedVersion": 9, "name": long, "importance": 0, "parentId": child, "key": "TAKEN", "objectiveIds": ["a", id], "ownerId": far}),
                vec![
                    ("input.objectiveIds.0", "MALFORMED"),
                    ("input.objectiveIds.1", "MALFORMED"),
                    ("input.ownerId", "NOT_FOUND"),
                    ("input.expectedVersion", "VERSION_CONFLICT"),
                    ("input.name", "TOO_LONG"),
                    ("input.importance", "OUT_OF_RANGE"),
                ],
            ),
            (
                "UpdateCapability",
                json!({"id": id, "parentId": child, "key": "TAKEN", "importance": 6}),
                vec![("input.importance", "OUT_OF_RANGE"), ("input.key", "TAKEN"), ("input.parentId", "CYCLE")],
            ),
            ("UpdateCapability", json!({"id": id, "expectedVersion": 0}), vec![("input.expectedVersion", "OUT_OF_RANGE")]),
            ("UpdateCapability", json!({"id": id, "clientMutationId": long}), vec![("input.clientMutationId", "TOO_LONG")]),
            (
                "CreateInitiative",
                json!({"name": "a\u{7}", "start": "2026-02-30", "end": "tomorrow", "budget": "much", "parentId": id, "plannedStageDays": -4}),
                vec![
                    ("input.start", "MALFORMED"),
                    ("input.end", "MALFORMED"),
                    ("input.budget", "MALFORMED"),
                    ("input.parentId", "MALFORMED"),
                    ("input.name", "MALFORMED"),
                    ("input.plannedStageDays", "OUT_OF_RANGE"),
                ],
            ),
            (
                "CreateBenefitShare",
                json!({"benefitId": "x", "initiativeId": id, "share": 2}),
                vec![("input.benefitId", "MALFORMED"), ("input.initiativeId", "MALFORMED"), ("input.share", "OUT_OF_RANGE")],
            ),
            ("RetireCapability", json!({"id": far}), vec![("input.id", "NOT_FOUND")]),
        ] {
            for dry_run in [false, true] {
                let mut input = input.clone();
                input["dryRun"] = json!(dry_run);
                let mut told = wrong(&client, kind, input.clone()).await;
                let mut wanted: Vec<_> = expected.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect();
                told.sort();
                wanted.sort();
                assert_eq!(told, wanted, "{kind} {input}");
            }
        }
        let data = client.ask("query($id: ID!) { capability(id: $id) { version name key } initiatives { totalCount } }", json!({"id": id})).await;
        assert_eq!(data, json!({"capability": {"version": 1, "name": "x", "key": "X"}, "initiatives": {"totalCount": 0}}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_their_types_do_not_allow_are_told_with_the_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let query = "mutation($input: CreateInitiativeInput!, $other: [UpdateCapabilityInput!], $flag: Boolean!) {
        createInitiative(input: $input) { userErrors { code } } __typename @include(if: $flag) }";
    let variables = json!({
        "input": {"stage": "LATER", "usesAi": "yes", "colour": "red", "externalIds": [{"system": "a"}], "budget": "1"},
        "other": [{"id": null}, {"name": "x", "importance": 3_000_000_000_i64}],
    });
    let (status, answer) = client
        .try_ask(&json!({"query": query.replace("$other: [UpdateCapabilityInput!], ", ""), "variables": variables}))
        .await
        .expect("an answer");
    assert!(status == 400 || status == 200, "{status}");
    assert!(answer.get("data").is_none(), "{answer}");
    let told = |answer: &Value| {
        let mut paths: Vec<String> = Vec::new();
        for error in answer["errors"].as_array().expect("errors") {
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
            let path: Vec<_> =
                error["path"].as_array().expect("a path").iter().map(|part| part.as_str().expect("a text")).collect();
            paths.push(path.join("."));
        }
        paths.sort();
        paths
    };
    assert_eq!(
        told(&answer),
        [
            "variables.flag",
            "variables.input.colour",
            "variables.input.externalIds.0.id",
            "variables.input.stage",
            "variables.input.usesAi"
        ]
    );
    let query = "mutation($other: [ChangeInput!]!) { applyChanges(input: {changes: $other}) { applied } }";
    let variables = json!({"other": [{"updateCapability": {"id": null}}, {"updateCapability": {"name": "x", "importance": 3_000_000_000_i64}}, 7, null]});
    let (_, answer) = client.try_ask(&json!({"query": query, "variables": variables})).await.expect("an answer");
    assert_eq!(
        told(&answer),
        [
            "variables.other.0.updateCapability.id",
            "variables.other.1.updateCapability.id",
            "variables.other.1.updateCapability.importance",
            "variables.other.2",
            "variables.other.3"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_is_left_alone_and_what_is_null_is_cleared() {
    on_both(async |spil| {
        let client = spil.client();
        let id = create(&client, json!({"name": "n", "description": "d", "importance": 3, "tags": ["t"]})).await;
        let read = async || {
            let data = client.ask("query($id: ID!) { capability(id: $id) { name description importance tags version } }", json!({"id": id})).await;
            data["capability"].clone()
        };
        // A variable within an object: without a value the field is absent; with null it is cleared; a default counts where there is none.
        let query = "mutation($id: ID!, $d: String, $i: Int = 5, $t: [String!]) {
            updateCapability(input: {id: $id, description: $d, importance: $i, tags: $t}) { userErrors { code } } }";
        for (variables, expected) in [
            (json!({}), json!({"name": "n", "description": "d", "importance": 5, "tags": ["t"], "version": 2})),
            (json!({"i": null}), json!({"name": "n", "description": "d", "importance": null, "tags": ["t"], "version": 3})),
            (json!({"d": null, "i": 2, "t": []}), json!({"name": "n", "description": null, "importance": 2, "tags": [], "version": 4})),
            (json!({"d": "", "i": 2, "t": "one"}), json!({"name": "n", "description": null, "importance": 2, "tags": ["one"], "version": 5})),
        ] {
            let mut variables = variables;
            variables["id"] = json!(id);
            assert_eq!(client.ask(query, variables.clone()).await["updateCapability"]["userErrors"], json!([]));
            assert_eq!(read().await, expected, "{variables}");
        }
        // The whole input as a variable, and in a batch.
        let whole = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) { userErrors { code } } }";
        client.ask(whole, json!({"input": {"id": id, "dryRun": null, "expectedVersion": null, "clientMutationId": null, "tags": null}})).await;
        assert_eq!(read().await, json!({"name": "n", "description": null, "importance": 2, "tags": [], "version": 6}));
        let batch = "mutation($id: ID!, $d: String, $i: Int, $c: UpdateCapabilityInput) {
            applyChanges(input: {changes: [{updateCapability: {id: $id, description: $d, importance: $i}, createCapability: null, retireCapability: null}, {updateCapability: $c}]}) { applied userErrors { code path } } }";
        let data = client.ask(batch, json!({"id": id, "i": null, "c": {"id": id, "name": "m"}})).await;
        assert_eq!(data["applyChanges"], json!({"applied": true, "userErrors": []}));
        assert_eq!(read().await, json!({"name": "m", "description": null, "importance": null, "tags": [], "version": 8}));
        let data = client.ask(batch, json!({"id": id})).await;
        assert_eq!(data["applyChanges"], json!({"applied": false, "userErrors": [{"code": "REQUIRED", "path": ["input", "changes", "1"]}]}));
    })
    .await;
}
