//! Records as JSON, by the names that GraphQL gives to their fields.

use chrono::{DateTime, Days, NaiveDate, SecondsFormat};
use serde_json::{Map, Value as Json, json};
use spil_gateway::graphql::global_id;
use spil_proto::{
    changefeed::v1::Record,
    model::{FieldType, Kind, Value},
};

/// A record: its kind, and every field that has a value.
pub(super) fn record(record: &Record) -> Json {
    let mut shown = Map::new();
    if let Some(entity) = record.entity() {
        let info = entity.kind().info();
        shown.insert("kind".to_owned(), json!(info.name));
        for field in info.fields() {
            let value = entity.get(field.index);
            if !value.is_null() {
                shown.insert(field.name.to_owned(), of_value(entity.kind(), field.ty, &value));
            }
        }
    }
    Json::Object(shown)
}

fn of_value(kind: Kind, ty: FieldType, value: &Value<'_>) -> Json {
    let names = |numbers: &[i32]| match ty {
        FieldType::Enum(list) | FieldType::EnumList(list) => {
            numbers.iter().filter_map(|number| list.name_of(*number)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    let to = match ty {
        FieldType::Ref(to) | FieldType::RefList(to) => to,
        _ => kind,
    };
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Decimal(value) => json!(value.to_string()),
        Value::Date(days) => json!(date(*days)),
        Value::DateTime(at) => json!(moment(*at)),
        Value::Enum(number) => json!(names(&[*number]).first()),
        Value::Enums(numbers) => json!(names(numbers)),
        Value::Text(text) => json!(text),
        Value::Texts(texts) => json!(texts),
        Value::Id(id) => json!(global_id::encode(to, *id)),
        Value::Ids(ids) => json!(ids.iter().map(|id| global_id::encode(to, *id)).collect::<Vec<_>>()),
        Value::ExternalIds(ids) => {
            json!(ids.iter().map(|id| json!({"system": id.system, "id": id.id})).collect::<Vec<_>>())
        }
        Value::Translations(names) => {
            json!(names.iter().map(|name| json!({"language": name.language, "name": name.name})).collect::<Vec<_>>())
        }
    }
}

fn date(days: i32) -> Option<String> {
    let span = Days::new(days.unsigned_abs().into());
    let start = NaiveDate::default();
    let date = if days < 0 { start.checked_sub_days(span) } else { start.checked_add_days(span) };
    date.map(|date| date.to_string())
}

/// A moment (RFC 3339, UTC); empty if it is none.
pub(super) fn moment(micros: i64) -> String {
    let at = DateTime::from_timestamp_micros(micros);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}
