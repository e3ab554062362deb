//! In production nobody gets in by a key that lies in a file.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use spil_auth::{InternalKey, Permission};
use spil_proto::model::Owner;
use spil_tests::{Spil, attack, issuer::TestIssuer, run};

/// Writes a file that its owner alone reads.
fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
}

/// A key as an operator makes one.
fn operator_key(folder: &Path) -> PathBuf {
    let path = folder.join("operator.pem");
    write_private(&path, include_str!("../../fixtures/keys/ed.pem"));
    path
}

/// A key of a development run, in a file that does not say so.
fn development_key(folder: &Path) -> PathBuf {
    let made = folder.join("made.pem");
    InternalKey::read_or_create(&made).expect("a key");
    let pem = std::fs::read_to_string(&made).expect("a key");
    let path = folder.join("bare.pem");
    write_private(&path, pem.split_once('\n').expect("a line").1);
    path
}

/// The key by which the owner of people seals what tells who they are. In production it has to be there.
fn personal_key(data: &Path) {
    std::fs::create_dir(data).expect("a folder");
    let path = data.join("personal.key");
    write_private(&path, &STANDARD.encode([7; 32]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_would_let_anybody_in_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let sound = operator_key(folder.path()).display().to_string();
    let bare = development_key(folder.path()).display().to_string();
    let marked = folder.path().join("made.pem").display().to_string();
    let open = folder.path().join("open.pem");
    std::fs::copy(&sound, &open).expect("copied");
    set_mode(&open, 0o644);
    let open = open.display().to_string();
    let settings = folder.path().join("spil.toml");
    let with_issuer = "profile = \"production\"\n[[issuers]]\nissuer = \"http://127.0.0.1:1\"\naudiences = [\"a\"]\n";
    std::fs::write(&settings, with_issuer).expect("written");
    let settings = settings.display().to_string();
    let mapping = format!("{}/../services/connector/mappings/gemma.toml", env!("CARGO_MANIFEST_DIR"));
    for (arguments, said) in [
        (vec!["serve", "--profile", "production", "--key", &sound], "at least one of `[[issuers]]`"),
        (vec!["config", "--profile", "production", "--key", &sound], "at least one of `[[issuers]]`"),
        (vec!["serve", "--config", &settings], "needs a `key`"),
        (vec!["serve", "--config", &settings, "--key", &marked], "was made by a development run"),
        (vec!["serve", "--config", &settings, "--key", &bare], "was made by a development run"),
        (vec!["serve", "--config", &settings, "--key", &open], "others may read or write the key file"),
        (vec!["serve", "--config", &settings, "--key", "/nowhere.pem"], "/nowhere.pem"),
        (vec!["token", "--config", &settings, "--key", &sound], "development tokens are not taken"),
        (vec!["token", "--profile", "production"], "development tokens are not taken"),
        (vec!["demo", "--config", &settings, "--key", &sound], "no demo organisation"),
        (vec!["import", "--config", &settings, "--key", &sound, "--mapping", &mapping, &mapping], "give a token"),
    ] {
        let mut all = arguments.clone();
        all.extend(["--data", &data, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        let output = run(&all).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(!folder.path().join("data/development-key.pem").exists(), "no key is made in production");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_those_of_issuers_and_the_gateway_follows_its_owners() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let key = operator_key(folder.path());
    personal_key(&folder.path().join("owners"));
    // The owners are in one process and the gateway is in another.
    let personal = folder.path().join("personal.key");
    write_private(&personal, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    let shared = ["--profile", "production", "--key", &key.display().to_string()].map(str::to_owned);
    let start = |name: &str, more: Vec<String>| {
        let builder = Spil::builder(&folder.path().join(name)).env("SPIL_ISSUERS", issuer.setting());
        let builder = builder.env("SPIL_PERSONAL_KEY", personal.display().to_string());
        builder.args(shared.clone()).args(more).start()
    };
    let owners = start("owners", vec!["--roles".to_owned(), "capability,workforce,initiative".to_owned()]).await;
    let address = owners.grpc.clone().expect("owners");
    let gateway = Spil::builder(&folder.path().join("gateway")).env("SPIL_ISSUERS", issuer.setting());
    let gateway = ["CAPABILITY", "WORKFORCE", "INITIATIVE"]
        .iter()
        .fold(gateway, |builder, owner| builder.env(&format!("SPIL_OWNERS__{owner}"), address.clone()));
    // It is ready only when it has read all three owners, with tokens of its own.
    let gateway = gateway.args(shared.clone()).args(["--roles", "gateway"]).start().await;

    let client = gateway.client().with_token(attack::sound_for(&issuer, "ada", "read write"));
    let create = "mutation { createSkill(input: {name: \"x\"}) { stale skill { name } } }";
    assert_eq!(client.ask(create, json!({})).await["createSkill"]["skill"]["name"], "x");

    // A development token by the very key: neither the gateway nor an owner takes it.
    let signer = spil_auth::Signer::new(&InternalKey::read(&key).expect("a key")).expect("a signer");
    let lifetime = std::time::Duration::from_secs(60);
    let development = signer.sign("ada", &Permission::ALL, lifetime).expect("a token");
    let (status, answer) =
        client.with_token(development.clone()).try_ask(&json!({"query": "{ __typename }"})).await.expect("an answer");
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
    for owner in Owner::ALL {
        let refused = owners.owner(owner).digest(&development).await.expect_err("refused");
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }
    assert_eq!(gateway.stop().await, Some(0));
    assert_eq!(owners.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = "[{issuer=\"http://127.0.0.1:1\", audiences=[\"urn:spil:test\"]}]";
    let spil = Spil::builder(folder.path()).env("SPIL_ISSUERS", setting).start().await;
    // A token of it may be good: whoever shows it is to try again, and not to ask for another.
    let issuer = TestIssuer::start().await;
    let key = &issuer.keys.rsa;
    let claims = json!({"iss": "http://127.0.0.1:1", "aud": "urn:spil:test", "sub": "a", "exp": 4_000_000_000_u64});
    let token = key.sign("{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"rsa-1\"}", &claims.to_string());
    let (status, answer) =
        spil.client().with_token(token.clone()).try_ask(&json!({"query": "{ __typename }"})).await.expect("an answer");
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (503, &json!("NOT_READY")));
    let refused = spil.owner(Owner::Workforce).digest(&token).await.expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    // Tokens of others are not touched by that.
    spil.client().ask("{ __typename }", json!({})).await;
    assert!(spil.log().contains("the keys of an issuer can not be had"), "{}", spil.log());
    assert_eq!(spil.stop().await, Some(0));
}
