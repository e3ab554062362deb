//! Map, plan, apply: from the rows of files to the least set of commands that makes the records say the same.

pub mod apply;
pub mod destination;
pub mod draft;
pub mod map;
pub mod names;
pub mod plan;
pub mod present;
pub mod report;

mod binding;
mod diff;
mod order;

#[cfg(test)]
mod tests;
