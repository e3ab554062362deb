//! A set of rows of one table.

use std::fmt;

use crate::Row;

/// Rows of one table, one bit for each up to the greatest.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    len: usize,
}

impl RowSet {
    /// Takes a row in; whether it is new.
    pub fn insert(&mut self, row: Row) -> bool {
        let (word, bit) = split(row);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// Whether a row is among them.
    #[inline]
    pub fn contains(&self, row: Row) -> bool {
        let (word, bit) = split(row);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        (0..).zip(&self.words).flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(Row(at * u64::BITS + bit))
            })
        })
    }
}

fn split(row: Row) -> (usize, u64) {
    ((row.0 / u64::BITS) as usize, 1 << (row.0 % u64::BITS))
}

impl Extend<Row> for RowSet {
    fn extend<T: IntoIterator<Item = Row>>(&mut self, rows: T) {
        for row in rows {
            self.insert(row);
        }
    }
}

impl FromIterator<Row> for RowSet {
    fn from_iter<T: IntoIterator<Item = Row>>(rows: T) -> Self {
        let mut set = RowSet::default();
        set.extend(rows);
        set
    }
}

impl fmt::Debug for RowSet {
    /// Says how many there are: which ones would tell what somebody sees.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowSet").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in(rows in prop::collection::vec(0..300_u32, 0..50)) {
            let set: RowSet = rows.iter().copied().map(Row).collect();
            let expected: BTreeSet<u32> = rows.into_iter().collect();
            prop_assert_eq!(set.len(), expected.len());
            prop_assert_eq!(set.iter().map(|row| row.0).collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
            for row in 0..400 {
                prop_assert_eq!(set.contains(Row(row)), expected.contains(&row));
            }
        }
    }
}
