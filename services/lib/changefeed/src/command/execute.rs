//! Applies a prepared batch to the records it works on.

use spil_proto::{
    changefeed::v1::{Action, ItemResult, Outcome, Problem, ProblemCode, Record},
    model::{ExternalId, FieldInfo, FieldType, Kind, Owner, Value, field},
};
use uuid::Uuid;

use super::{
    effect,
    needs::referred,
    normalise, one_way,
    prepare::{Lookup, Name, Prepared},
    working_set::{Walk, WorkingSet, is_retired, version},
};
use crate::rule::{Findings, Proposal, Related, Rules, problem};

/// What commands are applied with.
pub(crate) struct Context<'a> {
    pub(crate) owner: Owner,
    pub(crate) rules: &'a dyn Rules,
    /// The time that new versions get.
    pub(crate) now: i64,
    /// Makes ids for new records.
    pub(crate) next_id: &'a mut (dyn FnMut() -> Uuid + Send),
}

/// Applies commands in order. Each that is valid changes the working set, so that later ones see it.
pub(crate) fn execute(
    batch: &[Result<Prepared, Vec<Problem>>],
    set: &mut WorkingSet,
    context: &mut Context<'_>,
) -> Vec<ItemResult> {
    batch
        .iter()
        .map(|command| match command {
            Ok(command) => one(command, set, context),
            Err(problems) => invalid(None, problems.clone()),
        })
        .collect()
}

fn one(command: &Prepared, set: &mut WorkingSet, context: &mut Context<'_>) -> ItemResult {
    let kind = command.kind;
    let found = command.target.as_ref().and_then(|name| set.resolve(kind, name));
    let current = found.and_then(|id| Some((id, set.get(kind, id)?.clone())));
    match (command.action, current) {
        (Action::Create, Some((id, _))) => {
            let fault = problem(target_field(command), ProblemCode::Taken, "a record of that name is there already");
            invalid(Some(id), vec![fault])
        }
        (Action::Create | Action::Upsert, None) => match command.expected_version {
            Some(expected) if expected != 0 => conflict(None, 0, Vec::new()),
            _ => create(command, set, context),
        },
        (Action::Retire, Some((id, record))) => retire(command, id, record, set, context),
        (_, Some((id, record))) => update(command, id, &record, set, context),
        (_, None) => {
            let fault = problem(target_field(command), ProblemCode::NotFound, "there is no such record");
            invalid(found, vec![fault])
        }
    }
}

pub(super) fn target_field(command: &Prepared) -> &'static str {
    match &command.target {
        Some(Name::Key(_)) => "key",
        Some(Name::External(_)) => "external_ids",
        Some(Name::Id(_)) => "id",
        None => "",
    }
}

fn create(command: &Prepared, set: &mut WorkingSet, context: &mut Context<'_>) -> ItemResult {
    let id = match &command.target {
        Some(Name::Id(id)) => *id,
        _ => (context.next_id)(),
    };
    let mut after = Record::empty(command.kind);
    let mut problems = Vec::new();
    let mut changed = merge(command, true, &mut after, set, &mut problems);
    problems.extend(take_name(command, &mut after, &mut changed));
    if let Some(entity) = after.entity_mut() {
        let header = entity.header_mut();
        header.id = id.as_bytes().to_vec();
        header.version = 1;
        header.created_at = context.now;
        header.updated_at = context.now;
    }
    for info in command.kind.info().fields().filter(|info| info.required && !changed.contains(&info.index)) {
        // A field whose value is wrong is not missing.
        if !problems.iter().any(|problem| problem.field == info.column) {
            problems.push(required(info));
        }
    }
    let claims = one_way::claims(command, id, &after, set, &mut problems);
    let result = settle(command.kind, id, None, after, &changed, problems, set, context);
    if result.outcome() == Outcome::Created {
        set.add_claims(claims);
    }
    result
}

/// Gives a new record the key or external id by which the command named it.
fn take_name(command: &Prepared, after: &mut Record, changed: &mut Vec<usize>) -> Option<Problem> {
    let header = after.entity_mut()?.header_mut();
    match command.target.as_ref()? {
        Name::Id(_) => {}
        Name::Key(key) => match &header.key {
            Some(other) if other != key => {
                return Some(problem("key", ProblemCode::Malformed, "the target and the values hold different keys"));
            }
            _ => {
                header.key = Some(key.clone());
                changed.push(field::KEY);
            }
        },
        Name::External(id) => {
            if !header.external_ids.contains(id) {
                header.external_ids.push(id.clone());
                header.external_ids.sort_unstable_by(|a, b| (&a.system, &a.id).cmp(&(&b.system, &b.id)));
            }
            changed.push(field::EXTERNAL_IDS);
        }
    }
    None
}

fn update(
    command: &Prepared,
    id: Uuid,
    before: &Record,
    set: &mut WorkingSet,
    context: &mut Context<'_>,
) -> ItemResult {
    if is_retired(before) {
        let fault = problem("", ProblemCode::Retired, "the record is retired");
        return ItemResult { version: version(before), ..invalid(Some(id), vec![fault]) };
    }
    let mut after = before.clone();
    let mut problems = Vec::new();
    let changed = merge(command, false, &mut after, set, &mut problems);
    problems.extend(one_way::late(command));
    if command.expected_version.is_some_and(|expected| expected != version(before)) {
        let fields = changed.iter().filter_map(|index| command.kind.info().field(*index));
        let conflict = conflict(Some(id), version(before), fields.map(|info| info.column.to_owned()).collect());
        return ItemResult { problems, ..conflict };
    }
    for info in changed.iter().filter_map(|index| command.kind.info().field(*index)) {
        let value = after.entity().map_or(Value::Null, |entity| entity.get(info.index));
        if info.required && value.is_null() {
            problems.push(required(info));
        }
        if info.immutable && before.entity().is_some_and(|entity| !entity.get(info.index).is_null()) {
            let message = format!("`{}` can not be changed once it is given", info.column);
            problems.push(problem(info.column, ProblemCode::Immutable, message));
        }
    }
    if changed.is_empty() && problems.is_empty() {
        return done(Outcome::Unchanged, id, after, Vec::new());
    }
    if let Some(entity) = after.entity_mut() {
        let header = entity.header_mut();
        header.version += 1;
        header.updated_at = context.now;
    }
    settle(command.kind, id, Some(before), after, &changed, problems, set, context)
}

fn retire(
    command: &Prepared,
    id: Uuid,
    mut record: Record,
    set: &mut WorkingSet,
    context: &mut Context<'_>,
) -> ItemResult {
    if is_retired(&record) {
        return done(Outcome::Unchanged, id, record, Vec::new());
    }
    if command.expected_version.is_some_and(|expected| expected != version(&record)) {
        return conflict(Some(id), version(&record), Vec::new());
    }
    let mut findings = Findings::default();
    context.rules.check_retire(&record, &mut findings);
    if !findings.problems.is_empty() {
        return ItemResult { version: version(&record), ..invalid(Some(id), findings.problems) };
    }
    if let Some(entity) = record.entity_mut() {
        let header = entity.header_mut();
        header.version += 1;
        header.updated_at = context.now;
        header.retired_at = Some(context.now);
    }
    set.put(context.rules, command.kind, id, record.clone());
    done(Outcome::Retired, id, record, findings.warnings)
}

/// Writes the values of a command that count into a record. Answers with the fields that differ afterwards.
fn merge(
    command: &Prepared,
    creating: bool,
    record: &mut Record,
    set: &WorkingSet,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let mut changed = Vec::new();
    let Some(entity) = record.entity_mut() else { return changed };
    let mut write = |info: &FieldInfo, value: &Value<'static>, problems: &mut Vec<Problem>| {
        if entity.get(info.index) == *value {
            return;
        }
        match entity.set(info.index, value.clone()) {
            Ok(()) => changed.push(info.index),
            Err(wrong) => problems.push(problem(info.column, ProblemCode::Malformed, wrong.to_string())),
        }
    };
    for value in command.values.iter().filter(|value| creating || value.named) {
        match &value.value {
            Ok(wanted) => write(value.info, wanted, problems),
            Err(problem) => problems.push(problem.clone()),
        }
    }
    for lookup in &command.lookups {
        match look_up(lookup, set) {
            Ok(wanted) => write(lookup.info, &wanted, problems),
            Err(problem) => problems.push(problem),
        }
    }
    changed
}

fn look_up(lookup: &Lookup, set: &WorkingSet) -> Result<Value<'static>, Problem> {
    let mut ids = Vec::with_capacity(lookup.names.len());
    for name in &lookup.names {
        let Some(id) = set.resolve(lookup.kind, name) else {
            let message = format!("`{}` names a record that is not there", lookup.info.column);
            return Err(problem(lookup.info.column, ProblemCode::NotFound, message));
        };
        ids.push(id);
    }
    if lookup.many {
        normalise::references(lookup.info, ids)
    } else {
        Ok(ids.first().map_or(Value::Null, |id| Value::Id(*id)))
    }
}

/// Checks a record that is created or updated against the others and the rules, and takes it if it is sound.
#[allow(clippy::too_many_arguments, reason = "the parts of one decision")]
fn settle(
    kind: Kind,
    id: Uuid,
    before: Option<&Record>,
    after: Record,
    changed: &[usize],
    mut problems: Vec<Problem>,
    set: &mut WorkingSet,
    context: &mut Context<'_>,
) -> ItemResult {
    for info in changed.iter().filter_map(|index| kind.info().field(*index)) {
        problems.extend(match info.index {
            field::KEY => key_taken(kind, id, &after, set),
            field::EXTERNAL_IDS => external_id_taken(kind, id, &after, set),
            _ if info.unique => unique_taken(kind, id, info, &after, set),
            _ => reference_fault(context.owner, kind, id, info, before, &after, set),
        });
    }
    // Rules are written for records whose values are sound.
    let mut findings = Findings::default();
    let mut affected = Vec::new();
    if problems.is_empty() {
        let proposal = proposal(kind, id, before, &after, set, context);
        context.rules.check(&proposal, &mut findings);
        if findings.problems.is_empty() {
            let effects = context.rules.effects(&proposal);
            affected = effect::changes(kind, &after, &effects, set, context, &mut findings);
        }
        problems.append(&mut findings.problems);
    }
    if !problems.is_empty() {
        let present = before.map_or(0, version);
        return ItemResult { version: present, ..invalid(before.is_some().then_some(id), problems) };
    }
    let outcome = if before.is_some() { Outcome::Updated } else { Outcome::Created };
    set.put(context.rules, kind, id, after.clone());
    for change in affected {
        set.put(context.rules, change.kind, change.id, change.record);
    }
    done(outcome, id, after, findings.warnings)
}

/// A record as it would be, with what the rules of its kind look at.
pub(super) fn proposal<'a>(
    kind: Kind,
    id: Uuid,
    before: Option<&'a Record>,
    after: &'a Record,
    set: &'a WorkingSet,
    context: &Context<'_>,
) -> Proposal<'a> {
    let mut proposal = Proposal::new(before, after).at(context.now);
    for related in context.rules.related(kind) {
        let Some(info) = kind.info().field_by_column(related.field()) else { continue };
        let Some(Value::Id(of)) = after.entity().map(|entity| entity.get(info.index)) else { continue };
        match (related, info.ty) {
            (Related::Siblings { field, .. }, _) => {
                proposal = proposal.with_siblings(field, set.siblings(kind, info.index, of, id));
            }
            (Related::Referenced { field } | Related::Affected { field }, FieldType::Ref(to)) => {
                if let Some(record) = set.get(to, of) {
                    proposal = proposal.with_referenced(field, record);
                }
            }
            _ => {}
        }
    }
    proposal
}

fn key_taken(kind: Kind, id: Uuid, after: &Record, set: &WorkingSet) -> Option<Problem> {
    let key = after.entity()?.header()?.key.as_ref()?;
    let owner = set.key_owner(kind, key)?;
    (owner != id).then(|| problem("key", ProblemCode::Taken, "the key belongs to another record"))
}

fn external_id_taken(kind: Kind, id: Uuid, after: &Record, set: &WorkingSet) -> Option<Problem> {
    let ids = &after.entity()?.header()?.external_ids;
    let taken = |external: &ExternalId| {
        set.external_id_owner(kind, &external.system, &external.id).is_some_and(|owner| owner != id)
    };
    ids.iter()
        .any(taken)
        .then(|| problem("external_ids", ProblemCode::Taken, "an external id belongs to another record"))
}

fn unique_taken(kind: Kind, id: Uuid, info: &FieldInfo, after: &Record, set: &WorkingSet) -> Option<Problem> {
    let Value::Text(text) = after.entity()?.get(info.index) else { return None };
    let owner = set.unique_owner(kind, info.index, &text)?;
    let message = || format!("`{}` has this value in another record", info.column);
    (owner != id).then(|| problem(info.column, ProblemCode::Taken, message()))
}

/// What is wrong with the references that a field gained. Those it had before may dangle.
fn reference_fault(
    owner: Owner,
    kind: Kind,
    id: Uuid,
    info: &FieldInfo,
    before: Option<&Record>,
    after: &Record,
    set: &WorkingSet,
) -> Option<Problem> {
    let (FieldType::Ref(to) | FieldType::RefList(to)) = info.ty else { return None };
    let had = before.and_then(|record| record.entity()).map_or(Value::Null, |entity| entity.get(info.index));
    let had: Vec<Uuid> = referred(&had).collect();
    let has = after.entity().map_or(Value::Null, |entity| entity.get(info.index));
    // Lists of references are sorted.
    let gained: Vec<Uuid> = referred(&has).filter(|new| had.binary_search(new).is_err()).collect();
    let fault = |code, message: &str| Some(problem(info.column, code, format!("`{}` {message}", info.column)));
    if info.acyclic && gained.contains(&id) {
        return fault(ProblemCode::Cycle, "refers to the record itself");
    }
    if to.info().owner == owner {
        for new in &gained {
            match set.is_live(to, *new).filter(|_| !set.is_concealed(to, *new)) {
                Some(true) => {}
                Some(false) => return fault(ProblemCode::Retired, "refers to a record that is retired"),
                None => return fault(ProblemCode::NotFound, "refers to a record that is not there"),
            }
        }
    }
    // Nothing refers to a new record yet, so it can not be part of a cycle.
    if info.acyclic && before.is_some() {
        return match set.walk(kind, info.index, id, &gained) {
            Walk::Open => None,
            Walk::Closed => fault(ProblemCode::Cycle, "would form a cycle"),
            Walk::TooFar => fault(ProblemCode::Rule, "would be part of a structure too deep to be checked for cycles"),
        };
    }
    None
}

fn required(info: &FieldInfo) -> Problem {
    problem(info.column, ProblemCode::Required, format!("`{}` is required", info.column))
}

fn invalid(id: Option<Uuid>, problems: Vec<Problem>) -> ItemResult {
    ItemResult { outcome: Outcome::Invalid.into(), id: bytes(id), problems, ..ItemResult::default() }
}

fn conflict(id: Option<Uuid>, version: u64, conflicting_fields: Vec<String>) -> ItemResult {
    ItemResult {
        outcome: Outcome::Conflict.into(),
        id: bytes(id),
        version,
        conflicting_fields,
        ..ItemResult::default()
    }
}

fn done(outcome: Outcome, id: Uuid, record: Record, warnings: Vec<Problem>) -> ItemResult {
    ItemResult {
        outcome: outcome.into(),
        id: bytes(Some(id)),
        version: version(&record),
        warnings,
        record: Some(record),
        ..ItemResult::default()
    }
}

fn bytes(id: Option<Uuid>) -> Vec<u8> {
    id.map(|id| id.as_bytes().to_vec()).unwrap_or_default()
}
