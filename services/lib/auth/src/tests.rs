//! What is signed is taken; everything else is refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_token_says_who_and_what() {
    let signer = Signer::generate().expect("a key");
    let token = signer.sign("ada", &[Permission::Read, Permission::Write], HOUR).expect("a token");
    let caller = signer.verifier().verify(&token).await.expect("a valid token");
    assert_eq!(caller.subject(), "ada");
    assert_eq!(caller.require(Permission::Read), Ok(()));
    assert_eq!(caller.require(Permission::Write), Ok(()));
    assert_eq!(caller.require(Permission::Admin), Err(Forbidden { lacking: Permission::Admin }));
    assert_eq!(caller.issuer(), ISSUER);
    assert_eq!(caller.claims()["sub"], "ada");
}

#[tokio::test]
async fn a_token_has_further_claims_which_displace_none() {
    let signer = Signer::generate().expect("a key");
    let Value::Object(claims) = json!({"worker": "W-1", "groups": ["hr"], "sub": "eve", "scope": "admin"}) else {
        unreachable!()
    };
    let token = signer.sign_with("ada", &[Permission::Audit], claims, HOUR).expect("a token");
    let caller = signer.verifier().verify(&token).await.expect("a valid token");
    assert_eq!((caller.subject(), caller.claims()["sub"].as_str()), ("ada", Some("ada")));
    assert_eq!(caller.permissions(), [Permission::Audit].into_iter().collect());
    assert_eq!((&caller.claims()["worker"], &caller.claims()["groups"]), (&json!("W-1"), &json!(["hr"])));
}

#[test]
fn a_caller_shows_neither_name_nor_claims() {
    let Value::Object(claims) = json!({"email": "ada@example.org"}) else { unreachable!() };
    let shown = format!("{:?}", Caller::new("ada", [Permission::Read]).with_claims(claims));
    assert!(!shown.contains("ada"), "{shown}");
    assert!(shown.contains(ISSUER), "{shown}");
}

#[tokio::test]
async fn tokens_of_another_key_are_refused() {
    let token = Signer::generate().expect("a key").sign("ada", &[Permission::Read], HOUR).expect("a token");
    assert_eq!(Signer::generate().expect("a key").verifier().verify(&token).await, Err(AuthError::Invalid));
}

#[tokio::test]
async fn claims_are_checked() {
    let key = InternalKey::generate().expect("a key");
    let verifier = Signer::new(&key).expect("a signer").verifier();
    let sign = |claims: Value| {
        let der = key.private_der().expect("a private half");
        encode(&Header::new(Algorithm::EdDSA), &claims, &EncodingKey::from_ed_der(&der)).expect("a token")
    };
    let far = 4_000_000_000_u64;
    let good = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": 1, "exp": far, "scope": "read"});
    assert!(verifier.verify(&sign(good.clone())).await.is_ok());
    for (claim, value, error) in [
        ("iss", json!("somebody"), AuthError::NotForUs),
        ("aud", json!("something"), AuthError::NotForUs),
        ("sub", json!(""), AuthError::Invalid),
        ("sub", Value::Null, AuthError::Invalid),
        ("exp", json!(1), AuthError::Expired),
        ("exp", Value::Null, AuthError::Invalid),
        ("nbf", json!(far), AuthError::NotYetValid),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        assert_eq!(verifier.verify(&sign(claims.clone())).await, Err(error), "{claims}");
    }
}

#[tokio::test]
async fn a_known_token_does_not_outlive_its_end() {
    let key = InternalKey::generate().expect("a key");
    let signer = Signer::new(&key).expect("a signer");
    let verifier = signer.verifier();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let der = key.private_der().expect("a private half");
    // Half a minute of leeway, of which a second or two are left.
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": 1, "exp": now - 28, "scope": "read"});
    let token = encode(&Header::new(Algorithm::EdDSA), &claims, &EncodingKey::from_ed_der(&der)).expect("a token");
    let caller = verifier.verify(&token).await.expect("a valid token");
    assert_eq!(verifier.verify(&token).await, Ok(caller));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(verifier.verify(&token).await, Err(AuthError::Expired));
    assert_eq!(verifier.clone().verify(&token).await, Err(AuthError::Expired));
}

#[tokio::test]
async fn a_token_like_a_known_one_is_refused() {
    let signer = Signer::generate().expect("a key");
    let verifier = signer.verifier();
    let token = signer.sign("ada", &[Permission::Read], HOUR).expect("a token");
    for _ in 0..3 {
        assert!(verifier.verify(&token).await.is_ok());
        let (head, signature) = token.rsplit_once('.').expect("a signature");
        let (front, claims) = head.rsplit_once('.').expect("claims");
        let other = signer.sign("eve", &[Permission::Admin], HOUR).expect("a token");
        let mut parts = other.split('.');
        let (_, other_claims) = (parts.next(), parts.next().expect("claims"));
        for changed in [
            format!("{front}.{other_claims}.{signature}"),
            format!("{front}.{claims}."),
            format!("{front}.{claims}.{}", signature.chars().rev().collect::<String>()),
            format!("{token}x"),
            token[..token.len() - 1].to_owned(),
        ] {
            assert_eq!(verifier.verify(&changed).await, Err(AuthError::Invalid), "{changed}");
        }
        assert_eq!(verifier.verify(&other).await.expect("a valid token").subject(), "eve");
    }
    // What one verifier knows says nothing to one with another key.
    assert_eq!(Signer::generate().expect("a key").verifier().verify(&token).await, Err(AuthError::Invalid));
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    let key = InternalKey::generate().expect("a key");
    let verifier = Signer::new(&key).expect("a signer").verifier();
    let claims =
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": 1, "exp": 4_000_000_000_u64, "scope": "admin"});
    // The public key as a shared secret: the confusion that a verifier open to HS256 falls for.
    let confused = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&key.public_bytes()))
        .expect("a token");
    assert_eq!(verifier.verify(&confused).await, Err(AuthError::Invalid));
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.";
    for token in ["", "a.b.c", unsigned, &"x".repeat(MAX_TOKEN_BYTES)] {
        assert_eq!(verifier.verify(token).await, Err(AuthError::Invalid), "{token}");
    }
    assert_eq!(verifier.verify(&"x".repeat(MAX_TOKEN_BYTES + 1)).await, Err(AuthError::TooLong));
}

#[test]
fn the_key_file_is_made_once_and_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.pem");
    let keys: Vec<_> = std::thread::scope(|scope| {
        let makers: Vec<_> =
            (0..1).map(|_| scope.spawn(|| InternalKey::read_or_create(&path).expect("a key").public_bytes())).collect();
        makers.into_iter().map(|maker| maker.join().expect("no panic")).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "all who start at once get one key");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside the key");
    assert_eq!(InternalKey::read(&path).expect("a key").public_bytes(), keys[0]);
    assert_eq!(InternalKey::read_or_create(&path).expect("a key").public_bytes(), keys[0]);
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("a file").permissions()) & 0o777,
        0o600
    );
    std::fs::write(&path, "nonsense").expect("written");
    assert!(matches!(InternalKey::read(&path), Err(KeyError::Malformed { .. })));
}

#[test]
fn a_development_key_is_known_whatever_its_file_looks_like() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.pem");
    assert!(InternalKey::read_or_create(&path).expect("a key").is_development());
    let pem = std::fs::read_to_string(&path).expect("a key");
    let (line, bare) = pem.split_once('\n').expect("a line");
    assert!(line.contains("Not for production") && bare.starts_with("-----BEGIN"));
    for text in [bare.to_owned(), format!("\n{bare}"), format!("a comment\n{bare}"), bare.replace('\n', "\r\n")] {
        std::fs::write(&path, &text).expect("written");
        match InternalKey::read(&path) {
            Ok(key) => assert!(key.is_development(), "{text:?}"),
            Err(error) => assert!(matches!(error, KeyError::Malformed { .. }), "{error}"),
        }
    }
    // One that an operator has made, and one that an earlier version has: random as a whole, but for its line.
    const OPERATORS: &str = include_str!("../../../../tests/fixtures/keys/ed.pem");
    std::fs::write(&path, OPERATORS).expect("written");
    assert!(!InternalKey::read(&path).expect("a key").is_development());
    std::fs::write(&path, format!("{line}\n{OPERATORS}")).expect("written");
    assert!(InternalKey::read(&path).expect("a key").is_development());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.pem");
    InternalKey::read_or_create(&path).expect("a key");
    for (mode, is_taken) in
        [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o602, false)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        match InternalKey::read(&path) {
            Ok(_) => assert!(is_taken, "{mode:o}"),
            Err(error) => assert!(!is_taken && matches!(error, KeyError::Open { .. }), "{mode:o}: {error}"),
        }
    }
}

#[test]
fn nothing_shows_the_private_half() {
    let key = InternalKey::generate().expect("a key");
    let signer = Signer::new(&key).expect("a signer");
    assert_eq!(format!("{key:?} {signer:?}"), "InternalKey { .. } Signer { .. }");
}
