//! The GraphQL schema, written from the model table.

mod apply_changes;
mod audit;
mod federation;
mod inputs;
mod objects;
mod people;
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
    out.push_str(PRELUDE);
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

/// What does not depend on the model.
const PRELUDE: &str = r#""The graph of how an organisation changes: its capabilities, roles and initiatives, and the people, skills, systems and benefits between them."
schema {
  query: Query
  mutation: Mutation
  subscription: Subscription
}

"A day of the Gregorian calendar: `YYYY-MM-DD`."
scalar Date @specifiedBy(url: "https://datatracker.ietf.org/doc/html/rfc3339#section-5.6")

"A moment: RFC 3339 with an offset. Answers are in UTC."
scalar DateTime @specifiedBy(url: "https://datatracker.ietf.org/doc/html/rfc3339#section-5.6")

"A decimal number as a string, at most 15 digits before the point and 4 after it: `\"1250.50\"`."
scalar Decimal @specifiedBy(url: "https://datatracker.ietf.org/doc/html/rfc8259#section-6")

"Something with an id that is unique among all records."
interface Node {
  "Identifies the record for ever. Opaque."
  id: ID!
}

"What every record carries."
interface Record implements Node {
  "Identifies the record for ever. Opaque."
  id: ID!
  "The organisation's own code for the record, unique among the live records of its kind."
  key: String
  "The names other systems give to the record."
  externalIds: [ExternalId!]!
  "The name people know the record by."
  name(
    "The language wanted (BCP 47); the plain name where there is no translation."
    language: String
  ): String
  "What the record is, in prose."
  description: String
  "Free labels, without order."
  tags: [String!]!
  "The name in other languages."
  translations: [Translation!]!
  "How many times the record was written. Give it back as `expectedVersion` to detect a lost update."
  version: Int!
  "When the record was first written."
  createdAt: DateTime!
  "When the record was last written."
  updatedAt: DateTime!
  "When the record was retired; a live record has none."
  retiredAt: DateTime
  "Which write last set a field. Null if it was never set, was set before this was kept, or is one that Spil itself keeps up to date: the id, the version, the times."
  provenance(
    "The name of the field in this schema: `maturityTarget`, `parent`. One of the record itself, not a list of what refers to it."
    field: String!
  ): Provenance
  "Which write last set each field, for the fields of which that is known."
  provenances: [FieldProvenance!]!
}

"A write that set a field."
type Provenance {
  "Which system the value came from: `graphql`, or `import:` and the name of the mapping."
  source: String!
  "Which run of that system, the same for all that one import wrote; null if it has no runs."
  run: String
  "Who wrote it: the subject of the token. Null on records that are people or somebody's, but for those who may audit."
  actor: String
  "When it was written."
  at: DateTime!
}

"A field, and the write that set it."
type FieldProvenance {
  "The name of the field in this schema."
  field: String!
  "Which system the value came from: `graphql`, or `import:` and the name of the mapping."
  source: String!
  "Which run of that system, the same for all that one import wrote; null if it has no runs."
  run: String
  "Who wrote it: the subject of the token. Null on records that are people or somebody's, but for those who may audit."
  actor: String
  "When it was written."
  at: DateTime!
}

"The name another system gives to a record."
type ExternalId @shareable {
  "The system that uses the id."
  system: String!
  "The id in that system."
  id: String!
}

"The name another system gives to a record."
input ExternalIdInput {
  "The system that uses the id."
  system: String!
  "The id in that system."
  id: String!
}

"A name in another language."
type Translation @shareable {
  "A language tag (BCP 47)."
  language: String!
  "The name in that language."
  name: String!
}

"A name in another language."
input TranslationInput {
  "A language tag (BCP 47)."
  language: String!
  "The name in that language."
  name: String!
}

"Where a page stands in its list."
type PageInfo @shareable {
  "Whether there are records after the page."
  hasNextPage: Boolean!
  "Whether there are records before the page."
  hasPreviousPage: Boolean!
  "The cursor of the first record of the page."
  startCursor: String
  "The cursor of the last record of the page."
  endCursor: String
}

"How many records of a list have a value."
type Facet {
  "The value: the name of an enumeration value, `true` or `false`, a number, a text, or the id of a record; null for records without a value."
  value: String
  "How many records of the list have it."
  count: Int!
  "The record whose id the value is; null where the field refers to nothing, or to what is not there."
  record: Record
}

"Which way an order runs. Records without a value come last in ASC and first in DESC."
enum OrderDirection {
  "From small to large, A to Z, early to late."
  ASC
  "From large to small, Z to A, late to early."
  DESC
}

"Something that keeps a mutation from being done, and that whoever asked can mend."
interface UserError {
  "What is wrong, for programs."
  code: UserErrorCode!
  "What is wrong, for people."
  message: String!
  "The input field that it is about, from `input` on."
  path: [String!]!
}

"A value of the input breaks a rule."
type InputError implements UserError {
  "What is wrong, for programs."
  code: UserErrorCode!
  "What is wrong, for people."
  message: String!
  "The input field that it is about, from `input` on."
  path: [String!]!
}

"Somebody else has written the record since the version that the writer has seen. Read it again and decide."
type VersionConflict implements UserError {
  "Always VERSION_CONFLICT."
  code: UserErrorCode!
  "What is wrong, for people."
  message: String!
  "The input field that it is about: `expectedVersion`."
  path: [String!]!
  "The version that the record has now."
  currentVersion: Int!
  "The fields in which the record as it is now differs from what was to be written."
  fields: [String!]!
}

"Something that the writer should know though the mutation was done."
type Warning {
  "What is odd, for people."
  message: String!
  "The input field that it is about, from `input` on."
  path: [String!]!
}

"What can keep a mutation from being done."
enum UserErrorCode {
  "A value is needed."
  REQUIRED
  "A number is too small or too large."
  OUT_OF_RANGE
  "A text or a list is too long."
  TOO_LONG
  "A value is not of the right form."
  MALFORMED
  "The record to be changed, or one referred to, is not there."
  NOT_FOUND
  "The key, external id or temporary id belongs to another record."
  TAKEN
  "The references would form a cycle."
  CYCLE
  "The record, or one referred to, is retired."
  RETIRED
  "The value can not be changed once it is given."
  IMMUTABLE
  "The person was erased: nothing that tells who it was is taken again."
  ERASED
  "A rule of the domain is broken."
  RULE
  "The record has another version than expected."
  VERSION_CONFLICT
  "The `clientMutationId` was used for another input."
  MUTATION_ID_REUSED
  "The policy does not let the caller write this: the field that `path` leads to, or the record."
  FORBIDDEN
}

"How the graph that answers is doing."
type Snapshot {
  "Where the gateway stands with each owner of data."
  owners: [OwnerStatus!]!
  "References that lead nowhere: the record referred to is not there, not yet, or not any more."
  danglingReferences: [DanglingReferences!]!
  "How many live records there are of each kind, and their checksum; owners give the same at the same revision."
  digests: [KindDigest!]!
}

"Where the gateway stands with one owner of data."
type OwnerStatus {
  "The name of the owner."
  name: String!
  "The revision that the graph shows."
  appliedRevision: String!
  "The newest revision that the owner has told of."
  headRevision: String!
  "When the owner was last heard of."
  heardAt: DateTime
  "How often everything was read anew."
  resyncs: Int!
}

"How many references of one field lead nowhere."
type DanglingReferences {
  "The kind of record that refers."
  kind: String!
  "The field that refers."
  field: String!
  "How many references."
  count: Int!
}

"The checksum of the live records of a kind."
type KindDigest {
  "The kind."
  kind: String!
  "How many records."
  count: Int!
  "The checksum in hexadecimal digits: the sum modulo 2^128 of XXH3-128 over each encoded record."
  checksum: String!
}

"Compares a text. `contains` and `startsWith` take upper and lower case, and letters with and without accents, for equal: `cafe` is in `Café`, `STRASSE` is `Straße`. A record without a value matches `isNull: true`, `ne` and `notIn`."
input StringFilter {
  "Equal, character by character."
  eq: String
  "Not equal."
  ne: String
  "One of these."
  in: [String!]
  "None of these."
  notIn: [String!]
  "Holds this, in any case, with or without accents."
  contains: String
  "Begins with this, in any case, with or without accents."
  startsWith: String
  "Before this in the order that `orderBy` makes."
  lt: String
  "Before this or equal."
  lte: String
  "After this in the order that `orderBy` makes."
  gt: String
  "After this or equal."
  gte: String
  "Has no value, or has one."
  isNull: Boolean
}

"Looks into a list of texts."
input StringListFilter {
  "Holds this, character by character."
  has: String
  "Holds at least one of these."
  hasAny: [String!]
  "Holds a text that is so in every way given."
  some: StringFilter
  "Holds no text that is so in every way given."
  none: StringFilter
  "Is empty, or is not."
  isEmpty: Boolean
}

"Compares an id."
input IdFilter {
  "Equal."
  eq: ID
  "Not equal."
  ne: ID
  "One of these."
  in: [ID!]
  "None of these."
  notIn: [ID!]
  "Has no value, or has one."
  isNull: Boolean
}

"Looks into a list of ids."
input IdListFilter {
  "Holds this."
  has: ID
  "Holds at least one of these."
  hasAny: [ID!]
  "Is empty, or is not."
  isEmpty: Boolean
}

"Looks into external ids."
input ExternalIdListFilter {
  "Holds this."
  has: ExternalIdInput
  "Holds at least one of these."
  hasAny: [ExternalIdInput!]
  "Holds an external id that is so."
  some: ExternalIdFilter
  "Holds no external id that is so."
  none: ExternalIdFilter
  "Is empty, or is not."
  isEmpty: Boolean
}

"Compares an external id. What is given must hold together."
input ExternalIdFilter {
  "The system that uses the id."
  system: StringFilter
  "The id in that system."
  id: StringFilter
}

"Looks into translations."
input TranslationListFilter {
  "Holds this."
  has: TranslationInput
  "Holds at least one of these."
  hasAny: [TranslationInput!]
  "Holds a translation that is so."
  some: TranslationFilter
  "Holds no translation that is so."
  none: TranslationFilter
  "Is empty, or is not."
  isEmpty: Boolean
}

"Compares a name in another language. What is given must hold together."
input TranslationFilter {
  "The language tag (BCP 47)."
  language: StringFilter
  "The name in that language."
  name: StringFilter
}

"Compares a truth value."
input BooleanFilter {
  "Equal."
  eq: Boolean
  "Not equal; a record without a value matches too."
  ne: Boolean
  "Has no value, or has one."
  isNull: Boolean
}

"#;

/// The filter inputs of numbers and times, which differ in their scalar only.
const COMPARED: [&str; 5] = ["Int", "Float", "Decimal", "Date", "DateTime"];

#[cfg(test)]
mod tests;
