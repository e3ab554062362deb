//! The order of records by their values.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
};

use rust_decimal::prelude::ToPrimitive;
use spil_proto::model::{Kind, Value};
use uuid::Uuid;

use crate::{Budget, Exhausted, Graph, Row, fold, schema::KindSchema, table::Table};

/// One level of an order. Whatever the levels, records that are equal in all of them follow in the order of their ids.
///
/// Texts are compared without regard to case and accents, and by their bytes where that makes no difference. A missing value comes
/// last, and first if descending. Fields that hold lists make no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// What decides.
    pub by: By,
    /// Whether greater values come first.
    pub descending: bool,
}

/// What decides an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The value of the field with this number.
    Field(usize),
    /// How many records a relation leads to, each counted once; the relation by its place in [`Kind::relations`].
    Count(usize),
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
    /// The position of a record in an order. What is counted on the way is paid for.
    ///
    /// # Errors
    /// If counting looks at more records than the budget allows.
    pub fn position(&self, kind: Kind, row: Row, order: &[Order], budget: &mut Budget) -> Result<Position, Exhausted> {
        let value = |level: &Order| match level.by {
            By::Field(field) => Ok(self.value(kind, row, field).into_owned()),
            By::Count(relation) => self.count_of(kind, row, relation, budget).map(Value::Int),
        };
        Ok(Position { values: order.iter().map(value).collect::<Result<_, _>>()?, id: self.table(kind).id(row) })
    }

    /// How many records a relation leads to, the relation by its place. One that does not exist leads nowhere.
    fn count_of(&self, kind: Kind, row: Row, relation: usize, budget: &mut Budget) -> Result<i64, Exhausted> {
        let Some(steps) = KindSchema::of(kind).relations.get(relation) else { return Ok(0) };
        let count = self.count_within(kind, row, steps, budget)?;
        // A table has fewer rows than that.
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// The counts by which some records are put in order, taken once for each.
#[derive(Debug)]
pub(crate) struct Counts {
    /// The relation that each level of the order counts, where it does.
    levels: Vec<Option<usize>>,
    /// Where the counts of a row stand, one for each level that counts.
    places: HashMap<u32, usize>,
    values: Vec<i64>,
}

impl Counts {
    /// Room for the counts of an order; none if it has none, as most have not.
    pub(crate) fn of(order: &[Order]) -> Option<Counts> {
        let counts = |level: &Order| matches!(level.by, By::Count(_));
        if !order.iter().any(counts) {
            return None;
        }
        let mut number = 0..;
        let levels = order.iter().map(|level| if counts(level) { number.next() } else { None }).collect();
        Some(Counts { levels, places: HashMap::new(), values: Vec::new() })
    }

    /// Counts what the order asks for.
    pub(crate) fn take(
        &mut self,
        graph: &Graph,
        kind: Kind,
        row: Row,
        order: &[Order],
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        self.places.insert(row.0, self.values.len());
        for level in order {
            if let By::Count(relation) = level.by {
                self.values.push(graph.count_of(kind, row, relation, budget)?);
            }
        }
        Ok(())
    }

    fn value(&self, row: Row, level: usize) -> Value<'static> {
        let place = self.places.get(&row.0).copied().zip(self.levels.get(level).copied().flatten());
        let count = place.and_then(|(place, number)| self.values.get(place + number));
        count.map_or(Value::Null, |count| Value::Int(*count))
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
    /// The counts of all records to be compared, if the order has any.
    pub(crate) counts: Option<&'a Counts>,
}

/// A record with the prefix of the first level, which settles most comparisons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    prefix: u64,
    pub(crate) row: Row,
}

impl<'a> Sorter<'a> {
    #[inline]
    fn value(&self, row: Row, number: usize, level: &Order) -> Value<'a> {
        match level.by {
            By::Field(field) => self.graph.value(self.kind, row, field),
            By::Count(_) => self.counts.map_or(Value::Null, |counts| counts.value(row, number)),
        }
    }

    pub(crate) fn rank(&self, row: Row) -> Ranked {
        let prefix = self.order.first().map_or(0, |level| {
            let prefix = prefix(&self.value(row, 0, level));
            if level.descending { !prefix } else { prefix }
        });
        Ranked { prefix, row }
    }

    pub(crate) fn compare(&self, a: Ranked, b: Ranked) -> Ordering {
        a.prefix.cmp(&b.prefix).then_with(|| {
            for (number, level) in self.order.iter().enumerate() {
                let order = compare(&self.value(a.row, number, level), &self.value(b.row, number, level));
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
        for (number, (level, value)) in self.order.iter().zip(&position.values).enumerate() {
            let order = compare(&self.value(row, number, level), value);
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
        let [Order { by: By::Field(field), descending }] = *sorter.order else { return None };
        let kept = self.kept.get(2 * field + usize::from(descending))?;
        if let Some(rows) = kept.rows.get() {
            return Some(rows);
        }
        self.used.store(true, Relaxed);
        if table.live.len() < KEEP_FROM || kept.uses.fetch_add(1, Relaxed) < KEEP_AFTER {
            return None;
        }
        let all = table.live.runs();
        Some(kept.rows.get_or_init(|| sorter.sort(all.range(0..all.len()))))
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
