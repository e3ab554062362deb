//! What operators do: migrate, start, stop, look.

use std::path::Path;

use spil_tests::{Database, Spil, postgres_url, run};

/// Brings a database up to date with the binary.
pub(crate) async fn migrate(data: &Path, url: &str) {
    let output = run(["migrate", "--data", &data.display().to_string(), "--database", url]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_migrated_is_refused() {
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    let data = folder.path().display().to_string();
    let refused = run([
        "serve",
        "--data",
        &data,
        "--database",
        &database.url,
        "--listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
    ])
    .await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("run `spil migrate` first"), "{said}");

    // Several start at once, as the replicas of a deployment do.
    let arguments = ["migrate", "--data", &data, "--database", &database.url];
    let outputs = futures::future::join_all((0..4).map(|_| run(arguments))).await;
    for output in outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let spil = Spil::builder(folder.path()).args(["--database", &database.url]).start().await;
    assert_eq!(spil.stop().await, Some(0));
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let mapping = format!("{}/../services/connector/mappings/gemma.toml", env!("CARGO_MANIFEST_DIR"));
    for (arguments, said) in [
        (vec!["serve", "--roles", "gateway"], "owners.capability"),
        (vec!["serve", "--database", "mysql://localhost"], "postgres://"),
        (vec!["serve", "--config", "/nowhere.toml"], "/nowhere.toml"),
        (vec!["demo", "--workers", "7"], "50"),
        (vec!["import", "--mapping", "/nowhere.toml", "x.csv"], "/nowhere.toml"),
        (vec!["healthcheck", "--listen", "127.0.0.1:1"], "nothing answers"),
        (vec!["healthcheck", "--roles", "workforce", "--grpc-listen", "127.0.0.1:1"], "nothing answers at 127.0.0.1:1"),
        (vec!["serve", "--log", "spil=loudly"], "--log spil=loudly"),
        (vec!["import", "--mapping", &mapping, "/nowhere.csv"], "/nowhere.csv"),
        (
            vec!["import", "--mapping", &mapping, &mapping, "--server", "127.0.0.1:1", "--token", "x"],
            "http://127.0.0.1:7601",
        ),
        (
            vec!["import", "--mapping", &mapping, &mapping, "--server", "http://127.0.0.1:1", "--token", "x"],
            "no owner answers",
        ),
        (vec!["token", "--permissions", "everything"], "is no permission"),
    ] {
        let output = run(arguments.iter().copied().chain(["--data", &data])).await;
        assert!(!output.status.success(), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
    let schema = run(["schema"]).await;
    assert!(String::from_utf8_lossy(&schema.stdout).contains("type Query"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_organisation_is_there_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let arguments = [
        "demo",
        "--workers",
        "60",
        "--seed-only",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
    ];
    for said in ["Wrote", "is there already"] {
        let output = run(arguments).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.contains(said), "{error}");
    }
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let health =
        run(["healthcheck", "--listen", spil.http.as_deref().expect("a gateway").trim_start_matches("http://")]).await;
    assert!(health.status.success());
    // Every kind that there is.
    let fields: Vec<_> =
        spil_proto::model::Kind::ALL.iter().map(|kind| format!("{} {{ totalCount }}", kind.info().plural)).collect();
    let data = client.ask(&format!("{{ {} }}", fields.join(" ")), serde_json::json!({})).await;
    for kind in spil_proto::model::Kind::ALL {
        let plural = kind.info().plural;
        assert!(data[plural]["totalCount"].as_u64() > Some(0), "{plural}");
    }
    assert_eq!(data["workers"]["totalCount"], 60);
    let dangling = client.ask("{ snapshot { danglingReferences { kind field count } } }", serde_json::json!({})).await;
    assert_eq!(dangling["snapshot"]["danglingReferences"], serde_json::json!([]));
    let mut owners = spil_proto::model::Owner::ALL.map(|owner| spil.owner(owner));
    spil_tests::digests_agree(&client, &mut owners).await;

    // Somebody works with it, and starts it again.
    let worker = client.ask("{ workers(first: 1) { nodes { id } } }", serde_json::json!({})).await["workers"]["nodes"]
        [0]["id"]
        .clone();
    client
        .ask("mutation($id: ID!) { retireWorker(input: {id: $id}) { stale } }", serde_json::json!({"id": worker}))
        .await;
    assert_eq!(spil.stop().await, Some(0));
    let again = run(arguments).await;
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    // Another organisation is not mixed with this one.
    let mut other = arguments;
    other[2] = "70";
    let refused = run(other).await;
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && error.contains("make clean-demo"), "{error}");
}
