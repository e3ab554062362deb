//! The records of one kind as a graph shows them.

use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldType, Kind, Translation, field};
use uuid::Uuid;

use crate::{
    Row,
    column::Column,
    index::{hash_external_id, hash_key},
    rows::Rows,
    schema::KindSchema,
    sight::KindSight,
    table::Table,
};

/// The records of one kind that a graph shows, with typed readers.
///
/// Readers never fail: for a row that is not live or not seen, a field that is hidden or does not exist, and a field of another type than
/// the reader's, there is no value.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    pub(crate) table: &'a Table,
    /// What is seen of them; none if all is.
    pub(crate) sight: Option<&'a KindSight>,
}

impl<'a> Records<'a> {
    /// The kind of the records.
    pub fn kind(self) -> Kind {
        self.table.kind()
    }

    pub(crate) fn schema(self) -> &'static KindSchema {
        self.table.schema
    }

    /// How many live records there are.
    pub fn len(self) -> usize {
        match self.partly() {
            None => self.table.live.len(),
            Some(sight) => sight.listed(self.table).len(),
        }
    }

    /// Whether there is no live record.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The live records in the order of their ids.
    pub fn rows(self) -> Rows<'a> {
        match self.partly() {
            None => Rows::of_list(self.table, &self.table.live),
            Some(sight) => Rows::of_slice(self.table, sight.listed(self.table)),
        }
    }

    /// What is seen, if that is not every record.
    fn partly(self) -> Option<&'a KindSight> {
        self.sight.filter(|sight| !sight.sees_all())
    }

    /// The live record with an id.
    pub fn row_of(self, id: Uuid) -> Option<Row> {
        self.table.find(id).map(Row).filter(|row| self.is_live(*row))
    }

    /// The live record with a key. Should two have the same for a moment, the one with the smaller id.
    pub fn row_of_key(self, key: &str) -> Option<Row> {
        self.rows_of_key(key).min_by_key(|row| self.id(*row))
    }

    pub(crate) fn rows_of_key(self, key: &str) -> impl Iterator<Item = Row> {
        let rows = self.table.by_key.candidates(hash_key(key)).map(Row);
        rows.filter(move |row| self.text(*row, field::KEY) == Some(key))
    }

    /// The live record with an external id. Should two have the same for a moment, the one with the smaller id.
    pub fn row_of_external_id(self, system: &str, id: &str) -> Option<Row> {
        self.rows_of_external_id(system, id).min_by_key(|row| self.id(*row))
    }

    pub(crate) fn rows_of_external_id(self, system: &str, id: &str) -> impl Iterator<Item = Row> {
        self.table.by_external_id.candidates(hash_external_id(system, id)).map(Row).filter(move |row| {
            let mut items = self.external_ids(*row, field::EXTERNAL_IDS).iter();
            items.any(|item| item.system == system && item.id == id)
        })
    }

    /// Whether a row is a live record.
    #[inline]
    pub fn is_live(self, row: Row) -> bool {
        self.table.is_live(row) && self.sight.is_none_or(|sight| sight.sees(row))
    }

    /// Whether a field of a row is shown, be there a value or not.
    pub fn shows(self, row: Row, field: usize) -> bool {
        self.sight.is_none_or(|sight| sight.sees(row) && !sight.veils(row, field))
    }

    /// The id of a row; nil for a row that does not exist.
    #[inline]
    pub fn id(self, row: Row) -> Uuid {
        match self.sight {
            Some(sight) if !sight.sees(row) => Uuid::nil(),
            _ => self.table.id(row),
        }
    }

    /// A text.
    #[inline]
    pub fn text(self, row: Row, field: usize) -> Option<&'a str> {
        let (column, place) = self.column(row, field)?;
        column.text(place)
    }

    /// A whole number.
    #[inline]
    pub fn int(self, row: Row, field: usize) -> Option<i64> {
        matches!(self.schema().field_type(field)?, FieldType::Int).then(|| self.raw_integer(row, field))?
    }

    /// A number.
    #[inline]
    pub fn float(self, row: Row, field: usize) -> Option<f64> {
        let (column, place) = self.column(row, field)?;
        column.float(place)
    }

    /// True or false.
    #[inline]
    pub fn boolean(self, row: Row, field: usize) -> Option<bool> {
        matches!(self.schema().field_type(field)?, FieldType::Bool)
            .then(|| self.raw_integer(row, field))?
            .map(|number| number != 0)
    }

    /// A day: days since 1970-01-01.
    #[inline]
    pub fn date(self, row: Row, field: usize) -> Option<i32> {
        matches!(self.schema().field_type(field)?, FieldType::Date)
            .then(|| self.raw_integer(row, field))?
            .and_then(|number| i32::try_from(number).ok())
    }

    /// A moment: microseconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub fn date_time(self, row: Row, field: usize) -> Option<i64> {
        matches!(self.schema().field_type(field)?, FieldType::DateTime).then(|| self.raw_integer(row, field))?
    }

    /// A decimal number.
    #[inline]
    pub fn decimal(self, row: Row, field: usize) -> Option<Decimal> {
        let (column, place) = self.column(row, field)?;
        column.decimal(place)
    }

    /// The number of an enumeration value.
    #[inline]
    pub fn enumeration(self, row: Row, field: usize) -> Option<i32> {
        matches!(self.schema().field_type(field)?, FieldType::Enum(_))
            .then(|| self.raw_integer(row, field))?
            .and_then(|number| i32::try_from(number).ok())
    }

    /// Numbers of enumeration values; empty if there are none.
    pub fn enumerations(self, row: Row, field: usize) -> &'a [i32] {
        self.column(row, field).map_or(&[], |(column, place)| column.enumerations(place))
    }

    /// Texts; empty if there are none.
    pub fn texts(self, row: Row, field: usize) -> &'a [String] {
        self.column(row, field).map_or(&[], |(column, place)| column.texts(place))
    }

    /// External ids; empty if there are none.
    pub fn external_ids(self, row: Row, field: usize) -> &'a [ExternalId] {
        self.column(row, field).map_or(&[], |(column, place)| column.external_ids(place))
    }

    /// Names in other languages; empty if there are none.
    pub fn translations(self, row: Row, field: usize) -> &'a [Translation] {
        self.column(row, field).map_or(&[], |(column, place)| column.translations(place))
    }

    /// A number that is kept as a whole one, whatever it stands for.
    #[inline]
    pub(crate) fn raw_integer(self, row: Row, field: usize) -> Option<i64> {
        let (column, place) = self.column(row, field)?;
        column.integer(place)
    }

    /// The target of a reference, live or not, seen or not.
    #[inline]
    pub(crate) fn target(self, row: Row, field: usize) -> Option<u32> {
        let (column, place) = self.column(row, field)?;
        column.reference(place)
    }

    /// The targets of a list of references, live or not, seen or not, in the order in which they were given.
    pub(crate) fn targets(self, row: Row, field: usize) -> &'a [u32] {
        self.column(row, field).map_or(&[], |(column, place)| column.references(place))
    }

    /// The column of a field and where a row stands in it; none if the row is not seen or the field is hidden.
    #[inline]
    pub(crate) fn column(self, row: Row, field: usize) -> Option<(&'a Column, usize)> {
        match self.sight {
            Some(sight) if !sight.sees(row) || sight.veils(row, field) => None,
            _ => self.table.column(row, field),
        }
    }
}
