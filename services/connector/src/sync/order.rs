//! The order of records: those referred to come first.

use std::collections::{HashMap, HashSet};

use spil_proto::model::{Kind, Value};
use uuid::Uuid;

use super::{
    map::Held,
    plan::{Planner, Step, refers},
};

/// How far the walk has come with a draft.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// The drafts in an order in which each comes after those of its own kind that it refers to. A reference that closes a circle in
/// a field that allows none is left out, with a warning.
pub(super) fn records(planner: &mut Planner<'_>) -> Vec<usize> {
    let count = planner.wanted.drafts.len();
    let mut marks = vec![Mark::New; count];
    let mut out = Vec::with_capacity(count);
    // The path from where the walk started: the draft, and its neighbours still to visit.
    let mut path: Vec<(usize, Vec<usize>)> = Vec::new();
    for start in 0..count {
        if marks.get(start) != Some(&Mark::New) || planner.ids.get(start).copied().flatten().is_none() {
            continue;
        }
        enter(planner, &mut marks, &mut path, start);
        while let Some((number, neighbours)) = path.last_mut() {
            let number = *number;
            match neighbours.pop() {
                Some(next) => match marks.get(next) {
                    Some(Mark::New) => enter(planner, &mut marks, &mut path, next),
                    Some(Mark::Open) => open_circle(planner, number, next),
                    _ => {}
                },
                None => {
                    if let Some(mark) = marks.get_mut(number) {
                        *mark = Mark::Done;
                    }
                    out.push(number);
                    path.pop();
                }
            }
        }
    }
    out
}

fn enter(planner: &Planner<'_>, marks: &mut [Mark], path: &mut Vec<(usize, Vec<usize>)>, number: usize) {
    if let Some(mark) = marks.get_mut(number) {
        *mark = Mark::Open;
    }
    let mut neighbours = Vec::new();
    if let Some(draft) = planner.draft(number) {
        for slot in &draft.slots {
            let same =
                planner.mapping.rules().get(slot.rule).is_some_and(|rule| refers(rule.field) == Some(draft.kind));
            if same {
                neighbours.extend(planner.references(slot).filter_map(|target| target.draft));
            }
        }
    }
    path.push((number, neighbours));
}

/// Takes out what makes `from` refer to `to`.
fn open_circle(planner: &mut Planner<'_>, from: usize, to: usize) {
    let Some(draft) = planner.draft(from) else { return };
    let kind = draft.kind;
    let mut removals = Vec::new();
    for (place, slot) in draft.slots.iter().enumerate() {
        let Some(rule) = planner.mapping.rules().get(slot.rule) else { continue };
        let Held::References(symbols) = &slot.held else { continue };
        if !rule.field.acyclic {
            continue;
        }
        for symbol in symbols {
            if planner.target(*symbol).and_then(|target| target.draft) == Some(to) {
                removals.push((place, *symbol, slot.origin, planner.columns(rule)));
            }
        }
    }
    for (place, symbol, origin, columns) in removals {
        let name = planner.wanted.names.text(symbol);
        let reason = if from == to {
            "the record refers to itself; left out".to_owned()
        } else {
            format!("the reference to `{name}` closes a circle; left out")
        };
        let problem = planner.problem(origin, kind, columns, reason);
        planner.report.warnings.push(problem);
        if let Some(slot) = planner.wanted.drafts.get_mut(from).and_then(|draft| draft.slots.get_mut(place))
            && let Held::References(symbols) = &mut slot.held
        {
            symbols.retain(|known| *known != symbol);
        }
    }
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
