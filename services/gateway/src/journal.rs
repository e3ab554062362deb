//! The journal: what was published last, in the order in which it was published, for all who follow changes.
//!
//! There is one journal for a gateway, written together with the graph, and no queue for anybody: a reader holds a place and pulls
//! from it. So an event is read only when the graph shows it, and a slow reader costs nothing; one that the journal has
//! left behind has to go back to the owner's own log.

mod reader;

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use prost::Message;
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{Change, Cursor, Origin, Record, Revision},
    model::{Entity, Kind, Owner, Value},
};
use uuid::Uuid;

pub(crate) use reader::{Follow, Opening, Part, Reader, Taken};

/// How many changes are kept, and how much memory for them: about a minute of an import at full speed.
const KEPT: Kept = Kept { changes: 65_536, bytes: 64 << 20 };
/// The memory of a change beside its encoded record, about.
const CHANGE_OVERHEAD: usize = 512;

/// A place in the log of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) store: [u8; 16],
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    pub(crate) mark: u64,
}

impl Spot {
    /// The place that a cursor names.
    pub(crate) fn of(cursor: &Cursor) -> Self {
        // Owners have stores with ids of 16 bytes; anything else is the store that nobody has.
        let store = cursor.store_id.as_slice().try_into().unwrap_or_default();
        Self { store, epoch: cursor.epoch, revision: cursor.revision, mark: cursor.mark }
    }

    /// The place as owners know it.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { store_id: self.store.to_vec(), epoch: self.epoch, revision: self.revision, mark: self.mark }
    }

    /// Whether two places are of one log.
    pub(crate) fn is_same_log(&self, other: &Spot) -> bool {
        (self.store, self.epoch) == (other.store, other.epoch)
    }
}

/// A place in the logs of all owners, in the order of [`Owner::ALL`]; none of one that was never read.
pub(crate) type Stand = [Option<Spot>; 3];

/// The number of an owner in a [`Stand`].
pub(crate) fn number(owner: Owner) -> usize {
    owner as usize
}

/// What a change did to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Created,
    Updated,
    Retired,
}

impl Action {
    pub(crate) const ALL: [Action; 3] = [Action::Created, Action::Updated, Action::Retired];

    /// Its name in the schema.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Created => "CREATED",
            Action::Updated => "UPDATED",
            Action::Retired => "RETIRED",
        }
    }
}

/// What became of one record.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    pub(crate) action: Action,
    pub(crate) version: u64,
    /// The numbers of the fields that were written, of those that commands may write.
    pub(crate) fields: Box<[usize]>,
    /// Whether the person was erased whose data the record is: nothing from before is told any more.
    pub(crate) erased: bool,
    /// The fields as the owner tells them, by their numbers for ever; none where it did not keep that yet.
    pub(crate) told: Vec<u32>,
    /// The record after the change; of a retired one, as it was then.
    pub(crate) record: Record,
}

/// A revision of an owner.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) owner: Owner,
    /// The place in the owner's log after it.
    pub(crate) after: Spot,
    /// When it was committed: microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) actor: String,
    pub(crate) source: String,
    /// Empty where there is no such thing.
    pub(crate) run: String,
    /// What it changed, in the order of the log. A record of a kind that this version does not know is left out.
    pub(crate) events: Vec<Event>,
}

impl Logged {
    /// A revision that an owner has sent, in a log. Where the owner does not tell which fields were written, they are known by
    /// `before`, the graph without the revision.
    pub(crate) fn new(owner: Owner, log: &Spot, revision: Revision, before: Option<&Graph>) -> Self {
        let after = Spot { revision: revision.revision, mark: revision.mark, ..*log };
        let changes = revision.changes.len();
        let events: Vec<_> = revision.changes.into_iter().filter_map(|change| event(change, before)).collect();
        if events.len() < changes {
            let left_out = changes - events.len();
            tracing::error!(owner = owner.name(), revision = after.revision, left_out, "records can not be read");
        }
        let Revision { at, actor, source, run, .. } = revision;
        Self { owner, after, at, actor, source, run, events }
    }

    /// The write that it was.
    pub(crate) fn origin(&self) -> Origin {
        Origin { source: self.source.clone(), run: self.run.clone(), actor: self.actor.clone(), at: self.at }
    }

    fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.record.encoded_len() * 2 + CHANGE_OVERHEAD).sum::<usize>()
            + CHANGE_OVERHEAD
    }
}

fn event(change: Change, before: Option<&Graph>) -> Option<Event> {
    let (record, told, erased) = (change.record?, change.fields, change.erased);
    let entity = record.entity()?;
    let (kind, header) = (entity.kind(), entity.header()?);
    let id = Uuid::from_slice(&header.id).ok()?;
    let action = if header.retired_at.is_some() {
        Action::Retired
    } else if header.version == 1 || header.created_at == header.updated_at {
        // A record that one batch makes and writes again comes with its second version.
        Action::Created
    } else {
        Action::Updated
    };
    let version = header.version;
    let fields = match before {
        Some(graph) if told.is_empty() => written(graph, entity, id),
        _ => {
            let known = told.iter().filter_map(|tag| kind.info().field_by_tag(*tag));
            known.filter(|field| field.writable).map(|field| field.index).collect()
        }
    };
    Some(Event { kind, id, action, version, fields, erased, told, record })
}

/// The fields in which a record differs from what the graph has of it.
fn written(before: &Graph, entity: &dyn Entity, id: Uuid) -> Box<[usize]> {
    let kind = entity.kind();
    let row = before.table(kind).row_of(id);
    kind.info()
        .fields()
        .filter(|field| field.writable)
        .filter(|field| {
            let old = row.map_or(Value::Null, |row| before.value(kind, row, field.index));
            !same(&old, &entity.get(field.index))
        })
        .map(|field| field.index)
        .collect()
}

/// Whether two values are the same; references to several records have no order.
fn same(old: &Value<'_>, new: &Value<'_>) -> bool {
    match (old, new) {
        (Value::Ids(old), Value::Ids(new)) => {
            let sorted = |ids: &[Uuid]| {
                let mut ids = ids.to_vec();
                ids.sort_unstable();
                ids
            };
            old.len() == new.len() && sorted(old) == sorted(new)
        }
        _ => old == new,
    }
}

/// What happened.
#[derive(Debug)]
pub(crate) enum What {
    /// An owner wrote something.
    Revision(Arc<Logged>),
    /// An owner was read anew, as of a place; what happened before it since the last entry is not known here.
    Jump { owner: Owner, to: Spot },
}

impl What {
    pub(crate) fn owner(&self) -> Owner {
        match self {
            What::Revision(revision) => revision.owner,
            What::Jump { owner, .. } => *owner,
        }
    }
}

/// What happened, and where everything stood before it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) what: What,
    pub(crate) before: Stand,
    changes: usize,
    bytes: usize,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) changes: usize,
    pub(crate) bytes: usize,
}

/// The last of what was published.
#[derive(Debug)]
pub(crate) struct Journal {
    kept: Kept,
    ring: RwLock<Ring>,
}

#[derive(Debug)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    /// The number of the first entry; entries are numbered without gaps from 0 on.
    first: u64,
    /// Where everything stands after the last entry.
    head: Stand,
    /// Of each owner, the number of the entry after the last jump.
    unbroken: [u64; 3],
    changes: usize,
    bytes: usize,
}

/// What there is at a place of the journal.
pub(crate) enum Found {
    /// This.
    Entry(Arc<Entry>),
    /// Nothing any more.
    Gone,
    /// Nothing yet.
    Ahead,
}

impl Default for Journal {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl Journal {
    /// A journal that keeps so much, and always what was published last.
    pub(crate) fn keeping(kept: Kept) -> Self {
        let ring = Ring { entries: VecDeque::new(), first: 0, head: [None; 3], unbroken: [0; 3], changes: 0, bytes: 0 };
        Self { kept, ring: RwLock::new(ring) }
    }

    /// Adds what happened, up to where everything stands now, and gives the number of the entry that will be next. Where the revisions
    /// given do not lead to the stand, the journal has a jump.
    pub(crate) fn append(&self, revisions: Vec<Logged>, stand: &Stand) -> u64 {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut erasure = None;
        for revision in revisions {
            let erases = revision.events.iter().any(|event| event.erased);
            let (owner, after) = (revision.owner, revision.after);
            let known = ring.head[number(owner)];
            let follows = known.is_some_and(|known| known.is_same_log(&after) && known.revision + 1 == after.revision);
            if follows {
                ring.push(What::Revision(Arc::new(revision)));
            } else if known != Some(after) {
                // What came between is not known here.
                ring.push(What::Jump { owner, to: after });
            }
            if erases {
                erasure = Some(ring.end());
            }
        }
        if let Some(end) = erasure {
            ring.forget_before(end.saturating_sub(1));
        }
        for owner in Owner::ALL {
            if let Some(to) = stand[number(owner)]
                && ring.head[number(owner)] != Some(to)
            {
                ring.push(What::Jump { owner, to });
            }
        }
        ring.forget(self.kept);
        ring.end()
    }

    /// What there is at a place.
    pub(crate) fn at(&self, number: u64) -> Found {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        match number.checked_sub(ring.first).and_then(|place| usize::try_from(place).ok()) {
            None => Found::Gone,
            Some(place) => ring.entries.get(place).map_or(Found::Ahead, |entry| Found::Entry(Arc::clone(entry))),
        }
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn push(&mut self, what: What) {
        let owner = what.owner();
        let (to, changes, bytes) = match &what {
            What::Revision(revision) => (revision.after, revision.events.len(), revision.bytes()),
            What::Jump { to, .. } => {
                self.unbroken[number(owner)] = self.end() + 1;
                (*to, 0, CHANGE_OVERHEAD)
            }
        };
        self.changes += changes;
        self.bytes += bytes;
        self.entries.push_back(Arc::new(Entry { what, before: self.head, changes, bytes }));
        self.head[number(owner)] = Some(to);
    }

    /// Forgets what came before an entry: it may tell who somebody was who is erased.
    fn forget_before(&mut self, number: u64) {
        while self.first < number {
            let Some(entry) = self.entries.pop_front() else { return };
            self.changes -= entry.changes;
            self.bytes -= entry.bytes;
            self.first += 1;
        }
    }

    /// Forgets the oldest while there is too much; the newest entry stays, however large it is.
    fn forget(&mut self, kept: Kept) {
        while self.entries.len() > 1
            && (self.changes > kept.changes || self.bytes > kept.bytes || self.entries.len() > kept.changes)
        {
            let Some(entry) = self.entries.pop_front() else { return };
            self.changes -= entry.changes;
            self.bytes -= entry.bytes;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests;
