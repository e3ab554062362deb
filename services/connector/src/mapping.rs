//! Mapping files: which columns of which files become which fields of which records.
//!
//! The language is described in `mappings/README.md`. A mapping is checked against the table of kinds and fields when it is
//! read, so that a wrong name is found before any data are.

mod check;
mod condition;
mod raw;
mod row;
mod template;
mod value;

pub use condition::{Pattern, Test, When};
pub use row::{Cells, Column};
pub use template::{Template, TemplateError, first};
pub(crate) use value::shortened;
pub use value::{Otherwise, ValueRule};

use spil_proto::model::{FieldInfo, Kind};

/// The most bytes of a mapping file.
pub const MAX_MAPPING_BYTES: usize = 1 << 20;

/// A checked mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    name: String,
    systems: Vec<String>,
    tables: Vec<Table>,
    rules: Vec<FieldRule>,
    spaces: Vec<Space>,
    links: Vec<String>,
}

/// Why a text is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The file is too long.
    #[error("the mapping has {bytes} bytes where at most {MAX_MAPPING_BYTES} are allowed")]
    TooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// The text is no TOML, or has a key or a value that is not known.
    #[error("line {line}: {message}")]
    Form {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Something in it makes no sense.
    #[error("line {line}: {place}: {problem}")]
    Meaning {
        /// The line on which the faulty part starts, from 1.
        line: usize,
        /// The part: `table "people", Worker, field "email"`.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// One sort of file.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name in messages.
    pub name: String,
    /// What a file of this sort may be called; anything if empty.
    pub files: Vec<Pattern>,
    /// What separates cells; found out from the file if not given.
    pub delimiter: Option<u8>,
    /// The names of the columns, if the files have no header row.
    pub header: Option<Vec<String>>,
    /// Whether a row with fewer cells than the header is refused.
    pub refuse_short_rows: bool,
    /// The columns that the table looks at.
    pub columns: Vec<Column>,
    /// Rows that are left out, and why.
    pub skips: Vec<Skip>,
    /// Pairs for references that take several steps.
    pub links: Vec<Link>,
    /// What a row becomes.
    pub records: Vec<RecordTemplate>,
}

/// Rows that are left out.
#[derive(Clone, Debug)]
pub struct Skip {
    /// Which rows.
    pub when: When,
    /// Why, for the report.
    pub reason: String,
}

/// Rows that say that one name leads to another.
#[derive(Clone, Debug)]
pub struct Link {
    /// Which of the mapping's links the rows add to.
    pub link: usize,
    /// Which rows.
    pub when: When,
    /// The name to come from.
    pub from: Vec<Template>,
    /// The name to go to.
    pub to: Vec<Template>,
}

/// What a row becomes.
#[derive(Clone, Debug)]
pub struct RecordTemplate {
    /// The kind of record.
    pub kind: Kind,
    /// Which rows it is for.
    pub when: When,
    /// The record's id in the mapping's own system.
    pub id: Vec<Template>,
    /// The record's key.
    pub key: Vec<Template>,
    /// The record's ids in other systems.
    pub externals: Vec<External>,
    /// The record's name in other languages.
    pub translations: Vec<(String, Vec<Template>)>,
    /// What it means that several rows give the same id.
    pub repeats: Repeats,
    /// Whether it only adds to records made elsewhere.
    pub amend: bool,
    /// What to do if the record to be added to is not there.
    pub missing: Missing,
    /// Whether records of the kind that no row makes any more are retired.
    pub retire_missing: bool,
    /// The numbers of the rules for its fields.
    pub rules: Vec<usize>,
}

/// An id of a record in another system.
#[derive(Clone, Debug)]
pub struct External {
    /// The number of the system.
    pub system: usize,
    /// The id.
    pub id: Vec<Template>,
}

/// What it means that several rows give the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// They feed one record.
    Merge,
    /// Each is a record of its own; the second gets ` #2` after its id and key.
    Number,
    /// The later ones are faulty.
    Reject,
}

/// What to do if a record referred to is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The record that refers is faulty.
    Reject,
    /// The reference is left out.
    Null,
    /// The reference is left out with a warning.
    Warn,
}

/// Which value counts if rows disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// That of the last row.
    Last,
    /// That of the first row.
    First,
    /// None: the later row is faulty.
    Reject,
}

/// How a field gets its value.
#[derive(Clone, Debug)]
pub struct FieldRule {
    /// The field.
    pub field: &'static FieldInfo,
    /// The value.
    pub value: FieldValue,
    /// Which value counts if rows disagree.
    pub conflict: Conflict,
    /// Whether an empty cell leaves the field alone instead of clearing it.
    pub keep_if_empty: bool,
    /// Whether the entries of a list are added to those that are there.
    pub add: bool,
    /// The columns it looks at, for messages.
    pub columns: String,
}

/// The value of a field.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// A value of its own.
    Own(ValueRule),
    /// References.
    Reference(ReferenceRule),
}

/// How references are found.
#[derive(Clone, Debug)]
pub struct ReferenceRule {
    /// The names of the records, in the space in which they are looked up.
    pub source: ValueRule,
    /// The number of the space.
    pub space: usize,
    /// Links to follow from the names found.
    pub through: Vec<usize>,
    /// What to do if there is no such record.
    pub missing: Missing,
    /// Whether a reference to the record itself is left out.
    pub not_self: bool,
}

/// A set of names in which each belongs to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    /// The kind of the records.
    pub kind: Kind,
    /// What sort of name.
    pub by: By,
}

/// A sort of name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The key.
    Key,
    /// The id in the system with this number; 0 is the mapping's own.
    External(usize),
}

impl Mapping {
    /// Reads a mapping and checks it against the table of kinds and fields.
    ///
    /// # Errors
    /// If it is no TOML, has an unknown key, or names a kind, field, enumeration value, link or column that makes no sense.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        check::parse(text)
    }

    /// Its name; changes it makes carry the source `import:<name>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The systems whose ids it writes or looks up; the first is its own.
    pub fn systems(&self) -> &[String] {
        &self.systems
    }

    /// Its tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The rules of all fields of all templates.
    pub fn rules(&self) -> &[FieldRule] {
        &self.rules
    }

    /// The spaces of names that it uses.
    pub fn spaces(&self) -> &[Space] {
        &self.spaces
    }

    /// The number of a space of names.
    pub fn space(&self, kind: Kind, by: By) -> Option<usize> {
        self.spaces.iter().position(|space| *space == Space { kind, by })
    }

    /// The names of its links.
    pub fn links(&self) -> &[String] {
        &self.links
    }

    /// The kinds that it writes.
    pub fn written(&self) -> impl Iterator<Item = Kind> + '_ {
        let writes = |kind: Kind| self.tables.iter().flat_map(|table| &table.records).any(|record| record.kind == kind);
        Kind::ALL.iter().copied().filter(move |kind| writes(*kind))
    }

    /// The kinds that it writes or refers to.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        Kind::ALL.iter().copied().filter(|kind| self.spaces.iter().any(|space| space.kind == *kind))
    }
}

#[cfg(test)]
#[path = "mapping/tests.rs"]
mod tests;
