//! The types of searches.

use std::fmt::Write;

use crate::{
    graphql::limits::{DEFAULT_SEARCH_PAGE, MAX_SEARCH_PAGE},
    search::MAX_HITS,
};

/// The field of `Query`.
pub(super) fn query(out: &mut String) {
    let _ = writeln!(
        out,
        "  \"Finds records by words in their key, name, translated names, description and tags, the best first: a key that is the text itself, then keys and names, then the rest, rare words before common ones. Word forms, accents and upper case do not count; from four letters on a typing error does no harm, from eight on two; the last word may be unfinished unless something follows it, if only a space. All words have to be there; where no record has all, those that have some are found. At most 16 words count, and at most {MAX_HITS} records can be paged through. Fields marked as personal data are not searched: people are not found by name, number or e-mail address.\"\n  search(\n    \
         \"What to look for. Nothing in it has a special meaning.\"\n    text: String!\n    \
         \"Only records of these kinds. Where nothing is said: all kinds.\"\n    kinds: [RecordKind!]\n    \
         \"The language whose word forms count. Where nothing is said: all that are known.\"\n    language: SearchLanguage\n    \
         \"How many records from the start, at most {MAX_SEARCH_PAGE}; {DEFAULT_SEARCH_PAGE} where neither `first` nor `last` is given.\"\n    first: Int\n    \
         \"The cursor to start after.\"\n    after: String\n    \
         \"How many records from the end, at most {MAX_SEARCH_PAGE}.\"\n    last: Int\n    \
         \"The cursor to end before.\"\n    before: String\n  ): SearchConnection!",
    );
}

/// The types.
pub(super) const TYPES: &str = r#""A language whose word forms are known to searches."
enum SearchLanguage {
  "English."
  ENGLISH
  "Dutch."
  DUTCH
}

"A page of what was found."
type SearchConnection {
  "The records with what was found in them."
  edges: [SearchEdge!]!
  "The records."
  nodes: [Record!]!
  "Where the page stands."
  pageInfo: PageInfo!
  "How many records were found, as the index has it."
  totalCount: Int!
  "Whether the index does not show the state of the graph that answers yet: something may be missing."
  isStale: Boolean!
}

"A record that was found."
type SearchEdge {
  "The record."
  node: Record!
  "The place of the record in the answer."
  cursor: String!
  "How well the record fits; it can be compared within one answer only."
  score: Float!
  "The texts of the record in which something was found, at most eight; long ones in part."
  highlights: [SearchHighlight!]!
}

"A text in which something was found."
type SearchHighlight {
  "The name of the field that the text is of: `key`, `name`, `translations`, `description` or `tags`."
  field: String!
  "The text, or the piece of it around what was found, cut into parts. Put together they are the text as it is: nothing is escaped."
  parts: [SearchPart!]!
}

"A part of a text in which something was found."
type SearchPart {
  "The text of the part."
  text: String!
  "Whether it is what was looked for."
  isMatch: Boolean!
}

"#;
