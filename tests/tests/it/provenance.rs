//! Who set which field: told by GraphQL, kept by the owners, the same after everything was read anew.

use std::path::Path;

use serde_json::{Value, json};
use spil_auth::Permission;
use spil_proto::model::Owner;
use spil_tests::{Client, Database, Spil, digests_agree, postgres_url, run};

const ALL: &str = "{ capabilities(orderBy: {field: KEY}) { nodes { key provenances { field source run actor at } } } }";

/// Imports a file of capabilities; gives the run that the report names.
async fn import(spil: &Spil, data: &Path, name: &str, csv: &str) -> String {
    let mapping = data.join("register.toml");
    let text = r#"
        name = "register"

        [[table]]
        name = "register"

        [[table.record]]
        kind = "Capability"
        key = "{code}"
        [table.record.fields]
        name = "{title}"
    "#;
    std::fs::write(&mapping, text).expect("written");
    let file = data.join(name);
    std::fs::write(&file, csv).expect("written");
    let server = spil.grpc.clone().expect("owners");
    let output = run([
        "import",
        "--mapping",
        &mapping.display().to_string(),
        "--data",
        &data.display().to_string(),
        "--server",
        &server,
        &file.display().to_string(),
    ])
    .await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (_, run) = said.lines().next().expect("a line").rsplit_once("run ").expect("a run");
    run.to_owned()
}

async fn update(client: &Client, input: Value) {
    let query = "mutation($input: UpdateCapabilityInput!) { updateCapability(input: $input) { capability { provenance(field: \"maturityTarget\") { actor } } stale userErrors { message } } }";
    let data = client.ask(query, json!({"input": input})).await;
    let payload = &data["updateCapability"];
    assert_eq!((&payload["userErrors"], &payload["stale"]), (&json!([]), &json!(false)));
}

/// The provenance of a capability as `field: source, actor`, in the order in which it is told, and the runs.
fn told(data: &Value, key: &str) -> (Vec<String>, Vec<Value>) {
    let nodes = data["capabilities"]["nodes"].as_array().expect("a list");
    let node = nodes.iter().find(|node| node["key"] == key).expect("it is there");
    let list = node["provenances"].as_array().expect("a list");
    let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
    let lines = list.iter().map(|entry| {
        assert!(text(entry, "at").ends_with('Z'), "{entry}");
        format!("{}: {}, {}", text(entry, "field"), text(entry, "source"), text(entry, "actor"))
    });
    (lines.collect(), list.iter().map(|entry| entry["run"].clone()).collect())
}

async fn settled(spil: &Spil) {
    let mut owners = Owner::ALL.map(|owner| spil.owner(owner));
    digests_agree(&spil.client(), &mut owners).await;
}

async fn fields_tell_who_set_them(folder: &Path, arguments: &[String]) {
    let spil = Spil::builder(folder).args(arguments.to_vec()).start().await;
    let first = import(&spil, folder, "one.csv", "code,title\nA,Claims\nB,Service\n").await;
    settled(&spil).await;
    let client = spil.client();
    let as_somebody = |name: &str| client.with_token(spil.token(name, &Permission::ALL));
    let query = "query($key: String!) { capability(key: $key) { id } }";
    let [a, b] = ["A", "B"].map(|key| client.ask(query, json!({"key": key})));
    let (a, b) = (a.await["capability"]["id"].clone(), b.await["capability"]["id"].clone());

    update(&as_somebody("anna"), json!({"id": a, "maturityTarget": 3, "parentId": b})).await;
    update(&as_somebody("bert"), json!({"id": a, "maturityTarget": 4, "parentId": b, "name": "Claims"})).await;
    // The name of one changes with a second run; what is as it was stays with the first.
    let second = import(&spil, folder, "two.csv", "code,title\nA,Claims\nB,Care\n").await;
    assert_ne!(first, second);
    settled(&spil).await;
    let before = client.ask(ALL, json!({})).await;
    let (lines, runs) = told(&before, "A");
    assert_eq!(
        lines,
        [
            "key: import:register, spil-import",
            "name: import:register, spil-import",
            "maturityTarget: graphql, bert",
            "parent: graphql, anna",
        ]
    );
    assert_eq!(runs, [json!(first), json!(first), Value::Null, Value::Null]);
    let (_, runs) = told(&before, "B");
    assert_eq!(runs, [json!(first), json!(second)]);

    let one =
        "query($id: ID!, $field: String!) { capability(id: $id) { provenance(field: $field) { source run actor } } }";
    let ask =
        async |field: &str| client.ask(one, json!({"id": a, "field": field})).await["capability"]["provenance"].take();
    assert_eq!(ask("maturityTarget").await, json!({"source": "graphql", "run": null, "actor": "bert"}));
    assert_eq!(ask("parent").await["actor"], "anna");
    assert_eq!(ask("key").await, json!({"source": "import:register", "run": first, "actor": "spil-import"}));
    for never in ["description", "version", "updatedAt"] {
        assert_eq!(ask(never).await, Value::Null, "{never}");
    }
    for wrong in ["children", "nonsense", "parent_id", ""] {
        let (_, answer) =
            client.try_ask(&json!({"query": one, "variables": {"id": a, "field": wrong}})).await.expect("an answer");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        assert_eq!(error["path"], json!(["capability", "provenance", "field"]));
    }
    // Of a record whose kind is not known beforehand: a field that only other kinds have tells nothing.
    let node = "query($id: ID!) { node(id: $id) { ... on Record { a: provenance(field: \"parent\") { actor } b: provenance(field: \"fte\") { actor } } } }";
    assert_eq!(client.ask(node, json!({"id": a})).await["node"], json!({"a": {"actor": "anna"}, "b": null}));

    // What is read anew from the tables says the same as the changes did.
    assert_eq!(spil.stop().await, Some(0));
    let spil = Spil::builder(folder).args(arguments.to_vec()).start().await;
    assert_eq!(spil.client().ask(ALL, json!({})).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_tell_who_set_them_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    fields_tell_who_set_them(folder.path(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_tell_who_set_them_on_postgresql() {
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    crate::operate::migrate(folder.path(), &database.url).await;
    fields_tell_who_set_them(folder.path(), &["--database".to_owned(), database.url.clone()]).await;
    database.drop().await;
}
