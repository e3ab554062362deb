//! Every kind and every field of the model, from end to end: stored, fed, in the snapshot, queryable, filterable, orderable,
//! importable, documented. A new entity is covered by being described.

use std::{collections::HashMap, fmt::Write};

use serde_json::{Value as Json, json};
use spil_connector::mapping::Mapping;
use spil_gateway::graphql::global_id;
use spil_proto::{
    changefeed::v1::{Action, ApplyRequest, Command, Outcome, Record, SnapshotRequest, Target, target},
    model::{ExternalId, FieldInfo, FieldType, Kind, Owner, Purpose, TextFormat, Translation, Value, field},
};
use spil_tests::{Client, Database, Spil, digests_agree, postgres_url};
use uuid::Uuid;

/// Two records of a kind that others refer to, and one that has a value in every field.
fn id(kind: Kind, which: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 | ((kind as u128) << 8) | which)
}

/// A value that a field takes. Dates, numbers with a wide range and references follow the number of the field, so that what must differ or
/// be in order is.
fn sample(info: &FieldInfo) -> Value<'static> {
    let number = i32::try_from(info.index).expect("a small number");
    let other = (info.index % 2) as u128;
    match info.ty {
        FieldType::Id => Value::Null,
        FieldType::Text => Value::Text(
            match info.format {
                TextFormat::Plain => format!("{} é", info.name),
                TextFormat::Uri => format!("https://example.org/{}", info.name),
                TextFormat::Email => "ada@example.org".to_owned(),
                TextFormat::Currency => "EUR".to_owned(),
                TextFormat::Uuid => "6f1c2a4e-0b57-4c1d-9f1e-2d3a4b5c6d7e".to_owned(),
            }
            .into(),
        ),
        FieldType::TextList if info.format == TextFormat::Uri => {
            Value::Texts(vec!["https://example.org/a".to_owned(), "https://example.org/b".to_owned()].into())
        }
        FieldType::TextList => Value::Texts(vec!["a".to_owned(), "b".to_owned()].into()),
        FieldType::Bool => Value::Bool(true),
        FieldType::Int if info.max.unwrap_or(1e6) - info.min.unwrap_or(0.0) >= 1000.0 => {
            Value::Int(info.min.unwrap_or(0.0) as i64 + i64::from(number))
        }
        FieldType::Int => Value::Int(info.min.unwrap_or(1.0) as i64 + 1),
        FieldType::Float => Value::Float(info.max.unwrap_or(8.0).min(8.0) / 4.0),
        FieldType::Decimal => Value::Decimal("1250.5".parse().expect("a decimal")),
        FieldType::Date => Value::Date(20_000 + number),
        FieldType::DateTime => Value::DateTime(1_700_000_000_123_456),
        FieldType::Enum(list) => Value::Enum(list.values[0].number),
        FieldType::EnumList(list) => Value::Enums(vec![list.values[0].number, list.values[1].number].into()),
        FieldType::Ref(kind) => Value::Id(id(kind, other)),
        FieldType::RefList(kind) => Value::Ids(vec![id(kind, 0), id(kind, 1)]),
        FieldType::ExternalIds => {
            Value::ExternalIds(vec![ExternalId { system: "hr".to_owned(), id: "7".to_owned() }].into())
        }
        FieldType::Translations => {
            Value::Translations(vec![Translation { language: "nl".to_owned(), name: "Naam".to_owned() }].into())
        }
    }
}

/// Fields that a rule keeps apart: of these only one can have a value at a time.
fn is_left_out(kind: Kind, info: &FieldInfo) -> bool {
    matches!((kind, info.name), (Kind::Stakeholder, "workerId") | (Kind::LearningEvent, "applicationId"))
}

fn record(kind: Kind, which: u128, wanted: impl Fn(&FieldInfo) -> bool) -> Command {
    let mut values = Record::empty(kind);
    let entity = values.entity_mut().expect("an entity");
    for info in kind.info().inputs().filter(|info| wanted(info)) {
        entity.set(info.index, sample(info)).expect("a value of its type");
    }
    Command {
        action: Action::Create.into(),
        target: Some(Target { by: Some(target::By::Id(id(kind, which).as_bytes().to_vec())) }),
        values: Some(values),
        ..Command::default()
    }
}

/// Sends the records of all owners, and gives those that have a value in every field as the owners answer them.
async fn fill(spil: &Spil) -> HashMap<Kind, Record> {
    let token = spil.token("tester", &spil_auth::Permission::ALL);
    let mut full = HashMap::new();
    for owner in Owner::ALL {
        let kinds: Vec<_> = owner.kinds().collect();
        // Kinds that need a reference come after those that need none.
        let needy = |kind: &Kind| kind.info().own.iter().any(|info| info.required);
        let bare = kinds
            .iter()
            .filter(|kind| !needy(kind))
            .flat_map(|kind| (0..2).map(|which| record(*kind, which, |_| false)));
        let linked = kinds
            .iter()
            .filter(|kind| matches!(kind, Kind::Measurement | Kind::PulseWave))
            .flat_map(|kind| (0..2).map(|which| record(*kind, which, |info| info.required)));
        let mut commands: Vec<_> = bare.chain(linked).collect();
        let first = commands.len();
        commands.extend(kinds.iter().map(|kind| record(*kind, 2, |info| !is_left_out(*kind, info))));
        let request = ApplyRequest {
            idempotency_key: format!("model {}", owner.name()),
            commands,
            source: "model".to_owned(),
            ..ApplyRequest::default()
        };
        let answer = spil.owner(owner).apply(&token, request).await.expect("an answer");
        for item in &answer.items {
            assert_eq!(item.outcome(), Outcome::Created, "{:?}", item.problems);
        }
        for (kind, item) in kinds.iter().zip(&answer.items[first..]) {
            full.insert(*kind, item.record.clone().expect("a record"));
        }
    }
    full
}

async fn whole_model(spil: &Spil) {
    let full = fill(spil).await;
    let client = spil.client();
    let mut owners = Owner::ALL.map(|owner| spil.owner(owner));
    digests_agree(&client, &mut owners).await;
    fed(spil, &full).await;
    for kind in Kind::ALL {
        let record = &full[kind];
        let client = client.with_purpose(purpose(*kind));
        queryable(&client, *kind, record).await;
        filterable(&client, *kind, record).await;
        orderable(&client, *kind).await;
        importable(*kind);
        for info in kind.info().fields() {
            assert!(!info.doc.is_empty(), "{kind:?}.{}", info.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_goes_all_the_way_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    whole_model(&spil).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_goes_all_the_way_on_postgresql() {
    let Some(server) = postgres_url() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::create(&server).await;
    crate::operate::migrate(folder.path(), &database.url).await;
    let spil = Spil::builder(folder.path()).args(["--database", &database.url]).start().await;
    whole_model(&spil).await;
    drop(spil);
    database.drop().await;
}

/// The snapshot of the owner holds the very record, with every value that was given.
async fn fed(spil: &Spil, full: &HashMap<Kind, Record>) {
    let token = spil.token("tester", &spil_auth::Permission::ALL);
    let mut found = HashMap::new();
    for owner in Owner::ALL {
        let mut stream =
            spil.owner(owner).snapshot(&token, SnapshotRequest { kinds: Vec::new() }).await.expect("a stream");
        while let Some(part) = stream.message().await.expect("a part") {
            for record in part.records {
                found.insert(record.id().expect("an id"), record);
            }
        }
    }
    for (kind, record) in full {
        assert_eq!(found.get(&id(*kind, 2)), Some(record), "{kind:?}");
        let entity = record.entity().expect("an entity");
        for info in kind.info().fields().filter(|info| info.writable && !is_left_out(*kind, info)) {
            assert_eq!(entity.get(info.index), sample(info), "{kind:?}.{}", info.name);
        }
    }
}

fn selection(info: &FieldInfo) -> String {
    match info.ty {
        FieldType::Ref(_) => format!("{} {{ id }}", info.relation),
        FieldType::RefList(_) => format!("{} {{ nodes {{ id }} }}", info.relation),
        FieldType::ExternalIds => format!("{} {{ system id }}", info.name),
        FieldType::Translations => format!("{} {{ language name }}", info.name),
        _ => info.name.to_owned(),
    }
}

/// A value as the API shows it.
fn shown(info: &FieldInfo, kind: Kind, value: &Value<'_>) -> Json {
    let reference = |to: Kind, id: &Uuid| json!({"id": global_id::encode(to, *id)});
    match (info.ty, value) {
        (_, Value::Null) => Json::Null,
        (FieldType::Id, Value::Id(id)) => json!(global_id::encode(kind, *id)),
        (FieldType::Ref(to), Value::Id(id)) => reference(to, id),
        (FieldType::RefList(to), Value::Ids(ids)) => {
            json!({"nodes": ids.iter().map(|id| reference(to, id)).collect::<Vec<_>>()})
        }
        (FieldType::Enum(list), Value::Enum(number)) => json!(list.name_of(*number)),
        (FieldType::EnumList(list), Value::Enums(numbers)) => {
            json!(numbers.iter().map(|number| list.name_of(*number)).collect::<Vec<_>>())
        }
        (_, Value::Text(text)) => json!(text),
        (_, Value::Texts(texts)) => json!(texts),
        (_, Value::Bool(value)) => json!(value),
        (_, Value::Int(number)) => json!(number),
        (_, Value::Float(number)) => json!(number),
        (_, Value::Decimal(number)) => json!(number.to_string()),
        (_, Value::Date(days)) => json!(chrono_date(*days)),
        (_, Value::DateTime(1_700_000_000_123_456)) => json!("2023-11-14T22:13:20.123456Z"),
        (_, Value::ExternalIds(ids)) => {
            json!(ids.iter().map(|id| json!({"system": id.system, "id": id.id})).collect::<Vec<_>>())
        }
        (_, Value::Translations(items)) => {
            json!(items.iter().map(|item| json!({"language": item.language, "name": item.name})).collect::<Vec<_>>())
        }
        (_, other) => panic!("{}: {other:?}", info.name),
    }
}

/// Days since 1970 as a date, by another way than the product's: the test days are all in 2024.
fn chrono_date(days: i32) -> String {
    let mut day = days - 19_723;
    for (month, length) in [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
        if day < length {
            return format!("2024-{:02}-{:02}", month + 1, day + 1);
        }
        day -= length;
    }
    panic!("{days} is not in 2024")
}

/// A purpose for which everything is shown that tells who the person of a record is.
fn purpose(kind: Kind) -> &'static str {
    let info = kind.info();
    let personal =
        || info.fields().filter_map(|field| info.personal(field.index)).filter(|personal| personal.identifying);
    let serves = |purpose: &&Purpose| personal().all(|personal| personal.purposes.contains(purpose));
    let first = personal().next().map_or([Purpose::PersonnelAdministration].as_slice(), |personal| personal.purposes);
    let found = first.iter().find(serves).expect("a purpose for all of it");
    found.as_str_name().trim_start_matches("PURPOSE_")
}

async fn queryable(client: &Client, kind: Kind, record: &Record) {
    let info = kind.info();
    let mut selections = String::new();
    info.fields().for_each(|info| {
        let _ = write!(selections, " {}", selection(info));
    });
    let query = format!("query($id: ID!) {{ {}(id: $id) {{ {selections} }} }}", info.singular);
    let data = client.ask(&query, json!({"id": global_id::encode(kind, id(kind, 2))})).await;
    let entity = record.entity().expect("an entity");
    for info in info.fields() {
        let name = if info.relation.is_empty() { info.name } else { info.relation };
        let found = &data[kind.info().singular][name];
        match info.index {
            field::CREATED_AT | field::UPDATED_AT => {
                assert!(found.as_str().is_some_and(|text| text.ends_with('Z')), "{kind:?}.{name}: {found}")
            }
            _ => assert_eq!(*found, shown(info, kind, &entity.get(info.index)), "{kind:?}.{name}"),
        }
    }
    // Each reference is a list on the other side.
    for info in info.own.iter().filter(|info| !is_left_out(kind, info)) {
        let (FieldType::Ref(to) | FieldType::RefList(to)) = info.ty else { continue };
        let other = match entity.get(info.index) {
            Value::Id(id) => id,
            Value::Ids(ids) => ids[0],
            other => panic!("{other:?}"),
        };
        let query = format!(
            "query($id: ID!) {{ {}(id: $id) {{ {} {{ nodes {{ id }} }} }} }}",
            to.info().singular,
            info.inverse
        );
        let data = client.ask(&query, json!({"id": global_id::encode(to, other)})).await;
        let nodes = data[to.info().singular][info.inverse]["nodes"].as_array().expect("a list").clone();
        assert!(nodes.contains(&json!({"id": global_id::encode(kind, id(kind, 2))})), "{to:?}.{}", info.inverse);
    }
}

async fn filterable(client: &Client, kind: Kind, record: &Record) {
    let info = kind.info();
    let entity = record.entity().expect("an entity");
    let me = global_id::encode(kind, id(kind, 2));
    let query = format!("query($filter: {}Filter!) {{ {}(filter: $filter) {{ totalCount }} }}", info.name, info.plural);
    for info in info.fields().filter(|info| !is_left_out(kind, info)) {
        let value = entity.get(info.index);
        let (yes, no) = match (info.ty, &value) {
            (_, Value::Null) => (json!({"isNull": true}), json!({"isNull": false})),
            (FieldType::DateTime, _) => (json!({"gt": "2020-01-01T00:00:00Z"}), json!({"lt": "2020-01-01T00:00:00Z"})),
            (FieldType::Ref(to), Value::Id(id)) => {
                (json!({"eq": global_id::encode(to, *id)}), json!({"ne": global_id::encode(to, *id)}))
            }
            (FieldType::RefList(to), Value::Ids(ids)) => {
                (json!({"has": global_id::encode(to, ids[0])}), json!({"has": global_id::encode(to, Uuid::nil())}))
            }
            (FieldType::TextList, Value::Texts(texts)) => (json!({"has": texts[0]}), json!({"has": "nothing"})),
            (FieldType::EnumList(list), Value::Enums(numbers)) => {
                (json!({"has": list.name_of(numbers[0])}), json!({"has": list.values[3].name}))
            }
            (FieldType::ExternalIds, _) => (json!({"has": {"system": "hr", "id": "7"}}), json!({"isEmpty": true})),
            (FieldType::Translations, _) => (json!({"isEmpty": false}), json!({"isEmpty": true})),
            _ => (json!({"eq": shown(info, kind, &value)}), json!({"ne": shown(info, kind, &value)})),
        };
        for (test, count) in [(yes, 1), (no, 0)] {
            let filter = if info.index == field::ID {
                json!({"and": [{"id": {"eq": me}}, {"id": test}]})
            } else {
                json!({"id": {"eq": me}, info.name: test})
            };
            let data = client.ask(&query, json!({"filter": filter})).await;
            assert_eq!(data[kind.info().plural]["totalCount"], count, "{filter}");
        }
    }
}

async fn orderable(client: &Client, kind: Kind) {
    let info = kind.info();
    let list = |info: &FieldInfo| {
        matches!(
            info.ty,
            FieldType::Text if info.max_length > 4096
        ) || matches!(
            info.ty,
            FieldType::TextList
                | FieldType::EnumList(_)
                | FieldType::RefList(_)
                | FieldType::ExternalIds
                | FieldType::Translations
        )
    };
    let fields: Vec<_> = info.fields().filter(|info| !list(info)).map(|info| info.column.to_uppercase()).collect();
    let selections: Vec<_> = fields
        .iter()
        .flat_map(|field| {
            ["ASC", "DESC"].map(|direction| {
                format!(
                    "{field}_{direction}: {}(orderBy: {{field: {field}, direction: {direction}}}) {{ nodes {{ id }} }}",
                    info.plural
                )
            })
        })
        .collect();
    let data =
        client.ask(&format!("{{ {} all: {} {{ totalCount }} }}", selections.join(" "), info.plural), json!({})).await;
    for field in &fields {
        for direction in ["ASC", "DESC"] {
            let nodes = data[format!("{field}_{direction}")]["nodes"].as_array().expect("a list");
            assert_eq!(json!(nodes.len()), data["all"]["totalCount"], "{kind:?} {field}");
        }
    }
}

/// A mapping may write each writable field from a column. What names a record has a place of its own in the language.
fn importable(kind: Kind) {
    for info in kind.info().inputs() {
        let line = match (info.index, info.ty) {
            (field::KEY, _) => "key = \"{c}\"".to_owned(),
            (field::EXTERNAL_IDS, _) => "external = [{ system = \"hr\", id = \"{c}\" }]".to_owned(),
            (field::TRANSLATIONS, _) => "translations = { nl = \"{c}\" }".to_owned(),
            (_, FieldType::Ref(_) | FieldType::RefList(_)) => format!("fields.{} = {{ key = \"{{c}}\" }}", info.column),
            _ => format!("fields.{} = \"{{c}}\"", info.column),
        };
        let text = format!(
            "name = \"test\"\n[[table]]\nname = \"all\"\n[[table.record]]\nkind = \"{}\"\nid = \"{{i}}\"\n{line}\n",
            kind.info().name
        );
        if let Err(error) = Mapping::parse(&text) {
            panic!("{kind:?}.{}: {error}\n{text}", info.name);
        }
    }
}
