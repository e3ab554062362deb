//! The groups that people are in: a tree.

use std::collections::HashMap;

/// A group before it has a place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What identifies it for ever.
    pub key: u128,
    /// The group that it is a part of; none if it is a part of the whole only, or of what is not there.
    pub parent: Option<u128>,
    /// Whether anybody can be in it itself, not in a part of it, as far as everybody knows. Where nobody can, that nobody is says nothing.
    pub is_open: bool,
    /// How large it is by itself, without its parts, as far as everybody knows: its positions, say, filled or not. Where a group has to be hidden for the sake of
    /// another, it is the one with the
    /// least. It must not depend on who is in it: which group is hidden would tell how many are.
    pub weight: u64,
}

/// A tree of groups. The first is everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    keys: Vec<Option<u128>>,
    /// A parent comes before its parts.
    parents: Vec<usize>,
    parts: Vec<Vec<usize>>,
    open: Vec<bool>,
    weights: Vec<u64>,
    by_key: HashMap<u128, usize>,
}

impl Groups {
    /// The place of the group of everybody.
    pub const EVERYBODY: usize = 0;

    /// The tree of some groups. Those that are part of nothing there, or of themselves in a circle, are parts of the whole. Of two with
    /// one key the first counts.
    pub fn new(groups: &[Group]) -> Self {
        let mut known: HashMap<u128, &Group> = HashMap::with_capacity(groups.len());
        for group in groups {
            known.entry(group.key).or_insert(group);
        }
        let mut below: HashMap<Option<u128>, Vec<&Group>> = HashMap::new();
        for group in
            groups.iter().filter(|group| known.get(&group.key).is_some_and(|first| std::ptr::eq(*first, *group)))
        {
            below.entry(group.parent.filter(|parent| known.contains_key(parent))).or_default().push(group);
        }
        let mut tree = Self {
            keys: vec![None],
            parents: vec![0],
            parts: vec![Vec::new()],
            open: vec![true],
            weights: vec![0],
            by_key: HashMap::new(),
        };
        tree.add_below(None, Self::EVERYBODY, &below);
        // What is left stands in circles.
        for group in groups {
            if !tree.by_key.contains_key(&group.key) {
                let place = tree.add(group, Self::EVERYBODY);
                tree.add_below(Some(group.key), place, &below);
            }
        }
        for place in (1..tree.len()).rev() {
            let weight = tree.weights[place];
            let above = &mut tree.weights[tree.parents[place]];
            *above = above.saturating_add(weight);
        }
        tree
    }

    fn add(&mut self, group: &Group, parent: usize) -> usize {
        let place = self.keys.len();
        self.keys.push(Some(group.key));
        self.parents.push(parent);
        self.parts.push(Vec::new());
        self.open.push(group.is_open);
        self.weights.push(group.weight);
        self.parts[parent].push(place);
        self.by_key.insert(group.key, place);
        place
    }

    fn add_below(&mut self, key: Option<u128>, place: usize, below: &HashMap<Option<u128>, Vec<&Group>>) {
        let mut open = vec![(key, place)];
        while let Some((key, place)) = open.pop() {
            for group in below.get(&key).into_iter().flatten() {
                if !self.by_key.contains_key(&group.key) {
                    let place = self.add(group, place);
                    open.push((Some(group.key), place));
                }
            }
        }
    }

    /// How many groups there are, that of everybody included.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no group besides that of everybody.
    pub fn is_empty(&self) -> bool {
        self.keys.len() == 1
    }

    /// The place of a group.
    pub fn place(&self, key: u128) -> Option<usize> {
        self.by_key.get(&key).copied()
    }

    /// The key of a group; none of that of everybody.
    pub fn key(&self, place: usize) -> Option<u128> {
        self.keys.get(place).copied().flatten()
    }

    /// The group that a group is a part of. That of everybody is its own.
    pub fn parent(&self, place: usize) -> usize {
        self.parents.get(place).copied().unwrap_or(Self::EVERYBODY)
    }

    /// The groups that are directly part of a group.
    pub fn parts(&self, place: usize) -> &[usize] {
        self.parts.get(place).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody can be in a group itself.
    pub fn is_open(&self, place: usize) -> bool {
        self.open.get(place).copied().unwrap_or(true)
    }

    pub(crate) fn weight(&self, place: usize) -> u64 {
        self.weights.get(place).copied().unwrap_or_default()
    }

    /// The same place in another tree: that of the group, or of the nearest above it that is there.
    pub(crate) fn place_in(&self, place: usize, other: &Groups) -> usize {
        let mut at = place;
        loop {
            match self.key(at) {
                None => return Self::EVERYBODY,
                Some(key) => match other.place(key) {
                    Some(found) => return found,
                    None => at = self.parent(at),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(key: u128, parent: Option<u128>) -> Group {
        Group { key, parent, is_open: true, weight: 0 }
    }

    #[test]
    fn parents_come_first_and_circles_end_at_the_top() {
        let groups = Groups::new(&[
            group(3, Some(2)),
            group(2, Some(1)),
            group(1, None),
            group(4, Some(99)),
            group(5, Some(6)),
            group(6, Some(5)),
            group(7, Some(7)),
            group(1, Some(4)),
        ]);
        assert_eq!(groups.len(), 8);
        for place in 1..groups.len() {
            assert!(groups.parent(place) < place);
            assert!(groups.parts(groups.parent(place)).contains(&place));
        }
        let above = |key| groups.key(groups.parent(groups.place(key).expect("it is there")));
        assert_eq!([above(1), above(2), above(3), above(4)], [None, Some(1), Some(2), None]);
        assert_eq!((above(5), above(6), above(7)), (None, Some(5), None));
    }

    #[test]
    fn a_place_is_found_in_another_tree() {
        let old = Groups::new(&[group(1, None), group(2, Some(1)), group(3, Some(2))]);
        let new = Groups::new(&[group(1, None)]);
        let place = |key| old.place_in(old.place(key).expect("it is there"), &new);
        assert_eq!((place(3), place(1)), (new.place(1).expect("there"), new.place(1).expect("there")));
        assert_eq!(old.place_in(Groups::EVERYBODY, &new), Groups::EVERYBODY);
    }
}
