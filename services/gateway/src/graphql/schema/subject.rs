//! The types of erasing a person.

use std::fmt::Write;

use spil_proto::model::{Kind, KindInfo};

/// The kinds whose records are people.
fn people() -> impl Iterator<Item = &'static KindInfo> {
    Kind::ALL.iter().map(|kind| kind.info()).filter(|info| info.person)
}

/// The field of `Query`.
pub(super) const QUERY: &str = r#"  "Everything that is kept of a worker: for the worker, and for those whose roles allow to `export`. Null for a worker who is not seen, or not by whom it may be exported. That somebody else had it is kept in the access log of the worker. With more than 8 MiB the request is refused as too costly, and so where the owners' logs can not be read within 10 seconds, as `UNAVAILABLE`; `spil subject export` has no such bounds."
  subjectExport(
    "The worker."
    workerId: ID!
  ): SubjectExport
"#;

/// The mutations.
pub(super) fn mutations(out: &mut String) {
    for info in people() {
        let name = info.name;
        let _ = writeln!(
            out,
            "  \"Erases a person for ever: everything that tells who it is, in the record and in all records about the person, and its number, addresses, codes \
             and full name wherever they stand in records of any kind, now and in their history. What is left is a record without a name. Needs the \
             action `erase` on all people. Nobody can undo it. Where an owner of data is down it fails and says how far it came: sent again it goes on, \
             and what was done is not done twice.\"\n  \
             erase{name}(\n    \"Whom to erase, and why.\"\n    input: Erase{name}Input!\n  ): Erase{name}Payload"
        );
    }
}

/// What they take and give.
pub(super) fn types(out: &mut String) {
    for info in people() {
        let name = info.name;
        let _ = writeln!(
            out,
            "\"Whom to erase, and why.\"\ninput Erase{name}Input {{\n  \
             \"Any text that names this mutation; it comes back with the payload.\"\n  clientMutationId: String\n  \
             \"The record of the person; it may be retired.\"\n  id: ID!\n  \
             \"Why, 1 to 1024 bytes. It stays in the change log, without what is taken out of other records too.\"\n  reason: String!\n}}\n\n\
             \"What came of an erasure.\"\ntype Erase{name}Payload {{\n  \
             \"The text given with the input.\"\n  clientMutationId: String\n  \
             \"When the person was erased, by this mutation or before; null if that was not done.\"\n  erasedAt: DateTime\n  \
             \"Fields of other records that hold what may be a name of the person and may be somebody else's, at most 100: a name of one word, a name that \
             somebody else has, a code without a digit. They stay as they are: look at each. Of a person erased before nobody knows what to look for.\"\n  \
             mentions: [Mention!]!\n  \
             \"Whether there are more mentions than are listed.\"\n  hasMoreMentions: Boolean!\n  \
             \"What kept the person from being erased; empty if it was done.\"\n  userErrors: [UserError!]!\n}}\n"
        );
    }
    out.push_str(MENTION);
    out.push_str(EXPORT);
}

const MENTION: &str = r#""A field of a record that may hold the name of a person as a text."
type Mention {
  "The record."
  id: ID!
  "The kind of the record: `Initiative`."
  kind: String!
  "The field: `description`."
  field: String!
}

"#;

const EXPORT: &str = r#""Everything that is kept of a worker."
type SubjectExport {
  "The worker."
  workerId: ID!
  "When it was read."
  at: DateTime!
  "A text of JSON: `person`; `owners`, each with its `records` that are the worker or about the worker, whole and with the provenance of their fields, the `references` of other records to the worker, and the `history` of all these in its change log; and `accessLog`, who read who the worker is."
  document: String!
}

"#;
