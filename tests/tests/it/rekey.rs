//! `spil subject rekey`: the personal key is changed, killed on the way as often as it takes.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::json;
use spil_auth::Permission;
use spil_proto::{
    changefeed::v1::{Action, ApplyRequest, Command, Record, record},
    model::{Header, Owner},
    workforce::v1::Worker,
};
use spil_tests::{Spil, run, spil};

/// So many that it takes a while.
const PEOPLE: usize = 2000;

fn create(number: usize) -> Command {
    let header = Header { key: Some(format!("W-{number:04}")), ..Header::default() };
    let worker = Worker { header: Some(header), display_name: Some(format!("Person {number}")), ..Worker::default() };
    let values = Record { entity: Some(record::Entity::Worker(worker)) };
    Command { action: Action::Create.into(), values: Some(values), ..Command::default() }
}

fn arguments<'a>(data: &'a str, to: &'a str) -> [&'a str; 6] {
    ["subject", "rekey", "--data", data, "--to", to]
}

/// What a process says that does not start with a personal key.
async fn refusal(data: &Path, key: &Path) -> String {
    let [data, key] = [data, key].map(|path| path.display().to_string());
    let settings = format!("{data}/spil.toml");
    std::fs::write(&settings, format!("personal_key = {key:?}\n")).expect("written");
    let listen = ["--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
    let refused = run(["serve", "--config", &settings, "--data", &data].into_iter().chain(listen)).await;
    assert_eq!(refused.status.code(), Some(1));
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_personal_key_is_changed_however_often_that_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Spil::builder(folder.path()).start().await;
    let token = process.token("hris", &[Permission::Write]);
    let request = ApplyRequest {
        idempotency_key: "all".to_owned(),
        commands: (0..PEOPLE).map(create).collect(),
        source: "hris".to_owned(),
        ..ApplyRequest::default()
    };
    assert!(process.owner(Owner::Workforce).apply(&token, request).await.expect("an answer").applied);
    assert_eq!(process.stop().await, Some(0));

    let new = folder.path().join("second.key");
    let (data, to) = (folder.path().display().to_string(), new.display().to_string());
    // Killed ever later, until it comes to its end before that.
    let (mut patience, mut kills) = (Duration::from_millis(20), 0);
    let status = loop {
        let mut child = tokio::process::Command::new(spil())
            .args(arguments(&data, &to))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it runs");
        match tokio::time::timeout(patience, child.wait()).await {
            Ok(status) => break status.expect("a status"),
            Err(_) => {
                child.kill().await.expect("killed");
                kills += 1;
            }
        }
        patience = patience.mul_f64(1.3);
    };
    assert!(status.success() && kills > 2, "{status}, {kills} kills");
    let again = run(arguments(&data, &to)).await;
    assert!(String::from_utf8_lossy(&again.stdout).contains("already"), "{again:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&new).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);

    // The old key opens nothing any more, and cannot be named as the new one.
    let old = folder.path().join("personal.key");
    let said = refusal(folder.path(), &old).await;
    assert!(said.contains("the personal key is not the one with which the database was sealed"), "{said}");
    let same = run(arguments(&data, &old.display().to_string())).await;
    assert!(String::from_utf8_lossy(&same.stderr).contains("name another file"), "{same:?}");

    let process = Spil::builder(folder.path()).env("SPIL_PERSONAL_KEY", &to).start().await;
    let query = "{ workers(orderBy: [{field: KEY, direction: DESC}], first: 1) { totalCount nodes { key displayName } } worker(key: \"W-0007\") { displayName } }";
    let people = process.client().ask(query, json!({})).await;
    let last = json!({"key": "W-1999", "displayName": "Person 1999"});
    assert_eq!(
        people,
        json!({"workers": {"totalCount": PEOPLE, "nodes": [last]}, "worker": {"displayName": "Person 7"}})
    );
    let make = "mutation { createWorker(input: {key: \"new\", displayName: \"N\"}) { worker { displayName } } }";
    assert_eq!(process.client().ask(make, json!({})).await["createWorker"]["worker"]["displayName"], "N");
    assert_eq!(process.stop().await, Some(0));
    // What SQLite keeps is for the owner of the files alone.
    for file in std::fs::read_dir(folder.path()).expect("files") {
        let file = file.expect("a file");
        if file.file_name().to_string_lossy().contains(".db") {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().expect("known").permissions());
            assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
        }
    }
}
