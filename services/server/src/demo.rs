//! A demo organisation: Havenlicht, an imagined supplier of energy and water, in any size from a small office to 200,000
//! people, with capabilities, people, skills and initiatives that hang together.
//!
//! The same seed, size and day give the same commands, on every machine. They are made one by one while they are sent, so
//! that even the largest organisation takes little memory: [`Demo`] keeps the outline only (units, roles, capabilities).

mod benefit;
mod capability;
mod catalogue;
mod command;
mod dice;
mod gate;
mod initiative;
mod learning;
mod person;
mod plan;
mod pulse;
mod seed;
#[cfg(test)]
mod tests;
mod workforce;

use spil_proto::{
    changefeed::v1::Command,
    model::{Kind, Owner},
};
use uuid::Uuid;

pub use seed::{BATCH, OwnerSummary, Progress, SeedError, Summary, seed};

/// How many people the organisation has: 50 to 200,000. All else follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoSize(usize);

/// A size outside 50 to 200,000 workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} workers; the demo organisation has {least} to {most}", least = DemoSize::LEAST, most = DemoSize::MOST)]
pub struct UnfitSize(pub usize);

impl DemoSize {
    /// The fewest workers.
    pub const LEAST: usize = 50;
    /// The most workers.
    pub const MOST: usize = 200_000;

    /// A size in workers.
    ///
    /// # Errors
    /// If there are fewer than [`Self::LEAST`] or more than [`Self::MOST`].
    pub fn new(workers: usize) -> Result<Self, UnfitSize> {
        if (Self::LEAST..=Self::MOST).contains(&workers) { Ok(Self(workers)) } else { Err(UnfitSize(workers)) }
    }

    /// How many workers there are.
    pub fn workers(self) -> usize {
        self.0
    }
}

/// The organisation in outline, from which its records are made.
#[derive(Debug)]
pub struct Demo {
    plan: plan::Plan,
}

impl Demo {
    /// Plans an organisation. `today` (days since 1970-01-01) is the day that all dates are relative to; ids and keys do
    /// not depend on it.
    pub fn new(seed: u64, size: DemoSize, today: i32) -> Self {
        Self { plan: plan::Plan::new(seed, size.workers(), today) }
    }

    /// The commands for one owner, in an order in which each refers only to what is there already. Nearly all create a
    /// record with an id of its own; a unit is given its head by an update, once the position is there.
    pub fn commands(&self, owner: Owner) -> Box<dyn Iterator<Item = Command> + Send + '_> {
        match owner {
            Owner::Capability => Box::new(capability::commands(&self.plan)),
            Owner::Workforce => Box::new(workforce::commands(&self.plan)),
            Owner::Initiative => Box::new(initiative::commands(&self.plan)),
        }
    }

    /// How many commands there are for an owner.
    pub fn count(&self, owner: Owner) -> usize {
        match owner {
            Owner::Workforce => workforce::count(&self.plan),
            _ => self.commands(owner).count(),
        }
    }

    /// The records that are made first, one for each owner. One of them is there if the organisation was begun.
    pub fn first(&self) -> impl Iterator<Item = (Kind, Uuid)> {
        Owner::ALL.into_iter().filter_map(|owner| seed::created(&self.commands(owner).next()?))
    }

    /// The record that is made last of all records of an owner. If it is there, so are all others.
    fn last(&self, owner: Owner) -> Option<(Kind, Uuid)> {
        match owner {
            Owner::Workforce => {
                let index = self.plan.workers * workforce::ASSERTIONS - 1;
                Some((Kind::SkillAssertion, self.plan.id(Kind::SkillAssertion, index)))
            }
            _ => seed::created(&self.commands(owner).last()?),
        }
    }
}
