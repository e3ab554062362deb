//! Texts without regard to case.

use std::cmp::Ordering;

/// The text in lower case, character by character.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { folded(text).collect() }
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// The order of texts: without regard to case first, then by their bytes.
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

/// A text to look for in others, folded once.
#[derive(Debug)]
pub(crate) struct Needle(String);

impl Needle {
    pub(crate) fn new(text: &str) -> Needle {
        Needle(fold(text))
    }

    /// Whether a text holds it.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if !text.is_ascii() {
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
    use super::*;

    const TEXTS: [&str; 18] = [
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
        "\u{212a}elvin",
        "kelvin",
        "KELVIN",
        "straße",
        "STRASSE",
        "a very long text indeed",
        "A VERY long é",
    ];

    #[test]
    fn the_short_ways_agree_with_folding_both() {
        for a in TEXTS {
            for b in TEXTS {
                assert_eq!(compare(a, b), fold(a).cmp(&fold(b)).then(a.cmp(b)), "{a} {b}");
                if prefix(a) != prefix(b) {
                    assert_eq!(prefix(a).cmp(&prefix(b)), compare(a, b), "{a} {b}");
                }
                let needle = Needle::new(a);
                assert_eq!(needle.is_in(b), fold(b).contains(&fold(a)), "{a} {b}");
                assert_eq!(needle.starts(b), fold(b).starts_with(&fold(a)), "{a} {b}");
            }
        }
    }
}
