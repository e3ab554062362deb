//! Reads filters.

use std::borrow::Cow;

use apollo_compiler::response::JsonValue;
use spil_graph::{Filter, Quantifier, Test};
use spil_proto::model::{ExternalId, FieldInfo, FieldType, Kind, Relation, Translation, Value};
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
    if name == NO_RECORD {
        // Within a relation to one record this is read there; any record that is looked at is there.
        return Ok(if truth(value)? { Filter::Or(Vec::new()) } else { Filter::And(Vec::new()) });
    }
    let relation = kind.relation(name).ok_or_else(|| Fault::new("there is no such field"))?;
    if relation.many { many(&relation, value) } else { one(relation, value) }
}

/// Says that a relation to one record leads to none.
const NO_RECORD: &str = "isNull";

fn truth(value: &JsonValue) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| Fault::new("true or false is due"))
}

/// The filter of a relation to one record: what the record is like, or that there is none.
fn one(relation: Relation, value: &JsonValue) -> Result<Filter, Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a filter is an object"))?;
    let leads = |quantifier, filter: Option<Filter>| Filter::Related {
        steps: relation.steps.clone(),
        to: relation.to,
        quantifier,
        filter: filter.map(Box::new),
    };
    match fields.get(NO_RECORD) {
        None => Ok(leads(Quantifier::Some, Some(read(relation.to, value)?))),
        Some(null) => {
            let null = truth(null).map_err(|fault| fault.within(NO_RECORD))?;
            let filter = leads(if null { Quantifier::None } else { Quantifier::Some }, None);
            if fields.len() == 1 {
                return Ok(filter);
            }
            let mut others = fields.clone();
            others.remove(NO_RECORD);
            let others = read(relation.to, &JsonValue::Object(others))?;
            Ok(Filter::And(vec![filter, leads(Quantifier::Some, Some(others))]))
        }
    }
}

/// The filter of a relation to many records: what some, none or all of them are like, and how many there are.
fn many(relation: &Relation, value: &JsonValue) -> Result<Filter, Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a filter is an object"))?;
    let mut all = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let name = name.as_str();
        if value.is_null() {
            return Err(Fault::new("null compares with nothing; leave the filter out").within(name));
        }
        let quantifier = match name {
            "some" => Quantifier::Some,
            "none" => Quantifier::None,
            "every" => Quantifier::Every,
            _ => {
                count(relation, value, &mut all).map_err(|fault| fault.within(name))?;
                continue;
            }
        };
        let filter = Some(Box::new(read(relation.to, value).map_err(|fault| fault.within(name))?));
        all.push(Filter::Related { steps: relation.steps.clone(), to: relation.to, quantifier, filter });
    }
    Ok(Filter::And(all))
}

/// How many records a relation may lead to; one range for all comparisons that make one.
fn count(relation: &Relation, value: &JsonValue, all: &mut Vec<Filter>) -> Result<(), Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a filter is an object"))?;
    let filter = match fields.get("where") {
        None => None,
        Some(JsonValue::Null) => {
            return Err(Fault::new("null compares with nothing; leave the filter out").within("where"));
        }
        Some(value) => Some(Box::new(read(relation.to, value).map_err(|fault| fault.within("where"))?)),
    };
    let related = |least: usize, most: usize| Filter::Related {
        steps: relation.steps.clone(),
        to: relation.to,
        quantifier: Quantifier::Count { least, most },
        filter: filter.clone(),
    };
    let (mut least, mut most) = (0, usize::MAX);
    for (name, value) in fields.iter().filter(|(name, _)| name.as_str() != "where") {
        let name = name.as_str();
        let number = value.as_i64().ok_or_else(|| Fault::new("a whole number is due").within(name))?;
        // A negative number is no count: nothing equals it, everything is more.
        let number = usize::try_from(number).ok();
        let (from, to) = match (name, number) {
            ("ne", Some(number)) => {
                all.push(Filter::Not(Box::new(related(number, number))));
                continue;
            }
            ("eq", Some(number)) => (number, number),
            ("gt", Some(number)) => (number.saturating_add(1), usize::MAX),
            ("gte", Some(number)) => (number, usize::MAX),
            ("lt", Some(number)) if number > 0 => (0, number - 1),
            ("lte", Some(number)) => (0, number),
            ("eq" | "lt" | "lte", _) => (1, 0),
            _ => (0, usize::MAX),
        };
        (least, most) = (least.max(from), most.min(to));
    }
    if (least, most) != (0, usize::MAX) {
        all.push(related(least, most));
    }
    Ok(())
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
        all.push(comparison(field, name, value).map_err(|fault| fault.within(name))?);
    }
    Ok(if all.len() == 1 { all.swap_remove(0) } else { Filter::And(all) })
}

/// One comparison of a field.
fn comparison(field: &'static FieldInfo, name: &str, value: &JsonValue) -> Result<Filter, Fault> {
    if value.is_null() {
        return Err(Fault::new("null compares with nothing; use `isNull`"));
    }
    let passes = |test| Filter::Field { field: field.index, test };
    Ok(match name {
        "has" => passes(Test::Has(operand(field, value)?)),
        "hasAny" => {
            let has = |item| Ok(passes(Test::Has(operand(field, item)?)));
            Filter::Or(items(value)?.iter().map(has).collect::<Result<_, Fault>>()?)
        }
        "some" => passes(item(field, value)?),
        "none" => Filter::Not(Box::new(passes(item(field, value)?))),
        "isEmpty" => passes(Test::IsNull(truth(value)?)),
        _ => passes(test(name, value, |value| operand(field, value))?),
    })
}

/// What an item of a list is like: a text, an external id or a translation.
fn item(field: &'static FieldInfo, value: &JsonValue) -> Result<Test, Fault> {
    let part = |name: &str| match value.get(name) {
        None => Ok(Vec::new()),
        Some(value) => texts(value).map_err(|fault| fault.within(name)),
    };
    Ok(match field.ty {
        FieldType::ExternalIds => Test::HasPair { first: part("system")?, second: part("id")? },
        FieldType::Translations => Test::HasPair { first: part("language")?, second: part("name")? },
        _ => Test::HasText(texts(value)?),
    })
}

/// The comparisons of a text that is an item or a part of one.
fn texts(value: &JsonValue) -> Result<Vec<Test>, Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new("a comparison is an object"))?;
    let text = |value: &JsonValue| {
        let text = value.as_str().ok_or_else(|| Fault::new("a text is due"))?;
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    };
    fields
        .iter()
        .map(|(name, value)| test(name.as_str(), value, text).map_err(|fault| fault.within(name.as_str())))
        .collect()
}

/// A test of one value.
fn test(
    name: &str,
    value: &JsonValue,
    operand: impl Fn(&JsonValue) -> Result<Value<'static>, Fault>,
) -> Result<Test, Fault> {
    if value.is_null() {
        return Err(Fault::new("null compares with nothing; use `isNull`"));
    }
    let one = || operand(value);
    let many = || items(value)?.iter().map(&operand).collect::<Result<Vec<_>, _>>();
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
        "isNull" => Test::IsNull(truth(value)?),
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
        FieldType::Translations => {
            let part = |name: &str| value.get(name).and_then(JsonValue::as_str).unwrap_or_default().to_owned();
            Value::Translations(Cow::Owned(vec![Translation { language: part("language"), name: part("name") }]))
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
