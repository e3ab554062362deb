//! The events of the protocol, as bytes.

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::http::operations::Event;

/// A comment: it keeps the connection open where proxies end what is silent.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");
/// The end of the one operation that a connection is for. Browsers do not tell of an event without data.
const COMPLETE: &str = "event: complete\ndata: \n\n";

/// An event of the one operation that a connection is for.
pub(super) fn distinct(event: &Event) -> Bytes {
    match event {
        Event::Next(response) => next(&[&response.body], ""),
        // The connection has no other way to carry a refusal.
        Event::Refused(response) => next(&[&response.body], COMPLETE),
        Event::Complete => Bytes::from_static(COMPLETE.as_bytes()),
    }
}

/// An event of one operation among several.
pub(super) fn named(id: &str, event: &Event) -> Bytes {
    let complete = || format!("event: complete\ndata: {}\n\n", json!({"id": id}));
    let before = || format!("{{\"id\":{},\"payload\":", Value::from(id));
    match event {
        Event::Next(response) => next(&[before().as_bytes(), &response.body, b"}"], ""),
        Event::Refused(response) => next(&[before().as_bytes(), &response.body, b"}"], &complete()),
        Event::Complete => complete().into(),
    }
}

/// An answer, and what follows it at once. JSON as it is written here has no line breaks, which would end the data.
fn next(data: &[&[u8]], after: &str) -> Bytes {
    const BEFORE: &[u8] = b"event: next\ndata: ";
    let length = BEFORE.len() + data.iter().map(|part| part.len()).sum::<usize>() + 2 + after.len();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(BEFORE);
    data.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\n\n");
    out.extend_from_slice(after.as_bytes());
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::{
        Response, ResponseStatus,
        error::{Code, GraphqlError},
        refused,
    };

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).expect("a text")
    }

    #[test]
    fn events_are_written() {
        let answer = || Event::Next(Response { body: "{\"data\":{}}".into(), status: ResponseStatus::Executed });
        assert_eq!(text(&distinct(&answer())), "event: next\ndata: {\"data\":{}}\n\n");
        assert_eq!(text(&distinct(&Event::Complete)), "event: complete\ndata: \n\n");
        let named_answer = named("a\"\n", &answer());
        assert_eq!(text(&named_answer), "event: next\ndata: {\"id\":\"a\\\"\\n\",\"payload\":{\"data\":{}}}\n\n");
        assert_eq!(text(&named("a", &Event::Complete)), "event: complete\ndata: {\"id\":\"a\"}\n\n");
        let refusal = || Event::Refused(refused(&[GraphqlError::new(Code::BadInput, "two\nlines")]));
        let events = distinct(&refusal());
        let (next, complete) = text(&events).split_once("\n\n").expect("two events");
        assert_eq!((next.lines().count(), complete), (2, COMPLETE));
        assert!(text(&named("a", &refusal())).ends_with("event: complete\ndata: {\"id\":\"a\"}\n\n"));
    }
}
