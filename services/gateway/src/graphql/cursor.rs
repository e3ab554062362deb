//! The cursors of a connection: the place of a record in an order, which stays a place when the record changes or goes.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use spil_graph::{By, Order, Position};
use spil_proto::model::{FieldType, Kind, Value};
use uuid::Uuid;

/// The longest cursor that is looked at: room for eight of the longest texts that can be ordered by, each character escaped.
const MAX_CURSOR_BYTES: usize = 512 << 10;

/// Writes a place as text, without quotes. The text holds no character that JSON escapes.
pub(crate) fn encode(position: &Position, order: &[Order]) -> String {
    if order.is_empty() {
        return URL_SAFE_NO_PAD.encode(position.id.as_bytes());
    }
    let values: Vec<Json> = position.values.iter().map(to_json).collect();
    let text = json!([position.id.to_string(), signature(order), values]).to_string();
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads a place in an order; `None` if it is none, or one in another order.
pub(crate) fn decode(text: &str, kind: Kind, order: &[Order]) -> Option<Position> {
    if text.len() > MAX_CURSOR_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    if order.is_empty() {
        return Some(Position { values: Vec::new(), id: Uuid::from_slice(&bytes).ok()? });
    }
    let Json::Array(parts) = serde_json::from_slice(&bytes).ok()? else { return None };
    let [Json::String(id), Json::String(given), Json::Array(values)] = parts.as_slice() else { return None };
    if *given != signature(order) || values.len() != order.len() {
        return None;
    }
    let values = order
        .iter()
        .zip(values)
        .map(|(order, value)| match order.by {
            By::Field(field) => from_json(value, kind.info().field(field)?.ty),
            By::Count(_) => value.as_i64().map(Value::Int),
        })
        .collect::<Option<_>>()?;
    Some(Position { values, id: id.parse().ok()? })
}

/// Tells orders apart, so that a cursor of one is not taken for a place in another.
fn signature(order: &[Order]) -> String {
    let part = |order: &Order| {
        let direction = if order.descending { '-' } else { '+' };
        match order.by {
            By::Field(field) => format!("{field}{direction}"),
            By::Count(relation) => format!("c{relation}{direction}"),
        }
    };
    order.iter().map(part).collect()
}

fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::Int(value) | Value::DateTime(value) => json!(value),
        Value::Date(value) | Value::Enum(value) => json!(value),
        // The bits, so that the number read is the number written.
        Value::Float(value) => json!(value.to_bits()),
        Value::Decimal(value) => json!(value.to_string()),
        Value::Text(text) => json!(text),
        Value::Id(id) => json!(id.to_string()),
        _ => Json::Null,
    }
}

fn from_json(value: &Json, ty: FieldType) -> Option<Value<'static>> {
    if value.is_null() {
        return Some(Value::Null);
    }
    Some(match ty {
        FieldType::Bool => Value::Bool(value.as_bool()?),
        FieldType::Int => Value::Int(value.as_i64()?),
        FieldType::DateTime => Value::DateTime(value.as_i64()?),
        FieldType::Date => Value::Date(i32::try_from(value.as_i64()?).ok()?),
        FieldType::Enum(_) => Value::Enum(i32::try_from(value.as_i64()?).ok()?),
        FieldType::Float => Value::Float(f64::from_bits(value.as_u64()?)),
        FieldType::Decimal => Value::Decimal(value.as_str()?.parse().ok()?),
        FieldType::Text => Value::Text(Cow::Owned(value.as_str()?.to_owned())),
        FieldType::Id | FieldType::Ref(_) => Value::Id(value.as_str()?.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use spil_proto::model::field;

    use super::*;

    #[test]
    fn a_cursor_is_read_in_its_own_order_only() {
        let kind = Kind::Initiative;
        let index = |name| kind.info().field_by_name(name).expect("a field").index;
        let order = [
            Order { by: By::Field(index("start")), descending: true },
            Order { by: By::Field(index("budget")), descending: false },
            Order { by: By::Field(field::NAME), descending: false },
            Order { by: By::Count(2), descending: true },
        ];
        let position = Position {
            values: vec![Value::Date(20_000), Value::Null, Value::Text("Café \"x\"".into()), Value::Int(7)],
            id: Uuid::from_u128(9),
        };
        let text = encode(&position, &order);
        let read = decode(&text, kind, &order).expect("a cursor");
        assert_eq!((read.id, read.values), (position.id, position.values));
        assert!(decode(&text, kind, &order[..2]).is_none());
        assert!(decode(&text, kind, &[]).is_none());
        let mut other = order;
        other[3].by = By::Count(3);
        assert!(decode(&text, kind, &other).is_none(), "another relation is another order");
        other[3].by = By::Field(2);
        assert!(decode(&text, kind, &other).is_none(), "a count is no value");
        let order: Vec<_> = kind
            .info()
            .fields()
            .filter(|field| super::super::schema::is_orderable(field))
            .take(8)
            .map(|field| Order { by: By::Field(field.index), descending: false })
            .collect();
        let longest = Position {
            values: order.iter().map(|_| Value::Text("\u{1}".repeat(4096).into())).collect(),
            id: Uuid::from_u128(9),
        };
        assert!(encode(&longest, &order).len() <= MAX_CURSOR_BYTES, "no cursor is given out that is not taken back");
        let plain = encode(&Position { values: Vec::new(), id: Uuid::from_u128(9) }, &[]);
        assert_eq!(decode(&plain, kind, &[]).map(|position| position.id), Some(Uuid::from_u128(9)));
        for nonsense in ["", "é", "AAAA", "WyJ4Il0"] {
            assert!(decode(nonsense, kind, &order).is_none(), "{nonsense}");
        }
    }
}
