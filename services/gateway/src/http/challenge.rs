//! Who calls, and how a client is told that it has to say so (RFC 6750).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use spil_auth::{AuthError, Caller, Verifier};

use super::{accept::Media, graphql};
use crate::graphql::{
    error::{Code, GraphqlError},
    refused,
};

/// The seconds after which a client may try again that could not be told whether its token is good.
const RETRY_AFTER: &str = "5";

/// Who calls, by the bearer token, and the token itself. A token anywhere else than in the one header is not looked at.
pub(super) async fn authenticate(http: &HttpRequest, verifier: &Verifier) -> Result<(Caller, String), AuthError> {
    let mut shown = http.headers().get_all(header::AUTHORIZATION);
    let value = shown.next().ok_or(AuthError::Missing)?;
    if shown.next().is_some() {
        // Which of them is meant, another server on the way may see otherwise.
        return Err(AuthError::Invalid);
    }
    let value = value.to_str().map_err(|_| AuthError::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(AuthError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    let token = token.trim_matches(' ');
    Ok((verifier.verify(token).await?, token.to_owned()))
}

/// The answer to a request whose caller is not known.
pub(super) fn unauthenticated(error: AuthError, media: Media) -> HttpResponse {
    let code = if error.is_passing() { Code::NotReady } else { Code::Unauthenticated };
    let mut response = graphql::answer(refused(&[GraphqlError::new(code, error.to_string())]), media);
    match error {
        error if error.is_passing() => {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(RETRY_AFTER));
        }
        // No error code where no token was given at all.
        AuthError::Missing => challenge(&mut response, "Bearer realm=\"spil\"".to_owned()),
        error => {
            let text = format!("Bearer realm=\"spil\", error=\"invalid_token\", error_description=\"{error}\"");
            challenge(&mut response, text);
        }
    }
    response
}

/// Tells with a status that says so that the token is good and does not allow this.
pub(super) fn describe(response: &mut HttpResponse) {
    if response.status() == StatusCode::FORBIDDEN {
        let text = "Bearer realm=\"spil\", error=\"insufficient_scope\", \
                    error_description=\"the token does not allow this\"";
        challenge(response, text.to_owned());
    }
}

fn challenge(response: &mut HttpResponse, text: String) {
    if let Ok(value) = header::HeaderValue::try_from(text) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::test::TestRequest;
    use spil_auth::{Permission, Signer};

    use super::*;

    #[actix_web::test]
    async fn the_token_is_in_one_header_and_nowhere_else() {
        let signer = Signer::generate().expect("a key");
        let (verifier, lasts) = (signer.verifier(), Duration::from_secs(60));
        let token = signer.sign("ada", &[Permission::Read], lasts).expect("a token");
        let ask = |headers: Vec<String>, uri: String| {
            let mut request = TestRequest::with_uri(&uri);
            for value in headers {
                request = request.append_header((header::AUTHORIZATION, value));
            }
            let (http, verifier) = (request.to_http_request(), verifier.clone());
            async move { authenticate(&http, &verifier).await.map(|(caller, _)| caller.subject().to_owned()) }
        };
        let path = || "/graphql".to_owned();
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
            assert_eq!(ask(vec![format!("{scheme} {token}")], path()).await.as_deref(), Ok("ada"), "{scheme}");
        }
        for value in ["Bearer", "Basic YTpi", &token, &format!("Token {token}")] {
            assert_eq!(ask(vec![value.to_owned()], path()).await, Err(AuthError::Missing), "{value}");
        }
        let in_query = format!("/graphql?access_token={token}&token={token}");
        assert_eq!(ask(Vec::new(), in_query).await, Err(AuthError::Missing));
        let twice = vec![format!("Bearer {token}"), format!("Bearer {token}")];
        assert_eq!(ask(twice, path()).await, Err(AuthError::Invalid));
        let several = vec![format!("Bearer {token}, Bearer {token}")];
        assert_eq!(ask(several, path()).await, Err(AuthError::Invalid));
    }

    #[test]
    fn a_refusal_says_how_to_ask() {
        let told = |error| {
            let response = unauthenticated(error, Media::Json);
            let header = response.headers().get(header::WWW_AUTHENTICATE);
            (response.status().as_u16(), header.map(|value| value.to_str().expect("text").to_owned()))
        };
        assert_eq!(told(AuthError::Missing), (401, Some("Bearer realm=\"spil\"".to_owned())));
        let invalid =
            |text: &str| Some(format!("Bearer realm=\"spil\", error=\"invalid_token\", error_description=\"{text}\""));
        assert_eq!(told(AuthError::Expired), (401, invalid("the token has expired")));
        assert_eq!(told(AuthError::Invalid), (401, invalid("the token is not valid")));
        for passing in [AuthError::Unavailable, AuthError::UnknownKey] {
            assert_eq!(told(passing), (503, None));
            let response = unauthenticated(passing, Media::Json);
            assert_eq!(response.headers().get(header::RETRY_AFTER).map(|value| value.as_bytes()), Some(&b"5"[..]));
        }
    }
}
