//! Lists of rows in the order of their ids, as callers see them.

use std::{iter::FusedIterator, slice, sync::Arc};

use uuid::Uuid;

use crate::{
    Row,
    list::{List, Runs},
    table::Table,
};

/// Live records of one kind in the order of their ids, each once.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    table: &'a Table,
    runs: Runs<'a>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of_list(table: &'a Table, list: &'a List) -> Rows<'a> {
        Rows { table, runs: list.runs() }
    }

    /// Rows that are sorted already.
    pub(crate) fn of_slice(table: &'a Table, rows: &'a [u32]) -> Rows<'a> {
        Rows { table, runs: Runs::Slice(rows) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn iter(&self) -> RowsIter<'a> {
        self.runs.range(0..self.len())
    }

    /// The one at a place, counted from 0.
    pub fn get(&self, at: usize) -> Option<Row> {
        self.runs.get(at).map(Row)
    }

    /// Those at some places, counted from 0; places beyond the end are left out.
    pub fn range(&self, range: std::ops::Range<usize>) -> RowsIter<'a> {
        self.runs.range(range)
    }

    /// How many have a smaller id.
    pub fn count_before(&self, id: Uuid) -> usize {
        self.runs.partition_point(|row| self.table.id(Row(row)) < id)
    }

    /// The id at a place.
    pub(crate) fn id_at(&self, at: usize) -> Option<Uuid> {
        self.get(at).map(|row| self.table.id(row))
    }

    /// How many at the front satisfy a test; those that do have to come before those that do not.
    pub(crate) fn partition_point(&self, mut test: impl FnMut(Row) -> bool) -> usize {
        self.runs.partition_point(|row| test(Row(row)))
    }

    /// Those with a greater id, whether there is a record with that id or not.
    pub fn after(&self, id: Uuid) -> RowsIter<'a> {
        let start = self.runs.partition_point(|row| self.table.id(Row(row)) <= id);
        self.runs.range(start..self.len())
    }

    /// Those with a smaller id, whether there is a record with that id or not.
    pub fn before(&self, id: Uuid) -> RowsIter<'a> {
        self.runs.range(0..self.count_before(id))
    }

    /// Whether a row of the same table is among them.
    pub fn contains(&self, row: Row) -> bool {
        self.table.has_row(row) && self.get(self.count_before(self.table.id(row))) == Some(row)
    }
}

impl<'a> IntoIterator for Rows<'a> {
    type Item = Row;
    type IntoIter = RowsIter<'a>;

    fn into_iter(self) -> RowsIter<'a> {
        self.iter()
    }
}

/// Goes over [`Rows`] from either end.
#[derive(Clone, Debug)]
pub struct RowsIter<'a> {
    front: slice::Iter<'a, u32>,
    middle: slice::Iter<'a, Arc<Vec<u32>>>,
    back: slice::Iter<'a, u32>,
    left: usize,
}

impl<'a> RowsIter<'a> {
    /// The rows of `front`, of each of `middle`, and of `back`; `len` in all.
    pub(crate) fn new(front: &'a [u32], middle: &'a [Arc<Vec<u32>>], back: &'a [u32], len: usize) -> RowsIter<'a> {
        RowsIter { front: front.iter(), middle: middle.iter(), back: back.iter(), left: len }
    }
}

impl Iterator for RowsIter<'_> {
    type Item = Row;

    #[inline]
    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.front.next() {
                self.left -= 1;
                return Some(Row(*row));
            }
            match self.middle.next() {
                Some(piece) => self.front = piece.iter(),
                None => {
                    let row = self.back.next()?;
                    self.left -= 1;
                    return Some(Row(*row));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for RowsIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.back.next_back() {
                self.left -= 1;
                return Some(Row(*row));
            }
            match self.middle.next_back() {
                Some(piece) => self.back = piece.iter(),
                None => {
                    let row = self.front.next_back()?;
                    self.left -= 1;
                    return Some(Row(*row));
                }
            }
        }
    }
}

impl ExactSizeIterator for RowsIter<'_> {}
impl FusedIterator for RowsIter<'_> {}
