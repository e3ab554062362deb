//! Which table of the mapping a file is for, and where its columns stand.

use std::path::Path;

use spil_proto::model::Kind;

use super::map::MapError;
use crate::{
    mapping::{Column, Mapping, Table},
    source::file::{CsvFile, Options},
};

/// A file with the table that it is for.
pub(super) struct Bound<'a> {
    pub(super) path: &'a Path,
    pub(super) number: u16,
    pub(super) table: &'a Table,
    pub(super) places: Vec<Option<usize>>,
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

pub(super) fn options(table: &Table) -> Options {
    Options { delimiter: table.delimiter, header: table.header.clone() }
}

/// Finds the table that a file is for: the first whose patterns fit the name and whose columns are all there.
pub(super) fn bind<'a>(mapping: &Mapping, path: &'a Path) -> Result<(usize, &'a Path, Vec<Option<usize>>), MapError> {
    let name = file_name(path);
    let mut reasons = Vec::new();
    for (number, table) in mapping.tables().iter().enumerate() {
        if !table.files.is_empty() && !table.files.iter().any(|pattern| pattern.matches(&name)) {
            reasons.push(format!("\"{}\" is for files of another name", table.name));
            continue;
        }
        let file = CsvFile::open(path, &options(table))?;
        match places(&file, &table.columns) {
            Ok(places) => return Ok((number, path, places)),
            Err(lacking) => reasons.push(format!("\"{}\" needs the columns {}", table.name, lacking.join(", "))),
        }
    }
    Err(MapError::NoTable { path: path.to_owned(), reason: reasons.join("; ") })
}

/// Where the columns stand in a file, or the names of those that it lacks.
fn places(file: &CsvFile, columns: &[Column]) -> Result<Vec<Option<usize>>, Vec<String>> {
    let mut lacking = Vec::new();
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let place = column.headers.iter().find_map(|header| file.columns(header).next());
        if place.is_none() && !column.optional {
            let names: Vec<String> = column.headers.iter().map(|header| format!("`{header}`")).collect();
            lacking.push(names.join(" or "));
        }
        places.push(place);
    }
    if lacking.is_empty() { Ok(places) } else { Err(lacking) }
}

/// For each kind with `retire_missing`, why nothing may be retired, if so.
pub(super) fn retirable(mapping: &Mapping, faults: &[(&Table, Option<String>)]) -> Vec<(Kind, Option<String>)> {
    let mut out: Vec<(Kind, Option<String>)> = Vec::new();
    let makes = |table: &Table, kind: Kind| table.records.iter().any(|record| record.kind == kind && !record.amend);
    for kind in mapping.written() {
        let asked = mapping
            .tables()
            .iter()
            .flat_map(|table| &table.records)
            .any(|record| record.kind == kind && record.retire_missing);
        if !asked {
            continue;
        }
        let mut reason = None;
        for table in mapping.tables().iter().filter(|table| makes(table, kind)) {
            let mut read = faults.iter().filter(|(other, _)| other.name == table.name).peekable();
            if read.peek().is_none() {
                reason = Some(format!("no file for the table \"{}\" was given", table.name));
            }
            if let Some(fault) = read.find_map(|(_, fault)| fault.clone()) {
                reason = Some(fault);
            }
        }
        out.push((kind, reason));
    }
    out
}
