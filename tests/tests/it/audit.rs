//! Why something was written, and the proof that nothing of it was changed since.

use std::path::Path;

use sea_orm::ConnectionTrait;
use serde_json::json;
use spil_tests::{Database, Spil, postgres_url, run};

const CREATE: &str =
    "mutation($input: CreateCapabilityInput!) { createCapability(input: $input) { userErrors { code path } } }";
const BATCH: &str = "mutation($input: ApplyChangesInput!) { applyChanges(input: $input) { userErrors { code path } } }";

/// Runs `spil audit`; the exit code and what it printed.
async fn audit(data: &Path, arguments: &[String], more: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["audit".to_owned()];
    all.extend(more.iter().map(|part| (*part).to_owned()));
    all.extend(["--data".to_owned(), data.display().to_string()]);
    all.extend(arguments.to_vec());
    let output = run(all).await;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), text)
}

async fn reasons_are_kept_and_logs_are_proven(data: &Path, arguments: &[String]) {
    let spil = Spil::builder(data).args(arguments.to_vec()).start().await;
    let client = spil.client();
    let input = |reason: &str| json!({"input": {"name": "A", "reason": reason}});
    let answer = client.ask(CREATE, input("The board wants it.")).await;
    assert_eq!(answer["createCapability"]["userErrors"], json!([]));
    for (reason, code) in [("x".repeat(1025), "TOO_LONG"), ("a\u{7}b".to_owned(), "MALFORMED")] {
        let answer = client.ask(CREATE, input(&reason)).await;
        assert_eq!(
            answer["createCapability"]["userErrors"],
            json!([{"code": code, "path": ["input", "reason"]}]),
            "{reason}"
        );
    }
    let change = |reason: Option<&str>| json!({"createCapability": {"name": "B", "reason": reason}});
    let batch = |inner| json!({"input": {"reason": "Together.", "changes": [change(inner)]}});
    assert_eq!(client.ask(BATCH, batch(None)).await["applyChanges"]["userErrors"], json!([]));
    let answer = client.ask(BATCH, batch(Some("Alone."))).await;
    let path = json!(["input", "changes", "0", "createCapability", "reason"]);
    assert_eq!(answer["applyChanges"]["userErrors"], json!([{"code": "MALFORMED", "path": path}]));

    let (code, early) = audit(data, arguments, &["head", "--owner", "capability"]).await;
    assert_eq!(code, Some(0), "{early}");
    let early = early.trim();
    assert!(early.starts_with("capability:2:") && early.len() == "capability:2:".len() + 64, "{early}");
    client.ask(CREATE, input("")).await;
    let (code, text) = audit(data, arguments, &["verify", "--head", early]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("capability: 3 revisions from 1 to 3 are whole; capability:3:"), "{text}");
    assert!(text.contains("workforce: there is nothing to check"), "{text}");
    let (code, text) = audit(data, arguments, &["verify", "--owner", "capability", "--since", early]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 revisions from 3 to 3"), "{text}");

    let digit = if early.ends_with('0') { "1" } else { "0" };
    let other = format!("{}{digit}", &early[..early.len() - 1]);
    let (code, text) = audit(data, arguments, &["verify", "--head", &other]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("capability: BROKEN: revision 2 is another than the one"), "{text}");
    let beyond = early.replace(":2:", ":9:");
    let (code, text) = audit(data, arguments, &["verify", "--head", &beyond]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the log ends with revision 3; revision 9"), "{text}");
    for more in [
        &["verify", "--head", "capability:2:xyz"][..],
        &["verify", "--owner", "workforce", "--head", early],
        &["verify", "--since", early, "--since", early],
        &["head", "--owner", "nobody"],
    ] {
        let (code, text) = audit(data, arguments, more).await;
        assert!(code.is_some_and(|code| code != 0), "{more:?} {text}");
    }
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_kept_and_logs_are_proven_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let (code, text) = audit(&missing, &[], &["verify"]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("there is no database"), "{text}");
    assert!(!missing.exists(), "nothing is made by looking");
    reasons_are_kept_and_logs_are_proven(folder.path(), &[]).await;
    what_is_done_beside_the_log_is_told(folder.path()).await;
}

/// What is done to a database whose owner is stopped: a row is changed, then the links of the log are taken away.
async fn what_is_done_beside_the_log_is_told(data: &Path) {
    let url = format!("sqlite://{}/capability.db", data.display());
    let run = async |sql: &str| {
        let db = sea_orm::Database::connect(&url).await.expect("a connection");
        db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        db.close().await.expect("closed");
    };
    let (code, text) = audit(data, &[], &["verify"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("; 3 records are what the log says\n"), "{text}");
    run("UPDATE capability SET name = 'Forged' WHERE name = 'B'").await;
    let (code, text) = audit(data, &[], &["verify"]).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("; 2 records are what the log says; DIFFERING: 1 records are not\n  Capability "), "{text}");
    assert!(text.contains(" was altered") && !text.contains("Forged"), "{text}");
    run("UPDATE capability SET name = 'B' WHERE name = 'Forged'").await;
    let (code, text) = audit(data, &[], &["verify"]).await;
    assert_eq!(code, Some(0), "{text}");
    run("DROP TRIGGER revision_is_not_updated; UPDATE revision SET chain = NULL").await;
    let (code, text) = audit(data, &[], &["verify"]).await;
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("capability: BROKEN: revision 1 has no link and must have one"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_kept_and_logs_are_proven_on_postgres() {
    let Some(admin) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&admin).await;
    let arguments = ["--database".to_owned(), database.url.clone()];
    let prepared = run(["migrate", "--database", &database.url, "--data", &folder.path().display().to_string()]).await;
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
    reasons_are_kept_and_logs_are_proven(folder.path(), &arguments).await;
    database.drop().await;
}
