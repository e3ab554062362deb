//! Which words of a record are those that are looked for, and a piece of text around them.

use std::ops::Range;

use spil_graph::{Budget, Exhausted, Graph, Row};
use spil_proto::model::{HEADER_FIELDS, Kind, field};

use super::{ask::Demand, index::texts_of, language::Analysis, words::Sought};

/// A longer text is shown in part, in about so many bytes.
const FRAGMENT_BYTES: usize = 200;
/// How much is shown before the first word that is looked for.
const LEAD_BYTES: usize = 60;
/// The most pieces of text of one record.
const MAX_HIGHLIGHTS: usize = 8;

/// A piece of text of a record with the words that are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Highlight {
    /// The name of the field that it is of.
    pub(crate) field: &'static str,
    /// The text in parts.
    pub(crate) parts: Vec<Part>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    /// Whether it is a word that is looked for.
    pub(crate) is_match: bool,
}

/// Looks for words in records.
pub(super) struct Reader<'a> {
    pub(super) graph: &'a Graph,
    pub(super) sought: &'a Sought,
    pub(super) analysis: Analysis,
    /// The words that a record was found to have, by their places.
    found: Vec<bool>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(graph: &'a Graph, sought: &'a Sought) -> Reader<'a> {
        Reader { graph, sought, analysis: Analysis::new(), found: vec![false; sought.words.len()] }
    }

    /// The pieces of a record in which words that are looked for stand; none if the record as it is has not all that is demanded.
    /// Every word of the record that is compared costs 1 for each word that is looked for.
    pub(super) fn read(
        &mut self,
        kind: Kind,
        row: Row,
        demand: Demand,
        budget: &mut Budget,
    ) -> Result<Option<Vec<Highlight>>, Exhausted> {
        let table = self.graph.table(kind);
        self.found.fill(false);
        let mut highlights = Vec::new();
        let mut is_key = false;
        for number in texts_of(kind) {
            let name = HEADER_FIELDS[number].name;
            match number {
                field::TRANSLATIONS => {
                    for translation in table.translations(row, number) {
                        self.text(name, &translation.name, &mut highlights, budget)?;
                    }
                }
                field::TAGS => {
                    for tag in table.texts(row, number) {
                        self.text(name, tag, &mut highlights, budget)?;
                    }
                }
                _ => {
                    let Some(text) = table.text(row, number) else { continue };
                    if number == field::KEY
                        && !self.sought.key.is_empty()
                        && self.analysis.folded(text) == self.sought.key
                    {
                        is_key = true;
                        let part = Part { text: text.to_owned(), is_match: true };
                        highlights.push(Highlight { field: name, parts: vec![part] });
                    } else {
                        self.text(name, text, &mut highlights, budget)?;
                    }
                }
            }
        }
        let has_words = match demand {
            Demand::All => !self.found.is_empty() && self.found.iter().all(|found| *found),
            Demand::Any => self.found.iter().any(|found| *found),
        };
        highlights.truncate(MAX_HIGHLIGHTS);
        Ok((is_key || has_words).then_some(highlights))
    }

    fn text(
        &mut self,
        field: &'static str,
        text: &str,
        highlights: &mut Vec<Highlight>,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        let mut matches: Vec<Range<usize>> = Vec::new();
        let (sought, found) = (self.sought, &mut self.found);
        let mut spent = Ok(());
        self.analysis.words(text, |forms| {
            spent = budget.spend(sought.words.len() as u64);
            let mut is_match = false;
            for (word, found) in sought.words.iter().zip(found.iter_mut()) {
                if word.is(&forms, sought.language) {
                    *found = true;
                    is_match = true;
                }
            }
            if is_match {
                matches.push(forms.from..forms.to);
            }
            spent.is_ok()
        });
        spent?;
        if !matches.is_empty() {
            highlights.push(Highlight { field, parts: parts(text, &matches) });
        }
        Ok(())
    }
}

/// A text, or the piece of it around the first match, cut at the matches.
fn parts(text: &str, matches: &[Range<usize>]) -> Vec<Part> {
    let piece = piece(text, matches.first().map_or(0, |first| first.start));
    let mut parts = Vec::new();
    let mut at = piece.start;
    let mut push = |range: Range<usize>, is_match: bool| {
        if let Some(text) = text.get(range).filter(|text| !text.is_empty()) {
            parts.push(Part { text: text.to_owned(), is_match });
        }
    };
    for found in matches.iter().filter(|found| found.end <= piece.end) {
        push(at..found.start, false);
        push(found.clone(), true);
        at = found.end;
    }
    push(at..piece.end, false);
    parts
}

/// The part of a text to show, so that a place in it is to be seen. Words are not cut where that can be helped.
fn piece(text: &str, at: usize) -> Range<usize> {
    if text.len() <= FRAGMENT_BYTES {
        return 0..text.len();
    }
    let mut start = text.ceil_char_boundary(at.saturating_sub(LEAD_BYTES));
    if start > 0
        && let Some(space) = text.get(start..at).and_then(|lead| lead.find(char::is_whitespace))
    {
        start += space + text[start + space..].chars().next().map_or(0, char::len_utf8);
    }
    let mut end = text.floor_char_boundary(start.saturating_add(FRAGMENT_BYTES));
    if end < text.len()
        && let Some(space) = text.get(at..end).and_then(|rest| rest.rfind(char::is_whitespace))
        && space > 0
    {
        end = at + space;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shown_around_the_first_match() {
        let text = format!("{} the word and {}", "é many words ".repeat(100), "more 🙂 ".repeat(100));
        let at = text.find("word and").expect("it is there");
        let shown = parts(&text, &[at..at + 4, text.len() - 8..text.len() - 5]);
        let whole: String = shown.iter().map(|part| part.text.as_str()).collect();
        assert!(text.contains(&whole) && whole.len() <= FRAGMENT_BYTES, "{whole}");
        assert_eq!(
            shown.iter().filter(|part| part.is_match).map(|part| part.text.as_str()).collect::<Vec<_>>(),
            ["word"]
        );
        assert!(!whole.ends_with(' ') && !whole.starts_with(' '));
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let part = |text: &str, is_match| Part { text: text.to_owned(), is_match };
        let shown = parts("Één café", &[0..5, 6..11]);
        assert_eq!(shown, [part("Één", true), part(" ", false), part("café", true)]);
    }

    #[test]
    fn a_word_longer_than_a_piece_is_cut() {
        let text = "é".repeat(5000);
        assert!(piece(&text, 4000).len() <= FRAGMENT_BYTES);
        assert!(piece(&text, 0).len() <= FRAGMENT_BYTES);
    }
}
