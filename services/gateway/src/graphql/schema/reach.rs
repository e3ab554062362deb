//! The types of traversals.

use std::fmt::Write;

use super::text::block;
use crate::graphql::{limits, relation_step};

/// The field of `Query`.
pub(super) fn query(out: &mut String) {
    let _ = writeln!(
        out,
        "  \"What can be reached from some records along relations, breadth-first: each record once, in the order of distance, kind and id, with the shortest path that explains it. The records to start from are not among the answers.\"\n  reach(\n    \
         \"The ids of the records to start from, at most {}. An id of a record that is not there leads nowhere.\"\n    from: [ID!]!\n    \
         \"The relations to follow. Where nothing is said: all stored references, both ways.\"\n    along: [RelationStep!]\n    \
         \"Which way to follow the relations in `along`.\"\n    direction: ReachDirection = OUT\n    \
         \"How many relations in a row, from 1 to {}.\"\n    depth: Int = {}\n    \
         \"Which kinds to show. Records of other kinds are still passed through. Where nothing is said: all kinds.\"\n    to: [RecordKind!]\n    \
         \"How many records from the start, at most 1000; 100 where neither `first` nor `last` is given.\"\n    first: Int\n    \
         \"The cursor to start after.\"\n    after: String\n    \
         \"How many records from the end, at most 1000.\"\n    last: Int\n    \
         \"The cursor to end before.\"\n    before: String\n  ): ReachConnection!",
        limits::MAX_REACH_FROM,
        limits::MAX_REACH_DEPTH,
        limits::DEFAULT_REACH_DEPTH,
    );
}

/// The types.
pub(super) fn types(out: &mut String) {
    out.push_str(
        "\"The relations of all kinds, by the kind they start from and their name there.\"\nenum RelationStep {\n",
    );
    for step in relation_step::all() {
        block(out, "  ", &step.relation.doc);
        let _ = writeln!(out, "  {}", step.name);
    }
    out.push_str("}\n\n");
    out.push_str(TYPES);
}

const TYPES: &str = r#""Which way relations are followed."
enum ReachDirection {
  "From the kind that the relation is named after to the one it leads to."
  OUT
  "The other way round: to the records from which the relation leads here."
  IN
  "Both ways."
  BOTH
}

"A page of what can be reached."
type ReachConnection {
  "The records with how they were reached."
  edges: [ReachEdge!]!
  "The records."
  nodes: [Record!]!
  "Where the page stands."
  pageInfo: PageInfo!
  "How many records can be reached, of the kinds asked for."
  totalCount: Int!
}

"A record that can be reached."
type ReachEdge {
  "The record."
  node: Record!
  "The place of the record in the answer."
  cursor: String!
  "The record of `from` that the path starts from."
  start: Record!
  "How many relations the path follows."
  distance: Int!
  "A shortest path to the record, from `start` on; its last step leads to `node`. Of several, always the same one is shown."
  path: [ReachStep!]!
}

"A step of a path."
type ReachStep {
  "The relation that was followed."
  relation: RelationStep!
  "Whether it was followed as it is named; false for the other way round."
  forward: Boolean!
  "The record that the step leads to."
  record: Record!
}

"#;
