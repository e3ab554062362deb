//! Random filters, orders and facets over random records, as JSON through the engine, compared with looking at all records as the same
//! engine shows them.

use std::{cmp::Ordering, collections::BTreeMap};

use proptest::prelude::*;
use rust_decimal::Decimal;
use spil_proto::model::{ExternalId, FieldInfo, FieldType, Relation, Translation};

use super::*;
use crate::graphql::schema::{self, has_facets, is_orderable, order_count_name, order_field_name};

/// Trees, lists of references, paths, and every type of field.
pub(super) const KINDS: [Kind; 10] = [
    Kind::Objective,
    Kind::Capability,
    Kind::OrgUnit,
    Kind::Position,
    Kind::Worker,
    Kind::Skill,
    Kind::SkillAssertion,
    Kind::Initiative,
    Kind::CapabilityChange,
    Kind::Benefit,
];
/// How many records of a kind there are.
pub(super) const EACH: usize = 7;
pub(super) const TEXTS: [&str; 9] = ["alpha", "Alpha", "Été", "ete", "Straße", "STRASSEN", "Łódź", "b", "Øre"];
const DECIMALS: [&str; 4] = ["0.5", "12.25", "1000000", "7"];
const DATES: [&str; 3] = ["1999-12-31", "2024-02-29", "2026-07-01"];
const TIMES: [&str; 3] = ["1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-07-01T12:30:00Z"];
const FLOATS: [f64; 4] = [0.0, 0.25, 1.0, 3.5];

/// Choices read from bytes; 0 once they are used up.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    pub(super) fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    pub(super) fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn some<T>(&mut self, up_to: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(up_to + 1)).map(|_| make(self)).collect()
    }
}

pub(super) fn number(kind: Kind, at: usize) -> u128 {
    (kind as u128) << 8 | at as u128
}

pub(super) fn any_id(choices: &mut Choices<'_>, kind: Kind) -> String {
    global_id::encode(kind, id(number(kind, choices.below(EACH))))
}

/// A value of a field, or of an item of it, as GraphQL has it.
fn any_json(choices: &mut Choices<'_>, ty: FieldType) -> Json {
    match ty {
        FieldType::Id => json!(any_id(choices, Kind::Capability)),
        FieldType::Ref(kind) | FieldType::RefList(kind) => json!(any_id(choices, kind)),
        FieldType::Text | FieldType::TextList => json!(choices.of(&TEXTS)),
        FieldType::Bool => json!(choices.below(2) == 1),
        FieldType::Int => json!(choices.below(5)),
        FieldType::Float => json!(choices.of(&FLOATS)),
        FieldType::Decimal => json!(choices.of(&DECIMALS)),
        FieldType::Date => json!(choices.of(&DATES)),
        FieldType::DateTime => json!(choices.of(&TIMES)),
        FieldType::Enum(list) | FieldType::EnumList(list) => {
            json!(list.values[choices.below(list.values.len())].name)
        }
        FieldType::ExternalIds => json!({"system": choices.of(&["hr", "it"]), "id": choices.of(&["1", "2"])}),
        FieldType::Translations => json!({"language": choices.of(&["nl", "de"]), "name": choices.of(&TEXTS)}),
    }
}

/// The value of a record's field.
fn any_value(choices: &mut Choices<'_>, ty: FieldType) -> Value<'static> {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let part = |json: &Json, name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let json = any_json(choices, ty);
    match ty {
        FieldType::Ref(kind) => Value::Id(id(number(kind, choices.below(EACH)))),
        FieldType::RefList(kind) => Value::Ids(choices.some(3, |choices| id(number(kind, choices.below(EACH))))),
        FieldType::Text => Value::Text(text(&json).into()),
        FieldType::TextList => Value::Texts(vec![text(&json), choices.of(&TEXTS).to_owned()].into()),
        FieldType::Bool => Value::Bool(json == json!(true)),
        FieldType::Int => Value::Int(json.as_i64().expect("a number")),
        FieldType::Float => Value::Float(json.as_f64().expect("a number")),
        FieldType::Decimal => Value::Decimal(text(&json).parse().expect("a decimal")),
        FieldType::Date => Value::Date(scalar::parse_date(&text(&json)).expect("a date")),
        FieldType::DateTime => Value::DateTime(scalar::parse_date_time(&text(&json)).expect("a time")),
        FieldType::Enum(list) => Value::Enum(list.number_of(&text(&json)).expect("a value")),
        FieldType::EnumList(list) => Value::Enums(vec![list.number_of(&text(&json)).expect("a value")].into()),
        FieldType::ExternalIds => {
            Value::ExternalIds(vec![ExternalId { system: part(&json, "system"), id: part(&json, "id") }].into())
        }
        FieldType::Translations => Value::Translations(
            vec![Translation { language: part(&json, "language"), name: part(&json, "name") }].into(),
        ),
        FieldType::Id => Value::Null,
    }
}

pub(super) fn any_record(choices: &mut Choices<'_>, kind: Kind, at: usize) -> Record {
    let mut record = Record::empty(kind);
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::ID, Value::Id(id(number(kind, at)))).expect("an id");
    for info in kind.info().fields().filter(|info| ![field::ID, field::RETIRED_AT].contains(&info.index)) {
        let always = [field::VERSION, field::CREATED_AT, field::UPDATED_AT].contains(&info.index);
        // What a reference to another kind than those in play names is not there; the questions below are about what is.
        let leads_out = matches!(info.ty, FieldType::Ref(to) | FieldType::RefList(to) if !KINDS.contains(&to));
        let value = any_value(choices, info.ty);
        let empty = matches!(&value, Value::Ids(ids) if ids.is_empty());
        if !leads_out && !empty && (always || choices.below(4) > 0) {
            entity.set(info.index, value).expect("a value of its type");
        }
    }
    record
}

/// What the comparisons of a field, or of a text in an item of it, may be called.
fn comparisons(ty: FieldType) -> &'static [&'static str] {
    match ty {
        FieldType::Text => &["eq", "ne", "in", "notIn", "lt", "lte", "gt", "gte", "contains", "startsWith", "isNull"],
        FieldType::Bool => &["eq", "ne", "isNull"],
        FieldType::Enum(_) | FieldType::Id | FieldType::Ref(_) => &["eq", "ne", "in", "notIn", "isNull"],
        FieldType::TextList | FieldType::ExternalIds | FieldType::Translations => {
            &["has", "hasAny", "some", "none", "isEmpty"]
        }
        FieldType::EnumList(_) | FieldType::RefList(_) => &["has", "hasAny", "isEmpty"],
        _ => &["eq", "ne", "in", "notIn", "lt", "lte", "gt", "gte", "isNull"],
    }
}

fn any_comparison(choices: &mut Choices<'_>, ty: FieldType) -> Json {
    let name = choices.of(comparisons(ty));
    let operand = match name {
        "in" | "notIn" | "hasAny" => json!(choices.some(3, |choices| any_json(choices, ty))),
        "isNull" | "isEmpty" => json!(choices.below(2) == 1),
        "contains" => json!(choices.of(&["A", "te", "É", "sse", "ß", "lod", "RE"])),
        "startsWith" => json!(choices.of(&["AL", "é", "strass", "ł", "o"])),
        "some" | "none" => match ty {
            FieldType::ExternalIds => json!({
                "system": {"eq": choices.of(&["hr", "it"])}, "id": any_comparison(choices, FieldType::Text)
            }),
            FieldType::Translations => json!({"name": any_comparison(choices, FieldType::Text)}),
            _ => any_comparison(choices, FieldType::Text),
        },
        _ => any_json(choices, ty),
    };
    json!({name: operand})
}

pub(super) fn any_filter(choices: &mut Choices<'_>, kind: Kind, depth: usize) -> Json {
    let relations: Vec<Relation> =
        kind.relations().into_iter().filter(|relation| KINDS.contains(&relation.to)).collect();
    match if depth == 0 { 0 } else { choices.below(8) } {
        3 => json!({"and": choices.some(3, |choices| any_filter(choices, kind, depth - 1))}),
        4 => json!({"or": choices.some(3, |choices| any_filter(choices, kind, depth - 1))}),
        5 => json!({"not": any_filter(choices, kind, depth - 1)}),
        6 | 7 if !relations.is_empty() => {
            let relation = choices.of(&relations);
            let inner = any_filter(choices, relation.to, depth - 1);
            let of = match (relation.many, choices.below(7)) {
                (false, 0) => json!({"isNull": choices.below(2) == 1}),
                (false, _) => inner,
                (true, 0) => json!({"some": inner}),
                (true, 1) => json!({"none": inner}),
                (true, 2) => json!({"every": inner}),
                (true, 3) => json!({"some": inner, "count": {"lte": choices.below(4)}}),
                (true, 4) => json!({"count": {"where": inner, "gte": choices.below(3)}}),
                (true, 5) => json!({"count": {"gt": choices.below(3), "lt": choices.below(5)}}),
                (true, _) => json!({"count": {choices.of(&["eq", "ne"]): choices.below(3)}}),
            };
            json!({relation.name: of})
        }
        _ => {
            let mut filter = serde_json::Map::new();
            for _ in 0..=choices.below(2) {
                let info = kind.info().field(choices.below(kind.info().field_count())).expect("a field");
                filter.insert(info.name.to_owned(), any_comparison(choices, info.ty));
            }
            Json::Object(filter)
        }
    }
}

/// All records as the engine shows them, by kind and id.
struct Shown {
    records: BTreeMap<Kind, BTreeMap<Uuid, Json>>,
}

impl Shown {
    async fn read(engine: &Engine) -> Shown {
        let mut records = BTreeMap::new();
        for kind in KINDS {
            let mut query = format!("{{ {} {{ nodes {{ id", kind.info().plural);
            for info in kind.info().fields().filter(|info| info.index != field::ID) {
                match info.ty {
                    FieldType::Ref(_) | FieldType::RefList(_) => {}
                    FieldType::ExternalIds => query.push_str(" externalIds { system id }"),
                    FieldType::Translations => query.push_str(" translations { language name }"),
                    _ => query.push_str(&format!(" {}", info.name)),
                }
            }
            for relation in kind.relations() {
                let list = relation.many && relation.name != "ancestors";
                let ids = if list { "{ nodes { id } }" } else { "{ id }" };
                query.push_str(&format!(" {} {ids}", relation.name));
            }
            query.push_str(" } } }");
            let answer = ask_with(engine, &query, json!({})).await;
            let nodes = answer["data"][kind.info().plural]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
            let own = |node: &Json| global_id::decode(node["id"].as_str().expect("an id")).expect("an id of ours").1;
            records.insert(kind, nodes.iter().map(|node| (own(node), node.clone())).collect());
        }
        Shown { records }
    }

    /// The records that a relation leads to.
    fn related(record: &Json, relation: &Relation) -> Vec<Uuid> {
        let shown = &record[relation.name];
        let nodes = match shown {
            Json::Null => Vec::new(),
            Json::Array(nodes) => nodes.clone(),
            Json::Object(object) => match object.get("nodes") {
                Some(nodes) => nodes.as_array().expect("nodes").clone(),
                None => vec![shown.clone()],
            },
            _ => panic!("{shown}"),
        };
        nodes.iter().map(|node| global_id::decode(node["id"].as_str().expect("an id")).expect("ours").1).collect()
    }

    /// The value of a field; of a reference the id, of a list of references the ids.
    fn value(&self, kind: Kind, record: &Json, info: &FieldInfo) -> Json {
        let ids = |to: Kind| {
            let relation = kind.relation(info.relation).expect("a relation");
            let related = Shown::related(record, &relation).into_iter();
            related.map(|id| json!(global_id::encode(to, id))).collect::<Vec<_>>()
        };
        match info.ty {
            FieldType::Ref(to) => ids(to).pop().unwrap_or_default(),
            FieldType::RefList(to) => json!(ids(to)),
            _ => record[info.name].clone(),
        }
    }

    fn matches(&self, kind: Kind, record: &Json, filter: &Json) -> bool {
        filter.as_object().expect("an object").iter().all(|(name, part)| match name.as_str() {
            "and" => part.as_array().expect("a list").iter().all(|part| self.matches(kind, record, part)),
            "or" => part.as_array().expect("a list").iter().any(|part| self.matches(kind, record, part)),
            "not" => !self.matches(kind, record, part),
            name => match kind.info().field_by_name(name) {
                Some(info) => {
                    let value = self.value(kind, record, info);
                    part.as_object()
                        .expect("an object")
                        .iter()
                        .all(|(name, operand)| passes(info.ty, &value, name, operand))
                }
                None => self.relates(record, &kind.relation(name).expect("a relation"), part),
            },
        })
    }

    fn relates(&self, record: &Json, relation: &Relation, filter: &Json) -> bool {
        let related = Shown::related(record, relation);
        let like = |id: &Uuid, filter: &Json| self.matches(relation.to, &self.records[&relation.to][id], filter);
        if !relation.many {
            return match filter.get("isNull") {
                Some(null) => json!(related.is_empty()) == *null,
                None => related.iter().any(|id| like(id, filter)),
            };
        }
        filter.as_object().expect("an object").iter().all(|(name, part)| match name.as_str() {
            "some" => related.iter().any(|id| like(id, part)),
            "none" => !related.iter().any(|id| like(id, part)),
            "every" => related.iter().all(|id| like(id, part)),
            _ => {
                let of = part.get("where");
                let count = related.iter().filter(|id| of.is_none_or(|of| like(id, of))).count();
                let tests = part.as_object().expect("an object").iter().filter(|(name, _)| *name != "where");
                tests.into_iter().all(|(name, operand)| passes(FieldType::Int, &json!(count), name, operand))
            }
        })
    }

    /// By what a record stands in an order: nothing beyond what it shows.
    fn compare(&self, kind: Kind, a: &Json, b: &Json, order: &Json) -> Ordering {
        let name = order["field"].as_str().expect("a name");
        let ordering = match kind.relations().iter().find(|relation| order_count_name(relation) == name) {
            Some(relation) => Shown::related(a, relation).len().cmp(&Shown::related(b, relation).len()),
            None => {
                let info = kind.info().fields().find(|info| order_field_name(info) == name).expect("a field");
                let (a, b) = (self.value(kind, a, info), self.value(kind, b, info));
                match (a.is_null(), b.is_null()) {
                    (false, false) => compare(info.ty, &a, &b),
                    (a, b) => a.cmp(&b),
                }
            }
        };
        if order["direction"] == "DESC" { ordering.reverse() } else { ordering }
    }
}

fn fold(text: &str) -> String {
    let mut folded = text.to_lowercase();
    for (letter, plain) in [("é", "e"), ("ß", "ss"), ("ł", "l"), ("ó", "o"), ("ź", "z"), ("ø", "o")] {
        folded = folded.replace(letter, plain);
    }
    folded
}

/// How two values of a field compare, neither of which is null.
fn compare(ty: FieldType, a: &Json, b: &Json) -> Ordering {
    let text = |json: &Json| json.as_str().expect("a text").to_owned();
    match ty {
        FieldType::Int | FieldType::Float => a.as_f64().partial_cmp(&b.as_f64()).expect("numbers"),
        FieldType::Decimal => {
            let number = |json| text(json).parse::<Decimal>().expect("a decimal");
            number(a).cmp(&number(b))
        }
        FieldType::Bool => a.as_bool().cmp(&b.as_bool()),
        FieldType::Enum(list) | FieldType::EnumList(list) => list.number_of(&text(a)).cmp(&list.number_of(&text(b))),
        FieldType::Text | FieldType::TextList => (fold(&text(a)), text(a)).cmp(&(fold(&text(b)), text(b))),
        FieldType::Id | FieldType::Ref(_) | FieldType::RefList(_) => {
            global_id::decode(&text(a)).cmp(&global_id::decode(&text(b)))
        }
        _ => text(a).cmp(&text(b)),
    }
}

/// Whether a value passes one comparison of its field.
fn passes(ty: FieldType, value: &Json, name: &str, operand: &Json) -> bool {
    let is = |operand: &Json| !value.is_null() && compare(ty, value, operand).is_eq();
    let order = || (!value.is_null()).then(|| compare(ty, value, operand));
    let any = |is: &dyn Fn(&Json) -> bool| operand.as_array().expect("a list").iter().any(is);
    let items = || value.as_array().map(Vec::as_slice).unwrap_or_default();
    let like = |item: &Json| {
        let all = |value: &Json, tests: &Json| {
            tests.as_object().expect("an object").iter().all(|(name, test)| passes(FieldType::Text, value, name, test))
        };
        match ty {
            FieldType::TextList => all(item, operand),
            _ => operand.as_object().expect("an object").iter().all(|(part, tests)| all(&item[part], tests)),
        }
    };
    let folded = || value.as_str().map(fold).zip(operand.as_str().map(fold));
    match name {
        "eq" => is(operand),
        "ne" => !is(operand),
        "in" => any(&is),
        "notIn" => !any(&is),
        "lt" => order().is_some_and(Ordering::is_lt),
        "lte" => order().is_some_and(Ordering::is_le),
        "gt" => order().is_some_and(Ordering::is_gt),
        "gte" => order().is_some_and(Ordering::is_ge),
        "contains" => folded().is_some_and(|(value, part)| value.contains(&part)),
        "startsWith" => folded().is_some_and(|(value, part)| value.starts_with(&part)),
        "isNull" => json!(value.is_null()) == *operand,
        "isEmpty" => json!(items().is_empty()) == *operand,
        "has" => items().contains(operand),
        "hasAny" => any(&|wanted| items().contains(wanted)),
        "some" => items().iter().any(like),
        "none" => !items().iter().any(like),
        _ => panic!("no comparison {name}"),
    }
}

/// How often each value of a field occurs, the most frequent first.
fn facets(shown: &Shown, kind: Kind, records: &[&Json], info: &FieldInfo) -> Vec<(Json, usize)> {
    let mut counts: Vec<(Json, usize)> = Vec::new();
    for record in records {
        let mut values = match shown.value(kind, record, info) {
            Json::Array(items) if items.is_empty() => vec![Json::Null],
            Json::Array(items) => items,
            value => vec![value],
        };
        values.sort_by_key(ToString::to_string);
        values.dedup();
        for value in values {
            match counts.iter_mut().find(|(other, _)| *other == value) {
                Some((_, count)) => *count += 1,
                None => counts.push((value, 1)),
            }
        }
    }
    counts.sort_by(|(a, count), (b, other)| {
        other.cmp(count).then_with(|| match (a.is_null(), b.is_null()) {
            (false, false) => compare(info.ty, a, b),
            (a, b) => a.cmp(&b),
        })
    });
    let text = |value: Json| match value {
        Json::Bool(_) | Json::Number(_) => json!(value.to_string()),
        value => value,
    };
    counts.into_iter().map(|(value, count)| (text(value), count)).collect()
}

pub(super) fn any_order(choices: &mut Choices<'_>, kind: Kind) -> Vec<Json> {
    let fields = kind.info().fields().filter(|info| is_orderable(info)).map(order_field_name);
    let counts = kind.relations().into_iter().filter(|relation| relation.many && KINDS.contains(&relation.to));
    let names: Vec<String> = fields.chain(counts.map(|relation| order_count_name(&relation))).collect();
    let mut order: Vec<Json> =
        choices.some(2, |choices| json!({"field": choices.of(&names), "direction": choices.of(&["ASC", "DESC"])}));
    // A field may be given once.
    order.dedup_by(|a, b| a["field"] == b["field"]);
    order
}

async fn check(engine: &Engine, shown: &Shown, choices: &mut Choices<'_>) {
    let kind = choices.of(&KINDS);
    let info = kind.info();
    let order = any_order(choices, kind);
    let with_facets: Vec<&FieldInfo> = info.fields().filter(|info| has_facets(info)).collect();
    let facet = choices.of(&with_facets);
    let filter = any_filter(choices, kind, 3);
    let query = format!(
        "query($filter: {0}Filter, $order: [{0}Order!], $by: {0}FacetField!) {{
           plain: {1}(filter: $filter, orderBy: $order) {{ totalCount nodes {{ id }} }}
           both: {1}(filter: $filter, orderBy: $order, first: 3) {{ totalCount nodes {{ id }} facets(by: $by) {{ value count }} }} }}",
        info.name, info.plural
    );
    let variables = json!({"filter": filter, "order": order, "by": order_field_name(facet)});
    let answer = ask_with(engine, &query, variables.clone()).await;
    let mut expected: Vec<(&Uuid, &Json)> =
        shown.records[&kind].iter().filter(|(_, record)| shown.matches(kind, record, &filter)).collect();
    let records: Vec<&Json> = expected.iter().map(|(_, record)| *record).collect();
    let expected_facets: Vec<Json> = facets(shown, kind, &records, facet)
        .into_iter()
        .map(|(value, count)| json!({"value": value, "count": count}))
        .collect();
    expected.sort_by(|(a_id, a), (b_id, b)| {
        let by = |order: &Json| shown.compare(kind, a, b, order);
        order.iter().map(by).find(|ordering| ordering.is_ne()).unwrap_or_else(|| a_id.cmp(b_id))
    });
    let ids: Vec<Json> = expected.iter().map(|(_, record)| json!({"id": record["id"]})).collect();
    assert_eq!(
        answer["data"],
        json!({
            "plain": {"totalCount": ids.len(), "nodes": ids},
            "both": {"totalCount": ids.len(), "nodes": ids[..ids.len().min(3)], "facets": expected_facets}
        }),
        "{kind:?} {variables} {answer}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_filter_order_and_facet_is_as_looking_at_all_records_would_have_it(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 40..120), EACH * KINDS.len()),
        questions in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..50), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let record = |(at, bytes): (usize, &Vec<u8>)| {
                any_record(&mut Choices(bytes), KINDS[at % KINDS.len()], at / KINDS.len())
            };
            let records: Vec<Record> = records.iter().enumerate().map(record).collect();
            let engine = engine(&records, Limits::default());
            let shown = Shown::read(&engine).await;
            for bytes in &questions {
                check(&engine, &shown, &mut Choices(bytes)).await;
            }
        });
    }
}

#[test]
fn the_questions_are_those_that_the_schema_has() {
    let schema = &schema::SpilSchema::get().expect("a schema").schema;
    for (filter, ty) in [
        ("StringFilter", FieldType::Text),
        ("BooleanFilter", FieldType::Bool),
        ("IntFilter", FieldType::Int),
        ("IdFilter", FieldType::Id),
        ("IdListFilter", FieldType::RefList(Kind::Role)),
        ("StringListFilter", FieldType::TextList),
        ("ExternalIdListFilter", FieldType::ExternalIds),
        ("TranslationListFilter", FieldType::Translations),
    ] {
        let mut asked = comparisons(ty).to_vec();
        asked.sort_unstable();
        let mut names: Vec<_> =
            schema.get_input_object(filter).expect("a filter").fields.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(asked, names, "{filter}");
    }
}
