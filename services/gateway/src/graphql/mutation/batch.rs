//! What `applyChanges` asks for, made ready to be sent: ids for the records to be made, and an order in which each change finds what it
//! refers to.

use sha2::{Digest, Sha256};
use spil_auth::Caller;
use spil_proto::model::{Kind, Owner, Value};
use uuid::Uuid;

use super::{
    UserError,
    command::{self, within},
};
use crate::graphql::{
    bind::{Changes, Deed, Link, Write},
    plan::Verb,
};

/// Changes that are ready to be sent.
pub(super) struct Batch<'a> {
    pub(super) input: &'a Changes,
    /// One for each change.
    pub(super) entries: Vec<Entry<'a>>,
    /// The owners in the order in which they are to be asked.
    pub(super) steps: Vec<Step>,
    /// What is wrong with the input beside its changes.
    pub(super) faults: Vec<UserError>,
    /// Whether every value could be read and every change has its place.
    pub(super) is_sound: bool,
}

/// A change that is ready to be sent.
pub(super) struct Entry<'a> {
    /// What it does, if that can be told.
    pub(super) deed: Option<&'a Deed>,
    /// What it writes, with ids in the place of temporary ones.
    pub(super) write: Write,
    /// Where it is in the input.
    pub(super) root: Vec<String>,
    pub(super) errors: Vec<UserError>,
}

/// The part of one owner.
pub(super) struct Step {
    pub(super) owner: Owner,
    /// Its changes, in the order in which they are to be done.
    pub(super) changes: Vec<usize>,
}

impl Entry<'_> {
    /// The kind and the id of the record, as far as they are known.
    pub(super) fn record(&self) -> Option<(Kind, Uuid)> {
        Some((self.deed?.kind, self.write.id?))
    }

    /// The changes that make what this one refers to.
    fn creates(&self) -> impl Iterator<Item = usize> {
        self.write.links.iter().map(|link| link.create)
    }

    /// Where in the input a link is.
    pub(super) fn path(&self, link: &Link) -> Vec<String> {
        match link.value.and_then(|value| self.write.values.get(value)) {
            None => within(&self.root, "id"),
            Some((info, Value::Ids(_))) => within(&within(&self.root, info.name), &link.item.to_string()),
            Some((info, _)) => within(&self.root, info.name),
        }
    }
}

impl<'a> Batch<'a> {
    /// Makes an input ready. What is wrong with it is kept beside.
    pub(super) fn new(caller: &Caller, input: &'a Changes) -> Self {
        let root = ["input".to_owned()];
        let ids: Vec<Uuid> = (0..input.changes.len()).map(|at| new_id(caller, input, at)).collect();
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(ids.len());
        for (at, change) in input.changes.iter().enumerate() {
            let place = within(&within(&root, "changes"), &at.to_string());
            let mut errors = command::faults(&change.faults, &place);
            let deed = change.what.as_ref();
            let root = deed.map_or_else(|| place.clone(), |deed| within(&place, &deed.name));
            let mut write = deed.map(|deed| deed.write.clone()).unwrap_or_default();
            errors.extend(command::faults(&write.faults, &root));
            if deed.is_some_and(|deed| deed.verb == Verb::Create) {
                write.id = ids.get(at).copied();
            }
            fill(&mut write, &ids);
            entries.push(Entry { deed, write, root, errors });
        }
        let order = order(&mut entries);
        let steps = steps(&entries, &order);
        let faults = command::faults(&input.faults, &root);
        let is_sound = faults.is_empty() && entries.iter().all(|entry| entry.errors.is_empty());
        Self { input, entries, steps, faults, is_sound }
    }
}

/// Puts ids in the place of temporary ones.
fn fill(write: &mut Write, ids: &[Uuid]) {
    for link in &write.links {
        let Some(id) = ids.get(link.create) else { continue };
        match link.value.map(|value| write.values.get_mut(value)) {
            None => write.id = Some(*id),
            Some(Some((_, Value::Id(place)))) => *place = *id,
            Some(Some((_, Value::Ids(places)))) => {
                if let Some(place) = places.get_mut(link.item) {
                    *place = *id;
                }
            }
            Some(_) => {}
        }
    }
}

/// The id of the record that a change makes, if it makes one. A batch that has a name makes the same ids when it is sent again, so
/// that each owner, also one that has seen only the second, means the same records.
fn new_id(caller: &Caller, input: &Changes, at: usize) -> Uuid {
    let Some(name) = input.client_mutation_id.as_ref().filter(|_| !input.dry_run) else { return Uuid::now_v7() };
    let temporary = input.changes.get(at).and_then(|change| change.temporary_id.as_deref());
    let number = at.to_string();
    let (sort, temporary) = temporary.map_or(("place", number.as_str()), |name| ("name", name));
    let mut hash = Sha256::new();
    for part in ["applyChanges", caller.subject(), name, sort, temporary] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    // Records stand by their ids where no other order is asked, and ids begin with a time. Of a name that is itself such an id the time is
    // taken; else it is one before 2005, so that what is newer never stands before it.
    match Uuid::parse_str(name).ok().filter(|name| name.get_version_num() == 7) {
        Some(name) => bytes.iter_mut().zip(name.into_bytes()).take(6).for_each(|(byte, time)| *byte = time),
        None => bytes[0] = 0,
    }
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Uuid::from_bytes(bytes)
}

/// The changes in an order in which each comes after those of its owner that make what it refers to, and else in the order given.
/// Changes that can have no such order are told of it, and left out.
fn order(entries: &mut [Entry<'_>]) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Placed,
    }
    let owner = |entries: &[Entry<'_>], at: usize| entries[at].deed.map(|deed| deed.kind.info().owner);
    let mut state = vec![State::New; entries.len()];
    let mut order = Vec::with_capacity(entries.len());
    let mut closing = Vec::new();
    for start in 0..entries.len() {
        // A change, and how many of its links were followed.
        let mut stack = vec![(start, 0)];
        while let Some((at, followed)) = stack.last_mut() {
            let at = *at;
            if *followed == 0 {
                if state[at] != State::New {
                    stack.pop();
                    continue;
                }
                state[at] = State::Open;
            }
            let link = entries[at].write.links.get(*followed);
            *followed += 1;
            match link {
                None => {
                    state[at] = State::Placed;
                    if entries[at].deed.is_some() {
                        order.push(at);
                    }
                    stack.pop();
                }
                Some(link) if owner(entries, link.create) != owner(entries, at) => {}
                Some(link) => match state[link.create] {
                    State::New => stack.push((link.create, 0)),
                    State::Open => closing.push((at, entries[at].path(link))),
                    State::Placed => {}
                },
            }
        }
    }
    for (at, path) in closing {
        entries[at].errors.push(UserError::Input {
            code: "CYCLE",
            message: "records that are made by one batch refer to each other in a circle; give this reference by an update of the same batch"
                .to_owned(),
            path,
        });
    }
    order
}

/// The part of each owner. An owner comes after those whose new records its changes refer to; where two wait for each
/// other, and where nothing else decides, the one that the input names first comes first.
fn steps(entries: &[Entry<'_>], order: &[usize]) -> Vec<Step> {
    let owner = |at: usize| entries.get(at).and_then(|entry| Some(entry.deed?.kind.info().owner));
    let mut waiting: Vec<Owner> = Vec::new();
    for found in (0..entries.len()).filter_map(owner) {
        if !waiting.contains(&found) {
            waiting.push(found);
        }
    }
    let needs = |of: Owner, other: Owner| {
        (0..entries.len())
            .filter(|at| owner(*at) == Some(of))
            .any(|at| entries[at].creates().any(|create| owner(create) == Some(other)))
    };
    let mut steps = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |of: &Owner| waiting.iter().all(|other| other == of || !needs(*of, *other));
        let at = waiting.iter().position(is_free).unwrap_or(0);
        let next = waiting.remove(at);
        let changes = order.iter().copied().filter(|at| owner(*at) == Some(next)).collect();
        steps.push(Step { owner: next, changes });
    }
    steps
}
