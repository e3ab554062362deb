//! A request as GraphQL over HTTP, by whichever transport, carries it.

use std::{fmt, marker::PhantomData};

use apollo_compiler::response::JsonMap;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use spil_proto::model::Purpose;

use super::Origin;

/// A request. It names its document by its text, or by an identifier under which the text is known here.
#[derive(Debug, Default)]
pub struct Request {
    /// The document.
    pub query: Option<String>,
    /// The identifier of the document, in place of its text.
    pub document_id: Option<String>,
    /// The operation of the document to run, where it has several.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Option<JsonMap>,
    /// What else the client has to say.
    pub extensions: Option<RequestExtensions>,
    /// Which way it came in. The transport says it; a body can not.
    pub origin: Origin,
    /// What the client reads personal data for. The transport says it, for all that comes by it; a body can not.
    pub purpose: Option<Purpose>,
}

/// What a client may say beside the request. What is not known is passed over.
#[derive(Debug, Default)]
pub struct RequestExtensions {
    /// A consistency token from an earlier answer: this answer is to be at least as fresh.
    pub consistency: Option<String>,
    /// The name of the operation among those of one event stream.
    pub operation_id: Option<String>,
    /// The hash of the document, with or in place of its text.
    pub persisted_query: Option<PersistedQuery>,
}

/// The hash of a document, as Apollo's automatic persisted queries carry it.
#[derive(Debug, PartialEq, Eq)]
pub struct PersistedQuery {
    /// The version of the protocol: 1 is the only one there is.
    pub version: u64,
    /// The SHA-256 of the document's text, or its identifier in a manifest; 64 hexadecimal digits in the protocol.
    pub sha256_hash: String,
}

// What is derived for a struct would take a list of its values too. Requests are objects and nothing else.

#[derive(Deserialize)]
#[serde(remote = "Request", rename_all = "camelCase")]
struct RequestFields {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    document_id: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<JsonMap>,
    #[serde(default)]
    extensions: Option<RequestExtensions>,
    #[serde(skip)]
    origin: Origin,
    #[serde(skip)]
    purpose: Option<Purpose>,
}

#[derive(Deserialize)]
#[serde(remote = "RequestExtensions", rename_all = "camelCase")]
struct RequestExtensionsFields {
    #[serde(default)]
    consistency: Option<String>,
    #[serde(default)]
    operation_id: Option<String>,
    #[serde(default)]
    persisted_query: Option<PersistedQuery>,
}

#[derive(Deserialize)]
#[serde(remote = "PersistedQuery", rename_all = "camelCase")]
struct PersistedQueryFields {
    version: u64,
    sha256_hash: String,
}

/// A value that is read from the fields of an object.
trait FromFields: Sized {
    fn from_fields<'de, A: MapAccess<'de>>(fields: MapAccessDeserializer<A>) -> Result<Self, A::Error>;
}

impl FromFields for Request {
    fn from_fields<'de, A: MapAccess<'de>>(fields: MapAccessDeserializer<A>) -> Result<Self, A::Error> {
        RequestFields::deserialize(fields)
    }
}

impl FromFields for RequestExtensions {
    fn from_fields<'de, A: MapAccess<'de>>(fields: MapAccessDeserializer<A>) -> Result<Self, A::Error> {
        RequestExtensionsFields::deserialize(fields)
    }
}

impl FromFields for PersistedQuery {
    fn from_fields<'de, A: MapAccess<'de>>(fields: MapAccessDeserializer<A>) -> Result<Self, A::Error> {
        PersistedQueryFields::deserialize(fields)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: FromFields> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_fields(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RequestExtensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for PersistedQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}
