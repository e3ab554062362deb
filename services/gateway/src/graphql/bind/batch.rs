//! Reads the input of `applyChanges`: many changes, which may refer to each other by temporary ids.

use std::collections::HashMap;

use apollo_compiler::response::{JsonMap, JsonValue};
use spil_proto::model::Kind;

use super::input::{self, InputFault, Write};
use crate::graphql::plan::Verb;

/// The most changes of one batch.
pub(in crate::graphql) const MAX_CHANGES: usize = 1000;
/// The most bytes of a temporary id.
const MAX_TEMPORARY_ID: usize = 64;

/// What `applyChanges` is to do.
#[derive(Default)]
pub(in crate::graphql) struct Changes {
    pub(in crate::graphql) client_mutation_id: Option<String>,
    pub(in crate::graphql) dry_run: bool,
    /// Why, in the words of the client; empty if nothing is said.
    pub(in crate::graphql) reason: String,
    /// Which way the mutation came in.
    pub(in crate::graphql) origin: String,
    /// In the order given.
    pub(in crate::graphql) changes: Vec<Change>,
    /// What is wrong with the input beside its changes.
    pub(in crate::graphql) faults: Vec<InputFault>,
}

/// One change of a batch.
#[derive(Default)]
pub(in crate::graphql) struct Change {
    /// What the batch calls the record that the change makes.
    pub(in crate::graphql) temporary_id: Option<String>,
    /// What is to be done; none if that can not be told.
    pub(in crate::graphql) what: Option<Deed>,
    /// What is wrong with the change as such.
    pub(in crate::graphql) faults: Vec<InputFault>,
}

/// What a change does.
pub(in crate::graphql) struct Deed {
    pub(in crate::graphql) kind: Kind,
    pub(in crate::graphql) verb: Verb,
    /// The field of the input that says it: `updateCapability`.
    pub(in crate::graphql) name: String,
    pub(in crate::graphql) write: Write,
}

/// The records that a batch makes, by their temporary ids.
#[derive(Default)]
pub(super) struct Temporary<'a>(HashMap<&'a str, (usize, Kind)>);

impl Temporary<'_> {
    /// The change that makes the record to which a text refers, if it has the form of such a reference: `#name`.
    ///
    /// # Errors
    /// If no change does, or it makes a record of another kind.
    pub(super) fn find(&self, kind: Kind, text: &str) -> Option<Result<usize, InputFault>> {
        let name = text.strip_prefix('#')?;
        Some(match self.0.get(name) {
            Some((create, found)) if *found == kind => Ok(*create),
            Some((_, found)) => Err(InputFault::new(
                "MALFORMED",
                format!("this record will be of the kind {}, not {}", found.info().name, kind.info().name),
                &[],
            )),
            None => {
                Err(InputFault::new("NOT_FOUND", "no change of this batch makes a record with this `temporaryId`", &[]))
            }
        })
    }
}

/// Reads the input. What is wrong with it is kept beside what it says; of too many changes none is read.
pub(super) fn read(input: &JsonMap) -> Changes {
    let mut read = Changes::default();
    if let Some(id) = input.get("clientMutationId") {
        read.client_mutation_id = input::client_mutation_id(id, &mut read.faults);
    }
    read.dry_run = input.get("dryRun") == Some(&JsonValue::Bool(true));
    if let Some(reason) = input.get("reason") {
        read.reason = input::reason(reason, &mut read.faults);
    }
    let changes = match input.get("changes") {
        None | Some(JsonValue::Null) => &[][..],
        Some(JsonValue::Array(changes)) => changes.as_slice(),
        // A single value stands for a list of one.
        Some(change) => std::slice::from_ref(change),
    };
    if changes.is_empty() {
        read.faults.push(InputFault::new("REQUIRED", "there is nothing to do", &["changes"]));
    }
    if changes.len() > MAX_CHANGES {
        let message = format!("{} changes; at most {MAX_CHANGES} in one batch", changes.len());
        read.faults.push(InputFault::new("TOO_LONG", message, &["changes"]));
        return read;
    }
    let mut temporary = Temporary::default();
    let started: Vec<Started<'_>> =
        changes.iter().enumerate().map(|(at, change)| start(at, change, &mut temporary)).collect();
    read.changes = started.into_iter().map(|started| finish(started, &temporary)).collect();
    read
}

/// A change of which the deed is known and not yet read.
struct Started<'a> {
    change: Change,
    deed: Option<(&'a str, Verb, Kind, &'a JsonMap)>,
}

/// Reads what a change is about, so that others can refer to it.
fn start<'a>(at: usize, json: &'a JsonValue, temporary: &mut Temporary<'a>) -> Started<'a> {
    let mut change = Change::default();
    let mut deeds = Vec::new();
    let mut wanted = None;
    for (name, value) in json.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            (_, JsonValue::Null) => {}
            ("temporaryId", value) => wanted = value.as_str(),
            (name, value) => {
                if let (Some((verb, kind)), Some(value)) = (Verb::of_field(name), value.as_object()) {
                    deeds.push((name, verb, kind, value));
                }
            }
        }
    }
    let deed = match deeds.as_slice() {
        [deed] => Some(*deed),
        [] => {
            change.faults.push(InputFault::new("REQUIRED", "a change says what to do", &[]));
            None
        }
        several => {
            let message = format!("a change does one thing, and this one has {}; make it several", several.len());
            change.faults.push(InputFault::new("MALFORMED", message, &[]));
            None
        }
    };
    if let Some(name) = wanted {
        match temporary_id(name, deed.map(|(_, verb, ..)| verb)) {
            Err(fault) => change.faults.push(fault),
            Ok(()) => {
                if let Some((_, _, kind, _)) = deed {
                    let taken = temporary.0.get(name).map(|(first, _)| *first);
                    match taken {
                        Some(first) => change.faults.push(InputFault::new(
                            "TAKEN",
                            format!("the change {first} of this batch has this `temporaryId` already"),
                            &["temporaryId"],
                        )),
                        None => {
                            temporary.0.insert(name, (at, kind));
                        }
                    }
                }
            }
        }
        change.temporary_id = Some(name.to_owned());
    }
    Started { change, deed }
}

/// Says what is wrong with a temporary id.
fn temporary_id(name: &str, verb: Option<Verb>) -> Result<(), InputFault> {
    let fault = |code, message: String| Err(InputFault::new(code, message, &["temporaryId"]));
    if name.len() > MAX_TEMPORARY_ID {
        return fault("TOO_LONG", format!("a `temporaryId` has at most {MAX_TEMPORARY_ID} bytes"));
    }
    if name.is_empty() || name.starts_with('#') || name.chars().any(char::is_control) {
        let message =
            "a `temporaryId` is a text without control characters; the `#` stands only where it is referred to";
        return fault("MALFORMED", message.to_owned());
    }
    if verb.is_some_and(|verb| verb != Verb::Create) {
        return fault("MALFORMED", "only what makes a record has a `temporaryId`".to_owned());
    }
    Ok(())
}

fn finish(started: Started<'_>, temporary: &Temporary<'_>) -> Change {
    let Started { mut change, deed } = started;
    change.what = deed.map(|(name, verb, kind, json)| {
        let mut write = input::read(kind, verb, json, Some(temporary));
        for (field, is_given) in [
            ("clientMutationId", write.client_mutation_id.is_some()),
            ("dryRun", write.dry_run),
            ("reason", !write.reason.is_empty()),
        ] {
            if is_given {
                let message = format!("`{field}` is for the whole batch: give it beside `changes`");
                write.faults.push(InputFault::new("MALFORMED", message, &[field]));
            }
        }
        Deed { kind, verb, name: name.to_owned(), write }
    });
    change
}
