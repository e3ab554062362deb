//! What is looked for, and whether a word of a text is it.

use super::language::{Analysis, Forms, SearchLanguage};

/// The most words that are looked for.
const MAX_WORDS: usize = 16;
/// The bytes of the text looked for that are looked at.
const MAX_TEXT_BYTES: usize = 4096;
/// From how many letters on a word that is not finished yet may have a typing error.
const LETTERS_OF_A_WRONG_START: usize = 5;

/// A text that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    /// The text as a key would be: in small letters without accents.
    pub(super) key: String,
    pub(super) words: Vec<Word>,
    /// The language whose word forms count; all known ones where there is none.
    pub(super) language: Option<SearchLanguage>,
}

/// A word that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) forms: Forms,
    /// How many typing errors it may have.
    pub(super) errors: u8,
    /// How many it may have where it is the start of a word; none if it has to be a whole word.
    pub(super) errors_of_start: Option<u8>,
}

impl Sought {
    /// Takes a text apart. Only its first words count.
    pub(super) fn new(text: &str, language: Option<SearchLanguage>, analysis: &mut Analysis) -> Sought {
        let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
        // Accents that stand apart from their letters, as some systems send them.
        let text: String = text.chars().filter(|letter| !('\u{300}'..='\u{36f}').contains(letter)).collect();
        let mut words: Vec<Word> = Vec::new();
        let (mut end, mut last) = (0, String::new());
        analysis.words(&text, |forms| {
            end = forms.to;
            last.clone_from(&forms.plain);
            if words.iter().all(|word| word.forms.plain != forms.plain) {
                words.push(Word { errors: allowed_errors(&forms.plain), forms, errors_of_start: None });
            }
            words.len() < MAX_WORDS
        });
        // Somebody who is still typing has not put anything after the last word.
        if end == text.len()
            && let Some(word) = words.iter_mut().find(|word| word.forms.plain == last)
        {
            let long = word.forms.plain.chars().count() >= LETTERS_OF_A_WRONG_START;
            word.errors_of_start = Some(if long { word.errors.min(1) } else { 0 });
        }
        Sought { key: analysis.folded(&text), words, language }
    }
}

/// Short words mean something else when a letter changes, and numbers always do.
fn allowed_errors(word: &str) -> u8 {
    if word.contains(|letter: char| letter.is_numeric()) {
        return 0;
    }
    match word.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

impl Word {
    /// Whether a word of a text is the one that is looked for.
    pub(super) fn is(&self, other: &Forms, language: Option<SearchLanguage>) -> bool {
        let stem = |of: SearchLanguage| language.is_none_or(|language| language == of);
        self.forms.plain == other.plain
            || stem(SearchLanguage::English) && self.forms.english == other.english
            || stem(SearchLanguage::Dutch) && self.forms.dutch == other.dutch
            || is_within(&self.forms.plain, &other.plain, self.errors, false)
            || self.errors_of_start.is_some_and(|errors| is_within(&self.forms.plain, &other.plain, errors, true))
    }
}

/// Whether one comes from a word to another, or to a start of it, by so many letters put in, left out, changed, or swapped with the
/// next.
fn is_within(word: &str, other: &str, errors: u8, to_start: bool) -> bool {
    if errors == 0 {
        return if to_start { other.starts_with(word) } else { other == word };
    }
    let word: Vec<char> = word.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let errors = usize::from(errors);
    if word.len() > other.len() + errors || !to_start && other.len() > word.len() + errors {
        return false;
    }
    // What comes after is of no use to a start.
    let other = &other[..other.len().min(word.len() + errors)];
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=word.len()).collect();
    let mut least_at_end = last[word.len()];
    for (column, letter) in other.iter().enumerate() {
        let mut next = vec![column + 1];
        for (row, own) in word.iter().enumerate() {
            let mut least = (last[row] + usize::from(own != letter)).min(last[row + 1] + 1).min(next[row] + 1);
            if column > 0 && row > 0 && *own == other[column - 1] && word[row - 1] == *letter {
                let swapped: &Vec<usize> = &before_last;
                least = least.min(swapped[row - 1] + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
        least_at_end = least_at_end.min(last[word.len()]);
    }
    (if to_start { least_at_end } else { last[word.len()] }) <= errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_counted() {
        for (word, other, errors, within) in [
            ("claims", "claims", 0, true),
            ("claims", "clams", 1, true),
            ("claims", "cliams", 1, true),
            ("claims", "claimss", 1, true),
            ("claims", "lcaimz", 1, false),
            ("claims", "lcaimz", 2, true),
            ("invoicing", "invicong", 2, true),
            ("claims", "blames", 1, false),
            ("a", "bcd", 2, false),
        ] {
            assert_eq!(is_within(word, other, errors, false), within, "{word} {other}");
            assert_eq!(is_within(other, word, errors, false), within, "{other} {word}");
        }
        assert!(is_within("capab", "capability", 0, true));
        assert!(is_within("capib", "capability", 1, true));
        assert!(is_within("capbi", "capability", 1, true));
        assert!(!is_within("capx", "capability", 0, true));
        assert!(!is_within("billing", "bill", 1, true));
    }

    #[test]
    fn a_text_is_taken_apart_into_a_few_words() {
        let mut analysis = Analysis::new();
        let mut words = |text: &str| {
            let sought = Sought::new(text, None, &mut analysis);
            sought
                .words
                .into_iter()
                .map(|word| (word.forms.plain, word.errors, word.errors_of_start))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words("The Capabilities of cap-0002"),
            [
                ("the".to_owned(), 0, None),
                ("capabilities".to_owned(), 2, None),
                ("of".to_owned(), 0, None),
                ("cap".to_owned(), 0, None),
                ("0002".to_owned(), 0, Some(0)),
            ]
        );
        assert_eq!(words("cafe\u{301} "), [("cafe".to_owned(), 1, None)]);
        assert_eq!(words("billi"), [("billi".to_owned(), 1, Some(1))]);
        assert!(words("").is_empty() && words("🙂 *:()[]{}\"\\").is_empty());
        assert_eq!(words(&"word and another ".repeat(1000)).len(), 3);
        assert_eq!(words(&(0..10_000).map(|n| format!("w{n} ")).collect::<String>()).len(), MAX_WORDS);
    }
}
