//! Reads references from other subgraphs.

use apollo_compiler::response::JsonValue;
use spil_proto::model::Kind;
use uuid::Uuid;

use super::Fault;
use crate::graphql::{error::Code, global_id, limits::MAX_PAGE};

/// What the argument is called.
pub(super) const ARGUMENT: &str = "representations";

/// Reads references. An id that is none of ours, or of a record of another type, leads to no record.
pub(super) fn read(value: Option<&JsonValue>) -> Result<Vec<Option<(Kind, Uuid)>>, Fault> {
    let items = value.and_then(JsonValue::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.len() > MAX_PAGE {
        return Err(Fault {
            code: Code::BadInput,
            message: format!("at most {MAX_PAGE} references in one call"),
            path: Vec::new(),
        }
        .within(ARGUMENT));
    }
    items
        .iter()
        .enumerate()
        .map(|(at, item)| reference(item).map_err(|fault| fault.within(at.to_string()).within(ARGUMENT)))
        .collect()
}

fn reference(item: &JsonValue) -> Result<Option<(Kind, Uuid)>, Fault> {
    let object = item.as_object().ok_or_else(|| Fault::new("a reference is an object"))?;
    let text = |name: &'static str| {
        object
            .get(name)
            .and_then(JsonValue::as_str)
            .ok_or_else(|| Fault::new(format!("a reference needs a `{name}`")).within(name))
    };
    let name = text("__typename")?;
    let kind = Kind::ALL
        .iter()
        .copied()
        .find(|kind| kind.info().name == name)
        .ok_or_else(|| Fault::new("this is no type of record here").within("__typename"))?;
    Ok(global_id::decode(text("id")?).filter(|(found, _)| *found == kind))
}
