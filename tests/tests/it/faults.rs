//! Processes and the database end at the worst moment: no acknowledged write is lost, none is done twice, and reads go on.

use std::{
    collections::HashSet,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use spil_proto::model::Owner;
use spil_tests::{Client, Database, Spil, digests_agree, postgres_url};
use tokio::task::JoinHandle;

/// The owners in one process, a gateway in another.
struct Split {
    owners: Spil,
    gateway: Spil,
    arguments: Vec<String>,
}

impl Split {
    async fn start(data: &Path, database: Option<&str>) -> Self {
        let mut arguments = vec!["--roles".to_owned(), "capability,workforce,initiative".to_owned()];
        if let Some(url) = database {
            crate::operate::migrate(data, url).await;
            arguments.extend(["--database".to_owned(), url.to_owned()]);
        }
        let owners = Spil::builder(data).args(arguments.clone()).start().await;
        let gateway = gateway(data, &owners, None).await;
        Self { owners, gateway, arguments }
    }

    async fn restart_owners(&mut self, data: &Path, pause: Duration) {
        let grpc = self.owners.grpc.clone();
        self.owners.kill().await;
        tokio::time::sleep(pause).await;
        self.owners = Spil::builder(data).args(self.arguments.clone()).at(None, grpc.as_deref()).start().await;
    }

    async fn restart_gateway(&mut self, data: &Path) {
        let http = self.gateway.http.clone();
        self.gateway.kill().await;
        self.gateway = gateway(data, &self.owners, http.as_deref()).await;
    }
}

async fn gateway(data: &Path, owners: &Spil, http: Option<&str>) -> Spil {
    let grpc = owners.grpc.clone().expect("owners");
    let mut builder = Spil::builder(data).args(["--roles", "gateway"]).at(http, None);
    for owner in Owner::ALL {
        builder = builder.env(&format!("SPIL_OWNERS__{}", owner.name().to_uppercase()), grpc.clone());
    }
    builder.start().await
}

/// Somebody who writes without pause, and sends again what was not acknowledged.
struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<HashSet<String>>,
}

impl Writer {
    fn start(client: Client, name: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut acknowledged = HashSet::new();
            let query = "mutation($input: CreateSkillInput!) { createSkill(input: $input) { skill { id } userErrors { message } } }";
            for number in 0.. {
                if asked.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("skill {name}-{number}");
                let body = json!({"query": query, "variables": {"input": {"name": name, "clientMutationId": name}}});
                loop {
                    match client.try_ask(&body).await {
                        Ok((200, answer)) if answer["data"]["createSkill"]["skill"]["id"].is_string() => {
                            acknowledged.insert(
                                answer["data"]["createSkill"]["skill"]["id"].as_str().expect("an id").to_owned(),
                            );
                            break;
                        }
                        Ok((_, answer)) => {
                            let code =
                                answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
                            assert!(["UNAVAILABLE", "NOT_READY"].contains(&code.as_str()), "{answer}");
                        }
                        // The gateway itself is gone for a moment.
                        Err(error) => assert!(
                            error.is_connect() || error.is_request() || error.is_body() || error.is_decode(),
                            "{error}"
                        ),
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            acknowledged
        });
        Self { stop, task }
    }

    async fn finish(self) -> HashSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        tokio::time::timeout(Duration::from_secs(60), self.task).await.expect("it ends in time").expect("no panic")
    }
}

/// Somebody who reads without pause and never sees less than before.
struct Reader {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Reader {
    fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let (asked, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let task = tokio::spawn(async move {
            let mut seen = 0;
            while !asked.load(Ordering::Relaxed) {
                let data = client.ask("{ skills(last: 3) { totalCount nodes { name version } } }", json!({})).await;
                let total = data["skills"]["totalCount"].as_u64().expect("a number");
                assert!(total >= seen, "{total} skills after {seen}");
                seen = total;
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { stop, count, task }
    }

    async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no read failed");
        assert!(self.count.load(Ordering::Relaxed) > 0, "it did read");
    }
}

/// Everything acknowledged is there, once, and the graph is what the owners have.
async fn check(split: &Split, acknowledged: &[HashSet<String>]) {
    let client = split.gateway.client();
    let mut owners = Owner::ALL.map(|owner| split.owners.owner(owner));
    digests_agree(&client, &mut owners).await;
    let all: HashSet<_> = acknowledged.iter().flatten().cloned().collect();
    assert_eq!(all.len(), acknowledged.iter().map(HashSet::len).sum::<usize>());
    let data = client.ask("{ skills { totalCount } }", json!({})).await;
    assert_eq!(data["skills"]["totalCount"], all.len(), "each acknowledged write is there, and nothing was done twice");
    let ids: Vec<_> = all.into_iter().collect();
    for ids in ids.chunks(1000) {
        let data = client.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids})).await;
        assert!(data["nodes"].as_array().expect("a list").iter().all(|node| !node.is_null()));
    }
}

async fn owners_end_and_come_back(data: &Path, database: Option<&str>) {
    let mut split = Split::start(data, database).await;
    let writers: Vec<_> = (0..4).map(|name| Writer::start(split.gateway.client(), name)).collect();
    let reader = Reader::start(split.gateway.client());
    tokio::time::sleep(Duration::from_millis(500)).await;
    for pause in [Duration::ZERO, Duration::from_millis(1500)] {
        split.restart_owners(data, pause).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    reader.finish().await;
    split.restart_gateway(data).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.finish().await);
    }
    check(&split, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_gateway_are_killed_under_load_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    owners_end_and_come_back(folder.path(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_gateway_are_killed_under_load_on_postgresql() {
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    owners_end_and_come_back(folder.path(), Some(&database.url)).await;
    database.drop().await;
}

/// Runs the script that starts and ends a PostgreSQL for tests, and gives the lines it prints.
fn script(arguments: &[&str]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
    let output = Command::new(script).args(arguments).output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// A PostgreSQL of its own, ended whatever becomes of the test.
struct OwnPostgres {
    place: String,
    url: String,
}

impl OwnPostgres {
    fn start() -> Self {
        let mut lines = script(&["start"]).into_iter();
        match (lines.next(), lines.next()) {
            (Some(place), Some(url)) => Self { place, url },
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        script(&["stop", &self.place]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_crashes_under_load() {
    if postgres_url().is_none() {
        return;
    }
    // One of its own, since the others would mind.
    let server = OwnPostgres::start();
    let folder = tempfile::tempdir().expect("a folder");
    let split = Split::start(folder.path(), Some(&server.url)).await;
    let writers: Vec<_> = (0..4).map(|name| Writer::start(split.gateway.client(), name)).collect();
    let reader = Reader::start(split.gateway.client());
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..2 {
        let place = server.place.clone();
        tokio::task::spawn_blocking(move || script(&["crash", &place])).await.expect("no panic");
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    reader.finish().await;
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.finish().await);
    }
    check(&split, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_is_as_fresh_as_a_token_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let split = Split::start(folder.path(), None).await;
    let second = gateway(folder.path(), &split.owners, None).await;
    let (first, second) = (split.gateway.client(), second.client());
    for number in 0..50 {
        let query = format!("mutation {{ createSkill(input: {{key: \"S{number}\"}}) {{ skill {{ id }} }} }}");
        let answer = first.answer(&query, json!({})).await;
        let token = &answer["extensions"]["consistency"];
        let body =
            json!({"query": format!("{{ skill(key: \"S{number}\") {{ id }} }}"), "extensions": {"consistency": token}});
        let (status, read) = second.try_ask(&body).await.expect("an answer");
        assert_eq!((status, &read["data"]["skill"]), (200, &answer["data"]["createSkill"]["skill"]));
    }
}
