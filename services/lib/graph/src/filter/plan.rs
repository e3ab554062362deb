//! Filters made ready to be tried on many records.

use spil_proto::model::{Kind, Step, field};

use super::{
    Filter, MAX_FILTER_DEPTH, Quantifier,
    check::{Check, Set},
};
use crate::{Budget, Exhausted, Graph, Row, schema::KindSchema, walk::destination};

/// A filter for records of one kind: operands are of the fields' types, texts to look for are folded, ids are resolved to rows.
#[derive(Debug)]
pub(crate) enum Plan<'f> {
    All(Vec<Plan<'f>>),
    Any(Vec<Plan<'f>>),
    Not(Box<Plan<'f>>),
    Field { field: usize, check: Check<'f> },
    Related { steps: &'f [Step], to: Kind, quantifier: Quantifier, plan: Option<Box<Plan<'f>>> },
}

impl<'f> Plan<'f> {
    pub(crate) fn new(graph: &Graph, kind: Kind, filter: &'f Filter) -> Result<Plan<'f>, Exhausted> {
        Plan::at_depth(graph, kind, filter, MAX_FILTER_DEPTH)
    }

    fn at_depth(graph: &Graph, kind: Kind, filter: &'f Filter, depth: usize) -> Result<Plan<'f>, Exhausted> {
        let deeper = depth.checked_sub(1).ok_or(Exhausted)?;
        let all = |filters: &'f [Filter]| {
            filters.iter().map(|filter| Plan::at_depth(graph, kind, filter, deeper)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match filter {
            Filter::And(filters) => Plan::All(all(filters)?),
            Filter::Or(filters) => Plan::Any(all(filters)?),
            Filter::Not(filter) => Plan::Not(Box::new(Plan::at_depth(graph, kind, filter, deeper)?)),
            Filter::Field { field, test } => {
                Plan::Field { field: *field, check: Check::new(graph, kind, *field, test) }
            }
            Filter::Related { steps, to, quantifier, filter } => {
                let deeper = deeper.checked_sub(steps.len()).ok_or(Exhausted)?;
                let plan = match filter {
                    Some(filter) => Some(Box::new(Plan::at_depth(graph, *to, filter, deeper)?)),
                    None => None,
                };
                // Steps that lead elsewhere than said reach no record of the kind said.
                let fits = steps.iter().try_fold(kind, |at, step| destination(at, *step)) == Some(*to);
                match quantifier {
                    _ if fits => Plan::Related { steps, to: *to, quantifier: *quantifier, plan },
                    Quantifier::None | Quantifier::Every | Quantifier::Count { least: 0, .. } => Plan::All(Vec::new()),
                    Quantifier::Some | Quantifier::Count { .. } => Plan::Any(Vec::new()),
                }
            }
        })
    }

    /// How large the plan is; making it costs that much.
    pub(crate) fn size(&self) -> u64 {
        1 + match self {
            Plan::All(plans) | Plan::Any(plans) => plans.iter().map(Plan::size).sum(),
            Plan::Not(plan) => plan.size(),
            Plan::Field { check, .. } => check.size(),
            Plan::Related { plan, .. } => plan.as_ref().map_or(0, |plan| plan.size()),
        }
    }

    /// Whether a record passes. The record itself is paid for already; its tests are not.
    pub(crate) fn matches(&self, graph: &Graph, kind: Kind, row: Row, budget: &mut Budget) -> Result<bool, Exhausted> {
        if !matches!(self, Plan::Field { .. }) {
            budget.spend(1)?;
        }
        match self {
            Plan::All(plans) => {
                for plan in plans {
                    if !plan.matches(graph, kind, row, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Plan::Any(plans) => {
                for plan in plans {
                    if plan.matches(graph, kind, row, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Plan::Not(plan) => Ok(!plan.matches(graph, kind, row, budget)?),
            Plan::Field { field, check } => {
                let table = graph.table(kind);
                budget.spend(check.cost(table, row, *field))?;
                Ok(check.passes(table, row, *field))
            }
            Plan::Related { steps, to, quantifier: Quantifier::Count { least, most }, plan } => {
                let count = match plan {
                    None => graph.count_within(kind, row, steps, budget)?,
                    Some(plan) => {
                        let mut count = 0;
                        for row in graph.walk_unordered(kind, row, steps, budget)? {
                            count += usize::from(plan.matches(graph, *to, row, budget)?);
                            if count > *most || *most == usize::MAX && count >= *least {
                                break;
                            }
                        }
                        count
                    }
                };
                Ok((*least..=*most).contains(&count))
            }
            Plan::Related { steps, to, quantifier, plan } => {
                let every = *quantifier == Quantifier::Every;
                // All pass if none is found that does not.
                let found = graph.reaches(kind, row, steps, budget, &mut |row, budget| match plan {
                    Some(plan) => Ok(plan.matches(graph, *to, row, budget)? != every),
                    None => Ok(!every),
                })?;
                Ok(found == (*quantifier == Quantifier::Some))
            }
        }
    }

    /// Records among which are all that pass, in the order of their ids, if indexes tell that they are few; `limit` is how many may
    /// be looked at to find out.
    pub(crate) fn candidates(&self, graph: &Graph, kind: Kind, limit: &mut Budget) -> Option<Vec<u32>> {
        let table = graph.table(kind);
        let mut rows: Vec<Row> = match self {
            Plan::All(plans) => {
                let mut best: Option<Vec<u32>> = None;
                for plan in plans {
                    // One that is of no use takes nothing from the others, and a longer list than the best is of none.
                    let allowed = best.as_ref().map_or(limit.left(), |best| limit.left().min(best.len() as u64));
                    let mut own = Budget::new(allowed);
                    if let Some(rows) = plan.candidates(graph, kind, &mut own) {
                        limit.spend(allowed - own.left()).ok()?;
                        best = Some(rows);
                    }
                }
                return best;
            }
            Plan::Field { field: field::ID, check: Check::In(Set::Ids(ids)) } => {
                ids.iter().filter_map(|id| table.row_of(*id)).collect()
            }
            Plan::Field { field: field::KEY, check: Check::In(Set::Texts(keys)) } => {
                keys.iter().flat_map(|key| table.rows_of_key(key)).collect()
            }
            Plan::Field { field: field::EXTERNAL_IDS, check: Check::HasExternalIds([first, ..]) } => {
                table.rows_of_external_id(&first.system, &first.id).collect()
            }
            Plan::Field { field, check: Check::In(Set::Targets(targets)) } => {
                referrers(graph, kind, *field, targets, limit)?
            }
            Plan::Field { field, check: Check::HasTarget(target) } => {
                referrers(graph, kind, *field, &[*target], limit)?
            }
            Plan::Related {
                steps,
                to,
                quantifier: Quantifier::Some | Quantifier::Count { least: 1.., .. },
                plan: Some(plan),
            } => {
                let back: Vec<Step> = steps.iter().rev().map(|step| step.reversed()).collect();
                let mut rows = Vec::new();
                for row in plan.candidates(graph, *to, limit)? {
                    rows.extend(graph.walk_within(*to, Row(row), &back, limit).ok()?);
                }
                rows
            }
            _ => return None,
        };
        limit.spend(rows.len() as u64).ok()?;
        rows.sort_by_cached_key(|row| table.id(*row));
        rows.dedup();
        Some(rows.into_iter().map(|row| row.0).collect())
    }
}

fn referrers(graph: &Graph, kind: Kind, field: usize, targets: &[u32], limit: &mut Budget) -> Option<Vec<Row>> {
    let to = KindSchema::of(kind).reference(field)?.to;
    let mut rows = Vec::new();
    for target in targets {
        let referrers = graph.referrers(to, Row(*target), kind, field);
        limit.spend(referrers.len() as u64).ok()?;
        rows.extend(referrers);
    }
    Some(rows)
}
