//! Nobody who writes within a scope only makes that scope wider. Scopes hang on records: on who has which position and which stake, on which
//! unit a position is in and heads, and on how a token names its worker.
//!
//! What such a writer may do to these is to end them. Whatever else would bring in a record that was not in the scope before is refused.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use spil_access::{Scope, ScopeSet, Viewer, WorkerName};
use spil_proto::{
    changefeed::v1::{Problem, ProblemCode, Record},
    model::{FieldInfo, FieldType, Kind, Step, Value, field},
};
use uuid::Uuid;

use super::permit::Scopes;
use crate::{command::working_set::is_retired, rule::problem};

/// The references by which a worker comes to have a say.
const GIVES_A_SAY: [(Kind, &str); 3] =
    [(Kind::Assignment, "worker_id"), (Kind::Stakeholder, "worker_id"), (Kind::Initiative, "sponsor_id")];
/// The scopes that a record comes into by what it belongs to.
const BELONGING: [Scope; 2] = [Scope::OwnOrgSubtree, Scope::OwnInitiatives];

/// For each kind, the references to records that belong by it to what its other references lead to: a worker to the unit of a position, by
/// an assignment.
static BRINGS_IN: LazyLock<HashMap<Kind, Vec<(usize, Kind)>>> = LazyLock::new(|| {
    let mut brings_in: HashMap<Kind, Vec<(usize, Kind)>> = HashMap::new();
    for part in Kind::ALL.iter().copied() {
        for relation in part.belongs_to() {
            for step in relation.steps {
                if let Step::Inverse { kind, field } = step {
                    brings_in.entry(kind).or_default().push((field, part));
                }
            }
        }
    }
    brings_in
});

/// The records that belong to others by a record.
pub(super) fn brought_in(kind: Kind, record: &Record) -> impl Iterator<Item = (&'static FieldInfo, Kind, Uuid)> {
    let of_kind = BRINGS_IN.get(&kind).into_iter().flatten();
    of_kind.filter_map(move |(index, part)| match record.entity()?.get(*index) {
        Value::Id(id) => Some((kind.info().field(*index)?, *part, id)),
        _ => None,
    })
}

/// Who writes, as far as the own scope hangs on it.
pub(crate) struct Writer<'a> {
    pub(crate) viewer: &'a Viewer,
    /// The own worker, if there is one.
    pub(crate) worker: Option<Uuid>,
    /// The positions that the worker has, had or will have.
    pub(crate) positions: &'a HashSet<Uuid>,
}

/// A record before and after a batch.
pub(super) struct Images<'a> {
    pub(super) kind: Kind,
    pub(super) stored: Option<&'a Record>,
    pub(super) now: Option<&'a Record>,
    /// The scopes that it is in afterwards.
    pub(super) scopes: ScopeSet,
}

impl Images<'_> {
    fn value(record: Option<&Record>, index: usize) -> Value<'_> {
        record.and_then(Record::entity).map_or(Value::Null, |entity| entity.get(index))
    }

    fn differs(&self, index: usize) -> bool {
        Self::value(self.stored, index) != Self::value(self.now, index)
    }

    /// The first field by which the record could bring in more than it does: another reference, an earlier beginning, a later end.
    fn widened(&self) -> Option<&'static FieldInfo> {
        let own = self.kind.info().own;
        if self.stored.is_none() {
            return own.iter().find(|info| matches!(info.ty, FieldType::Ref(_)));
        }
        own.iter().find(|info| {
            let (before, after) = (Self::value(self.stored, info.index), Self::value(self.now, info.index));
            match (info.ty, info.column) {
                (FieldType::Ref(_) | FieldType::RefList(_), _) => before != after,
                (FieldType::Date, "from") => match (before, after) {
                    (Value::Date(before), Value::Date(after)) => after < before,
                    (before, after) => !before.is_null() && after.is_null(),
                },
                (FieldType::Date, "to") => match (before, after) {
                    (Value::Date(before), Value::Date(after)) => after > before,
                    (before, after) => !before.is_null() && after.is_null(),
                },
                _ => false,
            }
        })
    }
}

/// Names what is wrong where a record, as somebody wrote it who may not write every such record, could make the writer's scope wider.
pub(super) fn gives_a_say(
    writer: &Writer<'_>,
    images: &Images<'_>,
    scopes: &Scopes,
    is_there: impl Fn(Kind, Uuid) -> bool,
) -> Option<Problem> {
    let Images { kind, stored, now, .. } = *images;
    let now = now.filter(|record| !is_retired(record))?;
    let info = kind.info();
    let refuse = |info: &FieldInfo| {
        let column = info.column;
        let message = format!("`{column}` would give the writer a say that is not the writer's to give");
        Some(problem(column, ProblemCode::Forbidden, message))
    };
    // Who heads a unit, and by what a token names its worker: whoever it is.
    if let Some(head) =
        info.field_by_column("head_id").filter(|head| kind == Kind::OrgUnit && images.differs(head.index))
    {
        return refuse(head);
    }
    if let Some(name) = named_by(writer.viewer).filter(|name| info.person && images.differs(*name)) {
        return info.field(name).and_then(refuse);
    }
    // Where the writer has a place.
    if let Some(worker) = writer.worker {
        let is_own = |record: Option<&Record>, index: usize| Images::value(record, index) == Value::Id(worker);
        let say: Vec<usize> = GIVES_A_SAY
            .iter()
            .filter(|(of, _)| *of == kind)
            .filter_map(|(_, column)| info.field_by_column(column).map(|field| field.index))
            .collect();
        for index in say.iter().copied().chain(info.subject).filter(|index| is_own(Some(now), *index)) {
            let comes = !is_own(stored, index);
            // What is only about somebody may be made about oneself, and not be turned to oneself.
            if comes && (stored.is_some() || !say.is_empty()) {
                return info.field(index).and_then(refuse);
            }
            if !comes
                && info.subject == Some(index)
                && !say.is_empty()
                && let Some(widened) = images.widened()
            {
                return refuse(widened);
            }
        }
        let unit = info.field_by_column("org_unit_id").filter(|_| kind == Kind::Position);
        let is_held = now.id().is_some_and(|id| writer.positions.contains(&id));
        if let Some(unit) = unit.filter(|unit| is_held && images.differs(unit.index)) {
            return refuse(unit);
        }
    }
    // Whom the record brings in.
    images.widened()?;
    brought_in(kind, now)
        .filter(|(_, part, id)| is_there(*part, *id))
        .find(|(_, part, id)| {
            let before = scopes.get(&(*part, *id)).map_or(ScopeSet::ALL_ONLY, |(before, _)| *before);
            BELONGING.iter().any(|scope| images.scopes.contains(*scope) && !before.contains(*scope))
        })
        .and_then(|(info, _, _)| refuse(info))
}

/// The field by which the token of a viewer names a worker.
fn named_by(viewer: &Viewer) -> Option<usize> {
    match viewer.worker()? {
        WorkerName::Key(_) => Some(field::KEY),
        WorkerName::ExternalId { .. } => Some(field::EXTERNAL_IDS),
        WorkerName::Number(_) => Some(Kind::Worker.info().field_by_column("number")?.index),
        WorkerName::Id(_) => None,
    }
}
