//! What is signed by somebody who is trusted is taken; everything else is refused.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::{
    AUDIENCE, Caller, ISSUER, IssuerConfig, IssuerError, SERVICE_AUDIENCE, SERVICE_ISSUER, SERVICE_SUBJECT,
    SERVICE_TYPE, SignatureAlgorithm, Signer,
    fetch::{Fetch, HttpFetch},
    jwks::{Found, Key, find},
    jws::Jws,
    keystore::{FetchedKeys, FixedKeys, KeySet, KeyStore, Newest},
    known::{self, KnownTokens},
};

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;
/// The longest subject, in bytes (OpenID Connect Core, section 2).
const MAX_SUBJECT_BYTES: usize = 255;
/// How far the clocks of our own signer and verifier may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Issuers whose tokens are taken. Their keys are fetched as long as one of the clones is there.
#[derive(Clone, Default)]
pub struct TrustedIssuers(Arc<[Arc<Trusted>]>);

impl fmt::Debug for TrustedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|trusted| &trusted.issuer)).finish()
    }
}

impl TrustedIssuers {
    /// Begins to fetch the keys of issuers, which need not be there yet. Has to be called within a runtime.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn start(configs: &[IssuerConfig]) -> Result<Self, IssuerError> {
        if configs.is_empty() {
            return Ok(Self::default());
        }
        Self::start_with(configs, &(Arc::new(HttpFetch::new()) as Arc<dyn Fetch>))
    }

    pub(crate) fn start_with(configs: &[IssuerConfig], fetch: &Arc<dyn Fetch>) -> Result<Self, IssuerError> {
        IssuerConfig::check(configs)?;
        let trusted = configs.iter().map(|config| {
            let source =
                config.source().map_err(|problem| IssuerError::Issuer { issuer: config.issuer.clone(), problem })?;
            Ok(Arc::new(Trusted {
                issuer: config.issuer.as_str().into(),
                audiences: config.audiences.clone(),
                algorithms: config.algorithms.clone(),
                types: config.types.iter().map(|kind| kind.to_ascii_lowercase()).collect(),
                leeway: Duration::from_secs(config.leeway_seconds),
                subjects: Subjects::Prefixed {
                    prefix: config.subject_prefix.clone(),
                    others: configs
                        .iter()
                        .filter(|other| other.issuer != config.issuer)
                        .map(|other| other.subject_prefix.clone())
                        .filter(|prefix| !prefix.is_empty())
                        .collect(),
                },
                keys: Box::new(FetchedKeys::start(config, source, Arc::clone(fetch))),
            }))
        });
        Ok(Self(trusted.collect::<Result<_, _>>()?))
    }
}

/// An issuer and which of its tokens are taken.
struct Trusted {
    issuer: Arc<str>,
    audiences: Vec<String>,
    algorithms: Vec<SignatureAlgorithm>,
    types: Vec<String>,
    leeway: Duration,
    subjects: Subjects,
    keys: Box<dyn KeyStore>,
}

/// What the subjects of an issuer may be.
enum Subjects {
    /// Any; the key is our own.
    Any,
    /// This one alone.
    One(&'static str),
    /// Those of one issuer among several.
    Prefixed {
        /// What is put before each.
        prefix: String,
        /// What others have before theirs, with which these must not begin.
        others: Vec<String>,
    },
}

impl Trusted {
    /// Ourselves, with a key of ours.
    fn ourselves(issuer: &str, audience: &str, kind: &str, subjects: Subjects, signer: &Signer) -> Arc<Self> {
        Arc::new(Self {
            issuer: issuer.into(),
            audiences: vec![audience.to_owned()],
            algorithms: vec![SignatureAlgorithm::EdDSA],
            types: vec![kind.to_owned()],
            leeway: LEEWAY,
            subjects,
            keys: Box::new(FixedKeys::new(Key::of_ed25519(signer.public()))),
        })
    }

    /// Checks the signature. Gives the generation of the keys that it was checked with.
    async fn check_signature(&self, jws: &Jws<'_>) -> Result<u64, AuthError> {
        let is_known = |set: &KeySet| match &set.keys {
            Some(keys) => !matches!(find(keys, jws.key_id.as_deref(), jws.algorithm), Found::Unknown),
            None => false,
        };
        let (mut set, mut newest) = (self.keys.keys(), Newest::Known);
        if !is_known(&set) {
            newest = self.keys.refresh(jws.key_id.as_deref(), &is_known).await;
            set = self.keys.keys();
        }
        let keys = set.keys.as_ref().ok_or(AuthError::Unavailable)?;
        match find(keys, jws.key_id.as_deref(), jws.algorithm) {
            Found::Key(key) if key.verifies(jws.algorithm, jws.message, jws.signature) => Ok(set.generation),
            Found::Unknown if newest == Newest::NotYet => Err(AuthError::UnknownKey),
            _ => Err(AuthError::Invalid),
        }
    }

    /// Checks what the token says, once its signature is known to be good.
    fn read_claims(&self, claims: Map<String, Value>, now: SystemTime) -> Result<Caller, AuthError> {
        let is_for_us = match claims.get("aud") {
            Some(Value::String(one)) => self.audiences.contains(one),
            Some(Value::Array(several)) => {
                let is_ours = |one: &Value| one.as_str().is_some_and(|one| self.audiences.iter().any(|it| it == one));
                several.iter().all(Value::is_string) && several.iter().any(is_ours)
            }
            _ => false,
        };
        if !is_for_us {
            return Err(AuthError::NotForUs);
        }
        let expires = moment(&claims, "exp")?.ok_or(AuthError::Invalid)?;
        let expires_at = expires.map(|at| at + self.leeway);
        if expires_at.is_some_and(|at| now >= at) {
            return Err(AuthError::Expired);
        }
        for name in ["nbf", "iat"] {
            let is_later = |at: Option<SystemTime>| at.is_none_or(|at| at > now + self.leeway);
            if moment(&claims, name)?.is_some_and(is_later) {
                return Err(AuthError::NotYetValid);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(AuthError::Invalid)?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.contains(char::is_control) {
            return Err(AuthError::Invalid);
        }
        let subject = match &self.subjects {
            Subjects::Any => subject.to_owned(),
            Subjects::One(only) if *only == subject => subject.to_owned(),
            Subjects::One(_) => return Err(AuthError::Invalid),
            Subjects::Prefixed { prefix, others } => {
                let subject = format!("{prefix}{subject}");
                if subject.starts_with("spil:") || others.iter().any(|other| subject.starts_with(other.as_str())) {
                    return Err(AuthError::Invalid);
                }
                subject
            }
        };
        let permissions = scopes(&claims).filter_map(|name| name.parse().ok());
        let caller = Caller::new(subject, permissions).of_issuer(Arc::clone(&self.issuer));
        let caller = match expires_at {
            Some(at) => caller.until(at),
            None => caller,
        };
        Ok(caller.with_claims(claims))
    }
}

/// A moment that a claim names: none if it is not there; none within if it is beyond what the clock can name, which never comes.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Option<SystemTime>>, AuthError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    // RFC 7519: a number of seconds, which need not be a whole one.
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0).ok_or(AuthError::Invalid)?;
    // Beyond this the clock of some system ends.
    const LAST: f64 = 9_000_000_000_000.0;
    Ok(Some((seconds < LAST).then(|| UNIX_EPOCH.checked_add(Duration::from_secs_f64(seconds))).flatten()))
}

/// The scopes of a token: `scope` (RFC 9068), or `scp` where an issuer calls it so, as a text or as a list.
fn scopes(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let several = claims.get("scp").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let texts = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name)?.as_str());
    texts.flat_map(|text| text.split(' ')).chain(several)
}

/// Checks tokens. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    trusted: Vec<Arc<Trusted>>,
    known: KnownTokens,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// Whose tokens a verifier takes.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    issuers: TrustedIssuers,
    development: Option<Signer>,
    services: Option<Signer>,
}

impl Trust {
    /// The tokens of issuers.
    pub fn in_issuers(issuers: TrustedIssuers) -> Self {
        Self { issuers, ..Self::default() }
    }

    /// Also development tokens, whose key everybody has who can read a file.
    #[must_use]
    pub fn and_development(self, signer: &Signer) -> Self {
        Self { development: Some(signer.clone()), ..self }
    }

    /// Also the tokens of our own services, which only owners take.
    #[must_use]
    pub fn and_services(self, signer: &Signer) -> Self {
        Self { services: Some(signer.clone()), ..self }
    }
}

impl Verifier {
    /// Takes the tokens of those who are trusted.
    pub fn new(trust: &Trust) -> Self {
        let mut trusted: Vec<_> = trust.issuers.0.iter().map(Arc::clone).collect();
        if let Some(signer) = &trust.development {
            trusted.push(Trusted::ourselves(ISSUER, AUDIENCE, "jwt", Subjects::Any, signer));
        }
        if let Some(signer) = &trust.services {
            let subjects = Subjects::One(SERVICE_SUBJECT);
            trusted.push(Trusted::ourselves(SERVICE_ISSUER, SERVICE_AUDIENCE, SERVICE_TYPE, subjects, signer));
        }
        Self { inner: Arc::new(Inner { trusted, known: KnownTokens::new() }) }
    }

    /// Says who the bearer of a token is. A token that was verified a moment ago is known, and its signature is not checked again as
    /// long as its issuer has the same keys; whether it has ended is asked every time.
    ///
    /// Only a token that names a key which is not known waits, for a few seconds at most: the keys may have been changed. Where too many wait
    /// already, or the issuer does not answer, it is said that the key is not known yet.
    ///
    /// # Errors
    /// If the token is too long, malformed, not signed by whom it names, of another kind, by an algorithm that is not allowed, expired,
    /// not yet valid, for another audience, or names no subject. Scopes that are no permission are left out.
    pub async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        let Inner { trusted, known } = &*self.inner;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLong);
        }
        let (hash, now) = (known::hash(token), SystemTime::now());
        let generation = |issuer: usize| trusted.get(issuer).map(|issuer| issuer.keys.keys().generation);
        if let Some(caller) = known.get(&hash, now, generation) {
            return Ok(caller);
        }
        let jws = Jws::read(token)?;
        let named = jws.issuer().ok_or(AuthError::Invalid)?;
        let (at, issuer) =
            trusted.iter().enumerate().find(|(_, issuer)| &*issuer.issuer == named).ok_or(AuthError::NotForUs)?;
        if !issuer.algorithms.contains(&jws.algorithm) || !issuer.types.contains(&jws.kind.clone().unwrap_or_default())
        {
            return Err(AuthError::Invalid);
        }
        let generation = issuer.check_signature(&jws).await?;
        let caller = issuer.read_claims(jws.claims, SystemTime::now())?;
        known.put(hash, &caller, (at, generation), now);
        Ok(caller)
    }
}

/// Why a token is not taken. Says nothing about its content; what is wrong inside is told of a token only that is signed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token was given.
    #[error("a bearer token is needed")]
    Missing,
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// The token is malformed, of another kind, or not signed by the right key.
    #[error("the token is not valid")]
    Invalid,
    /// The token was valid once.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token is by another issuer or for another audience.
    #[error("the token is not for this service")]
    NotForUs,
    /// The keys of the issuer are not there: the token may be good, and can be shown again later.
    #[error("the keys of the issuer of the token can not be had at the moment")]
    Unavailable,
    /// The token names a key that its issuer may have by now: it may be good, and can be shown again in some seconds.
    #[error("the token names a key of its issuer that is not known yet")]
    UnknownKey,
}

impl AuthError {
    /// Whether the very same token may be taken in some seconds, so that nobody has to get another one.
    pub fn is_passing(self) -> bool {
        matches!(self, AuthError::Unavailable | AuthError::UnknownKey)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::json;

    use super::*;
    use crate::InternalKey;

    /// A token of an issuer for `ada`.
    pub(crate) fn sign(issuer: &str, key_id: &str, key: &InternalKey) -> String {
        sign_as(issuer, key_id, key, "ada")
    }

    /// A token of an issuer for somebody.
    pub(crate) fn sign_as(issuer: &str, key_id: &str, key: &InternalKey, subject: &str) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key_id.to_owned());
        let claims =
            json!({"iss": issuer, "aud": "urn:spil", "sub": subject, "exp": 4_000_000_000_u64, "scope": "read write"});
        let der = key.private_der().expect("a private half");
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).expect("a token")
    }

    fn trusted() -> Trusted {
        let subjects = Subjects::Prefixed { prefix: String::new(), others: Vec::new() };
        let signer = Signer::generate().expect("a key");
        let trusted = Trusted::ourselves("https://a.example", "urn:spil", "at+jwt", subjects, &signer);
        Arc::into_inner(trusted).expect("it is ours alone")
    }

    fn read(claims: Value) -> Result<Caller, AuthError> {
        let Value::Object(claims) = claims else { unreachable!() };
        trusted().read_claims(claims, UNIX_EPOCH + Duration::from_secs(1000))
    }

    fn with(name: &str, value: Value) -> Result<Caller, AuthError> {
        let mut claims = json!({"aud": "urn:spil", "sub": "ada", "exp": 2000, "iat": 900, "scope": "read"});
        claims[name] = value;
        read(claims)
    }

    #[test]
    fn times_are_numbers_and_have_leeway() {
        assert!(with("exp", json!(971)).is_ok());
        assert!(with("exp", json!(970.5)).is_ok());
        assert_eq!(with("exp", json!(970)), Err(AuthError::Expired));
        assert_eq!(with("exp", json!(0)), Err(AuthError::Expired));
        for value in [json!("2000"), json!(-1), Value::Null, json!([2000]), json!(true)] {
            assert_eq!(with("exp", value.clone()), Err(AuthError::Invalid), "{value}");
            assert_eq!(with("nbf", value.clone()), Err(AuthError::Invalid), "{value}");
            assert_eq!(with("iat", value.clone()), Err(AuthError::Invalid), "{value}");
        }
        for name in ["nbf", "iat"] {
            assert!(with(name, json!(1030)).is_ok());
            assert_eq!(with(name, json!(1031)), Err(AuthError::NotYetValid));
            assert_eq!(with(name, json!(1e300)), Err(AuthError::NotYetValid));
        }
        let far = with("exp", json!(u64::MAX)).expect("a valid token");
        assert_eq!(far.expires_at(), None, "a moment that never comes");
        let near = with("exp", json!(2000)).expect("a valid token");
        assert_eq!(near.expires_at(), Some(UNIX_EPOCH + Duration::from_secs(2030)));
    }

    #[test]
    fn an_audience_is_one_of_a_list_of_texts() {
        for value in [json!("urn:spil"), json!(["urn:spil"]), json!(["urn:other", "urn:spil"])] {
            assert!(with("aud", value.clone()).is_ok(), "{value}");
        }
        for value in [
            json!("urn:spi"),
            json!("urn:spil2"),
            json!("URN:SPIL"),
            json!("urn:other urn:spil"),
            json!(["urn:other"]),
            json!([]),
            json!([7, "urn:spil"]),
            json!({"urn:spil": true}),
            Value::Null,
        ] {
            assert_eq!(with("aud", value.clone()), Err(AuthError::NotForUs), "{value}");
        }
    }

    #[test]
    fn subjects_are_bounded_texts() {
        assert!(with("sub", json!("a".repeat(255))).is_ok());
        for value in [json!(""), json!("a".repeat(256)), json!("a\u{0}b"), json!("a\nb"), json!(7), Value::Null] {
            assert_eq!(with("sub", value.clone()), Err(AuthError::Invalid), "{value}");
        }
        assert_eq!(with("sub", json!("spil:gateway")), Err(AuthError::Invalid));
    }

    #[test]
    fn scopes_are_read_as_issuers_write_them() {
        use crate::Permission::{Read, Write};
        let permissions = |name: &str, value: Value| {
            let mut claims = json!({"aud": "urn:spil", "sub": "ada", "exp": 2000});
            claims[name] = value;
            read(claims).expect("a valid token").permissions()
        };
        let both = [Read, Write].into_iter().collect();
        assert_eq!(permissions("scope", json!("openid read write")), both);
        assert_eq!(permissions("scp", json!("read write")), both);
        assert_eq!(permissions("scp", json!(["read", "write", 7])), both);
        assert_eq!(permissions("scope", json!(["read"])), crate::Permissions::default());
        assert_eq!(permissions("roles", json!(["read"])), crate::Permissions::default());
    }

    #[tokio::test]
    async fn a_service_speaks_to_owners_alone() {
        let signer = Signer::generate().expect("a key");
        let token = signer.sign_service(Duration::from_secs(60)).expect("a token");
        let owner = Verifier::new(&Trust::default().and_development(&signer).and_services(&signer));
        let caller = owner.verify(&token).await.expect("a valid token");
        assert!(caller.is_service());
        assert_eq!(caller.subject(), SERVICE_SUBJECT);
        assert_eq!(signer.verifier().verify(&token).await, Err(AuthError::NotForUs), "a gateway takes none");
        let other = Verifier::new(&Trust::default().and_services(&Signer::generate().expect("a key")));
        assert_eq!(other.verify(&token).await, Err(AuthError::Invalid), "the key of another installation");
        // Somebody of that name is not the service.
        let person = signer.sign(SERVICE_SUBJECT, &[], Duration::from_secs(60)).expect("a token");
        assert!(!owner.verify(&person).await.expect("a valid token").is_service());
        // Without development tokens the same key signs for services only.
        let production = Verifier::new(&Trust::default().and_services(&signer));
        assert_eq!(production.verify(&person).await, Err(AuthError::NotForUs));
        assert!(production.verify(&token).await.is_ok());
    }
}
