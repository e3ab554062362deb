//! Reads the inputs of mutations.

use std::borrow::Cow;

use apollo_compiler::response::{JsonMap, JsonValue};
use spil_proto::model::{ExternalId, FieldInfo, FieldType, Kind, Translation, Value};
use uuid::Uuid;

use super::{Fault, batch::Temporary, filter};
use crate::graphql::{global_id, plan::Verb, scalar};

/// What a mutation writes.
#[derive(Clone, Default)]
pub(in crate::graphql) struct Write {
    pub(in crate::graphql) client_mutation_id: Option<String>,
    /// Whether to say only what would happen.
    pub(in crate::graphql) dry_run: bool,
    /// Why, in the words of the client; empty if nothing is said.
    pub(in crate::graphql) reason: String,
    /// Which way the mutation came in.
    pub(in crate::graphql) origin: String,
    /// The record to update or retire; an id that no record has if the text is none of ours, so that a record that is hidden and one that
    /// never was are answered alike.
    pub(in crate::graphql) id: Option<Uuid>,
    pub(in crate::graphql) expected_version: Option<u64>,
    /// The fields given, with [`Value::Null`] where they are to be cleared.
    pub(in crate::graphql) values: Vec<(&'static FieldInfo, Value<'static>)>,
    /// The places that hold temporary ids, to be filled with real ones.
    pub(in crate::graphql) links: Vec<Link>,
    /// Values that can not be what the field holds.
    pub(in crate::graphql) faults: Vec<InputFault>,
}

/// A place that holds the temporary id of a record which a change of the same batch makes.
#[derive(Clone, Copy, Debug)]
pub(in crate::graphql) struct Link {
    /// The number of the value in [`Write::values`]; none where it is the record itself.
    pub(in crate::graphql) value: Option<usize>,
    /// The place in a list of references.
    pub(in crate::graphql) item: usize,
    /// The number of the change.
    pub(in crate::graphql) create: usize,
}

/// A value of an input that can not be used.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct InputFault {
    /// What is wrong, as a `UserErrorCode`.
    pub(in crate::graphql) code: &'static str,
    pub(in crate::graphql) message: String,
    /// Where in the input.
    pub(in crate::graphql) path: Vec<String>,
}

impl InputFault {
    pub(super) fn new(code: &'static str, message: impl Into<String>, path: &[&str]) -> Self {
        Self { code, message: message.into(), path: path.iter().map(|part| (*part).to_owned()).collect() }
    }

    /// The same fault, seen from further out.
    fn at(mut self, outer: [impl Into<String>; 1]) -> Self {
        self.path.splice(0..0, outer.into_iter().map(Into::into));
        self
    }
}

/// An id of the right form that no record has, since it is of the first millisecond of 1970.
const NO_RECORD: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000);
/// The longest reason, in bytes.
const MAX_REASON: usize = 1 << 10;
/// The longest `clientMutationId`, in bytes.
const MAX_MUTATION_ID: usize = 128;

/// Reads the input of a mutation. What is wrong with it is kept beside what it says. In a batch, `temporary` knows its temporary ids.
pub(super) fn read(kind: Kind, verb: Verb, input: &JsonMap, temporary: Option<&Temporary<'_>>) -> Write {
    let mut write = Write::default();
    for (name, value) in input {
        match name.as_str() {
            "clientMutationId" => write.client_mutation_id = client_mutation_id(value, &mut write.faults),
            "dryRun" => write.dry_run = value == &JsonValue::Bool(true),
            "reason" => write.reason = reason(value, &mut write.faults),
            "id" if verb != Verb::Create => {
                let text = value.as_str().unwrap_or_default();
                write.id = Some(match temporary.and_then(|temporary| temporary.find(kind, text)) {
                    Some(Ok(create)) => {
                        write.links.push(Link { value: None, item: 0, create });
                        NO_RECORD
                    }
                    Some(Err(fault)) => {
                        write.faults.push(fault.at(["id"]));
                        NO_RECORD
                    }
                    None => global_id::decode(text).filter(|(found, _)| *found == kind).map_or(NO_RECORD, |(_, id)| id),
                });
            }
            "expectedVersion" if value.is_null() => {}
            "expectedVersion" => match value.as_i64().and_then(|version| u64::try_from(version).ok()) {
                Some(version) if version > 0 => write.expected_version = Some(version),
                _ => {
                    write.faults.push(InputFault::new("OUT_OF_RANGE", "a version is at least 1", &["expectedVersion"]))
                }
            },
            name => match kind.info().input_by_name(name) {
                Some(field) => {
                    let mut links = Vec::new();
                    match field_value(field, value, temporary, &mut links) {
                        Ok(value) => {
                            let at = write.values.len();
                            write.links.extend(links.into_iter().map(|link| Link { value: Some(at), ..link }));
                            write.values.push((field, value));
                        }
                        Err(faults) => write.faults.extend(faults.into_iter().map(|fault| fault.at([name]))),
                    }
                }
                None => write.faults.push(InputFault::new("MALFORMED", "there is no such field", &[name])),
            },
        }
    }
    write
}

/// Reads what the client calls the mutation; an empty text is no name.
pub(super) fn client_mutation_id(value: &JsonValue, faults: &mut Vec<InputFault>) -> Option<String> {
    let id = value.as_str().filter(|id| !id.is_empty())?;
    if id.len() > MAX_MUTATION_ID {
        let message = format!("a `clientMutationId` has at most {MAX_MUTATION_ID} bytes");
        faults.push(InputFault::new("TOO_LONG", message, &["clientMutationId"]));
        return None;
    }
    Some(id.to_owned())
}

/// Reads why something is done.
pub(super) fn reason(value: &JsonValue, faults: &mut Vec<InputFault>) -> String {
    let reason = value.as_str().unwrap_or_default();
    if reason.len() > MAX_REASON {
        let message = format!("a `reason` has at most {MAX_REASON} bytes");
        faults.push(InputFault::new("TOO_LONG", message, &["reason"]));
        return String::new();
    }
    if reason.chars().any(char::is_control) {
        faults.push(InputFault::new("MALFORMED", "a `reason` has no control characters", &["reason"]));
        return String::new();
    }
    reason.to_owned()
}

/// Reads the value of a field of a record. An empty list is no value. Every item of a list that can not be used is told. Temporary ids
/// are told too; an id that no record has stands in their place.
fn field_value(
    field: &'static FieldInfo,
    value: &JsonValue,
    temporary: Option<&Temporary<'_>>,
    links: &mut Vec<Link>,
) -> Result<Value<'static>, Vec<InputFault>> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let items = match value {
        JsonValue::Array(items) => items.as_slice(),
        item => std::slice::from_ref(item),
    };
    let parts =
        |item: &JsonValue, name: &str| item.get(name).and_then(JsonValue::as_str).unwrap_or_default().to_owned();
    let mut refer = |kind: Kind, item: usize, value: &JsonValue| match temporary
        .and_then(|temporary| temporary.find(kind, value.as_str()?))
    {
        None => reference(kind, value),
        Some(found) => found.map(|create| {
            links.push(Link { value: None, item, create });
            NO_RECORD
        }),
    };
    Ok(match field.ty {
        FieldType::Ref(kind) => Value::Id(refer(kind, 0, value).map_err(|fault| vec![fault])?),
        _ if items.is_empty() => Value::Null,
        FieldType::RefList(kind) => {
            let (mut ids, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
            for (at, item) in items.iter().enumerate() {
                match refer(kind, at, item) {
                    Ok(id) => ids.push(id),
                    Err(fault) => faults.push(fault.at([at.to_string()])),
                }
            }
            if !faults.is_empty() {
                return Err(faults);
            }
            Value::Ids(ids)
        }
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
        _ => scalar_value(field, value).map_err(|fault| vec![InputFault::new("MALFORMED", fault.message, &[])])?,
    })
}

/// An id that a record can refer to.
fn reference(kind: Kind, value: &JsonValue) -> Result<Uuid, InputFault> {
    match value.as_str().and_then(global_id::decode) {
        Some((found, id)) if found == kind => Ok(id),
        Some((found, _)) => {
            let (found, wanted) = (found.info().name, kind.info().name);
            let message = format!("this is the id of a record of the kind {found}, not {wanted}");
            Err(InputFault::new("MALFORMED", message, &[]))
        }
        None => Err(InputFault::new("MALFORMED", "this is no id", &[])),
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
