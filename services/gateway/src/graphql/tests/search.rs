//! What is found by words.

use std::borrow::Cow;

use spil_proto::model::Translation;

use super::*;

fn text(column: &'static str, text: &str) -> (&'static str, Value<'static>) {
    (column, Value::Text(text.to_owned().into()))
}

fn dutch(name: &str) -> (&'static str, Value<'static>) {
    let translation = Translation { language: "nl".to_owned(), name: name.to_owned() };
    ("translations", Value::Translations(Cow::Owned(vec![translation])))
}

fn library() -> Vec<Record> {
    vec![
        record(Kind::Capability, 1, "Claims handling", &[text("description", "Settles what customers ask for.")]),
        record(Kind::Capability, 2, "Customer service", &[dutch("Klantenservice")]),
        record(Kind::Capability, 3, "Planning", &[dutch("Capaciteit plannen"), text("description", "Who works when.")]),
        record(
            Kind::Process,
            4,
            "Answer a letter",
            &[text("description", "The customer gets an answer about a claim, or about planning, within a week.")],
        ),
        record(Kind::Initiative, 5, "Café déjà vu", &[("tags", Value::Texts(vec!["pilot".to_owned()].into()))]),
        record(
            Kind::Initiative,
            6,
            "Paperless",
            &[text("key", "AI-7"), text("description", "Like AI-70, without paper.")],
        ),
        record(Kind::Initiative, 7, "Paperless too", &[text("key", "AI-70")]),
        record(
            Kind::Worker,
            8,
            "",
            &[text("display_name", "Quirijn Zonnebloem"), text("number", "77123"), text("email", "qz@example.org")],
        ),
    ]
}

/// Asks an engine whose index is there already, or will be.
async fn find(engine: &Engine, arguments: &str, selection: &str) -> Json {
    let query = format!("{{ search({arguments}) {{ {selection} }} }}");
    let mut answer = ask_with(engine, &query, json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["search"].take()
}

/// The names of what is found.
async fn names(engine: &Engine, arguments: &str) -> Vec<String> {
    let found = find(engine, arguments, "nodes { name } isStale").await;
    assert_eq!(found["isStale"], false);
    let nodes = found["nodes"].as_array().expect("nodes").iter();
    nodes.map(|node| node["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Puts another state of the graph in place.
fn publish(engine: &Engine, records: &[Record]) {
    let before = engine.live().load();
    let mut graph = before.graph.clone();
    records.iter().for_each(|record| graph.apply(record).expect("a record"));
    let mut owners = before.owners.clone();
    for owner in &mut owners {
        let cursor = owner.cursor.get_or_insert_default();
        cursor.revision += 1;
    }
    engine.live().publish(Published::new(graph, owners), Vec::new());
}

#[tokio::test]
async fn records_are_found_by_what_people_type() {
    let engine = engine(&library(), Limits::default());
    for (sought, expected) in [
        // As it stands, in any case.
        ("claims handling", &["Claims handling"][..]),
        ("HANDLING", &["Claims handling"]),
        // With typing errors: one from four letters on, two from eight on, none in short words.
        ("clams", &["Claims handling"]),
        ("cliams hanlding", &["Claims handling"]),
        ("custmer servcie", &["Customer service"]),
        ("cafr", &["Café déjà vu"]),
        ("vi ", &[]),
        // Word forms of both languages.
        ("claim handled", &["Claims handling"]),
        ("capaciteiten", &["Planning"]),
        ("plans", &["Planning", "Answer a letter"]),
        // Accents.
        ("cafe DEJA", &["Café déjà vu"]),
        ("cafe\u{301}", &["Café déjà vu"]),
        // Translations, tags, and what is typed so far.
        ("klantenservice", &["Customer service"]),
        ("klant", &["Customer service"]),
        ("klantn", &["Customer service"]),
        ("pilot", &["Café déjà vu"]),
        ("paperl", &["Paperless", "Paperless too"]),
        ("pap ", &[]),
        // A name counts more than a description.
        ("customer", &["Customer service", "Answer a letter", "Claims handling"]),
        ("planning", &["Planning", "Answer a letter"]),
        // A key that is the text comes first.
        ("AI-7", &["Paperless", "Paperless too"]),
        ("ai-70", &["Paperless too", "Paperless"]),
        // All words, or, where none has all, some.
        ("customer letter", &["Answer a letter"]),
        ("pilot handling", &["Claims handling", "Café déjà vu"]),
        // Nobody is found by personal data.
        ("Zonnebloem", &[]),
        ("77123", &[]),
        ("qz@example.org", &[]),
        ("", &[]),
        ("   ", &[]),
    ] {
        let mut found = names(&engine, &format!("text: {}", json!(sought))).await;
        let mut expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        if sought == "pilot handling" {
            // Which of two words is the rarer one is not the point.
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{sought}");
    }
}

#[tokio::test]
async fn the_forms_of_one_language_can_be_asked_for() {
    let engine = engine(&library(), Limits::default());
    assert_eq!(names(&engine, "text: \"plans\", language: ENGLISH, kinds: [CAPABILITY]").await, ["Planning"]);
    assert_eq!(names(&engine, "text: \"capaciteiten\", language: DUTCH").await, ["Planning"]);
    assert_eq!(names(&engine, "text: \"handled \", language: ENGLISH").await, ["Claims handling"]);
    assert_eq!(names(&engine, "text: \"handled \", language: DUTCH").await, [""; 0]);
}

#[tokio::test]
async fn kinds_are_chosen() {
    let engine = engine(&library(), Limits::default());
    assert_eq!(names(&engine, "text: \"customer\", kinds: [PROCESS]").await, ["Answer a letter"]);
    assert_eq!(names(&engine, "text: \"customer\", kinds: PROCESS").await, ["Answer a letter"]);
    assert_eq!(names(&engine, "text: \"AI-7\", kinds: [PROCESS, ROLE]").await, [""; 0]);
    assert_eq!(names(&engine, "text: \"customer\", kinds: []").await, [""; 0]);
    let found = find(&engine, "text: \"customer\", kinds: [PROCESS, CAPABILITY]", "__typename totalCount").await;
    assert_eq!(found, json!({"__typename": "SearchConnection", "totalCount": 3}));
}

#[tokio::test]
async fn what_was_found_is_shown() {
    let engine = engine(&library(), Limits::default());
    let selection = "edges { __typename node { __typename ... on Process { key } } score highlights { __typename field parts { __typename text isMatch } } }";
    let found = find(&engine, "text: \"ansewr weeks\"", selection).await;
    let part = |text: &str, is_match: bool| json!({"__typename": "SearchPart", "text": text, "isMatch": is_match});
    let edge = &found["edges"][0];
    assert_eq!(edge["node"], json!({"__typename": "Process", "key": "K4"}));
    assert!(edge["score"].as_f64().expect("a number") > 0.0);
    assert_eq!(
        edge["highlights"],
        json!([
            {"__typename": "SearchHighlight", "field": "name", "parts": [part("Answer", true), part(" a letter", false)]},
            {"__typename": "SearchHighlight", "field": "description", "parts": [
                part("The customer gets an ", false), part("answer", true),
                part(" about a claim, or about planning, within a ", false), part("week", true), part(".", false)
            ]}
        ])
    );
    let found =
        find(&engine, "text: \"ai-7\", first: 1", "edges { highlights { field parts { text isMatch } } }").await;
    let first = &found["edges"][0]["highlights"][0];
    assert_eq!(first, &json!({"field": "key", "parts": [{"text": "AI-7", "isMatch": true}]}));
}

#[tokio::test]
async fn changes_are_found_and_what_is_gone_is_not() {
    let engine = engine(&library(), Limits::default());
    assert_eq!(names(&engine, "text: \"paperless\"").await, ["Paperless", "Paperless too"]);
    publish(
        &engine,
        &[record(Kind::Initiative, 6, "Digital mail", &[]), record(Kind::Skill, 20, "Paperless work", &[])],
    );
    assert_eq!(names(&engine, "text: \"paperless\"").await, ["Paperless too", "Paperless work"]);
    assert_eq!(names(&engine, "text: \"digital\"").await, ["Digital mail"]);
    publish(&engine, &[record(Kind::Skill, 20, "", &[("retired_at", Value::DateTime(5))])]);
    assert_eq!(names(&engine, "text: \"paperless\"").await, ["Paperless too"]);
    for number in 0..20 {
        publish(&engine, &[record(Kind::Initiative, 6, &format!("Renamed name{number}"), &[])]);
    }
    assert_eq!(names(&engine, "text: \"name19\"").await, ["Renamed name19"]);
    assert_eq!(names(&engine, "text: \"name18 \"").await, [""; 0]);
}

#[tokio::test]
async fn pages_cover_everything_once() {
    let mut records: Vec<Record> = (0..47)
        .map(|number| record(Kind::Skill, 100 + number, &format!("Skill of sort {}", number % 3), &[]))
        .collect();
    records.extend(library());
    let engine = engine(&records, Limits::default());
    let selection =
        "totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
    let whole = find(&engine, "text: \"skill sort\", first: 100", selection).await;
    assert_eq!(whole["totalCount"], 47);
    assert_eq!(whole["pageInfo"]["hasNextPage"], false);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = find(&engine, &format!("text: \"skill sort\", first: 10{after}"), selection).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !found.is_empty());
        assert_eq!(page["pageInfo"]["startCursor"], page["edges"][0]["cursor"]);
        found.extend(page["nodes"].as_array().expect("nodes").iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        assert_eq!(page["nodes"].as_array().map(Vec::len), Some(10));
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    assert_eq!(Json::Array(found), whole["nodes"]);
    // The default.
    let page = find(&engine, "text: \"skill sort\"", selection).await;
    assert_eq!(page["nodes"].as_array().map(Vec::len), Some(20));
    let page = find(&engine, "text: \"skill sort\", first: 0", selection).await;
    assert_eq!((page["nodes"].as_array().map(Vec::len), &page["pageInfo"]["hasNextPage"]), (Some(0), &json!(true)));
}

#[tokio::test]
async fn nothing_that_is_typed_is_a_fault() {
    let engine = engine(&library(), Limits::default());
    for hostile in [
        "x".repeat(10 << 10),
        "é".repeat(10 << 10),
        "word ".repeat(2 << 10),
        (0..3000).map(|number| format!("w{number}abcdefg ")).collect(),
        "AND OR NOT (name:* TO *] \"unclosed ^3 ~2 \\ /regex/ {a} [1 TO 2}".to_owned(),
        "+-&&||!(){}[]^\"~*?:\\/".to_owned(),
        "🙂🙃👩‍👩‍👧‍👦\u{0}\u{feff}\u{202e}".to_owned(),
        "'; DROP TABLE capability; --".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        "\u{301}\u{301}\u{301}".to_owned(),
        "漢字かな 中文".to_owned(),
    ] {
        let query =
            "query($text: String!) { search(text: $text) { totalCount edges { highlights { parts { text } } } } }";
        let answer = ask_with(&engine, query, json!({"text": hostile})).await;
        assert!(answer.get("errors").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn what_can_not_be_asked_is_refused_with_its_place() {
    let engine = engine(&library(), Limits::default());
    for (arguments, place, code) in [
        ("text: \"x\", first: -1", "first", "BAD_USER_INPUT"),
        ("text: \"x\", first: 101", "first", "BAD_USER_INPUT"),
        ("text: \"x\", after: \"nonsense\"", "after", "BAD_USER_INPUT"),
    ] {
        let answer = ask_with(&engine, &format!("{{ search({arguments}) {{ totalCount }} }}"), json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["search", place]), "{answer}");
    }
    let many: String =
        (0..400).map(|number| format!("a{number}: search(text: \"claims\") {{ totalCount }} ")).collect();
    let answer = ask_with(&engine, &format!("{{ {many} }}"), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY", "{answer}");
}
