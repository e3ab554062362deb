//! Queries over a small graph, through the engine.

mod attack;
mod coverage;
mod facets;
mod filter;
mod leak;
mod paging;
mod people;
mod provenance;
mod query;
mod random;
mod reach;
mod replay;
mod resume;
mod saga;
mod search;
mod sight;
mod subscription;
mod tree;

use std::sync::Arc;

use serde_json::{Value as Json, json};
use spil_auth::{Caller, Permission};
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{Cursor, Record},
    model::{Kind, Owner, Value, field},
    owner::OwnerClient,
};
use tonic::transport::Endpoint;
use uuid::Uuid;

use super::*;
use crate::live::PublishedOwner;

/// The id of a record by a small number.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 | number)
}

/// A record with a name and own fields by their column.
fn record(kind: Kind, number: u128, name: &str, values: &[(&str, Value<'static>)]) -> Record {
    let mut record = Record::empty(kind);
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::ID, Value::Id(id(number))).expect("an id");
    entity.set(field::KEY, Value::Text(format!("K{number}").into())).expect("a key");
    entity.set(field::NAME, Value::Text(name.to_owned().into())).expect("a name");
    entity.set(field::VERSION, Value::Int(1)).expect("a version");
    for (column, value) in values {
        let index = kind.info().field_by_column(column).expect("a field").index;
        entity.set(index, value.clone()).expect("a value of its type");
    }
    record
}

/// Five capabilities in a tree, two initiatives that change them, and one that refers to what is not there.
fn sample() -> Vec<Record> {
    let maturity = |level| ("maturity_current", Value::Int(level));
    let parent = |number| ("parent_id", Value::Id(id(number)));
    vec![
        record(Kind::Capability, 1, "Customer service", &[maturity(2), ("kind", Value::Enum(1))]),
        record(
            Kind::Capability,
            2,
            "Claims handling",
            &[maturity(3), parent(1), ("tags", Value::Texts(vec!["core".to_owned()].into()))],
        ),
        record(Kind::Capability, 3, "Complaint \"handling\"", &[maturity(1), parent(1)]),
        record(Kind::Capability, 4, "billing", &[maturity(3)]),
        record(Kind::Capability, 5, "Archive", &[parent(99)]),
        record(
            Kind::Initiative,
            10,
            "Claims assistant",
            &[
                ("uses_ai", Value::Bool(true)),
                ("budget", Value::Decimal("1250.5".parse().expect("a decimal"))),
                ("start", Value::Date(20_000)),
            ],
        ),
        record(Kind::Initiative, 11, "Paperless", &[("stage", Value::Enum(3))]),
        record(
            Kind::CapabilityChange,
            20,
            "",
            &[("initiative_id", Value::Id(id(10))), ("capability_id", Value::Id(id(2)))],
        ),
        record(
            Kind::CapabilityChange,
            21,
            "",
            &[("initiative_id", Value::Id(id(10))), ("capability_id", Value::Id(id(3)))],
        ),
        record(
            Kind::CapabilityChange,
            22,
            "",
            &[("initiative_id", Value::Id(id(11))), ("capability_id", Value::Id(id(2)))],
        ),
    ]
}

/// An engine over records, whose owners can not be reached.
fn engine(records: &[Record], limits: Limits) -> Engine {
    let mut graph = Graph::new();
    records.iter().for_each(|record| graph.apply(record).expect("a record"));
    engine_over(graph, limits)
}

/// An engine over a graph, whose owners can not be reached.
fn engine_over(graph: Graph, limits: Limits) -> Engine {
    let live = Live::empty();
    let cursor = Cursor { store_id: vec![7; 16], epoch: 1, revision: 5, mark: 5 };
    let owners = Owner::ALL.map(|owner| PublishedOwner { owner, cursor: Some(cursor.clone()), status: Arc::default() });
    live.publish(Published::new(graph, owners), Vec::new());
    let clients =
        Owner::ALL.map(|owner| OwnerClient::new(owner, Endpoint::from_static("http://127.0.0.1:1").connect_lazy()));
    Engine::new(SpilSchema::get().expect("a schema"), Arc::new(live), clients, limits)
}

fn caller() -> Caller {
    Caller::new("tester", Permission::ALL)
}

/// Asks an engine, and gives the answer without its extensions.
async fn ask_with(engine: &Engine, query: &str, variables: Json) -> Json {
    let request: Request = serde_json::from_value(json!({"query": query, "variables": variables})).expect("a request");
    let response = engine.execute(&caller(), "token", request, Allowed::Everything).await;
    let mut json: Json = serde_json::from_slice(&response.body).expect("the answer is JSON");
    if let Some(object) = json.as_object_mut() {
        object.remove("extensions");
    }
    json
}

/// Asks about the sample and gives `data`.
async fn data(query: &str, variables: Json) -> Json {
    let mut answer = ask_with(&engine(&sample(), Limits::default()), query, variables).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].take()
}

/// Asks about the sample and gives the code and the message of the first error.
async fn error(query: &str, variables: Json) -> (String, String) {
    let answer = ask_with(&engine(&sample(), Limits::default()), query, variables).await;
    let first = &answer["errors"][0];
    (
        first["extensions"]["code"].as_str().unwrap_or_default().to_owned(),
        first["message"].as_str().unwrap_or_default().to_owned(),
    )
}
