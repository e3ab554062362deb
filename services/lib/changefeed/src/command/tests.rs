//! The pure parts of commands.

use proptest::prelude::*;
use spil_proto::{
    capability::v1::Capability,
    changefeed::v1::{Action, Command, ItemResult, Outcome, ProblemCode, Record, Target, record::Entity, target::By},
    model::{ExternalId, FieldInfo, Header, Kind, Owner, Translation, Value},
};
use uuid::Uuid;

use super::{
    execute::{Context, execute},
    form,
    normalise::{MAX_LIST, normalise},
    prepare::prepare,
    working_set::{Walk, WorkingSet, version},
};
use crate::{Findings, Proposal, Related, Rules};

struct NoRules;

impl Rules for NoRules {
    fn related(&self, _kind: Kind) -> &'static [Related] {
        &[]
    }

    fn check(&self, _proposal: &Proposal<'_>, _findings: &mut Findings) {}
}

/// Applies commands to a working set as if everything needed were in it.
fn apply(set: &mut WorkingSet, commands: &[Command]) -> Vec<ItemResult> {
    let batch: Vec<_> = commands.iter().map(|command| prepare(Owner::Capability, command)).collect();
    let mut number = 0;
    let mut next_id = move || {
        number += 1;
        Uuid::from_u128(number)
    };
    let mut context = Context { owner: Owner::Capability, rules: &NoRules, now: 7, next_id: &mut next_id };
    execute(&batch, set, &mut context)
}

fn capability(name: Option<&str>, parent: Option<Uuid>) -> Record {
    Record {
        entity: Some(Entity::Capability(Capability {
            header: Some(Header { name: name.map(str::to_owned), ..Header::default() }),
            parent_id: parent.map(|id| id.as_bytes().to_vec()),
            ..Capability::default()
        })),
    }
}

fn command(action: Action, id: u128, fields: &[&str], values: Record) -> Command {
    Command {
        action: action.into(),
        target: Some(Target { by: Some(By::Id(Uuid::from_u128(id).as_bytes().to_vec())) }),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        values: Some(values),
        ..Command::default()
    }
}

fn field_of(kind: Kind, column: &str) -> &'static FieldInfo {
    kind.info().field_by_column(column).expect("a field")
}

fn code(result: Result<Value<'static>, spil_proto::changefeed::v1::Problem>) -> ProblemCode {
    result.expect_err("refused").code()
}

#[test]
fn texts_have_one_form() {
    let name = field_of(Kind::Capability, "name");
    let text = |text: &str| normalise(name, Value::Text(text.to_owned().into()));
    assert_eq!(text("  cafe\u{301} "), Ok(Value::Text("caf\u{e9}".into())));
    assert_eq!(text("a  b"), Ok(Value::Text("a  b".into())));
    assert_eq!(text(" \u{a0}\t"), Ok(Value::Null));
    assert_eq!(code(text("a\nb")), ProblemCode::Malformed);
    assert_eq!(code(text("a\0b")), ProblemCode::Malformed);
    assert_eq!(text(&"x".repeat(4096)), Ok(Value::Text("x".repeat(4096).into())));
    assert_eq!(code(text(&"x".repeat(4097))), ProblemCode::TooLong);
    let description = field_of(Kind::Capability, "description");
    let prose = |text: &str| normalise(description, Value::Text(text.to_owned().into()));
    assert_eq!(prose("a\n\tb"), Ok(Value::Text("a\n\tb".into())));
    assert_eq!(code(prose("a\rb")), ProblemCode::Malformed);
    assert_eq!(code(prose(&"x".repeat(65_537))), ProblemCode::TooLong);
}

#[test]
fn numbers_keep_to_their_ranges() {
    let importance = field_of(Kind::Capability, "importance");
    for (number, sound) in [(0, false), (1, true), (5, true), (6, false)] {
        assert_eq!(normalise(importance, Value::Int(number)).is_ok(), sound, "{number}");
    }
    let weight = field_of(Kind::Objective, "weight");
    assert_eq!(code(normalise(weight, Value::Float(f64::NAN))), ProblemCode::Malformed);
    assert_eq!(code(normalise(weight, Value::Float(f64::INFINITY))), ProblemCode::Malformed);
    assert_eq!(code(normalise(weight, Value::Float(-1.0))), ProblemCode::OutOfRange);
    let Ok(Value::Float(zero)) = normalise(weight, Value::Float(-0.0)) else { panic!("refused") };
    assert!(zero.is_sign_positive());
    let budget = field_of(Kind::Initiative, "budget");
    let decimal = |text: &str| normalise(budget, Value::Decimal(text.parse().expect("a decimal")));
    for (text, sound) in [
        ("999999999999999.9999", true),
        ("1000000000000000", false),
        ("0.00001", false),
        ("1.50000000", true),
        ("-1", false),
        ("-0", true),
    ] {
        assert_eq!(decimal(text).is_ok(), sound, "{text}");
    }
    assert_eq!(code(normalise(budget, Value::Text("a lot".into()))), ProblemCode::Malformed);
    let horizon = field_of(Kind::Objective, "horizon");
    for (days, sound) in [(-719_162, true), (-719_163, false), (2_932_896, true), (2_932_897, false)] {
        assert_eq!(normalise(horizon, Value::Date(days)).is_ok(), sound, "{days}");
    }
    let status = field_of(Kind::Objective, "status");
    for (number, sound) in [(1, true), (4, true), (5, false), (-1, false)] {
        assert_eq!(normalise(status, Value::Enum(number)).is_ok(), sound, "{number}");
    }
}

#[test]
fn sets_are_sorted_and_lists_are_not() {
    let tags = field_of(Kind::Capability, "tags");
    let texts =
        |values: &[&str]| Value::Texts(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>().into());
    assert_eq!(normalise(tags, texts(&["b", " a", "b", ""])), Ok(texts(&["a", "b"])));
    assert_eq!(normalise(tags, texts(&["", " "])), Ok(Value::Null));
    let many: Vec<String> = (0..=MAX_LIST).map(|number| number.to_string()).collect();
    assert_eq!(code(normalise(tags, Value::Texts(many.into()))), ProblemCode::TooLong);
    let links = field_of(Kind::SkillAssertion, "evidence_links");
    let ordered = texts(&["https://b.example/", "https://a.example/"]);
    assert_eq!(normalise(links, ordered.clone()), Ok(ordered));
    let functions = field_of(Kind::Objective, "co_owner_functions");
    assert_eq!(normalise(functions, Value::Enums(vec![3, 1, 3].into())), Ok(Value::Enums(vec![1, 3].into())));
    assert_eq!(code(normalise(functions, Value::Enums(vec![0].into()))), ProblemCode::Malformed);
    let objectives = field_of(Kind::Capability, "objective_ids");
    let ids = |ids: &[u128]| Value::Ids(ids.iter().map(|id| Uuid::from_u128(*id)).collect());
    assert_eq!(normalise(objectives, ids(&[9, 2, 9])), Ok(ids(&[2, 9])));
    assert_eq!(code(normalise(objectives, ids(&[0]))), ProblemCode::Malformed);
    let many: Vec<u128> = (1..=10_001).collect();
    assert_eq!(code(normalise(objectives, ids(&many))), ProblemCode::TooLong);
}

#[test]
fn names_of_other_systems_and_languages_have_one_form() {
    let ids = field_of(Kind::Capability, "external_ids");
    let external = |system: &str, id: &str| ExternalId { system: system.into(), id: id.into() };
    let given = vec![external(" hr ", " 2"), external("ea", "1"), external("hr", " 2")];
    let wanted = vec![external("ea", "1"), external("hr", " 2")];
    assert_eq!(normalise(ids, Value::ExternalIds(given.into())), Ok(Value::ExternalIds(wanted.into())));
    for broken in [external("", "1"), external("hr", "")] {
        assert_eq!(code(normalise(ids, Value::ExternalIds(vec![broken].into()))), ProblemCode::Required);
    }
    let translations = field_of(Kind::Capability, "translations");
    let name = |language: &str, name: &str| Translation { language: language.into(), name: name.into() };
    let given = vec![name("NL", "Naam"), name("de-at", " Name "), name("fr", " ")];
    let wanted = vec![name("de-AT", "Name"), name("nl", "Naam")];
    assert_eq!(normalise(translations, Value::Translations(given.into())), Ok(Value::Translations(wanted.into())));
    for broken in [vec![name("nl", "a"), name("NL", "b")], vec![name("not a tag", "a")]] {
        assert_eq!(code(normalise(translations, Value::Translations(broken.into()))), ProblemCode::Malformed);
    }
}

#[test]
fn forms_are_told_apart() {
    for (text, sound) in [
        ("https://example.org/a?b=%20#c", true),
        ("urn:isbn:0451450523", true),
        ("http://data.europa.eu/esco/skill/0005c151-5b5a", true),
        ("example.org", false),
        ("https:", false),
        ("1http://x", false),
        ("https://exa mple.org", false),
        ("https://example.org/%2", false),
        ("https://example.org/\u{e9}", false),
    ] {
        assert_eq!(form::is_uri(text), sound, "{text}");
    }
    for (text, sound) in [
        ("a.b+c@example.org", true),
        ("o'neil@sub.example.co", true),
        ("a@localhost", true),
        ("@example.org", false),
        ("a@", false),
        ("a b@example.org", false),
        ("a@@example.org", false),
        ("a@example..org", false),
        ("a@-example.org", false),
    ] {
        assert_eq!(form::is_email(text), sound, "{text}");
    }
    for (text, sound) in [("EUR", true), ("eur", false), ("EURO", false), ("E1R", false)] {
        assert_eq!(form::is_currency(text), sound, "{text}");
    }
    for (text, wanted) in [
        ("nl", Some("nl")),
        ("DE-at", Some("de-AT")),
        ("zh-hant-tw", Some("zh-Hant-TW")),
        ("en-u-ca-gregory", Some("en-u-ca-gregory")),
        ("x-house", Some("x-house")),
        ("n", None),
        ("nl_NL", None),
        ("nl-", None),
        ("", None),
        ("123", None),
    ] {
        assert_eq!(form::language_tag(text).as_deref(), wanted, "{text}");
    }
}

#[test]
fn values_that_do_not_count_are_not_checked() {
    let mut set = WorkingSet::default();
    let bad = capability(Some("bad\u{7}"), None);
    let made = apply(&mut set, &[command(Action::Upsert, 9, &[], capability(Some("good"), None))]);
    assert_eq!(made[0].outcome(), Outcome::Created);
    // Not named, and not needed: the record is there.
    let items = apply(
        &mut set,
        &[
            command(Action::Update, 9, &[], bad.clone()),
            command(Action::Upsert, 9, &[], bad.clone()),
            command(Action::Upsert, 9, &["name"], bad.clone()),
            command(Action::Upsert, 10, &[], bad),
        ],
    );
    let outcomes: Vec<_> = items.iter().map(ItemResult::outcome).collect();
    assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Unchanged, Outcome::Invalid, Outcome::Invalid]);
}

#[test]
fn a_walk_that_meets_the_unknown_is_given_up() {
    let field = field_of(Kind::Capability, "parent_id").index;
    let id = Uuid::from_u128;
    let mut set = WorkingSet::default();
    set.add_edges(Kind::Capability, field, id(1), vec![id(2)]);
    set.add_edges(Kind::Capability, field, id(2), vec![id(3)]);
    assert_eq!(set.walk(Kind::Capability, field, id(3), &[id(1)]), Walk::Closed);
    assert_eq!(set.walk(Kind::Capability, field, id(4), &[id(1)]), Walk::Open);
    set.add_unknown(Kind::Capability, field, id(3));
    assert_eq!(set.walk(Kind::Capability, field, id(4), &[id(1)]), Walk::TooFar);
}

/// The parents as the records in the set have them.
fn parents(set: &WorkingSet, records: u128) -> Vec<Option<u128>> {
    let parent = field_of(Kind::Capability, "parent_id").index;
    (1..=records)
        .map(|number| {
            let record = set.get(Kind::Capability, Uuid::from_u128(number))?;
            match record.entity()?.get(parent) {
                Value::Id(id) => Some(id.as_u128()),
                _ => None,
            }
        })
        .collect()
}

/// Whether following the parents never ends.
fn has_cycle(parents: &[Option<u128>]) -> bool {
    (0..parents.len()).any(|start| {
        let mut at = Some(start);
        for _ in 0..=parents.len() {
            let Some(place) = at else { return false };
            at = parents[place].and_then(|parent| usize::try_from(parent - 1).ok());
        }
        true
    })
}

const RECORDS: u128 = 6;

proptest! {
    #[test]
    fn no_batch_closes_a_cycle_and_none_is_refused_without_need(
        moves in proptest::collection::vec((1..=RECORDS, proptest::option::of(1..=RECORDS)), 0..25)
    ) {
        let mut set = WorkingSet::default();
        for number in 1..=RECORDS {
            apply(&mut set, &[command(Action::Upsert, number, &[], capability(None, None))]);
        }
        for (child, parent) in moves {
            let before = parents(&set, RECORDS);
            let values = capability(None, parent.map(Uuid::from_u128));
            let item = apply(&mut set, &[command(Action::Update, child, &["parent_id"], values)]).remove(0);
            let mut wanted = before.clone();
            wanted[usize::try_from(child - 1).expect("small")] = parent;
            if has_cycle(&wanted) {
                prop_assert_eq!(item.problems.first().map(|problem| problem.code()), Some(ProblemCode::Cycle));
                prop_assert_eq!(parents(&set, RECORDS), before);
            } else {
                let expected = if wanted == before { Outcome::Unchanged } else { Outcome::Updated };
                prop_assert_eq!(item.outcome(), expected);
                prop_assert_eq!(parents(&set, RECORDS), wanted);
            }
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once(text in "\\PC{0,40}", number in any::<f64>()) {
        for column in ["name", "description", "key"] {
            let info = field_of(Kind::Capability, column);
            if let Ok(value) = normalise(info, Value::Text(text.clone().into())) {
                prop_assert_eq!(normalise(info, value.clone()), Ok(value));
            }
        }
        let info = field_of(Kind::Benefit, "baseline_value");
        if let Ok(value) = normalise(info, Value::Float(number)) {
            prop_assert_eq!(normalise(info, value.clone()), Ok(value));
        }
    }

    #[test]
    fn versions_count_the_changes(names in proptest::collection::vec("[ab]", 1..20)) {
        let mut set = WorkingSet::default();
        apply(&mut set, &[command(Action::Upsert, 1, &[], capability(None, None))]);
        let (mut changes, mut last) = (1, String::new());
        for name in names {
            let item = apply(&mut set, &[command(Action::Update, 1, &["name"], capability(Some(&name), None))]).remove(0);
            changes += u64::from(name != last);
            last = name;
            prop_assert_eq!(item.version, changes);
            prop_assert_eq!(item.record.as_ref().map(version), Some(changes));
        }
        prop_assert_eq!(set.changed().count(), 1);
    }
}
