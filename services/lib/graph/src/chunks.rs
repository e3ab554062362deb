//! A vector that is cheap to clone and cheap to change after it was cloned.

use std::sync::Arc;

/// How many items share a group.
const GROUP: usize = 128;

type Group<T> = Arc<[Arc<T>]>;

/// Items behind two levels of `Arc`: a change copies the root, one group and one item, and shares the rest.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    root: Arc<[Group<T>]>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks { root: Arc::default(), len: 0 }
    }
}

impl<T: Clone> Chunks<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The item at a place below `len`.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> &T {
        &self.root[at / GROUP][at % GROUP]
    }

    /// The item at a place as it is shared with clones; none beyond the end.
    pub(crate) fn share(&self, at: usize) -> Option<&Arc<T>> {
        self.root.get(at / GROUP)?.get(at % GROUP)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> &mut T {
        let group = &mut Arc::make_mut(&mut self.root)[at / GROUP];
        Arc::make_mut(&mut Arc::make_mut(group)[at % GROUP])
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(GROUP) {
            let group: Group<T> = Arc::new([Arc::new(item)]);
            self.root = self.root.iter().cloned().chain(std::iter::once(group)).collect();
        } else if let Some(group) = Arc::make_mut(&mut self.root).last_mut() {
            *group = group.iter().cloned().chain(std::iter::once(Arc::new(item))).collect();
        }
        self.len += 1;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.root.iter().flat_map(|group| group.iter().map(|item| &**item))
    }

    /// The heap in use, without what the items themselves have on the heap.
    pub(crate) fn size_bytes(&self) -> usize {
        let item = size_of::<T>() + 16 + size_of::<Arc<T>>();
        self.len * item + self.root.len() * (16 + size_of::<Group<T>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_had() {
        let mut chunks = Chunks::default();
        for item in 0..1000 {
            chunks.push(item);
        }
        let before = chunks.clone();
        *chunks.get_mut(500) = 7;
        chunks.push(1000);
        assert_eq!(before.iter().copied().collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
        assert_eq!((*chunks.get(500), *chunks.get(1000), chunks.len()), (7, 1000, 1001));
        assert_eq!(*before.get(500), 500);
    }

    #[test]
    fn a_change_copies_one_item() {
        let mut chunks = Chunks::default();
        for item in 0..1000 {
            chunks.push(vec![item]);
        }
        let before = chunks.clone();
        chunks.get_mut(500).push(1);
        let shared = before.iter().zip(chunks.iter()).filter(|(a, b)| std::ptr::eq(*a, *b)).count();
        assert_eq!(shared, 999);
    }
}
