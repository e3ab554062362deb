//! Mutations: each becomes a command to the owner of the record, many at once become a batch for each owner, and both are answered from a
//! graph that shows what was written.

mod batch;
mod changes_payload;
mod command;
mod erase;
mod operation;
mod payload;
mod references;
mod repetition;
mod saga;
mod send;
mod single;

use std::time::Duration;

use spil_graph::Graph;
use spil_proto::model::Kind;

/// How long the answer to a mutation waits for the graph to show it.
const READ_YOUR_WRITES: Duration = Duration::from_secs(1);

/// Something that kept a mutation from being done.
pub(super) enum UserError {
    Input { code: &'static str, message: String, path: Vec<String> },
    Conflict { message: String, path: Vec<String>, current_version: u64, fields: Vec<&'static str> },
}

impl UserError {
    /// Leaves out of a conflict what tells of fields that are hidden, of whichever records of the kind.
    fn hide(&mut self, graph: &Graph, kind: Kind) {
        if let (UserError::Conflict { fields, .. }, Some(sight)) = (self, graph.sight()) {
            let is_shown =
                |name: &&str| kind.info().field_by_name(name).is_none_or(|info| sight.shows(kind, info.index));
            fields.retain(is_shown);
        }
    }

    /// The input field that it is about.
    fn path(&self) -> &[String] {
        match self {
            UserError::Input { path, .. } | UserError::Conflict { path, .. } => path,
        }
    }
}

/// Something odd about a mutation that was done.
pub(super) struct Warning {
    message: String,
    path: Vec<String>,
}
