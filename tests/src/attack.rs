//! Tokens that nobody may take, and some that are as they should be.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, TestIssuer, TestKey};

/// A token, and what is the matter with it.
pub struct Attack {
    /// What it tries.
    pub name: String,
    /// The token.
    pub token: String,
}

/// Header and claims as they stand in a token.
pub(crate) fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// The header of a token that is as it should be.
fn header(key: &TestKey) -> Value {
    json!({"alg": key.algorithm, "typ": "at+jwt", "kid": key.id})
}

/// The claims of a token that is as it should be.
fn claims(issuer: &TestIssuer) -> Value {
    json!({
        "iss": issuer.name(), "aud": AUDIENCE, "sub": "somebody", "iat": now(), "exp": now() + 600,
        "scope": "read write admin personal audit follow",
    })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().expect("an object").remove(name);
    value
}

/// A token that is as it should be.
pub fn sound(issuer: &TestIssuer, key: &TestKey) -> String {
    key.sign(&header(key).to_string(), &claims(issuer).to_string())
}

/// A token that is as it should be but for the scopes, which are these.
pub fn sound_for(issuer: &TestIssuer, subject: &str, scope: &str) -> String {
    let key = &issuer.keys.rsa;
    let claims = with(with(claims(issuer), "scope", scope.into()), "sub", subject.into());
    key.sign(&header(key).to_string(), &claims.to_string())
}

/// A token that is as it should be, for some seconds.
pub fn sound_for_seconds(issuer: &TestIssuer, seconds: u64) -> String {
    let key = &issuer.keys.rsa;
    let claims = with(claims(issuer), "exp", json!(now() + seconds));
    key.sign(&header(key).to_string(), &claims.to_string())
}

/// Tokens that look odd and are as they should be.
pub fn odd_and_sound(issuer: &TestIssuer) -> Vec<Attack> {
    let key = &issuer.keys.rsa;
    let all = [
        ("by RSA", header(key), claims(issuer)),
        ("several audiences", header(key), with(claims(issuer), "aud", json!(["urn:other", AUDIENCE]))),
        ("a type written out", with(header(key), "typ", json!("application/AT+JWT")), claims(issuer)),
        ("half a second", header(key), with(claims(issuer), "exp", json!(now() as f64 + 600.5))),
        (
            "a hint nobody reads",
            with(header(key), "jku", json!(format!("{}/elsewhere", issuer.name()))),
            claims(issuer),
        ),
    ];
    let by_rsa = all.into_iter().map(|(name, header, claims)| Attack {
        name: name.to_owned(),
        token: key.sign(&header.to_string(), &claims.to_string()),
    });
    let by_ec = Attack { name: "by an elliptic curve".to_owned(), token: sound(issuer, &issuer.keys.ec) };
    by_rsa.chain([by_ec]).collect()
}

/// Tokens that nobody may take. Where one names an address, it is one of the issuer at which nothing is published.
pub fn attacks(issuer: &TestIssuer) -> Vec<Attack> {
    let mut all = Vec::new();
    let mut add = |name: &str, token: String| all.push(Attack { name: name.to_owned(), token });
    let rsa = &issuer.keys.rsa;
    let good = sound(issuer, rsa);
    let (good_message, good_signature) = good.rsplit_once('.').expect("a signature");
    let good_claims = claims(issuer).to_string();
    add("nothing", String::new());
    add("garbage", "garbage".to_owned());
    add("dots", "..".to_owned());

    // No signature, or one that says nothing.
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = message(&with(header(rsa), "alg", none.into()).to_string(), &good_claims);
        add(&format!("alg {none:?}"), format!("{unsigned}."));
        add(&format!("alg {none:?} with a signature"), format!("{unsigned}.{good_signature}"));
    }
    add("no alg", format!("{}.", message(&without(header(rsa), "alg").to_string(), &good_claims)));
    add("the signature stripped", format!("{good_message}."));
    add("the signature and its dot stripped", good_message.to_owned());
    add("the signature cut", good[..good.len() - 4].to_owned());
    add("the signature padded", format!("{good}=="));
    add("a part more", format!("{good}.{good_signature}"));
    let altered = with(claims(issuer), "sub", "admin".into()).to_string();
    let altered = message(&header(rsa).to_string(), &altered);
    add("other claims under the signature", format!("{altered}.{good_signature}"));

    // The public key as a shared secret.
    let der = |pem: &str| {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(body).expect("a key")
    };
    let (spki, pkcs1) =
        (include_str!("../fixtures/keys/rsa-public.pem"), include_str!("../fixtures/keys/rsa-public-pkcs1.pem"));
    let modulus = rsa.published()["n"].as_str().expect("a modulus").to_owned();
    for (name, secret) in [
        ("PEM", spki.as_bytes().to_vec()),
        ("PEM without its last line end", spki.trim_end().as_bytes().to_vec()),
        ("PKCS#1 PEM", pkcs1.as_bytes().to_vec()),
        ("DER", der(spki)),
        ("PKCS#1 DER", der(pkcs1)),
        ("modulus", URL_SAFE_NO_PAD.decode(&modulus).expect("a number")),
        ("modulus as text", modulus.into_bytes()),
        ("nothing", Vec::new()),
        ("`secret`", b"secret".to_vec()),
        ("a nought", vec![0]),
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let message = message(&with(header(rsa), "alg", json!(algorithm)).to_string(), &good_claims);
            let secret = EncodingKey::from_secret(&secret);
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, algorithm).expect("a signature");
            add(&format!("{algorithm:?} with {name} as the secret"), format!("{message}.{signature}"));
        }
    }

    // Keys that are not the issuer's, or not for this.
    let foreign = &issuer.keys.foreign;
    let by_foreign = |header: Value| foreign.sign(&header.to_string(), &good_claims);
    let elsewhere = format!("{}/elsewhere", issuer.name());
    let embedded = foreign.published();
    add("a key nobody knows", by_foreign(header(foreign)));
    add("a key nobody knows under a name that is known", by_foreign(header(rsa)));
    add("a key nobody knows without a name", by_foreign(without(header(rsa), "kid")));
    add("a key in the token", by_foreign(with(header(foreign), "jwk", embedded.clone())));
    add("a key in the token under a name that is known", by_foreign(with(header(rsa), "jwk", embedded)));
    for name in ["jku", "x5u"] {
        for key in [foreign, rsa] {
            add(&format!("{name} with {}", key.id), by_foreign(with(header(key), name, elsewhere.clone().into())));
        }
    }
    add("x5c", by_foreign(with(header(foreign), "x5c", json!(["AAAA"]))));
    add("a key that is too short", sound(issuer, &issuer.keys.weak));
    add("an algorithm that is not allowed", sound(issuer, &issuer.keys.ed));
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let header = with(header(rsa), "alg", json!(algorithm)).to_string();
        add(&format!("{algorithm:?} by a key for RS256"), rsa.sign_by(algorithm, &header, &good_claims));
    }
    let crossed = with(header(&issuer.keys.ec), "kid", rsa.id.into()).to_string();
    add("ES256 under the name of a key for RS256", issuer.keys.ec.sign(&crossed, &good_claims));
    for (name, bytes) in [("r = s = 0", vec![0; 64]), ("r = s = the order", vec![0xff; 64]), ("DER", vec![0x30; 70])] {
        let message = message(&header(&issuer.keys.ec).to_string(), &good_claims);
        add(&format!("ES256 with {name}"), format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes)));
    }

    // Names of keys that are something else.
    for kid in [
        json!("../../../../../../dev/null"),
        json!("/proc/self/environ"),
        json!(elsewhere),
        json!("x' UNION SELECT 'a' --"),
        json!("rsa-1' OR '1'='1"),
        json!("| sleep 5"),
        json!("rsa-1\u{0}"),
        json!("RSA-1"),
        json!(""),
        json!(7),
        json!(null),
        json!(["rsa-1"]),
        json!({"rsa-1": true}),
        json!("k".repeat(2000)),
        json!("k".repeat(10_000)),
    ] {
        let told = kid.to_string();
        let told = format!("{} of {} bytes", told.chars().take(40).collect::<String>(), told.len());
        add(&format!("kid {told}"), by_foreign(with(header(rsa), "kid", kid.clone())));
        let header = with(with(header(rsa), "kid", kid), "alg", "HS256".into()).to_string();
        let message = message(&header, &good_claims);
        let secret = EncodingKey::from_secret(b"");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).expect("a signature");
        add(&format!("kid {told} with an empty secret"), format!("{message}.{signature}"));
    }

    // Signed by the right key, and not to be taken all the same: what is in the header.
    let mut with_header = |name: &str, header: String| add(name, rsa.sign(&header, &good_claims));
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("id_token")),
        ("typ", json!("spil-service+jwt")),
        ("typ", json!(7)),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!(["nonsense"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        with_header(&format!("{name} {value}"), with(header(rsa), name, value).to_string());
    }
    with_header("no typ", without(header(rsa), "typ").to_string());
    let once = header(rsa).to_string();
    let twice = |text: &str, member: &str| format!("{},{member}}}", &text[..text.len() - 1]);
    with_header("alg twice", twice(&once, "\"alg\":\"RS256\""));
    with_header("kid twice", twice(&once, "\"kid\":\"rsa-1\""));
    with_header("alg twice, once written otherwise", twice(&once, "\"\\u0061lg\":\"RS256\""));
    with_header("a list for a header", format!("[{once}]"));
    with_header("no JSON for a header", "{".to_owned());

    // Signed by the right key, and not to be taken all the same: what it claims.
    let mut with_claims = |name: &str, claims: String| add(name, rsa.sign(&header(rsa).to_string(), &claims));
    let (past, far) = (now() - 600, now() + 3600);
    for (name, value) in [
        ("exp", json!(past)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(far.to_string())),
        ("exp", json!(null)),
        ("exp", json!([far])),
        ("exp", json!(true)),
        ("nbf", json!(far)),
        ("nbf", json!("0")),
        ("iat", json!(far)),
        ("iat", json!("0")),
        ("aud", json!("urn:other")),
        ("aud", json!(AUDIENCE.trim_end_matches('t'))),
        ("aud", json!(format!("{AUDIENCE}x"))),
        ("aud", json!(format!("{AUDIENCE} "))),
        ("aud", json!(AUDIENCE.to_uppercase())),
        ("aud", json!(format!("urn:other {AUDIENCE}"))),
        ("aud", json!(["urn:other"])),
        ("aud", json!([[AUDIENCE]])),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("iss", json!("http://127.0.0.1:1")),
        ("iss", json!(format!("{}/", issuer.name()))),
        ("iss", json!(issuer.name().to_uppercase())),
        ("iss", json!([issuer.name()])),
        ("iss", json!("spil-development")),
        ("iss", json!("spil-internal")),
        ("iss", json!(null)),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!("a".repeat(256))),
        ("sub", json!("spil:gateway")),
        ("sub", json!(7)),
        ("sub", json!(null)),
    ] {
        let told: String = value.to_string().chars().take(40).collect();
        with_claims(&format!("{name} {told}"), with(claims(issuer), name, value).to_string());
    }
    for name in ["exp", "aud", "iss", "sub"] {
        with_claims(&format!("no {name}"), without(claims(issuer), name).to_string());
    }
    with_claims("exp twice", twice(&good_claims, &format!("\"exp\":{far}")));
    with_claims("aud twice", twice(&good_claims, &format!("\"aud\":\"{AUDIENCE}\"")));
    with_claims("sub twice", twice(&good_claims, "\"sub\":\"admin\""));
    with_claims("a member twice further in", twice(&good_claims, "\"a\":{\"b\":1,\"b\":2}"));
    with_claims("a list", format!("[{good_claims}]"));
    with_claims("no JSON", "{".to_owned());
    with_claims("a token in the token", good.clone());
    with_claims("deep", twice(&good_claims, &format!("\"a\":{}1{}", "[".repeat(2000), "]".repeat(2000))));
    with_claims("long", twice(&good_claims, &format!("\"a\":\"{}\"", "x".repeat(8 << 10))));
    all
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        time::{Duration, Instant},
    };

    use spil_auth::{AuthError, IssuerConfig, SignatureAlgorithm, Trust, TrustedIssuers, Verifier};

    use super::*;

    #[tokio::test]
    async fn a_verifier_takes_none_of_them() {
        let (issuer, began) = (TestIssuer::start().await, Instant::now());
        let config: IssuerConfig = serde_json::from_value(json!({
            "issuer": issuer.name(), "audiences": [AUDIENCE],
            "algorithms": [SignatureAlgorithm::RS256, SignatureAlgorithm::ES256],
        }))
        .expect("settings");
        let verifier = Verifier::new(&Trust::in_issuers(TrustedIssuers::start(&[config]).expect("an issuer")));
        for Attack { name, token } in odd_and_sound(&issuer) {
            assert!(verifier.verify(&token).await.is_ok(), "{name}");
        }
        let attacks = attacks(&issuer);
        assert!(attacks.len() > 120, "{}", attacks.len());
        let names: BTreeSet<_> = attacks.iter().map(|attack| &attack.name).collect();
        assert_eq!(names.len(), attacks.len(), "each is told from the others");
        for Attack { name, token } in &attacks {
            let refused = verifier.verify(token).await.expect_err(name);
            assert_ne!(refused, AuthError::Unavailable, "{name}");
        }
        // Once the issuer was asked about every key that one names, what is said is definite.
        tokio::time::sleep(Duration::from_secs(4)).await;
        for Attack { name, token } in &attacks {
            assert!(!verifier.verify(token).await.expect_err(name).is_passing(), "{name}");
        }
        let asked = issuer.asked();
        let paths: Vec<_> = asked.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/.well-known/openid-configuration", "/jwks"], "no address in a token is asked");
        let fetches = asked["/jwks"] as u64;
        assert!(fetches <= began.elapsed().as_secs() / 3 + 1, "{asked:?} in {:?}", began.elapsed());
    }
}
