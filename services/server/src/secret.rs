//! Settings that nobody may see.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What stands for a secret where something is shown.
const MASK: &str = "***";

/// A text that is shown nowhere: neither by `Debug` nor by `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for where it is needed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Where the data are: `sqlite`, or a URL, which may have a password in it. `Debug` shows it without.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Database(String);

impl Database {
    /// The setting itself, with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The same without password, neither the one of the user nor one among the parameters.
    #[must_use]
    pub fn masked(&self) -> Self {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.clone() };
        let (place, parameters) = match rest.split_once('?') {
            Some((place, parameters)) => (place, Some(parameters)),
            None => (rest, None),
        };
        let place = match place.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => format!("{name}:{MASK}@{host}"),
                None => place.to_owned(),
            },
            None => place.to_owned(),
        };
        let mut shown = format!("{scheme}://{place}");
        for (at, parameter) in parameters.into_iter().flat_map(|all| all.split('&')).enumerate() {
            shown.push(if at == 0 { '?' } else { '&' });
            match parameter.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                    shown.push_str(&format!("{name}={MASK}"));
                }
                _ => shown.push_str(parameter),
            }
        }
        Self(shown)
    }
}

impl From<&str> for Database {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Database {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.masked().0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_shown_without_its_password() {
        for (url, shown) in [
            ("sqlite", "sqlite"),
            ("postgres://spil@db/spil", "postgres://spil@db/spil"),
            ("postgres://spil:se:cr@et@db/spil", "postgres://spil:***@db/spil"),
            ("postgres://db/spil?user=a&password=secret", "postgres://db/spil?user=a&password=***"),
            ("postgres://a:secret@db/s?sslPassword=secret&x", "postgres://a:***@db/s?sslPassword=***&x"),
        ] {
            let database = Database::from(url);
            assert_eq!(database.masked().expose(), shown);
            assert_eq!(format!("{database:?}"), format!("{shown:?}"));
            assert_eq!(database.expose(), url);
        }
    }

    #[test]
    fn no_settings_flags_or_arguments_show_one() {
        const CANARY: &str = "canary-that-nobody-sees";
        let url = format!("postgres://spil:{CANARY}@db/spil");
        let arguments = ["spil", "import", "--mapping", "m.toml", "--token", CANARY, "--database", &url, "x.csv"];
        let parsed = <crate::command::Cli as clap::Parser>::try_parse_from(arguments);
        let config = crate::config::Config { database: url.as_str().into(), ..Default::default() };
        let store = spil_changefeed::StoreConfig {
            owner: spil_proto::model::Owner::Workforce,
            url: url.clone(),
            max_connections: 2,
        };
        let shown = format!("{:?} {config:?} {store:?}", parsed.expect("arguments"));
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains("spil:***@db"), "{shown}");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let Ok(secret) = Secret::from_str("canary");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert_eq!(secret.expose(), "canary");
    }
}
