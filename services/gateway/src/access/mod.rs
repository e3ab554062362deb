//! What a viewer sees of the graph: what the policy says, made into rows and fields once for each viewer and state of the graph.

mod belonging;
mod compile;
mod own;
mod sights;

pub(crate) use own::touched;
pub(crate) use sights::today;
pub use sights::{Sights, View};

#[cfg(test)]
mod tests;
