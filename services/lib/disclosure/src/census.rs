//! Who is in which group, and how the next count follows from the one before.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{Groups, Measure, Table, Threshold, partition::Partition};

/// A person as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<T> {
    /// Who it is.
    pub id: u128,
    /// The group it is in, in each tree of the census.
    pub groups: Vec<usize>,
    /// What is known of it.
    pub facts: T,
}

/// Who is in which group. All tables of one census fit together.
#[derive(Clone, Debug)]
pub struct Census<T> {
    threshold: Threshold,
    trees: Vec<Tree>,
    /// In the order of their ids.
    members: Vec<Member<T>>,
}

/// A tree with its headcount.
#[derive(Clone, Debug)]
struct Tree {
    groups: Arc<Groups>,
    headcount: Table,
    partition: Option<Partition>,
}

impl<T: Clone + PartialEq> Census<T> {
    /// The first census. Of two members with one id the first counts; one that says nothing about a tree is in the group of everybody.
    pub fn new(threshold: Threshold, trees: Vec<Arc<Groups>>, mut members: Vec<Member<T>>) -> Self {
        members.sort_by_key(|member| member.id);
        members.dedup_by_key(|member| member.id);
        let trees = trees
            .into_iter()
            .enumerate()
            .map(|(tree, groups)| {
                let of_tree = members.iter().map(|member| (group(member, tree), &member.facts));
                let (headcount, partition) = Table::new(&groups, of_tree, &Measure::count(), threshold, None);
                Tree { groups, headcount, partition }
            })
            .collect();
        Self { threshold, trees, members }
    }

    /// The next census: of these people in these trees, but with what changed for too few held back.
    ///
    /// People whose groups or facts differ are looked at by the block that they were in and the block that they would be in, in each
    /// tree; whoever came or left came from or went to nowhere. Where fewer than the threshold go one way, they stay as they were. What
    /// two censuses tell of a block differs by nobody, then, or by enough. Where the trees themselves changed so that an old and a new block
    /// have only a few people in common, nothing is renewed: this census is given again.
    #[must_use]
    pub fn renewed(&self, trees: &[Arc<Groups>], members: Vec<Member<T>>) -> Self {
        let least = self.threshold.people();
        let mut wanted: HashMap<u128, Option<Member<T>>> =
            members.into_iter().rev().map(|member| (member.id, Some(member))).collect();
        let mut before: HashMap<u128, Member<T>> = HashMap::with_capacity(self.members.len());
        for member in &self.members {
            wanted.entry(member.id).or_insert(None);
            before.insert(member.id, self.moved(member, trees));
        }
        let mut held: HashSet<u128> = HashSet::new();
        for _ in 0..ROUNDS {
            let next: Vec<Member<T>> = wanted
                .iter()
                .filter_map(|(id, member)| if held.contains(id) { before.get(id).cloned() } else { member.clone() })
                .collect();
            let next = Self::new(self.threshold, trees.to_vec(), next);
            let mut ways: HashMap<Ends, Way> = HashMap::new();
            let new: HashMap<u128, &Member<T>> = next.members.iter().map(|member| (member.id, member)).collect();
            let old: HashMap<u128, &Member<T>> = self.members.iter().map(|member| (member.id, member)).collect();
            for id in wanted.keys() {
                let (was, is) = (old.get(id).copied(), new.get(id).copied());
                if was.is_none() && is.is_none() {
                    continue;
                }
                let has_changed = match (before.get(id), is) {
                    (Some(before), Some(is)) => before != is,
                    _ => true,
                };
                for tree in 0..trees.len() {
                    let from = was.map(|member| self.block(tree, member));
                    let to = is.map(|member| next.block(tree, member));
                    // Who stays counts for a way of its own: those who changed while staying.
                    let way = ways.entry((tree, from, to)).or_default();
                    way.people += 1;
                    if has_changed {
                        way.changed.push(*id);
                    }
                }
            }
            let few = |people: usize| people > 0 && (people as u64) < least;
            let before_this_round = held.len();
            for way in ways.values().filter(|way| few(way.changed.len())) {
                held.extend(&way.changed);
            }
            if held.len() > before_this_round {
                continue;
            }
            // A few who stay behind while the others go would be left alone: then nobody goes.
            let torn: Vec<_> = ways.iter().filter(|(_, way)| few(way.people)).map(|(ends, _)| *ends).collect();
            if torn.is_empty() {
                return next;
            }
            for (tree, from, to) in torn {
                let beside = ways.iter().filter(|(ends, _)| ends.0 == tree && (ends.1 == from || ends.2 == to));
                beside.for_each(|(_, way)| held.extend(&way.changed));
            }
            if held.len() == before_this_round {
                break;
            }
        }
        self.clone()
    }

    /// A member as it was, in other trees.
    fn moved(&self, member: &Member<T>, trees: &[Arc<Groups>]) -> Member<T> {
        let groups = trees.iter().enumerate().map(|(tree, groups)| match self.trees.get(tree) {
            Some(old) => old.groups.place_in(group(member, tree), groups),
            None => Groups::EVERYBODY,
        });
        Member { id: member.id, groups: groups.collect(), facts: member.facts.clone() }
    }

    fn block(&self, tree: usize, member: &Member<T>) -> usize {
        let partition = self.trees.get(tree).and_then(|tree| tree.partition.as_ref());
        partition.map_or(Groups::EVERYBODY, |partition| partition.block(group(member, tree)))
    }

    /// How many people each block of the first tree shares with each of the next census, where it shares any that are told of by both or by one.
    #[cfg(test)]
    pub(crate) fn shared_with(&self, next: &Self) -> Vec<usize> {
        let is_told = |census: &Self| census.trees.first().is_some_and(|tree| tree.partition.is_some());
        let mut ways: HashMap<(Option<usize>, Option<usize>), usize> = HashMap::new();
        let find = |census: &Self, id: u128| {
            let at = census.members.binary_search_by_key(&id, |member| member.id).ok()?;
            census.members.get(at).map(|member| census.block(0, member))
        };
        let ids: HashSet<u128> = self.members.iter().chain(&next.members).map(|member| member.id).collect();
        for id in ids {
            *ways.entry((find(self, id), find(next, id))).or_default() += 1;
        }
        if is_told(self) && is_told(next) { ways.into_values().collect() } else { Vec::new() }
    }

    /// The groups of a tree.
    pub fn groups(&self, tree: usize) -> Option<&Arc<Groups>> {
        self.trees.get(tree).map(|tree| &tree.groups)
    }

    /// What is known of each of the people.
    pub fn members(&self) -> impl Iterator<Item = &T> {
        self.members.iter().map(|member| &member.facts)
    }

    /// How many people are in the groups of a tree.
    pub fn headcount(&self, tree: usize) -> Option<&Table> {
        self.trees.get(tree).map(|tree| &tree.headcount)
    }

    /// The figures of another question about the groups of a tree. Only groups are shown that the headcount shows.
    pub fn table(&self, tree: usize, measure: &Measure<'_, T>) -> Option<Table> {
        let Tree { groups, partition, .. } = self.trees.get(tree)?;
        let members = self.members.iter().map(|member| (group(member, tree), &member.facts));
        // Where everybody together is too few, no other question has an answer either.
        let (table, _) = Table::new(groups, members, measure, self.threshold, partition.as_ref());
        Some(table)
    }

    /// The fewest people that a figure is about.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
}

/// How often it is looked again at who is to be held back, because others are.
const ROUNDS: usize = 32;

/// A tree, and a block of the old and one of the new census; none for nowhere.
type Ends = (usize, Option<usize>, Option<usize>);

/// Those who were in the one block and are in the other.
#[derive(Default)]
struct Way {
    people: usize,
    /// Those of whom something differs.
    changed: Vec<u128>,
}

fn group<T>(member: &Member<T>, tree: usize) -> usize {
    member.groups.get(tree).copied().unwrap_or(Groups::EVERYBODY)
}
