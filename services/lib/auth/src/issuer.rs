//! Issuers of tokens as the settings name them.

use serde::{Deserialize, Serialize};

use crate::{SignatureAlgorithm, fetch::Url};

/// The most issuers.
pub const MAX_ISSUERS: usize = 16;
/// The most audiences and types of an issuer.
const MAX_NAMES: usize = 16;
/// The longest name in the settings of an issuer, in bytes.
const MAX_NAME_BYTES: usize = 1024;
/// The most that the clocks may differ, in seconds.
const MAX_LEEWAY_SECONDS: u64 = 300;
/// What names of ours begin with, which no issuer may take.
const OURS: &str = "spil";

/// An issuer whose tokens are taken, and which of its tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What the claim `iss` of its tokens says, to the letter. The keys are found from here (OpenID Connect Discovery) unless `jwks_uri`
    /// says where they are.
    pub issuer: String,
    /// The audiences of which a token has to name one in `aud`, to the letter.
    pub audiences: Vec<String>,
    /// The algorithms by which its tokens may be signed.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Where its keys are, if it has no discovery document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// What `typ` may be, without regard to case: `at+jwt` (RFC 9068) where nothing is said; `JWT` too for issuers that name their access
    /// tokens so, and an empty text for tokens without `typ`.
    #[serde(default = "usual_types")]
    pub types: Vec<String>,
    /// How far the clock of the issuer may differ from ours, in seconds: 0 to 300.
    #[serde(default = "usual_leeway")]
    pub leeway_seconds: u64,
    /// What is put before the subjects of this issuer, so that two issuers can not name two people alike: `staff:`, for instance.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject_prefix: String,
}

fn usual_algorithms() -> Vec<SignatureAlgorithm> {
    vec![SignatureAlgorithm::RS256]
}

fn usual_types() -> Vec<String> {
    vec!["at+jwt".to_owned()]
}

fn usual_leeway() -> u64 {
    30
}

/// What is wrong with the settings of issuers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// There are too many.
    #[error("there are more than {MAX_ISSUERS} issuers")]
    TooMany,
    /// An issuer is there twice.
    #[error("the issuer `{issuer}` is there twice")]
    Twice {
        /// Which.
        issuer: String,
    },
    /// Something about one issuer.
    #[error("the issuer `{issuer}`: {problem}")]
    Issuer {
        /// Which.
        issuer: String,
        /// What.
        problem: &'static str,
    },
}

impl IssuerConfig {
    /// Says whether issuers can be trusted together.
    ///
    /// # Errors
    /// If there are too many, two have one name or could name two people alike, or the settings of one make no sense.
    pub fn check(issuers: &[IssuerConfig]) -> Result<(), IssuerError> {
        if issuers.len() > MAX_ISSUERS {
            return Err(IssuerError::TooMany);
        }
        for (at, config) in issuers.iter().enumerate() {
            let problem = |problem| IssuerError::Issuer { issuer: config.issuer.clone(), problem };
            config.check_alone().map_err(problem)?;
            let mut others = issuers.iter().take(at);
            if others.clone().any(|other| other.issuer == config.issuer) {
                return Err(IssuerError::Twice { issuer: config.issuer.clone() });
            }
            if others.any(|other| other.subject_prefix == config.subject_prefix) {
                return Err(problem(
                    "`subject_prefix` is that of another issuer, so that both could name somebody alike",
                ));
            }
        }
        Ok(())
    }

    fn check_alone(&self) -> Result<(), &'static str> {
        let is_name = |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control);
        if !is_name(&self.issuer) {
            return Err("`issuer` is a text of at most 1024 bytes");
        }
        if self.issuer.starts_with(OURS) {
            return Err("names that begin with `spil` are our own");
        }
        if self.audiences.is_empty() || self.audiences.len() > MAX_NAMES || !self.audiences.iter().all(|it| is_name(it))
        {
            return Err("`audiences` are 1 to 16 texts of at most 1024 bytes");
        }
        if self.algorithms.is_empty() {
            return Err("`algorithms` is empty");
        }
        if self.types.is_empty()
            || self.types.len() > MAX_NAMES
            || !self.types.iter().all(|it| it.is_empty() || is_name(it))
        {
            return Err("`types` are 1 to 16 texts, of which one can be empty");
        }
        if self.leeway_seconds > MAX_LEEWAY_SECONDS {
            return Err("`leeway_seconds` is 0 to 300");
        }
        let prefix = &self.subject_prefix;
        if !prefix.is_empty() && (prefix.len() > 32 || !prefix.ends_with(':') || !is_name(prefix)) {
            return Err("`subject_prefix` has at most 32 bytes and ends with a colon");
        }
        if prefix.starts_with(OURS) {
            return Err("a `subject_prefix` that begins with `spil` is our own");
        }
        self.source().map(|_| ())
    }

    /// Where the keys are to be had.
    ///
    /// # Errors
    /// Why the addresses can not be used.
    pub(crate) fn source(&self) -> Result<KeySource, &'static str> {
        const PROBLEM: &str = "keys are had by `https` only (`http` from this machine): say in `issuer` or in `jwks_uri` where, \
                               without user, query and fragment";
        let url = |text: &str| Url::parse(text).ok_or(PROBLEM);
        match &self.jwks_uri {
            Some(jwks) => Ok(KeySource::Jwks(url(jwks)?)),
            None if self.issuer.contains(['?', '#']) => Err(PROBLEM),
            None => {
                let base = self.issuer.trim_end_matches('/');
                Ok(KeySource::Discovery(url(&format!("{base}/.well-known/openid-configuration"))?))
            }
        }
    }
}

/// Where the keys of an issuer are to be had.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// In this document.
    Jwks(Url),
    /// Where this document says.
    Discovery(Url),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn issuer(name: &str) -> IssuerConfig {
        IssuerConfig {
            issuer: name.to_owned(),
            audiences: vec!["urn:spil".to_owned()],
            algorithms: vec![SignatureAlgorithm::EdDSA],
            jwks_uri: None,
            types: usual_types(),
            leeway_seconds: 30,
            subject_prefix: String::new(),
        }
    }

    fn changed(change: impl FnOnce(&mut IssuerConfig)) -> Result<(), IssuerError> {
        let mut config = issuer("https://a.example");
        change(&mut config);
        IssuerConfig::check(&[config])
    }

    #[test]
    fn sound_settings_are_taken() {
        for name in [
            "https://a.example",
            "https://a.example/realms/x/",
            "http://127.0.0.1:4300",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert_eq!(IssuerConfig::check(&[issuer(name)]), Ok(()), "{name}");
        }
        let mut named = issuer("some text");
        named.jwks_uri = Some("https://a.example/keys".to_owned());
        assert_eq!(IssuerConfig::check(&[named]), Ok(()));
        let mut other = issuer("https://b.example");
        other.subject_prefix = "b:".to_owned();
        assert_eq!(IssuerConfig::check(&[issuer("https://a.example"), other]), Ok(()));
    }

    #[test]
    fn unsound_settings_are_named() {
        for name in [
            "",
            "some text",
            "http://a.example",
            "http://127.0.0.1.example",
            "https://user:secret@a.example",
            "https://a.example?x=1",
            "https://a.example#x",
            "ftp://a.example",
            "spil-development",
        ] {
            assert!(IssuerConfig::check(&[issuer(name)]).is_err(), "{name}");
        }
        assert!(changed(|config| config.audiences.clear()).is_err());
        assert!(changed(|config| config.audiences.push(String::new())).is_err());
        assert!(changed(|config| config.algorithms.clear()).is_err());
        assert!(changed(|config| config.types.clear()).is_err());
        assert!(changed(|config| config.leeway_seconds = 301).is_err());
        assert!(changed(|config| config.jwks_uri = Some("http://a.example/keys".to_owned())).is_err());
        assert!(changed(|config| config.subject_prefix = "staff".to_owned()).is_err());
        assert!(changed(|config| config.subject_prefix = "spil:".to_owned()).is_err());
        let twice = [issuer("https://a.example"), issuer("https://a.example")];
        assert!(matches!(IssuerConfig::check(&twice), Err(IssuerError::Twice { .. })));
        let alike = [issuer("https://a.example"), issuer("https://b.example")];
        assert!(IssuerConfig::check(&alike).is_err_and(|error| error.to_string().contains("subject_prefix")));
        let many: Vec<_> = (0..17).map(|number| issuer(&format!("https://{number}.example"))).collect();
        assert_eq!(IssuerConfig::check(&many), Err(IssuerError::TooMany));
    }
}
