//! One form for each value, so that equal values are equal bytes: in the database, on the feed and in checksums.

use std::borrow::Cow;

use rust_decimal::Decimal;
use spil_proto::{
    changefeed::v1::{Problem, ProblemCode},
    model::{EnumInfo, ExternalId, FieldInfo, FieldType, TextFormat, Translation, Value, field},
};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use uuid::Uuid;

use super::form;
use crate::rule::problem;

/// The most references in a list.
pub(crate) const MAX_REFERENCES: usize = 10_000;
/// The most tags, links, translations or external ids.
pub(crate) const MAX_LIST: usize = 64;
/// The most bytes of the name of an outside system.
const MAX_SYSTEM_BYTES: usize = 256;
/// The most bytes of an id in an outside system.
const MAX_EXTERNAL_ID_BYTES: usize = 1024;
/// A text that may be this long is prose: it may have lines and tabs.
const PROSE_BYTES: usize = 65_536;
/// 0001-01-01 and 9999-12-31 as days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
/// The same days as microseconds since 1970-01-01T00:00:00Z.
const MICROS: std::ops::Range<i64> = -719_162 * MICROS_OF_DAY..2_932_897 * MICROS_OF_DAY;
const MICROS_OF_DAY: i64 = 86_400_000_000;
/// The most digits of a decimal number before the point, as the first number that has more.
const DECIMAL_LIMIT: i64 = 1_000_000_000_000_000;
/// The most digits of a decimal number after the point.
const DECIMAL_SCALE: u32 = 4;

/// The value in its one form; [`Value::Null`] for an empty one.
///
/// # Errors
/// What is wrong with the value.
pub(crate) fn normalise(info: &FieldInfo, value: Value<'_>) -> Result<Value<'static>, Problem> {
    let fault = |code, message: String| Err(problem(info.column, code, message));
    match (info.ty, value) {
        (_, Value::Null) => Ok(Value::Null),
        (FieldType::Text, Value::Text(value)) => {
            Ok(text(info, &value)?.map_or(Value::Null, |value| Value::Text(Cow::Owned(value))))
        }
        (FieldType::TextList, Value::Texts(values)) => texts(info, &values),
        (FieldType::Bool, Value::Bool(value)) => Ok(Value::Bool(value)),
        (FieldType::Int, Value::Int(value)) => {
            // Whole numbers here have 32 bits; every one is a double.
            #[allow(clippy::cast_precision_loss, reason = "32 bits fit into the 53 of a double")]
            in_range(info, value as f64)?;
            Ok(Value::Int(value))
        }
        (FieldType::Float, Value::Float(value)) if value.is_finite() => {
            in_range(info, value)?;
            // Negative zero is zero.
            Ok(Value::Float(value + 0.0))
        }
        (FieldType::Float, Value::Float(_)) => {
            fault(ProblemCode::Malformed, format!("`{}` must be a finite number", info.column))
        }
        (FieldType::Decimal, Value::Decimal(value)) => decimal(info, value),
        (FieldType::Decimal, _) => {
            fault(ProblemCode::Malformed, format!("`{}` must be a decimal number such as 1234.5", info.column))
        }
        (FieldType::Date, Value::Date(days)) if DAYS.contains(&days) => Ok(Value::Date(days)),
        (FieldType::Date, Value::Date(_)) => {
            fault(ProblemCode::OutOfRange, format!("`{}` must be a day of the years 1 to 9999", info.column))
        }
        (FieldType::DateTime, Value::DateTime(micros)) if MICROS.contains(&micros) => Ok(Value::DateTime(micros)),
        (FieldType::DateTime, Value::DateTime(_)) => {
            fault(ProblemCode::OutOfRange, format!("`{}` must be a time of the years 1 to 9999", info.column))
        }
        (FieldType::Enum(list), Value::Enum(number)) => {
            known(info, list, number)?;
            Ok(Value::Enum(number))
        }
        (FieldType::EnumList(list), Value::Enums(numbers)) => {
            let mut numbers = numbers.into_owned();
            numbers.iter().try_for_each(|number| known(info, list, *number))?;
            numbers.sort_unstable();
            numbers.dedup();
            Ok(Value::Enums(Cow::Owned(numbers)))
        }
        (FieldType::Ref(_), Value::Id(id)) => {
            well_formed(info, id)?;
            Ok(Value::Id(id))
        }
        (FieldType::RefList(_), Value::Ids(ids)) => references(info, ids),
        (FieldType::ExternalIds, Value::ExternalIds(ids)) => external_ids(info, &ids),
        (FieldType::Translations, Value::Translations(items)) => translations(info, &items),
        (_, other) => fault(ProblemCode::Malformed, format!("`{}` can not be {}", info.column, other.type_name())),
    }
}

/// A list of references in its one form.
pub(crate) fn references(info: &FieldInfo, mut ids: Vec<Uuid>) -> Result<Value<'static>, Problem> {
    ids.iter().try_for_each(|id| well_formed(info, *id))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MAX_REFERENCES {
        return Err(too_many(info, MAX_REFERENCES));
    }
    Ok(if ids.is_empty() { Value::Null } else { Value::Ids(ids) })
}

/// An external id in its one form. The id itself is compared byte by byte and is left as it is.
pub(crate) fn external_id(info: &FieldInfo, id: &ExternalId) -> Result<ExternalId, Problem> {
    let system = plain(info, &id.system, MAX_SYSTEM_BYTES, false)?;
    let (Some(system), false) = (system, id.id.is_empty()) else {
        return Err(problem(info.column, ProblemCode::Required, "an external id needs a system and an id"));
    };
    if id.id.len() > MAX_EXTERNAL_ID_BYTES {
        return Err(too_long(info, MAX_EXTERNAL_ID_BYTES));
    }
    if id.id.chars().any(char::is_control) {
        return Err(control(info));
    }
    Ok(ExternalId { system, id: id.id.clone() })
}

/// A text in its one form; `None` if nothing is left of it.
pub(crate) fn text(info: &FieldInfo, text: &str) -> Result<Option<String>, Problem> {
    let prose = info.max_length >= PROSE_BYTES;
    let Some(text) = plain(info, text, info.max_length, prose)? else { return Ok(None) };
    let (well_formed, form) = match info.format {
        TextFormat::Plain => (true, ""),
        TextFormat::Uri => (form::is_uri(&text), "an absolute URI such as https://example.org/a"),
        TextFormat::Email => (form::is_email(&text), "an e-mail address"),
        TextFormat::Currency => (form::is_currency(&text), "a currency code of three capital letters"),
        TextFormat::Uuid => match form::uuid(&text) {
            Some(one_form) => return Ok(Some(one_form)),
            None => (false, "a UUID such as 6f1c2a4e-0b57-4c1d-9f1e-2d3a4b5c6d7e"),
        },
    };
    if well_formed {
        Ok(Some(text))
    } else {
        Err(problem(info.column, ProblemCode::Malformed, format!("`{}` must be {form}", info.column)))
    }
}

fn plain(info: &FieldInfo, text: &str, max_length: usize, prose: bool) -> Result<Option<String>, Problem> {
    let trimmed = text.trim();
    if trimmed.chars().any(|letter| letter.is_control() && !(prose && matches!(letter, '\n' | '\t'))) {
        return Err(control(info));
    }
    let text = if is_nfc(trimmed) { trimmed.to_owned() } else { trimmed.nfc().collect() };
    if text.len() > max_length {
        return Err(too_long(info, max_length));
    }
    Ok((!text.is_empty()).then_some(text))
}

fn texts(info: &FieldInfo, values: &[String]) -> Result<Value<'static>, Problem> {
    let mut list = Vec::with_capacity(values.len().min(MAX_LIST));
    for value in values {
        list.extend(text(info, value)?);
    }
    // Tags have no order; every other list of texts has.
    if info.index == field::TAGS {
        list.sort_unstable();
        list.dedup();
    }
    if list.len() > MAX_LIST {
        return Err(too_many(info, MAX_LIST));
    }
    Ok(if list.is_empty() { Value::Null } else { Value::Texts(Cow::Owned(list)) })
}

fn decimal(info: &FieldInfo, value: Decimal) -> Result<Value<'static>, Problem> {
    let value = value.normalize();
    if value.scale() > DECIMAL_SCALE || value.abs() >= Decimal::from(DECIMAL_LIMIT) {
        let message = format!("`{}` must have at most 15 digits before and 4 after the point", info.column);
        return Err(problem(info.column, ProblemCode::OutOfRange, message));
    }
    in_range(info, f64::try_from(value).unwrap_or_default())?;
    Ok(Value::Decimal(value))
}

fn in_range(info: &FieldInfo, value: f64) -> Result<(), Problem> {
    let message = match (info.min, info.max) {
        (Some(min), Some(max)) if value < min || value > max => format!("`{}` must be {min} to {max}", info.column),
        (Some(min), None) if value < min => format!("`{}` must be at least {min}", info.column),
        (None, Some(max)) if value > max => format!("`{}` must be at most {max}", info.column),
        _ => return Ok(()),
    };
    Err(problem(info.column, ProblemCode::OutOfRange, message))
}

fn known(info: &FieldInfo, list: &EnumInfo, number: i32) -> Result<(), Problem> {
    match list.name_of(number) {
        Some(_) => Ok(()),
        None => {
            let message = format!("`{}` must be a value of {}", info.column, list.name);
            Err(problem(info.column, ProblemCode::Malformed, message))
        }
    }
}

fn well_formed(info: &FieldInfo, id: Uuid) -> Result<(), Problem> {
    if id.is_nil() || id.is_max() {
        return Err(problem(info.column, ProblemCode::Malformed, format!("`{}` holds no well-formed id", info.column)));
    }
    Ok(())
}

fn external_ids(info: &FieldInfo, ids: &[ExternalId]) -> Result<Value<'static>, Problem> {
    let mut list = ids.iter().map(|id| external_id(info, id)).collect::<Result<Vec<_>, _>>()?;
    list.sort_unstable_by(|a, b| (&a.system, &a.id).cmp(&(&b.system, &b.id)));
    list.dedup();
    if list.len() > MAX_LIST {
        return Err(too_many(info, MAX_LIST));
    }
    Ok(if list.is_empty() { Value::Null } else { Value::ExternalIds(Cow::Owned(list)) })
}

fn translations(info: &FieldInfo, items: &[Translation]) -> Result<Value<'static>, Problem> {
    let mut list = Vec::with_capacity(items.len().min(MAX_LIST));
    for item in items {
        let Some(language) = form::language_tag(item.language.trim()) else {
            let message = format!("`{}` holds a language that is no tag such as `nl` or `de-AT`", info.column);
            return Err(problem(info.column, ProblemCode::Malformed, message));
        };
        if let Some(name) = plain(info, &item.name, info.max_length, false)? {
            list.push(Translation { language, name });
        }
    }
    list.sort_unstable_by(|a, b| (&a.language, &a.name).cmp(&(&b.language, &b.name)));
    list.dedup();
    if list.len() > MAX_LIST {
        return Err(too_many(info, MAX_LIST));
    }
    if list.iter().zip(list.iter().skip(1)).any(|(a, b)| a.language == b.language) {
        let message = format!("`{}` holds two names in one language", info.column);
        return Err(problem(info.column, ProblemCode::Malformed, message));
    }
    Ok(if list.is_empty() { Value::Null } else { Value::Translations(Cow::Owned(list)) })
}

fn too_many(info: &FieldInfo, most: usize) -> Problem {
    problem(info.column, ProblemCode::TooLong, format!("`{}` must hold at most {most} values", info.column))
}

fn too_long(info: &FieldInfo, most: usize) -> Problem {
    problem(info.column, ProblemCode::TooLong, format!("`{}` must have at most {most} bytes", info.column))
}

fn control(info: &FieldInfo) -> Problem {
    problem(info.column, ProblemCode::Malformed, format!("`{}` holds a control character", info.column))
}
