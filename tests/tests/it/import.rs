//! Files in: through the real command, into a running process.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spil_proto::model::Owner;
use spil_tests::{Database, Spil, digests_agree, postgres_url, run};

/// An import that ran.
struct Imported {
    code: Option<i32>,
    said: String,
}

impl Imported {
    /// The counts of a kind as the table shows them: created, updated, unchanged, retired, rejected.
    fn counts(&self, kind: &str) -> [u64; 5] {
        let line = self
            .said
            .lines()
            .find(|line| line.split_whitespace().next() == Some(kind))
            .unwrap_or_else(|| panic!("{kind} in\n{}", self.said));
        let numbers: Vec<u64> =
            line.split_whitespace().skip(1).map(|number| number.parse().expect("a number")).collect();
        numbers.try_into().expect("five numbers")
    }
}

async fn import(spil: &Spil, data: &Path, mapping: &str, files: &[PathBuf], flags: &[&str]) -> Imported {
    let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/connector/mappings").join(mapping);
    let mut arguments = vec![
        "import".to_owned(),
        "--mapping".to_owned(),
        mapping.display().to_string(),
        "--data".to_owned(),
        data.display().to_string(),
    ];
    arguments.extend(["--server".to_owned(), spil.grpc.clone().expect("owners")]);
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    arguments.extend(files.iter().map(|file| file.display().to_string()));
    let output = run(arguments).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Imported { code: output.status.code(), said: text(&output.stdout) + &text(&output.stderr) }
}

fn fixtures(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)).collect()
}

/// Where every owner stands, by the gateway.
async fn revisions(spil: &Spil) -> Value {
    spil.client().ask("{ snapshot { owners { name headRevision appliedRevision } } }", json!({})).await["snapshot"]["owners"].take()
}

async fn small_files(spil: &Spil, data: &Path) {
    let client = spil.client();
    let files = fixtures(&["gemma-elements.csv", "gemma-relations.csv"]);
    let before = revisions(spil).await;
    let planned = import(spil, data, "gemma.toml", &files, &["--dry-run"]).await;
    assert_eq!(
        (planned.counts("Capability"), planned.counts("Process")),
        ([4, 0, 0, 0, 0], [1, 0, 0, 0, 0]),
        "{}",
        planned.said
    );
    assert_eq!(revisions(spil).await, before, "a dry run writes nothing");

    let done = import(spil, data, "gemma.toml", &files, &[]).await;
    for kind in ["Capability", "Process", "Application", "Role"] {
        assert_eq!(done.counts(kind), planned.counts(kind), "{}", done.said);
    }
    let query =
        "{ capabilities(orderBy: {field: NAME}) { nodes { name parent { name } applications { nodes { name } } } }
                   role: roles { nodes { name processes { nodes { name } } } } }";
    spil_settled(spil).await;
    let data_now = client.ask(query, json!({})).await;
    let klacht = data_now["capabilities"]["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|node| node["name"] == "Klachtbehandeling")
        .expect("it is there")
        .clone();
    assert_eq!(klacht["parent"]["name"], "Klant- en keten, management");
    assert_eq!(
        klacht["applications"]["nodes"],
        json!([{"name": "Klachtencomponent"}]),
        "two hops: application, service, function"
    );
    assert_eq!(data_now["role"]["nodes"][0]["processes"]["nodes"].as_array().map(Vec::len), Some(1));

    let written = revisions(spil).await;
    let again = import(spil, data, "gemma.toml", &files, &[]).await;
    assert_eq!(
        (again.code, again.counts("Capability"), again.counts("total")[2]),
        (done.code, [0, 0, 4, 0, 0], done.counts("total")[0]),
        "{}",
        again.said
    );
    assert_eq!(revisions(spil).await, written, "a second run writes nothing");

    let first = import(spil, data, "uk-organogram.toml", &fixtures(&["organogram-2011.csv"]), &[]).await;
    assert_eq!(first.counts("Position"), [6, 0, 0, 0, 0], "{}", first.said);
    let second =
        import(spil, data, "uk-organogram.toml", &fixtures(&["organogram-2013.csv"]), &["--allow-retire", "100"]).await;
    let [created, updated, unchanged, retired, _] = second.counts("Position");
    assert_eq!((created + updated + unchanged, retired), (4, 4), "{}", second.said);
    spil_settled(spil).await;
    let data_now =
        client.ask("{ positions { totalCount nodes { fte reportsTo { name } externalIds { id } } } }", json!({})).await;
    assert_eq!(data_now["positions"]["totalCount"], 4);
    let lines = data_now["positions"]["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|node| !node["reportsTo"].is_null())
        .count();
    assert_eq!(
        lines, 2,
        "the director and the group report to somebody; the head and the post that reports to itself do not"
    );
}

/// Waits until the gateway shows what the owners have.
async fn spil_settled(spil: &Spil) {
    let mut owners = Owner::ALL.map(|owner| spil.owner(owner));
    digests_agree(&spil.client(), &mut owners).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_imported_once_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    small_files(&spil, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_imported_once_on_postgresql() {
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    crate::operate::migrate(folder.path(), &database.url).await;
    let spil = Spil::builder(folder.path()).args(["--database", &database.url]).start().await;
    small_files(&spil, folder.path()).await;
    drop(spil);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn published_files_are_imported_whole() {
    let Some(samples) = std::env::var_os("SPIL_SAMPLES").map(PathBuf::from) else {
        eprintln!("skipped: SPIL_SAMPLES does not name the folder of the published files");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let files = ["gemma-elements.csv", "gemma-relations.csv"].map(|name| samples.join("capability").join(name));
    let done = import(&spil, folder.path(), "gemma.toml", &files, &[]).await;
    assert_eq!(
        ["Capability", "Process", "Application", "Role"].map(|kind| done.counts(kind)[0]),
        [304 + 26, 177, 138, 56],
        "{}",
        done.said
    );
    let again = import(&spil, folder.path(), "gemma.toml", &files, &[]).await;
    assert_eq!(again.counts("total"), [0, 0, 304 + 26 + 177 + 138 + 56, 0, 0], "{}", again.said);

    for (file, rows) in [("hmt-2011-03.csv", 526), ("hmt-2011-09.csv", 518)] {
        let file = [samples.join("workforce").join(file)];
        let done = import(&spil, folder.path(), "uk-organogram.toml", &file, &["--allow-retire", "1000"]).await;
        let [created, updated, unchanged, _, rejected] = done.counts("Position");
        // A post whose reference occurs twice in a file is one post.
        let positions = created + updated + unchanged;
        assert!(rejected == 0 && (rows - 2..=rows).contains(&positions), "{}", done.said);
        spil_settled(&spil).await;
        let data = client.ask("{ all: positions { totalCount } heads: positions(filter: {reportsToId: {isNull: true}}) { totalCount } }", json!({})).await;
        assert_eq!(data["all"]["totalCount"], positions);
        assert_eq!(data["heads"]["totalCount"], 1, "all but the root report to somebody who is there");
        let before = revisions(&spil).await;
        let again = import(&spil, folder.path(), "uk-organogram.toml", &file, &[]).await;
        assert_eq!(again.counts("total")[0..2], [0, 0], "{}", again.said);
        assert_eq!(revisions(&spil).await, before);
    }
}
