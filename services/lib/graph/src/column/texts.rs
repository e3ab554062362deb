//! Texts of a block in one buffer.

use std::sync::Arc;

/// A longer text is kept on its own, so that a copy of the buffer stays cheap.
const SHORT: usize = 256;
/// The length that says: no text.
const ABSENT: u32 = u32::MAX;
/// The length that says: the text is among the long ones, at `start`.
const LONG: u32 = u32::MAX - 1;

/// Short texts one after the other in a buffer, long ones apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    slots: Vec<Slot>,
    buffer: String,
    /// Bytes of the buffer that no slot refers to.
    waste: usize,
    /// A text that was dropped leaves an empty one that can be taken.
    long: Vec<Option<Arc<str>>>,
    count: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: u32,
    len: u32,
}

impl Texts {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&str> {
        let slot = self.slots.get(place)?;
        let start = slot.start as usize;
        match slot.len {
            ABSENT => None,
            LONG => self.long.get(start)?.as_deref(),
            len => self.buffer.get(start..start + len as usize),
        }
    }

    pub(crate) fn set(&mut self, place: usize, text: Option<&str>) {
        if self.slots.len() <= place {
            if text.is_none() {
                return;
            }
            self.slots.resize(place + 1, Slot { start: 0, len: ABSENT });
        }
        self.drop_text(place);
        let Some(text) = text else { return };
        self.count += 1;
        let (start, len) = if text.len() > SHORT {
            let free = self.long.iter().position(Option::is_none).unwrap_or_else(|| {
                self.long.push(None);
                self.long.len() - 1
            });
            self.long[free] = Some(Arc::from(text));
            (free, LONG)
        } else {
            let start = self.buffer.len();
            self.buffer.push_str(text);
            // At most SHORT.
            (start, u32::try_from(text.len()).unwrap_or(0))
        };
        // The buffer holds at most twice 256 short texts.
        self.slots[place] = Slot { start: u32::try_from(start).unwrap_or(0), len };
    }

    fn drop_text(&mut self, place: usize) {
        let slot = self.slots[place];
        self.slots[place].len = ABSENT;
        match slot.len {
            ABSENT => return,
            LONG => {
                if let Some(text) = self.long.get_mut(slot.start as usize) {
                    *text = None;
                }
            }
            len => self.waste += len as usize,
        }
        self.count -= 1;
        if self.waste > 2 * SHORT && self.waste > self.buffer.len() / 2 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut buffer = String::with_capacity(self.buffer.len() - self.waste);
        for slot in &mut self.slots {
            if slot.len < LONG {
                let start = slot.start as usize;
                slot.start = u32::try_from(buffer.len()).unwrap_or(0);
                buffer.push_str(self.buffer.get(start..start + slot.len as usize).unwrap_or_default());
            }
        }
        self.buffer = buffer;
        self.waste = 0;
    }

    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.buffer.capacity()
            + self.long.capacity() * size_of::<Option<Arc<str>>>()
            + self.long.iter().flatten().map(|text| 24 + text.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_is_read_back(
            writes in prop::collection::vec(
                (0..40_usize, prop::option::of(("[aé]{0,9}", prop_oneof![Just(1), Just(30), Just(300)]))), 0..300)
        ) {
            let mut column = Texts::default();
            let mut expected: Vec<Option<String>> = vec![None; 40];
            for (place, text) in writes {
                let text = text.map(|(part, times)| part.repeat(times));
                column.set(place, text.as_deref());
                expected[place] = text;
                for (place, text) in expected.iter().enumerate() {
                    prop_assert_eq!(column.get(place), text.as_deref());
                }
                prop_assert!(column.buffer.len() <= 2 * 40 * SHORT + 4 * SHORT);
            }
            prop_assert_eq!(column.is_empty(), expected.iter().all(Option::is_none));
        }
    }
}
