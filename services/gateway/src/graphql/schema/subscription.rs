//! What can be subscribed to.

use std::fmt::Write;

use spil_proto::model::Kind;

use super::{Reader, text::block};

/// The type `Subscription` and what belongs to it.
pub(super) fn write(out: &mut String, reader: Reader) {
    out.push_str(SUBSCRIPTION);
    if reader == Reader::Client {
        out.push_str(LIVE);
    }
    for kind in Kind::ALL {
        let info = kind.info();
        let _ = writeln!(
            out,
            "  \"The {} with an id, at once and again whenever something of what is asked of it differs. Null, and then the end, when there is none or it is retired.\"\n  {}(\n    \"Its id.\"\n    id: ID!\n  ): {}",
            info.name, info.singular, info.name
        );
    }
    out.push_str("}\n\n");
    out.push_str(CHANGE);
    for kind in Kind::ALL {
        let info = kind.info();
        block(
            out,
            "  ",
            &format!(
                "What a record of the kind {} must be like after the change, or, if it was retired, must have been like. Changes of other kinds are not concerned. Relations are looked up as they are when the change is sent.",
                info.name
            ),
        );
        let _ = writeln!(out, "  {}: {}Filter", info.singular, info.name);
    }
    out.push_str("}\n\n");
}

const SUBSCRIPTION: &str = r#""What can be followed. Needs the permission `read`. A subscription ends with the error UNAUTHENTICATED when its token does."
type Subscription {
  "Every change to a record, once, in the order in which its owner made it."
  changes(
    "Changes to records of these kinds only."
    kinds: [RecordKind!]
    "Changes to these records only, at most 1000."
    ids: [ID!]
    "Only changes that are so."
    filter: ChangeFilter
    "The `cursor` of a change, or the `extensions.consistency` of an answer: everything after it is sent, without a gap and nothing twice. Without it, everything from now on. CURSOR_EXPIRED if that is no longer known."
    after: String
  ): Change!
"#;

/// A composer must not know of this: in a supergraph `Query` has fields of other subgraphs, which can not be followed.
const LIVE: &str = r#"  "A query, answered at once and again whenever its answer differs; changes that come shortly after each other are answered together. What is not of the graph (`snapshot`, `_service`, `__schema`, `__type`) can not be asked."
  live: Query!
"#;

const CHANGE: &str = r#""What became of a record in one revision of its owner."
type Change {
  "The place after this change. Give it as `after` to go on from here."
  cursor: String!
  "The kind of the record."
  kind: RecordKind!
  "The record."
  id: ID!
  "What was done."
  action: ChangeAction!
  "The version of the record after the change."
  version: Int!
  "When it was done."
  at: DateTime!
  "Who did it: the subject of the token. Null on records that are people or somebody's, but for those who may audit."
  actor: String
  "Which system the data came from: `graphql`, `import:hr.csv`."
  source: String!
  "Which run of that system, where it tells."
  run: String
  "The fields that were written, by their names in inputs. Empty where that was not recorded, and for RETIRED."
  fields: [String!]!
  "The record as the change left it; its relations lead to other records as they are when the change is sent. Null for RETIRED."
  record: Record
}

"What was done to a record."
enum ChangeAction {
  "It was made."
  CREATED
  "Fields were written."
  UPDATED
  "It was retired."
  RETIRED
}

"Which changes. What is given must hold together; in a list, one of the values."
input ChangeFilter {
  "What was done."
  actions: [ChangeAction!]
  "Which system the data came from."
  sources: [String!]
  "Who did it. Nothing is sent of records of which that is hidden."
  actors: [String!]
  "A field that was written, by its name in inputs."
  fields: [String!]
"#;
