//! Faults of a request as clients see them: a message, a code from a closed list, and a path.

use serde_json::{Map, Value, json};

/// What went wrong, for programs. Written as `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not the JSON object that GraphQL over HTTP asks for.
    BadRequest,
    /// The body of the request has too many bytes, or a batch too many requests.
    RequestTooLarge,
    /// A mutation was sent by GET.
    MethodNotAllowed,
    /// The hash of a document is not known: the text is to be sent with it.
    PersistedQueryNotFound,
    /// The document is not one of those that alone are run here.
    DocumentNotTrusted,
    /// The schema may not be asked for.
    IntrospectionDisabled,
    /// The document is no GraphQL.
    ParseFailed,
    /// The document does not fit the schema, or names no operation to run.
    ValidationFailed,
    /// A variable or an argument has a value that can not be used.
    BadInput,
    /// The document is nested too deep.
    TooDeep,
    /// The document, with its fragments written out, is too large.
    TooLarge,
    /// The answer would need more work than one request may cause.
    TooCostly,
    /// No token, or one that is not taken.
    Unauthenticated,
    /// The token does not allow this.
    Forbidden,
    /// The snapshot is not as fresh as the request asks for, or not there yet, or the keys of the token's issuer are not. Try again.
    NotReady,
    /// Too many costly requests are under way. Try again later.
    Overloaded,
    /// The changes after the cursor are not known any more. Read the data anew.
    CursorExpired,
    /// The subscriber did not keep up. Go on from the last cursor.
    SubscriberTooSlow,
    /// The owner of the data can not be reached. Nothing is known of the write: try again with the same `clientMutationId`.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 20] = [
        Code::BadRequest,
        Code::RequestTooLarge,
        Code::MethodNotAllowed,
        Code::PersistedQueryNotFound,
        Code::DocumentNotTrusted,
        Code::IntrospectionDisabled,
        Code::ParseFailed,
        Code::ValidationFailed,
        Code::BadInput,
        Code::TooDeep,
        Code::TooLarge,
        Code::TooCostly,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::NotReady,
        Code::Overloaded,
        Code::CursorExpired,
        Code::SubscriberTooSlow,
        Code::Unavailable,
        Code::Internal,
    ];

    /// The code as clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Code::BadRequest => "BAD_REQUEST",
            Code::RequestTooLarge => "REQUEST_TOO_LARGE",
            Code::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Code::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Code::DocumentNotTrusted => "DOCUMENT_NOT_TRUSTED",
            Code::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Code::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Code::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Code::BadInput => "BAD_USER_INPUT",
            Code::TooDeep => "QUERY_TOO_DEEP",
            Code::TooLarge => "QUERY_TOO_LARGE",
            Code::TooCostly => "QUERY_TOO_COSTLY",
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::Forbidden => "FORBIDDEN",
            Code::NotReady => "NOT_READY",
            Code::Overloaded => "OVERLOADED",
            Code::CursorExpired => "CURSOR_EXPIRED",
            Code::SubscriberTooSlow => "SUBSCRIBER_TOO_SLOW",
            Code::Unavailable => "UNAVAILABLE",
            Code::Internal => "INTERNAL",
        }
    }
}

/// A fault of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GraphqlError {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong, for people.
    pub message: String,
    /// Where in the answer, or in the input.
    pub path: Vec<String>,
    /// Where in the document: lines and columns from 1.
    pub locations: Vec<(usize, usize)>,
}

impl GraphqlError {
    /// A fault without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: Vec::new(), locations: Vec::new() }
    }

    /// The same fault at a place of the answer.
    #[must_use]
    pub fn at(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.path = path.into_iter().map(Into::into).collect();
        self
    }

    /// The fault as an entry of `errors`.
    pub fn to_json(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("message".to_owned(), json!(self.message));
        if !self.locations.is_empty() {
            let locations: Vec<_> =
                self.locations.iter().map(|(line, column)| json!({"line": line, "column": column})).collect();
            entry.insert("locations".to_owned(), json!(locations));
        }
        if !self.path.is_empty() {
            entry.insert("path".to_owned(), json!(self.path));
        }
        entry.insert("extensions".to_owned(), json!({"code": self.code.name()}));
        Value::Object(entry)
    }
}
