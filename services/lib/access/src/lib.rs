//! Says who may do what with which records.
//!
//! A policy is a file: claims of a token make somebody a member of roles, and a role allows actions on kinds of records within a
//! scope. What is not allowed is denied; nothing takes away what something else allows, so the order of the file means nothing.
//!
//! A policy is compiled once. [`Policy::viewer`] says of a caller what the roles together allow, and gives it a key that is the same for all
//! who may exactly the same. Which records a scope holds is for others to find out: the gateway over its graph, an owner over its tables.

mod action;
mod case;
mod check;
mod fields;
mod file;
mod handle;
mod membership;
mod policy;
mod rights;
mod viewer;

pub use action::{Action, Scope, ScopeSet};
pub use case::{CaseOutcome, CasesError, run_cases};
pub use check::{Fault, PolicyError, Problem};
pub use fields::FieldSet;
pub use handle::{DEFAULT_POLICY, PolicyHandle};
pub use membership::{MAX_NAME_BYTES, WorkerName};
pub use policy::Policy;
pub use rights::{Condition, Right, Rights};
pub use viewer::{Denied, Viewer, ViewerKey};

#[cfg(test)]
mod tests;
