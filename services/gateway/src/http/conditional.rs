//! Conditional requests by GET: a client that keeps an answer asks whether it is still the present one (RFC 9110, section 13).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap, HeaderValue},
};

/// The most entity tags of a request that are looked at.
const MAX_TAGS: usize = 64;
/// A cache of the client's own may keep an answer, and has to ask before each use whether it is still the present one.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// Nobody keeps what went wrong, or what is not of the graph.
const DO_NOT_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// What an answer by GET depends on besides its address.
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding, authorization, spil-purpose");

/// Whether the client has the answer with a validator.
pub(super) fn is_known(http: &HttpRequest, validator: &str) -> bool {
    http.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(|tags| {
        tags.split(',').take(MAX_TAGS).map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(validator))
    })
}

/// An entity tag without its mark of weakness, which does not count in this comparison.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Says that the client has the present answer.
pub(super) fn not_modified(validator: &str) -> HttpResponse {
    let mut response = HttpResponse::NotModified().finish();
    describe(response.headers_mut(), Some(validator));
    response
}

/// Says how an answer by GET may be kept. Without a validator it may not be.
pub(super) fn describe(headers: &mut HeaderMap, validator: Option<&str>) {
    headers.insert(header::VARY, VARY);
    match validator.and_then(|validator| HeaderValue::from_str(validator).ok()) {
        Some(validator) => {
            headers.insert(header::ETAG, validator);
            headers.insert(header::CACHE_CONTROL, REVALIDATE);
        }
        None => {
            headers.insert(header::CACHE_CONTROL, DO_NOT_STORE);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for (tags, is_same) in [
            (&["W/\"a\""][..], true),
            (&["\"a\""], true),
            (&["*"], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&["\"A\""], false),
            (&[], false),
        ] {
            let request = tags
                .iter()
                .fold(TestRequest::default(), |request, tag| request.append_header((header::IF_NONE_MATCH, *tag)));
            assert_eq!(is_known(&request.to_http_request(), "W/\"a\""), is_same, "{tags:?}");
        }
    }
}
