//! What an answer tells of who people are: kept in a read log before the answer leaves.

use std::{collections::HashMap, sync::LazyLock};

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

/// The most people about whom one answer may tell.
pub(super) const MAX_PEOPLE: usize = 10_000;

/// Some of [`FIELDS`], a bit for each.
pub(crate) type FieldBits = u128;

/// Every field that tells who somebody is.
static FIELDS: LazyLock<Vec<(Kind, usize)>> = LazyLock::new(|| {
    let of = |kind: &Kind| {
        let kind = *kind;
        kind.info().fields().filter(move |info| kind.info().identifies(info.index)).map(move |info| (kind, info.index))
    };
    Kind::ALL.iter().flat_map(of).collect()
});

/// Where the fields of each kind begin in [`FIELDS`], by the number of the kind; none for most.
static FIRST: LazyLock<HashMap<Kind, usize>> = LazyLock::new(|| {
    let mut first = HashMap::new();
    for (place, (kind, _)) in FIELDS.iter().enumerate() {
        first.entry(*kind).or_insert(place);
    }
    first
});

/// A field as a set of fields; empty if it tells nobody who somebody is.
fn bit(kind: Kind, field: usize) -> FieldBits {
    let Some(first) = FIRST.get(&kind) else { return 0 };
    let of_kind = FIELDS.iter().skip(*first).take_while(|(of, _)| *of == kind);
    of_kind.zip(*first..).find(|((_, found), _)| *found == field).map_or(0, |(_, place)| 1 << place)
}

/// The names of some fields: `Worker.email`.
pub(crate) fn names(bits: FieldBits) -> Vec<String> {
    let name = |(kind, field): &(Kind, usize)| {
        let info = kind.info();
        format!("{}.{}", info.name, info.field(*field).map_or("", |field| field.name))
    };
    FIELDS.iter().enumerate().filter(|(place, _)| bits & (1 << place) != 0).map(|(_, field)| name(field)).collect()
}

/// What was told, by person.
pub(crate) type Reads = HashMap<Uuid, FieldBits>;

/// Notes what an answer tells of others than whoever reads it.
#[derive(Default)]
pub(super) struct Recorder {
    own: Option<Uuid>,
    reads: Reads,
    /// What selections that were met hold, by where they are.
    selections: HashMap<(usize, Kind), FieldBits>,
}

impl Recorder {
    /// A recorder for an answer to somebody, who may be a worker.
    pub(super) fn new(own: Option<Uuid>) -> Self {
        Self { own, ..Self::default() }
    }

    /// What was told.
    pub(super) fn into_reads(self) -> Reads {
        self.reads
    }

    /// Notes the fields of a record that are being written.
    pub(super) fn selected(&mut self, graph: &Graph, place: Place, items: &[Item<RecordField>]) -> Result<(), Halt> {
        let bits = *self
            .selections
            .entry((items.as_ptr().addr(), place.kind))
            .or_insert_with(|| items.iter().fold(0, |bits, item| bits | of_item(place.kind, &item.what)));
        self.told(graph, place, bits)
    }

    /// Notes fields of a record that are told by whatever way.
    pub(super) fn told(&mut self, graph: &Graph, place: Place, bits: FieldBits) -> Result<(), Halt> {
        if bits == 0 {
            return Ok(());
        }
        let Place { kind, row } = place;
        let table = graph.table(kind);
        let mut shown = 0;
        let first = FIRST.get(&kind).copied().unwrap_or_default();
        let fields = FIELDS.iter().zip(0..).skip(first).take_while(|((of, _), _)| *of == kind);
        for ((_, field), place) in fields {
            let bit: FieldBits = 1 << place;
            if bits & bit != 0 && table.shows(row, *field) {
                shown |= bit;
            }
        }
        let info = kind.info();
        let person = match info.subject {
            _ if info.person => Some(table.id(row)),
            None => None,
            Some(subject) => match graph.value(kind, row, subject) {
                Value::Id(id) => Some(id),
                _ => None,
            },
        };
        let Some(person) = person.filter(|person| shown != 0 && self.own != Some(*person)) else { return Ok(()) };
        *self.reads.entry(person).or_default() |= shown;
        if self.reads.len() > MAX_PEOPLE { Err(Halt::TooCostly) } else { Ok(()) }
    }
}

fn of_item(kind: Kind, what: &RecordField) -> FieldBits {
    let one = |field| bit(kind, field);
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
    bit(kind, if by_key { field::KEY } else { field::EXTERNAL_IDS })
}

/// What an order is by, of what tells who people are.
pub(super) fn ordered(kind: Kind, order: &[Order]) -> FieldBits {
    order.iter().fold(0, |bits, order| match order.by {
        By::Field(field) => bits | bit(kind, field),
        By::Count(_) => bits,
    })
}

/// A field as a set of fields; empty if it tells nobody who somebody is.
pub(crate) fn single(kind: Kind, field: usize) -> FieldBits {
    bit(kind, field)
}

/// What a filter looks at that tells who people are: the way to the records, their kind, the fields.
pub(super) fn filtered(kind: Kind, filter: &Filter) -> Vec<(Vec<Step>, Kind, FieldBits)> {
    let mut found = Vec::new();
    collect(kind, filter, &mut Vec::new(), &mut found);
    found
}

fn collect(kind: Kind, filter: &Filter, way: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Kind, FieldBits)>) {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| collect(kind, filter, way, found)),
        Filter::Not(filter) => collect(kind, filter, way, found),
        Filter::Field { field, .. } => {
            let bits = bit(kind, *field);
            if bits == 0 {
                return;
            }
            match found.iter_mut().find(|(known, ..)| known == way) {
                Some((_, _, known)) => *known |= bits,
                None => found.push((way.clone(), kind, bits)),
            }
        }
        Filter::Related { steps, to, filter, .. } => {
            if let Some(filter) = filter {
                let length = way.len();
                way.extend(steps);
                collect(*to, filter, way, found);
                way.truncate(length);
            }
        }
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
    fn every_field_that_tells_who_somebody_is_has_its_bit_and_its_person() {
        assert!(FIELDS.len() <= 128, "a set has too few bits");
        assert!(FIELDS.contains(&(Kind::Worker, field::KEY)));
        for (kind, index) in FIELDS.iter() {
            let bits = bit(*kind, *index);
            assert_eq!(bits.count_ones(), 1);
            let info = kind.info();
            assert_eq!(names(bits), [format!("{}.{}", info.name, info.field(*index).expect("a field").name)]);
            assert!(info.person || info.subject.is_some(), "whose is {}?", info.name);
        }
        assert_eq!(bit(Kind::Capability, field::NAME), 0);
    }

    #[test]
    fn a_filter_tells_by_which_way_it_looks_at_people() {
        let name = || Filter::Field { field: field::NAME, test: spil_graph::Test::IsNull(true) };
        let step = Step::Forward { kind: Kind::Assignment, field: field::OWN };
        let related = Filter::Related {
            steps: vec![step],
            to: Kind::Worker,
            quantifier: spil_graph::Quantifier::None,
            filter: Some(Box::new(Filter::Not(Box::new(name())))),
        };
        let filter = Filter::And(vec![name(), Filter::Or(vec![related.clone(), related])]);
        let found = filtered(Kind::Capability, &filter);
        assert_eq!(found, [(vec![step], Kind::Worker, bit(Kind::Worker, field::NAME))]);
    }
}
