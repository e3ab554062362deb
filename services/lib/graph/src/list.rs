//! Rows sorted by the id of their records: short lists in one piece, long ones in several.

use std::{ops::Range, sync::Arc};

use uuid::Uuid;

use crate::rows::RowsIter;

/// The most rows of a list in one piece.
const FEW: usize = 128;
/// The most rows of a piece of a long list; a very long one has longer pieces, so that there are not too many of them.
fn piece_limit(len: usize) -> usize {
    (4 * len.isqrt()).next_power_of_two().max(1024)
}

/// Where the ids of the rows are to be looked up.
pub(crate) trait Ids {
    fn id_of(&self, row: u32) -> Uuid;
}

/// A list of rows of one table, sorted by id, each once.
#[derive(Clone, Debug, Default)]
pub(crate) enum List {
    #[default]
    Empty,
    One(u32),
    Few(Arc<[u32]>),
    Many(Arc<Many>),
}

/// A long list.
#[derive(Clone, Debug)]
pub(crate) struct Many {
    len: usize,
    /// The id of the last row: most rows that are added come after it.
    last: Uuid,
    /// None is empty.
    pieces: Vec<Arc<Vec<u32>>>,
}

/// The rows of a list or of any sorted slice, to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runs<'a> {
    Slice(&'a [u32]),
    Pieces { len: usize, pieces: &'a [Arc<Vec<u32>>] },
}

impl<'a> Runs<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Runs::Slice(rows) => rows.len(),
            Runs::Pieces { len, .. } => len,
        }
    }

    /// How many rows at the front satisfy the test; those that do come before those that do not.
    pub(crate) fn partition_point(self, mut test: impl FnMut(u32) -> bool) -> usize {
        match self {
            Runs::Slice(rows) => rows.partition_point(|row| test(*row)),
            Runs::Pieces { pieces, .. } => {
                let at = pieces.partition_point(|piece| piece.last().is_some_and(|row| test(*row)));
                let before: usize = pieces[..at].iter().map(|piece| piece.len()).sum();
                before + pieces.get(at).map_or(0, |piece| piece.partition_point(|row| test(*row)))
            }
        }
    }

    /// The row at a place.
    pub(crate) fn get(self, at: usize) -> Option<u32> {
        match self {
            Runs::Slice(rows) => rows.get(at).copied(),
            Runs::Pieces { pieces, .. } => {
                let (piece, offset) = locate(pieces, at);
                pieces.get(piece)?.get(offset).copied()
            }
        }
    }

    /// The rows at some places.
    pub(crate) fn range(self, range: Range<usize>) -> RowsIter<'a> {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        match self {
            Runs::Slice(rows) => RowsIter::new(&rows[start..end], &[], &[], end - start),
            Runs::Pieces { pieces, .. } => {
                let (first, from) = locate(pieces, start);
                let (last, to) = locate(pieces, end);
                let tail = |piece: usize| pieces.get(piece).map_or(&[][..], |piece| piece.as_slice());
                if first == last {
                    return RowsIter::new(&tail(first)[from..to], &[], &[], end - start);
                }
                RowsIter::new(&tail(first)[from..], &pieces[first + 1..last], &tail(last)[..to], end - start)
            }
        }
    }
}

/// The piece that holds a place, and where in it. The end of the list is at the start of the piece after the last.
fn locate(pieces: &[Arc<Vec<u32>>], mut at: usize) -> (usize, usize) {
    for (number, piece) in pieces.iter().enumerate() {
        if at < piece.len() {
            return (number, at);
        }
        at -= piece.len();
    }
    (pieces.len(), 0)
}

impl List {
    pub(crate) fn runs(&self) -> Runs<'_> {
        match self {
            List::Empty => Runs::Slice(&[]),
            List::One(row) => Runs::Slice(std::slice::from_ref(row)),
            List::Few(rows) => Runs::Slice(rows),
            List::Many(many) => Runs::Pieces { len: many.len, pieces: &many.pieces },
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.runs().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, List::Empty)
    }

    /// Puts a row in its place; nothing happens if it is there.
    pub(crate) fn insert(&mut self, row: u32, ids: &impl Ids) {
        let id = ids.id_of(row);
        match self {
            List::Empty => *self = List::One(row),
            List::One(other) if *other == row => {}
            List::One(other) => {
                let pair = if ids.id_of(*other) < id { [*other, row] } else { [row, *other] };
                *self = List::Few(Arc::new(pair));
            }
            List::Few(rows) => {
                let at = place(rows, id, ids);
                if rows.get(at) == Some(&row) {
                    return;
                }
                let (before, after) = rows.split_at(at);
                let all = before.iter().copied().chain(std::iter::once(row)).chain(after.iter().copied());
                *self = if rows.len() < FEW {
                    List::Few(all.collect())
                } else {
                    let rows: Vec<u32> = all.collect();
                    let last = rows.last().map_or(id, |row| ids.id_of(*row));
                    List::Many(Arc::new(Many { len: rows.len(), last, pieces: vec![Arc::new(rows)] }))
                };
            }
            List::Many(many) => Arc::make_mut(many).insert(row, id, ids),
        }
    }

    /// Takes a row out; nothing happens if it is not there.
    pub(crate) fn remove(&mut self, row: u32, ids: &impl Ids) {
        match self {
            List::Empty => {}
            List::One(other) => {
                if *other == row {
                    *self = List::Empty;
                }
            }
            List::Few(rows) => {
                let at = place(rows, ids.id_of(row), ids);
                if rows.get(at) != Some(&row) {
                    return;
                }
                *self = match &**rows {
                    [a, b] => List::One(if at == 0 { *b } else { *a }),
                    rows => List::Few(rows[..at].iter().chain(&rows[at + 1..]).copied().collect()),
                };
            }
            List::Many(many) => {
                let changed = Arc::make_mut(many);
                changed.remove(row, ids);
                if changed.len <= FEW / 2 {
                    *self = List::Few(changed.pieces.iter().flat_map(|piece| piece.iter().copied()).collect());
                }
            }
        }
    }

    /// The heap in use.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            List::Empty | List::One(_) => 0,
            List::Few(rows) => 24 + rows.len() * 4,
            List::Many(many) => {
                64 + many.pieces.capacity() * 8
                    + many.pieces.iter().map(|piece| 56 + piece.capacity() * 4).sum::<usize>()
            }
        }
    }
}

/// Where a record with the id is, or would have to be.
fn place(rows: &[u32], id: Uuid, ids: &impl Ids) -> usize {
    // Most rows come in the order of their ids.
    match rows.last() {
        Some(last) if ids.id_of(*last) < id => rows.len(),
        _ => rows.partition_point(|row| ids.id_of(*row) < id),
    }
}

impl Many {
    fn insert(&mut self, row: u32, id: Uuid, ids: &impl Ids) {
        let limit = piece_limit(self.len);
        if id > self.last {
            self.last = id;
            self.len += 1;
            match self.pieces.last_mut() {
                Some(piece) if piece.len() < limit => Arc::make_mut(piece).push(row),
                // Rows that come in order leave full pieces behind.
                _ => self.pieces.push(Arc::new(vec![row])),
            }
            return;
        }
        let number = self.piece_of(id, ids);
        let Some(piece) = self.pieces.get_mut(number) else { return };
        let at = piece.partition_point(|row| ids.id_of(*row) < id);
        if piece.get(at) == Some(&row) {
            return;
        }
        self.len += 1;
        let piece = Arc::make_mut(piece);
        piece.insert(at, row);
        if piece.len() > limit {
            let right = piece.split_off(piece.len() / 2);
            piece.shrink_to_fit();
            self.pieces.insert(number + 1, Arc::new(right));
        }
    }

    fn remove(&mut self, row: u32, ids: &impl Ids) {
        let id = ids.id_of(row);
        let number = self.piece_of(id, ids);
        let Some(piece) = self.pieces.get_mut(number) else { return };
        let at = place(piece, id, ids);
        if piece.get(at) != Some(&row) {
            return;
        }
        self.len -= 1;
        let piece = Arc::make_mut(piece);
        piece.remove(at);
        let left = piece.len();
        let next_len = self.pieces.get(number + 1).map_or(usize::MAX, |next| next.len());
        if left == 0 {
            self.pieces.remove(number);
        } else if left.saturating_add(next_len) <= piece_limit(self.len) / 2 {
            let next = self.pieces.remove(number + 1);
            Arc::make_mut(&mut self.pieces[number]).extend_from_slice(&next);
        }
        if id == self.last {
            let last = self.pieces.last().and_then(|piece| piece.last());
            self.last = last.map_or(Uuid::nil(), |row| ids.id_of(*row));
        }
    }

    /// The first piece that does not end before the id; beyond the last if all do.
    fn piece_of(&self, id: Uuid, ids: &impl Ids) -> usize {
        self.pieces.partition_point(|piece| piece.last().is_some_and(|row| ids.id_of(*row) < id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that are not in the order of the rows.
    struct Scrambled;

    impl Ids for Scrambled {
        fn id_of(&self, row: u32) -> Uuid {
            Uuid::from_u128(u128::from(row.wrapping_mul(2_654_435_761).rotate_left(7)))
        }
    }

    fn sorted(rows: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut rows: Vec<u32> = rows.collect();
        rows.sort_by_key(|row| Scrambled.id_of(*row));
        rows
    }

    fn contents(list: &List) -> Vec<u32> {
        list.runs().range(0..list.len()).map(|row| row.0).collect()
    }

    #[test]
    fn long_lists_stay_sorted_while_they_grow_and_shrink() {
        let mut list = List::default();
        for row in 0..10_000 {
            list.insert(row, &Scrambled);
            list.insert(row, &Scrambled);
        }
        assert_eq!(contents(&list), sorted(0..10_000));
        let copy = list.clone();
        for row in (0..10_000).filter(|row| row % 100 != 0) {
            list.remove(row, &Scrambled);
            list.remove(row, &Scrambled);
        }
        assert_eq!(contents(&list), sorted((0..10_000).step_by(100)));
        assert_eq!(contents(&copy), sorted(0..10_000));
        for row in (0..10_000).step_by(100) {
            list.remove(row, &Scrambled);
        }
        assert!(list.is_empty(), "{list:?}");
    }

    #[test]
    fn any_part_can_be_read_from_both_ends() {
        let mut list = List::default();
        for row in 0..5000 {
            list.insert(row, &Scrambled);
        }
        let all = sorted(0..5000);
        for (start, end) in
            [(0, 0), (0, 1), (0, 5000), (4999, 5000), (2000, 2100), (10, 4990), (5000, 9000), (2048, 4096)]
        {
            let part: Vec<u32> = list.runs().range(start..end).map(|row| row.0).collect();
            assert_eq!(part, all[start.min(5000)..end.min(5000)]);
            let mut back: Vec<u32> = list.runs().range(start..end).rev().map(|row| row.0).collect();
            back.reverse();
            assert_eq!(part, back);
            let mut iter = list.runs().range(start..end);
            let mut taken = 0;
            while iter.next().is_some() {
                taken += 1;
                taken += usize::from(iter.next_back().is_some());
                assert_eq!(iter.len(), part.len() - taken);
            }
            assert_eq!(taken, part.len());
        }
        for at in [0, 1, 2047, 2048, 4999] {
            assert_eq!(list.runs().get(at), Some(all[at]));
            assert_eq!(list.runs().partition_point(|row| Scrambled.id_of(row) < Scrambled.id_of(all[at])), at);
        }
        assert_eq!(list.runs().get(5000), None);
    }
}
