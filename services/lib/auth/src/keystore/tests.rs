//! Keys are had, kept and dropped, under a clock that stands still unless somebody waits.

use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::{
    AuthError, InternalKey, Signer, TrustedIssuers, Verifier,
    issuer::tests::issuer,
    jwks::tests::published,
    verifier::{Trust, tests::sign},
};

const ISSUER: &str = "https://a.example";
const DISCOVERY: &str = "https://a.example/.well-known/openid-configuration";
const JWKS: &str = "https://a.example/keys";

/// An issuer that never leaves this process.
#[derive(Default)]
struct FakeIssuer {
    documents: Mutex<HashMap<String, String>>,
    /// Every address that was asked, and when.
    asked: Mutex<Vec<(String, Instant)>>,
    /// How long each answer takes.
    delay: Duration,
}

impl Fetch for FakeIssuer {
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let url = url.to_string();
            self.asked.lock().expect("no panic").push((url.clone(), Instant::now()));
            tokio::time::sleep(self.delay).await;
            let document = self.documents.lock().expect("no panic").get(&url).cloned();
            document.map(Bytes::from).ok_or(FetchError::TooLate)
        })
    }
}

impl FakeIssuer {
    fn new() -> Self {
        let issuer = Self::default();
        issuer.put(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}).to_string());
        issuer
    }

    fn put(&self, url: &str, document: &str) {
        self.documents.lock().expect("no panic").insert(url.to_owned(), document.to_owned());
    }

    fn publish(&self, keys: &[(&str, &InternalKey)]) {
        let keys: Vec<_> = keys.iter().map(|(id, key)| published(id, key)).collect();
        self.put(JWKS, &json!({"keys": keys}).to_string());
    }

    fn vanish(&self) {
        self.documents.lock().expect("no panic").clear();
    }

    fn asked(&self, url: &str) -> Vec<Instant> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|(asked, _)| asked == url).map(|(_, at)| *at).collect()
    }
}

fn verifier(fetch: &Arc<FakeIssuer>) -> Verifier {
    let fetch: Arc<dyn Fetch> = Arc::<FakeIssuer>::clone(fetch);
    Verifier::new(&Trust::in_issuers(TrustedIssuers::start_with(&[issuer(ISSUER)], &fetch).expect("an issuer")))
}

fn key() -> InternalKey {
    InternalKey::generate().expect("a key")
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_waits_for_the_first_keys() {
    let (fake, key) = (Arc::new(FakeIssuer { delay: Duration::from_secs(1), ..FakeIssuer::new() }), key());
    fake.publish(&[("a", &key)]);
    let verifier = verifier(&fake);
    let token = sign(ISSUER, "a", &key);
    let caller = verifier.verify(&token).await.expect("a valid token");
    assert_eq!((caller.issuer(), caller.subject()), (ISSUER, "ada"));
    assert_eq!((fake.asked(DISCOVERY).len(), fake.asked(JWKS).len()), (1, 1));
    assert_eq!(verifier.verify(&token).await, Ok(caller));
    assert_eq!((fake.asked(DISCOVERY).len(), fake.asked(JWKS).len()), (1, 1), "known keys are not fetched");
}

#[tokio::test(start_paused = true)]
async fn many_who_want_new_keys_share_one_fetch() {
    let (fake, old, new) = (Arc::new(FakeIssuer { delay: Duration::from_secs(1), ..FakeIssuer::new() }), key(), key());
    fake.publish(&[("a", &old)]);
    let verifier = verifier(&fake);
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok());
    fake.publish(&[("b", &new), ("a", &old)]);
    sleep(10).await;
    let (token, before) = (sign(ISSUER, "b", &new), fake.asked(JWKS).len());
    let all = futures::future::join_all((0..50).map(|_| verifier.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok), "all of them are taken at the first try");
    assert_eq!(fake.asked(JWKS).len(), before + 1);
    assert_eq!(fake.asked(DISCOVERY).len(), 1, "what is published where is not asked again for that");
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_cause_few_fetches_and_a_rotated_key_is_soon_taken() {
    let (fake, old, new, foreign) = (Arc::new(FakeIssuer::new()), key(), key(), key());
    fake.publish(&[("a", &old)]);
    let verifier = verifier(&fake);
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok());
    sleep(10).await;
    let (began, before) = (Instant::now(), fake.asked(JWKS).len());
    for number in 0..300 {
        let token = sign(ISSUER, &format!("unknown {number}"), &foreign);
        let verdict = verifier.verify(&token).await;
        assert!(matches!(verdict, Err(AuthError::Invalid | AuthError::UnknownKey)), "{verdict:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = fake.asked(JWKS);
    let fetches = (asked.len() - before) as u64;
    assert!(fetches <= began.elapsed().as_secs() / COOL_DOWN.as_secs() + 1, "{fetches} in {:?}", began.elapsed());
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= COOL_DOWN), "{asked:?}");
    // In the worst case the keys were fetched just before they changed.
    fake.publish(&[("b", &new), ("a", &old)]);
    let (token, changed) = (sign(ISSUER, "b", &new), Instant::now());
    while verifier.verify(&token).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(changed.elapsed() < Duration::from_secs(5), "{:?}", changed.elapsed());
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok(), "the old key is still published");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_new_within_the_cool_down_is_taken_at_the_first_try() {
    let (fake, old, new, foreign) = (Arc::new(FakeIssuer::new()), key(), key(), key());
    fake.publish(&[("a", &old)]);
    let verifier = verifier(&fake);
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok());
    sleep(10).await;
    // A key nobody knows has the keys fetched; right then they change.
    assert_eq!(verifier.verify(&sign(ISSUER, "x", &foreign)).await, Err(AuthError::Invalid));
    fake.publish(&[("b", &new), ("a", &old)]);
    let (began, before) = (Instant::now(), fake.asked(JWKS).len());
    assert!(verifier.verify(&sign(ISSUER, "b", &new)).await.is_ok());
    assert!(began.elapsed() <= COOL_DOWN + Duration::from_millis(10), "{:?}", began.elapsed());
    assert_eq!(fake.asked(JWKS).len(), before + 1);
    // One that was looked for in vain is refused without waiting, until it is worth asking again.
    let began = Instant::now();
    assert_eq!(verifier.verify(&sign(ISSUER, "x", &foreign)).await, Err(AuthError::Invalid));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_nobody_knows_holds_few_and_asks_seldom() {
    let (fake, old, new, foreign) = (Arc::new(FakeIssuer::new()), key(), key(), key());
    fake.publish(&[("a", &old)]);
    let verifier = verifier(&fake);
    let known = sign(ISSUER, "a", &old);
    assert!(verifier.verify(&known).await.is_ok());
    sleep(10).await;
    assert_eq!(verifier.verify(&sign(ISSUER, "x", &foreign)).await, Err(AuthError::Invalid));
    let before = fake.asked(JWKS).len();
    let all = (0..700).map(|number| {
        let (verifier, token) = (verifier.clone(), sign(ISSUER, &format!("unknown {number}"), &foreign));
        async move {
            let began = Instant::now();
            (verifier.verify(&token).await, began.elapsed())
        }
    });
    let verdicts = futures::future::join_all(all).await;
    let refused = verdicts.iter().filter(|(verdict, _)| *verdict == Err(AuthError::Invalid)).count();
    let told_at_once = (Err(AuthError::UnknownKey), Duration::ZERO);
    assert_eq!(refused, ALLOWANCE as usize, "those who wait learn that there is no such key");
    let hold_nothing = verdicts.iter().filter(|verdict| **verdict == told_at_once).count();
    assert_eq!(hold_nothing, 700 - refused);
    assert_eq!(fake.asked(JWKS).len(), before + 1);
    // Whoever is not among them is not touched, and a new key comes through soon.
    assert!(verifier.verify(&known).await.is_ok());
    fake.publish(&[("b", &new), ("a", &old)]);
    let by_new = sign(ISSUER, "b", &new);
    assert_eq!(verifier.verify(&by_new).await, Err(AuthError::UnknownKey));
    sleep(COOL_DOWN.as_secs()).await;
    assert!(verifier.verify(&by_new).await.is_ok());
    // Later there is patience again, and many tokens of one key take no more of it than one.
    sleep(60).await;
    assert_eq!(verifier.verify(&sign(ISSUER, "y", &foreign)).await, Err(AuthError::Invalid));
    let newest = key();
    fake.publish(&[("c", &newest)]);
    let token = sign(ISSUER, "c", &newest);
    let all = futures::future::join_all((0..MAX_WAITING + 10).map(|_| verifier.verify(&token))).await;
    assert_eq!(all.iter().filter(|verdict| verdict.is_ok()).count(), MAX_WAITING);
    assert_eq!(all.iter().filter(|verdict| **verdict == Err(AuthError::UnknownKey)).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_new_while_the_issuer_is_away_may_be_good() {
    let (fake, old, new) = (Arc::new(FakeIssuer::new()), key(), key());
    fake.publish(&[("a", &old)]);
    let verifier = verifier(&fake);
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok());
    sleep(10).await;
    fake.vanish();
    let by_new = sign(ISSUER, "b", &new);
    assert_eq!(verifier.verify(&by_new).await, Err(AuthError::UnknownKey));
    assert!(verifier.verify(&sign(ISSUER, "a", &old)).await.is_ok());
    fake.put(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}).to_string());
    fake.publish(&[("b", &new)]);
    assert!(verifier.verify(&by_new).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_taken_back_counts_no_more() {
    let (fake, old, new) = (Arc::new(FakeIssuer::new()), key(), key());
    fake.publish(&[("a", &old), ("b", &new)]);
    let verifier = verifier(&fake);
    let (by_old, by_new) = (sign(ISSUER, "a", &old), sign(ISSUER, "b", &new));
    assert!(verifier.verify(&by_old).await.is_ok() && verifier.verify(&by_new).await.is_ok());
    fake.publish(&[("b", &new)]);
    assert!(verifier.verify(&by_old).await.is_ok(), "nobody knows yet");
    sleep(PERIOD.as_secs() * 2).await;
    assert_eq!(verifier.verify(&by_old).await, Err(AuthError::Invalid), "though it was known a moment ago");
    assert!(verifier.verify(&by_new).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_is_trusted_for_a_while() {
    let (fake, key) = (Arc::new(FakeIssuer::new()), key());
    let verifier = verifier(&fake);
    let token = sign(ISSUER, "a", &key);
    assert_eq!(verifier.verify(&token).await, Err(AuthError::Unavailable), "its keys were never there");
    fake.publish(&[("a", &key)]);
    sleep(MAX_BACKOFF.as_secs() * 2).await;
    assert!(verifier.verify(&token).await.is_ok(), "it was asked again");
    fake.vanish();
    let before = fake.asked(DISCOVERY).len();
    sleep(MAX_AGE.as_secs() - 600).await;
    assert!(verifier.verify(&token).await.is_ok());
    let tries = fake.asked(DISCOVERY).len() - before;
    assert!(tries < 1000, "{tries} tries in twelve hours");
    sleep(1200).await;
    assert_eq!(verifier.verify(&token).await, Err(AuthError::Unavailable));
    fake.put(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}).to_string());
    fake.publish(&[("a", &key)]);
    sleep(MAX_BACKOFF.as_secs() * 2).await;
    assert!(verifier.verify(&token).await.is_ok(), "and it comes back");
}

#[tokio::test(start_paused = true)]
async fn documents_of_somebody_else_are_not_believed() {
    let key = key();
    for discovery in [
        json!({"issuer": "https://b.example", "jwks_uri": JWKS}),
        json!({"issuer": format!("{ISSUER}/"), "jwks_uri": JWKS}),
        json!({"issuer": ISSUER, "jwks_uri": "http://a.example/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": 7}),
        json!({"issuer": ISSUER}),
        json!([]),
    ] {
        let fake = Arc::new(FakeIssuer::new());
        fake.publish(&[("a", &key)]);
        fake.put(DISCOVERY, &discovery.to_string());
        let verdict = verifier(&fake).verify(&sign(ISSUER, "a", &key)).await;
        assert_eq!(verdict, Err(AuthError::Unavailable), "{discovery}");
        assert_eq!(fake.asked(JWKS).len(), 0, "{discovery}");
    }
    // A set that can not be read leaves the one before it.
    let fake = Arc::new(FakeIssuer::new());
    fake.publish(&[("a", &key)]);
    let verifier = verifier(&fake);
    assert!(verifier.verify(&sign(ISSUER, "a", &key)).await.is_ok());
    fake.put(JWKS, "{\"keys\": [], \"keys\": []}");
    sleep(PERIOD.as_secs() * 2).await;
    assert!(verifier.verify(&sign(ISSUER, "a", &key)).await.is_ok());
    fake.put(JWKS, "{\"keys\": []}");
    sleep(PERIOD.as_secs() * 2).await;
    assert_eq!(verifier.verify(&sign(ISSUER, "a", &key)).await, Err(AuthError::Invalid), "an empty one is believed");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_when_nobody_needs_it_any_more() {
    let fake = Arc::new(FakeIssuer::new());
    let verifier = verifier(&fake);
    sleep(1).await;
    drop(verifier);
    let before = fake.asked(DISCOVERY).len();
    sleep(3600).await;
    assert_eq!(fake.asked(DISCOVERY).len(), before);
}

#[tokio::test(start_paused = true)]
async fn issuers_are_kept_apart() {
    let (fake, a, b) = (Arc::new(FakeIssuer::new()), key(), key());
    fake.publish(&[("k", &a)]);
    let keys = json!({"keys": [published("k", &b)]}).to_string();
    fake.put("https://b.example/jwks", &keys);
    let mut other = issuer("https://b.example");
    other.jwks_uri = Some("https://b.example/jwks".to_owned());
    other.subject_prefix = "b:".to_owned();
    let fetch: Arc<dyn Fetch> = Arc::<FakeIssuer>::clone(&fake);
    let issuers = TrustedIssuers::start_with(&[issuer(ISSUER), other], &fetch).expect("issuers");
    let signer = Signer::generate().expect("a key");
    let verifier = Verifier::new(&Trust::in_issuers(issuers).and_development(&signer));
    let subject = |token: String| {
        let verifier = verifier.clone();
        async move { verifier.verify(&token).await.map(|caller| caller.subject().to_owned()) }
    };
    assert_eq!(subject(sign(ISSUER, "k", &a)).await.as_deref(), Ok("ada"));
    assert_eq!(subject(sign("https://b.example", "k", &b)).await.as_deref(), Ok("b:ada"));
    assert_eq!(subject(sign(ISSUER, "k", &b)).await, Err(AuthError::Invalid), "the key of another issuer");
    assert_eq!(subject(sign("https://b.example", "k", &a)).await, Err(AuthError::Invalid));
    assert_eq!(subject(sign("https://c.example", "k", &a)).await, Err(AuthError::NotForUs));
    assert_eq!(subject(sign(crate::ISSUER, "k", &a)).await, Err(AuthError::Invalid));
    // Who is called like somebody of another issuer, or like ourselves.
    for name in ["b:ada", "spil:gateway"] {
        let token = crate::verifier::tests::sign_as(ISSUER, "k", &a, name);
        assert_eq!(subject(token).await, Err(AuthError::Invalid), "{name}");
    }
}
