//! Mappings that are right, and the places that are named where they are not.

use csv::StringRecord;
use spil_proto::model::Value;

use super::*;

/// A mapping with one table and one record; its only field stands on line 11.
fn with_fields(kind: &str, line: &str) -> Result<Mapping, MappingError> {
    Mapping::parse(&format!(
        r#"name = "hr"

[[table]]
name = "people"

[[table.record]]
kind = "{kind}"
id = "{{id}}"

[table.record.fields]
{line}
"#
    ))
}

fn problem(outcome: Result<Mapping, MappingError>) -> String {
    outcome.expect_err("a mapping that is wrong").to_string()
}

#[test]
fn every_wrong_name_is_told_with_its_line() {
    assert_eq!(
        problem(with_fields("Process", "capabilty_ids = { id = \"{c}\" }")),
        "line 11: table \"people\", Process, field \"capabilty_ids\": Process has no field `capabilty_ids`; there are name, \
         description, tags, criticality, procedure_version, procedure_version_date, capability_ids, application_ids"
    );
    let message = problem(with_fields("Proces", "name = \"{n}\""));
    assert!(
        message.starts_with("line 7: table \"people\", Proces, kind: there is no kind `Proces`; there are "),
        "{message}"
    );
    let message = problem(with_fields("Worker", "status = \"PRESENT\""));
    assert!(message.contains("line 11") && message.contains("is no WorkerStatus; there are PRE_HIRE"), "{message}");
    let message = problem(with_fields("Worker", "status = { column = \"s\", map = { a = \"ACTIVE\", b = \"AWAY\" } }"));
    assert!(message.contains("is no WorkerStatus"), "{message}");
    let message = problem(with_fields("Position", "role_id = { ref = \"Skill\", id = \"{r}\" }"));
    assert!(message.contains("the field refers to Role, not to Skill"), "{message}");
    let message = problem(with_fields("Position", "role_id = { id = \"{r}\", through = \"serves\" }"));
    assert!(message.contains("there is no link \"serves\""), "{message}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (kind, line, expected) in [
        ("Position", "role_id = \"{r}\"", "a reference is found by `id`, `key` or `external`"),
        ("Position", "role_id = { id = \"{r}\", key = \"{k}\" }", "in one way"),
        ("Position", "role_id = { id = \"{r}\", split = \"|\" }", "`split` is for fields that hold several values"),
        ("Position", "fte = { id = \"{f}\" }", "the field is no reference"),
        ("Position", "fte = { column = \"f\", constant = \"1\" }", "one of `template`, `column` and `constant`"),
        ("Position", "fte = { column = \"f\", format = \"%Y\" }", "`format` is for dates"),
        ("Position", "fte = { column = \"f\", else = \"keep\" }", "goes with a `map`"),
        ("Position", "fte = \"many\"", "`many` is no number"),
        ("Position", "tier = \"0\"", "the number is not within 1 and 100"),
        ("Position", "name = \"{n\"", "must come in pairs"),
        ("Position", "name = \"{n|trim}\"", "`trim` is no filter"),
        ("Position", "version = \"1\"", "the owner of the record sets this field itself"),
        ("Position", "key = \"{k}\"", "stand beside `fields`"),
        ("Process", "procedure_version_date = { column = \"d\", format = \"%Q\" }", "is no form of a date"),
    ] {
        let message = problem(with_fields(kind, line));
        assert!(message.contains(expected), "{line}: {message}");
        assert!(message.starts_with("line 11: "), "{line}: {message}");
    }
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    let message = problem(with_fields("Worker", "email = { colum = \"mail\" }"));
    assert!(message.starts_with("line 11: ") && message.contains("colum"), "{message}");
    let message = problem(Mapping::parse("name = \"hr\"\nsystm = \"x\"\n"));
    assert!(message.starts_with("line 2: ") && message.contains("systm"), "{message}");
    let message = problem(Mapping::parse("name = \"h r\"\n[[table]]\nname = \"t\"\n"));
    assert!(message.starts_with("line 1: name: "), "{message}");
    let message =
        problem(Mapping::parse("name = \"hr\"\n[[table]]\nname = \"t\"\n[[table.record]]\nkind = \"Role\"\n"));
    assert_eq!(message, "line 4: table \"t\", Role: a record needs an `id` or a `key`");
    let message = problem(Mapping::parse(
        "name = \"hr\"\n[[table]]\nname = \"t\"\n[[table.record]]\nkind = \"Role\"\nkey = \"{k}\"\nretire_missing = true\n",
    ));
    assert!(message.contains("`retire_missing` needs an `id`"), "{message}");
    assert!(matches!(
        Mapping::parse(&" ".repeat(MAX_MAPPING_BYTES + 1)),
        Err(MappingError::TooLarge { bytes }) if bytes > MAX_MAPPING_BYTES
    ));
}

#[test]
fn the_examples_are_right() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).expect("readable");
            Mapping::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}

/// What the first field of the mapping becomes for one cell, `c`.
fn read(kind: &str, line: &str, cell: &str) -> Result<(Value<'static>, Vec<String>), String> {
    let mapping = with_fields(kind, line).unwrap_or_else(|error| panic!("{error}"));
    let rule = &mapping.rules()[0];
    let FieldValue::Own(own) = &rule.value else { panic!("a value of its own") };
    let columns = &mapping.tables()[0].columns;
    let record = StringRecord::from(vec![cell]);
    let places: Vec<Option<usize>> = columns.iter().map(|column| (column.name == "c").then_some(0)).collect();
    let outcome = own.value(rule.field, &Cells::new(&record, columns, &places))?;
    Ok((outcome.value, outcome.warnings))
}

fn value(kind: &str, line: &str, cell: &str) -> Value<'static> {
    read(kind, line, cell).unwrap_or_else(|error| panic!("{line} {cell}: {error}")).0
}

#[test]
fn cells_become_values() {
    let date = "procedure_version_date = { column = \"c\", format = [\"%d/%m/%Y\", \"%b-%y\"] }";
    assert_eq!(value("Process", date, "02/01/1970"), Value::Date(1));
    assert_eq!(value("Process", date, "Mar-70"), Value::Date(31 + 28));
    assert_eq!(value("Process", "procedure_version_date = \"{c}\"", "1969-12-31"), Value::Date(-1));
    let german = "budget = { column = \"c\", decimal = \",\", thousands = \".\" }";
    assert_eq!(value("Initiative", german, "1.234.567,50"), Value::Decimal("1234567.5".parse().expect("a number")));
    assert_eq!(value("Position", "fte = \"{c}\"", "7.80"), Value::Float(7.8));
    assert_eq!(value("Position", "fte = { column = \"c\", decimal = \",\" }", "0,5"), Value::Float(0.5));
    assert_eq!(value("Position", "tier = \"{c}\"", "3"), Value::Int(3));
    assert_eq!(value("Position", "is_leadership = \"{c}\"", "Yes"), Value::Bool(true));
    assert_eq!(value("Application", "lifecycle = \"{c}\"", "phase out"), Value::Enum(4));
    assert_eq!(value("Process", "name = \"{c|squash|upper}\"", " a   b "), Value::Text("A B".into()));
    assert_eq!(value("Process", "name = \"x {c?}\"", " "), Value::Null);
    assert_eq!(value("Process", "name = \"{{{c}}}\"", "a"), Value::Text("{a}".into()));
    assert_eq!(value("Process", "name = \"{c}\"", "Zoe\u{308}"), Value::Text("Zoë".into()));
    assert_eq!(
        value("Process", "tags = { column = \"c\", split = \"|\", null = [\"-\"] }", "a | b|-|a| "),
        Value::Texts(vec!["a".to_owned(), "b".to_owned()].into())
    );
    assert_eq!(value("Process", "name = { column = \"c\", null = \"N/A\" }", "N/A"), Value::Null);
    assert_eq!(value("Process", "name = \"{c}\"", "two\nlines"), Value::Text("two lines".into()));
    assert_eq!(value("Process", "description = \"{c}\"", "two\nlines"), Value::Text("two\nlines".into()));
}

#[test]
fn cells_that_can_not_be_read_are_treated_as_the_mapping_says() {
    let map = |rest: &str| format!("lifecycle = {{ column = \"c\", map = {{ live = \"ACTIVE\" }}{rest} }}");
    assert_eq!(value("Application", &map(""), "live"), Value::Enum(3));
    assert_eq!(read("Application", &map(""), "dead").expect_err("not in the map"), "`dead` is not in the map");
    assert_eq!(value("Application", &map(", else = \"null\""), "dead"), Value::Null);
    let (value_, warnings) = read("Application", &map(", else = \"warn\""), "dead").expect("a warning");
    assert_eq!((value_, warnings.len()), (Value::Null, 1));
    assert_eq!(value("Application", &map(", else = \"keep\""), "plan"), Value::Enum(1));
    assert!(read("Position", "fte = \"{c}\"", "1,5").is_err());
    assert!(read("Position", "fte = \"{c}\"", "-1").is_err());
    assert!(read("Position", "tier = \"{c}\"", "1.5").is_err());
    assert!(read("Process", "name = \"{c}\"", &"x".repeat(5000)).is_err());
    // What is personal is not repeated in a message.
    let message = read("Worker", "is_contractor = \"{c}\"", "maybe").expect_err("neither");
    assert!(!message.contains("maybe"), "{message}");
    let message = read("SkillAssertion", "level = \"{c}\"", "high").expect_err("no number");
    assert!(!message.contains("high"), "{message}");
    let (value_, warnings) = read("Process", "name = \"{c}\"", "a\u{9d}b").expect("a warning");
    assert_eq!((value_, warnings.len()), (Value::Text("ab".into()), 1));
}

#[test]
fn patterns_match_whole_texts_whatever_their_case() {
    for (pattern, text, matches) in [
        ("*relations*.csv", "GEMMA-Relations-2.csv", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*", "", true),
        ("", "x", false),
        ("a*b*c", "aXbXbXc", true),
        ("a*b", "abc", false),
    ] {
        assert_eq!(Pattern::new(pattern).matches(text), matches, "{pattern} {text}");
    }
    assert!(!Pattern::new(&"*a".repeat(40)).matches(&"a".repeat(39)), "and that quickly");
}

#[test]
fn conditions_look_at_cells() {
    let mapping = Mapping::parse(
        r#"
name = "t"
null = ["N/A"]
[[table]]
name = "t"
[[table.record]]
kind = "Role"
id = "{id}"
when = [
  { type = "A", unit = { empty = false } },
  { type = { not = ["A", "B"], unlike = "x*" } },
  { type = { like = ["b*"] }, unit = "N/A" },
]
"#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let table = &mapping.tables()[0];
    let holds = |kind: &str, unit: &str| {
        let record = StringRecord::from(vec![kind, unit]);
        let place = |column: &Column| ["type", "unit"].iter().position(|name| *name == column.name);
        let places: Vec<_> = table.columns.iter().map(place).collect();
        table.records[0].when.holds(&Cells::new(&record, &table.columns, &places))
    };
    for (kind, unit, expected) in [
        ("A", "u", true),
        ("A", "N/A", false),
        ("B", "u", false),
        ("B", "N/A", true),
        ("C", "", true),
        ("XC", "", false),
    ] {
        assert_eq!(holds(kind, unit), expected, "{kind} {unit}");
    }
}
