//! Chance that is the same on every machine and in every version.
//!
//! The generators of `rand` may give other numbers after an upgrade; then the batches of a second start would differ from
//! those of the first. This one is SplitMix64, and each record rolls its own dice, so that any record can be made alone.

use spil_proto::model::Kind;

/// What the dice decide, other than the fields of a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The chance part of an id.
    Id(Kind),
    /// Whether a unit has a vacant seat.
    Vacancy,
    /// Whether a capability is split further.
    Split,
    /// The processes of a capability.
    Processes,
    /// What most people in a team do.
    TeamJob,
    /// The maturity of a capability.
    Maturity,
    /// Where an initiative stands and since when.
    Stage,
    /// Whether a worker is here.
    Status,
    /// The size of a position.
    Fte,
    /// Which assignments a worker has.
    Posts,
    /// How often a worker takes part in learning.
    Learning,
    /// What prepares people for the impact on their role.
    Preparation,
    /// Who is asked in a pulse wave.
    Pulse,
}

/// A source of numbers for one record.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of the record of a kind with an index.
    pub(super) fn of(seed: u64, kind: Kind, index: usize) -> Self {
        Self::new(seed, kind as u64, index as u64)
    }

    /// The dice for something other than the fields of a record.
    pub(super) fn aside(seed: u64, purpose: Purpose, index: usize) -> Self {
        let purpose = match purpose {
            Purpose::Id(kind) => 1 << 32 | kind as u64,
            Purpose::Vacancy => 2 << 32,
            Purpose::Split => 3 << 32,
            Purpose::Processes => 4 << 32,
            Purpose::TeamJob => 5 << 32,
            Purpose::Maturity => 6 << 32,
            Purpose::Stage => 7 << 32,
            Purpose::Status => 8 << 32,
            Purpose::Fte => 9 << 32,
            Purpose::Posts => 10 << 32,
            Purpose::Learning => 11 << 32,
            Purpose::Preparation => 12 << 32,
            Purpose::Pulse => 13 << 32,
        };
        Self::new(seed, purpose, index as u64)
    }

    fn new(seed: u64, purpose: u64, index: u64) -> Self {
        Self(mix(mix(mix(seed) ^ purpose) ^ index))
    }

    /// 64 even bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 up to, but not including, `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // The product of 64 and fewer bits, shifted by 64, fits what `bound` fits.
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// A number between two, both included.
    pub(super) fn between(&mut self, least: i32, most: i32) -> i32 {
        let span = usize::try_from(i64::from(most) - i64::from(least) + 1).unwrap_or(0);
        least + i32::try_from(self.below(span)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// One of a list that is not empty, by weight.
    pub(super) fn weighted<T: Copy>(&mut self, list: &[(T, usize)]) -> T {
        let mut left = self.below(list.iter().map(|(_, weight)| weight).sum());
        for &(item, weight) in list {
            if left < weight {
                return item;
            }
            left -= weight;
        }
        list[0].0
    }

    /// At most `count` different numbers below `bound`, ascending.
    pub(super) fn distinct(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let count = count.min(bound);
        let mut found: Vec<usize> = Vec::with_capacity(count);
        while found.len() < count {
            let next = self.below(bound);
            if let Err(place) = found.binary_search(&next) {
                found.insert(place, next);
            }
        }
        found
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
