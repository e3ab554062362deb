//! The value of a field, whatever its type.

use std::borrow::Cow;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::{ExternalId, Translation};

/// The value of a field. Lists that are empty are [`Value::Null`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A decimal number.
    Decimal(Decimal),
    /// A day: days since 1970-01-01.
    Date(i32),
    /// A moment: microseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// The number of an enumeration value; never 0.
    Enum(i32),
    /// Numbers of enumeration values.
    Enums(Cow<'a, [i32]>),
    /// A text.
    Text(Cow<'a, str>),
    /// Texts.
    Texts(Cow<'a, [String]>),
    /// The id of a record.
    Id(Uuid),
    /// Ids of records.
    Ids(Vec<Uuid>),
    /// External ids.
    ExternalIds(Cow<'a, [ExternalId]>),
    /// Names in other languages.
    Translations(Cow<'a, [Translation]>),
}

impl Value<'_> {
    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Date(value) => Value::Date(value),
            Value::DateTime(value) => Value::DateTime(value),
            Value::Enum(value) => Value::Enum(value),
            Value::Enums(value) => Value::Enums(Cow::Owned(value.into_owned())),
            Value::Text(value) => Value::Text(Cow::Owned(value.into_owned())),
            Value::Texts(value) => Value::Texts(Cow::Owned(value.into_owned())),
            Value::Id(value) => Value::Id(value),
            Value::Ids(value) => Value::Ids(value),
            Value::ExternalIds(value) => Value::ExternalIds(Cow::Owned(value.into_owned())),
            Value::Translations(value) => Value::Translations(Cow::Owned(value.into_owned())),
        }
    }

    /// What the value is, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Decimal(_) => "a decimal number",
            Value::Date(_) => "a date",
            Value::DateTime(_) => "a time",
            Value::Enum(_) => "an enumeration value",
            Value::Enums(_) => "enumeration values",
            Value::Text(_) => "a text",
            Value::Texts(_) => "texts",
            Value::Id(_) => "an id",
            Value::Ids(_) => "ids",
            Value::ExternalIds(_) => "external ids",
            Value::Translations(_) => "translations",
        }
    }
}

/// A value of another type than the field it was meant for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} where {expected} is due")]
pub struct WrongType {
    /// What the field holds.
    pub expected: &'static str,
    /// What was given.
    pub given: &'static str,
}
