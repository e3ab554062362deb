//! Records of any kind, made from the model table.

use spil_proto::{
    capability::v1::Capability,
    changefeed::v1::{Record, record::Entity},
    model::{ExternalId, FieldInfo, FieldType, Header, Kind, TextFormat, Translation, Value, field},
};
use uuid::Uuid;

use crate::owner::{TestOwner, create, id};

/// Values for one field differ by seed.
pub(crate) async fn value(owner: &TestOwner, kind: Kind, info: &FieldInfo, seed: u32) -> Value<'static> {
    let number = f64::from(seed % 7) * 0.125;
    let within = |number: f64| number.clamp(info.min.unwrap_or(-1e6), info.max.unwrap_or(1e6));
    match info.ty {
        FieldType::Text => Value::Text(
            match info.format {
                TextFormat::Plain => format!("{} {seed} é \u{1F600}", info.column),
                TextFormat::Uri => format!("https://example.org/{}/{seed}?a=%20", info.column),
                TextFormat::Email => format!("person.{seed}@example.org"),
                TextFormat::Currency => if seed.is_multiple_of(2) { "EUR" } else { "USD" }.to_owned(),
                TextFormat::Uuid => Uuid::now_v7().to_string(),
            }
            .into(),
        ),
        FieldType::TextList => {
            let text = |part: u32| match info.format {
                TextFormat::Uri => format!("https://example.org/{seed}/{part}"),
                _ => format!("{seed} {part}"),
            };
            Value::Texts(vec![text(1), text(2)].into())
        }
        FieldType::Bool => Value::Bool(seed.is_multiple_of(2)),
        FieldType::Int => {
            let (min, max) = (info.min.unwrap_or(-5.0), info.max.unwrap_or(5.0));
            let span = (max - min).min(3.0);
            Value::Int((min + f64::from(seed % 2) * span) as i64)
        }
        FieldType::Float => Value::Float(within(number + 0.1)),
        FieldType::Decimal => {
            let text = format!("{}.{}5", 100_000_000_000_000_u64 + u64::from(seed), seed % 10);
            Value::Decimal(text.parse().expect("a decimal"))
        }
        FieldType::Date => Value::Date(20_000 + i32::try_from(seed).expect("small")),
        FieldType::Enum(list) => Value::Enum(list.values[seed as usize % list.values.len()].number),
        FieldType::EnumList(list) => Value::Enums(
            list.values.iter().skip(seed as usize % 2).map(|value| value.number).collect::<Vec<_>>().into(),
        ),
        FieldType::Ref(to) => Value::Id(target(owner, to).await),
        FieldType::RefList(to) => {
            let mut ids = vec![target(owner, to).await, target(owner, to).await];
            ids.sort_unstable();
            Value::Ids(ids)
        }
        FieldType::ExternalIds => {
            let id = |system: &str| ExternalId { system: system.into(), id: format!("{kind:?} {seed}") };
            Value::ExternalIds(vec![id("hr"), id("it")].into())
        }
        FieldType::Translations => {
            let name = |language: &str| Translation { language: language.into(), name: format!("{language} {seed}") };
            Value::Translations(vec![name("de-AT"), name("nl")].into())
        }
        FieldType::DateTime => Value::DateTime(1_700_000_000_123_456 + i64::from(seed) * 1_000_001),
        FieldType::Id => Value::Null,
    }
}

/// A record with nothing but what it must have.
pub(crate) async fn minimal(owner: &TestOwner, kind: Kind) -> Record {
    let mut record = Record::empty(kind);
    for info in kind.info().inputs().filter(|info| info.required) {
        let value = Box::pin(value(owner, kind, info, 1)).await;
        set(&mut record, info.index, value);
    }
    record
}

/// A record with a value in every field that can be written.
pub(crate) async fn full(owner: &TestOwner, kind: Kind, seed: u32) -> Record {
    let mut record = Record::empty(kind);
    for info in kind.info().inputs() {
        let value = value(owner, kind, info, seed).await;
        set(&mut record, info.index, value);
    }
    record
}

async fn target(owner: &TestOwner, kind: Kind) -> Uuid {
    if kind.info().owner != owner.service.owner() {
        return Uuid::now_v7();
    }
    let record = minimal(owner, kind).await;
    id(&owner.one(create(record)).await)
}

pub(crate) fn set(record: &mut Record, index: usize, value: Value<'_>) {
    record.entity_mut().expect("an entity").set(index, value).expect("of the right type");
}

pub(crate) fn get(record: &Record, index: usize) -> Value<'_> {
    record.entity().expect("an entity").get(index)
}

pub(crate) fn capability(key: Option<&str>, name: &str) -> Record {
    let header = Header { key: key.map(str::to_owned), name: Some(name.to_owned()), ..Header::default() };
    Record { entity: Some(Entity::Capability(Capability { header: Some(header), ..Capability::default() })) }
}

pub(crate) fn child_of(parent: Uuid) -> Record {
    let capability = Capability { parent_id: Some(parent.as_bytes().to_vec()), ..Capability::default() };
    Record { entity: Some(Entity::Capability(capability)) }
}

pub(crate) fn name_of(record: &Record) -> String {
    match get(record, field::NAME) {
        Value::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}
