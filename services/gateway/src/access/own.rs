//! What is a viewer's own: the worker, what is about that worker, the units and the initiatives.

use spil_access::{Scope, ScopeSet, Viewer, WorkerName};
use spil_graph::{Graph, Row, RowSet};
use spil_proto::model::{FieldType, Kind, Step, Value};
use uuid::Uuid;

use super::belonging::{self, RowsByKind, holds, walk, with_parts};

/// The rows of the scopes that a policy asks for, in one state of the graph.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// The viewer's worker.
    worker: Option<(Uuid, Row)>,
    record: RowsByKind,
    subtree: RowsByKind,
    initiatives: RowsByKind,
}

impl Own {
    /// Finds out what is the viewer's own on a day.
    pub(super) fn find(viewer: &Viewer, graph: &Graph, today: i32) -> Self {
        match viewer.worker().and_then(|name| worker(graph, name)) {
            Some(row) => Self::of(viewer, row, graph, today),
            None => Self::default(),
        }
    }

    /// The same of a viewer of whom it is known who that is.
    pub(super) fn of_worker(viewer: &Viewer, worker: Uuid, graph: &Graph, today: i32) -> Self {
        match graph.table(Kind::Worker).row_of(worker) {
            Some(row) => Self::of(viewer, row, graph, today),
            None => Self::default(),
        }
    }

    fn of(viewer: &Viewer, row: Row, graph: &Graph, today: i32) -> Self {
        let id = match graph.value(Kind::Worker, row, spil_proto::model::field::ID) {
            Value::Id(id) => id,
            _ => return Self::default(),
        };
        let needs = |scope| uses(viewer, scope);
        let mut own = Self { worker: Some((id, row)), ..Self::default() };
        own.record = records_about(graph, row);
        if needs(Scope::OwnOrgSubtree) {
            let units = units(graph, row, today);
            own.subtree = with_parts(graph, units.into_iter().map(|row| (Kind::OrgUnit, row)), today);
        }
        if needs(Scope::OwnInitiatives) {
            let initiatives = initiatives(graph, row, today);
            own.initiatives = with_parts(graph, initiatives.into_iter().map(|row| (Kind::Initiative, row)), today);
        }
        own
    }

    /// The viewer's worker.
    pub(crate) fn worker(&self) -> Option<(Uuid, Row)> {
        self.worker
    }

    /// The rows of a kind within a scope; none if there are none, and for [`Scope::All`], which has no rows of its own.
    pub(super) fn rows(&self, scope: Scope, kind: Kind) -> Option<&RowSet> {
        match scope {
            Scope::All => None,
            Scope::OwnRecord => self.record.of(kind),
            Scope::OwnOrgSubtree => self.subtree.of(kind),
            Scope::OwnInitiatives => self.initiatives.of(kind),
        }
    }

    /// The scopes that a record is in.
    pub(crate) fn scopes(&self, kind: Kind, row: Row) -> ScopeSet {
        let is_in = |scope: &Scope| self.rows(*scope, kind).is_some_and(|rows| rows.contains(row));
        Scope::ALL.into_iter().filter(is_in).collect()
    }
}

/// Whether anything is allowed within a scope.
pub(super) fn uses(viewer: &Viewer, scope: Scope) -> bool {
    spil_access::Action::ALL.into_iter().any(|action| {
        Kind::ALL.iter().any(|kind| viewer.rights(action, *kind).iter().any(|right| right.scope == scope))
    })
}

/// The kinds whose records decide what is the viewer's own.
pub(crate) fn touched(viewer: &Viewer) -> Vec<Kind> {
    let mut kinds = Vec::new();
    if !viewer.has_own() {
        return kinds;
    }
    if uses(viewer, Scope::OwnOrgSubtree) {
        belonging::touched(Kind::OrgUnit, &mut kinds);
    }
    if uses(viewer, Scope::OwnInitiatives) {
        belonging::touched(Kind::Initiative, &mut kinds);
    }
    for kind in Kind::ALL.iter().copied() {
        let is_about_people = kind.info().person || kind.info().subject.is_some();
        let leads_there = matches!(kind, Kind::Position | Kind::OrgUnit);
        if (is_about_people || leads_there) && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The worker with a name; none if there is none, or if two share a number.
pub(super) fn worker(graph: &Graph, name: &WorkerName) -> Option<Row> {
    let workers = graph.table(Kind::Worker);
    match name {
        WorkerName::Id(id) => workers.row_of(*id),
        WorkerName::Key(key) => workers.row_of_key(key),
        WorkerName::ExternalId { system, id } => workers.row_of_external_id(system, id),
        WorkerName::Number(number) => {
            let field = Kind::Worker.info().field_by_name("number")?.index;
            let all = workers.rows();
            let mut rows = all.iter().filter(|row| workers.text(*row, field) == Some(number.as_str()));
            let first = rows.next()?;
            rows.next().is_none().then_some(first)
        }
    }
}

/// The worker and the records whose subject it is.
fn records_about(graph: &Graph, worker: Row) -> RowsByKind {
    let mut rows = RowsByKind::default();
    rows.insert(Kind::Worker, worker);
    for kind in Kind::ALL.iter().copied() {
        if let Some(subject) = kind.info().subject {
            for row in graph.referrers(Kind::Worker, worker, kind, subject) {
                rows.insert(kind, row);
            }
        }
    }
    rows
}

/// The units of the worker's current positions, and those that these positions head.
fn units(graph: &Graph, worker: Row, today: i32) -> Vec<Row> {
    let mut units = Vec::new();
    for name in ["orgUnit", "headedOrgUnits"] {
        let from_position = Kind::Position.relation(name).map(|relation| relation.steps).unwrap_or_default();
        let to_position = Kind::Worker.relation("positions").map(|relation| relation.steps).unwrap_or_default();
        let steps: Vec<Step> = to_position.into_iter().chain(from_position).collect();
        if !steps.is_empty() {
            units.extend(walk(graph, Kind::Worker, worker, &steps, today));
        }
    }
    units
}

/// The initiatives that the worker sponsors or has a stake in today.
fn initiatives(graph: &Graph, worker: Row, today: i32) -> Vec<Row> {
    let reference = |kind: Kind, name: &str| {
        let field = kind.info().field_by_name(name)?;
        matches!(field.ty, FieldType::Ref(_)).then_some(field.index)
    };
    let mut initiatives = Vec::new();
    if let Some(field) = reference(Kind::Initiative, "sponsorId") {
        initiatives.extend(graph.referrers(Kind::Worker, worker, Kind::Initiative, field));
    }
    if let (Some(of), Some(to)) =
        (reference(Kind::Stakeholder, "workerId"), reference(Kind::Stakeholder, "initiativeId"))
    {
        for stake in graph.referrers(Kind::Worker, worker, Kind::Stakeholder, of) {
            if holds(graph, Kind::Stakeholder, stake, today) {
                initiatives.extend(graph.reference(Kind::Stakeholder, stake, to));
            }
        }
    }
    initiatives
}
