//! Records that rows ask for, before it is known whether they are there.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use spil_proto::model::{FieldInfo, FieldType, Kind, Translation, Value};

use super::names::{Names, Symbol};
use crate::mapping::{Conflict, FieldRule, Mapping, Missing, shortened};

/// A row of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The number of the file.
    pub file: u16,
    /// The line.
    pub line: u32,
}

/// A record that rows ask for.
#[derive(Debug)]
pub struct Draft {
    /// Its kind.
    pub kind: Kind,
    /// The first row that asks for it.
    pub origin: Origin,
    /// Whether a row makes it; otherwise rows only add to it.
    pub made: bool,
    /// What to do if rows only add to it and it is not there.
    pub missing: Missing,
    /// Its id in the mapping's own system.
    pub id: Option<Symbol>,
    /// Its key.
    pub key: Option<Symbol>,
    /// Its ids in other systems, with the number of the system.
    pub externals: Vec<(usize, Symbol)>,
    /// Its names in other languages.
    pub translations: Vec<Translation>,
    /// Its fields.
    pub slots: Vec<Slot>,
}

/// A field of a draft.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The number of the rule that gave the value.
    pub rule: usize,
    /// The row that gave it.
    pub origin: Origin,
    /// The value.
    pub held: Held,
}

/// A value whose references are names still.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A value of its own, or none.
    Own(Value<'static>),
    /// References, by name.
    References(Vec<Symbol>),
}

/// What the files ask for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The records.
    pub drafts: Vec<Draft>,
    /// The names.
    pub names: Names,
    /// The names of the files.
    pub files: Vec<String>,
    /// For each kind with `retire_missing`: why nothing of it may be retired after all; `None` if it may.
    pub retire: Vec<(Kind, Option<String>)>,
}

pub(super) fn columns(rule: &FieldRule) -> String {
    if rule.columns.is_empty() { rule.field.column.to_owned() } else { rule.columns.clone() }
}

pub(super) fn is_list(rule: &FieldRule) -> bool {
    matches!(rule.field.ty, FieldType::TextList | FieldType::EnumList(_) | FieldType::RefList(_))
}

pub(super) fn empty(held: &Held) -> bool {
    match held {
        Held::Own(value) => value.is_null(),
        Held::References(list) => list.is_empty(),
    }
}

pub(super) fn same_field<'d>(mapping: &Mapping, draft: &'d Draft, rule: usize) -> Option<&'d Slot> {
    let field = mapping.rules().get(rule)?.field.index;
    draft.slots.iter().find(|slot| mapping.rules().get(slot.rule).is_some_and(|known| known.field.index == field))
}

/// What a record goes by, for messages: its id, or else its key, or else what another system calls it.
pub(super) fn shown_name(draft: &Draft, names: &Names) -> String {
    let symbol = draft.id.or(draft.key).or(draft.externals.first().map(|(_, symbol)| *symbol));
    format!("`{}`", shortened(symbol.map_or("", |symbol| names.text(symbol))))
}

/// A value for messages, in brackets after a blank; nothing where the field holds personal data.
pub(super) fn shown_value(field: &FieldInfo, held: &Held, names: &Names) -> String {
    if field.personal.is_some() {
        return String::new();
    }
    let text = match held {
        Held::Own(value) => shown(field, value),
        Held::References(symbols) => {
            Cow::Owned(symbols.iter().map(|symbol| names.text(*symbol)).collect::<Vec<_>>().join(", "))
        }
    };
    format!(" (`{}`)", shortened(&text))
}

/// A value of its own as a file would have it.
fn shown<'v>(field: &FieldInfo, value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Float(number) => Cow::Owned(number.to_string()),
        Value::Decimal(number) => Cow::Owned(number.to_string()),
        Value::Date(days) => TimeDelta::try_days(i64::from(*days))
            .and_then(|days| NaiveDate::default().checked_add_signed(days))
            .map_or(Cow::Borrowed(value.type_name()), |date| Cow::Owned(date.to_string())),
        Value::DateTime(micros) => DateTime::from_timestamp_micros(*micros)
            .map_or(Cow::Borrowed(value.type_name()), |time| {
                Cow::Owned(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }),
        Value::Enum(number) => match field.ty {
            FieldType::Enum(of) => Cow::Borrowed(of.name_of(*number).unwrap_or(value.type_name())),
            _ => Cow::Borrowed(value.type_name()),
        },
        // Lists are united; rows do not disagree about them.
        _ => Cow::Borrowed(value.type_name()),
    }
}

/// Puts a value where it belongs: lists are united, of other values one counts.
pub(super) fn merge(mapping: &Mapping, draft: &mut Draft, given: Slot) {
    let Some(rule) = mapping.rules().get(given.rule) else { return };
    let place = draft
        .slots
        .iter()
        .position(|slot| mapping.rules().get(slot.rule).is_some_and(|known| known.field.index == rule.field.index));
    let Some(known) = place.and_then(|place| draft.slots.get_mut(place)) else {
        draft.slots.push(given);
        return;
    };
    if empty(&given.held) {
        return;
    }
    if empty(&known.held) {
        *known = given;
        return;
    }
    match (&mut known.held, given.held) {
        (Held::References(list), Held::References(more)) if is_list(rule) => {
            // What is named twice is found when the names are looked up.
            list.extend(more);
        }
        (Held::Own(Value::Texts(list)), Held::Own(Value::Texts(more))) => {
            for text in more.iter().filter(|text| !list.contains(text)).cloned().collect::<Vec<_>>() {
                list.to_mut().push(text);
            }
        }
        (Held::Own(Value::Enums(list)), Held::Own(Value::Enums(more))) => {
            for number in more.iter().filter(|number| !list.contains(number)).copied().collect::<Vec<_>>() {
                list.to_mut().push(number);
            }
        }
        (held, more) => {
            if rule.conflict == Conflict::Last && *held != more {
                *known = Slot { rule: given.rule, origin: given.origin, held: more };
            }
        }
    }
}
