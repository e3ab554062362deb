//! Decides which figures about groups of people may be published, for all of them in one place.
//!
//! A figure is a count of people, or a sum over people. Whoever sees several can subtract one from another: a whole minus its parts, a
//! table minus another, today minus yesterday. So it is not enough to hide small figures. What is published here is made of **blocks**:
//! the people are parted into sets of at least [`Threshold`] people each, and every figure is that of a set of whole blocks. Whatever is added and
//! subtracted, what comes out is a sum over whole blocks, never over fewer people than the threshold.
//!
//! * [`Groups`] are a tree: an organisation and its units, job families and their roles.
//! * A [`Census`] is who is in which group, with what is known of each, and holds the blocks. All tables are made of one census. The next one is made
//!   of the one before ([`Census::renewed`]): what changed for fewer people than the threshold is held back until it did for enough.
//! * A [`Table`] gives the figures of the groups that may be shown, by the columns that may be told apart. In its rows each block has
//!   enough people in **each** column, so that nobody's column is known from that of the group.
//!
//! Nothing here does I/O, reads a clock or draws a random number.

mod census;
mod groups;
mod partition;
mod table;

#[cfg(test)]
mod attack;

pub use census::{Census, Member};
pub use groups::{Group, Groups};
pub use table::{Cell, Measure, Table};

/// The fewest people that a figure may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

/// A threshold that protects nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group of {0} is too small: of two people each knows the other; the least is {least}", least = Threshold::LEAST)]
pub struct TooLow(pub u32);

impl Threshold {
    /// The least that may be set.
    pub const LEAST: u32 = 3;

    /// A threshold.
    ///
    /// # Errors
    /// If it is below [`Threshold::LEAST`].
    pub fn new(people: u32) -> Result<Self, TooLow> {
        if people < Self::LEAST { Err(TooLow(people)) } else { Ok(Self(u64::from(people))) }
    }

    /// How many people it is.
    pub fn people(self) -> u64 {
        self.0
    }

    /// One that protects less than may be set, or nobody: for attacks that show what the defence is for.
    #[cfg(test)]
    pub(crate) fn weak(people: u64) -> Self {
        Self(people)
    }
}

impl Default for Threshold {
    /// Five.
    fn default() -> Self {
        Self(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_protects_somebody() {
        assert_eq!(Threshold::default().people(), 5);
        assert_eq!(Threshold::new(3).map(Threshold::people), Ok(3));
        for people in [0, 1, 2] {
            assert_eq!(Threshold::new(people), Err(TooLow(people)));
        }
    }
}
