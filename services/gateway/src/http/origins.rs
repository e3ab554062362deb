//! Which web pages of other origins may ask.

use std::{fmt, str::FromStr};

use actix_cors::Cors;
use actix_web::{
    HttpRequest,
    http::{Method, Uri, header},
};

/// How long a browser may keep what it was told about cross-origin requests, in seconds. Browsers keep it for two hours at most.
const PREFLIGHT_SECONDS: usize = 7200;
/// The most origins of the list.
const MAX_ORIGINS: usize = 100;
/// The origins whose pages may ask, besides the one that the service itself is at.
///
/// No page may send cookies or other credentials of the browser along: a caller is known by a token in a header, which a page has to
/// have first. So there is nothing that a foreign page could do in somebody else's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Listed);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed {
    Any,
    These(Vec<String>),
}

impl Default for Listed {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

/// Why a list of origins can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginsError {
    /// It is no origin.
    #[error("`{0}` is no origin: write it like `https://app.example.org`, without a path, or `*` alone for any")]
    Malformed(String),
    /// There are too many.
    #[error("there are more than {MAX_ORIGINS} origins")]
    TooMany,
}

impl Origins {
    /// The origins of a list: `https://app.example.org`, with a port where it is not the usual one; or `*` alone, for any.
    ///
    /// # Errors
    /// If one is no origin, or there are more than a hundred.
    pub fn new<T: AsRef<str>>(list: &[T]) -> Result<Self, OriginsError> {
        if let [one] = list
            && one.as_ref() == "*"
        {
            return Ok(Self(Listed::Any));
        }
        if list.len() > MAX_ORIGINS {
            return Err(OriginsError::TooMany);
        }
        list.iter()
            .map(|origin| origin_of(origin.as_ref()))
            .collect::<Result<_, _>>()
            .map(|list| Self(Listed::These(list)))
    }

    /// Whether a request may come from where it comes from: its own origin, one of the list, or no page at all.
    pub(super) fn allow(&self, http: &HttpRequest) -> bool {
        let Some(origin) = http.headers().get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        match &self.0 {
            Listed::Any => true,
            Listed::These(list) => {
                list.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) || is_own(origin, http)
            }
        }
    }

    /// Whether any page of another origin may ask.
    pub(super) fn has_others(&self) -> bool {
        self.0 != Listed::These(Vec::new())
    }

    /// Answers the questions of browsers about pages of other origins.
    pub(super) fn cors(&self) -> Cors {
        let cors = match &self.0 {
            Listed::Any => Cors::default().allow_any_origin().send_wildcard(),
            Listed::These(list) => list.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin)),
        };
        cors.allowed_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            // Clients send what they like: names of applications, ids of traces. None of it says who calls but the token.
            .allow_any_header()
            .expose_headers([header::ETAG, header::WWW_AUTHENTICATE])
            .max_age(PREFLIGHT_SECONDS)
    }
}

/// An origin as browsers write it.
fn origin_of(text: &str) -> Result<String, OriginsError> {
    let malformed = || OriginsError::Malformed(text.to_owned());
    let uri = Uri::from_str(text).map_err(|_| malformed())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(malformed()) };
    let origin = format!("{scheme}://{authority}");
    if !matches!(scheme, "http" | "https") || authority.as_str().contains('@') || !text.eq_ignore_ascii_case(&origin) {
        return Err(malformed());
    }
    Ok(origin.to_ascii_lowercase())
}

/// Whether an origin is that of the service itself, as the client calls it.
fn is_own(origin: &str, http: &HttpRequest) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    http.headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Listed::Any => f.write_str("*"),
            Listed::These(list) => f.write_str(&list.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn allows(list: &[&str], origin: Option<&str>) -> bool {
        let request = TestRequest::default().insert_header((header::HOST, "spil.example:7600"));
        let request = match origin {
            Some(origin) => request.insert_header((header::ORIGIN, origin)),
            None => request,
        };
        Origins::new(list).expect("origins").allow(&request.to_http_request())
    }

    #[test]
    fn the_own_origin_and_those_of_the_list_may_ask() {
        let list = ["https://app.example.org", "http://localhost:5173"];
        assert!(allows(&[], None));
        assert!(allows(&[], Some("http://spil.example:7600")));
        assert!(allows(&list, Some("https://app.example.org")));
        assert!(allows(&list, Some("http://localhost:5173")));
        assert!(allows(&["*"], Some("https://anything")));
        for origin in [
            "http://app.example.org",
            "https://app.example.org:8443",
            "https://app.example.org.evil",
            "null",
            "http://localhost",
            "http://spil.example",
        ] {
            assert!(!allows(&list, Some(origin)), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for origin in [
            "",
            "*.example.org",
            "app.example.org",
            "https://app.example.org/",
            "https://app.example.org/x",
            "ftp://a",
            "https://a@b",
            "null",
        ] {
            assert_eq!(Origins::new(&[origin]), Err(OriginsError::Malformed(origin.to_owned())));
        }
        assert!(Origins::new(&["https://a", "*"]).is_err(), "any and one more is a mistake");
        assert_eq!(Origins::new(&vec!["https://a"; 101]), Err(OriginsError::TooMany));
        assert_eq!(
            Origins::new(&["HTTPS://App.Example.org"]).expect("an origin").to_string(),
            "https://app.example.org"
        );
    }
}
