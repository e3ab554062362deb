//! The immutable, indexed snapshot of the whole organisation.
//!
//! A [`Graph`] holds every live record of every kind: columns by field, references resolved to places in the table they
//! lead to, and the way back. One writer applies after-images to its working copy and publishes clones of it; a clone is
//! cheap, shares all that did not change since, and never changes itself. Nothing here does I/O, reads a clock or draws
//! a random number.
//!
//! # How it is built
//! Each kind has a table. Its rows stand in blocks of 256; a block holds one column for each field, and for each field of
//! any kind that refers to this one, the sorted list of referrers. Root, groups, blocks and columns are each behind an
//! `Arc`, so that a change copies a few small pieces and shares the rest.
//!
//! One more column says which write last set which field. Records that were written together share what it says, within a
//! block by a number of two bytes, so that it takes little room and little time to copy.
//!
//! A reference to a record that is not there makes a placeholder: a row with an id that is not live. The record fills it
//! when it comes; a retired record turns into one for as long as something refers to it. So references dangle and heal
//! without anybody looking for them.

mod bits;
mod block;
mod budget;
mod changes;
mod chunks;
mod column;
mod facet;
mod filter;
mod fold;
mod graph;
mod index;
mod list;
mod order;
mod provenance;
mod reach;
mod records;
mod row_set;
mod rows;
mod schema;
mod select;
mod sight;
mod table;
mod tree;
mod walk;
mod write;

pub use budget::{Budget, Exhausted};
pub use facet::Facet;
pub use filter::{Filter, MAX_FILTER_DEPTH, Quantifier, Test};
pub use graph::{Dangling, Graph};
pub use order::{By, Order, Position};
pub use reach::{Reached, Way};
pub use records::Records;
pub use row_set::RowSet;
pub use rows::{Rows, RowsIter};
pub use select::{Page, Select, Source};
pub use sight::Sight;
pub use write::ApplyError;

/// A place in the table of one kind. It means something only together with the [`Graph`] it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row(pub u32);
