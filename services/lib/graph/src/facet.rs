//! How often each value of a field occurs among some records.

use std::{collections::HashMap, hash::Hash};

use spil_proto::model::{FieldType, Kind, Value};

use crate::{Budget, Exhausted, Graph, Row, column, order, records::Records};

/// A value of a field and how many records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet<'a> {
    /// The value; an item where the field holds lists, the id where it refers to records, null for records without a value.
    pub value: Value<'a>,
    /// The live record that the value refers to.
    pub target: Option<Row>,
    /// How many records have the value.
    pub count: usize,
}

impl Graph {
    /// How often each value of a field occurs among some records of a kind: the `first` most frequent, those that are as frequent in the
    /// order of their values, no value last. A record whose field holds a list counts once for each distinct item. External ids,
    /// translations, numbers with a fraction and the id have no facets.
    ///
    /// Each record costs 1, each item of a list 1 more, and a long text more than a short one.
    ///
    /// # Errors
    /// If that is more than the budget allows.
    pub fn facets(
        &self,
        kind: Kind,
        rows: &[Row],
        field: usize,
        first: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Facet<'_>>, Exhausted> {
        let table = self.table(kind);
        budget.spend(rows.len() as u64)?;
        let mut facets = match table.schema().field_type(field) {
            Some(
                ty @ (FieldType::Bool | FieldType::Int | FieldType::Date | FieldType::DateTime | FieldType::Enum(_)),
            ) => tally(rows, |row, tally| {
                tally.add(table.raw_integer(row, field));
                Ok(())
            })?
            .facets(|number| (column::integer(number, ty), None)),
            Some(FieldType::EnumList(_)) => tally(rows, |row, tally| {
                let numbers = table.enumerations(row, field);
                budget.spend(numbers.len() as u64)?;
                tally.add_all(numbers.iter().copied());
                Ok(())
            })?
            .facets(|number| (Value::Enum(number), None)),
            Some(FieldType::Text) => tally(rows, |row, tally| {
                let text = table.text(row, field);
                budget.spend(text.map_or(0, |text| text.len() as u64 / 64))?;
                tally.add(text);
                Ok(())
            })?
            .facets(|text| (Value::Text(text.into()), None)),
            Some(FieldType::TextList) => tally(rows, |row, tally| {
                let texts = table.texts(row, field);
                budget.spend(texts.iter().map(|text| 1 + text.len() as u64 / 64).sum())?;
                tally.add_all(texts.iter().map(String::as_str));
                Ok(())
            })?
            .facets(|text| (Value::Text(text.into()), None)),
            Some(FieldType::Ref(to)) => tally(rows, |row, tally| {
                tally.add(table.target(row, field));
                Ok(())
            })?
            .facets(|row| referred(self.table(to), Row(row))),
            Some(FieldType::RefList(to)) => tally(rows, |row, tally| {
                let targets = table.targets(row, field);
                budget.spend(targets.len() as u64)?;
                tally.add_all(targets.iter().copied());
                Ok(())
            })?
            .facets(|row| referred(self.table(to), Row(row))),
            _ => Vec::new(),
        };
        facets.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| order::compare(&a.value, &b.value)));
        facets.truncate(first);
        Ok(facets)
    }
}

fn referred(target: Records<'_>, row: Row) -> (Value<'static>, Option<Row>) {
    (Value::Id(target.table.id(row)), target.is_live(row).then_some(row))
}

/// Counts values while going over records.
struct Tally<K> {
    /// How often a value was seen, and in which record last, so that one that holds it twice counts once.
    seen: HashMap<K, (usize, usize)>,
    without: usize,
    at: usize,
}

fn tally<K>(
    rows: &[Row],
    mut add: impl FnMut(Row, &mut Tally<K>) -> Result<(), Exhausted>,
) -> Result<Tally<K>, Exhausted> {
    let mut tally = Tally { seen: HashMap::new(), without: 0, at: 0 };
    for row in rows {
        tally.at += 1;
        add(*row, &mut tally)?;
    }
    Ok(tally)
}

impl<K: Eq + Hash> Tally<K> {
    fn add(&mut self, value: Option<K>) {
        self.add_all(value.into_iter());
    }

    fn add_all(&mut self, values: impl ExactSizeIterator<Item = K>) {
        self.without += usize::from(values.len() == 0);
        for value in values {
            let (count, last) = self.seen.entry(value).or_default();
            *count += usize::from(*last != self.at);
            *last = self.at;
        }
    }

    fn facets<'a>(self, mut value_of: impl FnMut(K) -> (Value<'a>, Option<Row>)) -> Vec<Facet<'a>> {
        let without = (self.without > 0).then_some(Facet { value: Value::Null, target: None, count: self.without });
        let with = self.seen.into_iter().map(|(key, (count, _))| {
            let (value, target) = value_of(key);
            Facet { value, target, count }
        });
        with.chain(without).collect()
    }
}
