//! What makes the schema a subgraph of Apollo Federation 2: other subgraphs can refer to every record by its id.

use std::fmt::Write;

use spil_proto::model::Kind;

/// What a record type says of itself: it is found by its id.
pub(super) const KEY: &str = " @key(fields: \"id\")";
/// The version of the specification and what is used of it, for a composer. Clients do without: some of their tools know no extension of
/// a schema.
pub(super) const LINK: &str =
    "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\", \"@shareable\"])\n\n";

/// The fields of `Query` that a router asks.
pub(super) const QUERY: &str = "  \"The schema of this subgraph, for composition.\"\n  _service: _Service!\n  \
     \"The records that references from other subgraphs mean, in the order of the references; null in the place of one that is not there. At most 1000 references.\"\n  \
     _entities(\n    \"Each with `__typename`, the type of the record, and its `id`.\"\n    representations: [_Any!]!\n  ): [_Entity]!\n";

/// What the specification defines and a schema that stands for itself has to repeat. A composer brings it along.
pub(super) fn definitions(out: &mut String) {
    out.push_str(DEFINITIONS);
    out.push_str("\"Every type of record.\"\nunion _Entity =");
    for (at, kind) in Kind::ALL.iter().enumerate() {
        let separator = if at == 0 { "" } else { " |" };
        let _ = write!(out, "{separator} {}", kind.info().name);
    }
    out.push_str("\n\n");
}

const DEFINITIONS: &str = r#""Other subgraphs can refer to an object of this type by these fields."
directive @key(
  "The fields."
  fields: federation__FieldSet!
  "Whether this subgraph can find the object by them."
  resolvable: Boolean = true
) repeatable on OBJECT | INTERFACE

"Other subgraphs may define this too, alike."
directive @shareable repeatable on OBJECT | FIELD_DEFINITION

"A selection of fields as text."
scalar federation__FieldSet

"A reference to a record: an object with `__typename` and `id`."
scalar _Any

"This subgraph as a router sees it."
type _Service {
  "The schema of this subgraph."
  sdl: String!
}

"#;
