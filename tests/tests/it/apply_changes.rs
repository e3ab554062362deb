//! Many changes at once: with references among what is made, over several owners, as a whole or told exactly.

use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use serde_json::{Value, json};
use spil_proto::model::Owner;
use spil_tests::{Client, Spil, digests_agree};

use crate::mutation::{create, on_both};

const APPLY: &str = "mutation($input: ApplyChangesInput!) { applyChanges(input: $input) {
    clientMutationId applied dryRun stale
    steps { owner status changes message }
    results { index temporaryId id outcome userErrors { code path } warnings { message } record { __typename id version name retiredAt
        ... on Capability { parent { name } children { nodes { name } } }
        ... on CapabilityChange { initiative { name } capability { name } } } }
    userErrors { __typename code message path ... on VersionConflict { currentVersion fields } }
    warnings { path } } }";

async fn apply(client: &Client, input: Value) -> Value {
    client.ask(APPLY, json!({"input": input})).await["applyChanges"].take()
}

/// How many records there are of the kinds that the tests make.
async fn counts(client: &Client) -> Value {
    let query = "{ capabilities { totalCount } roles { totalCount } orgUnits { totalCount } positions { totalCount } initiatives { totalCount }
                   capabilityChanges { totalCount } roleImpacts { totalCount } }";
    client.ask(query, json!({})).await
}

fn column(payload: &Value, name: &str) -> Vec<Value> {
    payload["results"].as_array().expect("a list").iter().map(|result| result[name].clone()).collect()
}

/// An initiative with what it changes, over all owners, told in an order in which nothing is there when it is referred to.
fn plan() -> Value {
    json!([
        {"temporaryId": "change", "createCapabilityChange": {"initiativeId": "#initiative", "capabilityId": "#child", "expectedMaturity": 4}},
        {"temporaryId": "impact", "createRoleImpact": {"initiativeId": "#initiative", "roleId": "#role", "kind": "AUGMENTED"}},
        {"temporaryId": "child", "createCapability": {"name": "Claims", "parentId": "#parent"}},
        {"temporaryId": "parent", "createCapability": {"name": "Service"}},
        {"temporaryId": "initiative", "createInitiative": {"name": "Assistant"}},
        {"temporaryId": "role", "createRole": {"name": "Adviser"}},
        {"updateCapability": {"id": "#parent", "description": "What customers meet"}},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_several_owners_are_made_at_once_and_refer_to_each_other() {
    on_both(async |spil| {
        let client = spil.client();
        let payload = apply(&client, json!({"clientMutationId": "plan", "changes": plan()})).await;
        assert_eq!(
            (&payload["applied"], &payload["dryRun"], &payload["stale"]),
            (&json!(true), &json!(false), &json!(false)),
            "{payload}"
        );
        assert_eq!((&payload["userErrors"], &payload["warnings"]), (&json!([]), &json!([])));
        assert_eq!(
            payload["steps"],
            json!([
                {"owner": "CAPABILITY", "status": "APPLIED", "changes": [3, 2, 6], "message": null},
                {"owner": "WORKFORCE", "status": "APPLIED", "changes": [5], "message": null},
                {"owner": "INITIATIVE", "status": "APPLIED", "changes": [4, 0, 1], "message": null},
            ]),
            "what is referred to comes first"
        );
        let made = column(&payload, "outcome");
        assert_eq!(
            made,
            ["CREATED", "CREATED", "CREATED", "CREATED", "CREATED", "CREATED", "UPDATED"].map(|text| json!(text))
        );
        let results = &payload["results"];
        assert_eq!(results[0]["record"]["initiative"]["name"], "Assistant");
        assert_eq!(results[0]["record"]["capability"]["name"], "Claims");
        assert_eq!(results[2]["record"]["parent"], json!({"name": "Service"}));
        assert_eq!((&results[6]["id"], &results[6]["record"]["version"]), (&results[3]["id"], &json!(2)));
        assert_eq!(results[6]["record"]["children"], json!({"nodes": [{"name": "Claims"}]}));
        let ids: HashSet<_> = column(&payload, "id").iter().take(6).map(Value::to_string).collect();
        assert_eq!(ids.len(), 6);

        // The same again, also by several at once, is the same and nothing more.
        let before = counts(&client).await;
        let again =
            join_all((0..4).map(|_| apply(&client, json!({"clientMutationId": "plan", "changes": plan()})))).await;
        for payload in again {
            assert_eq!(
                (&payload["applied"], &payload["warnings"]),
                (&json!(true), &json!([{"path": ["input", "clientMutationId"]}]))
            );
            assert_eq!(column(&payload, "id"), column(&json!({"results": results}), "id"));
        }
        assert_eq!(counts(&client).await, before);
        // Another input under the same name is refused, whichever owner sees the difference.
        for (at, field) in [(3, "createCapability"), (4, "createInitiative")] {
            let mut other = plan();
            other[at][field]["name"] = json!("Other");
            let payload = apply(&client, json!({"clientMutationId": "plan", "changes": other})).await;
            assert_eq!(payload["applied"], false);
            let error = &payload["userErrors"][0];
            assert_eq!(
                (&error["code"], &error["path"]),
                (&json!("MUTATION_ID_REUSED"), &json!(["input", "clientMutationId"]))
            );
            let steps = payload["steps"].as_array().expect("steps");
            assert!(steps.iter().all(|step| step["status"] == "NOT_ATTEMPTED"), "{payload}");
        }
        assert_eq!(counts(&client).await, before);
        another_input_goes_to_other_owners(&client).await;
        // Under no name it is another batch.
        let payload = apply(&client, json!({"changes": plan()})).await;
        assert_eq!(payload["applied"], true);
        assert!(column(&payload, "id").iter().all(|id| !ids.contains(&id.to_string())));
    })
    .await;
}

/// The second input under a name has no owner, or more owners, in common with the first.
async fn another_input_goes_to_other_owners(client: &Client) {
    let role = json!({"createRole": {"name": "role"}});
    let capability = json!({"createCapability": {"name": "capability"}});
    let first = json!({"clientMutationId": "reused", "changes": [role]});
    assert_eq!(apply(client, first.clone()).await["applied"], true);
    let before = counts(client).await;
    for changes in [json!([capability]), json!([role, capability]), json!([capability, role])] {
        let payload = apply(client, json!({"clientMutationId": "reused", "changes": changes})).await;
        let errors = payload["userErrors"].as_array().expect("errors");
        assert_eq!((errors.len(), &errors[0]["code"]), (1, &json!("MUTATION_ID_REUSED")), "{payload}");
        assert_eq!((&payload["applied"], &payload["warnings"]), (&json!(false), &json!([])));
        let steps = payload["steps"].as_array().expect("steps");
        assert!(steps.iter().all(|step| step["status"] == "NOT_ATTEMPTED"), "{payload}");
    }
    let again = apply(client, first).await;
    assert_eq!(
        (&again["applied"], &again["warnings"]),
        (&json!(true), &json!([{"path": ["input", "clientMutationId"]}]))
    );
    assert_eq!(counts(client).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_owner_is_one_revision() {
    on_both(async |spil| {
        let client = spil.client();
        let revision = async || client.ask("{ snapshot { owners { appliedRevision } } }", json!({})).await["snapshot"]["owners"][0]["appliedRevision"].clone();
        let old = create(&client, json!({"name": "old"})).await;
        let first: u64 = revision().await.as_str().expect("a number").parse().expect("a number");
        let changes: Vec<_> = (0..998).map(|at| json!({"createCapability": {"name": format!("c{at}"), "parentId": "#top"}})).collect();
        let ends = [json!({"temporaryId": "top", "createCapability": {"name": "top"}}), json!({"retireCapability": {"id": old}})];
        let changes: Vec<_> = changes.into_iter().chain(ends).collect();
        let payload = apply(&client, json!({"changes": changes})).await;
        assert_eq!(payload["applied"], true, "{}", payload["userErrors"]);
        assert_eq!(payload["steps"].as_array().map(Vec::len), Some(1));
        let retired = &payload["results"][999];
        assert_eq!((&retired["outcome"], &retired["record"]["name"]), (&json!("RETIRED"), &json!("old")));
        assert!(retired["record"]["retiredAt"].is_string());
        assert!(payload["results"][0]["record"]["retiredAt"].is_null());
        assert_eq!(revision().await, (first + 1).to_string());
        let data = client.ask("{ capabilities(filter: {name: {eq: \"top\"}}) { nodes { children { totalCount } } } }", json!({})).await;
        assert_eq!(data["capabilities"]["nodes"][0]["children"]["totalCount"], 998);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_batch_shows_everything_and_writes_nothing() {
    on_both(async |spil| {
        let client = spil.client();
        let old = create(&client, json!({"name": "old"})).await;
        let before = counts(&client).await;
        let mut changes = plan();
        changes.as_array_mut().expect("a list").push(json!({"retireCapability": {"id": old}}));
        let payload = apply(&client, json!({"clientMutationId": "d", "dryRun": true, "changes": changes})).await;
        assert_eq!(
            (&payload["applied"], &payload["dryRun"], &payload["stale"]),
            (&json!(false), &json!(true), &json!(false))
        );
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(payload["results"][0]["record"]["capability"]["name"], "Claims");
        assert_eq!(payload["results"][3]["record"]["children"], json!({"nodes": [{"name": "Claims"}]}));
        assert_eq!(
            (&payload["results"][7]["outcome"], &payload["results"][7]["record"]["name"]),
            (&json!("RETIRED"), &json!("old"))
        );
        assert!(payload["steps"].as_array().expect("a list").iter().all(|step| step["status"] == "NOT_ATTEMPTED"));
        assert_eq!(counts(&client).await, before);
        let done = apply(&client, json!({"clientMutationId": "d", "changes": changes})).await;
        assert_eq!(done["applied"], true, "the name is still free: {done}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_anywhere_is_written_nowhere_and_told_in_one_answer() {
    on_both(async |spil| {
        let client = spil.client();
        let capability = create(&client, json!({"name": "there", "key": "THERE"})).await;
        let going = create(&client, json!({"name": "going"})).await;
        let absent =
            spil_gateway::graphql::global_id::encode(spil_proto::model::Kind::Capability, uuid::Uuid::now_v7());
        let before = counts(&client).await;
        let changes = json!([
            {"temporaryId": "a", "createInitiative": {"name": "fine"}},
            {"temporaryId": "a", "createRole": {"name": "a second a"}},
            {"createCapability": {"name": "x", "parentId": "#nobody", "objectiveIds": ["#a", "nonsense"]}},
            {"createCapability": {"name": "x"}, "retireCapability": {"id": capability}},
            {},
            {"temporaryId": "b", "updateCapability": {"id": capability, "importance": 9}},
            {"createCapability": {"name": "x".repeat(5000), "key": "THERE"}},
            {"updateCapability": {"id": capability, "expectedVersion": 4, "name": "late"}},
            {"temporaryId": "self", "createCapability": {"name": "x", "parentId": "#self"}},
            {"temporaryId": "unit", "createOrgUnit": {"name": "u", "headId": "#head"}},
            {"temporaryId": "head", "createPosition": {"orgUnitId": "#unit"}},
            {"createCapabilityChange": {"initiativeId": "#a", "capabilityId": absent}},
            {"retireCapability": {"id": going}},
            {"createCapabilityChange": {"initiativeId": "#a", "capabilityId": going}},
            {"updateCapability": {"id": "#a", "clientMutationId": "inner", "dryRun": true}},
            {"updateInitiative": {"id": "#a", "stage": "PILOT", "start": "soon"}},
            {"temporaryId": "#c", "createCapability": {"name": "x", "maturityTarget": -1}},
            {"updateCapability": {"id": "nonsense", "expectedVersion": 0}},
        ]);
        let payload = apply(&client, json!({"changes": changes})).await;
        assert_eq!(payload["applied"], false);
        let mut told: Vec<(String, String)> = payload["userErrors"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|error| {
                let path: Vec<_> = error["path"]
                    .as_array()
                    .expect("a path")
                    .iter()
                    .skip(2)
                    .map(|part| part.as_str().expect("a text"))
                    .collect();
                (path.join("."), error["code"].as_str().expect("a code").to_owned())
            })
            .collect();
        told.sort_by_key(|(path, _)| path.split('.').next().and_then(|at| at.parse::<usize>().ok()));
        let expected = [
            ("1.temporaryId", "TAKEN"),
            ("2.createCapability.parentId", "NOT_FOUND"),
            ("2.createCapability.objectiveIds.0", "MALFORMED"),
            ("2.createCapability.objectiveIds.1", "MALFORMED"),
            ("3", "MALFORMED"),
            ("4", "REQUIRED"),
            ("5.temporaryId", "MALFORMED"),
            ("5.updateCapability.importance", "OUT_OF_RANGE"),
            ("6.createCapability.key", "TAKEN"),
            ("6.createCapability.name", "TOO_LONG"),
            ("7.updateCapability.expectedVersion", "VERSION_CONFLICT"),
            ("8.createCapability.parentId", "CYCLE"),
            ("10.createPosition.orgUnitId", "CYCLE"),
            ("11.createCapabilityChange.capabilityId", "NOT_FOUND"),
            ("13.createCapabilityChange.capabilityId", "RETIRED"),
            ("14.updateCapability.id", "MALFORMED"),
            ("14.updateCapability.clientMutationId", "MALFORMED"),
            ("14.updateCapability.dryRun", "MALFORMED"),
            ("15.updateInitiative.start", "MALFORMED"),
            ("16.createCapability.maturityTarget", "OUT_OF_RANGE"),
            ("16.temporaryId", "MALFORMED"),
            ("17.updateCapability.expectedVersion", "OUT_OF_RANGE"),
            ("17.updateCapability.id", "NOT_FOUND"),
        ];
        let sorted = |list: Vec<(String, String)>| list.into_iter().collect::<std::collections::BTreeSet<_>>();
        let wanted = expected.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect();
        assert_eq!(sorted(told), sorted(wanted));
        let conflict = payload["userErrors"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|error| error["__typename"] == "VersionConflict")
            .expect("a conflict");
        assert_eq!((&conflict["currentVersion"], &conflict["fields"]), (&json!(1), &json!(["name"])));
        assert_eq!(payload["results"][7]["userErrors"][0]["code"], "VERSION_CONFLICT");
        let outcomes = column(&payload, "outcome");
        assert_eq!(
            (&outcomes[0], &outcomes[12], &outcomes[7]),
            (&json!("NOT_ATTEMPTED"), &json!("NOT_ATTEMPTED"), &json!("REFUSED"))
        );
        assert!(column(&payload, "record").iter().all(Value::is_null));
        assert_eq!(counts(&client).await, before, "nothing was written");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_broken_at_the_last_owner_keeps_the_first_from_writing() {
    on_both(async |spil| {
        let client = spil.client();
        let before = counts(&client).await;
        let changes = json!([
            {"temporaryId": "c", "createCapability": {"name": "c"}},
            {"temporaryId": "i", "createInitiative": {"name": "i"}},
            {"temporaryId": "b", "createBenefit": {"name": "b"}},
            {"createBenefitShare": {"benefitId": "#b", "initiativeId": "#i", "share": 1.5}},
            {"createCapabilityChange": {"initiativeId": "#i", "capabilityId": "#c"}},
        ]);
        let payload = apply(&client, json!({"changes": changes})).await;
        assert_eq!(payload["applied"], false);
        let statuses: Vec<_> = payload["steps"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|step| (step["owner"].clone(), step["status"].clone()))
            .collect();
        assert_eq!(statuses, [(json!("CAPABILITY"), json!("NOT_ATTEMPTED")), (json!("INITIATIVE"), json!("REFUSED"))]);
        assert_eq!(payload["userErrors"].as_array().map(Vec::len), Some(1));
        assert_eq!(payload["userErrors"][0]["path"], json!(["input", "changes", "3", "createBenefitShare", "share"]));
        assert_eq!(counts(&client).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_refused_record_is_not_blamed_for_it() {
    on_both(async |spil| {
        let client = spil.client();
        let changes = json!([
            {"temporaryId": "a", "createCapability": {"name": "a", "importance": 77}},
            {"temporaryId": "b", "createCapability": {"name": "b", "parentId": "#a"}},
            {"updateCapability": {"id": "#b", "name": "b2"}},
        ]);
        let payload = apply(&client, json!({"changes": changes})).await;
        assert_eq!(column(&payload, "outcome"), ["REFUSED", "NOT_ATTEMPTED", "NOT_ATTEMPTED"].map(|text| json!(text)));
        assert_eq!(payload["userErrors"].as_array().map(Vec::len), Some(1), "{payload}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_changes_and_none_are_refused_with_a_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    for (count, code) in [(0, "REQUIRED"), (1001, "TOO_LONG"), (10_000, "TOO_LONG")] {
        let changes: Vec<_> = (0..count).map(|at| json!({"createCapability": {"name": format!("c{at}")}})).collect();
        let payload = apply(&client, json!({"changes": changes})).await;
        assert_eq!(
            (&payload["applied"], &payload["results"], &payload["steps"]),
            (&json!(false), &json!([]), &json!([]))
        );
        assert_eq!(
            (&payload["userErrors"][0]["code"], &payload["userErrors"][0]["path"]),
            (&json!(code), &json!(["input", "changes"]))
        );
    }
    let long = json!({"changes": [{"createCapability": {"name": "x"}}], "clientMutationId": "x".repeat(129)});
    let payload = apply(&client, long).await;
    assert_eq!(
        (&payload["userErrors"][0]["code"], &payload["results"][0]["outcome"]),
        (&json!("TOO_LONG"), &json!("NOT_ATTEMPTED"))
    );
    // A chain of a thousand records, each named after what refers to it.
    let chain: Vec<_> = (0..1000)
        .map(|at| {
            let parent = if at < 400 { json!(format!("#{}", at + 1)) } else { Value::Null };
            json!({"temporaryId": at.to_string(), "createCapability": {"name": format!("c{at}"), "parentId": parent}})
        })
        .collect();
    assert_eq!(apply(&client, json!({"changes": chain})).await["applied"], true);
    // And a circle of a thousand.
    let circle: Vec<_> = (0..1000)
        .map(|at| json!({"temporaryId": at.to_string(), "createCapability": {"name": "c", "parentId": format!("#{}", (at + 1) % 1000)}}))
        .collect();
    let payload = apply(&client, json!({"changes": circle})).await;
    assert_eq!(payload["userErrors"][0]["code"], "CYCLE");
    assert_eq!(counts(&client).await["capabilities"]["totalCount"], 1000);
}

/// Sends a batch again and again until it is done, and gives the last answer.
async fn insist(client: &Client, input: &Value) -> Value {
    loop {
        match client.try_ask(&json!({"query": APPLY, "variables": {"input": input}})).await {
            Ok((200, mut answer)) if answer["data"]["applyChanges"]["applied"] == true => {
                return answer["data"]["applyChanges"].take();
            }
            Ok((200, answer)) if answer.get("errors").is_none() => {
                // Whatever is not done is not known, or was not begun.
                for step in answer["data"]["applyChanges"]["steps"].as_array().expect("steps") {
                    assert!(
                        ["APPLIED", "UNKNOWN", "NOT_ATTEMPTED"].contains(&step["status"].as_str().expect("a status")),
                        "{answer}"
                    );
                }
            }
            Ok((_, answer)) => {
                let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
                assert!(["UNAVAILABLE", "NOT_READY"].contains(&code.as_str()), "{answer}");
            }
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_killed_again_and_again_and_every_batch_is_done_once_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let steady = Spil::builder(data).args(["--roles", "capability,workforce"]).start().await;
    let mut shaky = Spil::builder(data).args(["--roles", "initiative"]).start().await;
    let (first, second) = (steady.grpc.clone().expect("owners"), shaky.grpc.clone().expect("an owner"));
    let gateway = Spil::builder(data)
        .args(["--roles", "gateway"])
        .env("SPIL_OWNERS__CAPABILITY", first.clone())
        .env("SPIL_OWNERS__WORKFORCE", first)
        .env("SPIL_OWNERS__INITIATIVE", second.clone())
        .start()
        .await;
    let batch = |writer: usize, number: usize| {
        json!({"clientMutationId": format!("{writer}-{number}"), "changes": [
            {"temporaryId": "c", "createCapability": {"name": format!("capability {writer}-{number}")}},
            {"temporaryId": "i", "createInitiative": {"name": format!("initiative {writer}-{number}")}},
            {"createCapabilityChange": {"initiativeId": "#i", "capabilityId": "#c"}},
        ]})
    };
    let writers = (0..3).map(|writer| {
        let client = gateway.client();
        async move {
            let mut ids = Vec::new();
            for number in 0..12 {
                ids.extend(column(&insist(&client, &batch(writer, number)).await, "id"));
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            ids
        }
    });
    let killer = async {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            shaky.kill().await;
            shaky = Spil::builder(data).args(["--roles", "initiative"]).at(None, Some(&second)).start().await;
        }
    };
    let (ids, ()) = tokio::join!(join_all(writers), killer);
    let ids: HashSet<String> = ids.into_iter().flatten().map(|id| id.to_string()).collect();
    assert_eq!(ids.len(), 3 * 12 * 3);
    let client = gateway.client();
    let mut owners = [steady.owner(Owner::Capability), steady.owner(Owner::Workforce), shaky.owner(Owner::Initiative)];
    digests_agree(&client, &mut owners).await;
    let counts = counts(&client).await;
    for kind in ["capabilities", "initiatives", "capabilityChanges"] {
        assert_eq!(counts[kind]["totalCount"], 36, "{kind}");
    }
    let data = client.ask("{ snapshot { danglingReferences { count } } }", json!({})).await;
    let dangling: i64 = data["snapshot"]["danglingReferences"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["count"].as_i64())
        .sum();
    assert_eq!(dangling, 0);
}
