//! Ways up and down trees.

use super::*;

/// A chain of four capabilities with a branch, a skill with two broader ones, and two units that are each other's parent.
fn trees() -> Vec<Record> {
    let under = |number| ("parent_id", Value::Id(id(number)));
    let broader = |numbers: &[u128]| ("broader_ids", Value::Ids(numbers.iter().map(|number| id(*number)).collect()));
    vec![
        record(Kind::Capability, 1, "Root", &[]),
        record(Kind::Capability, 2, "Branch", &[under(1)]),
        record(Kind::Capability, 3, "Twig", &[under(2), ("maturity_current", Value::Int(2))]),
        record(Kind::Capability, 4, "Leaf", &[under(3), ("maturity_current", Value::Int(4))]),
        record(Kind::Capability, 5, "Another branch", &[under(1), ("maturity_current", Value::Int(4))]),
        record(Kind::Skill, 10, "Engineering", &[]),
        record(Kind::Skill, 11, "Databases", &[broader(&[10])]),
        record(Kind::Skill, 12, "Statistics", &[broader(&[10])]),
        record(Kind::Skill, 13, "Data science", &[broader(&[12, 11])]),
        record(Kind::OrgUnit, 20, "Egg", &[under(21)]),
        record(Kind::OrgUnit, 21, "Hen", &[under(20)]),
    ]
}

async fn ask(query: &str) -> Json {
    let mut answer = ask_with(&engine(&trees(), Limits::default()), query, json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].take()
}

fn names(nodes: &Json) -> Vec<&str> {
    nodes.as_array().expect("a list").iter().map(|node| node["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn what_is_above_comes_nearest_first() {
    let answer = ask("{ capability(key: \"K4\") { ancestors { name } }
           root: capability(key: \"K1\") { ancestors { name } }
           skill(key: \"K13\") { ancestors { name } } }")
    .await;
    assert_eq!(names(&answer["capability"]["ancestors"]), ["Twig", "Branch", "Root"]);
    assert_eq!(names(&answer["root"]["ancestors"]), [""; 0]);
    assert_eq!(names(&answer["skill"]["ancestors"]), ["Databases", "Statistics", "Engineering"], "each once");
}

#[tokio::test]
async fn what_is_below_is_a_list_like_any_other() {
    for (arguments, total, expected) in [
        ("(first: 10)", 4, &["Branch", "Twig", "Leaf", "Another branch"][..]),
        ("(depth: 1)", 2, &["Branch", "Another branch"]),
        ("(depth: 2)", 3, &["Branch", "Twig", "Another branch"]),
        ("(depth: 1000000)", 4, &["Branch", "Twig", "Leaf", "Another branch"]),
        ("(filter: {maturityCurrent: {eq: 4}}, depth: 2)", 1, &["Another branch"]),
        ("(orderBy: [{field: NAME}], first: 2)", 4, &["Another branch", "Branch"]),
        ("(orderBy: [{field: NAME, direction: DESC}], last: 1)", 4, &["Another branch"]),
    ] {
        let answer = ask(&format!(
            "{{ capability(key: \"K1\") {{ descendants{arguments} {{ totalCount nodes {{ name }} }} }} }}"
        ))
        .await;
        let list = &answer["capability"]["descendants"];
        assert_eq!((names(&list["nodes"]).as_slice(), &list["totalCount"]), (expected, &json!(total)), "{arguments}");
    }
}

#[tokio::test]
async fn a_depth_is_at_least_one() {
    for depth in ["0", "-1"] {
        let query = format!("{{ capability(key: \"K1\") {{ descendants(depth: {depth}) {{ totalCount }} }} }}");
        let answer = ask_with(&engine(&trees(), Limits::default()), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(answer["errors"][0]["path"], json!(["capability", "descendants", "depth"]));
    }
}

#[tokio::test]
async fn a_cycle_does_no_harm() {
    let answer = ask("{ orgUnit(key: \"K20\") { ancestors { name } descendants { nodes { name } } }
           orgUnits(filter: {descendants: {some: {name: {eq: \"Egg\"}}}}) { nodes { name } } }")
    .await;
    assert_eq!(names(&answer["orgUnit"]["ancestors"]), ["Hen"]);
    assert_eq!(names(&answer["orgUnit"]["descendants"]["nodes"]), ["Hen"]);
    assert_eq!(names(&answer["orgUnits"]["nodes"]), ["Hen"]);
}

#[tokio::test]
async fn records_are_found_by_what_is_above_and_below() {
    for (filter, expected) in [
        ("{ancestors: {some: {key: {eq: \"K2\"}}}}", &["Twig", "Leaf"][..]),
        ("{ancestors: {none: {}}}", &["Root"]),
        ("{descendants: {some: {name: {eq: \"Leaf\"}}}}", &["Root", "Branch", "Twig"]),
        ("{descendants: {every: {maturityCurrent: {eq: 4}}}}", &["Twig", "Leaf", "Another branch"]),
    ] {
        let answer = ask(&format!("{{ capabilities(filter: {filter}) {{ nodes {{ name }} }} }}")).await;
        assert_eq!(names(&answer["capabilities"]["nodes"]), expected, "{filter}");
    }
}
