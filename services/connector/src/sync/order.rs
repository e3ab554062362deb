//! The order of records: those referred to come first.

use std::collections::{HashMap, HashSet};

use spil_proto::model::{FieldInfo, Kind, Value};
use uuid::Uuid;

use super::{
    draft::Held,
    plan::{Planner, Step, refers},
};

/// How far the walk has come with a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Done,
}

/// A record on the path from where the walk started.
struct Visit {
    id: Uuid,
    /// The draft of the record; none if no row is for it.
    draft: Option<usize>,
    kind: Kind,
    /// The records it refers to that are still to be visited.
    next: Vec<Uuid>,
}

/// The drafts in an order in which each comes after those of its own kind that it refers to, be it through records that no row is
/// for. A reference that closes a circle in a field that allows none is left out, with a warning.
pub(super) fn records(planner: &mut Planner<'_>) -> Vec<usize> {
    let mut sequence = Vec::new();
    for _ in 0..MAX_WALKS {
        let (found, sound) = walk(planner);
        sequence = found;
        if sound {
            break;
        }
    }
    sequence
}

/// How often the walk starts again.
const MAX_WALKS: usize = 1000;

/// Walks through all records. The order is not sound if a circle was cut elsewhere than where it was found; the next walk does not
/// meet it again.
fn walk(planner: &mut Planner<'_>) -> (Vec<usize>, bool) {
    let mut sound = true;
    let drafts: HashMap<Uuid, usize> =
        planner.ids.iter().enumerate().filter_map(|(number, id)| Some((id.as_ref()?.0, number))).collect();
    let mut marks: HashMap<Uuid, Mark> = HashMap::with_capacity(drafts.len());
    let mut out = Vec::with_capacity(drafts.len());
    let mut path: Vec<Visit> = Vec::new();
    for start in 0..planner.ids.len() {
        let Some((id, _)) = planner.ids.get(start).copied().flatten() else { continue };
        let Some(kind) = planner.draft(start).map(|draft| draft.kind) else { continue };
        if marks.contains_key(&id) {
            continue;
        }
        marks.insert(id, Mark::Open);
        path.push(visit(planner, &drafts, kind, id));
        while let Some(last) = path.last_mut() {
            match last.next.pop() {
                Some(next) => match marks.get(&next) {
                    None => {
                        marks.insert(next, Mark::Open);
                        let kind = last.kind;
                        path.push(visit(planner, &drafts, kind, next));
                    }
                    Some(Mark::Open) => sound &= cut(planner, &path, next),
                    Some(Mark::Done) => {}
                },
                None => {
                    marks.insert(last.id, Mark::Done);
                    out.extend(last.draft);
                    path.pop();
                }
            }
        }
    }
    (out, sound)
}

fn visit(planner: &Planner<'_>, drafts: &HashMap<Uuid, usize>, kind: Kind, id: Uuid) -> Visit {
    let own = |info: &FieldInfo| refers(info) == Some(kind);
    let mut next = Vec::new();
    let number = drafts.get(&id).copied();
    let draft = number.and_then(|number| planner.draft(number));
    let mut given = Vec::new();
    for slot in draft.into_iter().flat_map(|draft| &draft.slots) {
        let Some(rule) = planner.mapping.rules().get(slot.rule).filter(|rule| own(rule.field)) else { continue };
        next.extend(planner.references(slot).map(|target| target.id));
        if !rule.add {
            given.push(rule.field.index);
        }
    }
    // What the mapping says nothing of stays as it is.
    if let Some(entity) = planner.present.record(kind, id).and_then(|record| record.entity()) {
        for info in kind.info().own.iter().filter(|info| own(info) && !given.contains(&info.index)) {
            match entity.get(info.index) {
                Value::Id(id) => next.push(id),
                Value::Ids(ids) => next.extend(ids),
                _ => {}
            }
        }
    }
    Visit { id, draft: number, kind, next }
}

/// Takes out the last reference given by a row on the way from `to` to the end of the path, which refers to `to` again.
/// Says whether that was the one at the end of the path.
fn cut(planner: &mut Planner<'_>, path: &[Visit], to: Uuid) -> bool {
    let mut next = to;
    for (back, visit) in path.iter().rev().enumerate() {
        if let Some(draft) = visit.draft
            && leave_out(planner, draft, next)
        {
            return back == 0;
        }
        if visit.id == to {
            break;
        }
        next = visit.id;
    }
    // The records are such a circle already, or the field allows it.
    true
}

/// Takes out what makes a draft refer to a record; says whether there was something.
fn leave_out(planner: &mut Planner<'_>, from: usize, to: Uuid) -> bool {
    let Some(draft) = planner.draft(from) else { return false };
    let kind = draft.kind;
    let own = planner.ids.get(from).copied().flatten().map(|(id, _)| id);
    let mut removals = Vec::new();
    for (place, slot) in draft.slots.iter().enumerate() {
        let Some(rule) = planner.mapping.rules().get(slot.rule) else { continue };
        let Held::References(symbols) = &slot.held else { continue };
        if !rule.field.acyclic {
            continue;
        }
        for symbol in symbols {
            if planner.target(*symbol).is_some_and(|target| target.id == to) {
                removals.push((place, *symbol, slot.origin, planner.columns(rule)));
            }
        }
    }
    for (place, symbol, origin, columns) in &removals {
        let name = planner.wanted.names.text(*symbol);
        let reason = if own == Some(to) {
            "the record refers to itself; left out".to_owned()
        } else {
            format!("the reference to `{name}` closes a circle; left out")
        };
        let problem = planner.problem(*origin, kind, columns.clone(), reason);
        planner.report.warnings.push(problem);
        if let Some(slot) = planner.wanted.drafts.get_mut(from).and_then(|draft| draft.slots.get_mut(*place))
            && let Held::References(symbols) = &mut slot.held
        {
            symbols.retain(|known| known != symbol);
        }
    }
    !removals.is_empty()
}

/// Sorts steps by kind so that kinds referred to come first; within a kind they stay in order. Where kinds refer to each
/// other in a circle, the references that few records have are given in a second list of steps.
pub(super) fn kinds(steps: Vec<Step>) -> (Vec<Step>, Vec<Step>) {
    let fresh: HashMap<Uuid, Kind> =
        steps.iter().filter(|step| step.version.is_none()).map(|step| (step.id, step.kind)).collect();
    // How many references of a field lead from one kind to new records of another.
    let mut edges: HashMap<(Kind, usize, Kind), usize> = HashMap::new();
    let mut left: Vec<Kind> = Vec::new();
    for step in &steps {
        if !left.contains(&step.kind) {
            left.push(step.kind);
        }
        for written in &step.values {
            let mut count = |id: &Uuid| {
                if let Some(to) = fresh.get(id)
                    && to.info().owner == step.kind.info().owner
                    && *to != step.kind
                {
                    *edges.entry((step.kind, written.field.index, *to)).or_default() += 1;
                }
            };
            match &written.value {
                Value::Id(id) => count(id),
                Value::Ids(ids) => ids.iter().for_each(&mut count),
                _ => {}
            }
        }
    }
    left.sort();
    let mut ranks: HashMap<Kind, usize> = HashMap::new();
    let mut deferred: HashSet<(Kind, usize)> = HashSet::new();
    while !left.is_empty() {
        let waits = |kind: Kind, deferred: &HashSet<(Kind, usize)>| -> usize {
            edges
                .iter()
                .filter(|((from, field, to), _)| {
                    *from == kind && left.contains(to) && !deferred.contains(&(kind, *field))
                })
                .map(|((_, field, _), count)| {
                    // What a record can not be without is given at once if at all possible.
                    let required = kind.info().field(*field).is_some_and(|info| info.required);
                    if required { usize::MAX / 4 } else { *count }
                })
                .fold(0, usize::saturating_add)
        };
        let Some(next) = left.iter().copied().min_by_key(|kind| waits(*kind, &deferred)) else { break };
        let cut = edges.keys().filter(|(from, _, to)| *from == next && *to != next && left.contains(to));
        deferred.extend(cut.map(|(from, field, _)| (*from, *field)));
        ranks.insert(next, ranks.len());
        left.retain(|kind| *kind != next);
    }
    let mut first = steps;
    first.sort_by_key(|step| ranks.get(&step.kind).copied());
    let mut later = Vec::new();
    if !deferred.is_empty() {
        for step in &mut first {
            let kind = step.kind;
            let (now, put_off): (Vec<_>, Vec<_>) = std::mem::take(&mut step.values)
                .into_iter()
                .partition(|written| !deferred.contains(&(kind, written.field.index)) || written.value.is_null());
            step.values = now;
            if !put_off.is_empty() {
                later.push(Step { kind, id: step.id, version: None, origin: step.origin, values: put_off });
            }
        }
        first.retain(|step| step.version.is_none() || !step.values.is_empty());
    }
    (first, later)
}
