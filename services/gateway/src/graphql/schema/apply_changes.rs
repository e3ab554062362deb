//! The types of `applyChanges`.

use std::fmt::Write;

use spil_proto::model::Kind;

use super::text::upper_first;

/// The mutation itself.
pub(super) const FIELD: &str = "  \"Makes, writes and retires many records at once. All changes of one owner of data are one step, which is done as a whole or not at all. Where \
     several owners are concerned, each is first asked whether it would do its part; if one would not, nothing is written anywhere. Then they do it, one after the other; if one \
     fails then, what the others have done stays, and the answer says exactly what was done. Sent again with the same `clientMutationId`, what is missing is done, and nothing twice.\"\n  \
     applyChanges(\n    \"What to do.\"\n    input: ApplyChangesInput!\n  ): ApplyChangesPayload\n";

/// What the mutation takes and gives.
pub(super) fn types(out: &mut String) {
    out.push_str(TYPES);
    out.push_str("\"One change of a batch: exactly one thing to do.\"\ninput ChangeInput {\n  \"A name for the record that is made, unique in the batch: 1 to 64 bytes. Wherever the batch holds an id, earlier or later, it may hold `#` and this name instead.\"\n  temporaryId: String\n");
    for kind in Kind::ALL {
        let name = kind.info().name;
        for (verb, doc) in [("create", "Makes"), ("update", "Writes fields of"), ("retire", "Retires")] {
            let _ = writeln!(
                out,
                "  \"{doc} a record of the kind {name}.\"\n  {verb}{name}: {}{name}Input",
                upper_first(verb)
            );
        }
    }
    out.push_str("}\n\n");
}

const TYPES: &str = r##""What to do at once."
input ApplyChangesInput {
  "Any text that names this mutation. Sent again with the same text and input, what was done is not done again, and what is missing is done."
  clientMutationId: String
  "Whether to write nothing and only say what would happen."
  dryRun: Boolean = false
  "Why this is done, for people: kept with the changes, for those who may see the audit. At most 1 KiB, without control characters; no place for personal data."
  reason: String
  "The changes, 1 to 1000. Those of one owner of data are done in this order, save that a record is made before what refers to it by its temporary id."
  changes: [ChangeInput!]!
}

"What came of a batch."
type ApplyChangesPayload {
  "The text given with the input."
  clientMutationId: String
  "Whether it was a dry run: nothing was written."
  dryRun: Boolean!
  "Whether everything is written, now or by an earlier mutation with the same `clientMutationId`."
  applied: Boolean!
  "What each owner of data did, in the order in which they were asked."
  steps: [ApplyStep!]!
  "What came of each change, in the order of the input."
  results: [ChangeResult!]!
  "What kept the batch from being done; empty if it was done, or if an owner of data failed, which `steps` says. Holds the errors of every change."
  userErrors: [UserError!]!
  "What is odd though the batch was done. Holds the warnings of every change."
  warnings: [Warning!]!
  "Whether the graph does not show the changes yet. They are written; the records given here are what was written, their relations may lag."
  stale: Boolean!
}

"What one owner of data did of a batch."
type ApplyStep {
  "The owner of data."
  owner: DataOwner!
  "What became of its part."
  status: ApplyStatus!
  "The numbers of its changes in the input, from 0, in the order in which they are done."
  changes: [Int!]!
  "Why its part is not done or not known to be, for people; null if it is done, and where the errors of the changes say it."
  message: String
}

"Who owns data. Each kind of record has one owner."
enum DataOwner {
  "Objectives, capabilities, processes and applications."
  CAPABILITY
  "Org units, roles, positions, workers, skills and learning."
  WORKFORCE
  "Initiatives, stakeholders, impacts, benefits and what belongs to them."
  INITIATIVE
}

"What became of the part of one owner of data. It is done as a whole or not at all."
enum ApplyStatus {
  "It is written."
  APPLIED
  "The owner refuses it; nothing of it is written."
  REFUSED
  "It was not asked for, since it was a dry run, another part was refused or an earlier one failed; nothing of it is written."
  NOT_ATTEMPTED
  "The owner did not answer: it may be written or not. Send the batch again with the same `clientMutationId`."
  UNKNOWN
}

"What came of one change."
type ChangeResult {
  "Its number in the input, from 0."
  index: Int!
  "The temporary id given with it."
  temporaryId: String
  "The id of the record; null where none is made."
  id: ID
  "What was done; in a dry run, what would be."
  outcome: ChangeOutcome!
  "The record as it is now, in a dry run as it would be; null where nothing was written."
  record: Record
  "What keeps the change from being done."
  userErrors: [UserError!]!
  "What is odd though the change was done."
  warnings: [Warning!]!
}

"What was done with one change."
enum ChangeOutcome {
  "A record is made."
  CREATED
  "A record has a new version."
  UPDATED
  "The record was as asked for already. A dry run says so only of values that the caller may see, so that it is no way to guess the others."
  UNCHANGED
  "The record is retired."
  RETIRED
  "The change can not be done; `userErrors` says why."
  REFUSED
  "Nothing was done, since another change was refused or an owner of data failed."
  NOT_ATTEMPTED
  "The owner of data did not answer: it may be done or not."
  UNKNOWN
}

"##;
