//! Reads filters.

use std::borrow::Cow;

use apollo_compiler::response::JsonValue;
use spil_graph::{Filter, Quantifier, Test};
use spil_proto::model::{ExternalId, FieldInfo, FieldType, Kind, Value};
use uuid::Uuid;

use super::Fault;
use crate::graphql::{global_id, scalar};

/// The most values in `in` and `notIn`, and the most filters in `and` and `or`.
const MAX_VALUES: usize = 1000;

/// Reads a filter of a kind.
pub(super) fn read(kind: Kind, value: &JsonValue) -> Result<Filter, Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a filter is an object"))?;
    let mut all = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let name = name.as_str();
        all.push(part(kind, name, value).map_err(|fault| fault.within(name))?);
    }
    Ok(if all.len() == 1 { all.swap_remove(0) } else { Filter::And(all) })
}

fn part(kind: Kind, name: &str, value: &JsonValue) -> Result<Filter, Fault> {
    if value.is_null() {
        return Err(Fault::new("null compares with nothing; use `isNull`, or leave the filter out"));
    }
    match name {
        "and" => return list(kind, value).map(Filter::And),
        "or" => return list(kind, value).map(Filter::Or),
        "not" => return Ok(Filter::Not(Box::new(read(kind, value)?))),
        _ => {}
    }
    if let Some(field) = kind.info().field_by_name(name) {
        return tests(field, value);
    }
    let relation = kind.relation(name).ok_or_else(|| Fault::new("there is no such field"))?;
    if !relation.many {
        let filter = Some(Box::new(read(relation.to, value)?));
        return Ok(Filter::Related { steps: relation.steps, to: relation.to, quantifier: Quantifier::Some, filter });
    }
    let fields = value.as_object().ok_or_else(|| Fault::new("a filter is an object"))?;
    let mut all = Vec::new();
    for (name, value) in fields {
        let name = name.as_str();
        let quantifier = match name {
            "some" => Quantifier::Some,
            "none" => Quantifier::None,
            _ => Quantifier::Every,
        };
        if value.is_null() {
            return Err(Fault::new("null compares with nothing; leave the filter out").within(name));
        }
        let filter = Some(Box::new(read(relation.to, value).map_err(|fault| fault.within(name))?));
        all.push(Filter::Related { steps: relation.steps.clone(), to: relation.to, quantifier, filter });
    }
    Ok(Filter::And(all))
}

fn list(kind: Kind, value: &JsonValue) -> Result<Vec<Filter>, Fault> {
    items(value)?
        .iter()
        .enumerate()
        .map(|(at, item)| read(kind, item).map_err(|fault| fault.within(at.to_string())))
        .collect()
}

/// The items of a list; a single value stands for a list of one.
fn items(value: &JsonValue) -> Result<&[JsonValue], Fault> {
    let items = match value {
        JsonValue::Array(items) => items.as_slice(),
        item => std::slice::from_ref(item),
    };
    if items.len() > MAX_VALUES {
        return Err(Fault::new(format!("at most {MAX_VALUES} values")));
    }
    Ok(items)
}

/// The comparisons of one field; all must hold.
fn tests(field: &'static FieldInfo, value: &JsonValue) -> Result<Filter, Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a comparison is an object"))?;
    let mut all = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let name = name.as_str();
        let test = test(field, name, value).map_err(|fault| fault.within(name))?;
        all.push(Filter::Field { field: field.index, test });
    }
    Ok(if all.len() == 1 { all.swap_remove(0) } else { Filter::And(all) })
}

fn test(field: &'static FieldInfo, name: &str, value: &JsonValue) -> Result<Test, Fault> {
    if value.is_null() {
        return Err(Fault::new("null compares with nothing; use `isNull`"));
    }
    let one = || operand(field, value);
    let many = || items(value)?.iter().map(|item| operand(field, item)).collect::<Result<Vec<_>, _>>();
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| Fault::new("a text is due"));
    Ok(match name {
        "eq" => Test::Equals(one()?),
        "ne" => Test::NotEquals(one()?),
        "in" => Test::In(many()?),
        "notIn" => Test::NotIn(many()?),
        "lt" => Test::Less(one()?),
        "lte" => Test::LessOrEqual(one()?),
        "gt" => Test::Greater(one()?),
        "gte" => Test::GreaterOrEqual(one()?),
        "contains" => Test::Contains(text()?),
        "startsWith" => Test::StartsWith(text()?),
        "has" => Test::Has(one()?),
        "isNull" | "isEmpty" => Test::IsNull(value == &JsonValue::Bool(true)),
        _ => return Err(Fault::new("there is no such comparison")),
    })
}

/// A value to compare a field, or an item of it, with. An id that is none of ours matches nothing, like one that is not there.
fn operand(field: &'static FieldInfo, value: &JsonValue) -> Result<Value<'static>, Fault> {
    let text = || value.as_str().ok_or_else(|| Fault::new("a text is due"));
    Ok(match field.ty {
        FieldType::Id => Value::Id(text().map(global_id::decode)?.map_or(Uuid::nil(), |(_, id)| id)),
        FieldType::Ref(kind) | FieldType::RefList(kind) => Value::Id(
            text().map(global_id::decode)?.filter(|(found, _)| *found == kind).map_or(Uuid::nil(), |(_, id)| id),
        ),
        FieldType::ExternalIds => {
            let part = |name: &str| value.get(name).and_then(JsonValue::as_str).unwrap_or_default().to_owned();
            Value::ExternalIds(Cow::Owned(vec![ExternalId { system: part("system"), id: part("id") }]))
        }
        _ => super::input::scalar_value(field, value)?,
    })
}

/// Reads a decimal number, which clients may send as a string or as a number.
pub(super) fn decimal(value: &JsonValue) -> Option<rust_decimal::Decimal> {
    match value {
        JsonValue::String(text) => scalar::parse_decimal(text.as_str()),
        JsonValue::Number(number) => scalar::parse_decimal(&number.to_string()),
        _ => None,
    }
}
