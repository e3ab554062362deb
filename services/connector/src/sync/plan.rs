//! From what is wanted and what is there to the least set of changes. Pure: reads no clock, calls nobody.

use std::collections::{HashMap, HashSet, VecDeque};

use spil_proto::model::{FieldInfo, FieldType, Kind, Value};
use uuid::Uuid;

use super::{
    diff,
    draft::{Draft, Held, Origin, Slot, Wanted},
    names::Symbol,
    order,
    present::Present,
    report::{Problem, Report},
};
use crate::mapping::{By, FieldRule, FieldValue, Mapping, Missing};

/// The share (in percent) of a kind's records of the mapping that may be retired without asking.
pub const RETIRE_PERCENT: usize = 20;
/// So many records of a kind may be retired without asking however small their number: short lists change a lot.
pub const RETIRE_ALWAYS: usize = 5;
/// More records of a kind than this are never retired without asking, however many there are.
pub const RETIRE_AT_MOST: usize = 50;

/// How many of a kind's records of the mapping may be retired without asking.
fn retired_freely(known: usize) -> usize {
    (known.saturating_mul(RETIRE_PERCENT) / 100).clamp(RETIRE_ALWAYS, RETIRE_AT_MOST)
}

/// What is to be done, in an order in which every record comes after those that it refers to.
#[derive(Debug, Default)]
pub struct Plan {
    /// Records to be made or changed.
    pub steps: Vec<Step>,
    /// References that could not be given at first, because the records refer to each other.
    pub later: Vec<Step>,
    /// Records to be retired.
    pub retire: Vec<Retire>,
    /// The names of the files.
    pub files: Vec<String>,
}

/// A record to be made or changed.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its kind.
    pub kind: Kind,
    /// Its id; that of a new record is chosen here.
    pub id: Uuid,
    /// The version it has now; none if it is new.
    pub version: Option<u64>,
    /// The first row that asks for it.
    pub origin: Origin,
    /// The values to write.
    pub values: Vec<Written>,
}

/// A value to write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The field.
    pub field: &'static FieldInfo,
    /// The value.
    pub value: Value<'static>,
    /// The number of the rule that gave it, where a rule did.
    pub rule: Option<usize>,
    /// The row that gave it.
    pub origin: Origin,
}

/// A record to be retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// The version it has now.
    pub version: u64,
    /// Its id in the mapping's own system.
    pub name: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Suspiciously many records are missing from the files.
    #[error(
        "{missing} of {known} records of kind {kind} are in the files no more, where at most {allowed} may be retired \
         ({RETIRE_PERCENT} % without asking, but always {RETIRE_ALWAYS} and never more than {RETIRE_AT_MOST}). \
         If nothing is missing from the files, allow it with --allow-retire {enough}"
    )]
    TooManyRetired {
        /// The kind.
        kind: &'static str,
        /// How many would be retired.
        missing: usize,
        /// How many records of the kind this mapping has made.
        known: usize,
        /// How many may be retired.
        allowed: usize,
        /// How many have to be allowed for this and all other kinds.
        enough: usize,
    },
}

/// How many records may be retired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// How many of a kind, where that is more than what is allowed without asking.
    pub allow: Option<usize>,
    /// Whether more than that is only worth a warning, because nothing will be written.
    pub warn_only: bool,
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: Uuid,
    pub(super) draft: Option<usize>,
}

/// Drafts on their way to steps.
pub(super) struct Planner<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) wanted: Wanted,
    pub(super) present: &'a Present,
    pub(super) report: &'a mut Report,
    /// For each draft: its id, and whether it is there already. None if it was refused.
    pub(super) ids: Vec<Option<(Uuid, bool)>>,
    /// For each name: where it leads.
    pub(super) targets: Vec<Option<Target>>,
}

/// Makes a plan; `next_id` gives ids for new records.
///
/// # Errors
/// If suspiciously many records would be retired. What is wrong with single records is in the report.
pub fn plan(
    mapping: &Mapping,
    wanted: Wanted,
    present: &Present,
    guard: Guard,
    next_id: &mut dyn FnMut() -> Uuid,
    report: &mut Report,
) -> Result<Plan, PlanError> {
    let ids = vec![None; wanted.drafts.len()];
    let mut planner = Planner { mapping, wanted, present, report, ids, targets: Vec::new() };
    planner.identify(next_id);
    let retire = planner.retire(guard)?;
    planner.find_targets(&retire);
    planner.refuse();
    planner.leave_out();
    let sequence = order::records(&mut planner);
    let steps = diff::steps(&mut planner, &sequence);
    let files = planner.wanted.files;
    let (steps, later) = order::kinds(steps);
    Ok(Plan { steps, later, retire, files })
}

impl Planner<'_> {
    /// Finds out which drafts are there already, and gives ids to the others.
    fn identify(&mut self, next_id: &mut dyn FnMut() -> Uuid) {
        let mut taken: HashMap<Uuid, usize> = HashMap::new();
        // The id in the mapping's own system decides first, so that a key that moved to another record does not.
        for number in 0..self.ids.len() {
            let Some(draft) = self.wanted.drafts.get(number) else { continue };
            let own = draft.id.and_then(|symbol| self.present(draft.kind, By::External(0), symbol));
            if let Some(id) = own {
                taken.insert(id, number);
                if let Some(place) = self.ids.get_mut(number) {
                    *place = Some((id, true));
                }
            }
        }
        for number in 0..self.ids.len() {
            let Some(draft) = self.wanted.drafts.get(number) else { continue };
            let by_key = draft.key.map(|symbol| (By::Key, symbol));
            let by_external = draft.externals.iter().map(|(system, symbol)| (By::External(*system), *symbol));
            let other = by_external.chain(by_key).find_map(|(by, symbol)| self.present(draft.kind, by, symbol));
            let known = self.ids.get(number).copied().flatten();
            let outcome = match (known, other) {
                (Some((id, _)), Some(other)) if other != id => {
                    // The other may be about to lose the key; that can not be told from here, the owner will say.
                    Ok((id, true))
                }
                (Some(known), _) => Ok(known),
                (None, Some(id)) => match taken.get(&id) {
                    Some(_) => Err("the key or external id belongs to a record with another id"),
                    None => {
                        taken.insert(id, number);
                        Ok((id, true))
                    }
                },
                (None, None) if draft.made => Ok((next_id(), false)),
                (None, None) => Err("the record that the row adds to is not there"),
            };
            match outcome {
                Ok(id) => {
                    if let Some(place) = self.ids.get_mut(number) {
                        *place = Some(id);
                    }
                }
                Err(reason) => {
                    let name = draft.id.or(draft.key).or(draft.externals.first().map(|(_, symbol)| *symbol));
                    let reason = format!("{reason}: `{}`", name.map_or("", |name| self.wanted.names.text(name)));
                    let missing = if draft.made { Missing::Reject } else { draft.missing };
                    let problem = self.problem(draft.origin, draft.kind, String::new(), reason);
                    match missing {
                        Missing::Reject => self.report.reject(problem),
                        Missing::Warn => self.report.warnings.push(problem),
                        Missing::Null => {}
                    }
                }
            }
        }
    }

    fn present(&self, kind: Kind, by: By, symbol: Symbol) -> Option<Uuid> {
        self.present.find(kind, by, self.wanted.names.text(symbol))
    }

    /// Finds out where names lead once the plan is carried out: not to records that are about to be retired, nor to those
    /// that are about to get another name.
    fn find_targets(&mut self, retire: &[Retire]) {
        let names = &self.wanted.names;
        let gone: HashSet<Uuid> = retire.iter().map(|retire| retire.id).collect();
        let drafts: HashMap<Uuid, &Draft> = self
            .ids
            .iter()
            .zip(&self.wanted.drafts)
            .filter_map(|(id, draft)| id.map(|(id, _)| (id, draft)))
            .filter(|(_, draft)| draft.made)
            .collect();
        self.targets = (0..names.len())
            .map(|symbol| {
                let name = names.get(Symbol::try_from(symbol).ok()?)?;
                if let Some(draft) = name.draft
                    && let Some((id, _)) = self.ids.get(draft).copied().flatten()
                {
                    return Some(Target { id, draft: Some(draft) });
                }
                let space = self.mapping.spaces().get(name.space)?;
                let id = self.present.find(space.kind, space.by, &name.text)?;
                let renamed = drafts.get(&id).is_some_and(|draft| match space.by {
                    By::Key => draft.key.is_some(),
                    By::External(0) => draft.id.is_some(),
                    By::External(system) => draft.externals.iter().any(|(other, _)| *other == system),
                });
                (!renamed && !gone.contains(&id)).then_some(Target { id, draft: None })
            })
            .collect();
    }

    /// Where a name leads, now that some drafts may have been refused.
    pub(super) fn target(&self, symbol: Symbol) -> Option<Target> {
        let target = self.targets.get(symbol as usize).copied().flatten()?;
        match target.draft {
            Some(draft) if self.ids.get(draft).copied().flatten().is_none() => None,
            _ => Some(target),
        }
    }

    /// Refuses drafts that lack what they need, then those that need the refused ones.
    fn refuse(&mut self) {
        let mut queue: VecDeque<usize> = (0..self.ids.len()).collect();
        let mut dependents: Option<HashMap<usize, Vec<usize>>> = None;
        while let Some(number) = queue.pop_front() {
            let Some((_, there)) = self.ids.get(number).copied().flatten() else { continue };
            let Some(problem) = self.fault(number, there) else { continue };
            self.report.reject(problem);
            if let Some(place) = self.ids.get_mut(number) {
                *place = None;
            }
            if there {
                // The record stays as it is and can be referred to.
                self.keep_as_present(number);
                continue;
            }
            let dependents = dependents.get_or_insert_with(|| self.dependents());
            queue.extend(dependents.get(&number).into_iter().flatten());
        }
    }

    fn keep_as_present(&mut self, number: usize) {
        for target in self.targets.iter_mut().flatten().filter(|target| target.draft == Some(number)) {
            target.draft = None;
        }
    }

    fn dependents(&self) -> HashMap<usize, Vec<usize>> {
        let mut out: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, draft) in self.wanted.drafts.iter().enumerate() {
            for slot in &draft.slots {
                let Held::References(symbols) = &slot.held else { continue };
                for target in symbols.iter().filter_map(|symbol| self.wanted.names.draft(*symbol)) {
                    out.entry(target).or_default().push(number);
                }
            }
        }
        out
    }

    /// Why a draft can not be, if it can not.
    fn fault(&self, number: usize, there: bool) -> Option<Problem> {
        let draft = self.wanted.drafts.get(number)?;
        for slot in &draft.slots {
            let rule = self.mapping.rules().get(slot.rule)?;
            let (FieldValue::Reference(reference), Held::References(symbols)) = (&rule.value, &slot.held) else {
                continue;
            };
            let lost = symbols.iter().find(|symbol| self.target(**symbol).is_none());
            if let (Missing::Reject, Some(lost)) = (reference.missing, lost) {
                let kind = self.mapping.spaces().get(reference.space).map_or("record", |space| space.kind.info().name);
                let reason = format!("there is no {kind} `{}`", self.wanted.names.text(*lost));
                return Some(self.problem(slot.origin, draft.kind, self.columns(rule), reason));
            }
        }
        let info = draft.kind.info();
        // What is only written is asked for where the record is made; whether it has it afterwards, nobody can see.
        let asked = info.own.iter().chain(info.one_way.iter().filter(|_| !there));
        for info in asked.filter(|info| info.required) {
            let slot = draft
                .slots
                .iter()
                .find(|slot| self.mapping.rules().get(slot.rule).is_some_and(|rule| rule.field.index == info.index));
            let lacking = match slot.map(|slot| &slot.held) {
                None => !there,
                Some(Held::Own(value)) => value.is_null(),
                Some(Held::References(symbols)) => symbols.iter().all(|symbol| self.target(*symbol).is_none()),
            };
            if lacking {
                let origin = slot.map_or(draft.origin, |slot| slot.origin);
                return Some(self.problem(origin, draft.kind, info.column.to_owned(), "a value is needed".to_owned()));
            }
        }
        None
    }

    /// Leaves out references that lead nowhere or to the record itself, where the mapping says so.
    fn leave_out(&mut self) {
        let mut drafts = std::mem::take(&mut self.wanted.drafts);
        for (number, draft) in drafts.iter_mut().enumerate() {
            let Some((own, _)) = self.ids.get(number).copied().flatten() else { continue };
            let kind = draft.kind;
            for slot in &mut draft.slots {
                let Some(rule) = self.mapping.rules().get(slot.rule) else { continue };
                let (FieldValue::Reference(reference), Held::References(symbols)) = (&rule.value, &mut slot.held)
                else {
                    continue;
                };
                let mut seen = HashSet::new();
                let mut lost = Vec::new();
                symbols.retain(|symbol| match self.target(*symbol) {
                    None => {
                        lost.push(*symbol);
                        false
                    }
                    Some(target) => !(reference.not_self && target.id == own) && seen.insert(target.id),
                });
                if reference.missing == Missing::Warn {
                    for symbol in lost {
                        let of =
                            self.mapping.spaces().get(reference.space).map_or("record", |space| space.kind.info().name);
                        let reason = format!("there is no {of} `{}`; left out", self.wanted.names.text(symbol));
                        let problem = self.problem(slot.origin, kind, self.columns(rule), reason);
                        self.report.warnings.push(problem);
                    }
                }
            }
        }
        self.wanted.drafts = drafts;
    }

    /// Which records are in the files no more.
    fn retire(&mut self, guard: Guard) -> Result<Vec<Retire>, PlanError> {
        let mut out = Vec::new();
        let mut excess: Option<PlanError> = None;
        let mut most = 0;
        for (kind, obstacle) in std::mem::take(&mut self.wanted.retire) {
            let space = self.mapping.space(kind, By::External(0));
            let kept: HashSet<Uuid> = self.ids.iter().flatten().map(|(id, _)| *id).collect();
            let mut known = 0;
            let mut missing = Vec::new();
            for (name, id) in self.present.own(kind) {
                known += 1;
                let mentioned = space
                    .and_then(|space| self.wanted.names.find(space, name))
                    .and_then(|symbol| self.wanted.names.get(symbol))
                    .is_some_and(|name| name.mentioned);
                if !mentioned && !kept.contains(&id) {
                    let version = self.present.header(kind, id).map_or(0, |header| header.version);
                    missing.push(Retire { kind, id, version, name: name.to_owned() });
                }
            }
            if missing.is_empty() {
                continue;
            }
            if let Some(obstacle) = obstacle {
                let reason =
                    format!("{} records are in the files no more; none was retired: {obstacle}", missing.len());
                let problem = Problem { file: String::new(), line: 0, column: String::new(), kind: Some(kind), reason };
                self.report.warnings.push(problem);
                continue;
            }
            let allowed = retired_freely(known).max(guard.allow.unwrap_or(0));
            if missing.len() > allowed {
                most = most.max(missing.len());
                let (kind, missing) = (kind.info().name, missing.len());
                excess.get_or_insert(PlanError::TooManyRetired { kind, missing, known, allowed, enough: 0 });
            }
            missing.sort_by(|a, b| a.name.cmp(&b.name));
            out.extend(missing);
        }
        if let Some(PlanError::TooManyRetired { kind, missing, known, allowed, .. }) = excess {
            let error = PlanError::TooManyRetired { kind, missing, known, allowed, enough: most };
            if !guard.warn_only {
                return Err(error);
            }
            let reason = error.to_string();
            self.report.warnings.push(Problem {
                file: String::new(),
                line: 0,
                column: String::new(),
                kind: None,
                reason,
            });
        }
        Ok(out)
    }

    pub(super) fn problem(&self, origin: Origin, kind: Kind, column: String, reason: String) -> Problem {
        let file = self.wanted.files.get(usize::from(origin.file)).cloned().unwrap_or_default();
        Problem { file, line: u64::from(origin.line), column, kind: Some(kind), reason }
    }

    pub(super) fn columns(&self, rule: &FieldRule) -> String {
        if rule.columns.is_empty() { rule.field.column.to_owned() } else { rule.columns.clone() }
    }

    /// The records that a slot refers to.
    pub(super) fn references(&self, slot: &Slot) -> impl Iterator<Item = Target> {
        let symbols: &[Symbol] = if let Held::References(symbols) = &slot.held { symbols } else { &[] };
        symbols.iter().filter_map(|symbol| self.target(*symbol))
    }

    pub(super) fn draft(&self, number: usize) -> Option<&Draft> {
        self.wanted.drafts.get(number)
    }
}

/// Whether a field holds references.
pub(super) fn refers(info: &FieldInfo) -> Option<Kind> {
    match info.ty {
        FieldType::Ref(kind) | FieldType::RefList(kind) => Some(kind),
        _ => None,
    }
}
