//! Turns the data of outside systems into commands.
//!
//! [`run`] reads CSV files as a [`mapping`] says, compares what they ask for with what is there, and sends the owners the least
//! set of commands that makes both the same.

pub mod mapping;
pub mod source;
pub mod sync;

mod import;

pub use import::{Import, ImportError, Phase, Progress, run};
pub use sync::{destination::Owners, report::Report};
