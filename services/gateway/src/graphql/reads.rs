//! What an answer tells of people who are known by it: kept in a read log before the answer leaves.

mod fields;

use std::{collections::HashMap, mem};

use spil_access::Viewer;
use spil_auth::Caller;
use spil_graph::{By, Filter, Graph, Order};
use spil_proto::model::{Kind, Step, Value, field};
use uuid::Uuid;

use super::{
    Engine, Origin,
    error::{Code, GraphqlError},
    execute::Halt,
    plan::{Item, Place, RecordField},
    purpose,
};
use crate::{
    access::View,
    read_log::{Reader, Unlogged},
};
pub(super) use fields::identifying;
pub(crate) use fields::{FieldBits, names, single};

/// The most people whom one answer may identify.
pub(super) const MAX_PEOPLE: usize = 10_000;
/// The most people about whom one answer may tell anything, known by it or not.
const MAX_TOLD: usize = 100_000;
/// How many selections are remembered. Of more than that some are looked through again.
const SELECTIONS: usize = 32;

/// What was told, by person.
pub(crate) type Reads = HashMap<Uuid, FieldBits>;

/// What a filter looks at of people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// The way to the records that it looks at.
    pub(super) way: Vec<Step>,
    /// Their kind.
    pub(super) kind: Kind,
    /// Which of their fields.
    pub(super) fields: FieldBits,
    /// Which references it follows, from them or to them.
    pub(super) followed: FieldBits,
}

/// Notes what an answer tells of others than whoever reads it. It is about one graph.
pub(super) struct Recorder {
    own: Option<Uuid>,
    reads: Reads,
    /// How many of them are identified.
    identified: usize,
    /// Who was told about last: most often the next record is about the same person.
    last: (Uuid, FieldBits),
    /// Selections that were met, by where they are.
    selections: [Selection; SELECTIONS],
}

/// What a selection holds of a kind.
#[derive(Clone, Copy, Default)]
struct Selection {
    at: usize,
    kind: Option<Kind>,
    bits: FieldBits,
    /// Those of them that are seen of every record that is.
    open: FieldBits,
}

impl Recorder {
    /// A recorder for an answer to somebody, who may be a worker.
    pub(super) fn new(own: Option<Uuid>) -> Self {
        let selections = [Selection::default(); SELECTIONS];
        Self { own, reads: Reads::new(), identified: 0, last: (Uuid::nil(), 0), selections }
    }

    /// What was told.
    pub(super) fn into_told(mut self) -> Reads {
        self.put(Uuid::nil(), 0);
        self.reads
    }

    /// Notes the fields of a record that are being written.
    #[inline]
    pub(super) fn selected(&mut self, graph: &Graph, place: Place, items: &[Item<RecordField>]) -> Result<(), Halt> {
        let at = items.as_ptr().addr();
        let slot = (at >> 4 ^ at >> 9) % SELECTIONS;
        let Some(known) = self.selections.get_mut(slot) else { return Ok(()) };
        if known.at != at || known.kind != Some(place.kind) {
            let bits = items.iter().fold(0, |bits, item| bits | of_item(place.kind, &item.what));
            let is_open = |field| graph.sight().is_none_or(|sight| sight.shows(place.kind, field));
            let open = fields::each(bits).filter(|(field, _)| is_open(*field)).fold(0, |open, (_, bit)| open | bit);
            *known = Selection { at, kind: Some(place.kind), bits, open };
        }
        let Selection { bits, open, .. } = *known;
        if bits == 0 {
            return Ok(());
        }
        let shown = open | shown(graph, place, bits & !open);
        self.tell(graph, place, shown)
    }

    /// Notes fields of a record that are told by whatever way.
    pub(super) fn told(&mut self, graph: &Graph, place: Place, bits: FieldBits) -> Result<(), Halt> {
        self.tell(graph, place, shown(graph, place, bits))
    }

    /// Notes references by which a record was come to, or is left, if it is about a person.
    pub(super) fn come_by(&mut self, graph: &Graph, place: Place, followed: FieldBits) -> Result<(), Halt> {
        let info = place.kind.info();
        if followed != 0 && (info.person || info.subject.is_some()) {
            self.tell(graph, place, followed)?;
        }
        Ok(())
    }

    /// Notes fields that are seen of a record.
    fn tell(&mut self, graph: &Graph, place: Place, shown: FieldBits) -> Result<(), Halt> {
        if shown == 0 {
            return Ok(());
        }
        let Place { kind, row } = place;
        let info = kind.info();
        let referred = |field| match graph.value(kind, row, field) {
            Value::Id(id) => Some(id),
            _ => None,
        };
        match info.subject {
            _ if info.person => self.note(graph.table(kind).id(row), shown),
            Some(subject) => referred(subject).map_or(Ok(()), |person| self.note(person, shown)),
            // Nobody's record; what is personal is whom it leads to.
            None => fields::each(shown)
                .try_for_each(|(field, bit)| referred(field).map_or(Ok(()), |person| self.note(person, bit))),
        }
    }

    #[inline]
    fn note(&mut self, person: Uuid, shown: FieldBits) -> Result<(), Halt> {
        if self.last.0 == person {
            self.last.1 |= shown;
            return Ok(());
        }
        self.put(person, shown);
        if self.identified >= MAX_PEOPLE || self.reads.len() >= MAX_TOLD { Err(Halt::TooCostly) } else { Ok(()) }
    }

    /// Puts down what was told of the last person, and goes on to another.
    fn put(&mut self, next: Uuid, shown: FieldBits) {
        let (person, bits) = mem::replace(&mut self.last, (next, shown));
        if bits == 0 || self.own == Some(person) {
            return;
        }
        let known = self.reads.entry(person).or_default();
        let was_identified = identifying(*known) != 0;
        *known |= bits;
        self.identified += usize::from(!was_identified && identifying(*known) != 0);
    }
}

/// Leaves of what was told that of people who are known by it: who stays a pseudonym has no reader.
pub(super) fn known(reads: &mut Reads) {
    reads.retain(|_, bits| identifying(*bits) != 0);
}

/// Those of some fields of a kind that are seen of a record.
fn shown(graph: &Graph, place: Place, bits: FieldBits) -> FieldBits {
    let table = graph.table(place.kind);
    fields::each(bits).filter(|(field, _)| table.shows(place.row, *field)).fold(0, |shown, (_, bit)| shown | bit)
}

fn of_item(kind: Kind, what: &RecordField) -> FieldBits {
    let one = |field| single(kind, field);
    match what {
        RecordField::Name { slot: None } => one(field::NAME),
        RecordField::Name { slot: Some(_) } => one(field::NAME) | one(field::TRANSLATIONS),
        RecordField::ExternalIds(_) => one(field::EXTERNAL_IDS),
        RecordField::Translations(_) => one(field::TRANSLATIONS),
        RecordField::Text(index)
        | RecordField::Texts(index)
        | RecordField::Bool(index)
        | RecordField::Int(index)
        | RecordField::Float(index)
        | RecordField::Decimal(index)
        | RecordField::Date(index)
        | RecordField::DateTime(index)
        | RecordField::Enum(index, _)
        | RecordField::Enums(index, _)
        | RecordField::One { field: index, .. } => one(*index),
        _ => 0,
    }
}

/// The key of a kind as a set of fields, or the external ids.
pub(super) fn lookup(kind: Kind, by_key: bool) -> FieldBits {
    single(kind, if by_key { field::KEY } else { field::EXTERNAL_IDS })
}

/// What an order is by, of what is kept of people.
pub(super) fn ordered(kind: Kind, order: &[Order]) -> FieldBits {
    order.iter().fold(0, |bits, order| match order.by {
        By::Field(field) => bits | single(kind, field),
        By::Count(_) => bits,
    })
}

/// The references that a list follows from a record.
pub(super) fn followed(steps: &[Step]) -> FieldBits {
    fields::followed(steps)
}

/// What a filter looks at of people.
pub(super) fn looked_at(kind: Kind, filter: &Filter) -> Vec<Looked> {
    let mut found = Vec::new();
    collect(kind, filter, &mut Vec::new(), &mut found);
    found
}

fn collect(kind: Kind, filter: &Filter, way: &mut Vec<Step>, found: &mut Vec<Looked>) {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| collect(kind, filter, way, found)),
        Filter::Not(filter) => collect(kind, filter, way, found),
        Filter::Field { field, .. } => add(found, way, kind, (single(kind, *field), 0)),
        Filter::Related { steps, to, filter, .. } => {
            let followed = followed(steps);
            let is_somebodys = |kind: Kind| kind.info().person || kind.info().subject.is_some();
            if is_somebodys(kind) {
                add(found, way, kind, (0, followed));
            }
            let length = way.len();
            way.extend(steps);
            if !is_somebodys(kind) && is_somebodys(*to) {
                add(found, way, *to, (0, followed));
            }
            if let Some(filter) = filter {
                collect(*to, filter, way, found);
            }
            way.truncate(length);
        }
    }
}

fn add(found: &mut Vec<Looked>, way: &[Step], kind: Kind, (fields, followed): (FieldBits, FieldBits)) {
    if fields | followed == 0 {
        return;
    }
    match found.iter_mut().find(|known| known.way == way) {
        Some(known) => {
            known.fields |= fields;
            known.followed |= followed;
        }
        None => found.push(Looked { way: way.to_vec(), kind, fields, followed }),
    }
}

impl Engine {
    /// Who reads, as it is kept.
    pub(super) fn reader(caller: &Caller, viewer: &Viewer, operation: Option<&str>, origin: Origin) -> Reader {
        Reader {
            subject: caller.subject().into(),
            issuer: caller.issuer().into(),
            purpose: viewer.purpose().map_or("", purpose::name),
            operation: operation.unwrap_or_default().into(),
            entry: origin.transport.name(),
        }
    }

    /// Has it kept what somebody read.
    ///
    /// # Errors
    /// If it can not be kept now; then nothing of it is told.
    pub(super) async fn keep_reads(&self, reader: &Reader, reads: &Reads) -> Result<(), GraphqlError> {
        if reads.is_empty() {
            return Ok(());
        }
        let kept = match &self.read_log {
            Some(log) => log.keep(reader, reads).await,
            None => Err(Unlogged),
        };
        kept.map_err(|unlogged| GraphqlError::new(Code::Unavailable, unlogged.to_string()))
    }
}

/// A recorder of what is told to a viewer, if the viewer sees who others are.
pub(super) fn recorder(view: &View) -> Option<Box<Recorder>> {
    view.identifies_others().then(|| Box::new(Recorder::new(view.worker())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_tells_by_which_way_it_looks_at_people() {
        let name = || Filter::Field { field: field::NAME, test: spil_graph::Test::IsNull(true) };
        let of = |name: &str| Kind::Assignment.info().field_by_name(name).expect("a field").index;
        let step = Step::Forward { kind: Kind::Assignment, field: of("workerId") };
        let related = Filter::Related {
            steps: vec![step],
            to: Kind::Worker,
            quantifier: spil_graph::Quantifier::None,
            filter: Some(Box::new(Filter::Not(Box::new(name())))),
        };
        let filter = Filter::And(vec![name(), Filter::Or(vec![related.clone(), related])]);
        let fields = single(Kind::Worker, field::NAME);
        let followed = single(Kind::Assignment, of("workerId"));
        let worker = |followed| Looked { way: vec![step], kind: Kind::Worker, fields, followed };
        assert_eq!(looked_at(Kind::Capability, &filter), [worker(followed)]);
        let fields = single(Kind::Assignment, field::NAME);
        let own = Looked { way: Vec::new(), kind: Kind::Assignment, fields, followed };
        assert_eq!(looked_at(Kind::Assignment, &filter), [own, worker(0)]);
    }

    #[test]
    fn only_those_who_are_known_are_kept_and_oneself_is_not() {
        let level = single(Kind::SkillAssertion, field::OWN + 2);
        let name = single(Kind::Worker, field::NAME);
        let [own, somebody, unknown] = [1, 2, 3].map(Uuid::from_u128);
        let mut recorder = Recorder::new(Some(own));
        for (person, bits) in
            [(somebody, level), (own, name | level), (unknown, level), (somebody, name), (unknown, level)]
        {
            assert_eq!(recorder.note(person, bits), Ok(()));
        }
        let mut told = recorder.into_told();
        assert_eq!(told, Reads::from([(somebody, name | level), (unknown, level)]));
        known(&mut told);
        assert_eq!(told, Reads::from([(somebody, name | level)]));
    }

    #[test]
    fn an_answer_identifies_no_more_people_than_can_be_kept() {
        let name = single(Kind::Worker, field::NAME);
        let mut recorder = Recorder::new(None);
        let people = (1..).map(Uuid::from_u128).take_while(|person| recorder.note(*person, name).is_ok()).count();
        assert_eq!((people, recorder.into_told().len()), (MAX_PEOPLE, MAX_PEOPLE + 1));
    }
}
