//! What follows from a command for other records than the one it names.

use spil_proto::{
    changefeed::v1::{Problem, ProblemCode, Record},
    model::{FieldInfo, FieldType, Kind, Value, field},
};
use uuid::Uuid;

use super::{
    execute::{Context, proposal},
    normalise::normalise,
    working_set::{WorkingSet, is_retired},
};
use crate::rule::{Effect, Findings, problem};

/// A record as an effect leaves it.
#[derive(Debug)]
pub(super) struct Affected {
    pub(super) kind: Kind,
    pub(super) id: Uuid,
    pub(super) record: Record,
}

/// The records that the effects of a record change, each once, with a new version. What stands in the way of one goes into the findings, under
/// the reference that leads to it.
pub(super) fn changes(
    kind: Kind,
    cause: &Record,
    effects: &[Effect],
    set: &WorkingSet,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Affected> {
    let mut references: Vec<&'static str> = effects.iter().map(|effect| effect.on).collect();
    references.sort_unstable();
    references.dedup();
    let mut changed = Vec::with_capacity(references.len());
    for on in references {
        let values = effects.iter().filter(|effect| effect.on == on);
        match change(kind, cause, on, values, set, context) {
            Ok(Some((affected, warnings))) => {
                changed.push(affected);
                findings.warnings.extend(warnings);
            }
            Ok(None) => {}
            Err(problems) => findings.problems.extend(problems.into_iter().map(|problem| under(on, problem))),
        }
    }
    changed
}

/// The one record that a reference leads to, changed; `None` if it is as wanted already.
fn change<'a>(
    kind: Kind,
    cause: &Record,
    on: &str,
    effects: impl Iterator<Item = &'a Effect>,
    set: &WorkingSet,
    context: &Context<'_>,
) -> Result<Option<(Affected, Vec<Problem>)>, Vec<Problem>> {
    let one = |code, message: &str| vec![problem(on, code, message)];
    let absent = || one(ProblemCode::NotFound, "the record that changes with this one is not there");
    let reference = kind.info().field_by_column(on).map(|info| (info.ty, info.index));
    let (Some((FieldType::Ref(to), index)), Some(entity)) = (reference, cause.entity()) else { return Err(absent()) };
    let Value::Id(id) = entity.get(index) else { return Err(absent()) };
    let before = set.get(to, id).ok_or_else(absent)?;
    if is_retired(before) {
        return Err(one(ProblemCode::Retired, "the record that changes with this one is retired"));
    }
    let mut after = before.clone();
    let mut is_changed = false;
    for effect in effects {
        let info = to.info().field_by_column(effect.field).filter(|info| is_plain(info));
        let (Some(info), Some(entity)) = (info, after.entity_mut()) else {
            return Err(one(ProblemCode::UnknownField, "a field that can not change with another record"));
        };
        let value = normalise(info, effect.value.clone()).map_err(|problem| vec![problem])?;
        if entity.get(info.index) != value {
            let wrong = |wrong: spil_proto::model::WrongType| one(ProblemCode::Malformed, &wrong.to_string());
            entity.set(info.index, value).map_err(wrong)?;
            is_changed = true;
        }
    }
    if !is_changed {
        return Ok(None);
    }
    if let Some(entity) = after.entity_mut() {
        let header = entity.header_mut();
        header.version += 1;
        header.updated_at = context.now;
    }
    let mut findings = Findings::default();
    let proposal = proposal(to, id, Some(before), &after, set, context).caused_by(cause);
    context.rules.check(&proposal, &mut findings);
    if findings.problems.is_empty() {
        Ok(Some((Affected { kind: to, id, record: after }, findings.warnings)))
    } else {
        Err(findings.problems)
    }
}

/// Whether a field names nothing and refers to nothing: for those other records would have to be looked at.
fn is_plain(info: &FieldInfo) -> bool {
    let refers = matches!(info.ty, FieldType::Ref(_) | FieldType::RefList(_));
    info.writable && !refers && !info.unique && !matches!(info.index, field::KEY | field::EXTERNAL_IDS)
}

fn under(on: &str, problem: Problem) -> Problem {
    Problem { field: on.to_owned(), ..problem }
}
