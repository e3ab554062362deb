//! A set of places within a block.

use crate::block::BLOCK_ROWS;

const WORDS: usize = BLOCK_ROWS / 64;

/// One bit for each row of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits([u64; WORDS]);

impl Bits {
    pub(crate) fn get(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, place: usize, on: bool) {
        let bit = 1 << (place % 64);
        if on {
            self.0[place / 64] |= bit;
        } else {
            self.0[place / 64] &= !bit;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0 == [u64::MAX; WORDS]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..BLOCK_ROWS).filter(|&place| self.get(place))
    }
}
