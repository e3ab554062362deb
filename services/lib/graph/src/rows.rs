//! Lists of rows in the order of their ids, as callers see them.

use std::{iter::FusedIterator, slice, sync::Arc, vec};

use uuid::Uuid;

use crate::{
    Row,
    list::{List, Runs},
    table::Table,
};

/// Live records of one kind in the order of their ids, each once.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    table: &'a Table,
    held: Held<'a>,
}

#[derive(Clone, Debug)]
enum Held<'a> {
    /// As they stand in the graph.
    Runs(Runs<'a>),
    /// A part of them.
    Own(Vec<u32>),
}

impl<'a> Rows<'a> {
    pub(crate) fn of_list(table: &'a Table, list: &'a List) -> Rows<'a> {
        Rows { table, held: Held::Runs(list.runs()) }
    }

    /// Rows that are sorted already.
    pub(crate) fn of_slice(table: &'a Table, rows: &'a [u32]) -> Rows<'a> {
        Rows { table, held: Held::Runs(Runs::Slice(rows)) }
    }

    /// Rows that are sorted already, of nobody else.
    pub(crate) fn of_vec(table: &'a Table, rows: Vec<u32>) -> Rows<'a> {
        Rows { table, held: Held::Own(rows) }
    }

    /// The same, held by somebody else.
    pub(crate) fn borrowed(&self) -> Rows<'_> {
        Rows { table: self.table, held: Held::Runs(self.runs()) }
    }

    #[inline]
    fn runs(&self) -> Runs<'_> {
        match &self.held {
            Held::Runs(runs) => *runs,
            Held::Own(rows) => Runs::Slice(rows),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn iter(&self) -> RowsIter<'_> {
        self.runs().range(0..self.len())
    }

    /// The one at a place, counted from 0.
    pub fn get(&self, at: usize) -> Option<Row> {
        self.runs().get(at).map(Row)
    }

    /// Those at some places, counted from 0; places beyond the end are left out.
    pub fn range(&self, range: std::ops::Range<usize>) -> RowsIter<'_> {
        self.runs().range(range)
    }

    /// How many have a smaller id.
    pub fn count_before(&self, id: Uuid) -> usize {
        self.runs().partition_point(|row| self.table.id(Row(row)) < id)
    }

    /// The id at a place.
    pub(crate) fn id_at(&self, at: usize) -> Option<Uuid> {
        self.get(at).map(|row| self.table.id(row))
    }

    /// How many at the front satisfy a test; those that do have to come before those that do not.
    pub(crate) fn partition_point(&self, mut test: impl FnMut(Row) -> bool) -> usize {
        self.runs().partition_point(|row| test(Row(row)))
    }

    /// Those with a greater id, whether there is a record with that id or not.
    pub fn after(&self, id: Uuid) -> RowsIter<'_> {
        let start = self.runs().partition_point(|row| self.table.id(Row(row)) <= id);
        self.runs().range(start..self.len())
    }

    /// Those with a smaller id, whether there is a record with that id or not.
    pub fn before(&self, id: Uuid) -> RowsIter<'_> {
        self.runs().range(0..self.count_before(id))
    }

    /// Whether a row of the same table is among them.
    pub fn contains(&self, row: Row) -> bool {
        self.table.has_row(row) && self.get(self.count_before(self.table.id(row))) == Some(row)
    }
}

impl<'a> IntoIterator for &'a Rows<'_> {
    type Item = Row;
    type IntoIter = RowsIter<'a>;

    fn into_iter(self) -> RowsIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for Rows<'a> {
    type Item = Row;
    type IntoIter = RowsIter<'a>;

    fn into_iter(self) -> RowsIter<'a> {
        match self.held {
            Held::Runs(runs) => runs.range(0..runs.len()),
            Held::Own(rows) => RowsIter::of_vec(rows),
        }
    }
}

/// Goes over [`Rows`] from either end.
#[derive(Clone, Debug)]
pub struct RowsIter<'a> {
    front: slice::Iter<'a, u32>,
    middle: slice::Iter<'a, Arc<Vec<u32>>>,
    back: slice::Iter<'a, u32>,
    /// Rows of its own instead.
    own: vec::IntoIter<u32>,
    left: usize,
}

impl<'a> RowsIter<'a> {
    /// The rows of `front`, of each of `middle`, and of `back`; `len` in all.
    pub(crate) fn new(front: &'a [u32], middle: &'a [Arc<Vec<u32>>], back: &'a [u32], len: usize) -> RowsIter<'a> {
        let own = Vec::new().into_iter();
        RowsIter { front: front.iter(), middle: middle.iter(), back: back.iter(), own, left: len }
    }

    fn of_vec(rows: Vec<u32>) -> RowsIter<'a> {
        let mut iter = RowsIter::new(&[], &[], &[], rows.len());
        iter.own = rows.into_iter();
        iter
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
                    let row = self.back.next().copied().or_else(|| self.own.next())?;
                    self.left -= 1;
                    return Some(Row(row));
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
                    let row = self.front.next_back().copied().or_else(|| self.own.next_back())?;
                    self.left -= 1;
                    return Some(Row(row));
                }
            }
        }
    }
}

impl ExactSizeIterator for RowsIter<'_> {}
impl FusedIterator for RowsIter<'_> {}
