//! The messages of the protocol, both ways.

use serde_json::{Map, Value, json};

use crate::graphql::{Request, RequestExtensions, Response};

/// The longest name of an operation, in bytes. Clients use numbers or UUIDs.
const MAX_NAME_BYTES: usize = 256;

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    /// Who it is, before all else.
    Init(Map<String, Value>),
    /// Asks for a sign of life, with whatever it wants to have back.
    Ping(Option<Map<String, Value>>),
    /// Gives a sign of life.
    Pong,
    /// Asks for an operation.
    Subscribe {
        /// The name of the operation, by which its answers are told from others.
        id: String,
        /// What is asked.
        request: Box<Request>,
    },
    /// Ends an operation.
    Complete {
        /// The name of the operation.
        id: String,
    },
}

/// Why something is no message; the client sees it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MessageError {
    /// It is no JSON, or no object.
    #[error("a message is a JSON object")]
    NoObject,
    /// It has no type.
    #[error("a message has a `type`, which is a text")]
    NoType,
    /// There is no such type.
    #[error(
        "there are no messages of this type; `subscribe`, `complete`, `ping`, `pong` and `connection_init` are taken"
    )]
    UnknownType,
    /// The name of the operation is missing or no use.
    #[error("`id` is a text of 1 to {MAX_NAME_BYTES} bytes")]
    Id,
    /// The payload is of the wrong form.
    #[error("`payload` is an object, or left out")]
    Payload,
    /// The payload names no document.
    #[error("`payload` has a `query`, or names one that is known here")]
    NoQuery,
    /// The payload is no request.
    #[error("`payload` is no request: {0}")]
    Request(String),
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// If it is none that the protocol knows.
    pub(super) fn read(text: &str) -> Result<Self, MessageError> {
        let mut message: Map<String, Value> = serde_json::from_str(text).map_err(|_| MessageError::NoObject)?;
        let payload = message.remove("payload");
        let object = |payload: Option<Value>| match payload {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(MessageError::Payload),
        };
        let Some(Value::String(kind)) = message.get("type") else { return Err(MessageError::NoType) };
        match kind.as_str() {
            "connection_init" => Ok(Self::Init(object(payload)?.unwrap_or_default())),
            "ping" => Ok(Self::Ping(object(payload)?)),
            "pong" => object(payload).map(|_| Self::Pong),
            "subscribe" => {
                let id = take_id(&mut message)?;
                let Some(payload @ Value::Object(_)) = payload else { return Err(MessageError::Payload) };
                let request = serde_json::from_value::<Request>(payload)
                    .map_err(|error| MessageError::Request(error.to_string()))?;
                let names_one = |extensions: &RequestExtensions| extensions.persisted_query.is_some();
                if request.query.is_none()
                    && request.document_id.is_none()
                    && !request.extensions.as_ref().is_some_and(names_one)
                {
                    return Err(MessageError::NoQuery);
                }
                Ok(Self::Subscribe { id, request: Box::new(request) })
            }
            "complete" => Ok(Self::Complete { id: take_id(&mut message)? }),
            _ => Err(MessageError::UnknownType),
        }
    }
}

fn take_id(message: &mut Map<String, Value>) -> Result<String, MessageError> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=MAX_NAME_BYTES).contains(&id.len()) => Ok(id),
        _ => Err(MessageError::Id),
    }
}

/// Says that the client is known now.
pub(super) fn ack() -> String {
    json!({"type": "connection_ack"}).to_string()
}

/// Answers a ping with what came with it.
pub(super) fn pong(payload: Option<Map<String, Value>>) -> String {
    match payload {
        Some(payload) => json!({"type": "pong", "payload": payload}).to_string(),
        None => json!({"type": "pong"}).to_string(),
    }
}

/// Carries an answer. None if the answer is no text, which would be a fault of ours.
pub(super) fn next(id: &str, response: &Response) -> Option<String> {
    let id = Value::from(id).to_string();
    let (before, between) = ("{\"id\":", ",\"type\":\"next\",\"payload\":");
    let mut out = Vec::with_capacity(before.len() + id.len() + between.len() + response.body.len() + 1);
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(between.as_bytes());
    out.extend_from_slice(&response.body);
    out.push(b'}');
    String::from_utf8(out).ok()
}

/// Carries the faults of a request that was refused. None if there are none, which would be a fault of ours.
pub(super) fn error(id: &str, response: &Response) -> Option<String> {
    let mut body: Map<String, Value> = serde_json::from_slice(&response.body).ok()?;
    let errors = body.remove("errors").filter(Value::is_array)?;
    Some(json!({"id": id, "type": "error", "payload": errors}).to_string())
}

/// Says that there will be no more answers.
pub(super) fn complete(id: &str) -> String {
    json!({"id": id, "type": "complete"}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::{
        ResponseStatus,
        error::{Code, GraphqlError},
        refused,
    };

    fn fault(text: &str) -> MessageError {
        ClientMessage::read(text).expect_err(text)
    }

    #[test]
    fn messages_are_read() {
        let text = r#"{"id": "7", "type": "subscribe", "payload": {"query": "{ a }", "variables": {"b": 1}, "operationName": null}}"#;
        let Ok(ClientMessage::Subscribe { id, request }) = ClientMessage::read(text) else { panic!("{text}") };
        assert_eq!((id.as_str(), request.variables.map(|variables| variables.len())), ("7", Some(1)));
        for text in [r#"{"type":"connection_init"}"#, r#"{"type":"connection_init","payload":null}"#] {
            assert!(matches!(ClientMessage::read(text), Ok(ClientMessage::Init(payload)) if payload.is_empty()));
        }
        assert!(matches!(ClientMessage::read(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping(None))));
        assert!(matches!(ClientMessage::read(r#"{"type":"pong","payload":{}}"#), Ok(ClientMessage::Pong)));
        assert!(
            matches!(ClientMessage::read(r#"{"type":"complete","id":"x"}"#), Ok(ClientMessage::Complete { id }) if id == "x")
        );
    }

    #[test]
    fn what_is_no_message_is_named() {
        for text in ["{", "", "7", "null", "[\"ping\"]", "\u{0}"] {
            assert_eq!(fault(text), MessageError::NoObject, "{text}");
        }
        assert_eq!(fault(&"[".repeat(100_000)), MessageError::NoObject);
        assert_eq!(fault("{}"), MessageError::NoType);
        assert_eq!(fault(r#"{"type":7}"#), MessageError::NoType);
        assert_eq!(fault(r#"{"type":"start","id":"1","payload":{"query":"{ a }"}}"#), MessageError::UnknownType);
        let request = r#""payload":{"query":"{ a }"}"#;
        for id in [r#""id":"","#, r#""id":7,"#, "", &format!("\"id\":\"{}\",", "x".repeat(257))] {
            assert_eq!(fault(&format!("{{{id}\"type\":\"subscribe\",{request}}}")), MessageError::Id);
        }
        for payload in ["null", "7", "[]", "\"{ a }\""] {
            let text = format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#);
            assert_eq!(fault(&text), MessageError::Payload);
        }
        assert_eq!(fault(r#"{"id":"1","type":"subscribe","payload":{}}"#), MessageError::NoQuery);
        for payload in [r#"{"query":7}"#, r#"{"query":"{ a }","variables":"x"}"#] {
            let text = format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#);
            assert!(matches!(fault(&text), MessageError::Request(_)), "{text}");
        }
        assert_eq!(fault(r#"{"type":"ping","payload":[]}"#), MessageError::Payload);
    }

    #[test]
    fn messages_are_written() {
        let response = Response { body: r#"{"data":{"a":"\u00e9"}}"#.into(), status: ResponseStatus::Executed };
        let message: Value = serde_json::from_str(&next("\"x\"", &response).expect("a text")).expect("JSON");
        assert_eq!(message, json!({"id": "\"x\"", "type": "next", "payload": {"data": {"a": "é"}}}));
        let response = refused(&[GraphqlError::new(Code::BadInput, "no")]);
        let message: Value = serde_json::from_str(&error("1", &response).expect("errors")).expect("JSON");
        assert_eq!(message["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(message["type"], "error");
    }
}
