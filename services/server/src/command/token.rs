//! `spil token`

use std::{process::ExitCode, str::FromStr, time::Duration};

use serde_json::{Map, Value};
use spil_auth::{InternalKey, MAX_TOKEN_BYTES, Permission, Signer, UnknownPermission};

use super::{Outcome, complain, say};
use crate::config::{Config, Profile};

/// The claims that every token has, which none that is given takes the place of.
const RESERVED: [&str; 8] = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "scope"];
/// What a token allows where nothing else is said.
const USUAL: [Permission; 2] = [Permission::Read, Permission::Write];

/// What a token says.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// Whom the token names; the actor of every change made with it.
    #[arg(long, default_value = "developer")]
    subject: String,
    /// What its bearer may do, separated by commas: read, write, admin, personal, audit, follow, aggregate; an empty text for nothing by itself.
    /// [default: read,write; nothing with --worker or --claim, so that the policy decides by these alone]
    #[arg(long, visible_alias = "scope", value_name = "NAMES")]
    permissions: Option<Scopes>,
    /// The key of the worker that the bearer is.
    #[arg(long, value_name = "KEY")]
    worker: Option<String>,
    /// A claim that the token makes besides, for a policy to go by, such as `groups=["managers"]`; can be given several times. The value is
    /// JSON, or else a text.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<Claim>,
    /// How many hours it lasts.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=8760))]
    hours: u64,
}

/// Permissions, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scopes(Vec<Permission>);

impl FromStr for Scopes {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim);
        // No name at all is no permission; one that is empty among others is a slip.
        if text.trim().is_empty() {
            Ok(Self(Vec::new()))
        } else {
            Ok(Self(names.map(str::parse).collect::<Result<_, _>>()?))
        }
    }
}

/// A claim with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    name: String,
    value: Value,
}

impl FromStr for Claim {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or(ClaimError::Form)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(ClaimError::Form);
        }
        if RESERVED.contains(&name) {
            return Err(ClaimError::Reserved { name: name.to_owned() });
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(Self { name: name.to_owned(), value })
    }
}

/// Why something is no claim.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ClaimError {
    #[error("a claim is written NAME=VALUE")]
    Form,
    #[error(
        "`{name}` is a claim that every token has, and is not to be given here (for `scope` there is `--permissions`)"
    )]
    Reserved { name: String },
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error("`profile` is `production`, where development tokens are not taken: ask the issuer for one")]
    InProduction,
    #[error("the claim `{name}` is given twice; several values are a list: {name}=[\"a\",\"b\"]")]
    Twice { name: String },
    #[error("the claims make a token of {bytes} bytes, and none of more than {MAX_TOKEN_BYTES} is taken")]
    TooLong { bytes: usize },
}

impl TokenArgs {
    /// The claims besides those that every token has.
    fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        let worker = self.worker.iter().map(|key| Claim { name: "worker".to_owned(), value: key.as_str().into() });
        let mut claims = Map::new();
        for Claim { name, value } in worker.chain(self.claims.iter().cloned()) {
            if claims.insert(name.clone(), value).is_some() {
                return Err(TokenError::Twice { name });
            }
        }
        Ok(claims)
    }

    /// What the token allows by its scope.
    fn permissions(&self) -> &[Permission] {
        match &self.permissions {
            Some(Scopes(permissions)) => permissions,
            None if self.worker.is_some() || !self.claims.is_empty() => &[],
            None => &USUAL,
        }
    }
}

pub(super) async fn run(config: &Config, args: &TokenArgs) -> Outcome {
    if config.profile == Profile::Production {
        return Err(TokenError::InProduction.into());
    }
    let claims = args.claims()?;
    tokio::fs::create_dir_all(config.data_folder()).await?;
    if !config.key_file().exists() {
        complain(&format!(
            "spil: made a new key in {}; only processes that use this file take its tokens",
            config.key_file().display()
        ));
    }
    let signer = Signer::new(&InternalKey::read_or_create(&config.key_file())?)?;
    let lifetime = Duration::from_secs(args.hours * 3600);
    let token = signer.sign_with(&args.subject, args.permissions(), claims, lifetime)?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong { bytes: token.len() }.into());
    }
    say(&format!("{token}\n"))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        token: TokenArgs,
    }

    fn args(given: &[&str]) -> Result<TokenArgs, String> {
        let matches =
            Only::command().try_get_matches_from([&["token"], given].concat()).map_err(|error| error.to_string())?;
        Ok(Only::from_arg_matches(&matches).map_err(|error| error.to_string())?.token)
    }

    #[test]
    fn what_a_token_allows_goes_by_what_is_said() {
        use Permission::{Aggregate, Follow, Read};
        let allowed = |given: &[&str]| args(given).expect("arguments").permissions().to_vec();
        assert_eq!(allowed(&[]), USUAL);
        assert_eq!(allowed(&["--permissions", ""]), []);
        assert_eq!(allowed(&["--worker", "W-1"]), []);
        assert_eq!(allowed(&["--claim", "groups=leads"]), []);
        assert_eq!(allowed(&["--worker", "W-1", "--permissions", "read, follow"]), [Read, Follow]);
        assert_eq!(allowed(&["--scope", "aggregate"]), [Aggregate]);
        let refused = args(&["--permissions", "read,,write"]).expect_err("a slip");
        assert!(refused.contains("`aggregate`") && refused.contains("`follow`"), "{refused}");
        let help = Only::command().render_long_help().to_string();
        assert!(Permission::ALL.iter().all(|permission| help.contains(permission.name())), "{help}");
    }

    #[test]
    fn claims_are_json_or_texts() {
        let claims = |given: &[&str]| args(given).expect("arguments").claims().map_err(|error| error.to_string());
        let several =
            ["--claim", "groups=[\"a\",\"b\"]", "--claim", "department=B=7", "--claim", "level=3", "--worker", "W"];
        let expected = json!({"groups": ["a", "b"], "department": "B=7", "level": 3, "worker": "W"});
        assert_eq!(claims(&several).map(Value::from), Ok(expected));
        assert!(claims(&["--claim", "a=1", "--claim", "a=2"]).is_err_and(|error| error.contains("`a` is given twice")));
        assert!(claims(&["--claim", "worker=x", "--worker", "y"]).is_err());
        for wrong in ["groups", "=x", "sub=root", "exp=1", "iss=x", "scope=admin"] {
            assert!(args(&["--claim", wrong]).is_err(), "{wrong}");
        }
    }
}
