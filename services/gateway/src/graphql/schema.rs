//! The GraphQL schema, written from the model table.

mod apply_changes;
mod audit;
mod federation;
mod inputs;
mod objects;
mod people;
mod prelude;
mod reach;
mod register;
mod search;
mod subject;
mod subscription;
mod text;

use std::{fmt::Write, sync::LazyLock};

use apollo_compiler::{Name, Schema, collections::HashMap, schema::Implementers, validation::Valid};
use spil_graph::By;
use spil_proto::model::{
    ENUMS, EnumInfo, FieldInfo, FieldType, Kind, KindInfo, PERSONAL_ENUMS, Relation, TextFormat, field,
};

use text::{block, upper_first};

/// The schema with what introspection needs.
#[derive(Debug)]
pub struct SpilSchema {
    pub(crate) schema: Valid<Schema>,
    pub(crate) implementers: HashMap<Name, Implementers>,
    /// The schema in the schema definition language, whole: a client needs nothing else.
    pub sdl: String,
    /// The same as a subgraph gives it to a composer: without what the specification of federation defines.
    pub subgraph_sdl: String,
}

/// Why there is no schema: the model table does not make a valid one. A test rules it out.
#[derive(Debug, thiserror::Error)]
#[error("the model does not make a valid GraphQL schema: {0}")]
pub struct SchemaError(String);

static SCHEMA: LazyLock<Result<SpilSchema, SchemaError>> = LazyLock::new(SpilSchema::build);

impl SpilSchema {
    /// The one schema of this version.
    ///
    /// # Errors
    /// If the model table does not make a valid schema.
    pub fn get() -> Result<&'static SpilSchema, &'static SchemaError> {
        SCHEMA.as_ref()
    }

    fn build() -> Result<Self, SchemaError> {
        let (sdl, subgraph_sdl) = (sdl(Reader::Client), sdl(Reader::Composer));
        let schema = Schema::parse_and_validate(&sdl, "schema.graphql")
            .map_err(|errors| SchemaError(errors.errors.to_string()))?;
        // Introspection tells no directive that is applied, so that of the register would be one that nothing has.
        let mut schema = schema.into_inner();
        schema.directive_definitions.shift_remove(register::DIRECTIVE);
        let schema = Valid::assume_valid(schema);
        let implementers = schema.implementers_map();
        Ok(Self { schema, implementers, sdl, subgraph_sdl })
    }
}

/// The enumeration of the fields that a kind can be ordered by, for instance `CapabilityOrderField`.
pub(crate) fn order_field_name(field: &FieldInfo) -> String {
    field.column.to_uppercase()
}

/// The value of that enumeration that counts the records of a relation: `children` as `CHILDREN_COUNT`.
pub(crate) fn order_count_name(relation: &Relation) -> String {
    format!("{}_COUNT", upper_snake(relation.name))
}

/// What an order names: a field, or a relation to many records, whose number counts.
pub(crate) fn order_by(info: &'static KindInfo, name: &str) -> Option<By> {
    let field = info.fields().find(|field| is_orderable(field) && order_field_name(field) == name);
    field.map(|field| By::Field(field.index)).or_else(|| {
        if !name.ends_with("_COUNT") {
            return None;
        }
        let mut relations = info.kind.relations().into_iter();
        relations.position(|relation| relation.many && order_count_name(&relation) == name).map(By::Count)
    })
}

/// The field that a value of the enumeration of facets names, for instance of `CapabilityFacetField`.
pub(crate) fn facet_field(info: &'static KindInfo, name: &str) -> Option<&'static FieldInfo> {
    info.fields().find(|field| has_facets(field) && order_field_name(field) == name)
}

/// The widest range of a whole number that has facets.
const MAX_FACET_RANGE: f64 = 1000.0;

/// Whether a field takes few values, so that it says something how often each of them occurs.
pub(crate) fn has_facets(field: &FieldInfo) -> bool {
    if field.index < field::OWN {
        return field.index == field::TAGS;
    }
    let is_short = field.max_length <= MAX_ORDERED_TEXT && field.format != TextFormat::Email;
    match field.ty {
        FieldType::Bool | FieldType::Enum(_) | FieldType::EnumList(_) | FieldType::Ref(_) | FieldType::RefList(_) => {
            true
        }
        FieldType::Int => field.min.zip(field.max).is_some_and(|(min, max)| max - min <= MAX_FACET_RANGE),
        // Texts about people tell one from another.
        FieldType::Text | FieldType::TextList => is_short && field.personal.is_none(),
        _ => false,
    }
}

/// The longest text, in bytes, that records can be put in order by: cursors hold it.
const MAX_ORDERED_TEXT: usize = 4096;

/// Whether records can be put in order by a field: it has one value, and no prose.
pub(crate) fn is_orderable(field: &FieldInfo) -> bool {
    let is_prose = matches!(field.ty, FieldType::Text) && field.max_length > MAX_ORDERED_TEXT;
    !is_prose
        && !matches!(
            field.ty,
            FieldType::TextList
                | FieldType::EnumList(_)
                | FieldType::RefList(_)
                | FieldType::ExternalIds
                | FieldType::Translations
        )
}

/// The name of a field of a record in the schema: of a reference that of its relation.
pub(crate) fn output_name(field: &FieldInfo) -> &'static str {
    if field.relation.is_empty() { field.name } else { field.relation }
}

/// The field of a record that has a name in the schema.
pub(crate) fn output_field(info: &'static KindInfo, name: &str) -> Option<&'static FieldInfo> {
    // A reference is called `parent` where it is read and `parentId` where it is written; either will do.
    info.fields().find(|field| output_name(field) == name || field.name == name)
}

/// For whom the schema is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Whoever asks: with all definitions.
    Client,
    /// Whoever joins subgraphs, and brings along what the specification of federation defines.
    Composer,
}

/// The whole schema as text.
fn sdl(reader: Reader) -> String {
    let mut out = String::new();
    out.push_str(prelude::PRELUDE);
    match reader {
        Reader::Client => federation::definitions(&mut out),
        Reader::Composer => out.push_str(federation::LINK),
    }
    inputs::compared_filters(&mut out);
    for list in ENUMS {
        enumeration(&mut out, list);
        inputs::enum_filters(&mut out, list);
    }
    kinds(&mut out);
    reach::types(&mut out);
    out.push_str(search::TYPES);
    PERSONAL_ENUMS.iter().for_each(|list| enumeration(&mut out, list));
    out.push_str(register::TYPES);
    out.push_str(people::TYPES);
    out.push_str(audit::TYPES);
    apply_changes::types(&mut out);
    subject::types(&mut out);
    query(&mut out, reader);
    mutation(&mut out);
    subscription::write(&mut out, reader);
    for kind in Kind::ALL {
        let info = kind.info();
        objects::entity(&mut out, info);
        objects::connection(&mut out, info);
        inputs::filters(&mut out, info);
        inputs::order(&mut out, info);
        inputs::facet(&mut out, info);
        inputs::mutations(&mut out, info);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn enumeration(out: &mut String, list: &EnumInfo) {
    block(out, "", list.doc);
    let _ = writeln!(out, "enum {} {{", list.name);
    for value in list.values {
        block(out, "  ", value.doc);
        let _ = writeln!(out, "  {}", value.name);
    }
    out.push_str("}\n\n");
}

/// The name of a kind in the enumeration `RecordKind`: `ORG_UNIT`.
pub(crate) fn kind_value(kind: Kind) -> String {
    upper_snake(kind.info().name)
}

/// A name in camel case as an enumeration value.
fn upper_snake(name: &str) -> String {
    let mut value = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            value.push('_');
        }
        value.push(letter.to_ascii_uppercase());
    }
    value
}

/// The kind that a value of the enumeration `RecordKind` names.
pub(crate) fn kind_of_value(value: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind_value(*kind) == value)
}

fn kinds(out: &mut String) {
    out.push_str("\"The kinds of records.\"\nenum RecordKind {\n");
    for kind in Kind::ALL {
        block(out, "  ", kind.info().doc);
        let _ = writeln!(out, "  {}", kind_value(*kind));
    }
    out.push_str("}\n\n");
}

fn query(out: &mut String, reader: Reader) {
    out.push_str(
        "\"What can be asked. Every part of one request is answered from the same state of the graph.\"\ntype Query {\n  \
         \"The record with an id, whatever its kind; null if there is none.\"\n  node(\n    \"The id of the record.\"\n    id: ID!\n  ): Node\n  \
         \"The records with ids, in the order of the ids; null in the place of one that is not there. At most 1000 ids.\"\n  nodes(\n    \"The ids of the records.\"\n    ids: [ID!]!\n  ): [Node]!\n  \
         \"How the graph that answers is doing. Needs the permission `admin`.\"\n  snapshot: Snapshot!\n",
    );
    reach::query(out);
    search::query(out);
    out.push_str(register::QUERY);
    out.push_str(people::QUERY);
    out.push_str(audit::QUERY);
    out.push_str(subject::QUERY);
    if reader == Reader::Client {
        out.push_str(federation::QUERY);
    }
    for kind in Kind::ALL {
        let info = kind.info();
        let _ = writeln!(
            out,
            "  \"The {} with an id, a key or an external id; exactly one of them is given. Null if there is none.\"\n  {}(\n    \"Its id.\"\n    id: ID\n    \"Its key.\"\n    key: String\n    \"One of its external ids.\"\n    externalId: ExternalIdInput\n  ): {}",
            info.name, info.singular, info.name
        );
        let _ = writeln!(out, "  \"All records of the kind {}.\"", info.name);
        let _ = writeln!(out, "  {}{}", info.plural, objects::list_arguments(info));
    }
    out.push_str("}\n\n");
}

fn mutation(out: &mut String) {
    out.push_str("\"What can be changed. Needs the permission `write`. The mutations of a request run one after the other.\"\ntype Mutation {\n");
    out.push_str(apply_changes::FIELD);
    subject::mutations(out);
    for kind in Kind::ALL {
        let info = kind.info();
        for (verb, doc) in [
            ("create", "Makes a record."),
            ("update", "Writes the fields that are given and leaves the others alone; null clears a field."),
            (
                "retire",
                "Takes a record out of the graph. Its history stays, its key can be used again, and what refers to it refers to nothing.",
            ),
        ] {
            let _ = writeln!(
                out,
                "  \"{doc}\"\n  {verb}{0}(\n    \"What to write.\"\n    input: {1}{0}Input!\n  ): {1}{0}Payload",
                info.name,
                upper_first(verb)
            );
        }
    }
    out.push_str("}\n\n");
}

/// The filter inputs of numbers and times, which differ in their scalar only.
const COMPARED: [&str; 5] = ["Int", "Float", "Decimal", "Date", "DateTime"];

#[cfg(test)]
mod tests;
