//! What belongs to what, as the model says, from the whole to its parts.

use std::sync::LazyLock;

use spil_graph::{Graph, Row, RowSet};
use spil_proto::model::{FieldType, Kind, Step, Value};

/// The rows of some records, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct RowsByKind(Vec<RowSet>);

impl RowsByKind {
    /// Takes a record in; whether it is new.
    pub(super) fn insert(&mut self, kind: Kind, row: Row) -> bool {
        let place = kind as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, RowSet::default);
        }
        self.0.get_mut(place).is_some_and(|rows| rows.insert(row))
    }

    /// The rows of a kind, if there are any.
    pub(super) fn of(&self, kind: Kind) -> Option<&RowSet> {
        self.0.get(kind as usize).filter(|rows| !rows.is_empty())
    }
}

/// How one kind leads to records that belong to its own.
struct Parts {
    whole: Kind,
    part: Kind,
    steps: Vec<Step>,
}

/// For every relation to a whole, the way back from it.
static PARTS: LazyLock<Vec<Parts>> = LazyLock::new(|| {
    let mut parts = Vec::new();
    for part in Kind::ALL.iter().copied() {
        for relation in part.belongs_to() {
            let steps = relation.steps.iter().rev().map(|step| step.reversed()).collect();
            parts.push(Parts { whole: relation.to, part, steps });
        }
    }
    parts
});

/// The kinds through which anything belongs to a record of a kind, and the kind itself.
pub(super) fn touched(kind: Kind, touched: &mut Vec<Kind>) {
    let mut waiting = vec![kind];
    while let Some(whole) = waiting.pop() {
        if touched.contains(&whole) {
            continue;
        }
        touched.push(whole);
        for parts in PARTS.iter().filter(|parts| parts.whole == whole) {
            waiting.push(parts.part);
            for step in &parts.steps {
                let (Step::Forward { kind, .. }
                | Step::Inverse { kind, .. }
                | Step::Above { kind, .. }
                | Step::Below { kind, .. }) = step;
                if !touched.contains(kind) && !waiting.contains(kind) {
                    // On the way, which a record of that kind opens, though nothing that belongs to it need be looked at.
                    waiting.push(*kind);
                }
            }
        }
    }
}

/// Adds everything that belongs to some records, directly or not. Records on the way that have a first and a last day count only while they
/// hold.
pub(super) fn with_parts(graph: &Graph, anchors: impl IntoIterator<Item = (Kind, Row)>, today: i32) -> RowsByKind {
    let mut found = RowsByKind::default();
    let mut waiting: Vec<(Kind, Row)> = Vec::new();
    for (kind, row) in anchors {
        if found.insert(kind, row) {
            waiting.push((kind, row));
        }
    }
    while let Some((whole, row)) = waiting.pop() {
        for parts in PARTS.iter().filter(|parts| parts.whole == whole) {
            for row in walk(graph, whole, row, &parts.steps, today) {
                if found.insert(parts.part, row) {
                    waiting.push((parts.part, row));
                }
            }
        }
    }
    found
}

/// Follows steps from a record, over records that hold today.
pub(super) fn walk(graph: &Graph, kind: Kind, row: Row, steps: &[Step], today: i32) -> Vec<Row> {
    let (mut at, mut rows) = (kind, vec![row]);
    for (place, step) in steps.iter().enumerate() {
        let Some(next) = destination(at, *step) else { return Vec::new() };
        let mut reached: Vec<Row> = rows.iter().flat_map(|row| graph.walk(at, *row, &[*step])).collect();
        if place + 1 < steps.len() {
            reached.retain(|row| holds(graph, next, *row, today));
        }
        (at, rows) = (next, reached);
    }
    rows
}

fn destination(from: Kind, step: Step) -> Option<Kind> {
    match step {
        Step::Forward { field, .. } => match from.info().field(field)?.ty {
            FieldType::Ref(to) | FieldType::RefList(to) => Some(to),
            _ => None,
        },
        Step::Inverse { kind, .. } => Some(kind),
        Step::Above { .. } | Step::Below { .. } => Some(from),
    }
}

/// Whether a record holds on a day: always, if it has no first or last day.
pub(super) fn holds(graph: &Graph, kind: Kind, row: Row, today: i32) -> bool {
    let day = |column: &str| {
        let field =
            kind.info().own.iter().find(|field| field.column == column && matches!(field.ty, FieldType::Date))?;
        match graph.value(kind, row, field.index) {
            Value::Date(day) => Some(day),
            _ => None,
        }
    };
    day("from").is_none_or(|from| from <= today) && day("to").is_none_or(|to| today < to)
}
