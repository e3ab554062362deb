//! Records, filters and queries out of a string of bytes, so that a failing case can be made smaller.

use spil_graph::{By, Filter, Order, Quantifier, Test};
use spil_proto::{
    changefeed::v1::Record,
    model::{EnumInfo, ExternalId, FieldType, Kind, Relation, Translation, Value, field},
};
use uuid::Uuid;

/// The kinds in play: trees, lists of references, references across owners, every type of field.
pub const KINDS: [Kind; 9] = [
    Kind::Objective,
    Kind::Capability,
    Kind::OrgUnit,
    Kind::Position,
    Kind::Worker,
    Kind::Skill,
    Kind::SkillAssertion,
    Kind::Initiative,
    Kind::Benefit,
];

/// How many ids each kind has.
pub const IDS: usize = 9;

const TEXTS: [&str; 14] = [
    "",
    "alpha",
    "Alpha",
    "ALPHABET",
    "beta",
    "Été",
    "été",
    "ete",
    "straße",
    "STRASSE",
    "Łódź",
    "ædel",
    "zulu \u{212a}elvin",
    "b",
];

pub const KEYS: [&str; 4] = ["K-1", "K-2", "k-1", "é"];

/// Choices read from bytes; 0 once they are used up.
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % count
    }

    pub fn chance(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn some<T>(&mut self, up_to: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(up_to + 1)).map(|_| make(self)).collect()
    }
}

/// Ids that do not come in the order of their numbers.
pub fn id_of(number: usize) -> Uuid {
    Uuid::from_u128((number as u128 * 7 % 11 + 1) << 64 | (number as u128 + 1))
}

pub fn any_id(choices: &mut Choices<'_>) -> Uuid {
    id_of(choices.below(IDS))
}

pub fn external_ids(choices: &mut Choices<'_>) -> Vec<ExternalId> {
    choices.some(2, |choices| ExternalId {
        system: choices.of(&["hr", "it"]).to_owned(),
        id: choices.of(&["1", "2", "3"]).to_owned(),
    })
}

fn translations(choices: &mut Choices<'_>) -> Vec<Translation> {
    choices.some(2, |choices| Translation {
        language: choices.of(&["nl", "de"]).to_owned(),
        name: choices.of(&TEXTS).to_owned(),
    })
}

fn enum_number(choices: &mut Choices<'_>, list: &EnumInfo) -> i32 {
    list.values[choices.below(list.values.len())].number
}

fn long_text(choices: &mut Choices<'_>) -> String {
    let times = choices.of(&[1, 1, 1, 60, 200]);
    choices.of(&TEXTS).repeat(times)
}

/// A value of a type, or none.
pub fn any_value(choices: &mut Choices<'_>, ty: FieldType) -> Value<'static> {
    if choices.chance(4) {
        return Value::Null;
    }
    let not_empty = |value: Value<'static>, empty: bool| if empty { Value::Null } else { value };
    let number = choices.of(&[0, 1, 2, 3, 250, 300, 70_000, -1, -400, 2_000_000_000]);
    match ty {
        FieldType::Id | FieldType::Ref(_) => Value::Id(any_id(choices)),
        FieldType::RefList(_) => {
            let ids = choices.some(3, any_id);
            not_empty(Value::Ids(ids.clone()), ids.is_empty())
        }
        FieldType::Text => Value::Text(long_text(choices).into()),
        FieldType::TextList => {
            let texts = choices.some(2, |choices| choices.of(&TEXTS).to_owned());
            not_empty(Value::Texts(texts.clone().into()), texts.is_empty())
        }
        FieldType::Bool => Value::Bool(choices.chance(2)),
        FieldType::Int => Value::Int(number),
        FieldType::Float => Value::Float(choices.of(&[0.0, -0.0, 0.5, 1.0, -3.25, 1e300])),
        FieldType::Decimal => {
            Value::Decimal(choices.of(&["0", "0.5", "-0.5", "-1.25", "1000000", "12.3456"]).parse().unwrap())
        }
        FieldType::Date => Value::Date(i32::try_from(number).unwrap()),
        FieldType::DateTime => Value::DateTime(number * 1_000_003),
        FieldType::Enum(list) => Value::Enum(enum_number(choices, list)),
        FieldType::EnumList(list) => {
            let numbers = choices.some(3, |choices| enum_number(choices, list));
            not_empty(Value::Enums(numbers.clone().into()), numbers.is_empty())
        }
        FieldType::ExternalIds => {
            let items = external_ids(choices);
            not_empty(Value::ExternalIds(items.clone().into()), items.is_empty())
        }
        FieldType::Translations => {
            let items = translations(choices);
            not_empty(Value::Translations(items.clone().into()), items.is_empty())
        }
    }
}

/// A live record.
pub fn record(choices: &mut Choices<'_>, kind: Kind, id: Uuid) -> Record {
    let mut record = Record::empty(kind);
    let entity = record.entity_mut().unwrap();
    entity.set(field::ID, Value::Id(id)).unwrap();
    for info in kind.info().fields() {
        let value = match info.index {
            field::ID | field::RETIRED_AT => continue,
            field::KEY if choices.chance(3) => Value::Text(choices.of(&KEYS).into()),
            field::KEY => Value::Null,
            field::VERSION => Value::Int(choices.below(4) as i64),
            field::CREATED_AT | field::UPDATED_AT => Value::DateTime(1_790_000_000_000_000 + choices.below(3) as i64),
            _ => any_value(choices, info.ty),
        };
        if !value.is_null() {
            entity.set(info.index, value).unwrap();
        }
    }
    record
}

pub fn retired(kind: Kind, id: Uuid) -> Record {
    let mut record = Record::empty(kind);
    let entity = record.entity_mut().unwrap();
    entity.set(field::ID, Value::Id(id)).unwrap();
    entity.set(field::RETIRED_AT, Value::DateTime(5)).unwrap();
    record
}

/// An item of a list field, for `Has`.
fn any_item(choices: &mut Choices<'_>, ty: FieldType) -> Value<'static> {
    match ty {
        FieldType::TextList => Value::Text(choices.of(&TEXTS).into()),
        FieldType::EnumList(list) => Value::Enum(enum_number(choices, list)),
        FieldType::RefList(_) => Value::Id(any_id(choices)),
        _ => any_value(choices, ty),
    }
}

fn any_test(choices: &mut Choices<'_>, ty: FieldType) -> Test {
    let value = any_value(choices, ty);
    match choices.below(13) {
        0 => Test::IsNull(choices.chance(2)),
        1 => Test::Equals(value),
        2 => Test::NotEquals(value),
        3 => Test::In(choices.some(3, |choices| any_value(choices, ty))),
        4 => Test::NotIn(choices.some(3, |choices| any_value(choices, ty))),
        // References have no order as fields of a filter.
        5..=8 if matches!(ty, FieldType::Ref(_)) => Test::Equals(value),
        5 => Test::Less(value),
        6 => Test::LessOrEqual(value),
        7 => Test::Greater(value),
        8 => Test::GreaterOrEqual(value),
        9 => {
            Test::Contains(choices.of(&["", "a", "LPHA", "É", "te", "kelvin", "ß", "sse", "lod", "Æ", "t"]).to_owned())
        }
        10 => Test::StartsWith(
            choices.of(&["", "AL", "é", "ET", "alphab", "zulu k", "S", "strass", "łod", "AE"]).to_owned(),
        ),
        11 => Test::Has(any_item(choices, ty)),
        _ => any_test_of_items(choices, ty),
    }
}

/// A test that looks into the items of a list, at times of another list than the field's.
fn any_test_of_items(choices: &mut Choices<'_>, ty: FieldType) -> Test {
    match ty {
        FieldType::TextList => Test::HasText(choices.some(2, |choices| any_test(choices, FieldType::Text))),
        FieldType::ExternalIds | FieldType::Translations => Test::HasPair {
            first: choices.some(2, |choices| match choices.below(3) {
                0 => Test::Equals(Value::Text(choices.of(&["hr", "nl"]).into())),
                1 => Test::StartsWith(choices.of(&["H", "d", "i"]).to_owned()),
                _ => any_test(choices, FieldType::Text),
            }),
            second: choices.some(2, |choices| match choices.below(2) {
                0 => Test::In(vec![Value::Text("1".into()), Value::Text("ete".into())]),
                _ => any_test(choices, FieldType::Text),
            }),
        },
        _ => Test::HasText(Vec::new()),
    }
}

/// A filter on a kind, nested up to `depth`.
pub fn any_filter(choices: &mut Choices<'_>, kind: Kind, depth: usize) -> Filter {
    let shape = if depth == 0 { 0 } else { choices.below(9) };
    match shape {
        5 => Filter::And(choices.some(3, |choices| any_filter(choices, kind, depth - 1))),
        6 => Filter::Or(choices.some(3, |choices| any_filter(choices, kind, depth - 1))),
        7 => Filter::Not(Box::new(any_filter(choices, kind, depth - 1))),
        3 | 4 | 8 => {
            let Relation { to, steps, .. } = choices.of(&kind.relations());
            let quantifier = match choices.below(6) {
                0 | 1 => Quantifier::Some,
                2 => Quantifier::None,
                3 => Quantifier::Every,
                4 => Quantifier::Count { least: choices.below(4), most: usize::MAX },
                _ => Quantifier::Count { least: choices.below(3), most: choices.below(4) },
            };
            let filter = (!choices.chance(4)).then(|| Box::new(any_filter(choices, to, depth - 1)));
            Filter::Related { steps, to, quantifier, filter }
        }
        2 => {
            // What indexes can answer.
            let (field, test) = match choices.below(3) {
                0 => (field::ID, Test::In(choices.some(3, |choices| Value::Id(any_id(choices))))),
                1 => (field::KEY, Test::Equals(Value::Text(choices.of(&KEYS).into()))),
                _ => (field::EXTERNAL_IDS, Test::Has(Value::ExternalIds(external_ids(choices).into()))),
            };
            Filter::Field { field, test }
        }
        _ => {
            let info = kind.info().field(choices.below(kind.info().field_count())).unwrap();
            Filter::Field { field: info.index, test: any_test(choices, info.ty) }
        }
    }
}

pub fn any_order(choices: &mut Choices<'_>, kind: Kind) -> Vec<Order> {
    choices.some(2, |choices| {
        let by = if choices.chance(3) {
            By::Count(choices.below(kind.relations().len()))
        } else {
            By::Field(choices.below(kind.info().field_count()))
        };
        Order { by, descending: choices.chance(2) }
    })
}
