//! Texts without regard to case and accents.
//!
//! A text is folded character by character: decomposed (NFKD), bereft of diacritical marks, in lower case, and with the letters that
//! have no decomposition but are written with others as such: `ß` as `ss`, `Ø` as `o`, `ł` as `l`, `æ` as `ae`. So "Café" equals "cafe", and
//! "Straße" equals "STRASSE". An ASCII character folds to itself in lower case, which is what makes most texts quick.

use std::cmp::Ordering;

use unicode_normalization::char::decompose_compatible;

/// The text folded.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        each_folded(character, &mut |character| folded.push(character));
    }
    folded
}

/// Gives what a character folds to, if to anything.
fn each_folded(character: char, emit: &mut impl FnMut(char)) {
    if character.is_ascii() {
        emit(character.to_ascii_lowercase());
        return;
    }
    decompose_compatible(character, |part| {
        if part.is_ascii() {
            emit(part.to_ascii_lowercase());
        } else if !is_diacritical(part) {
            for lower in part.to_lowercase() {
                match plain(lower) {
                    Some(letters) => letters.chars().for_each(&mut *emit),
                    None => emit(lower),
                }
            }
        }
    });
}

/// The marks that Latin, Greek and Cyrillic letters carry. Marks of other scripts are letters to their readers.
fn is_diacritical(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// How a letter in lower case that does not decompose is written without it.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ŧ' => "t",
        'ς' => "σ",
        _ => return None,
    })
}

/// The characters that a text folds to, without room for all of them.
struct Folded<'a> {
    rest: std::str::Chars<'a>,
    /// What the last character folded to and was not given yet, the last one first.
    ready: Vec<char>,
}

fn folded(text: &str) -> Folded<'_> {
    Folded { rest: text.chars(), ready: Vec::new() }
}

impl Iterator for Folded<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        loop {
            if let Some(ready) = self.ready.pop() {
                return Some(ready);
            }
            let next = self.rest.next()?;
            if next.is_ascii() {
                return Some(next.to_ascii_lowercase());
            }
            each_folded(next, &mut |character| self.ready.push(character));
            self.ready.reverse();
        }
    }
}

/// The order of texts: folded first, then by their bytes.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    compare_folded(a, b).then_with(|| a.cmp(b))
}

fn compare_folded(a: &str, b: &str) -> Ordering {
    for (at, (x, y)) in a.bytes().zip(b.bytes()).enumerate() {
        if !(x.is_ascii() && y.is_ascii()) {
            // All before is ASCII, so that this is the start of a character in both.
            return folded(a.get(at..).unwrap_or_default()).cmp(folded(b.get(at..).unwrap_or_default()));
        }
        let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The first eight bytes of the folded text: texts with different prefixes are in the order of these.
pub(crate) fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let head = &text.as_bytes()[..text.len().min(8)];
    if head.is_ascii() {
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = from.to_ascii_lowercase();
        }
    } else {
        let mut at = 0;
        let mut buffer = [0; 4];
        'all: for character in folded(text) {
            for byte in character.encode_utf8(&mut buffer).bytes() {
                bytes[at] = byte;
                at += 1;
                if at == bytes.len() {
                    break 'all;
                }
            }
        }
    }
    u64::from_be_bytes(bytes)
}

/// Up to so many bytes a text is looked for at every place of an ASCII text; a longer one in the folded text, which takes no more time
/// however much of it is found again and again.
const SHORT_NEEDLE: usize = 32;

/// A text to look for in others, folded once.
#[derive(Debug)]
pub(crate) struct Needle(String);

impl Needle {
    pub(crate) fn new(text: &str) -> Needle {
        Needle(fold(text))
    }

    /// Whether a text holds it.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if !text.is_ascii() || self.0.len() > SHORT_NEEDLE {
            return fold(text).contains(&self.0);
        }
        let (text, needle) = (text.as_bytes(), self.0.as_bytes());
        let Some((first, rest)) = needle.split_first() else { return true };
        if needle.len() > text.len() {
            return false;
        }
        let last_start = text.len() - needle.len();
        (0..=last_start).any(|at| {
            text[at].to_ascii_lowercase() == *first && text[at + 1..at + needle.len()].eq_ignore_ascii_case(rest)
        })
    }

    /// Whether a text starts with it.
    pub(crate) fn starts(&self, text: &str) -> bool {
        if text.is_ascii() {
            return text
                .as_bytes()
                .get(..self.0.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(self.0.as_bytes()));
        }
        let mut characters = folded(text);
        self.0.chars().all(|wanted| characters.next() == Some(wanted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: [&str; 31] = [
        "",
        "a",
        "A",
        "ab",
        "Ab",
        "aB",
        "b",
        "é",
        "É",
        "Éa",
        "eb",
        "e\u{301}",
        "e",
        "f",
        "\u{212a}elvin",
        "kelvin",
        "KELVIN",
        "straße",
        "STRASSE",
        "Ørsted",
        "Łódź",
        "lodz",
        "Æsir",
        "aesir",
        "İstanbul",
        "ΟΔΟΣ",
        "οδός",
        "が",
        "a very long text indeed",
        "A text that is longer than a short needle is",
        "A VERY long é",
    ];

    fn agree(a: &str, b: &str) {
        assert_eq!(folded(a).collect::<String>(), fold(a));
        assert_eq!(compare(a, b), fold(a).cmp(&fold(b)).then(a.cmp(b)), "{a} {b}");
        if prefix(a) != prefix(b) {
            assert_eq!(prefix(a).cmp(&prefix(b)), compare(a, b), "{a} {b}");
        }
        let needle = Needle::new(a);
        assert_eq!(needle.is_in(b), fold(b).contains(&fold(a)), "{a} {b}");
        assert_eq!(needle.starts(b), fold(b).starts_with(&fold(a)), "{a} {b}");
    }

    #[test]
    fn the_short_ways_agree_with_folding_both() {
        for a in TEXTS {
            for b in TEXTS {
                agree(a, b);
            }
        }
    }

    proptest! {
        #[test]
        fn the_short_ways_agree_with_folding_any_text(
            a in "[aAbBeEéÉßøłǅﬁ\u{300}-\u{308}ÀàςΣ ]{0,10}",
            b in "[aAbBeEéÉßøłǅﬁ\u{300}-\u{308}ÀàςΣ ]{0,10}",
        ) {
            agree(&a, &b);
        }
    }

    #[test]
    fn texts_that_people_take_for_equal_are() {
        for (a, b) in [
            ("Café", "cafe"),
            ("cafe\u{301}", "CAFÉ"),
            ("STRASSE", "Straße"),
            ("Ørsted", "orsted"),
            ("Łódź", "lodz"),
            ("Æsir", "aesir"),
            ("İstanbul", "istanbul"),
            ("ΟΔΟΣ", "οδός"),
            ("ﬁnance", "finance"),
            ("Ｆｉｎａｎｃｅ", "finance"),
            ("coördinatie", "coordinatie"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        for (a, b) in [("が", "か"), ("कि", "क"), ("a", "b"), ("naïf", "naf")] {
            assert_ne!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn folding_again_changes_nothing() {
        for character in '\0'..=char::MAX {
            let once = fold(&character.to_string());
            assert_eq!(fold(&once), once, "{character:?}");
        }
    }

    #[test]
    fn words_with_accents_stand_beside_those_without() {
        let mut words = ["zebra", "État", "etage", "Étude", "eten", "f"];
        words.sort_by(|a, b| compare(a, b));
        assert_eq!(words, ["etage", "État", "eten", "Étude", "f", "zebra"]);
    }
}
