//! Whole numbers, as narrow as those of a block allow.

use crate::bits::Bits;

/// Numbers as distances from the least of them, in 0, 1, 2, 4 or 8 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Integers {
    present: Bits,
    base: i64,
    cells: Cells,
}

#[derive(Clone, Debug, Default)]
enum Cells {
    /// All numbers are the base.
    #[default]
    Same,
    Bytes(Vec<u8>),
    Halves(Vec<u16>),
    Words(Vec<u32>),
    Longs(Vec<u64>),
}

impl Integers {
    pub(crate) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<i64> {
        self.present.get(place).then(|| self.base.wrapping_add_unsigned(self.cells.get(place)))
    }

    pub(crate) fn set(&mut self, place: usize, value: Option<i64>) {
        let Some(value) = value else {
            self.present.set(place, false);
            return;
        };
        if self.present.is_empty() {
            *self = Integers { base: value, ..Integers::default() };
        }
        self.present.set(place, true);
        if value < self.base || !self.cells.set(place, value.abs_diff(self.base)) {
            self.rebuild(place, value);
        }
    }

    /// Stores all again with the least as the base, and as wide as the greatest needs; `place` gets `value`.
    fn rebuild(&mut self, place: usize, value: i64) {
        self.present.set(place, false);
        let all = || self.present.iter().filter_map(|at| Some((at, self.get(at)?))).chain([(place, value)]);
        let base = all().map(|(_, value)| value).min().unwrap_or(value);
        let greatest = all().map(|(_, value)| value.abs_diff(base)).max().unwrap_or_default();
        let mut cells = match greatest {
            0 => Cells::Same,
            1..=0xff => Cells::Bytes(Vec::new()),
            0x100..=0xffff => Cells::Halves(Vec::new()),
            0x1_0000..=0xffff_ffff => Cells::Words(Vec::new()),
            _ => Cells::Longs(Vec::new()),
        };
        for (at, value) in all() {
            cells.set(at, value.abs_diff(base));
        }
        self.cells = cells;
        self.base = base;
        self.present.set(place, true);
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.cells {
            Cells::Same => 0,
            Cells::Bytes(cells) => cells.capacity(),
            Cells::Halves(cells) => cells.capacity() * 2,
            Cells::Words(cells) => cells.capacity() * 4,
            Cells::Longs(cells) => cells.capacity() * 8,
        }
    }
}

impl Cells {
    /// The distance of a place from the base.
    #[inline]
    fn get(&self, place: usize) -> u64 {
        match self {
            Cells::Same => 0,
            Cells::Bytes(cells) => cells.get(place).copied().map_or(0, u64::from),
            Cells::Halves(cells) => cells.get(place).copied().map_or(0, u64::from),
            Cells::Words(cells) => cells.get(place).copied().map_or(0, u64::from),
            Cells::Longs(cells) => cells.get(place).copied().unwrap_or_default(),
        }
    }

    /// Writes a distance; false if it is too great for these cells.
    fn set(&mut self, place: usize, distance: u64) -> bool {
        fn put<T: Copy + Default + TryFrom<u64>>(cells: &mut Vec<T>, place: usize, distance: u64) -> bool {
            let Ok(distance) = T::try_from(distance) else { return false };
            if cells.len() <= place {
                cells.resize(place + 1, T::default());
            }
            cells[place] = distance;
            true
        }
        match self {
            Cells::Same => distance == 0,
            Cells::Bytes(cells) => put(cells, place, distance),
            Cells::Halves(cells) => put(cells, place, distance),
            Cells::Words(cells) => put(cells, place, distance),
            Cells::Longs(cells) => put(cells, place, distance),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_number() -> impl Strategy<Value = Option<i64>> {
        let near = 1_700_000_000_000_000_i64;
        prop_oneof![
            Just(None),
            (0..5_i64).prop_map(Some),
            (0..70_000_i64).prop_map(Some),
            (near..near + 5_000_000_000).prop_map(Some),
            any::<i64>().prop_map(Some),
            Just(Some(i64::MIN)),
            Just(Some(i64::MAX)),
        ]
    }

    proptest! {
        #[test]
        fn every_number_is_read_back(writes in prop::collection::vec((0..256_usize, any_number()), 0..300)) {
            let mut column = Integers::default();
            let mut expected = vec![None; 256];
            for (place, value) in writes {
                column.set(place, value);
                expected[place] = value;
                prop_assert_eq!(column.get(place), value);
            }
            for (place, value) in expected.iter().enumerate() {
                prop_assert_eq!(column.get(place), *value);
            }
            prop_assert_eq!(column.is_empty(), expected.iter().all(Option::is_none));
        }
    }

    #[test]
    fn numbers_are_as_narrow_as_they_can_be() {
        let mut column = Integers::default();
        for place in 0..256 {
            column.set(place, Some(1_700_000_000_000_000));
        }
        assert_eq!(column.size_bytes(), 0);
        for place in 0..256_usize {
            column.set(place, Some(1_700_000_000_000_000 + (place % 5) as i64));
        }
        assert_eq!(column.size_bytes(), 256);
    }
}
