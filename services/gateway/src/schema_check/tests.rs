use super::{
    CheckedSchema, Difference, Operations,
    Severity::{self, Breaking, Dangerous, Safe},
    compare,
};

fn schema(text: &str) -> CheckedSchema {
    CheckedSchema::parse(text, "test.graphql").expect("a valid schema")
}

fn differences(old: &str, new: &str) -> Vec<(Severity, String)> {
    compare(&schema(old), &schema(new)).into_iter().map(|Difference { severity, path, .. }| (severity, path)).collect()
}

/// What every schema of the table has besides.
const REST: &str = "interface Node { id: ID! } type Leaf implements Node { id: ID! } type Other { id: ID! }";

#[test]
fn each_change_has_the_severity_that_clients_feel() {
    let table: &[(&str, &str, Severity, &str)] = &[
        ("type Query { a: Int b: Int }", "type Query { a: Int }", Breaking, "Query.b"),
        ("type Query { a: Int }", "type Query { a: Int b: Int }", Safe, "Query.b"),
        ("type Query { a: Int }", "type Query { a: String }", Breaking, "Query.a"),
        ("type Query { a: Int }", "type Query { a: Int! }", Safe, "Query.a"),
        ("type Query { a: Int! }", "type Query { a: Int }", Breaking, "Query.a"),
        ("type Query { a: Node }", "type Query { a: Leaf }", Safe, "Query.a"),
        ("type Query { a: Leaf }", "type Query { a: Node }", Breaking, "Query.a"),
        ("type Query { a: [Int] }", "type Query { a: [Int!]! }", Safe, "Query.a"),
        ("type Query { a: [Int!] }", "type Query { a: [Int] }", Breaking, "Query.a"),
        ("type Query { a: [Int] }", "type Query { a: Int }", Breaking, "Query.a"),
        ("type Query { a(x: Int): Int }", "type Query { a: Int }", Breaking, "Query.a(x:)"),
        ("type Query { a: Int }", "type Query { a(x: Int): Int }", Dangerous, "Query.a(x:)"),
        ("type Query { a: Int }", "type Query { a(x: Int!): Int }", Breaking, "Query.a(x:)"),
        ("type Query { a: Int }", "type Query { a(x: Int! = 1): Int }", Dangerous, "Query.a(x:)"),
        ("type Query { a(x: Int!): Int }", "type Query { a(x: Int): Int }", Safe, "Query.a(x:)"),
        ("type Query { a(x: Int): Int }", "type Query { a(x: Int!): Int }", Breaking, "Query.a(x:)"),
        ("type Query { a(x: Int = 1): Int }", "type Query { a(x: Int = 2): Int }", Dangerous, "Query.a(x:)"),
        ("type Query { a(x: Int! = 1): Int }", "type Query { a(x: Int!): Int }", Breaking, "Query.a(x:)"),
        ("type Query { a: Int } enum E { A B }", "type Query { a: Int } enum E { A }", Breaking, "E.B"),
        ("type Query { a: Int } enum E { A }", "type Query { a: Int } enum E { A B }", Dangerous, "E.B"),
        ("type Query { a: Int } type T { a: Int }", "type Query { a: Int }", Breaking, "T"),
        ("type Query { a: Int }", "type Query { a: Int } type T { a: Int }", Safe, "T"),
        ("type Query { a: Int } type T { a: Int }", "type Query { a: Int } input T { a: Int }", Breaking, "T"),
        (
            "type Query { a: Int } type T implements Node { id: ID! }",
            "type Query { a: Int } type T { id: ID! }",
            Breaking,
            "T",
        ),
        (
            "type Query { a: Int } type T { id: ID! }",
            "type Query { a: Int } type T implements Node { id: ID! }",
            Dangerous,
            "T",
        ),
        ("type Query { a: Int } union U = Leaf | Other", "type Query { a: Int } union U = Leaf", Breaking, "U"),
        ("type Query { a: Int } union U = Leaf", "type Query { a: Int } union U = Leaf | Other", Dangerous, "U"),
        (
            "type Query { a: Int } input I { a: Int b: Int }",
            "type Query { a: Int } input I { a: Int }",
            Breaking,
            "I.b",
        ),
        (
            "type Query { a: Int } input I { a: Int }",
            "type Query { a: Int } input I { a: Int b: Int }",
            Dangerous,
            "I.b",
        ),
        (
            "type Query { a: Int } input I { a: Int }",
            "type Query { a: Int } input I { a: Int b: Int! }",
            Breaking,
            "I.b",
        ),
        ("type Query { a: Int } input I { a: Int! }", "type Query { a: Int } input I { a: Int }", Safe, "I.a"),
        ("type Query { a: Int } input I { a: [Int!]! }", "type Query { a: Int } input I { a: [Int]! }", Safe, "I.a"),
        (
            "type Query { a: Int } directive @d(x: Int) on FIELD | QUERY",
            "type Query { a: Int } directive @d(x: Int) on FIELD",
            Breaking,
            "@d",
        ),
        ("type Query { a: Int } directive @d on FIELD", "type Query { a: Int }", Breaking, "@d"),
        (
            "type Query { a: Int } directive @d(x: Int) on FIELD",
            "type Query { a: Int } directive @d on FIELD",
            Breaking,
            "@d(x:)",
        ),
        ("type Query { a: Int }", "type Query { a: Int @deprecated }", Safe, "Query.a"),
        ("type Query { a: Int }", "\"Asked.\" type Query { a: Int }", Safe, "Query"),
        ("type Query { a: Int } type Mutation { m: Int }", "type Query { a: Int }", Breaking, "schema.mutation"),
    ];
    for (old, new, severity, path) in table {
        let found = differences(&format!("{old} {REST}"), &format!("{new} {REST}"));
        assert!(found.contains(&(*severity, (*path).to_owned())), "{old} -> {new}: {found:?}");
        let worst = found.iter().map(|(severity, _)| *severity).min();
        assert_eq!(worst, Some(*severity), "{old} -> {new}: {found:?}");
    }
}

#[test]
fn a_schema_does_not_differ_from_itself() {
    let sdl = include_str!("../../schema.graphql");
    assert_eq!(differences(sdl, sdl), []);
}

#[test]
fn operations_that_no_longer_fit_are_told_by_file_and_line() {
    let old = schema("type Query { a(x: Int): T b: Int } type T { c: Int d: Int }");
    let new = schema("type Query { a(x: Int): T b: Int } type T { c: Int }");
    let mut operations = Operations::default();
    assert!(operations.is_empty());
    operations.add("parts.graphql", "fragment Parts on T {\n  c\n  d\n}").expect("a document");
    operations.add("uses.graphql", "query Uses { a { ...Parts } }").expect("a document");
    operations.add("other.graphql", "query Other { b }").expect("a document");
    operations.add("wrong.graphql", "query Wrong { nothing }").expect("a document");
    assert_eq!(operations.len(), 4);
    let broken = operations.broken(&old, &new);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!((broken[0].file.as_str(), broken[0].line, broken[0].column), ("parts.graphql", 3, 3));
    assert!(broken[0].message.contains('d'), "{broken:?}");
    assert_eq!(operations.broken(&old, &old), []);
    let already = operations.problems(&old);
    assert!(already.iter().all(|problem| problem.file == "wrong.graphql"), "{already:?}");
    assert!(operations.add("no.graphql", "query {").expect_err("no document").to_string().contains("no.graphql"));
}

#[test]
fn a_required_argument_breaks_the_operations_without_it() {
    let old = schema("type Query { a(x: Int): Int }");
    let new = schema("type Query { a(x: Int!): Int }");
    let mut operations = Operations::default();
    operations.add("without.graphql", "{ a }").expect("a document");
    let broken = operations.broken(&old, &new);
    assert_eq!(broken.iter().map(|broken| broken.file.as_str()).collect::<Vec<_>>(), ["without.graphql"]);
}
