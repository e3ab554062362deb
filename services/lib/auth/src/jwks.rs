//! The keys that an issuer publishes (RFC 7517).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::{SignatureAlgorithm, algorithm::KeyType, json, jws::MAX_KEY_ID_BYTES};

/// The most keys of an issuer that are looked at.
const MAX_KEYS: usize = 100;
/// How long the modulus of an RSA key may be, in bytes: 2048 to 8192 bits. A shorter key can be broken, a longer one takes long.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// The most bytes of an RSA exponent.
const MAX_EXPONENT_BYTES: usize = 4;

/// A key that checks signatures.
#[derive(Clone)]
pub(crate) struct Key {
    id: Option<String>,
    /// The algorithms for which the issuer says that it is, or all that are possible where it says nothing.
    algorithms: Vec<SignatureAlgorithm>,
    decoding: DecodingKey,
    /// The members of the key that was published, by which two are compared.
    published: Map<String, Value>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.published == other.published
    }
}

impl Key {
    /// The public half of an Ed25519 pair of ours.
    pub(crate) fn of_ed25519(public: &[u8; 32]) -> Self {
        Self {
            id: None,
            algorithms: vec![SignatureAlgorithm::EdDSA],
            decoding: DecodingKey::from_ed_der(public),
            published: Map::new(),
        }
    }

    /// Whether a signature is by this key. `signature` is in base64url.
    pub(crate) fn verifies(&self, algorithm: SignatureAlgorithm, message: &str, signature: &str) -> bool {
        self.algorithms.contains(&algorithm)
            && jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, algorithm.library())
                .unwrap_or(false)
    }
}

/// What a search for a key comes to.
pub(crate) enum Found<'a> {
    /// The one key that it can be.
    Key(&'a Key),
    /// There is no such key here. There may be a newer set that has it.
    Unknown,
    /// There is one, and it is not for that algorithm; or no name was given and several could be meant.
    Unfit,
}

/// Finds the key of a token among those of its issuer.
pub(crate) fn find<'a>(keys: &'a [Key], id: Option<&str>, algorithm: SignatureAlgorithm) -> Found<'a> {
    let mut named = keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id).peekable();
    if named.peek().is_none() {
        return Found::Unknown;
    }
    let mut fit = named.filter(|key| key.algorithms.contains(&algorithm));
    match (fit.next(), fit.next()) {
        (Some(key), None) => Found::Key(key),
        // Several keys for one algorithm, of which the token names none.
        (Some(_), Some(_)) | (None, _) => Found::Unfit,
    }
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwksError {
    #[error("it is no JSON object with a list `keys`, or a member is there twice")]
    Malformed,
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
}

/// Reads a set of keys. Keys that can not check signatures by the algorithms of the issuer are left out: others than those of
/// signatures, too weak ones, and ones whose private half is there for everybody to see.
pub(crate) fn read(document: &[u8], algorithms: &[SignatureAlgorithm]) -> Result<Vec<Key>, JwksError> {
    let mut document = json::object(document).ok_or(JwksError::Malformed)?;
    let Some(Value::Array(keys)) = document.remove("keys") else { return Err(JwksError::Malformed) };
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooMany);
    }
    Ok(keys.into_iter().filter_map(|key| read_key(key, algorithms)).collect())
}

fn read_key(key: Value, allowed: &[SignatureAlgorithm]) -> Option<Key> {
    let Value::Object(members) = key else { return None };
    let text = |name: &str| members.get(name).map(Value::as_str);
    // A private or a shared key is for nobody else to have.
    if members.contains_key("d") || members.contains_key("k") {
        return None;
    }
    if text("use").is_some_and(|purpose| purpose != Some("sig")) {
        return None;
    }
    if let Some(uses) = members.get("key_ops")
        && !uses.as_array()?.iter().any(|purpose| purpose == "verify")
    {
        return None;
    }
    let id = match text("kid") {
        None => None,
        Some(id) => Some(id.filter(|id| (1..=MAX_KEY_ID_BYTES).contains(&id.len()))?.to_owned()),
    };
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)??).ok();
    let (key_type, decoding) = match (text("kty")??, text("crv").flatten()) {
        ("RSA", _) => (KeyType::Rsa, rsa(&bytes("n")?, &bytes("e")?)?),
        ("EC", Some("P-256")) => (KeyType::P256, elliptic(&bytes("x")?, &bytes("y")?, 32)?),
        ("EC", Some("P-384")) => (KeyType::P384, elliptic(&bytes("x")?, &bytes("y")?, 48)?),
        ("OKP", Some("Ed25519")) => {
            (KeyType::Ed25519, DecodingKey::from_ed_der(&<[u8; 32]>::try_from(bytes("x")?).ok()?))
        }
        _ => return None,
    };
    let only: Option<SignatureAlgorithm> = match text("alg") {
        None => None,
        Some(name) => Some(name?.parse().ok()?),
    };
    let algorithms: Vec<_> = allowed
        .iter()
        .copied()
        .filter(|algorithm| algorithm.key_type() == key_type && only.is_none_or(|only| only == *algorithm))
        .collect();
    (!algorithms.is_empty()).then_some(Key { id, algorithms, decoding, published: members })
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<DecodingKey> {
    let significant = modulus.iter().position(|byte| *byte != 0).and_then(|at| modulus.get(at..))?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let is_sound = MODULUS_BYTES.contains(&significant.len())
        && (1..=MAX_EXPONENT_BYTES).contains(&exponent.len())
        && is_odd(significant)
        && is_odd(exponent)
        && exponent != [1];
    is_sound.then(|| DecodingKey::from_rsa_raw_components(significant, exponent))
}

fn elliptic(x: &[u8], y: &[u8], length: usize) -> Option<DecodingKey> {
    if x.len() != length || y.len() != length {
        return None;
    }
    // A point that is not compressed (SEC 1).
    let point = [&[4], x, y].concat();
    Some(DecodingKey::from_ec_der(&point))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::InternalKey;

    /// A key as an issuer publishes it.
    pub(crate) fn published(id: &str, key: &InternalKey) -> Value {
        let x = URL_SAFE_NO_PAD.encode(key.public_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "use": "sig", "alg": "EdDSA"})
    }

    const ALL: [SignatureAlgorithm; 9] = SignatureAlgorithm::ALL;

    fn read_one(key: &Value, allowed: &[SignatureAlgorithm]) -> Option<Vec<SignatureAlgorithm>> {
        let document = json!({"keys": [key]}).to_string();
        let keys = read(document.as_bytes(), allowed).expect("a set");
        keys.into_iter().next().map(|key| key.algorithms)
    }

    fn rsa_key(bytes: usize) -> Value {
        let modulus = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        json!({"kty": "RSA", "kid": "a", "n": modulus, "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn a_key_is_for_what_its_issuer_says_and_the_settings_allow() {
        use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256, RS384};
        let key = rsa_key(256);
        assert_eq!(read_one(&key, &[RS256, ES256, PS256]), Some(vec![RS256, PS256]));
        assert_eq!(read_one(&with(key.clone(), "alg", json!("RS256")), &ALL), Some(vec![RS256]));
        assert_eq!(read_one(&with(key.clone(), "alg", json!("RS384")), &[RS256]), None);
        assert_eq!(read_one(&with(key.clone(), "alg", json!("RS384")), &[RS256, RS384]), Some(vec![RS384]));
        assert_eq!(read_one(&with(key.clone(), "use", json!("sig")), &[RS256]), Some(vec![RS256]));
        assert_eq!(read_one(&with(key, "key_ops", json!(["verify"])), &[RS256]), Some(vec![RS256]));
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        assert_eq!(read_one(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}), &ALL), Some(vec![EdDSA]));
        assert_eq!(read_one(&json!({"kty": "EC", "crv": "P-256", "x": x, "y": x}), &ALL), Some(vec![ES256]));
    }

    #[test]
    fn other_keys_are_left_out() {
        let short = URL_SAFE_NO_PAD.encode([1; 31]);
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        for key in [
            rsa_key(128),
            rsa_key(255),
            rsa_key(1025),
            with(rsa_key(256), "e", json!("AQ")),
            with(rsa_key(256), "e", json!("AA")),
            with(rsa_key(256), "e", json!("AQAAAAAAAQ")),
            with(rsa_key(256), "alg", json!("HS256")),
            with(rsa_key(256), "alg", json!("ES256")),
            with(rsa_key(256), "alg", json!(7)),
            with(rsa_key(256), "use", json!("enc")),
            with(rsa_key(256), "use", json!(null)),
            with(rsa_key(256), "key_ops", json!(["sign"])),
            with(rsa_key(256), "key_ops", json!("verify")),
            with(rsa_key(256), "d", json!("AQAB")),
            with(rsa_key(256), "kid", json!(7)),
            with(rsa_key(256), "kid", json!("")),
            with(rsa_key(256), "kty", json!("oct")),
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": short}),
            json!({"kty": "OKP", "crv": "X25519", "x": x}),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": short}),
            json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": x}),
            json!("RSA"),
        ] {
            assert_eq!(read_one(&key, &ALL), None, "{key}");
        }
        assert_eq!(read_one(&rsa_key(256), &[SignatureAlgorithm::ES256]), None);
    }

    #[test]
    fn documents_are_bounded_and_strict() {
        let many = json!({"keys": vec![rsa_key(256); MAX_KEYS + 1]}).to_string();
        assert_eq!(read(many.as_bytes(), &ALL).err(), Some(JwksError::TooMany));
        for document in ["", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": [], "keys": []}"#] {
            assert_eq!(read(document.as_bytes(), &ALL).err(), Some(JwksError::Malformed), "{document}");
        }
        assert_eq!(read(br#"{"keys": []}"#, &ALL).map(|keys| keys.len()), Ok(0));
    }

    #[test]
    fn a_key_is_found_by_its_name_and_fits() {
        use SignatureAlgorithm::{EdDSA, RS256, RS384};
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "c"});
        let set = json!({"keys": [rsa_key(256), with(rsa_key(256), "kid", json!("b")), ed]}).to_string();
        let keys = read(set.as_bytes(), &[RS256, EdDSA]).expect("a set");
        let told = |id: Option<&str>, algorithm| match find(&keys, id, algorithm) {
            Found::Key(key) => key.id.clone().unwrap_or_default(),
            Found::Unknown => "unknown".to_owned(),
            Found::Unfit => "unfit".to_owned(),
        };
        assert_eq!(told(Some("a"), RS256), "a");
        assert_eq!(told(Some("b"), RS256), "b");
        assert_eq!(told(Some("b"), RS384), "unfit");
        assert_eq!(told(Some("c"), RS256), "unfit");
        assert_eq!(told(Some("d"), RS256), "unknown");
        assert_eq!(told(None, EdDSA), "c", "the only one that it can be");
        assert_eq!(told(None, RS256), "unfit", "one of two");
    }
}
