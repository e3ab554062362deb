//! Reads and writes the members of prost messages as [`Value`]s. The generated code picks the function by field type.

use std::borrow::Cow;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Header, Value, WrongType, field};

pub(super) fn text(member: &Option<String>) -> Value<'_> {
    member.as_deref().map_or(Value::Null, |value| Value::Text(Cow::Borrowed(value)))
}

pub(super) fn texts(member: &[String]) -> Value<'_> {
    if member.is_empty() { Value::Null } else { Value::Texts(Cow::Borrowed(member)) }
}

pub(super) fn boolean(member: &Option<bool>) -> Value<'static> {
    member.map_or(Value::Null, Value::Bool)
}

pub(super) fn int(member: &Option<i32>) -> Value<'static> {
    member.map_or(Value::Null, |value| Value::Int(i64::from(value)))
}

pub(super) fn float(member: &Option<f64>) -> Value<'static> {
    member.map_or(Value::Null, Value::Float)
}

pub(super) fn date(member: &Option<i32>) -> Value<'static> {
    member.map_or(Value::Null, Value::Date)
}

pub(super) fn date_time(member: &Option<i64>) -> Value<'static> {
    member.map_or(Value::Null, Value::DateTime)
}

/// A text that is no decimal number reads as a text, so that whoever checks it can say so.
pub(super) fn decimal(member: &Option<String>) -> Value<'_> {
    match member {
        None => Value::Null,
        Some(text) => text.parse().map_or_else(|_| Value::Text(Cow::Borrowed(text)), Value::Decimal),
    }
}

pub(super) fn enumeration(member: &i32) -> Value<'static> {
    if *member == 0 { Value::Null } else { Value::Enum(*member) }
}

pub(super) fn enumerations(member: &[i32]) -> Value<'_> {
    if member.is_empty() { Value::Null } else { Value::Enums(Cow::Borrowed(member)) }
}

/// An id that is not 16 bytes long reads as the nil id, which no record has.
pub(super) fn reference(member: &Option<Vec<u8>>) -> Value<'static> {
    member.as_deref().map_or(Value::Null, |bytes| Value::Id(id(bytes)))
}

pub(super) fn references(member: &[Vec<u8>]) -> Value<'static> {
    if member.is_empty() { Value::Null } else { Value::Ids(member.iter().map(|bytes| id(bytes)).collect()) }
}

fn id(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or(Uuid::nil())
}

fn wrong<T>(expected: &'static str, given: &Value<'_>) -> Result<T, WrongType> {
    Err(WrongType { expected, given: given.type_name() })
}

pub(super) fn set_text(member: &mut Option<String>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Text(text) => Some(text.into_owned()),
        other => return wrong("a text", &other),
    };
    Ok(())
}

pub(super) fn set_texts(member: &mut Vec<String>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => Vec::new(),
        Value::Texts(texts) => texts.into_owned(),
        other => return wrong("texts", &other),
    };
    Ok(())
}

pub(super) fn set_boolean(member: &mut Option<bool>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Bool(value) => Some(value),
        other => return wrong("a boolean", &other),
    };
    Ok(())
}

pub(super) fn set_int(member: &mut Option<i32>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Int(value) => match i32::try_from(value) {
            Ok(value) => Some(value),
            Err(_) => return wrong("a whole number of 32 bits", &Value::Int(value)),
        },
        other => return wrong("a whole number", &other),
    };
    Ok(())
}

pub(super) fn set_float(member: &mut Option<f64>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Float(value) => Some(value),
        other => return wrong("a number", &other),
    };
    Ok(())
}

pub(super) fn set_date(member: &mut Option<i32>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Date(days) => Some(days),
        other => return wrong("a date", &other),
    };
    Ok(())
}

pub(super) fn set_date_time(member: &mut Option<i64>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::DateTime(micros) => Some(micros),
        other => return wrong("a time", &other),
    };
    Ok(())
}

pub(super) fn set_decimal(member: &mut Option<String>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Decimal(value) => Some(canonical(value)),
        other => return wrong("a decimal number", &other),
    };
    Ok(())
}

/// One text for each number, so that equal amounts are equal bytes: no trailing zeros, no negative zero.
fn canonical(value: Decimal) -> String {
    value.normalize().to_string()
}

pub(super) fn set_enumeration(member: &mut i32, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => 0,
        Value::Enum(number) => number,
        other => return wrong("an enumeration value", &other),
    };
    Ok(())
}

pub(super) fn set_enumerations(member: &mut Vec<i32>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => Vec::new(),
        Value::Enums(numbers) => numbers.into_owned(),
        other => return wrong("enumeration values", &other),
    };
    Ok(())
}

pub(super) fn set_reference(member: &mut Option<Vec<u8>>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => None,
        Value::Id(id) => Some(id.as_bytes().to_vec()),
        other => return wrong("an id", &other),
    };
    Ok(())
}

pub(super) fn set_references(member: &mut Vec<Vec<u8>>, value: Value<'_>) -> Result<(), WrongType> {
    *member = match value {
        Value::Null => Vec::new(),
        Value::Ids(ids) => ids.iter().map(|id| id.as_bytes().to_vec()).collect(),
        other => return wrong("ids", &other),
    };
    Ok(())
}

pub(super) fn header_value(header: Option<&Header>, index: usize) -> Value<'_> {
    let Some(header) = header else { return Value::Null };
    match index {
        field::ID if header.id.is_empty() => Value::Null,
        field::ID => Value::Id(id(&header.id)),
        field::KEY => text(&header.key),
        field::EXTERNAL_IDS if header.external_ids.is_empty() => Value::Null,
        field::EXTERNAL_IDS => Value::ExternalIds(Cow::Borrowed(&header.external_ids)),
        field::NAME => text(&header.name),
        field::DESCRIPTION => text(&header.description),
        field::TAGS => texts(&header.tags),
        field::TRANSLATIONS if header.translations.is_empty() => Value::Null,
        field::TRANSLATIONS => Value::Translations(Cow::Borrowed(&header.translations)),
        field::VERSION => Value::Int(i64::try_from(header.version).unwrap_or(i64::MAX)),
        field::CREATED_AT => Value::DateTime(header.created_at),
        field::UPDATED_AT => Value::DateTime(header.updated_at),
        field::RETIRED_AT => header.retired_at.map_or(Value::Null, Value::DateTime),
        _ => Value::Null,
    }
}

pub(super) fn set_header_value(header: &mut Header, index: usize, value: Value<'_>) -> Result<(), WrongType> {
    match (index, value) {
        (field::ID, Value::Null) => header.id = Vec::new(),
        (field::ID, Value::Id(id)) => header.id = id.as_bytes().to_vec(),
        (field::KEY, value) => set_text(&mut header.key, value)?,
        (field::EXTERNAL_IDS, Value::Null) => header.external_ids = Vec::new(),
        (field::EXTERNAL_IDS, Value::ExternalIds(ids)) => header.external_ids = ids.into_owned(),
        (field::NAME, value) => set_text(&mut header.name, value)?,
        (field::DESCRIPTION, value) => set_text(&mut header.description, value)?,
        (field::TAGS, value) => set_texts(&mut header.tags, value)?,
        (field::TRANSLATIONS, Value::Null) => header.translations = Vec::new(),
        (field::TRANSLATIONS, Value::Translations(items)) => header.translations = items.into_owned(),
        (field::VERSION, Value::Int(version)) => {
            header.version =
                u64::try_from(version).map_err(|_| WrongType { expected: "a version", given: "a negative number" })?;
        }
        (field::CREATED_AT, Value::DateTime(at)) => header.created_at = at,
        (field::UPDATED_AT, Value::DateTime(at)) => header.updated_at = at,
        (field::RETIRED_AT, Value::Null) => header.retired_at = None,
        (field::RETIRED_AT, Value::DateTime(at)) => header.retired_at = Some(at),
        (_, value) => return wrong("a value for another field", &value),
    }
    Ok(())
}
