//! What a token says of itself, read before anything of it is believed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{AuthError, MAX_TOKEN_BYTES, SignatureAlgorithm, json};

/// The longest name of a key.
pub(crate) const MAX_KEY_ID_BYTES: usize = 256;

/// A signed token in its three parts, taken apart and not yet verified.
///
/// The header is looked at for what kind of token it is, by what algorithm it was signed and how its key is called. Where it names or
/// carries a key (`jwk`, `jku`, `x5u`, `x5c`), that is not read at all: a token can not say what to check it with.
pub(crate) struct Jws<'a> {
    /// What is signed: header and claims as they came.
    pub(crate) message: &'a str,
    /// The signature as it came.
    pub(crate) signature: &'a str,
    pub(crate) algorithm: SignatureAlgorithm,
    /// `kid`: how the issuer calls the key.
    pub(crate) key_id: Option<String>,
    /// `typ`: in lower case, without `application/`.
    pub(crate) kind: Option<String>,
    pub(crate) claims: Map<String, Value>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub(crate) fn read(token: &'a str) -> Result<Self, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLong);
        }
        Self::parse(token).ok_or(AuthError::Invalid)
    }

    fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        // Two dots: an encrypted token has four.
        let (header, claims) = message.split_once('.').filter(|(_, claims)| !claims.contains('.'))?;
        let signature_bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if signature_bytes.is_empty() {
            return None;
        }
        let header = json::object(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        // An extension that must be understood: none is. A token in a token, or something compressed or encrypted: no access token is.
        if ["crit", "b64", "cty", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
            return None;
        }
        let algorithm = header.get("alg")?.as_str()?.parse().ok()?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(name)) if (1..=MAX_KEY_ID_BYTES).contains(&name.len()) => Some(name.clone()),
            Some(_) => return None,
        };
        let kind = match header.get("typ") {
            None => None,
            Some(Value::String(name)) => {
                let name = name.to_ascii_lowercase();
                Some(name.strip_prefix("application/").unwrap_or(&name).to_owned())
            }
            Some(_) => return None,
        };
        let claims = json::object(&URL_SAFE_NO_PAD.decode(claims).ok()?)?;
        Some(Self { message, signature, algorithm, key_id, kind, claims })
    }

    /// The issuer that the token names.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_taken_apart() {
        let text = token(r#"{"alg":"RS256","typ":"Application/AT+JWT","kid":"k1","jku":"x"}"#, r#"{"iss":"i"}"#);
        let jws = Jws::read(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(jws.algorithm, SignatureAlgorithm::RS256);
        assert_eq!((jws.key_id.as_deref(), jws.kind.as_deref(), jws.issuer()), (Some("k1"), Some("at+jwt"), Some("i")));
        assert_eq!(Value::Object(jws.claims), json!({"iss": "i"}));
        assert_eq!((jws.message, jws.signature), text.rsplit_once('.').expect("a signature"));
    }

    #[test]
    fn other_headers_are_refused() {
        for header in [
            r#"{}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"rs256"}"#,
            r#"{"alg":7}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","alg":"RS256"}"#,
            r#"{"alg":"RS256","kid":7}"#,
            r#"{"alg":"RS256","kid":""}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","typ":1}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","crit":["exp"]}"#,
            r#"{"alg":"RS256","b64":false}"#,
            r#"{"alg":"RS256","cty":"JWT"}"#,
            r#"{"alg":"RS256","zip":"DEF"}"#,
            r#"["RS256"]"#,
            "",
        ] {
            assert!(Jws::parse(&token(header, "{}")).is_none(), "{header}");
        }
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(MAX_KEY_ID_BYTES + 1));
        assert!(Jws::parse(&token(&long, "{}")).is_none());
    }

    #[test]
    fn other_forms_are_refused() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert!(Jws::parse(&good).is_some());
        for text in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            &good[..good.len() - 4],
            &format!("{good}="),
            &format!("{good}."),
            &format!("{good}.AAAA"),
            &format!("{good}.AAAA.AAAA"),
            &format!(" {good}"),
            &format!("{good}\n"),
            &good.replace('.', ".."),
            &token(r#"{"alg":"RS256"}"#, "[]"),
            &token(r#"{"alg":"RS256"}"#, r#"{"sub":"a","sub":"b"}"#),
            // The bits that the last digit has too many of are not nought: one token would have several spellings.
            &format!("{good}B").replace("AAAAB", "AAB"),
        ] {
            assert!(Jws::parse(text).is_none(), "{text:?}");
        }
    }
}
