//! The types of who asks, who changed what and who read what about whom.

/// The fields of `Query`.
pub(super) const QUERY: &str = r#"  "Who asks, as the token and the policy say."
  viewer: Viewer!
  "Who changed what, when, from where and why, the newest first. Needs the action `audit` on the kinds of the records; of others nothing is told. What tells who a person is is told only to those who may identify people for the purpose that they name, and that they read it is kept in the access log of that person."
  audit(
    "Which changes. What is given must hold together."
    filter: AuditFilter
    "How many, at most 200; 100 where nothing is said."
    first: Int
    "The cursor to start after."
    after: String
  ): AuditPage
"#;

/// The field of a person.
pub(super) const ACCESS_LOG: &str = r#"  "Who read what tells who this person is, when and what for, the newest first. For the person, and for those with the action `audit` on the kind; null for everybody else, and in mutations and subscriptions. The same reader, purpose and fields within a minute are one entry. At most 100 people in one query."
  accessLog(
    "How many entries, at most 200; 100 where nothing is said."
    first: Int
    "The cursor to start after."
    after: String
  ): AccessLogPage
"#;

/// The types.
pub(super) const TYPES: &str = r#""Who asks."
type Viewer {
  "The subject of the token."
  subject: String!
  "Who signed the token."
  issuer: String!
  "The roles that the policy gives the bearer of the token."
  roles: [String!]!
  "What the request reads personal data for, as it says; null if it names no purpose."
  purpose: Purpose
  "The worker who the bearer of the token is; null if the token names none, or none that is there."
  worker: Worker
}

"Which changes of the audit. What is given must hold together."
input AuditFilter {
  "Of this record, live or retired."
  record: ID
  "Of records of these kinds."
  kinds: [RecordKind!]
  "By this actor."
  actor: String
  "From this source."
  source: String
  "Not before this moment."
  since: DateTime
  "Before this moment."
  until: DateTime
}

"A page of the audit."
type AuditPage {
  "The changes, the newest first."
  nodes: [AuditEntry!]!
  "Where the page stands."
  pageInfo: PageInfo!
}

"One change of one record."
type AuditEntry {
  "The place of the change in the audit."
  cursor: String!
  "When it was committed."
  at: DateTime!
  "Who wrote it: the subject of the token; `anonymous` for what nobody may be named for."
  actor: String!
  "Which system the data came from: `graphql`, `import:…`."
  source: String!
  "Which run of that system; null if there is no such thing."
  run: String
  "Why, in the words of who wrote it; null if nothing was said."
  reason: String
  "Which way it came in and from which address, as far as that is known: `http 192.0.2.7`. Told by the other end of a connection and never proven; null where it is not kept."
  origin: String
  "What was done."
  action: ChangeAction!
  "The kind of the record."
  kind: RecordKind!
  "The id of the record, which may be retired by now."
  recordId: ID!
  "The fields that have another value than before."
  fields: [AuditedField!]!
}

"A field with its values before and after a change."
type AuditedField {
  "The name of the field of the record."
  name: String!
  "The value before; null if there was none, or what was before is no longer kept."
  before: Json
  "The value after; null if there is none."
  after: Json
  "Whether the values are not told, since they tell who a person is."
  isHidden: Boolean!
}

"A value of whatever type, in the form that its field has in this schema; a record that is referred to by its id."
scalar Json @specifiedBy(url: "https://datatracker.ietf.org/doc/html/rfc8259")

"A page of the access log of a person."
type AccessLogPage {
  "The reads, the newest first."
  nodes: [AccessLogEntry!]!
  "Where the page stands."
  pageInfo: PageInfo!
}

"That somebody read what tells who a person is, or found the person by it."
type AccessLogEntry {
  "When."
  at: DateTime!
  "Who: the subject of the token."
  reader: String!
  "Who signed the token."
  issuer: String!
  "What for, as the reader said; null if no purpose had to be named."
  purpose: Purpose
  "What: the names of kinds and their fields, like `Worker.email`."
  fields: [String!]!
  "The name of the operation; null if it has none."
  operation: String
  "Which way the request came in: `http`, `ws`, `sse`."
  entry: String!
}

"#;
