//! What the schema says that does not come from the model.

/// What does not depend on the model.
pub(super) const PRELUDE: &str = r#""The graph of how an organisation changes: its capabilities, roles and initiatives, and the people, skills, systems and benefits between them."
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
