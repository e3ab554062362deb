//! Whether a viewer may do what the commands of a batch do, and what the viewer may see of what came of it.

use std::collections::HashMap;

use spil_access::{Action as Right, Denied, FieldSet, Scope, ScopeSet, Viewer};
use spil_proto::{
    changefeed::v1::{Action, ApplyResponse, ItemResult, Outcome, Problem, ProblemCode, Record},
    model::{Entity, Kind, Value, field},
};
use uuid::Uuid;

use super::{
    prepare::{Name, Prepared},
    say::{self, Images, Writer},
    working_set::WorkingSet,
};
use crate::rule::problem;

/// The scopes of records, as they are stored and as the batch leaves them.
pub(crate) type Scopes = HashMap<(Kind, Uuid), (ScopeSet, ScopeSet)>;

/// Says whether each command is of an action and a kind that a viewer may write at all.
///
/// # Errors
/// If one is not.
pub(crate) fn check_kinds(viewer: &Viewer, commands: &[Result<Prepared, Vec<Problem>>]) -> Result<(), Denied> {
    for command in commands.iter().flatten() {
        match command.action {
            Action::Upsert if viewer.may(Right::Create, command.kind) => {}
            Action::Upsert | Action::Update | Action::Unspecified => viewer.require(Right::Update, command.kind)?,
            Action::Create => viewer.require(Right::Create, command.kind)?,
            Action::Retire => viewer.require(Right::Retire, command.kind)?,
        }
    }
    Ok(())
}

/// Whether everything of a kind may be written, so that no command has to be looked at.
fn is_free(viewer: &Viewer, command: &Prepared) -> bool {
    let all = |right: Right| {
        let rights = viewer.rights(right, command.kind);
        rights.iter().any(|right| right.scope == Scope::All && right.fields == FieldSet::ALL && right.with.is_empty())
    };
    match command.action {
        Action::Create => all(Right::Create),
        Action::Update | Action::Unspecified => all(Right::Update),
        Action::Retire => all(Right::Retire),
        Action::Upsert => all(Right::Create) && all(Right::Update),
    }
}

/// The records whose scopes decide about a batch.
pub(crate) fn in_question(
    viewer: &Viewer,
    commands: &[Result<Prepared, Vec<Problem>>],
    items: &[ItemResult],
    set: &WorkingSet,
) -> Vec<(Kind, Uuid)> {
    if !viewer.has_own() {
        return Vec::new();
    }
    let judged = commands.iter().zip(items).filter_map(|(command, item)| Some((command.as_ref().ok()?, item)));
    let mut asked = Vec::new();
    for (command, item) in judged.filter(|(command, _)| !is_free(viewer, command)) {
        let Some(id) = id_of(command, item, set) else { continue };
        asked.push((command.kind, id));
        if let Some(now) = set.get(command.kind, id) {
            asked.extend(say::brought_in(command.kind, now).map(|(_, part, id)| (part, id)));
        }
    }
    asked
}

/// Whether it matters which positions the viewer has: some are written by who may not write all of them.
pub(crate) fn asks_for_positions(viewer: &Viewer, commands: &[Result<Prepared, Vec<Problem>>]) -> bool {
    commands.iter().flatten().any(|command| command.kind == Kind::Position && !is_free(viewer, command))
}

fn id_of(command: &Prepared, item: &ItemResult, set: &WorkingSet) -> Option<Uuid> {
    Uuid::from_slice(&item.id)
        .ok()
        .or_else(|| command.target.as_ref().and_then(|target| set.resolve(command.kind, target)))
}

/// Refuses the commands that a viewer may not give. One about a record that the viewer can not see is answered as if that were not there.
pub(crate) fn judge(
    writer: &Writer<'_>,
    commands: &[Result<Prepared, Vec<Problem>>],
    items: &mut [ItemResult],
    set: &WorkingSet,
    scopes: &Scopes,
) {
    let viewer = writer.viewer;
    for (command, item) in commands.iter().zip(items) {
        let Ok(command) = command else { continue };
        if is_free(viewer, command) {
            continue;
        }
        let id = id_of(command, item, set);
        let (before, after) = id.and_then(|id| scopes.get(&(command.kind, id)).copied()).unwrap_or_default();
        let stored = id.and_then(|id| set.stored(command.kind, id));
        let now = id.and_then(|id| set.get(command.kind, id));
        if stored.is_none() && now.is_none() && !matches!(command.action, Action::Create | Action::Upsert) {
            // It is not there, whoever asks: that is answered already.
            continue;
        }
        let mut images: Vec<(ScopeSet, &dyn Entity)> = Vec::with_capacity(2);
        images.extend(stored.and_then(Record::entity).map(|entity| (before, entity)));
        images.extend(now.and_then(Record::entity).map(|entity| (after, entity)));
        let action = match command.action {
            Action::Create => Right::Create,
            Action::Retire => Right::Retire,
            Action::Upsert if stored.is_none() => Right::Create,
            Action::Update | Action::Upsert | Action::Unspecified => Right::Update,
        };
        let is_seen = stored
            .and_then(Record::entity)
            .is_none_or(|entity| viewer.may_with(Right::Read, command.kind, before, Some(entity)));
        let written = fields(command, stored.is_none());
        let refused = match viewer.check_write(action, command.kind, written, &images) {
            Ok(()) => {
                // Whoever may write it wherever it is needs no scope for it.
                let everywhere: Vec<_> = images.iter().map(|(_, entity)| (ScopeSet::ALL_ONLY, *entity)).collect();
                let is_scoped = viewer.check_write(action, command.kind, written, &everywhere).is_err();
                let images = Images { kind: command.kind, stored, now, scopes: after };
                let is_there = |kind: Kind, id: Uuid| set.stored(kind, id).is_some();
                is_scoped.then(|| say::gives_a_say(writer, &images, scopes, is_there)).flatten()
            }
            Err(denied) => Some(refusal(command.kind, &denied)),
        };
        let Some(refused) = refused else { continue };
        let (id, problem) = if is_seen {
            (item.id.clone(), refused)
        } else {
            let named = matches!(command.target, Some(Name::Id(_)));
            (if named { item.id.clone() } else { Vec::new() }, absent(command))
        };
        *item = ItemResult { outcome: Outcome::Invalid.into(), id, problems: vec![problem], ..ItemResult::default() };
    }
}

/// The fields that a command writes.
fn fields(command: &Prepared, creating: bool) -> FieldSet {
    let values = command.values.iter().filter(|value| value.named || creating && is_given(&value.value));
    let mut fields: FieldSet = values.map(|value| value.info.index).collect();
    command.lookups.iter().for_each(|lookup| fields.insert(lookup.info.index));
    command.secrets.iter().for_each(|secret| fields.insert(secret.info.index));
    match &command.target {
        Some(Name::Key(_)) if creating => fields.insert(field::KEY),
        Some(Name::External(_)) if creating => fields.insert(field::EXTERNAL_IDS),
        _ => {}
    }
    fields
}

fn is_given(value: &Result<Value<'static>, Problem>) -> bool {
    value.as_ref().is_ok_and(|value| !value.is_null())
}

fn refusal(kind: Kind, denied: &Denied) -> Problem {
    let column = denied.field().and_then(|index| {
        let info = kind.info();
        let only_written = info.one_way.iter().find(|field| field.index == index);
        info.field(index).or(only_written).map(|info| info.column)
    });
    problem(column.unwrap_or_default(), ProblemCode::Forbidden, denied.to_string())
}

/// What is said of a record that is not there.
fn absent(command: &Prepared) -> Problem {
    problem(super::execute::target_field(command), ProblemCode::NotFound, "there is no such record")
}

/// Takes out of an answer what a viewer may not see of the records.
pub(crate) fn strip(viewer: &Viewer, response: &mut ApplyResponse, scopes: &Scopes) {
    for item in &mut response.items {
        let Some(record) = &mut item.record else {
            continue;
        };
        let (Some(kind), id) = (record.kind(), record.id()) else {
            item.record = None;
            continue;
        };
        if viewer.may(Right::Follow, kind) {
            continue;
        }
        let scopes = id.and_then(|id| scopes.get(&(kind, id))).map_or(ScopeSet::ALL_ONLY, |(_, after)| *after);
        match viewer.seen_fields(kind, scopes) {
            None => item.record = None,
            Some(seen) => hide(record, kind, seen),
        }
    }
}

/// Clears the fields of a record that are not seen.
fn hide(record: &mut Record, kind: Kind, seen: FieldSet) {
    let Some(entity) = record.entity_mut() else { return };
    for field in kind.info().fields().filter(|field| field.writable && !seen.contains(field.index)) {
        // Every field takes having no value.
        let _ = entity.set(field.index, Value::Null);
    }
}

/// Takes the fields out of a conflict that a viewer may not see of the record.
pub(crate) fn strip_conflicts(
    viewer: &Viewer,
    commands: &[Result<Prepared, Vec<Problem>>],
    items: &mut [ItemResult],
    set: &WorkingSet,
    scopes: &Scopes,
) {
    for (command, item) in commands.iter().zip(items) {
        let Ok(command) = command else { continue };
        if item.conflicting_fields.is_empty() {
            continue;
        }
        let id = id_of(command, item, set);
        let (before, _) = id.and_then(|id| scopes.get(&(command.kind, id)).copied()).unwrap_or_default();
        let seen = viewer.seen_fields(command.kind, before).unwrap_or_default();
        let info = command.kind.info();
        item.conflicting_fields
            .retain(|column| info.field_by_column(column).is_some_and(|field| seen.contains(field.index)));
    }
}

/// Keeps trials from being guesses: one that names a value which the viewer may not see answers as if the record had another one, so that
/// nobody learns by it, without a trace, that the guess is right. Who means to write is told; a wrong guess is then written, and logged.
pub(crate) fn veil_trials(
    viewer: &Viewer,
    commands: &[Result<Prepared, Vec<Problem>>],
    items: &mut [ItemResult],
    scopes: &Scopes,
    now: i64,
) {
    for (command, item) in commands.iter().zip(items) {
        let Ok(command) = command else { continue };
        if item.outcome() != Outcome::Unchanged
            || command.action == Action::Retire
            || viewer.may(Right::Follow, command.kind)
        {
            continue;
        }
        let id = Uuid::from_slice(&item.id).ok();
        let scopes =
            id.and_then(|id| scopes.get(&(command.kind, id))).map_or(ScopeSet::ALL_ONLY, |(before, _)| *before);
        let seen = viewer.seen_fields(command.kind, scopes).unwrap_or_default();
        if fields(command, false).without(seen).iter().next().is_none() {
            continue;
        }
        item.set_outcome(Outcome::Updated);
        item.version += 1;
        if let Some(entity) = item.record.as_mut().and_then(Record::entity_mut) {
            let header = entity.header_mut();
            header.version += 1;
            header.updated_at = now;
        }
    }
}
