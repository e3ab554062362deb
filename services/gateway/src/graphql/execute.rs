//! Runs the plan of a query: walks the graph and writes the answer as JSON, without anything in between.

mod connection;
mod facets;
mod fetched;
mod list;
mod people;
mod provenance;
mod reach;
mod reads;
mod record;
mod register;
mod search;
mod snapshot;
mod text;

use std::sync::Arc;

use apollo_compiler::response::JsonMap;
use spil_access::Policy;
use spil_graph::{Budget, Exhausted, Graph};
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{
    bind::{Bound, Get},
    error::{Code, GraphqlError},
    fetch::{Fetched, Need},
    people::CountedPeople,
    plan::{Item, NodeItems, Place, QueryField, RecordField, What},
    reads::{Reads, Recorder, known},
    schema::SpilSchema,
};
use crate::{access::View, aggregate::Counted, live::Published, search::Indexed};
pub(super) use text::string;

/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Writes one answer.
pub(super) struct Writer<'a> {
    pub(super) graph: &'a Graph,
    /// Where the graph stands; records are read from `graph` alone.
    published: &'a Published,
    bound: &'a [Bound],
    budget: Budget,
    most_bytes: usize,
    pub(super) out: Vec<u8>,
    /// A record that is shown though it is retired, and since when it is.
    pub(super) retired: Option<(Place, i64)>,
    /// The index, where something is searched.
    indexed: Option<Arc<Indexed>>,
    /// The policy in force, for who asks what it says.
    pub(super) policy: Option<Arc<Policy>>,
    /// What was counted beforehand.
    pub(super) people: CountedPeople,
    /// The whole graph, where it is told how the service is doing.
    whole: Option<&'a Published>,
    /// Notes what is told of people, where who they are is seen of others than the viewer.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Who asks, where that is told.
    pub(super) viewing: Option<&'a View>,
    /// What the owners of data answered; none before they were asked.
    pub(super) fetched: Option<&'a Fetched>,
    /// What they have to be asked.
    pub(super) needs: Vec<Need>,
}

/// Why an answer was not written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// It costs more than one request may.
    TooCostly,
    /// The plan and its arguments do not belong together: a fault of ours.
    Mismatch,
}

impl From<Exhausted> for Halt {
    fn from(_: Exhausted) -> Self {
        Halt::TooCostly
    }
}

impl From<Halt> for GraphqlError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::TooCostly => GraphqlError::new(
                Code::TooCostly,
                "the answer needs more work than one request may cause; ask for smaller pages or for less at once",
            ),
            Halt::Mismatch => GraphqlError::new(Code::Internal, "the answer could not be written"),
        }
    }
}

impl<'a> Writer<'a> {
    /// A writer that may do so much work.
    pub(super) fn new(published: &'a Published, bound: &'a [Bound], cost: u64) -> Self {
        Self::over(&published.graph, published, bound, cost)
    }

    /// A writer over another graph than the published one.
    pub(super) fn over(graph: &'a Graph, published: &'a Published, bound: &'a [Bound], cost: u64) -> Self {
        Self {
            graph,
            published,
            bound,
            budget: Budget::new(cost),
            most_bytes: MAX_ANSWER_BYTES,
            out: Vec::with_capacity(4096),
            retired: None,
            indexed: None,
            policy: None,
            people: CountedPeople::default(),
            whole: None,
            recorder: None,
            viewing: None,
            fetched: None,
            needs: Vec::new(),
        }
    }

    /// The same with an index to search.
    pub(super) fn searching(mut self, indexed: Option<Arc<Indexed>>) -> Self {
        self.indexed = indexed;
        self
    }

    /// The same with the whole graph, of which nothing but how it is doing may be told.
    pub(super) fn telling(mut self, whole: Option<&'a Published>) -> Self {
        self.whole = whole;
        self
    }

    /// The same, noting what is told of people.
    pub(super) fn recording(mut self, recorder: Option<Box<Recorder>>) -> Self {
        self.recorder = recorder;
        self
    }

    /// What was told of people so far, known by it or not.
    pub(super) fn take_told(&mut self) -> Reads {
        self.recorder.take().map(|recorder| recorder.into_told()).unwrap_or_default()
    }

    /// What was told so far of people who are known by it.
    pub(super) fn take_reads(&mut self) -> Reads {
        let mut reads = self.take_told();
        known(&mut reads);
        reads
    }

    /// The same with fewer bytes that it may write, about.
    pub(super) fn at_most(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes.min(MAX_ANSWER_BYTES);
        self
    }

    /// What was written so far, to be gone on with.
    pub(super) fn out_mut(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Writes a text; a long one costs more than a short one.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Halt> {
        self.budget.spend(text.len() as u64 / 64)?;
        string(text, &mut self.out);
        Ok(())
    }

    /// How much work may still be done.
    pub(super) fn left(&self) -> u64 {
        self.budget.left()
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes the fields of a query as one object.
    pub(super) fn query(&mut self, items: &[Item<QueryField>], introspection: Option<&JsonMap>) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                QueryField::TypeName => this.raw("\"Query\""),
                QueryField::Introspection => {
                    match introspection
                        .and_then(|data| data.get(item.name()))
                        .and_then(|value| serde_json::to_vec(value).ok())
                    {
                        Some(json) => this.out.extend_from_slice(&json),
                        None => this.raw("null"),
                    }
                }
                QueryField::Node { slot, by_kind } => {
                    let Bound::Node(id) = this.bound(*slot)? else { return Err(Halt::Mismatch) };
                    this.node(*id, by_kind)?;
                }
                QueryField::Nodes { slot, by_kind } | QueryField::Entities { slot, by_kind } => {
                    let Bound::Nodes(ids) = this.bound(*slot)? else { return Err(Halt::Mismatch) };
                    this.array(ids, |this, id| this.node(*id, by_kind))?;
                }
                QueryField::Get { slot, kind, items } => this.get(*slot, *kind, items)?,
                QueryField::List(list) => this.list(list, None)?,
                QueryField::Reach(field) => this.reach(field)?,
                QueryField::Search(field) => this.search(field)?,
                QueryField::Viewer(items) => this.viewer(items)?,
                QueryField::Audit { slot, items } => this.fetched(Need { slot: *slot, person: None }, items)?,
                QueryField::SubjectExport { slot, items } => this.subject_export(*slot, items)?,
                QueryField::Service(items) => this.service(items)?,
                QueryField::People(field) => this.people(field)?,
                QueryField::Register(items) => this.register(items)?,
                QueryField::Snapshot(items) => this.snapshot(items)?,
            }
            Ok(())
        })
    }

    /// Writes what a router asks of the schema.
    fn service(&mut self, items: &[Item<What>]) -> Result<(), Halt> {
        let schema = SpilSchema::get().map_err(|_| Halt::Mismatch)?;
        self.object(items, |this, item| match &*item.what.name {
            "sdl" => this.text(&schema.subgraph_sdl),
            _ => {
                this.raw("\"_Service\"");
                Ok(())
            }
        })
    }

    /// Writes the record that is looked up, or null.
    pub(super) fn get(&mut self, slot: usize, kind: Kind, items: &[Item<RecordField>]) -> Result<(), Halt> {
        let Bound::Get(get) = self.bound(slot)? else { return Err(Halt::Mismatch) };
        let table = self.graph.table(kind);
        let row = match get {
            Get::Id(id) => id.and_then(|id| table.row_of(id)),
            Get::Key(key) => table.row_of_key(key),
            Get::ExternalId { system, id } => table.row_of_external_id(system, id),
        };
        match row {
            Some(row) => {
                if self.recorder.is_some() {
                    self.note_lookup(get, Place { kind, row })?;
                }
                self.record(Place { kind, row }, items)?;
            }
            None => self.raw("null"),
        }
        Ok(())
    }

    fn node(&mut self, id: Option<(Kind, Uuid)>, by_kind: &NodeItems) -> Result<(), Halt> {
        let place = id.and_then(|(kind, id)| Some(Place { kind, row: self.graph.table(kind).row_of(id)? }));
        match place.and_then(|place| Some((place, by_kind.get(&place.kind)?))) {
            Some((place, items)) => self.record(place, items),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }

    /// What was counted for a slot, and the fewest people that a figure is about.
    fn counted(&self, slot: usize) -> Result<(Arc<Counted>, u64), Halt> {
        let found = self.people.by_slot.iter().find(|(at, _)| *at == slot);
        found.map(|(_, counted)| (Arc::clone(counted), self.people.smallest)).ok_or(Halt::Mismatch)
    }

    /// The arguments in a slot.
    fn bound(&self, slot: usize) -> Result<&'a Bound, Halt> {
        self.bound.get(slot).ok_or(Halt::Mismatch)
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes an object: a key and a value for each item. Every value costs one.
    pub(super) fn object<T>(
        &mut self,
        items: &[Item<T>],
        mut write: impl FnMut(&mut Self, &Item<T>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        self.budget.spend(items.len() as u64)?;
        let mut separator = b'{';
        for item in items {
            if self.out.len() > self.most_bytes {
                return Err(Halt::TooCostly);
            }
            self.out.push(separator);
            separator = b',';
            self.raw(&item.key);
            write(self, item)?;
        }
        if items.is_empty() {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes an array.
    pub(super) fn array<T>(
        &mut self,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        self.budget.spend(items.len() as u64)?;
        self.out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            write(self, item)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Writes a record that is in the graph.
    pub(super) fn record(&mut self, place: Place, items: &[Item<RecordField>]) -> Result<(), Halt> {
        if let Some(recorder) = &mut self.recorder {
            recorder.selected(self.graph, place, items)?;
        }
        self.object(items, |this, item| this.record_field(place, &item.what))
    }
}
