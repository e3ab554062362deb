//! CSV files (RFC 4180 and what programs make of it), row by row.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use csv::StringRecord;

use super::decode::{DecodeError, Decoder, RowBudget};

/// The most bytes of a row.
pub const MAX_ROW_BYTES: u64 = 16 << 20;
/// The most columns of a file.
pub const MAX_COLUMNS: usize = 4096;

/// How to read a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What separates the cells; found out from the first row if it is not given.
    pub delimiter: Option<u8>,
    /// The names of the columns of a file that has no header row.
    pub header: Option<Vec<String>>,
}

/// Why a file can not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file can not be opened or read.
    #[error("{path}: can not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is no text in UTF-8.
    #[error("{path}: {problem}")]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: DecodeError,
    },
    /// There is not even a header row.
    #[error("{path}: the file is empty; a header row is due")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file has an absurd number of columns.
    #[error("{path}: {columns} columns where at most {MAX_COLUMNS} are allowed")]
    Columns {
        /// The file.
        path: PathBuf,
        /// How many there are.
        columns: usize,
    },
    /// The rows can not be told apart.
    #[error("{path}: no CSV")]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        #[source]
        source: csv::Error,
    },
}

/// An open file.
#[derive(Debug)]
pub struct CsvFile {
    path: PathBuf,
    delimiter: u8,
    header: Vec<String>,
    reader: csv::Reader<BufReader<Decoder<File>>>,
    record: StringRecord,
    budget: RowBudget,
}

/// A row: its cells and where it starts.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The line of the file on which the row starts; the first is 1.
    pub line: u64,
    /// The cells, as they stand in the file.
    pub cells: &'a StringRecord,
}

impl CsvFile {
    /// Opens a file and reads its header row.
    ///
    /// # Errors
    /// If it can not be read, is no UTF-8 text, or is empty.
    pub fn open(path: &Path, options: &Options) -> Result<Self, SourceError> {
        let opened = File::open(path).map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
        let budget = RowBudget::new(MAX_ROW_BYTES);
        let mut text = BufReader::with_capacity(64 << 10, Decoder::new(opened, budget.clone()));
        let start = text.fill_buf().map_err(|source| failure(path, source))?;
        let delimiter = options.delimiter.unwrap_or_else(|| sniff(start));
        let reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
        let mut file =
            Self { path: path.to_owned(), delimiter, header: Vec::new(), reader, record: StringRecord::new(), budget };
        match &options.header {
            Some(names) => file.header.clone_from(names),
            None => {
                let Some(row) = file.next_row()? else { return Err(SourceError::Empty { path: path.to_owned() }) };
                file.header = row.cells.iter().map(|name| name.trim().to_owned()).collect();
            }
        }
        if file.header.len() > MAX_COLUMNS {
            return Err(SourceError::Columns { path: path.to_owned(), columns: file.header.len() });
        }
        Ok(file)
    }

    /// What separates the cells.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The names of the columns, without blanks around them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The columns with a name: none, one, or several if the header repeats it. Case and the width of blanks do not count.
    pub fn columns<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.header.iter().enumerate().filter(move |(_, header)| same_name(header, name)).map(|(place, _)| place)
    }

    /// The next row; `None` after the last. Empty lines are no rows.
    ///
    /// # Errors
    /// If the file can not be read on or is no UTF-8 text.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, SourceError> {
        self.budget.reset();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                // The reader stands behind the line end; that also counts right where empty lines were passed over.
                let inside: usize =
                    self.record.iter().map(|cell| cell.bytes().filter(|byte| *byte == b'\n').count()).sum();
                let line = self.reader.position().line().saturating_sub(1 + inside as u64).max(1);
                Ok(Some(Row { line, cells: &self.record }))
            }
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(source) => failure(&self.path, source),
                kind => SourceError::Csv {
                    path: self.path.clone(),
                    source: csv::Error::from(io::Error::other(format!("{kind:?}"))),
                },
            }),
        }
    }
}

fn failure(path: &Path, source: io::Error) -> SourceError {
    match source.downcast::<DecodeError>() {
        Ok(problem) => SourceError::Text { path: path.to_owned(), problem },
        Err(source) => SourceError::Read { path: path.to_owned(), source },
    }
}

/// The separator that the first row has most of, outside quotation marks.
fn sniff(text: &[u8]) -> u8 {
    let candidates = [b',', b';', b'\t'];
    let mut counts = [0_usize; 3];
    let mut quoted = false;
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted && counts.iter().any(|count| *count > 0) => break,
            _ if quoted => {}
            _ => {
                if let Some(count) = candidates.iter().position(|c| c == byte).and_then(|at| counts.get_mut(at)) {
                    *count += 1;
                }
            }
        }
    }
    let [comma, semicolon, tab] = counts;
    if tab > comma && tab > semicolon {
        b'\t'
    } else if semicolon > comma {
        b';'
    } else {
        b','
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a == b
        || a.split_whitespace()
            .flat_map(|word| word.chars().flat_map(char::to_lowercase).chain([' ']))
            .eq(b.split_whitespace().flat_map(|word| word.chars().flat_map(char::to_lowercase).chain([' '])))
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
