//! What makes a batch the same as one that was sent before: its name, and all that it asks of every owner.

use prost::Message;
use sha2::{Digest, Sha256};
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::Command,
    model::{Owner, Value},
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Warning,
    batch::{Batch, Step},
    command,
};

/// By what the owners know a batch again.
pub(super) struct Identity {
    /// The key of each owner's part.
    pub(super) key: String,
    /// What is asked of all owners together; empty if the batch has no name that it could be repeated under.
    pub(super) whole: Vec<u8>,
}

impl Identity {
    /// What identifies a batch. One that was not read whole, or is only to be tried, is no repetition of anything.
    pub(super) fn new(caller: &Caller, batch: &Batch<'_>) -> Self {
        let name = batch.input.client_mutation_id.as_ref().filter(|_| batch.is_sound && !batch.input.dry_run);
        match name {
            None => Self { key: Uuid::now_v7().to_string(), whole: Vec::new() },
            Some(name) => {
                let name = format!("{}\u{0}applyChanges\u{0}{name}", caller.subject());
                Self { key: format!("graphql:{:032x}", xxh3_128(name.as_bytes())), whole: whole(batch) }
            }
        }
    }

    /// Whether the batch has a name under which it may have been sent before.
    pub(super) fn is_named(&self) -> bool {
        !self.whole.is_empty()
    }
}

/// What an owner is asked to do.
pub(super) fn commands(batch: &Batch<'_>, step: &Step) -> impl Iterator<Item = Command> {
    step.changes
        .iter()
        .filter_map(|at| batch.entries.get(*at))
        .filter_map(|entry| entry.deed.map(|deed| command::command(deed.kind, deed.verb, &entry.write)))
}

/// The hash of the commands to all owners. Every owner keeps it, so it leaves out the values that are only written: they could be guessed
/// from it. Whether these are the same, their own owner knows, and it has a part in the batch.
fn whole(batch: &Batch<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for mut command in batch.steps.iter().flat_map(|step| commands(batch, step)) {
        if let Some(entity) = command.values.as_mut().and_then(|record| record.entity_mut()) {
            for info in entity.kind().info().one_way {
                // To clear a text never fails.
                let _ = entity.set(info.index, Value::Null);
            }
        }
        let bytes = command.encode_to_vec();
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    hash.finalize().to_vec()
}

/// What there is to know where some owners had done their part before.
pub(super) fn warning(done_before: &[Owner], steps: usize) -> Option<Warning> {
    if done_before.is_empty() || done_before.len() == steps {
        return (!done_before.is_empty()).then(command::replayed);
    }
    let owners: Vec<String> = done_before.iter().map(|owner| owner.name().to_uppercase()).collect();
    Some(Warning {
        message: format!(
            "the part of {} was done before and was not written again; its records are given as they are now",
            owners.join(" and that of ")
        ),
        path: vec!["input".to_owned(), "clientMutationId".to_owned()],
    })
}
