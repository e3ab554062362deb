//! Which groups are shown, so that what is left of each, when its shown parts are taken away, is large enough too.

use crate::{Groups, Threshold};

/// How many people of each column are in a group.
pub(crate) type Counts = Vec<u64>;

/// The groups that may be shown, and the block that each group falls into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    shown: Vec<bool>,
    /// The shown group that the people directly in a group are counted with.
    blocks: Vec<usize>,
}

impl Partition {
    /// Parts a tree. `direct` says how many people of each column are in each group itself, `sums` what a group and the amounts in it have to
    /// satisfy. Nothing if not even everybody together do.
    pub(crate) fn new(
        groups: &Groups,
        people: &People<'_>,
        threshold: Threshold,
        within: Option<&Partition>,
    ) -> Option<Self> {
        let whole = people.whole(groups);
        let fits = |total: &Total| people.fits(total, threshold);
        if !whole.first().is_some_and(fits) {
            return None;
        }
        let possible = people.possible(groups);
        let mut shown = vec![false; groups.len()];
        if let Some(first) = shown.first_mut() {
            *first = true;
        }
        // Parents come before their parts, so each is decided upon before it is parted.
        for place in 0..groups.len() {
            if !shown[place] {
                continue;
            }
            // What another partition tells nothing of is here like people of the group itself.
            let is_part = |part: &usize| possible[*part] && within.is_none_or(|within| within.is_shown(*part));
            let parts: Vec<usize> = groups.parts(place).iter().copied().filter(is_part).collect();
            let own = parts.iter().fold(whole[place].clone(), |own, part| own.minus(&whole[*part]));
            let mut told: Vec<usize> = parts.iter().copied().filter(|part| fits(&whole[*part])).collect();
            // By what everybody knows, not by how many there are: else whoever knows this order learns from which is hidden how
            // many the others are.
            told.sort_by_key(|part| (std::cmp::Reverse(groups.weight(*part)), *part));
            // That nobody is in the group itself is told when all its parts are; it is about nobody.
            let mut rest = told.iter().fold(whole[place].clone(), |rest, part| rest.minus(&whole[*part]));
            let mut is_enough = (own.people() == 0 || fits(&own)) && told.len() == parts.len();
            let mut taken = 0;
            while !is_enough {
                let Some(least) = told.pop() else { break };
                rest = rest.plus(&whole[least]);
                taken += 1;
                is_enough = fits(&rest) && rest.counts.iter().all(|count| hides(*count, taken, threshold));
            }
            for part in told {
                shown[part] = true;
            }
        }
        let mut blocks = vec![0; groups.len()];
        for place in 1..groups.len() {
            blocks[place] = if shown[place] { place } else { blocks[groups.parent(place)] };
        }
        Some(Self { shown, blocks })
    }

    pub(crate) fn is_shown(&self, place: usize) -> bool {
        self.shown.get(place).copied().unwrap_or(false)
    }

    pub(crate) fn block(&self, place: usize) -> usize {
        self.blocks.get(place).copied().unwrap_or(Groups::EVERYBODY)
    }
}

/// Whether what is left together hides each of its small parts, though everybody knows the rules: that these are below the threshold, and
/// that as many others were `taken` in as are not. Each of the small ones can then still be anything below the threshold, and each of the others differ
/// by as much.
pub(crate) fn hides(rest: u64, taken: u64, threshold: Threshold) -> bool {
    let least = threshold.people();
    taken > 0 && rest >= least.saturating_mul(taken.saturating_add(1)).saturating_sub(1)
}

/// The people of a table, by group.
pub(crate) struct People<'a> {
    /// What is directly in each group.
    pub(crate) direct: &'a [Total],
    /// The least and the greatest amount that a person can have, where the sum of a group must tell nobody's.
    pub(crate) range: Option<(i64, i64)>,
}

/// What is in a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// How many people, by column.
    pub(crate) counts: Counts,
    /// The sum of their amounts, by column.
    pub(crate) amounts: Vec<i64>,
}

impl Total {
    pub(crate) fn none(columns: usize) -> Self {
        Self { counts: vec![0; columns], amounts: vec![0; columns] }
    }

    pub(crate) fn people(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Total) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.amounts.iter_mut().zip(&other.amounts).for_each(|(amount, more)| *amount = amount.saturating_add(*more));
    }

    fn plus(mut self, other: &Total) -> Self {
        self.add(other);
        self
    }

    fn minus(mut self, other: &Total) -> Self {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, less)| *count = count.saturating_sub(*less));
        self.amounts.iter_mut().zip(&other.amounts).for_each(|(amount, less)| *amount = amount.saturating_sub(*less));
        self
    }
}

impl People<'_> {
    /// What is in each group with its parts.
    pub(crate) fn whole(&self, groups: &Groups) -> Vec<Total> {
        let mut whole = self.direct.to_vec();
        for place in (1..groups.len()).rev() {
            let part = whole[place].clone();
            whole[groups.parent(place)].add(&part);
        }
        whole
    }

    /// Whether anybody can be in each group or a part of it, as far as everybody knows.
    fn possible(&self, groups: &Groups) -> Vec<bool> {
        let is_possible = |place| groups.is_open(place) || self.direct[place].people() > 0;
        let mut possible: Vec<bool> = (0..groups.len()).map(is_possible).collect();
        for place in (1..groups.len()).rev() {
            if possible[place] {
                possible[groups.parent(place)] = true;
            }
        }
        possible
    }

    /// Whether a figure of these people tells nothing of fewer than the threshold: there are enough in each column, and the sum of their
    /// amounts is as far from what it would be if all had the least, or the greatest.
    fn fits(&self, total: &Total, threshold: Threshold) -> bool {
        let least = threshold.people();
        let is_spread = |count: u64, amount: i64| {
            let Some((low, high)) = self.range else { return true };
            let (count, amount, least) = (i128::from(count), i128::from(amount), i128::from(least));
            amount - count * i128::from(low) >= least && count * i128::from(high) - amount >= least
        };
        total.counts.iter().zip(&total.amounts).all(|(count, amount)| *count >= least && is_spread(*count, *amount))
    }
}
