//! The body of a request by POST: how it is read, and what may be in it.

use std::{fmt, time::Duration};

use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::{StatusCode, header},
    web::Payload,
};
use futures::StreamExt;
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{accept::is_utf8, origin};
use crate::graphql::{
    Request,
    error::{Code, GraphqlError},
};

/// How long a client may take to send the body of a request.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// Why a body is not taken: the status, and what is said about it.
pub(super) type Refusal = (StatusCode, GraphqlError);

/// What a body asks for.
#[derive(Debug)]
pub(super) enum Body {
    /// One request.
    One(Box<Request>),
    /// Several, each to be answered, in this order.
    Many(Vec<Request>),
}

/// Reads the body of a request and takes it apart. Only JSON is taken: a form of another site, which a browser would send without
/// asking, never is.
///
/// # Errors
/// If it is no JSON, compressed, larger than `bytes`, too slow, no GraphQL request, or a batch of more than `batch`.
pub(super) async fn read(
    http: &HttpRequest,
    payload: &mut Payload,
    bytes: usize,
    batch: usize,
) -> Result<Body, Refusal> {
    check_type(http)?;
    let too_large = || {
        let message = format!("the body of a request is at most {bytes} bytes long");
        (StatusCode::PAYLOAD_TOO_LARGE, GraphqlError::new(Code::RequestTooLarge, message))
    };
    let announced = http
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > bytes) {
        return Err(too_large());
    }
    let reading = async {
        let mut body = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|error| match error {
                PayloadError::Overflow => too_large(),
                _ => bad(StatusCode::BAD_REQUEST, "the body of the request was cut off"),
            })?;
            if body.len() + piece.len() > bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    };
    let body = tokio::time::timeout(BODY_LIMIT, reading)
        .await
        .unwrap_or_else(|_| Err(bad(StatusCode::REQUEST_TIMEOUT, "the body of the request came too slowly")))?;
    let mut body = parse(&body, batch).map_err(|error| (status_of(error.code), error))?;
    let origin = origin::of(http);
    match &mut body {
        Body::One(request) => request.origin = origin,
        Body::Many(requests) => requests.iter_mut().for_each(|request| request.origin = origin),
    }
    Ok(body)
}

fn status_of(code: Code) -> StatusCode {
    if code == Code::RequestTooLarge { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
}

fn bad(status: StatusCode, message: &str) -> Refusal {
    (status, GraphqlError::new(Code::BadRequest, message))
}

/// Checks what the head says about the body.
fn check_type(http: &HttpRequest) -> Result<(), Refusal> {
    let unsupported = |message: &str| Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let Some(content_type) = http.headers().get(header::CONTENT_TYPE) else {
        return unsupported("a request by POST has the content type application/json");
    };
    let mut parts = content_type.to_str().unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return unsupported("a request by POST has the content type application/json");
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    if charset.is_some_and(|charset| !is_utf8(charset)) {
        return unsupported("the body of a request is written in UTF-8");
    }
    // A few bytes could become many; requests are short.
    let is_coded = http
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .any(|coding| !coding.to_str().is_ok_and(|coding| coding.trim().eq_ignore_ascii_case("identity")));
    if is_coded {
        return unsupported("the body of a request is not compressed");
    }
    Ok(())
}

/// Takes a body apart; a batch beyond its bound is counted and thrown away.
fn parse(body: &[u8], batch: usize) -> Result<Body, GraphqlError> {
    let malformed = |error: serde_json::Error| {
        GraphqlError::new(Code::BadRequest, format!("the body is not a GraphQL request: {error}"))
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = BodySeed { batch }.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    match parsed {
        Parsed::One(request) => Ok(Body::One(request)),
        Parsed::Many(requests) if requests.is_empty() => {
            Err(GraphqlError::new(Code::BadRequest, "a batch has at least one request"))
        }
        Parsed::Many(requests) => Ok(Body::Many(requests)),
        Parsed::TooMany(count) => Err(GraphqlError::new(
            Code::RequestTooLarge,
            format!("a batch of {count} requests was sent; at most {batch} are answered at once"),
        )),
    }
}

enum Parsed {
    One(Box<Request>),
    Many(Vec<Request>),
    TooMany(usize),
}

struct BodySeed {
    batch: usize,
}

impl<'de> DeserializeSeed<'de> for BodySeed {
    type Value = Parsed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parsed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BodySeed {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parsed, A::Error> {
        serde::Deserialize::deserialize(MapAccessDeserializer::new(map)).map(|request| Parsed::One(Box::new(request)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Parsed, A::Error> {
        let mut requests = Vec::new();
        while requests.len() < self.batch {
            let at = requests.len();
            match list.next_element() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return Ok(Parsed::Many(requests)),
                Err(error) => return Err(A::Error::custom(format_args!("request {at} of the batch: {error}"))),
            }
        }
        let mut count = requests.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(if count > requests.len() { Parsed::TooMany(count) } else { Parsed::Many(requests) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Code {
        parse(body.as_bytes(), 3).expect_err(body).code
    }

    #[test]
    fn a_body_is_one_request_or_several() {
        assert!(matches!(parse(br#"{"query": "{ a }", "more": [1]}"#, 3), Ok(Body::One(_))));
        let three = r#"[{"query": "a"}, {"query": "b"}, {"query": "c"}]"#;
        let Ok(Body::Many(requests)) = parse(three.as_bytes(), 3) else { panic!("a batch") };
        assert_eq!(requests.len(), 3);
    }

    #[test]
    fn anything_else_is_refused() {
        for body in [
            "",
            "{",
            "7",
            "null",
            "\"{ a }\"",
            "[]",
            "[1]",
            "[[]]",
            r#"[{"query": "a"}, {"query": 7}]"#,
            r#"{"query": 7}"#,
            r#"{"query": "a", "variables": []}"#,
            r#"{"query": "a", "variables": "x"}"#,
            r#"{"query": "a", "extensions": []}"#,
            r#"{"query": "a", "extensions": "x"}"#,
            r#"{"query": "a", "operationName": 7}"#,
            r#"{"query": "a"} x"#,
            r#"{"query": "a", "query": "b"}"#,
        ] {
            assert_eq!(code(body), Code::BadRequest, "{body}");
        }
        assert_eq!(parse(b"{\"query\": \"\xff\"}", 3).expect_err("not UTF-8").code, Code::BadRequest);
    }

    #[test]
    fn a_large_batch_is_counted_and_not_kept() {
        let body = format!("[{}]", vec![r#"{"query": "a"}"#; 10_000].join(","));
        let error = parse(body.as_bytes(), 3).expect_err("too many");
        assert_eq!(error.code, Code::RequestTooLarge);
        assert!(error.message.contains("10000"), "{error}");
        assert_eq!(code(r#"[{"query": "a"}, {"query": "a"}, {"query": "a"}, 7]"#), Code::RequestTooLarge);
    }

    #[test]
    fn deep_json_is_refused() {
        let deep = |depth: usize| {
            format!("{{\"query\": \"a\", \"variables\": {{\"a\": {}{}}}}}", "[".repeat(depth), "]".repeat(depth))
        };
        assert!(parse(deep(100).as_bytes(), 3).is_ok());
        assert_eq!(code(&deep(100_000)), Code::BadRequest);
        assert_eq!(code(&format!("[{}", "[".repeat(100_000))), Code::BadRequest);
    }
}
