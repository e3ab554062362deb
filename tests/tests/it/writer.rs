//! Who may write and not read: a system of personnel, say, that sends what it has and sees nothing of what others have.

use serde_json::{Value, json};
use spil_auth::Permission;
use spil_gateway::graphql::global_id;
use spil_proto::{
    changefeed::v1::{Action, ApplyRequest, Command, ItemResult, Outcome, ProblemCode, Record, Target, record, target},
    model::{Header, Kind, Owner},
    workforce::v1::Worker,
};
use spil_tests::{Client, Spil};
use tonic::Code;

use crate::mutation::on_both;

const APPLY: &str = "mutation($i: ApplyChangesInput!) { it: applyChanges(input: $i) { applied
    results { id outcome record { id version } userErrors { __typename code message path ... on VersionConflict { currentVersion fields } } } } }";
const UPDATE_WORKER: &str =
    "mutation($i: UpdateWorkerInput!) { it: updateWorker(input: $i) { worker { id displayName provenances { field } }
    userErrors { __typename code message path ... on VersionConflict { currentVersion fields } } } }";
const WORKERS: &str = "{ workers(orderBy: [{field: KEY}]) { nodes { key displayName number version positions { nodes { orgUnit { name } } } } } }";

/// The client of somebody who writes and sees nothing.
fn writer(spil: &Spil) -> Client {
    spil.client().with_token(spil.token("hris", &[Permission::Write]))
}

async fn send(client: &Client, mutation: &str, input: Value) -> Value {
    client.ask(mutation, json!({"i": input})).await["it"].take()
}

/// The ids of what a batch made, none of which is shown.
fn ids(payload: &Value) -> Vec<String> {
    assert_eq!(payload["applied"], true, "{payload}");
    let results = payload["results"].as_array().expect("a list");
    results
        .iter()
        .map(|result| {
            assert!(result["record"].is_null(), "{result}");
            result["id"].as_str().expect("an id").to_owned()
        })
        .collect()
}

/// What is sent first: a unit, a role, a position in both, two people and where they sit.
fn first_batch() -> Value {
    json!({"changes": [
        {"temporaryId": "unit", "createOrgUnit": {"key": "U", "name": "Grid"}},
        {"temporaryId": "role", "createRole": {"name": "Fitter"}},
        {"temporaryId": "position", "createPosition": {"orgUnitId": "#unit", "roleId": "#role"}},
        {"temporaryId": "ada", "createWorker": {"key": "ada", "displayName": "Ada L", "number": "7"}},
        {"createWorker": {"key": "ben", "displayName": "Ben K", "number": "8"}},
        {"createAssignment": {"workerId": "#ada", "positionId": "#position", "fte": 1.0, "from": "2020-01-01"}},
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_and_does_not_read_is_told_nothing_of_what_is_there() {
    on_both(async |spil| {
        let (hris, admin) = (writer(spil), spil.client());
        let made = ids(&send(&hris, APPLY, first_batch()).await);
        let [unit, _, position, ada, ben, _] = made.as_slice() else { panic!("{made:?}") };

        // Reading is refused, in every way.
        for query in
            ["{ workers { totalCount } }", "{ node(id: \"x\") { id } }", "{ search(text: \"Ada\") { totalCount } }"]
        {
            let (status, answer) = hris.try_ask(&json!({"query": query})).await.expect("an answer");
            assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")), "{query}");
        }
        // What it wrote it changes, also by what it refers to, of this owner and of another, and sees nothing of it.
        let payload = send(&hris, UPDATE_WORKER, json!({"id": ada, "displayName": "Ada B"})).await;
        assert_eq!(payload, json!({"worker": null, "userErrors": []}));
        let more = json!({"changes": [
            {"createAssignment": {"workerId": ben, "positionId": position, "fte": 0.5, "from": "2020-01-01"}},
            {"createInitiative": {"name": "New meters", "leadOrgUnitId": unit, "sponsorId": ada}},
        ]});
        ids(&send(&hris, APPLY, more).await);
        let written = admin.ask(WORKERS, json!({})).await["workers"]["nodes"].take();
        let positions = json!({"nodes": [{"orgUnit": {"name": "Grid"}}]});
        assert_eq!(
            written,
            json!([
                {"key": "ada", "displayName": "Ada B", "number": "7", "version": 2, "positions": positions},
                {"key": "ben", "displayName": "Ben K", "number": "8", "version": 1, "positions": positions},
            ])
        );

        // What is wrong is told by what was sent: neither of the one that has the key nor of what the record holds.
        let taken = send(&hris, APPLY, json!({"changes": [{"createWorker": {"key": "ada"}}]})).await;
        let error = json!({"__typename": "InputError", "code": "TAKEN", "message": "the key belongs to another record",
                           "path": ["input", "changes", "0", "createWorker", "key"]});
        assert_eq!((&taken["results"][0]["userErrors"], &taken["results"][0]["id"]), (&json!([error]), &Value::Null));
        let absent = global_id::encode(Kind::OrgUnit, uuid::Uuid::from_u128(7));
        for (input, field) in [
            (json!({"createPosition": {"orgUnitId": absent}}), "orgUnitId"),
            (json!({"createInitiative": {"name": "x", "leadOrgUnitId": absent}}), "leadOrgUnitId"),
        ] {
            let refused = send(&hris, APPLY, json!({"changes": [input]})).await;
            let error = &refused["results"][0]["userErrors"][0];
            assert_eq!((&error["code"], &error["path"][4]), (&json!("NOT_FOUND"), &json!(field)), "{refused}");
        }
        let stale = json!({"id": ada, "expectedVersion": 1, "displayName": "Ada C", "status": "LEFT"});
        let payload = send(&hris, UPDATE_WORKER, stale).await;
        assert_eq!((&payload["worker"], &payload["userErrors"][0]["code"]), (&Value::Null, &json!("VERSION_CONFLICT")));
        assert_eq!(payload["userErrors"][0]["fields"], json!([]), "which of them differ would be an answer");
        assert_eq!(payload["userErrors"][0]["currentVersion"], 2, "what it takes to write");
        assert_eq!(admin.ask(WORKERS, json!({})).await["workers"]["nodes"], written);

        // A dry run is no way to guess: a right guess is answered as a wrong one, also for readers who do not see who people are.
        let reader =
            spil.client().with_token(spil.token("rea", &[Permission::Read, Permission::Write])).without_purpose();
        for (client, shown) in [(&hris, false), (&reader, true)] {
            let mut told = Vec::new();
            for guess in ["Ada B", "Ada L"] {
                let change = json!({"updateWorker": {"id": ada, "displayName": guess}});
                let payload = send(client, APPLY, json!({"dryRun": true, "changes": [change]})).await;
                assert_eq!(payload["results"][0]["outcome"], "UPDATED");
                assert_eq!(payload["results"][0]["record"].is_object(), shown);
                told.push(payload);
            }
            assert_eq!(told[0], told[1]);
        }
        let seen = json!({"dryRun": true, "changes": [{"updateOrgUnit": {"id": unit, "name": "Grid"}}]});
        assert_eq!(send(&reader, APPLY, seen).await["results"][0]["outcome"], "UNCHANGED", "what is seen is no guess");
    })
    .await;
}

fn worker(key: &str, name: &str) -> Record {
    let header = Header { key: Some(key.to_owned()), ..Header::default() };
    let worker = Worker { header: Some(header), display_name: Some(name.to_owned()), ..Worker::default() };
    Record { entity: Some(record::Entity::Worker(worker)) }
}

/// A command about the worker with the key `ada`.
fn command(action: Action, name: &str, expected_version: Option<u64>) -> Command {
    Command {
        action: action.into(),
        target: (action != Action::Create).then(|| Target { by: Some(target::By::Key("ada".to_owned())) }),
        expected_version,
        values: Some(worker("ada", name)),
        fields: vec!["display_name".to_owned()],
        references: Vec::new(),
    }
}

async fn give(spil: &Spil, command: Command, dry_run: bool) -> ItemResult {
    let request = ApplyRequest {
        idempotency_key: uuid::Uuid::now_v7().to_string(),
        commands: vec![command],
        source: "hris".to_owned(),
        dry_run,
        ..ApplyRequest::default()
    };
    let token = spil.token("hris", &[Permission::Write]);
    let mut answer = spil.owner(Owner::Workforce).apply(&token, request).await.expect("an answer");
    let item = answer.items.pop().expect("an item");
    assert!(item.record.is_none(), "nothing is shown: {item:?}");
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_tells_a_writer_no_more_than_the_gateway_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    assert_eq!(give(&spil, command(Action::Create, "Ada L", None), false).await.outcome(), Outcome::Created);
    let taken = give(&spil, command(Action::Create, "Ada L", None), false).await;
    assert_eq!((taken.outcome(), taken.problems[0].code()), (Outcome::Invalid, ProblemCode::Taken));
    assert_eq!(taken.problems[0].message, "the key belongs to another record");
    assert_eq!(give(&spil, command(Action::Update, "Ada B", Some(1)), false).await.outcome(), Outcome::Updated);
    let stale = give(&spil, command(Action::Update, "Ada C", Some(1)), false).await;
    assert_eq!((stale.outcome(), stale.version, stale.conflicting_fields), (Outcome::Conflict, 2, Vec::new()));

    let right = give(&spil, command(Action::Upsert, "Ada B", None), true).await;
    assert_eq!((right.outcome(), right.version), (Outcome::Updated, 3));
    assert_eq!(give(&spil, command(Action::Upsert, "Eve", None), true).await, right);
    let written = give(&spil, command(Action::Upsert, "Ada B", None), false).await;
    assert_eq!((written.outcome(), written.version), (Outcome::Unchanged, 2), "who means it is told");

    let token = spil.token("hris", &[Permission::Write]);
    let refused = spil.owner(Owner::Workforce).snapshot(&token, Default::default()).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(spil.stop().await, Some(0));
}
