//! Filters made ready to be tried on many records.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldType, Kind, Step, Translation, Value, field};
use uuid::Uuid;

use super::{Filter, MAX_FILTER_DEPTH, Quantifier, Test};
use crate::{
    Budget, Exhausted, Graph, Row,
    column::raw_integer,
    fold::{self, Needle},
    order::compare_floats,
    schema::KindSchema,
    table::Table,
    walk::destination,
};

/// A filter for records of one kind: operands are of the fields' types, texts to look for are folded, ids are resolved to rows.
#[derive(Debug)]
pub(crate) enum Plan<'f> {
    All(Vec<Plan<'f>>),
    Any(Vec<Plan<'f>>),
    Not(Box<Plan<'f>>),
    Field { field: usize, check: Check<'f> },
    Related { steps: &'f [Step], to: Kind, quantifier: Quantifier, plan: Option<Box<Plan<'f>>> },
}

/// A test of one field.
#[derive(Debug)]
pub(crate) enum Check<'f> {
    Never,
    IsNull(bool),
    In(Set<'f>),
    NotIn(Set<'f>),
    Compare { bound: Bound<'f>, less: bool, equal: bool },
    Contains(Needle),
    StartsWith(Needle),
    HasText(&'f str),
    HasEnum(i32),
    HasTarget(u32),
    HasExternalIds(&'f [ExternalId]),
    HasTranslations(&'f [Translation]),
}

/// Values of one type, sorted.
#[derive(Debug)]
pub(crate) enum Set<'f> {
    None,
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Decimals(Vec<Decimal>),
    Texts(Vec<&'f str>),
    Ids(Vec<Uuid>),
    /// Rows that a reference may lead to.
    Targets(Vec<u32>),
}

/// A value to compare with.
#[derive(Debug)]
pub(crate) enum Bound<'f> {
    Integer(i64),
    Float(f64),
    Decimal(Decimal),
    Text(&'f str),
    Id(Uuid),
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
                if fits {
                    Plan::Related { steps, to: *to, quantifier: *quantifier, plan }
                } else if *quantifier == Quantifier::Some {
                    Plan::Any(Vec::new())
                } else {
                    Plan::All(Vec::new())
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
            Plan::Related { steps, to, quantifier: Quantifier::Some, plan: Some(plan) } => {
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

impl<'f> Check<'f> {
    fn new(graph: &Graph, kind: Kind, field: usize, test: &'f Test) -> Check<'f> {
        let Some(ty) = KindSchema::of(kind).field_type(field) else { return Check::Never };
        let one = std::slice::from_ref;
        match test {
            Test::IsNull(wanted) => Check::IsNull(*wanted),
            Test::Equals(value) => Check::In(Set::new(graph, ty, one(value))),
            Test::NotEquals(value) => Check::NotIn(Set::new(graph, ty, one(value))),
            Test::In(values) => Check::In(Set::new(graph, ty, values)),
            Test::NotIn(values) => Check::NotIn(Set::new(graph, ty, values)),
            Test::Less(value) => Check::compare(ty, value, true, false),
            Test::LessOrEqual(value) => Check::compare(ty, value, true, true),
            Test::Greater(value) => Check::compare(ty, value, false, false),
            Test::GreaterOrEqual(value) => Check::compare(ty, value, false, true),
            Test::Contains(text) => Check::Contains(Needle::new(text)),
            Test::StartsWith(text) => Check::StartsWith(Needle::new(text)),
            Test::Has(value) => match (ty, value) {
                (FieldType::TextList, Value::Text(text)) => Check::HasText(text),
                (FieldType::EnumList(_), Value::Enum(number)) => Check::HasEnum(*number),
                (FieldType::RefList(to), Value::Id(id)) => {
                    graph.table(to).find(*id).map_or(Check::Never, Check::HasTarget)
                }
                (FieldType::ExternalIds, Value::ExternalIds(items)) => Check::HasExternalIds(items),
                (FieldType::Translations, Value::Translations(items)) => Check::HasTranslations(items),
                _ => Check::Never,
            },
        }
    }

    fn compare(ty: FieldType, value: &'f Value<'static>, less: bool, equal: bool) -> Check<'f> {
        Bound::new(ty, value).map_or(Check::Never, |bound| Check::Compare { bound, less, equal })
    }

    /// How many values it compares with, beyond one.
    fn size(&self) -> u64 {
        match self {
            Check::In(set) | Check::NotIn(set) => set.len() as u64,
            _ => 0,
        }
    }

    /// What the test costs: one, and for a search in a text more for a longer one. A filter of many tests must not cost as
    /// little as one of a single test.
    fn cost(&self, table: &Table, row: Row, field: usize) -> u64 {
        match self {
            Check::Contains(_) => 1 + table.text(row, field).map_or(0, |text| text.len() as u64 / 64),
            _ => 1,
        }
    }

    fn passes(&self, table: &Table, row: Row, field: usize) -> bool {
        match self {
            Check::Never => false,
            Check::IsNull(wanted) => {
                let null = field != field::ID && table.column(row, field).is_none_or(|(column, at)| column.is_null(at));
                null == *wanted
            }
            Check::In(set) => set.holds(table, row, field),
            Check::NotIn(set) => !set.holds(table, row, field),
            Check::Compare { bound, less, equal } => match bound.compare(table, row, field) {
                Some(Ordering::Less) => *less,
                Some(Ordering::Equal) => *equal,
                Some(Ordering::Greater) => !*less,
                None => false,
            },
            Check::Contains(needle) => table.text(row, field).is_some_and(|text| needle.is_in(text)),
            Check::StartsWith(needle) => table.text(row, field).is_some_and(|text| needle.starts(text)),
            Check::HasText(text) => table.texts(row, field).iter().any(|item| item == text),
            Check::HasEnum(number) => table.enumerations(row, field).contains(number),
            Check::HasTarget(target) => table.targets(row, field).contains(target),
            Check::HasExternalIds(items) => {
                let found = table.external_ids(row, field);
                !found.is_empty() && items.iter().all(|item| found.contains(item))
            }
            Check::HasTranslations(items) => {
                let found = table.translations(row, field);
                !found.is_empty() && items.iter().all(|item| found.contains(item))
            }
        }
    }
}

impl<'f> Bound<'f> {
    fn new(ty: FieldType, value: &'f Value<'static>) -> Option<Bound<'f>> {
        Some(match (ty, value) {
            (FieldType::Bool, Value::Bool(_))
            | (FieldType::Int, Value::Int(_))
            | (FieldType::Date, Value::Date(_))
            | (FieldType::DateTime, Value::DateTime(_))
            | (FieldType::Enum(_), Value::Enum(_)) => Bound::Integer(raw_integer(value)?),
            (FieldType::Float, Value::Float(value)) => Bound::Float(*value),
            #[allow(clippy::cast_precision_loss, reason = "whole numbers in filters are small")]
            (FieldType::Float, Value::Int(value)) => Bound::Float(*value as f64),
            (FieldType::Decimal, Value::Decimal(value)) => Bound::Decimal(*value),
            (FieldType::Decimal, Value::Int(value)) => Bound::Decimal(Decimal::from(*value)),
            (FieldType::Text, Value::Text(text)) => Bound::Text(text),
            (FieldType::Id, Value::Id(id)) => Bound::Id(*id),
            _ => return None,
        })
    }

    /// How the value of a record stands to the bound; none if it has no value.
    fn compare(&self, table: &Table, row: Row, field: usize) -> Option<Ordering> {
        Some(match self {
            Bound::Integer(bound) => table.raw_integer(row, field)?.cmp(bound),
            Bound::Float(bound) => compare_floats(table.float(row, field)?, *bound),
            Bound::Decimal(bound) => table.decimal(row, field)?.cmp(bound),
            Bound::Text(bound) => fold::compare(table.text(row, field)?, bound),
            Bound::Id(bound) => table.id(row).cmp(bound),
        })
    }
}

impl<'f> Set<'f> {
    fn new(graph: &Graph, ty: FieldType, values: &'f [Value<'static>]) -> Set<'f> {
        if let FieldType::Ref(to) = ty {
            let ids = values.iter().filter_map(|value| if let Value::Id(id) = value { Some(*id) } else { None });
            let mut targets: Vec<u32> = ids.filter_map(|id| graph.table(to).find(id)).collect();
            targets.sort_unstable();
            targets.dedup();
            return Set::Targets(targets);
        }
        let mut set = match ty {
            FieldType::Bool | FieldType::Int | FieldType::Date | FieldType::DateTime | FieldType::Enum(_) => {
                Set::Integers(Vec::new())
            }
            FieldType::Float => Set::Floats(Vec::new()),
            FieldType::Decimal => Set::Decimals(Vec::new()),
            FieldType::Text => Set::Texts(Vec::new()),
            FieldType::Id => Set::Ids(Vec::new()),
            _ => return Set::None,
        };
        for bound in values.iter().filter_map(|value| Bound::new(ty, value)) {
            match (&mut set, bound) {
                (Set::Integers(items), Bound::Integer(item)) => items.push(item),
                (Set::Floats(items), Bound::Float(item)) => items.push(item),
                (Set::Decimals(items), Bound::Decimal(item)) => items.push(item),
                (Set::Texts(items), Bound::Text(item)) => items.push(item),
                (Set::Ids(items), Bound::Id(item)) => items.push(item),
                _ => {}
            }
        }
        match &mut set {
            Set::Integers(items) => items.sort_unstable(),
            Set::Floats(items) => items.sort_unstable_by(|a, b| compare_floats(*a, *b)),
            Set::Decimals(items) => items.sort_unstable(),
            Set::Texts(items) => items.sort_unstable(),
            Set::Ids(items) => items.sort_unstable(),
            Set::None | Set::Targets(_) => {}
        }
        set
    }

    fn len(&self) -> usize {
        match self {
            Set::None => 0,
            Set::Integers(items) => items.len(),
            Set::Floats(items) => items.len(),
            Set::Decimals(items) => items.len(),
            Set::Texts(items) => items.len(),
            Set::Ids(items) => items.len(),
            Set::Targets(items) => items.len(),
        }
    }

    fn holds(&self, table: &Table, row: Row, field: usize) -> bool {
        match self {
            Set::None => false,
            Set::Integers(items) => {
                table.raw_integer(row, field).is_some_and(|value| items.binary_search(&value).is_ok())
            }
            Set::Floats(items) => table
                .float(row, field)
                .is_some_and(|value| items.binary_search_by(|item| compare_floats(*item, value)).is_ok()),
            Set::Decimals(items) => table.decimal(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
            Set::Texts(items) => table.text(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
            Set::Ids(items) => items.binary_search(&table.id(row)).is_ok(),
            Set::Targets(items) => table.target(row, field).is_some_and(|value| items.binary_search(&value).is_ok()),
        }
    }
}
