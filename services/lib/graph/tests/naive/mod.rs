//! The graph in its simplest form: records in maps, every question answered by looking at all of them.

use std::{cmp::Ordering, collections::BTreeMap};

use prost::Message;
use spil_graph::{By, Dangling, Filter, Order, Position, Quantifier, Test};
use spil_proto::{
    changefeed::v1::Record,
    model::{Entity, FieldType, Kind, Owner, Step, Value, field},
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

#[derive(Clone, Debug, Default)]
pub struct Naive {
    pub records: BTreeMap<Kind, BTreeMap<Uuid, Record>>,
}

/// What a page should hold.
#[derive(Debug, PartialEq)]
pub struct NaivePage {
    pub ids: Vec<Uuid>,
    pub total: usize,
    pub has_next: bool,
    pub has_previous: bool,
}

impl Naive {
    pub fn apply(&mut self, record: &Record) {
        let (kind, id) = (record.kind().unwrap(), record.id().unwrap());
        let table = self.records.entry(kind).or_default();
        if record.entity().unwrap().header().unwrap().retired_at.is_some() {
            table.remove(&id);
        } else {
            table.insert(id, record.clone());
        }
    }

    pub fn clear(&mut self, owner: Owner) {
        self.records.retain(|kind, _| kind.info().owner != owner);
    }

    pub fn ids(&self, kind: Kind) -> Vec<Uuid> {
        self.records.get(&kind).map(|table| table.keys().copied().collect()).unwrap_or_default()
    }

    pub fn entity(&self, kind: Kind, id: Uuid) -> Option<&dyn Entity> {
        self.records.get(&kind)?.get(&id)?.entity()
    }

    pub fn value(&self, kind: Kind, id: Uuid, field: usize) -> Value<'_> {
        self.entity(kind, id).map_or(Value::Null, |entity| entity.get(field))
    }

    /// The ids a field refers to, dangling or not, sorted, each once.
    fn targets(&self, kind: Kind, id: Uuid, field: usize) -> Vec<Uuid> {
        let is_reference = |ty| matches!(ty, FieldType::Ref(_) | FieldType::RefList(_));
        if !kind.info().field(field).is_some_and(|info| is_reference(info.ty)) {
            return Vec::new();
        }
        let mut ids = match self.value(kind, id, field) {
            Value::Id(id) => vec![id],
            Value::Ids(ids) => ids,
            _ => Vec::new(),
        };
        ids.sort();
        ids.dedup();
        ids
    }

    pub fn references(&self, kind: Kind, id: Uuid, field: usize) -> Vec<Uuid> {
        let to = match kind.info().field(field).unwrap().ty {
            FieldType::Ref(to) | FieldType::RefList(to) => to,
            _ => return Vec::new(),
        };
        let mut ids = self.targets(kind, id, field);
        ids.retain(|id| self.entity(to, *id).is_some());
        ids
    }

    pub fn referrers(&self, id: Uuid, from: Kind, field: usize) -> Vec<Uuid> {
        let mut ids = self.ids(from);
        ids.retain(|other| self.targets(from, *other, field).contains(&id));
        ids
    }

    /// What a record leads to by one hop.
    fn hop(&self, id: Uuid, step: Step) -> Vec<Uuid> {
        match step {
            Step::Forward { kind, field } => self.references(kind, id, field),
            Step::Inverse { kind, field } => self.referrers(id, kind, field),
            Step::Above { kind, field } => self.levels(id, Step::Forward { kind, field }).concat(),
            Step::Below { kind, field } => self.levels(id, Step::Inverse { kind, field }).concat(),
        }
    }

    /// The records that a record leads to by one hop, by two and so on, each where it is met first.
    pub fn levels(&self, id: Uuid, hop: Step) -> Vec<Vec<Uuid>> {
        let mut levels = vec![vec![id]];
        while !levels.last().unwrap().is_empty() {
            let mut next: Vec<Uuid> = levels.last().unwrap().iter().flat_map(|id| self.hop(*id, hop)).collect();
            next.sort();
            next.dedup();
            next.retain(|id| !levels.iter().flatten().any(|met| met == id));
            levels.push(next);
        }
        levels.remove(0);
        levels.pop();
        levels
    }

    pub fn walk(&self, id: Uuid, steps: &[Step]) -> Vec<Uuid> {
        let mut ids = vec![id];
        for step in steps {
            ids = ids.iter().flat_map(|id| self.hop(*id, *step)).collect();
            ids.sort();
            ids.dedup();
        }
        ids
    }

    pub fn digest(&self, kind: Kind) -> (u64, u128) {
        let records = self.records.get(&kind).into_iter().flat_map(BTreeMap::values);
        records.fold((0, 0), |(count, sum), record| (count + 1, sum.wrapping_add(xxh3_128(&record.encode_to_vec()))))
    }

    pub fn dangling(&self) -> Vec<Dangling> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            for info in kind.info().fields() {
                let all = self.ids(*kind);
                let count = all
                    .iter()
                    .map(|id| {
                        self.targets(*kind, *id, info.index).len() - self.references(*kind, *id, info.index).len()
                    })
                    .sum();
                if count > 0 {
                    found.push(Dangling { kind: *kind, field: info.index, count });
                }
            }
        }
        found
    }

    pub fn matches(&self, kind: Kind, id: Uuid, filter: &Filter) -> bool {
        match filter {
            Filter::And(filters) => filters.iter().all(|filter| self.matches(kind, id, filter)),
            Filter::Or(filters) => filters.iter().any(|filter| self.matches(kind, id, filter)),
            Filter::Not(filter) => !self.matches(kind, id, filter),
            Filter::Field { field, test } => passes(&self.value(kind, id, *field), test),
            Filter::Related { steps, to, quantifier, filter } => {
                let related = self.walk(id, steps);
                let passes = |id: &Uuid| filter.as_ref().is_none_or(|filter| self.matches(*to, *id, filter));
                match quantifier {
                    Quantifier::Some => related.iter().any(passes),
                    Quantifier::None => !related.iter().any(passes),
                    Quantifier::Every => related.iter().all(passes),
                    Quantifier::Count { least, most } => {
                        let count = related.iter().filter(|id| passes(id)).count();
                        *least <= count && count <= *most
                    }
                }
            }
        }
    }

    pub fn position(&self, kind: Kind, id: Uuid, order: &[Order]) -> Position {
        let value = |level: &Order| match level.by {
            By::Field(field) => self.value(kind, id, field).into_owned(),
            By::Count(relation) => Value::Int(self.walk(id, &kind.relations()[relation].steps).len() as i64),
        };
        Position { values: order.iter().map(value).collect(), id }
    }

    fn compare(&self, kind: Kind, a: &Position, b: &Position, order: &[Order]) -> Ordering {
        for (level, (a, b)) in order.iter().zip(a.values.iter().zip(&b.values)) {
            let order = compare(a, b);
            match level.by {
                By::Field(field) => assert!(kind.info().field(field).is_some()),
                By::Count(relation) => assert!(relation < kind.relations().len()),
            }
            if order.is_ne() {
                return if level.descending { order.reverse() } else { order };
            }
        }
        a.id.cmp(&b.id)
    }

    /// How often each value of a field occurs among some records: the most frequent first, then in the order of values.
    pub fn facets(&self, kind: Kind, ids: &[Uuid], field: usize) -> Vec<(Value<'static>, usize)> {
        let mut facets: Vec<(Value<'static>, usize)> = Vec::new();
        for id in ids {
            let mut values = match self.value(kind, *id, field) {
                Value::Texts(items) => items.iter().map(|item| Value::Text(item.clone().into())).collect(),
                Value::Enums(items) => items.iter().map(|item| Value::Enum(*item)).collect(),
                Value::Ids(items) => items.into_iter().map(Value::Id).collect(),
                value => vec![value.into_owned()],
            };
            let all = std::mem::take(&mut values);
            for value in all {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            for value in values {
                match facets.iter_mut().find(|facet| facet.0 == value) {
                    Some(facet) => facet.1 += 1,
                    None => facets.push((value, 1)),
                }
            }
        }
        facets.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| compare(&a.0, &b.0)));
        facets
    }

    /// A page of `source`.
    #[allow(clippy::too_many_arguments, reason = "a query has as many parts")]
    pub fn select(
        &self,
        kind: Kind,
        source: Vec<Uuid>,
        filter: Option<&Filter>,
        order: &[Order],
        (first, last): (Option<usize>, Option<usize>),
        (after, before): (Option<&Position>, Option<&Position>),
    ) -> NaivePage {
        let mut list: Vec<Position> = source
            .into_iter()
            .filter(|id| filter.is_none_or(|filter| self.matches(kind, *id, filter)))
            .map(|id| self.position(kind, id, order))
            .collect();
        list.sort_by(|a, b| self.compare(kind, a, b, order));
        let count = |position: &Position, inclusive: bool| {
            let stands = |other: &&Position| match self.compare(kind, other, position, order) {
                Ordering::Less => true,
                Ordering::Equal => inclusive,
                Ordering::Greater => false,
            };
            list.iter().filter(stands).count()
        };
        let mut start = after.map_or(0, |position| count(position, true));
        let mut end = before.map_or(list.len(), |position| count(position, false)).max(start);
        if let Some(first) = first {
            end = end.min(start + first);
        }
        if let Some(last) = last {
            start = start.max(end.saturating_sub(last));
        }
        NaivePage {
            ids: list[start..end].iter().map(|position| position.id).collect(),
            total: list.len(),
            has_next: end < list.len(),
            has_previous: start > 0,
        }
    }
}

/// The text as one types it without thinking of case and accents, for the letters that occur in the tests.
fn fold(text: &str) -> String {
    let mut folded = text.to_lowercase();
    for (letter, plain) in [("é", "e"), ("ß", "ss"), ("ł", "l"), ("ó", "o"), ("ź", "z"), ("æ", "ae")] {
        folded = folded.replace(letter, plain);
    }
    folded
}

/// How two values of one field compare; a missing one is the greatest, lists are all equal.
fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Text(a), Value::Text(b)) => (fold(a), a).cmp(&(fold(b), b)),
        _ => ordered(a, b).unwrap_or(Ordering::Equal),
    }
}

/// How two values that have an order compare.
fn ordered(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) | (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) | (Value::Enum(a), Value::Enum(b)) => Some(a.cmp(b)),
        (Value::Text(_), Value::Text(_)) => Some(compare(a, b)),
        (Value::Id(a), Value::Id(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn equals(value: &Value<'_>, other: &Value<'_>) -> bool {
    ordered(value, other) == Some(Ordering::Equal)
}

fn passes(value: &Value<'_>, test: &Test) -> bool {
    let order = |other| ordered(value, other);
    match test {
        Test::IsNull(null) => value.is_null() == *null,
        Test::Equals(other) => equals(value, other),
        Test::NotEquals(other) => !equals(value, other),
        Test::In(others) => others.iter().any(|other| equals(value, other)),
        Test::NotIn(others) => !others.iter().any(|other| equals(value, other)),
        Test::Less(other) => order(other) == Some(Ordering::Less),
        Test::LessOrEqual(other) => order(other).is_some_and(Ordering::is_le),
        Test::Greater(other) => order(other) == Some(Ordering::Greater),
        Test::GreaterOrEqual(other) => order(other).is_some_and(Ordering::is_ge),
        Test::Contains(text) => matches!(value, Value::Text(value) if fold(value).contains(&fold(text))),
        Test::StartsWith(text) => matches!(value, Value::Text(value) if fold(value).starts_with(&fold(text))),
        Test::Has(item) => match (value, item) {
            (Value::Texts(items), Value::Text(item)) => items.iter().any(|other| other == item),
            (Value::Enums(items), Value::Enum(item)) => items.contains(item),
            (Value::Ids(items), Value::Id(item)) => items.contains(item),
            (Value::ExternalIds(items), Value::ExternalIds(wanted)) => wanted.iter().all(|item| items.contains(item)),
            (Value::Translations(items), Value::Translations(wanted)) => wanted.iter().all(|item| items.contains(item)),
            _ => false,
        },
        Test::HasText(tests) => match value {
            Value::Texts(items) => items.iter().any(|item| all_pass(item, tests)),
            _ => false,
        },
        Test::HasPair { first, second } => match value {
            Value::ExternalIds(items) => {
                items.iter().any(|item| all_pass(&item.system, first) && all_pass(&item.id, second))
            }
            Value::Translations(items) => {
                items.iter().any(|item| all_pass(&item.language, first) && all_pass(&item.name, second))
            }
            _ => false,
        },
    }
}

fn all_pass(text: &str, tests: &[Test]) -> bool {
    tests.iter().all(|test| passes(&Value::Text(text.into()), test))
}

/// The live record with a key: the one with the smallest id.
pub fn by_key(naive: &Naive, kind: Kind, key: &str) -> Option<Uuid> {
    naive.ids(kind).into_iter().find(|id| naive.value(kind, *id, field::KEY) == Value::Text(key.into()))
}
