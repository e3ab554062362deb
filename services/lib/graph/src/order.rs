//! The order of records by their values.

use std::{
    cmp::Ordering,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
};

use rust_decimal::prelude::ToPrimitive;
use spil_proto::model::{Kind, Value};
use uuid::Uuid;

use crate::{Graph, Row, fold, table::Table};

/// One level of an order. Whatever the levels, records that are equal in all of them follow in the order of their ids.
///
/// Texts are compared without regard to case, and by their bytes where that makes no difference. A missing value comes last, and
/// first if descending. Fields that hold lists make no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The number of the field.
    pub field: usize,
    /// Whether greater values come first.
    pub descending: bool,
}

/// A place in an ordered list, told by the values that stood there, so that it means something even after the record has changed
/// or gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The value of each level of the order.
    pub values: Vec<Value<'static>>,
    /// The id of the record.
    pub id: Uuid,
}

impl Graph {
    /// The position of a record in an order.
    pub fn position(&self, kind: Kind, row: Row, order: &[Order]) -> Position {
        let values = order.iter().map(|level| self.value(kind, row, level.field).into_owned()).collect();
        Position { values, id: self.table(kind).id(row) }
    }
}

/// How values compare, a missing one being the greatest. Values of different types follow in the order of their types.
pub(crate) fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) | (Value::Enum(a), Value::Enum(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => compare_floats(*a, *b),
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => fold::compare(a, b),
        (Value::Id(a), Value::Id(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// A total order in which both zeros are equal.
pub(crate) fn compare_floats(a: f64, b: f64) -> Ordering {
    (a + 0.0).total_cmp(&(b + 0.0))
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Int(_) => 1,
        Value::Float(_) => 2,
        Value::Decimal(_) => 3,
        Value::Date(_) => 4,
        Value::DateTime(_) => 5,
        Value::Enum(_) => 6,
        Value::Text(_) => 7,
        Value::Id(_) => 8,
        Value::Enums(_) | Value::Texts(_) | Value::Ids(_) | Value::ExternalIds(_) | Value::Translations(_) => 9,
        Value::Null => 10,
    }
}

/// A number for each value of a field: values with different numbers are in the order of these.
fn prefix(value: &Value<'_>) -> u64 {
    let signed = |number: i64| number.cast_unsigned() ^ (1 << 63);
    match value {
        Value::Null => u64::MAX,
        Value::Bool(value) => u64::from(*value),
        Value::Int(value) | Value::DateTime(value) => signed(*value),
        Value::Date(value) | Value::Enum(value) => signed(i64::from(*value)),
        Value::Float(value) => {
            let bits = (value + 0.0).to_bits();
            if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
        }
        Value::Decimal(value) => {
            let whole = value.floor().to_i64();
            signed(whole.unwrap_or(if value.is_sign_negative() { i64::MIN } else { i64::MAX }))
        }
        Value::Text(value) => fold::prefix(value),
        Value::Id(value) => value.as_u64_pair().0,
        Value::Enums(_) | Value::Texts(_) | Value::Ids(_) | Value::ExternalIds(_) | Value::Translations(_) => 0,
    }
}

/// Compares the records of a kind in some order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorter<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) kind: Kind,
    pub(crate) order: &'a [Order],
}

/// A record with the prefix of the first level, which settles most comparisons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    prefix: u64,
    pub(crate) row: Row,
}

impl Sorter<'_> {
    pub(crate) fn rank(&self, row: Row) -> Ranked {
        let prefix = self.order.first().map_or(0, |level| {
            let prefix = prefix(&self.graph.value(self.kind, row, level.field));
            if level.descending { !prefix } else { prefix }
        });
        Ranked { prefix, row }
    }

    pub(crate) fn compare(&self, a: Ranked, b: Ranked) -> Ordering {
        a.prefix.cmp(&b.prefix).then_with(|| {
            for level in self.order {
                let order = compare(
                    &self.graph.value(self.kind, a.row, level.field),
                    &self.graph.value(self.kind, b.row, level.field),
                );
                if order.is_ne() {
                    return if level.descending { order.reverse() } else { order };
                }
            }
            let table = self.graph.table(self.kind);
            table.id(a.row).cmp(&table.id(b.row))
        })
    }

    /// How a record stands to a position.
    pub(crate) fn compare_to(&self, row: Row, position: &Position) -> Ordering {
        for (level, value) in self.order.iter().zip(&position.values) {
            let order = compare(&self.graph.value(self.kind, row, level.field), value);
            if order.is_ne() {
                return if level.descending { order.reverse() } else { order };
            }
        }
        self.graph.table(self.kind).id(row).cmp(&position.id)
    }

    fn sort(&self, rows: impl Iterator<Item = Row>) -> Arc<[u32]> {
        let mut ranked: Vec<Ranked> = rows.map(|row| self.rank(row)).collect();
        ranked.sort_unstable_by(|a, b| self.compare(*a, *b));
        ranked.into_iter().map(|ranked| ranked.row.0).collect()
    }
}

/// How often an order is asked for, without a change in between, before it is kept.
const KEEP_AFTER: u8 = 2;
/// The fewest records for which an order is worth keeping.
const KEEP_FROM: usize = 512;

/// The orders of all records of a table by one field that readers asked for again and again. A change of the table forgets those
/// it touches.
#[derive(Debug)]
pub(crate) struct Orders {
    /// Two for each field: ascending, descending.
    kept: Box<[Kept]>,
    used: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    uses: AtomicU8,
    rows: OnceLock<Arc<[u32]>>,
}

impl Clone for Orders {
    fn clone(&self) -> Self {
        let copy = |kept: &Kept| Kept { uses: AtomicU8::new(kept.uses.load(Relaxed)), rows: kept.rows.clone() };
        let kept: Box<[Kept]> = self.kept.iter().map(copy).collect();
        let used = kept.iter().any(|kept| kept.uses.load(Relaxed) > 0 || kept.rows.get().is_some());
        Orders { kept, used: AtomicBool::new(used) }
    }
}

impl Orders {
    pub(crate) fn new(fields: usize) -> Orders {
        Orders { kept: (0..2 * fields).map(|_| Kept::default()).collect(), used: AtomicBool::new(false) }
    }

    /// All live rows of the table in an order of one level, if it is worth keeping.
    pub(crate) fn sorted<'a>(&'a self, sorter: Sorter<'_>, table: &Table) -> Option<&'a [u32]> {
        let [level] = sorter.order else { return None };
        let kept = self.kept.get(2 * level.field + usize::from(level.descending))?;
        if let Some(rows) = kept.rows.get() {
            return Some(rows);
        }
        self.used.store(true, Relaxed);
        if table.len() < KEEP_FROM || kept.uses.fetch_add(1, Relaxed) < KEEP_AFTER {
            return None;
        }
        Some(kept.rows.get_or_init(|| sorter.sort(table.rows().iter())))
    }

    /// Forgets the orders by a field.
    #[inline]
    pub(crate) fn forget(&mut self, field: usize) {
        if *self.used.get_mut() {
            for kept in self.kept.iter_mut().skip(2 * field).take(2) {
                *kept = Kept::default();
            }
        }
    }

    /// Forgets all orders.
    pub(crate) fn forget_all(&mut self) {
        if *self.used.get_mut() {
            *self = Orders::new(self.kept.len() / 2);
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let rows = self.kept.iter().filter_map(|kept| kept.rows.get()).map(|rows| 24 + rows.len() * 4);
        self.kept.len() * size_of::<Kept>() + rows.sum::<usize>()
    }
}
