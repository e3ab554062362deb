//! The schema is valid, the same as the committed one, and describes everything in it.

use std::{env, fs, path::Path};

use apollo_compiler::schema::ExtendedType;
use spil_proto::model::FieldType;

use super::*;

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let schema = SpilSchema::get().expect("a valid schema");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    if env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema.sdl).expect("written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == schema.sdl,
        "schema.graphql differs; run `UPDATE_SCHEMA=1 cargo test -p spil-gateway` and look at the change"
    );
}

#[test]
fn everything_has_a_description() {
    let schema = &SpilSchema::get().expect("a valid schema").schema;
    for (name, item) in schema.types.iter().filter(|(_, item)| !item.is_built_in()) {
        let described = |what: &str, text: Option<&apollo_compiler::Node<str>>| {
            assert!(text.is_some_and(|text| !text.trim().is_empty()), "{name}{what} has no description");
        };
        described("", item.description());
        match item {
            ExtendedType::Object(object) => object.fields.values().for_each(|field| {
                described(&format!(".{}", field.name), field.description.as_ref());
                field.arguments.iter().for_each(|argument| {
                    described(&format!(".{}({})", field.name, argument.name), argument.description.as_ref())
                });
            }),
            ExtendedType::Interface(interface) => {
                interface
                    .fields
                    .values()
                    .for_each(|field| described(&format!(".{}", field.name), field.description.as_ref()));
            }
            ExtendedType::InputObject(input) => {
                input
                    .fields
                    .values()
                    .for_each(|field| described(&format!(".{}", field.name), field.description.as_ref()));
            }
            ExtendedType::Enum(list) => {
                list.values
                    .values()
                    .for_each(|value| described(&format!(".{}", value.value), value.description.as_ref()));
            }
            ExtendedType::Scalar(_) | ExtendedType::Union(_) => {}
        }
    }
}

#[test]
fn every_field_of_the_model_can_be_asked_filtered_ordered_and_written() {
    let schema = &SpilSchema::get().expect("a valid schema").schema;
    for kind in Kind::ALL {
        let info = kind.info();
        let object = schema.get_object(info.name).expect("a type for the kind");
        let filter = schema.get_input_object(&format!("{}Filter", info.name)).expect("a filter");
        let order = schema.get_enum(&format!("{}OrderField", info.name)).expect("an order");
        let create = schema.get_input_object(&format!("Create{}Input", info.name)).expect("an input");
        let update = schema.get_input_object(&format!("Update{}Input", info.name)).expect("an input");
        for field in info.fields() {
            let asked =
                if matches!(field.ty, FieldType::Ref(_) | FieldType::RefList(_)) { field.relation } else { field.name };
            assert!(object.fields.contains_key(asked), "{}.{asked}", info.name);
            assert!(filter.fields.contains_key(field.name), "filter {}.{}", info.name, field.name);
            assert_eq!(
                order.values.contains_key(order_field_name(field).as_str()),
                is_orderable(field),
                "order {}.{}",
                info.name,
                field.name
            );
            assert_eq!(create.fields.contains_key(field.name), field.writable, "create {}.{}", info.name, field.name);
            assert_eq!(
                update.fields.contains_key(field.name),
                field.writable || field.index == 0,
                "update {}.{}",
                info.name,
                field.name
            );
        }
        for field in info.one_way {
            let (name, order_name) = (field.name, order_field_name(field));
            assert!(create.fields.contains_key(name), "create {}.{name}", info.name);
            assert!(!update.fields.contains_key(name), "update {}.{name}", info.name);
            assert!(!object.fields.contains_key(name), "{}.{name}", info.name);
            assert!(!filter.fields.contains_key(name), "filter {}.{name}", info.name);
            assert!(!order.values.contains_key(order_name.as_str()), "order {}.{order_name}", info.name);
        }
        let facets = schema.get_enum(&format!("{}FacetField", info.name)).expect("facets");
        for name in facets.values.keys() {
            assert!(facet_field(info, name).is_some(), "facets {}.{name}", info.name);
        }
        for name in order.values.keys() {
            assert!(order_by(info, name).is_some(), "order {}.{name}", info.name);
        }
        for relation in kind.relations() {
            assert_eq!(
                order.values.contains_key(order_count_name(&relation).as_str()),
                relation.many,
                "order {}.{}",
                info.name,
                relation.name
            );
            assert!(object.fields.contains_key(relation.name), "{}.{}", info.name, relation.name);
            assert!(filter.fields.contains_key(relation.name), "filter {}.{}", info.name, relation.name);
        }
    }
}

#[test]
fn fields_that_take_few_values_have_facets() {
    let has = |kind: Kind, name: &str| has_facets(kind.info().field_by_name(name).expect("a field"));
    for (kind, name) in [
        (Kind::Capability, "tags"),
        (Kind::Capability, "maturityCurrent"),
        (Kind::Capability, "parentId"),
        (Kind::Application, "vendor"),
        (Kind::Role, "jobFamily"),
        (Kind::Initiative, "usesAi"),
        (Kind::Initiative, "currency"),
        (Kind::Worker, "status"),
    ] {
        assert!(has(kind, name), "{kind:?}.{name}");
    }
    for (kind, name) in [
        (Kind::Capability, "name"),
        (Kind::Capability, "description"),
        (Kind::Capability, "version"),
        (Kind::Worker, "displayName"),
        (Kind::Worker, "email"),
        (Kind::RoleImpact, "plan"),
        (Kind::RoleImpact, "headcount"),
        (Kind::Initiative, "budget"),
    ] {
        assert!(!has(kind, name), "{kind:?}.{name}");
    }
}
