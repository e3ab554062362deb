//! The snapshot and how it is read.

use std::sync::Arc;

use prost::Message;
use spil_proto::{
    changefeed::v1::Record,
    model::{FieldType, Kind, Value},
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Row,
    block::{BLOCK_ROWS, Block},
    list::List,
    records::Records,
    rows::Rows,
    schema::{self, Reference},
    sight::Sight,
    table::Table,
};

/// All live records of all kinds, indexed. A clone is cheap and never changes with the original.
///
/// One that [`Graph::seen_by`] gives hides a part of them in everything that is read of it.
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) tables: Vec<Arc<Table>>,
    /// What is seen of it; none if everything is.
    pub(crate) sight: Option<Arc<Sight>>,
}

/// References that lead nowhere: what they name is not there, or not yet, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dangling {
    /// The kind of the records that refer.
    pub kind: Kind,
    /// The number of the field in which they do.
    pub field: usize,
    /// How many pairs of a record and a missing target there are.
    pub count: usize,
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new()
    }
}

impl Graph {
    /// A graph without any record.
    pub fn new() -> Graph {
        Graph { tables: Kind::ALL.iter().map(|kind| Arc::new(Table::new(*kind))).collect(), sight: None }
    }

    /// The records of a kind.
    #[inline]
    pub fn table(&self, kind: Kind) -> Records<'_> {
        let sight = self.sight.as_ref().and_then(|sight| sight.kind(kind));
        Records { table: self.raw(kind), sight }
    }

    /// The records of a kind, seen or not.
    #[inline]
    pub(crate) fn raw(&self, kind: Kind) -> &Table {
        &self.tables[schema::place(kind)]
    }

    /// The live record that a single reference leads to.
    #[inline]
    pub fn reference(&self, kind: Kind, row: Row, field: usize) -> Option<Row> {
        let table = self.table(kind);
        let target = Row(table.target(row, field)?);
        match table.schema().field_type(field)? {
            FieldType::Ref(to) if self.table(to).is_live(target) => Some(target),
            _ => None,
        }
    }

    /// The live records that a reference or a list of references leads to, in the order of their ids, each once.
    pub fn references(&self, kind: Kind, row: Row, field: usize) -> std::vec::IntoIter<Row> {
        self.targets(kind, row, field).into_iter()
    }

    pub(crate) fn targets(&self, kind: Kind, row: Row, field: usize) -> Vec<Row> {
        let table = self.table(kind);
        match table.schema().field_type(field) {
            Some(FieldType::Ref(_)) => self.reference(kind, row, field).into_iter().collect(),
            Some(FieldType::RefList(to)) => {
                let target = self.table(to);
                let mut rows: Vec<Row> =
                    table.targets(row, field).iter().copied().map(Row).filter(|row| target.is_live(*row)).collect();
                rows.sort_unstable_by_key(|row| target.id(*row));
                rows.dedup();
                rows
            }
            _ => Vec::new(),
        }
    }

    /// The records of kind `from` whose `field` is or holds the record `row` of kind `to`, in the order of their ids. Empty if
    /// the field does not refer to that kind.
    pub fn referrers(&self, to: Kind, row: Row, from: Kind, field: usize) -> Rows<'_> {
        static NONE: List = List::Empty;
        let table = self.raw(to);
        let list = table.schema.slot(from, field).and_then(|slot| table.referrers(row, slot)).unwrap_or(&NONE);
        let from = self.table(from);
        match from.sight {
            None => Rows::of_list(from.table, list),
            Some(sight) => sight.of_list(from.table, list, field),
        }
    }

    /// The value of a field. References give ids even where these lead nowhere. Null for a row that is not live.
    pub fn value(&self, kind: Kind, row: Row, field: usize) -> Value<'_> {
        self.value_in(self.table(kind), row, field)
    }

    pub(crate) fn value_in<'a>(&'a self, table: Records<'a>, row: Row, field: usize) -> Value<'a> {
        let Some(ty) = table.schema().field_type(field) else { return Value::Null };
        match ty {
            FieldType::Id if table.is_live(row) => Value::Id(table.id(row)),
            FieldType::Id => Value::Null,
            FieldType::Ref(to) => {
                table.target(row, field).map_or(Value::Null, |target| Value::Id(self.raw(to).id(Row(target))))
            }
            FieldType::RefList(to) => match table.targets(row, field) {
                [] => Value::Null,
                targets => Value::Ids(targets.iter().map(|target| self.raw(to).id(Row(*target))).collect()),
            },
            _ => table.column(row, field).map_or(Value::Null, |(column, place)| column.value(place, ty)),
        }
    }

    /// The whole record again, equal to the one that was applied. Without any field if the row is not live.
    ///
    /// Decimal numbers come back in their one canonical form, in which owners send them.
    pub fn record(&self, kind: Kind, row: Row) -> Record {
        let mut record = Record::empty(kind);
        let table = self.table(kind);
        if table.is_live(row)
            && let Some(entity) = record.entity_mut()
        {
            for field in 0..table.schema().types.len() {
                let value = self.value(kind, row, field);
                if !value.is_null() {
                    // A value is of the type of its column, which is that of the field.
                    let _ = entity.set(field, value);
                }
            }
        }
        record
    }

    /// How many live records a kind has, and the checksum of all of them: the sum, modulo 2^128, of XXH3-128 over each encoded
    /// `Record`. It is computed from what is stored, at about a microsecond a record, so that it proves what it says.
    pub fn digest(&self, kind: Kind) -> (u64, u128) {
        let rows = self.table(kind).rows();
        let mut buffer = Vec::new();
        let sum = rows.iter().fold(0_u128, |sum, row| {
            buffer.clear();
            // A vector grows as needed.
            let _ = self.record(kind, row).encode(&mut buffer);
            sum.wrapping_add(xxh3_128(&buffer))
        });
        (rows.len() as u64, sum)
    }

    /// The references that lead nowhere, by kind and field, where there are any.
    pub fn dangling(&self) -> Vec<Dangling> {
        if self.sight.is_some() {
            return self.dangling_seen();
        }
        let mut found = Vec::new();
        for table in &self.tables {
            let mut counts = vec![0; table.schema.inverses.len()];
            for block in table.blocks.iter().filter(|block| !block.live.is_full()) {
                for (slot, count) in counts.iter_mut().enumerate() {
                    *count += placeholders(table, block, slot).map(List::len).sum::<usize>();
                }
            }
            for (inverse, count) in table.schema.inverses.iter().zip(counts).filter(|(_, count)| *count > 0) {
                found.push(Dangling { kind: inverse.from, field: inverse.field, count });
            }
        }
        found.sort_unstable_by_key(|entry| (entry.kind, entry.field));
        found
    }

    /// The same of a graph that hides something: reference by reference, since what is hidden counts as missing.
    fn dangling_seen(&self) -> Vec<Dangling> {
        let mut found = Vec::new();
        for kind in Kind::ALL.iter().copied() {
            let table = self.table(kind);
            for Reference { field, to, .. } in &table.schema().references {
                let target = self.table(*to);
                let missing = |row: Row| {
                    let one = table.target(row, *field);
                    let mut rows: Vec<u32> = one.iter().chain(table.targets(row, *field)).copied().collect();
                    rows.sort_unstable();
                    rows.dedup();
                    rows.iter().filter(|row| !target.is_live(Row(**row))).count()
                };
                let count = table.rows().iter().map(missing).sum();
                if count > 0 {
                    found.push(Dangling { kind, field: *field, count });
                }
            }
        }
        found.sort_unstable_by_key(|entry| (entry.kind, entry.field));
        found
    }

    /// An estimate of the heap in use, good to some percent. What is shared with clones counts in full, and so does what is hidden.
    pub fn size_bytes(&self) -> usize {
        self.tables.iter().map(|table| table.size_bytes()).sum()
    }
}

/// The referrers, by one field, of the rows of a block that are not live.
fn placeholders<'a>(table: &'a Table, block: &'a Block, slot: usize) -> impl Iterator<Item = &'a List> {
    let column = block.column(table.schema.inverse_column(slot));
    let missing = (0..BLOCK_ROWS).filter(|place| !block.live.get(*place));
    missing.filter_map(move |place| column?.referrers(place))
}
