//! The records of one kind.

use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldType, Kind, Translation, field};
use uuid::Uuid;

use crate::{
    Row,
    block::{BLOCK_ROWS, Block},
    chunks::Chunks,
    column::Column,
    index::{Index, hash_external_id, hash_id, hash_key},
    list::{Ids, List},
    order::Orders,
    rows::Rows,
    schema::KindSchema,
};

/// The most rows of one kind.
pub(crate) const MAX_ROWS: usize = 1 << 31;

/// The records of one kind, with typed readers.
///
/// Readers never fail: for a row that is not live, a field that does not exist, and a field of another type than the reader's,
/// there is no value.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) schema: &'static KindSchema,
    pub(crate) blocks: Chunks<Block>,
    /// How many rows there are: live ones, placeholders and free ones.
    pub(crate) rows: usize,
    /// The first of the free rows. The id of a free row tells the next one.
    pub(crate) free: Option<u32>,
    pub(crate) live: List,
    pub(crate) by_id: Index,
    pub(crate) by_key: Index,
    pub(crate) by_external_id: Index,
    pub(crate) orders: Orders,
}

impl Ids for Table {
    #[inline]
    fn id_of(&self, row: u32) -> Uuid {
        self.id(Row(row))
    }
}

/// The block of a row and its place there.
#[inline]
pub(crate) fn split(row: u32) -> (usize, usize) {
    (row as usize / BLOCK_ROWS, row as usize % BLOCK_ROWS)
}

impl Table {
    pub(crate) fn new(kind: Kind) -> Table {
        let schema = KindSchema::of(kind);
        Table {
            schema,
            blocks: Chunks::default(),
            rows: 0,
            free: None,
            live: List::Empty,
            by_id: Index::default(),
            by_key: Index::default(),
            by_external_id: Index::default(),
            orders: Orders::new(schema.types.len()),
        }
    }

    /// The kind of the records.
    pub fn kind(&self) -> Kind {
        self.schema.kind
    }

    /// How many live records there are.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there is no live record.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The live records in the order of their ids.
    pub fn rows(&self) -> Rows<'_> {
        Rows::of_list(self, &self.live)
    }

    /// The live record with an id.
    pub fn row_of(&self, id: Uuid) -> Option<Row> {
        self.find(id).map(Row).filter(|row| self.is_live(*row))
    }

    /// The live record with a key. Should two have the same for a moment, the one with the smaller id.
    pub fn row_of_key(&self, key: &str) -> Option<Row> {
        self.rows_of_key(key).min_by_key(|row| self.id(*row))
    }

    pub(crate) fn rows_of_key(&self, key: &str) -> impl Iterator<Item = Row> {
        self.by_key.candidates(hash_key(key)).map(Row).filter(move |row| self.text(*row, field::KEY) == Some(key))
    }

    /// The live record with an external id. Should two have the same for a moment, the one with the smaller id.
    pub fn row_of_external_id(&self, system: &str, id: &str) -> Option<Row> {
        self.rows_of_external_id(system, id).min_by_key(|row| self.id(*row))
    }

    pub(crate) fn rows_of_external_id(&self, system: &str, id: &str) -> impl Iterator<Item = Row> {
        self.by_external_id.candidates(hash_external_id(system, id)).map(Row).filter(move |row| {
            let mut items = self.external_ids(*row, field::EXTERNAL_IDS).iter();
            items.any(|item| item.system == system && item.id == id)
        })
    }

    /// Whether a row is a live record.
    #[inline]
    pub fn is_live(&self, row: Row) -> bool {
        let (block, place) = split(row.0);
        block < self.blocks.len() && self.blocks.get(block).live.get(place)
    }

    /// The id of a row; nil for a row that does not exist.
    #[inline]
    pub fn id(&self, row: Row) -> Uuid {
        let (block, place) = split(row.0);
        if block < self.blocks.len() { self.blocks.get(block).ids[place] } else { Uuid::nil() }
    }

    /// A text.
    #[inline]
    pub fn text(&self, row: Row, field: usize) -> Option<&str> {
        let (column, place) = self.column(row, field)?;
        column.text(place)
    }

    /// A whole number.
    #[inline]
    pub fn int(&self, row: Row, field: usize) -> Option<i64> {
        matches!(self.schema.field_type(field)?, FieldType::Int).then(|| self.raw_integer(row, field))?
    }

    /// A number.
    #[inline]
    pub fn float(&self, row: Row, field: usize) -> Option<f64> {
        let (column, place) = self.column(row, field)?;
        column.float(place)
    }

    /// True or false.
    #[inline]
    pub fn boolean(&self, row: Row, field: usize) -> Option<bool> {
        matches!(self.schema.field_type(field)?, FieldType::Bool)
            .then(|| self.raw_integer(row, field))?
            .map(|number| number != 0)
    }

    /// A day: days since 1970-01-01.
    #[inline]
    pub fn date(&self, row: Row, field: usize) -> Option<i32> {
        matches!(self.schema.field_type(field)?, FieldType::Date)
            .then(|| self.raw_integer(row, field))?
            .and_then(|number| i32::try_from(number).ok())
    }

    /// A moment: microseconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub fn date_time(&self, row: Row, field: usize) -> Option<i64> {
        matches!(self.schema.field_type(field)?, FieldType::DateTime).then(|| self.raw_integer(row, field))?
    }

    /// A decimal number.
    #[inline]
    pub fn decimal(&self, row: Row, field: usize) -> Option<Decimal> {
        let (column, place) = self.column(row, field)?;
        column.decimal(place)
    }

    /// The number of an enumeration value.
    #[inline]
    pub fn enumeration(&self, row: Row, field: usize) -> Option<i32> {
        matches!(self.schema.field_type(field)?, FieldType::Enum(_))
            .then(|| self.raw_integer(row, field))?
            .and_then(|number| i32::try_from(number).ok())
    }

    /// Numbers of enumeration values; empty if there are none.
    pub fn enumerations(&self, row: Row, field: usize) -> &[i32] {
        self.column(row, field).map_or(&[], |(column, place)| column.enumerations(place))
    }

    /// Texts; empty if there are none.
    pub fn texts(&self, row: Row, field: usize) -> &[String] {
        self.column(row, field).map_or(&[], |(column, place)| column.texts(place))
    }

    /// External ids; empty if there are none.
    pub fn external_ids(&self, row: Row, field: usize) -> &[ExternalId] {
        self.column(row, field).map_or(&[], |(column, place)| column.external_ids(place))
    }

    /// Names in other languages; empty if there are none.
    pub fn translations(&self, row: Row, field: usize) -> &[Translation] {
        self.column(row, field).map_or(&[], |(column, place)| column.translations(place))
    }

    /// A number that is kept as a whole one, whatever it stands for.
    #[inline]
    pub(crate) fn raw_integer(&self, row: Row, field: usize) -> Option<i64> {
        let (column, place) = self.column(row, field)?;
        column.integer(place)
    }

    /// The target of a reference, live or not.
    #[inline]
    pub(crate) fn target(&self, row: Row, field: usize) -> Option<u32> {
        let (column, place) = self.column(row, field)?;
        column.reference(place)
    }

    /// The targets of a list of references, live or not, in the order in which they were given.
    pub(crate) fn targets(&self, row: Row, field: usize) -> &[u32] {
        self.column(row, field).map_or(&[], |(column, place)| column.references(place))
    }

    /// The records of another table that refer to a row.
    pub(crate) fn referrers(&self, row: Row, slot: usize) -> Option<&List> {
        let (column, place) = self.column(row, self.schema.inverse_column(slot))?;
        column.referrers(place)
    }

    #[inline]
    pub(crate) fn column(&self, row: Row, number: usize) -> Option<(&Column, usize)> {
        let (block, place) = split(row.0);
        if block >= self.blocks.len() {
            return None;
        }
        Some((self.blocks.get(block).column(number)?, place))
    }

    /// The row with an id, live or placeholder.
    pub(crate) fn find(&self, id: Uuid) -> Option<u32> {
        self.by_id.candidates(hash_id(id)).find(|row| self.id(Row(*row)) == id)
    }

    /// Whether there is such a row, of whatever state.
    pub(crate) fn has_row(&self, row: Row) -> bool {
        (row.0 as usize) < self.rows
    }

    /// Whether any record refers to a row.
    pub(crate) fn is_referred_to(&self, row: u32) -> bool {
        (0..self.schema.inverses.len()).any(|slot| self.referrers(Row(row), slot).is_some_and(|list| !list.is_empty()))
    }

    /// The heap in use.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Table>()
            + self.blocks.size_bytes()
            + self.blocks.iter().map(Block::size_bytes).sum::<usize>()
            + self.live.size_bytes()
            + self.by_id.size_bytes()
            + self.by_key.size_bytes()
            + self.by_external_id.size_bytes()
            + self.orders.size_bytes()
    }
}
