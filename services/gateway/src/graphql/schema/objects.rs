//! The object types of a kind: the record itself, its connection and its edge.

use std::fmt::Write;

use spil_proto::model::{FieldInfo, FieldType, HEADER_FIELDS, KindInfo, Step, field};

use super::{audit, federation, register, text::block};

/// The type of a record.
pub(super) fn entity(out: &mut String, info: &'static KindInfo) {
    block(out, "", info.doc);
    let _ = writeln!(out, "type {} implements Record & Node{} {{", info.name, federation::KEY);
    for field in &HEADER_FIELDS {
        let personal = info.personal(field.index);
        let mark = register::directive(personal);
        block(out, "  ", &register::described(field.doc, personal));
        match field.index {
            field::NAME => {
                let _ = writeln!(
                    out,
                    "  name(\n    \"The language wanted (BCP 47); the plain name where there is no translation.\"\n    language: String\n  ): String{mark}",
                );
            }
            _ => {
                let _ = writeln!(out, "  {}: {}{mark}", field.name, header_type(field));
            }
        }
    }
    out.push_str(PROVENANCE);
    if info.person {
        out.push_str(audit::ACCESS_LOG);
    }
    for field in info.own {
        if matches!(field.ty, FieldType::Ref(_) | FieldType::RefList(_)) {
            continue;
        }
        let personal = info.personal(field.index);
        block(out, "  ", &register::described(&documented(field), personal));
        let _ = writeln!(out, "  {}: {}{}", field.name, output_type(field), register::directive(personal));
    }
    for relation in info.kind.relations() {
        let personal = register::of_relation(info, relation.name);
        let mark = register::directive(personal);
        block(out, "  ", &register::described(&relation.doc, personal));
        let to = relation.to.info();
        let _ = match relation.steps.as_slice() {
            // Short by nature, and in an order of its own.
            [Step::Above { .. }] => writeln!(out, "  {}: [{}!]!", relation.name, to.name),
            [Step::Below { .. }] => writeln!(out, "  {}({DEPTH}{}", relation.name, after_bracket(&list_arguments(to))),
            _ if relation.many => writeln!(out, "  {}{}{mark}", relation.name, list_arguments(to)),
            _ => writeln!(out, "  {}: {}{mark}", relation.name, to.name),
        };
    }
    out.push_str("}\n\n");
}

/// The fields that say who set the others.
const PROVENANCE: &str = r#"  "Which write last set a field. Null if it was never set, was set before this was kept, or is one that Spil itself keeps up to date: the id, the version, the times."
  provenance(
    "The name of the field in this schema: of a value, or of a record or records that this one refers to."
    field: String!
  ): Provenance
  "Which write last set each field, for the fields of which that is known."
  provenances: [FieldProvenance!]!
"#;

/// The argument that a list of what is below a record has besides.
const DEPTH: &str = "\n    \"How many levels down, at least 1; all of them where nothing is said.\"\n    depth: Int";

/// The arguments of a list without the bracket that opens them.
fn after_bracket(arguments: &str) -> &str {
    arguments.strip_prefix('(').unwrap_or(arguments)
}

/// The arguments and the type of a list of a kind: `(filter: …, first: …): CapabilityConnection!`.
pub(super) fn list_arguments(info: &KindInfo) -> String {
    format!(
        "(\n    \"Which records.\"\n    filter: {0}Filter\n    \"In which order; by id where nothing is said or nothing else decides.\"\n    orderBy: [{0}Order!]\n    \
         \"How many records from the start, at most 1000; 100 where neither `first` nor `last` is given.\"\n    first: Int\n    \"The cursor to start after.\"\n    after: String\n    \
         \"How many records from the end, at most 1000.\"\n    last: Int\n    \"The cursor to end before.\"\n    before: String\n  ): {0}Connection!",
        info.name
    )
}

/// The types of a page of a kind.
pub(super) fn connection(out: &mut String, info: &KindInfo) {
    let name = info.name;
    let _ = writeln!(
        out,
        "\"A page of a list of the kind {name}.\"\ntype {name}Connection {{\n  \"The records with their cursors.\"\n  edges: [{name}Edge!]!\n  \"The records.\"\n  nodes: [{name}!]!\n  \"Where the page stands.\"\n  pageInfo: PageInfo!\n  \"How many records the whole list has.\"\n  totalCount: Int!\n  \"How often each value of a field occurs in the whole list: the most frequent first, those that are as frequent in the order of their values, no value last. A record with several values counts for each.\"\n  facets(\n    \"The field.\"\n    by: {name}FacetField!\n    \"How many values, at most 1000.\"\n    first: Int = 50\n  ): [Facet!]!\n}}\n\n\"A record of the kind {name} in a list.\"\ntype {name}Edge {{\n  \"The record.\"\n  node: {name}!\n  \"The place of the record in the list.\"\n  cursor: String!\n}}\n"
    );
}

/// The meaning of a field with its unit and range.
pub(super) fn documented(field: &FieldInfo) -> String {
    let mut text = field.doc.to_owned();
    if !field.unit.is_empty() {
        let _ = write!(text, " In {}.", field.unit);
    }
    match (field.min, field.max) {
        (Some(min), Some(max)) => {
            let _ = write!(text, " From {min} to {max}.");
        }
        (Some(min), None) => {
            let _ = write!(text, " At least {min}.");
        }
        (None, Some(max)) => {
            let _ = write!(text, " At most {max}.");
        }
        (None, None) => {}
    }
    text
}

fn header_type(field: &FieldInfo) -> &'static str {
    match field.index {
        field::ID => "ID!",
        field::EXTERNAL_IDS => "[ExternalId!]!",
        field::TAGS => "[String!]!",
        field::TRANSLATIONS => "[Translation!]!",
        field::VERSION => "Int!",
        field::CREATED_AT | field::UPDATED_AT => "DateTime!",
        field::RETIRED_AT => "DateTime",
        _ => "String",
    }
}

/// The output type of a field that is no relation.
fn output_type(field: &FieldInfo) -> String {
    match field.ty {
        FieldType::TextList => "[String!]!".to_owned(),
        FieldType::EnumList(list) => format!("[{}!]!", list.name),
        _ => scalar(field).to_owned(),
    }
}

/// The scalar or enumeration of one value of a field.
pub(super) fn scalar(field: &FieldInfo) -> &'static str {
    match field.ty {
        FieldType::Id | FieldType::Ref(_) | FieldType::RefList(_) => "ID",
        FieldType::Text | FieldType::TextList => "String",
        FieldType::Bool => "Boolean",
        FieldType::Int => "Int",
        FieldType::Float => "Float",
        FieldType::Decimal => "Decimal",
        FieldType::Date => "Date",
        FieldType::DateTime => "DateTime",
        FieldType::Enum(list) | FieldType::EnumList(list) => list.name,
        FieldType::ExternalIds => "ExternalIdInput",
        FieldType::Translations => "TranslationInput",
    }
}
