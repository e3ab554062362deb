//! Follows the owners, holds the snapshot and serves GraphQL.
//!
//! [`follow`] reads the change feeds and publishes the graph in [`live`]; [`graphql`] answers requests from it; [`http`] is the
//! front door. [`erasure`] erases people from all owners. [`schema_check`] says what a change of the schema breaks.

pub mod access;
pub mod aggregate;
pub mod erasure;
pub mod follow;
pub mod graphql;
pub mod http;
mod journal;
pub mod live;
pub mod place_seal;
pub mod read_log;
pub mod schema_check;
mod search;
pub mod subject;
