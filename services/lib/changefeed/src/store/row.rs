//! Records as rows: which column holds which field, and in what form.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use prost::Message;
use rust_decimal::Decimal;
use sea_orm::{
    QueryResult, TryGetable,
    sea_query::{self, Query, SelectStatement},
};
use serde_json::json;
use spil_proto::{
    changefeed::v1::{Provenance, Record},
    model::{EnumInfo, ExternalId, FieldInfo, FieldType, Kind, Translation, Value},
};
use uuid::Uuid;

use super::{
    Dialect, StoreError,
    seal::{self, SEALED},
};

/// The column that says which write set which field: an encoded [`Provenance`] of one record.
pub(super) const PROVENANCE: &str = "provenance";

/// Selects every field of a kind, in the order of their numbers, who set them, and what is sealed.
pub(super) fn select(kind: Kind) -> SelectStatement {
    let mut statement = Query::select();
    let fields = kind.info().fields().map(|info| info.column);
    statement.columns(fields).columns([PROVENANCE, SEALED]).from(kind.info().table);
    statement
}

/// Reads a row of [`select`]: the record, and what is sealed of it.
pub(super) fn read(kind: Kind, row: &QueryResult) -> Result<(Record, Option<Vec<u8>>), StoreError> {
    let mut record = Record::empty(kind);
    let sealed = get::<Vec<u8>>(row, kind.info().field_count() + 1)?;
    let Some(entity) = record.entity_mut() else { return Ok((record, sealed)) };
    for info in kind.info().fields() {
        // Only the mark of it stands there.
        if sealed.is_some() && seal::is_name(kind, info) {
            continue;
        }
        let value = read_field(kind, info, row, info.index)?;
        if !value.is_null() {
            entity.set(info.index, value).map_err(|_| unreadable(kind, info))?;
        }
    }
    Ok((record, sealed))
}

/// Reads from a row of [`select`] who set the fields; `None` if that was not kept when they were set.
pub(super) fn read_provenance(kind: Kind, row: &QueryResult) -> Result<Option<Provenance>, StoreError> {
    let bytes = get::<Vec<u8>>(row, kind.info().field_count())?;
    bytes
        .map(|bytes| Provenance::decode(bytes.as_slice()))
        .transpose()
        .map_err(|_| StoreError::Unreadable { table: kind.info().table, column: PROVENANCE })
}

/// Reads one field from a column of a row.
pub(super) fn read_field(
    kind: Kind,
    info: &'static FieldInfo,
    row: &QueryResult,
    column: usize,
) -> Result<Value<'static>, StoreError> {
    let broken = || unreadable(kind, info);
    Ok(match info.ty {
        FieldType::Id | FieldType::Ref(_) => get::<Uuid>(row, column)?.map_or(Value::Null, Value::Id),
        FieldType::Text => get::<String>(row, column)?.map_or(Value::Null, |text| Value::Text(Cow::Owned(text))),
        FieldType::Bool => get::<bool>(row, column)?.map_or(Value::Null, Value::Bool),
        // The version has 64 bits, whole numbers of the model have 32.
        FieldType::Int if !info.writable => get::<i64>(row, column)?.map_or(Value::Null, Value::Int),
        FieldType::Int => get::<i32>(row, column)?.map_or(Value::Null, |value| Value::Int(value.into())),
        FieldType::Float => get::<f64>(row, column)?.map_or(Value::Null, Value::Float),
        FieldType::Decimal => get_decimal(row, column, broken)?.map_or(Value::Null, Value::Decimal),
        FieldType::Date => match get::<NaiveDate>(row, column)? {
            Some(date) => {
                let days = date.signed_duration_since(NaiveDate::default()).num_days();
                Value::Date(i32::try_from(days).map_err(|_| broken())?)
            }
            None => Value::Null,
        },
        FieldType::DateTime => {
            get::<DateTime<Utc>>(row, column)?.map_or(Value::Null, |at| Value::DateTime(at.timestamp_micros()))
        }
        FieldType::Enum(list) => match get::<String>(row, column)? {
            Some(name) => Value::Enum(list.number_of(&name).ok_or_else(broken)?),
            None => Value::Null,
        },
        FieldType::TextList
        | FieldType::EnumList(_)
        | FieldType::RefList(_)
        | FieldType::ExternalIds
        | FieldType::Translations => match get::<String>(row, column)? {
            Some(text) => read_list(info.ty, &text).ok_or_else(broken)?,
            None => Value::Null,
        },
    })
}

fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<Option<T>, StoreError> {
    row.try_get_by_index::<Option<T>>(column).map_err(StoreError::from)
}

fn get_decimal(
    row: &QueryResult,
    column: usize,
    broken: impl Fn() -> StoreError,
) -> Result<Option<Decimal>, StoreError> {
    // SQLite keeps decimals as text: it has no exact type for them.
    if row.try_as_sqlite_row().is_some() {
        let text = get::<String>(row, column)?;
        return text.map(|text| text.parse().map_err(|_| broken())).transpose();
    }
    get::<Decimal>(row, column)
}

fn read_list(ty: FieldType, text: &str) -> Option<Value<'static>> {
    Some(match ty {
        FieldType::TextList => Value::Texts(Cow::Owned(serde_json::from_str(text).ok()?)),
        FieldType::EnumList(list) => Value::Enums(Cow::Owned(read_enums(list, text)?)),
        FieldType::RefList(_) => {
            let ids: Vec<&str> = serde_json::from_str(text).ok()?;
            Value::Ids(ids.into_iter().map(|id| Uuid::parse_str(id).ok()).collect::<Option<_>>()?)
        }
        FieldType::ExternalIds => {
            Value::ExternalIds(Cow::Owned(read_pairs(text, "system", "id", |system, id| ExternalId { system, id })?))
        }
        FieldType::Translations => {
            Value::Translations(Cow::Owned(read_pairs(text, "language", "name", |language, name| Translation {
                language,
                name,
            })?))
        }
        _ => return None,
    })
}

fn read_enums(list: &EnumInfo, text: &str) -> Option<Vec<i32>> {
    let names: Vec<String> = serde_json::from_str(text).ok()?;
    names.iter().map(|name| list.number_of(name)).collect()
}

fn read_pairs<T>(text: &str, first: &str, second: &str, make: impl Fn(String, String) -> T) -> Option<Vec<T>> {
    let items: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text).ok()?;
    let text =
        |item: &serde_json::Map<String, serde_json::Value>, name: &str| Some(item.get(name)?.as_str()?.to_owned());
    items.iter().map(|item| Some(make(text(item, first)?, text(item, second)?))).collect()
}

/// The value of a column. A value that is not of the field's type can not come here: records only hold those.
pub(super) fn write_field(info: &FieldInfo, value: &Value<'_>, dialect: Dialect) -> sea_query::Value {
    match info.ty {
        FieldType::Id | FieldType::Ref(_) => match value {
            Value::Id(id) => Some(*id).into(),
            _ => None::<Uuid>.into(),
        },
        FieldType::Bool => match value {
            Value::Bool(value) => Some(*value).into(),
            _ => None::<bool>.into(),
        },
        FieldType::Int if !info.writable => match value {
            Value::Int(value) => Some(*value).into(),
            _ => None::<i64>.into(),
        },
        FieldType::Int => match value {
            Value::Int(value) => i32::try_from(*value).ok().into(),
            _ => None::<i32>.into(),
        },
        FieldType::Float => match value {
            Value::Float(value) => Some(*value).into(),
            _ => None::<f64>.into(),
        },
        FieldType::Decimal => match (value, dialect) {
            (Value::Decimal(value), Dialect::Postgres) => Some(*value).into(),
            (Value::Decimal(value), Dialect::Sqlite) => Some(value.to_string()).into(),
            (_, Dialect::Postgres) => None::<Decimal>.into(),
            (_, Dialect::Sqlite) => None::<String>.into(),
        },
        FieldType::Date => match value {
            Value::Date(days) => NaiveDate::default().checked_add_signed(TimeDelta::days((*days).into())).into(),
            _ => None::<NaiveDate>.into(),
        },
        FieldType::DateTime => match value {
            Value::DateTime(at) => time(*at, dialect),
            _ => no_time(dialect),
        },
        FieldType::Text
        | FieldType::Enum(_)
        | FieldType::TextList
        | FieldType::EnumList(_)
        | FieldType::RefList(_)
        | FieldType::ExternalIds
        | FieldType::Translations => write_text(info.ty, value).into(),
    }
}

fn write_text(ty: FieldType, value: &Value<'_>) -> Option<String> {
    Some(match (ty, value) {
        (_, Value::Text(text)) => text.clone().into_owned(),
        (FieldType::Enum(list), Value::Enum(number)) => list.name_of(*number)?.to_owned(),
        (_, Value::Texts(texts)) => json!(texts).to_string(),
        (FieldType::EnumList(list), Value::Enums(numbers)) => {
            json!(numbers.iter().filter_map(|number| list.name_of(*number)).collect::<Vec<_>>()).to_string()
        }
        (_, Value::Ids(ids)) => json!(ids.iter().map(Uuid::to_string).collect::<Vec<_>>()).to_string(),
        (_, Value::ExternalIds(ids)) => {
            let items: Vec<_> = ids.iter().map(|id| json!({ "system": id.system, "id": id.id })).collect();
            json!(items).to_string()
        }
        (_, Value::Translations(items)) => {
            let items: Vec<_> =
                items.iter().map(|item| json!({ "language": item.language, "name": item.name })).collect();
            json!(items).to_string()
        }
        _ => return None,
    })
}

/// A moment as a column value. On SQLite text of fixed length, so that it sorts.
pub(super) fn time(micros: i64, dialect: Dialect) -> sea_query::Value {
    let at = DateTime::<Utc>::from_timestamp_micros(micros);
    match dialect {
        Dialect::Postgres => at.into(),
        Dialect::Sqlite => at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)).into(),
    }
}

fn no_time(dialect: Dialect) -> sea_query::Value {
    match dialect {
        Dialect::Postgres => None::<DateTime<Utc>>.into(),
        Dialect::Sqlite => None::<String>.into(),
    }
}

fn unreadable(kind: Kind, info: &'static FieldInfo) -> StoreError {
    StoreError::Unreadable { table: kind.info().table, column: info.column }
}
