//! Reads the inputs of mutations.

use std::borrow::Cow;

use apollo_compiler::response::{JsonMap, JsonValue};
use spil_proto::model::{ExternalId, FieldInfo, FieldType, Kind, Translation, Value};
use uuid::Uuid;

use super::{Fault, filter};
use crate::graphql::{global_id, plan::Verb, scalar};

/// What a mutation writes.
pub(in crate::graphql) struct Write {
    pub(in crate::graphql) client_mutation_id: Option<String>,
    /// The record to update or retire; an id that no record has if the text is none of ours, so that a record that is hidden and one that
    /// never was are answered alike.
    pub(in crate::graphql) id: Option<Uuid>,
    pub(in crate::graphql) expected_version: Option<u64>,
    /// The fields given, with [`Value::Null`] where they are to be cleared.
    pub(in crate::graphql) values: Vec<(&'static FieldInfo, Value<'static>)>,
    /// Values that can not be what the field holds: what is wrong, and where in the input.
    pub(in crate::graphql) faults: Vec<(String, Vec<String>)>,
}

/// An id of the right form that no record has, since it is of the first millisecond of 1970.
const NO_RECORD: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000);
/// The longest `clientMutationId`.
const MAX_MUTATION_ID: usize = 128;

pub(super) fn read(kind: Kind, verb: Verb, input: &JsonMap) -> Result<Write, Fault> {
    let mut write =
        Write { client_mutation_id: None, id: None, expected_version: None, values: Vec::new(), faults: Vec::new() };
    for (name, value) in input {
        let name = name.as_str();
        let fault = |fault: Fault| fault.within(name);
        match name {
            "clientMutationId" => {
                let id = value.as_str().map(str::to_owned);
                if id.as_ref().is_some_and(|id| id.len() > MAX_MUTATION_ID) {
                    return Err(fault(Fault::new(format!("a `clientMutationId` has at most {MAX_MUTATION_ID} bytes"))));
                }
                write.client_mutation_id = id.filter(|id| !id.is_empty());
            }
            "id" if verb != Verb::Create => {
                let id = value.as_str().and_then(global_id::decode).filter(|(found, _)| *found == kind);
                write.id = Some(id.map_or(NO_RECORD, |(_, id)| id));
            }
            "expectedVersion" => {
                write.expected_version = match value {
                    JsonValue::Null => None,
                    value => Some(
                        value
                            .as_i64()
                            .and_then(|version| u64::try_from(version).ok())
                            .ok_or_else(|| fault(Fault::new("a version is at least 1")))?,
                    ),
                };
            }
            _ => {
                let field =
                    kind.info().input_by_name(name).ok_or_else(|| fault(Fault::new("there is no such field")))?;
                match field_value(field, value) {
                    Ok(value) => write.values.push((field, value)),
                    Err(fault) => {
                        let path = ["input", name].map(str::to_owned).into_iter().chain(fault.path.into_iter().rev());
                        write.faults.push((fault.message, path.collect()));
                    }
                }
            }
        }
    }
    Ok(write)
}

/// Reads the value of a field of a record. An empty list is no value.
fn field_value(field: &'static FieldInfo, value: &JsonValue) -> Result<Value<'static>, Fault> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let items = match value {
        JsonValue::Array(items) => items.as_slice(),
        item => std::slice::from_ref(item),
    };
    let each = |at: usize, fault: Fault| fault.within(at.to_string());
    let parts =
        |item: &JsonValue, name: &str| item.get(name).and_then(JsonValue::as_str).unwrap_or_default().to_owned();
    Ok(match field.ty {
        FieldType::Ref(kind) => Value::Id(reference(kind, value)?),
        _ if items.is_empty() => Value::Null,
        FieldType::RefList(kind) => Value::Ids(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| reference(kind, item).map_err(|fault| each(at, fault)))
                .collect::<Result<_, _>>()?,
        ),
        FieldType::TextList => {
            Value::Texts(Cow::Owned(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()))
        }
        FieldType::EnumList(list) => {
            Value::Enums(Cow::Owned(items.iter().filter_map(|item| list.number_of(item.as_str()?)).collect()))
        }
        FieldType::ExternalIds => Value::ExternalIds(Cow::Owned(
            items.iter().map(|item| ExternalId { system: parts(item, "system"), id: parts(item, "id") }).collect(),
        )),
        FieldType::Translations => Value::Translations(Cow::Owned(
            items
                .iter()
                .map(|item| Translation { language: parts(item, "language"), name: parts(item, "name") })
                .collect(),
        )),
        _ => scalar_value(field, value)?,
    })
}

/// An id that a record can refer to.
fn reference(kind: Kind, value: &JsonValue) -> Result<Uuid, Fault> {
    match value.as_str().and_then(global_id::decode) {
        Some((found, id)) if found == kind => Ok(id),
        Some((found, _)) => Err(Fault::new(format!(
            "this is the id of a record of the kind {}, not {}",
            found.info().name,
            kind.info().name
        ))),
        None => Err(Fault::new("this is no id")),
    }
}

/// Reads one value of a field that is no reference.
pub(super) fn scalar_value(field: &'static FieldInfo, value: &JsonValue) -> Result<Value<'static>, Fault> {
    let text = || value.as_str().ok_or_else(|| Fault::new("a text is due"));
    Ok(match field.ty {
        FieldType::Text | FieldType::TextList => Value::Text(Cow::Owned(text()?.to_owned())),
        FieldType::Bool => Value::Bool(value == &JsonValue::Bool(true)),
        FieldType::Int => Value::Int(value.as_i64().ok_or_else(|| Fault::new("a whole number is due"))?),
        FieldType::Float => Value::Float(value.as_f64().ok_or_else(|| Fault::new("a number is due"))?),
        FieldType::Decimal => Value::Decimal(
            filter::decimal(value).ok_or_else(|| Fault::new("a decimal number is due, as in \"1250.50\""))?,
        ),
        FieldType::Date => {
            Value::Date(scalar::parse_date(text()?).ok_or_else(|| Fault::new("a date is due, as in \"2026-03-01\""))?)
        }
        FieldType::DateTime => Value::DateTime(
            scalar::parse_date_time(text()?)
                .ok_or_else(|| Fault::new("a time is due, as in \"2026-03-01T09:30:00Z\""))?,
        ),
        FieldType::Enum(list) | FieldType::EnumList(list) => {
            Value::Enum(list.number_of(text()?).ok_or_else(|| Fault::new("there is no such value"))?)
        }
        _ => return Err(Fault::new("this field can not be compared")),
    })
}
