//! Filters and orders beyond one value of one field.

use spil_proto::model::{ExternalId, Translation};

use super::*;

/// Org units with names in several scripts, external ids and translations, and roles, positions and workers below two of them.
fn units() -> Vec<Record> {
    let pair = |system: &str, id: &str| ExternalId { system: system.to_owned(), id: id.to_owned() };
    let name = |language: &str, name: &str| Translation { language: language.to_owned(), name: name.to_owned() };
    let parent = |number| ("parent_id", Value::Id(id(number)));
    let tags = |tags: &[&str]| ("tags", Value::Texts(tags.iter().map(|tag| (*tag).to_owned()).collect()));
    let mut records = vec![
        record(Kind::OrgUnit, 1, "Café Zuid", &[("external_ids", Value::ExternalIds(vec![pair("hr", "1")].into()))]),
        record(
            Kind::OrgUnit,
            2,
            "Straße & Ørsted",
            &[
                parent(1),
                ("translations", Value::Translations(vec![name("nl", "Straat"), name("en", "Street")].into())),
            ],
        ),
        record(
            Kind::OrgUnit,
            3,
            "Łódź",
            &[
                parent(1),
                ("external_ids", Value::ExternalIds(vec![pair("hr", "2"), pair("it", "1")].into())),
                ("translations", Value::Translations(vec![name("nl", "Lodsj")].into())),
            ],
        ),
        record(Kind::OrgUnit, 4, "cafe noord", &[parent(99), tags(&["Kern", "Proef"])]),
        record(Kind::OrgUnit, 5, "Zolder", &[tags(&["rand"])]),
        record(Kind::Role, 10, "Role", &[]),
    ];
    for number in 0..3_u128 {
        let unit = if number == 2 { 3 } else { 2 };
        let values = [("org_unit_id", Value::Id(id(unit))), ("role_id", Value::Id(id(10))), ("tier", Value::Int(2))];
        records.push(record(Kind::Position, 20 + number, "position", &values[..if number == 0 { 2 } else { 3 }]));
        // One worker in two positions counts once.
        let values = [("position_id", Value::Id(id(20 + number))), ("worker_id", Value::Id(id(40 + number / 2)))];
        records.push(record(Kind::Assignment, 30 + number, "", &values));
    }
    records.extend((0..2).map(|number| record(Kind::Worker, 40 + number, "worker", &[])));
    records
}

async fn keys(engine: &Engine, list: &str, arguments: &str) -> Vec<String> {
    let answer =
        ask_with(engine, &format!("{{ {list}{arguments} {{ totalCount nodes {{ key }} }} }}"), json!({})).await;
    let nodes = answer["data"][list]["nodes"].as_array().unwrap_or_else(|| panic!("{arguments}: {answer}"));
    assert_eq!(answer["data"][list]["totalCount"], json!(nodes.len()));
    nodes.iter().map(|node| node["key"].as_str().expect("a key").to_owned()).collect()
}

#[tokio::test]
async fn a_filter_says_what_a_record_and_its_relations_are_like() {
    let engine = engine(&units(), Limits::default());
    for (filter, expected) in [
        ("{name: {contains: \"cafe\"}}", vec!["K1", "K4"]),
        ("{name: {startsWith: \"CAFÉ\"}}", vec!["K1", "K4"]),
        ("{name: {contains: \"STRASSE\"}}", vec!["K2"]),
        ("{name: {contains: \"orsted\"}}", vec!["K2"]),
        ("{name: {startsWith: \"lodz\"}}", vec!["K3"]),
        ("{name: {eq: \"cafe zuid\"}}", vec![]),
        ("{parentId: {isNull: true}}", vec!["K1", "K5"]),
        ("{parent: {isNull: true}}", vec!["K1", "K4", "K5"]),
        ("{parent: {isNull: false}}", vec!["K2", "K3"]),
        ("{parent: {isNull: false, key: {eq: \"K1\"}}}", vec!["K2", "K3"]),
        ("{parent: {isNull: true, key: {eq: \"K1\"}}}", vec![]),
        ("{not: {parent: {isNull: true}}}", vec!["K2", "K3"]),
        ("{isNull: true}", vec![]),
        ("{externalIds: {has: {system: \"hr\", id: \"2\"}}}", vec!["K3"]),
        ("{externalIds: {hasAny: [{system: \"hr\", id: \"1\"}, {system: \"it\", id: \"1\"}]}}", vec!["K1", "K3"]),
        ("{externalIds: {some: {system: {eq: \"it\"}}}}", vec!["K3"]),
        ("{externalIds: {some: {system: {eq: \"it\"}, id: {eq: \"2\"}}}}", vec![]),
        ("{externalIds: {none: {system: {eq: \"it\"}}, isEmpty: false}}", vec!["K1"]),
        ("{translations: {some: {language: {eq: \"nl\"}, name: {startsWith: \"str\"}}}}", vec!["K2"]),
        ("{translations: {some: {language: {in: [\"nl\", \"de\"]}}}}", vec!["K2", "K3"]),
        ("{translations: {has: {language: \"en\", name: \"Street\"}}}", vec!["K2"]),
        ("{translations: {isEmpty: true}}", vec!["K1", "K4", "K5"]),
        ("{tags: {some: {contains: \"kern\"}}}", vec!["K4"]),
        ("{tags: {hasAny: [\"rand\", \"Kern\", \"x\"]}}", vec!["K4", "K5"]),
        ("{tags: {none: {startsWith: \"R\"}, isEmpty: false}}", vec!["K4"]),
        ("{children: {count: {gte: 2}}}", vec!["K1"]),
        ("{children: {count: {eq: 0}}}", vec!["K2", "K3", "K4", "K5"]),
        ("{children: {count: {ne: 0}}}", vec!["K1"]),
        ("{children: {count: {gt: 1, lt: 3}, some: {key: {eq: \"K3\"}}}}", vec!["K1"]),
        ("{children: {count: {gt: 1, lt: 2}}}", vec![]),
        ("{children: {count: {lt: 0}}}", vec![]),
        ("{children: {count: {gt: -1}}}", vec!["K1", "K2", "K3", "K4", "K5"]),
        ("{children: {count: {where: {positions: {count: {gte: 2}}}, eq: 1}}}", vec!["K1"]),
        ("{positions: {count: {where: {tier: {eq: 2}}, eq: 1}}}", vec!["K2", "K3"]),
        ("{positions: {count: {}}}", vec!["K1", "K2", "K3", "K4", "K5"]),
        (
            "{createdAt: {lt: \"1970-01-02T00:00:00Z\"}, version: {eq: 1}, retiredAt: {isNull: true}}",
            vec!["K1", "K2", "K3", "K4", "K5"],
        ),
    ] {
        assert_eq!(keys(&engine, "orgUnits", &format!("(filter: {filter})")).await, expected, "{filter}");
    }
    for (filter, expected) in [
        ("{workers: {count: {eq: 2}}}", vec!["K10"]),
        ("{workers: {count: {gte: 3}}}", vec![]),
        ("{positions: {count: {eq: 3}}}", vec!["K10"]),
    ] {
        assert_eq!(keys(&engine, "roles", &format!("(filter: {filter})")).await, expected, "a path: {filter}");
    }
    let id = global_id::encode(Kind::OrgUnit, id(1));
    assert_eq!(
        keys(&engine, "orgUnits", &format!("(filter: {{parent: {{id: {{in: [\"{id}\"]}}}}}})")).await,
        ["K2", "K3"]
    );
    assert_eq!(keys(&engine, "orgUnits", &format!("(filter: {{parentId: {{in: [\"{id}\"]}}}})")).await, ["K2", "K3"]);
}

#[tokio::test]
async fn lists_are_ordered_by_how_many_records_they_lead_to() {
    let engine = engine(&units(), Limits::default());
    for (order, expected) in [
        ("[{field: CHILDREN_COUNT, direction: DESC}]", ["K1", "K2", "K3", "K4", "K5"]),
        ("[{field: CHILDREN_COUNT}, {field: NAME}]", ["K4", "K3", "K2", "K5", "K1"]),
        ("[{field: POSITIONS_COUNT, direction: DESC}, {field: NAME}]", ["K2", "K3", "K4", "K1", "K5"]),
        ("[{field: NAME, direction: DESC}, {field: CHILDREN_COUNT}]", ["K5", "K2", "K3", "K1", "K4"]),
    ] {
        assert_eq!(keys(&engine, "orgUnits", &format!("(orderBy: {order})")).await, expected, "{order}");
    }
    let query = "query($after: String, $order: [OrgUnitOrder!]) { orgUnits(first: 2, after: $after, orderBy: $order) {
        pageInfo { endCursor hasNextPage } nodes { key } } }";
    let order = json!([{"field": "POSITIONS_COUNT", "direction": "DESC"}]);
    let (mut found, mut after) = (Vec::new(), Json::Null);
    loop {
        let answer = ask_with(&engine, query, json!({"after": after, "order": order})).await;
        let page = &answer["data"]["orgUnits"];
        found.extend(page["nodes"].as_array().expect("nodes").iter().map(|node| node["key"].clone()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(json!(found), json!(["K2", "K3", "K1", "K4", "K5"]));
    for other in ["CHILDREN_COUNT", "NAME", "VERSION"] {
        let order = json!([{"field": other, "direction": "DESC"}]);
        let answer = ask_with(&engine, query, json!({"after": after, "order": order})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "a cursor of another order than {other}"
        );
    }
}

#[tokio::test]
async fn what_a_filter_can_not_be_is_named() {
    for (filter, path) in [
        ("{children: {count: {gte: null}}}", json!(["orgUnits", "filter", "children", "count", "gte"])),
        ("{children: {count: {where: null}}}", json!(["orgUnits", "filter", "children", "count", "where"])),
        ("{parent: {isNull: null}}", json!(["orgUnits", "filter", "parent", "isNull"])),
        ("{tags: {some: {eq: null}}}", json!(["orgUnits", "filter", "tags", "some", "eq"])),
        ("{externalIds: {some: {id: null}}}", json!(["orgUnits", "filter", "externalIds", "some", "id"])),
    ] {
        let query = format!("{{ orgUnits(filter: {filter}) {{ totalCount }} }}");
        let answer = ask_with(&engine(&units(), Limits::default()), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{filter}: {answer}");
        assert_eq!(answer["errors"][0]["path"], path, "{filter}");
    }
}

#[tokio::test]
async fn counting_along_paths_is_paid_for() {
    let mut records = vec![record(Kind::Role, 1, "role", &[])];
    for number in 0..200_u128 {
        records.push(record(Kind::Position, 1000 + number, "", &[("role_id", Value::Id(id(1)))]));
        let values = [("position_id", Value::Id(id(1000 + number))), ("worker_id", Value::Id(id(3000 + number)))];
        records.push(record(Kind::Assignment, 2000 + number, "", &values));
        records.push(record(Kind::Worker, 3000 + number, "", &[]));
    }
    let limits = || Limits { cost: 500, ..Limits::default() };
    for list in [
        "roles(orderBy: {field: WORKERS_COUNT}) { totalCount }",
        "roles(filter: {workers: {count: {gte: 1}}}) { totalCount }",
        "roles(filter: {workers: {count: {where: {}, lte: 1000}}}) { totalCount }",
        "workers { facets(by: STATUS) { count } totalCount nodes { id } }",
    ] {
        let query = format!("{{ {list} }}");
        let answer = ask_with(&engine(&records, limits()), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY", "{list}");
        let answer = ask_with(&engine(&records, Limits::default()), &query, json!({})).await;
        assert!(answer.get("errors").is_none(), "{answer}");
    }
}
