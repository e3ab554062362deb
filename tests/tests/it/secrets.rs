//! Tokens, keys and passwords are written nowhere, however much is logged.

use reqwest::{Method, header};
use serde_json::json;
use spil_auth::{Permission, Signer};
use spil_proto::{changefeed::v1::SnapshotRequest, model::Owner};
use spil_tests::{Database, Spil, attack, issuer::TestIssuer, postgres_url, run};

use crate::ws::Socket;

/// What must not be found anywhere.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn token(&mut self, name: &'static str, token: &str) {
        // The signature alone is enough for whoever has the rest, which is easily made.
        let signature = token.rsplit('.').next().expect("a part");
        self.0.push((name, signature.to_owned()));
        let claims = token.split('.').nth(1).expect("claims");
        self.0.push((name, claims.to_owned()));
    }

    fn are_not_in(&self, place: &str, text: &str) {
        for (name, secret) in &self.0 {
            assert!(secret.len() > 8, "{name} is long enough to be found");
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{name} is in {place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_has_a_secret_in_it() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut secrets = Secrets(Vec::new());
    // Where there is a PostgreSQL: by a URL with a password, which the server need not ask for.
    let password = "canary-password-of-the-database";
    let database = match postgres_url() {
        Some(server) => Some(Database::create(&server).await),
        None => None,
    };
    let mut builder = Spil::builder(folder.path()).env("SPIL_ISSUERS", issuer.setting()).env("SPIL_LOG", "trace");
    if let Some(database) = &database {
        let url = reqwest::Url::parse(&database.url).ok().filter(|url| !url.username().is_empty());
        if let Some(mut url) = url {
            url.set_password(Some(password)).expect("a password");
            crate::operate::migrate(folder.path(), url.as_str()).await;
            builder = builder.args(["--database", url.as_str()]);
            secrets.0.push(("the password of the database", password.to_owned()));
        }
    }
    let spil = builder.keep_whole_log().start().await;
    let pem = std::fs::read_to_string(folder.path().join("development-key.pem")).expect("a key");
    let body = pem.lines().filter(|line| !line.starts_with(['-', '#'])).collect::<String>();
    secrets.0.push(("the key", body));
    let personal = std::fs::read_to_string(folder.path().join("personal.key")).expect("a key");
    secrets.0.push(("the personal key", personal.trim().to_owned()));

    let own = spil.token("canary", &Permission::ALL);
    let issued = attack::sound(&issuer, &issuer.keys.rsa);
    let foreign = Signer::generate().expect("a key").sign("canary", &[], std::time::Duration::from_secs(60));
    let foreign = foreign.expect("a token");
    let mut attacks = attack::attacks(&issuer);
    attacks.retain(|attack| attack.token.matches('.').count() == 2 && attack.token.len() < 4096);
    attacks.retain(|attack| attack.token.rsplit('.').next().is_some_and(|part| part.len() > 60));
    secrets.token("a development token", &own);
    secrets.token("a token of an issuer", &issued);
    secrets.token("a token of another installation", &foreign);
    for attack in attacks.iter().step_by(7) {
        secrets.token("a token that is not sound", &attack.token);
    }

    let mutation = "mutation { createSkill(input: {name: \"x\"}) { stale } }";
    let tokens: Vec<&str> = [own.as_str(), &issued, &foreign]
        .into_iter()
        .chain(attacks.iter().step_by(7).map(|attack| attack.token.as_str()))
        .collect();
    for token in &tokens {
        for query in ["{ __typename }", "{ nope }", mutation, "subscription { nope }"] {
            let _ = spil.client().with_token((*token).to_owned()).try_ask(&json!({"query": query})).await;
        }
        let by_get = spil.client().request(Method::GET, "/graphql/stream").bearer_auth(token);
        let _ = by_get.header(header::ACCEPT, "text/event-stream").query(&[("query", "{ __typename }")]).send().await;
        let mut socket = Socket::open(&spil).await;
        socket.say(&json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}})).await;
        for owner in Owner::ALL {
            let _ = spil.owner(owner).digest(token).await;
            let _ = spil.owner(owner).snapshot(token, SnapshotRequest::default()).await;
        }
    }
    // What breaks off in the middle.
    let broken = spil.client().request(Method::POST, "/graphql").bearer_auth(&own);
    let _ = broken.header(header::CONTENT_TYPE, "application/json").body("{\"query\":").send().await;
    let lines = spil.log().lines().count();
    assert!(lines > 2000, "much is logged: {lines} lines");
    secrets.are_not_in("the log", &spil.log());
    assert_eq!(spil.stop().await, Some(0));

    let output = run([
        "config",
        "--data",
        &folder.path().display().to_string(),
        "--database",
        &format!("postgres://spil:{password}@127.0.0.1:1/spil"),
        "--log",
        "trace",
    ])
    .await;
    assert!(output.status.success());
    let shown = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(shown.contains("postgres://spil:***@"), "{shown}");
    let password = Secrets(vec![("the password of the database", password.to_owned())]);
    password.are_not_in("`spil config`", &shown);
    // A database that nobody answers at is named without its password.
    let output = run([
        "migrate",
        "--data",
        &folder.path().display().to_string(),
        "--database",
        "postgres://spil:canary-password-of-the-database@127.0.0.1:1/spil",
        "--log",
        "trace",
    ])
    .await;
    assert!(!output.status.success());
    let shown = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    password.are_not_in("`spil migrate`", &shown);
    if let Some(database) = database {
        database.drop().await;
    }
}
