//! One field of the records of a block.

mod integers;
mod texts;

use std::{borrow::Cow, sync::Arc};

use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldType, Translation, Value};

use crate::{
    bits::Bits,
    list::List,
    provenance::{Group, Groups},
};
use integers::Integers;
use texts::Texts;

/// No row.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// The values of one field for up to a block of rows. Each variant ends where its last value is.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// Whole numbers, booleans, dates, times and enumeration values.
    Integers(Integers),
    Floats(Floats),
    Decimals(Vec<Option<Decimal>>),
    Texts(Texts),
    TextLists(Lists<String>),
    EnumLists(Lists<i32>),
    ExternalIds(Lists<ExternalId>),
    Translations(Lists<Translation>),
    /// Rows of another table, or [`NO_ROW`].
    References(Vec<u32>),
    /// Rows of another table, in the order in which they were given.
    ReferenceLists(Lists<u32>),
    /// The records that refer to each row.
    Referrers(Vec<List>),
    /// Who set which field of each row.
    Provenance(Groups),
}

/// Lists, few of which are expected to differ from none.
pub(crate) type Lists<T> = Vec<Option<Arc<[T]>>>;

/// Numbers, kept to the bit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floats {
    present: Bits,
    cells: Vec<f64>,
}

impl Column {
    /// A column for a field of some type, without any value. There is none for ids: blocks hold these themselves.
    pub(crate) fn new(ty: FieldType) -> Option<Column> {
        Some(match ty {
            FieldType::Id => return None,
            FieldType::Bool | FieldType::Int | FieldType::Date | FieldType::DateTime | FieldType::Enum(_) => {
                Column::Integers(Integers::default())
            }
            FieldType::Float => Column::Floats(Floats::default()),
            FieldType::Decimal => Column::Decimals(Vec::new()),
            FieldType::Text => Column::Texts(Texts::default()),
            FieldType::TextList => Column::TextLists(Vec::new()),
            FieldType::EnumList(_) => Column::EnumLists(Vec::new()),
            FieldType::ExternalIds => Column::ExternalIds(Vec::new()),
            FieldType::Translations => Column::Translations(Vec::new()),
            FieldType::Ref(_) => Column::References(Vec::new()),
            FieldType::RefList(_) => Column::ReferenceLists(Vec::new()),
        })
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Column::Integers(column) => column.is_empty(),
            Column::Floats(column) => column.present.is_empty(),
            Column::Decimals(column) => column.iter().all(Option::is_none),
            Column::Texts(column) => column.is_empty(),
            Column::TextLists(column) => column.iter().all(Option::is_none),
            Column::EnumLists(column) => column.iter().all(Option::is_none),
            Column::ExternalIds(column) => column.iter().all(Option::is_none),
            Column::Translations(column) => column.iter().all(Option::is_none),
            Column::References(column) => column.iter().all(|row| *row == NO_ROW),
            Column::ReferenceLists(column) => column.iter().all(Option::is_none),
            Column::Referrers(column) => column.iter().all(List::is_empty),
            Column::Provenance(column) => column.is_empty(),
        }
    }

    /// Whether a row has no value.
    pub(crate) fn is_null(&self, place: usize) -> bool {
        match self {
            Column::Integers(column) => column.get(place).is_none(),
            Column::Floats(column) => !column.present.get(place),
            Column::Decimals(column) => column.get(place).is_none_or(Option::is_none),
            Column::Texts(column) => column.get(place).is_none(),
            Column::TextLists(column) => item(column, place).is_empty(),
            Column::EnumLists(column) => item(column, place).is_empty(),
            Column::ExternalIds(column) => item(column, place).is_empty(),
            Column::Translations(column) => item(column, place).is_empty(),
            Column::References(_) => self.reference(place).is_none(),
            Column::ReferenceLists(column) => item(column, place).is_empty(),
            Column::Referrers(_) => self.referrers(place).is_none_or(List::is_empty),
            Column::Provenance(column) => column.get(place).is_empty(),
        }
    }

    /// The value of a row; references are not for this.
    pub(crate) fn value(&self, place: usize, ty: FieldType) -> Value<'_> {
        match self {
            Column::Integers(column) => column.get(place).map_or(Value::Null, |number| integer(number, ty)),
            Column::Floats(_) => self.float(place).map_or(Value::Null, Value::Float),
            Column::Decimals(_) => self.decimal(place).map_or(Value::Null, Value::Decimal),
            Column::Texts(column) => column.get(place).map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text))),
            Column::TextLists(column) => list(item(column, place), Value::Texts),
            Column::EnumLists(column) => list(item(column, place), Value::Enums),
            Column::ExternalIds(column) => list(item(column, place), Value::ExternalIds),
            Column::Translations(column) => list(item(column, place), Value::Translations),
            Column::References(_) | Column::ReferenceLists(_) | Column::Referrers(_) | Column::Provenance(_) => {
                Value::Null
            }
        }
    }

    /// Whether a row has just this value, to the bit.
    pub(crate) fn holds(&self, place: usize, ty: FieldType, value: &Value<'_>) -> bool {
        match (self, value) {
            (Column::Floats(_), Value::Float(value)) => self.float(place).map(f64::to_bits) == Some(value.to_bits()),
            _ => self.value(place, ty) == *value,
        }
    }

    /// Writes the value of a row. A value of another type clears it; references are not for this.
    pub(crate) fn set(&mut self, place: usize, value: &Value<'_>) {
        match (self, value) {
            (Column::Integers(column), value) => column.set(place, raw_integer(value)),
            (Column::Floats(column), Value::Float(value)) => {
                if column.cells.len() <= place {
                    column.cells.resize(place + 1, 0.0);
                }
                column.cells[place] = *value;
                column.present.set(place, true);
            }
            (Column::Floats(column), _) => column.present.set(place, false),
            (Column::Decimals(column), Value::Decimal(value)) => set_item(column, place, Some(*value)),
            (Column::Decimals(column), _) => set_item(column, place, None),
            (Column::Texts(column), Value::Text(text)) => column.set(place, Some(text)),
            (Column::Texts(column), _) => column.set(place, None),
            (Column::TextLists(column), Value::Texts(items)) => set_item(column, place, Some(Arc::from(&**items))),
            (Column::TextLists(column), _) => set_item(column, place, None),
            (Column::EnumLists(column), Value::Enums(items)) => set_item(column, place, Some(Arc::from(&**items))),
            (Column::EnumLists(column), _) => set_item(column, place, None),
            (Column::ExternalIds(column), Value::ExternalIds(items)) => {
                set_item(column, place, Some(Arc::from(&**items)));
            }
            (Column::ExternalIds(column), _) => set_item(column, place, None),
            (Column::Translations(column), Value::Translations(items)) => {
                set_item(column, place, Some(Arc::from(&**items)));
            }
            (Column::Translations(column), _) => set_item(column, place, None),
            (Column::References(_) | Column::ReferenceLists(_) | Column::Referrers(_) | Column::Provenance(_), _) => {}
        }
    }

    #[inline]
    pub(crate) fn integer(&self, place: usize) -> Option<i64> {
        match self {
            Column::Integers(column) => column.get(place),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn float(&self, place: usize) -> Option<f64> {
        match self {
            Column::Floats(column) if column.present.get(place) => column.cells.get(place).copied(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn decimal(&self, place: usize) -> Option<Decimal> {
        match self {
            Column::Decimals(column) => column.get(place).copied().flatten(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn text(&self, place: usize) -> Option<&str> {
        match self {
            Column::Texts(column) => column.get(place),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, place: usize) -> &[String] {
        match self {
            Column::TextLists(column) => item(column, place),
            _ => &[],
        }
    }

    pub(crate) fn enumerations(&self, place: usize) -> &[i32] {
        match self {
            Column::EnumLists(column) => item(column, place),
            _ => &[],
        }
    }

    pub(crate) fn external_ids(&self, place: usize) -> &[ExternalId] {
        match self {
            Column::ExternalIds(column) => item(column, place),
            _ => &[],
        }
    }

    pub(crate) fn translations(&self, place: usize) -> &[Translation] {
        match self {
            Column::Translations(column) => item(column, place),
            _ => &[],
        }
    }

    #[inline]
    pub(crate) fn reference(&self, place: usize) -> Option<u32> {
        match self {
            Column::References(column) => column.get(place).copied().filter(|row| *row != NO_ROW),
            _ => None,
        }
    }

    pub(crate) fn set_reference(&mut self, place: usize, row: Option<u32>) {
        if let Column::References(column) = self {
            if column.len() <= place {
                column.resize(place + 1, NO_ROW);
            }
            column[place] = row.unwrap_or(NO_ROW);
        }
    }

    pub(crate) fn references(&self, place: usize) -> &[u32] {
        match self {
            Column::ReferenceLists(column) => item(column, place),
            _ => &[],
        }
    }

    pub(crate) fn set_references(&mut self, place: usize, rows: &[u32]) {
        if let Column::ReferenceLists(column) = self {
            set_item(column, place, (!rows.is_empty()).then(|| Arc::from(rows)));
        }
    }

    #[inline]
    pub(crate) fn referrers(&self, place: usize) -> Option<&List> {
        match self {
            Column::Referrers(column) => column.get(place),
            _ => None,
        }
    }

    /// The list of a row, to be changed. Only a column of referrers has one.
    pub(crate) fn referrers_mut(&mut self, place: usize) -> Option<&mut List> {
        match self {
            Column::Referrers(column) => {
                if column.len() <= place {
                    column.resize(place + 1, List::Empty);
                }
                column.get_mut(place)
            }
            _ => None,
        }
    }

    /// Who set which field of a row.
    pub(crate) fn groups(&self, place: usize) -> &[Group] {
        match self {
            Column::Provenance(column) => column.get(place),
            _ => &[],
        }
    }

    pub(crate) fn set_groups(&mut self, place: usize, groups: &[Group]) {
        if let Column::Provenance(column) = self {
            column.set(place, groups);
        }
    }

    /// Gives back room that was kept for growth.
    pub(crate) fn shrink(&mut self) {
        if let Column::Texts(column) = self {
            column.shrink();
        }
    }

    /// The heap in use.
    pub(crate) fn size_bytes(&self) -> usize {
        fn lists<T>(column: &Lists<T>, own: impl Fn(&T) -> usize) -> usize {
            let items = column
                .iter()
                .flatten()
                .map(|items| 24 + size_of_val::<[T]>(items) + items.iter().map(&own).sum::<usize>());
            column.capacity() * size_of::<Option<Arc<[T]>>>() + items.sum::<usize>()
        }
        let string = |text: &String| text.capacity() + 8;
        match self {
            Column::Integers(column) => column.size_bytes(),
            Column::Floats(column) => column.cells.capacity() * size_of::<f64>(),
            Column::Decimals(column) => column.capacity() * size_of::<Option<Decimal>>(),
            Column::Texts(column) => column.size_bytes(),
            Column::TextLists(column) => lists(column, string),
            Column::EnumLists(column) => lists(column, |_| 0),
            Column::ExternalIds(column) => lists(column, |item| string(&item.system) + string(&item.id)),
            Column::Translations(column) => lists(column, |item| string(&item.language) + string(&item.name)),
            Column::References(column) => column.capacity() * size_of::<u32>(),
            Column::ReferenceLists(column) => lists(column, |_| 0),
            Column::Referrers(column) => {
                column.capacity() * size_of::<List>() + column.iter().map(List::size_bytes).sum::<usize>()
            }
            Column::Provenance(column) => column.size_bytes(),
        }
    }
}

fn item<T>(lists: &Lists<T>, place: usize) -> &[T] {
    lists.get(place).and_then(|list| list.as_deref()).unwrap_or_default()
}

fn list<'a, T: Clone>(items: &'a [T], make: impl FnOnce(Cow<'a, [T]>) -> Value<'a>) -> Value<'a> {
    if items.is_empty() { Value::Null } else { make(Cow::Borrowed(items)) }
}

fn set_item<T: Clone>(column: &mut Vec<Option<T>>, place: usize, item: Option<T>) {
    if column.len() <= place {
        column.resize(place + 1, None);
    }
    column[place] = item;
}

/// The number of a value that is kept as a whole number.
pub(crate) fn raw_integer(value: &Value<'_>) -> Option<i64> {
    match *value {
        Value::Bool(value) => Some(i64::from(value)),
        Value::Int(value) | Value::DateTime(value) => Some(value),
        Value::Date(value) | Value::Enum(value) => Some(i64::from(value)),
        _ => None,
    }
}

/// The value that a whole number stands for.
pub(crate) fn integer(number: i64, ty: FieldType) -> Value<'static> {
    let narrow = || i32::try_from(number).unwrap_or_default();
    match ty {
        FieldType::Bool => Value::Bool(number != 0),
        FieldType::Date => Value::Date(narrow()),
        FieldType::DateTime => Value::DateTime(number),
        FieldType::Enum(_) => Value::Enum(narrow()),
        _ => Value::Int(number),
    }
}
