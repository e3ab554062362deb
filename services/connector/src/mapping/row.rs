//! A row as a mapping sees it: cells by the columns that the mapping names.

use csv::StringRecord;

/// A column that a table of a mapping names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name within the mapping.
    pub name: String,
    /// The headers under which it may stand in a file; the first that is there counts.
    pub headers: Vec<String>,
    /// Whether a file may lack it.
    pub optional: bool,
    /// Cells that mean that there is no value. An empty cell always does.
    pub null: Vec<String>,
}

/// The cells of one row.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    record: &'a StringRecord,
    columns: &'a [Column],
    places: &'a [Option<usize>],
}

impl<'a> Cells<'a> {
    /// A row of a file in which the columns stand at these places.
    pub fn new(record: &'a StringRecord, columns: &'a [Column], places: &'a [Option<usize>]) -> Self {
        Self { record, columns, places }
    }

    /// Whether the file has this column.
    pub fn has(&self, column: usize) -> bool {
        self.places.get(column).copied().flatten().is_some()
    }

    /// The cell as it stands in the file, without blanks around it; empty if the row has none.
    pub fn text(&self, column: usize) -> &'a str {
        self.places.get(column).copied().flatten().and_then(|place| self.record.get(place)).unwrap_or_default().trim()
    }

    /// The value of the cell; `None` if it is empty or stands for nothing.
    pub fn value(&self, column: usize) -> Option<&'a str> {
        let text = self.text(column);
        let nothing = text.is_empty()
            || self.columns.get(column).is_some_and(|column| column.null.iter().any(|null| null == text));
        (!nothing).then_some(text)
    }
}
