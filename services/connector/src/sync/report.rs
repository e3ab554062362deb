//! What became of an import.

use std::{collections::BTreeMap, fmt};

use spil_proto::model::Kind;
use uuid::Uuid;

/// The most problems of each sort that are kept in full; the others are counted.
pub const MAX_KEPT: usize = 1000;

/// What became of an import, or what would become of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The name of the mapping.
    pub mapping: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Names this import in the provenance of what it wrote.
    pub run: Uuid,
    /// The files, in the order in which they were read.
    pub files: Vec<FileRead>,
    /// What became of the records.
    pub kinds: BTreeMap<Kind, Counts>,
    /// Rows that were left out on purpose.
    pub skipped: Vec<Skipped>,
    /// Rows and records that were refused.
    pub rejected: Problems,
    /// What the reader should know.
    pub warnings: Problems,
    /// In a dry run: records that the owners were not asked about, because they refer to records of another batch.
    pub unchecked: u64,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// Its name.
    pub name: String,
    /// The table of the mapping that it is for.
    pub table: String,
    /// How many rows it has, without the header.
    pub rows: u64,
}

/// How many records of a kind had which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New.
    pub created: u64,
    /// Changed.
    pub updated: u64,
    /// As asked for already.
    pub unchanged: u64,
    /// Retired, because no row makes them any more.
    pub retired: u64,
    /// Refused: rows that could not be used for this kind, and records that break a rule.
    pub rejected: u64,
}

/// Rows that were left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: u64,
    /// The line of the first.
    pub first_line: u64,
}

/// Problems: the first ones in full, all of them counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The first ones.
    pub first: Vec<Problem>,
    /// How many there are.
    pub total: u64,
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; empty if it is about no file.
    pub file: String,
    /// The line; 0 if it is about no line.
    pub line: u64,
    /// The column or field; empty if it is about the whole row.
    pub column: String,
    /// The kind of record; none if it is about the row itself.
    pub kind: Option<Kind>,
    /// What is wrong.
    pub reason: String,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.total += 1;
        if self.first.len() < MAX_KEPT {
            self.first.push(problem);
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
        const SHOWN: usize = 40;
        if self.total == 0 {
            return Ok(());
        }
        writeln!(f, "\n{title} ({})", self.total)?;
        for problem in self.first.iter().take(SHOWN) {
            writeln!(f, "  {problem}")?;
        }
        let rest = self.total.saturating_sub(self.first.len().min(SHOWN) as u64);
        if rest > 0 { writeln!(f, "  … and {rest} more") } else { Ok(()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, _) => {}
            (false, 0) => write!(f, "{}: ", self.file)?,
            (false, line) => write!(f, "{}:{line}: ", self.file)?,
        }
        if let Some(kind) = self.kind {
            write!(f, "{}", kind.info().name)?;
            if self.column.is_empty() { write!(f, ": ")? } else { write!(f, " [{}]: ", self.column)? }
        } else if !self.column.is_empty() {
            write!(f, "[{}]: ", self.column)?;
        }
        f.write_str(&self.reason)
    }
}

impl Report {
    /// The counts of a kind.
    pub fn of(&self, kind: Kind) -> Counts {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// The counts of a kind, to be changed.
    pub fn counts(&mut self, kind: Kind) -> &mut Counts {
        self.kinds.entry(kind).or_default()
    }

    /// The counts of all kinds together.
    pub fn sum(&self) -> Counts {
        self.kinds.values().fold(Counts::default(), |sum, counts| Counts {
            created: sum.created + counts.created,
            updated: sum.updated + counts.updated,
            unchanged: sum.unchanged + counts.unchanged,
            retired: sum.retired + counts.retired,
            rejected: sum.rejected + counts.rejected,
        })
    }

    /// Counts a row that was left out on purpose.
    pub(crate) fn skip(&mut self, file: &str, reason: &str, line: u64) {
        match self.skipped.iter_mut().find(|skipped| skipped.file == file && skipped.reason == reason) {
            Some(skipped) => skipped.rows += 1,
            None => self.skipped.push(Skipped {
                file: file.to_owned(),
                reason: reason.to_owned(),
                rows: 1,
                first_line: line,
            }),
        }
    }

    /// Counts something refused.
    pub(crate) fn reject(&mut self, problem: Problem) {
        if let Some(kind) = problem.kind {
            self.counts(kind).rejected += 1;
        }
        self.rejected.push(problem);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dry_run {
            true => writeln!(f, "Import \"{}\" (dry run: nothing was written)\n", self.mapping)?,
            false => writeln!(f, "Import \"{}\", run {}\n", self.mapping, self.run)?,
        }
        let width = self.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(f, "{:width$}  {:>9}  table", "file", "rows")?;
        for file in &self.files {
            writeln!(f, "{:width$}  {:>9}  {}", file.name, file.rows, file.table)?;
        }
        let width = self.kinds.keys().map(|kind| kind.info().name.len()).max().unwrap_or(0).max(5);
        writeln!(
            f,
            "\n{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}",
            "kind", "created", "updated", "unchanged", "retired", "rejected"
        )?;
        let all = self.kinds.iter().map(|(kind, counts)| (kind.info().name, *counts));
        for (name, counts) in all.chain((self.kinds.len() > 1).then(|| ("total", self.sum()))) {
            writeln!(
                f,
                "{name:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}",
                counts.created, counts.updated, counts.unchanged, counts.retired, counts.rejected
            )?;
        }
        if self.unchecked > 0 {
            writeln!(
                f,
                "\n{} records refer to records that are not there yet; the owners were not asked about them",
                self.unchecked
            )?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "\nskipped rows")?;
            for skipped in &self.skipped {
                writeln!(
                    f,
                    "  {}: {} (first on line {}): {}",
                    skipped.file, skipped.rows, skipped.first_line, skipped.reason
                )?;
            }
        }
        self.rejected.write(f, "rejected")?;
        self.warnings.write(f, "warnings")
    }
}
