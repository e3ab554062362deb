//! Tests of one field, made ready to be tried on many records.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldType, Kind, Translation, Value, field};
use uuid::Uuid;

use super::Test;
use crate::{
    Graph, Row,
    column::raw_integer,
    fold::{self, Needle},
    order::compare_floats,
    records::Records,
    schema::KindSchema,
};

/// A test of one field.
#[derive(Debug)]
pub(crate) enum Check<'f> {
    Never,
    IsNull(bool),
    In(Set<'f>),
    NotIn(Set<'f>),
    Compare {
        bound: Bound<'f>,
        less: bool,
        equal: bool,
    },
    Contains(Needle),
    StartsWith(Needle),
    HasText(&'f str),
    HasEnum(i32),
    HasTarget(u32),
    HasExternalIds(&'f [ExternalId]),
    HasTranslations(&'f [Translation]),
    /// One text of the list passes all of these.
    HasTextLike(Vec<Check<'f>>),
    /// One pair of the list passes all of these with its first text, and all of those with its second.
    HasPairLike(Vec<Check<'f>>, Vec<Check<'f>>),
}

/// Values of one type, sorted.
#[derive(Debug)]
pub(crate) enum Set<'f> {
    None,
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Decimals(Vec<Decimal>),
    Texts(Vec<&'f str>),
    Ids(Vec<Uuid>),
    /// Rows that a reference may lead to.
    Targets(Vec<u32>),
}

/// A value to compare with.
#[derive(Debug)]
pub(crate) enum Bound<'f> {
    Integer(i64),
    Float(f64),
    Decimal(Decimal),
    Text(&'f str),
    Id(Uuid),
}

impl<'f> Check<'f> {
    pub(super) fn new(graph: &Graph, kind: Kind, field: usize, test: &'f Test) -> Check<'f> {
        KindSchema::of(kind).field_type(field).map_or(Check::Never, |ty| Check::of_type(graph, ty, test))
    }

    fn of_type(graph: &Graph, ty: FieldType, test: &'f Test) -> Check<'f> {
        let one = std::slice::from_ref;
        // Texts hold no lists, so that this goes no deeper than one level.
        let of_texts =
            |tests: &'f [Test]| tests.iter().map(|test| Check::of_type(graph, FieldType::Text, test)).collect();
        match test {
            Test::IsNull(wanted) => Check::IsNull(*wanted),
            Test::Equals(value) => Check::In(Set::new(graph, ty, one(value))),
            Test::NotEquals(value) => Check::NotIn(Set::new(graph, ty, one(value))),
            Test::In(values) => Check::In(Set::new(graph, ty, values)),
            Test::NotIn(values) => Check::NotIn(Set::new(graph, ty, values)),
            Test::Less(value) => Check::compare(ty, value, true, false),
            Test::LessOrEqual(value) => Check::compare(ty, value, true, true),
            Test::Greater(value) => Check::compare(ty, value, false, false),
            Test::GreaterOrEqual(value) => Check::compare(ty, value, false, true),
            Test::Contains(text) => Check::Contains(Needle::new(text)),
            Test::StartsWith(text) => Check::StartsWith(Needle::new(text)),
            Test::Has(value) => match (ty, value) {
                (FieldType::TextList, Value::Text(text)) => Check::HasText(text),
                (FieldType::EnumList(_), Value::Enum(number)) => Check::HasEnum(*number),
                (FieldType::RefList(to), Value::Id(id)) => {
                    graph.known_row(to, *id).map_or(Check::Never, Check::HasTarget)
                }
                (FieldType::ExternalIds, Value::ExternalIds(items)) => Check::HasExternalIds(items),
                (FieldType::Translations, Value::Translations(items)) => Check::HasTranslations(items),
                _ => Check::Never,
            },
            Test::HasText(tests) if matches!(ty, FieldType::TextList) => Check::HasTextLike(of_texts(tests)),
            Test::HasPair { first, second } if matches!(ty, FieldType::ExternalIds | FieldType::Translations) => {
                Check::HasPairLike(of_texts(first), of_texts(second))
            }
            Test::HasText(_) | Test::HasPair { .. } => Check::Never,
        }
    }

    fn compare(ty: FieldType, value: &'f Value<'static>, less: bool, equal: bool) -> Check<'f> {
        Bound::new(ty, value).map_or(Check::Never, |bound| Check::Compare { bound, less, equal })
    }

    /// How many values it compares with, beyond one.
    pub(super) fn size(&self) -> u64 {
        let all = |checks: &[Check<'_>]| checks.iter().map(|check| 1 + check.size()).sum::<u64>();
        match self {
            Check::In(set) | Check::NotIn(set) => set.len() as u64,
            Check::HasTextLike(checks) => all(checks),
            Check::HasPairLike(first, second) => all(first) + all(second),
            _ => 0,
        }
    }

    /// What the test costs: one, and for a search in a text more for a longer one. A filter of many tests must not cost as
    /// little as one of a single test.
    pub(super) fn cost(&self, table: Records<'_>, row: Row, field: usize) -> u64 {
        match self {
            Check::Contains(_) => 1 + table.text(row, field).map_or(0, |text| text.len() as u64 / 64),
            Check::HasTextLike(checks) => {
                let items = table.texts(row, field).iter().map(|text| 1 + text.len() as u64 / 64).sum::<u64>();
                1 + items * checks.len() as u64
            }
            Check::HasPairLike(first, second) => {
                let items = table.external_ids(row, field).len() + table.translations(row, field).len();
                1 + (items * (first.len() + second.len())) as u64
            }
            _ => 1,
        }
    }

    pub(super) fn passes(&self, table: Records<'_>, row: Row, field: usize) -> bool {
        match self {
            Check::Never => false,
            Check::IsNull(wanted) => {
                let null = field != field::ID && table.column(row, field).is_none_or(|(column, at)| column.is_null(at));
                null == *wanted
            }
            Check::In(set) => set.holds(table, row, field),
            Check::NotIn(set) => !set.holds(table, row, field),
            Check::Compare { bound, less, equal } => match bound.compare(table, row, field) {
                Some(Ordering::Less) => *less,
                Some(Ordering::Equal) => *equal,
                Some(Ordering::Greater) => !*less,
                None => false,
            },
            Check::Contains(needle) => table.text(row, field).is_some_and(|text| needle.is_in(text)),
            Check::StartsWith(needle) => table.text(row, field).is_some_and(|text| needle.starts(text)),
            Check::HasText(text) => table.texts(row, field).iter().any(|item| item == text),
            Check::HasEnum(number) => table.enumerations(row, field).contains(number),
            Check::HasTarget(target) => table.targets(row, field).contains(target),
            Check::HasExternalIds(items) => {
                let found = table.external_ids(row, field);
                !found.is_empty() && items.iter().all(|item| found.contains(item))
            }
            Check::HasTranslations(items) => {
                let found = table.translations(row, field);
                !found.is_empty() && items.iter().all(|item| found.contains(item))
            }
            Check::HasTextLike(checks) => table.texts(row, field).iter().any(|text| all_pass(checks, text)),
            Check::HasPairLike(first, second) => {
                let pass = |one: &str, other: &str| all_pass(first, one) && all_pass(second, other);
                table.external_ids(row, field).iter().any(|item| pass(&item.system, &item.id))
                    || table.translations(row, field).iter().any(|item| pass(&item.language, &item.name))
            }
        }
    }

    /// Whether an item of a list passes.
    fn passes_text(&self, text: &str) -> bool {
        match self {
            Check::IsNull(wanted) => !wanted,
            Check::In(set) => set.holds_text(text),
            Check::NotIn(set) => !set.holds_text(text),
            Check::Compare { bound: Bound::Text(bound), less, equal } => match fold::compare(text, bound) {
                Ordering::Less => *less,
                Ordering::Equal => *equal,
                Ordering::Greater => !*less,
            },
            Check::Contains(needle) => needle.is_in(text),
            Check::StartsWith(needle) => needle.starts(text),
            _ => false,
        }
    }
}

fn all_pass(checks: &[Check<'_>], text: &str) -> bool {
    checks.iter().all(|check| check.passes_text(text))
}

impl<'f> Bound<'f> {
    fn new(ty: FieldType, value: &'f Value<'static>) -> Option<Bound<'f>> {
        Some(match (ty, value) {
            (FieldType::Bool, Value::Bool(_))
            | (FieldType::Int, Value::Int(_))
            | (FieldType::Date, Value::Date(_))
            | (FieldType::DateTime, Value::DateTime(_))
            | (FieldType::Enum(_), Value::Enum(_)) => Bound::Integer(raw_integer(value)?),
            (FieldType::Float, Value::Float(value)) => Bound::Float(*value),
            #[allow(clippy::cast_precision_loss, reason = "whole numbers in filters are small")]
            (FieldType::Float, Value::Int(value)) => Bound::Float(*value as f64),
            (FieldType::Decimal, Value::Decimal(value)) => Bound::Decimal(*value),
            (FieldType::Decimal, Value::Int(value)) => Bound::Decimal(Decimal::from(*value)),
            (FieldType::Text, Value::Text(text)) => Bound::Text(text),
            (FieldType::Id, Value::Id(id)) => Bound::Id(*id),
            _ => return None,
        })
    }

    /// How the value of a record stands to the bound; none if it has no value.
    fn compare(&self, table: Records<'_>, row: Row, field: usize) -> Option<Ordering> {
        Some(match self {
            Bound::Integer(bound) => table.raw_integer(row, field)?.cmp(bound),
            Bound::Float(bound) => compare_floats(table.float(row, field)?, *bound),
            Bound::Decimal(bound) => table.decimal(row, field)?.cmp(bound),
            Bound::Text(bound) => fold::compare(table.text(row, field)?, bound),
            Bound::Id(bound) => table.id(row).cmp(bound),
        })
    }
}

impl<'f> Set<'f> {
    fn new(graph: &Graph, ty: FieldType, values: &'f [Value<'static>]) -> Set<'f> {
        if let FieldType::Ref(to) = ty {
            let ids = values.iter().filter_map(|value| if let Value::Id(id) = value { Some(*id) } else { None });
            let mut targets: Vec<u32> = ids.filter_map(|id| graph.known_row(to, id)).collect();
            targets.sort_unstable();
            targets.dedup();
            return Set::Targets(targets);
        }
        let mut set = match ty {
            FieldType::Bool | FieldType::Int | FieldType::Date | FieldType::DateTime | FieldType::Enum(_) => {
                Set::Integers(Vec::new())
            }
            FieldType::Float => Set::Floats(Vec::new()),
            FieldType::Decimal => Set::Decimals(Vec::new()),
            FieldType::Text => Set::Texts(Vec::new()),
            FieldType::Id => Set::Ids(Vec::new()),
            _ => return Set::None,
        };
        for bound in values.iter().filter_map(|value| Bound::new(ty, value)) {
            match (&mut set, bound) {
                (Set::Integers(items), Bound::Integer(item)) => items.push(item),
                (Set::Floats(items), Bound::Float(item)) => items.push(item),
                (Set::Decimals(items), Bound::Decimal(item)) => items.push(item),
                (Set::Texts(items), Bound::Text(item)) => items.push(item),
                (Set::Ids(items), Bound::Id(item)) => items.push(item),
                _ => {}
            }
        }
        match &mut set {
            Set::Integers(items) => items.sort_unstable(),
            Set::Floats(items) => items.sort_unstable_by(|a, b| compare_floats(*a, *b)),
            Set::Decimals(items) => items.sort_unstable(),
            Set::Texts(items) => items.sort_unstable(),
            Set::Ids(items) => items.sort_unstable(),
            Set::None | Set::Targets(_) => {}
        }
        set
    }

    fn len(&self) -> usize {
        match self {
            Set::None => 0,
            Set::Integers(items) => items.len(),
            Set::Floats(items) => items.len(),
            Set::Decimals(items) => items.len(),
            Set::Texts(items) => items.len(),
            Set::Ids(items) => items.len(),
            Set::Targets(items) => items.len(),
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        matches!(self, Set::Texts(items) if items.binary_search(&text).is_ok())
    }

    fn holds(&self, table: Records<'_>, row: Row, field: usize) -> bool {
        match self {
            Set::None => false,
            Set::Integers(items) => {
                table.raw_integer(row, field).is_some_and(|value| items.binary_search(&value).is_ok())
            }
            Set::Floats(items) => table
                .float(row, field)
                .is_some_and(|value| items.binary_search_by(|item| compare_floats(*item, value)).is_ok()),
            Set::Decimals(items) => table.decimal(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
            Set::Texts(items) => table.text(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
            Set::Ids(items) => items.binary_search(&table.id(row)).is_ok(),
            Set::Targets(items) => table.target(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
        }
    }
}
