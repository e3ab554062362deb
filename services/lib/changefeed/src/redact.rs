//! Replacing texts that tell who somebody is wherever they occur, as whole words. Pure; the tables are in `store/redact.rs`.
//!
//! Texts are compared without regard to case, to how letters with marks are encoded, and to how much white space is between words. A word
//! ends where a letter or digit meets something else; what is written without spaces, as Chinese is, has a bound after each sign.
//! What is a part of a longer address or code is another one: `ben@example.org` is found neither in `jan.ben@example.org` nor in
//! `ben@example.org.uk`, `4711` neither in `4711-2` nor in `4711.50`.

mod traces;

use std::{borrow::Cow, collections::HashMap};

use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{FieldInfo, Kind, TextFormat, Value, field},
};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

use crate::seal::sealed_fields;

pub(crate) use traces::Traces;

/// What stands where something was erased.
pub(crate) const ERASED: &str = "[erased]";
/// How many digits of the id of a record tell its name from others that were erased.
const SHORT_ID: usize = 12;

/// Texts to be replaced, ready to be looked for.
pub(crate) struct Texts {
    /// By the first sign; the longest first.
    by_first: HashMap<char, Vec<Text>>,
    /// Which ASCII signs one begins with.
    ascii: [bool; 128],
}

struct Text {
    signs: Vec<char>,
    form: Form,
}

/// What a text is, which says where it may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With an `@`.
    Address,
    /// One word with a digit.
    Code,
    /// Nothing but digits.
    Digits,
    /// Anything else.
    Words,
}

impl Form {
    fn of(signs: &[char]) -> Self {
        if signs.contains(&'@') {
            Self::Address
        } else if signs.iter().all(char::is_ascii_digit) {
            Self::Digits
        } else if signs.iter().any(char::is_ascii_digit) && !signs.contains(&' ') {
            Self::Code
        } else {
            Self::Words
        }
    }

    /// Whether what stands before or after, and the sign beyond it, makes a text a part of a longer one.
    fn goes_on(self, (sign, beyond): (char, char), is_before: bool) -> bool {
        let joins = match self {
            Self::Address if is_before => "._%+-'",
            Self::Address => ".-",
            Self::Code => "-_",
            Self::Digits => "-_/",
            Self::Words => return false,
        };
        let is_number = self != Self::Address && ".,".contains(sign) && beyond.is_ascii_digit();
        is_number || (joins.contains(sign) && beyond.is_alphanumeric())
    }
}

/// A sign of a text, as it is compared, and the bytes that it came from.
#[derive(Clone, Copy)]
struct Sign {
    folded: char,
    start: usize,
    end: usize,
}

impl Texts {
    /// Texts of at least one letter or digit. One that the replacement itself would hold is left out.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self { by_first: HashMap::new(), ascii: [false; 128] };
        let erased: Vec<char> = fold(ERASED).iter().map(|sign| sign.folded).collect();
        for text in texts {
            let signs: Vec<char> = fold(text.trim()).iter().map(|sign| sign.folded).collect();
            let holds = |whole: &[char], part: &[char]| whole.windows(part.len()).any(|piece| piece == part);
            if !signs.iter().any(|sign| sign.is_alphanumeric()) || holds(&erased, &signs) || holds(&signs, &erased) {
                continue;
            }
            let Some(first) = signs.first().copied() else { continue };
            if let Some(known) = usize::try_from(u32::from(first)).ok().and_then(|first| found.ascii.get_mut(first)) {
                *known = true;
            }
            let form = Form::of(&signs);
            found.by_first.entry(first).or_default().push(Text { signs, form });
        }
        for texts in found.by_first.values_mut() {
            texts.sort_by(|one, other| {
                other.signs.len().cmp(&one.signs.len()).then_with(|| one.signs.cmp(&other.signs))
            });
            texts.dedup_by(|one, other| one.signs == other.signs);
        }
        found
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_first.is_empty()
    }

    /// A text with what is looked for replaced; `None` if nothing of it occurs.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let mut redacted = self.redact_once(text)?;
        // What was a part of a longer code may stand alone where the other part is gone. It ends: each time less is left to be found.
        while let Some(again) = self.redact_once(&redacted) {
            redacted = again;
        }
        Some(redacted)
    }

    fn redact_once(&self, text: &str) -> Option<String> {
        if !self.may_occur(text) {
            return None;
        }
        let signs = fold(text);
        let (mut redacted, mut from, mut at) = (String::new(), 0, 0);
        while at < signs.len() {
            let Some(length) = self.at(&signs, at) else {
                at += 1;
                continue;
            };
            let (Some(first), Some(last)) = (signs.get(at), signs.get(at + length - 1)) else { break };
            redacted.push_str(text.get(from..first.start)?);
            redacted.push_str(ERASED);
            (from, at) = (last.end, at + length);
        }
        if from == 0 {
            return None;
        }
        redacted.push_str(text.get(from..)?);
        Some(redacted)
    }

    /// Whether a text holds any of them.
    pub(crate) fn occur(&self, text: &str) -> bool {
        self.redact_once(text).is_some()
    }

    /// Whether a write names somebody.
    pub(crate) fn occur_in(&self, origin: &Origin) -> bool {
        [&origin.actor, &origin.source, &origin.run].into_iter().any(|text| self.occur(text))
    }

    /// Whether it is worth a closer look: of a text in ASCII, whether a sign occurs with which one begins.
    fn may_occur(&self, text: &str) -> bool {
        !text.is_ascii()
            || text
                .bytes()
                .any(|byte| self.ascii.get(usize::from(byte.to_ascii_lowercase())).copied().unwrap_or_default())
    }

    /// The length of the longest one that stands at a place as whole words.
    fn at(&self, signs: &[Sign], at: usize) -> Option<usize> {
        let sign = |at: usize| signs.get(at).copied();
        let first = sign(at)?;
        let texts = self.by_first.get(&first.folded)?;
        let before = at.checked_sub(1).and_then(sign);
        if before.is_some_and(|before| before.start == first.start || is_one_word(before.folded, first.folded)) {
            return None;
        }
        let pair = |near: Option<usize>, beyond: Option<usize>| {
            let folded = |at: Option<usize>| at.and_then(sign).map(|sign| sign.folded);
            folded(near).zip(folded(beyond))
        };
        let earlier = pair(at.checked_sub(1), at.checked_sub(2));
        let fits = |text: &&Text| {
            let end = at + text.signs.len();
            let Some(piece) = signs.get(at..end) else { return false };
            let Some(last) = piece.last() else { return false };
            let ends =
                sign(end).is_none_or(|after| after.start != last.start && !is_one_word(last.folded, after.folded));
            let is_part = earlier.is_some_and(|pair| text.form.goes_on(pair, true))
                || pair(Some(end), Some(end + 1)).is_some_and(|pair| text.form.goes_on(pair, false));
            ends && !is_part && piece.iter().map(|sign| sign.folded).eq(text.signs.iter().copied())
        };
        texts.iter().find(fits).map(|text| text.signs.len())
    }

    /// Replaces what occurs in the texts of a record, but not in those that are sealed if these are to be spared, and never in what a person is
    /// called: somebody else's name is not a mention. Answers whether anything did. A name that no two records may have stays one; an external id,
    /// and a text of a form that the replacement has not, goes.
    pub(crate) fn redact_record(&self, record: &mut Record, spares_sealed: bool) -> bool {
        let Some(id) = record.id() else { return false };
        let Some(kind) = record.kind() else { return false };
        let Some(entity) = record.entity_mut() else { return false };
        let id = id.simple().to_string();
        let short = id.get(id.len().saturating_sub(SHORT_ID)..).unwrap_or_default();
        let mut is_changed = false;
        let is_spared = |info: &FieldInfo| {
            (kind.info().person && kind.info().naming(info.index).is_some())
                || (spares_sealed && is_sealed_field(kind, info))
        };
        for info in kind.info().fields().filter(|info| !is_spared(info)) {
            if let Some(value) = self.redact_value(info, &entity.get(info.index), short) {
                // The value is of the field's own type, so it never fails.
                let _ = entity.set(info.index, value);
                is_changed = true;
            }
        }
        is_changed
    }

    fn redact_value(&self, info: &FieldInfo, value: &Value<'_>, short: &str) -> Option<Value<'static>> {
        let is_plain = info.format == TextFormat::Plain;
        Some(match value {
            Value::Text(text) => {
                let redacted = self.redact(text)?;
                if info.unique || info.index == field::KEY {
                    Value::Text(Cow::Owned(format!("{redacted}-{short}")))
                } else if is_plain || info.required {
                    Value::Text(Cow::Owned(redacted))
                } else {
                    Value::Null
                }
            }
            Value::Texts(texts) if texts.iter().any(|text| self.occur(text)) => {
                let mut left: Vec<String> = Vec::with_capacity(texts.len());
                for text in texts.iter() {
                    match self.redact(text) {
                        None => left.push(text.clone()),
                        Some(redacted) if is_plain && !left.contains(&redacted) => left.push(redacted),
                        Some(_) => {}
                    }
                }
                if left.is_empty() { Value::Null } else { Value::Texts(Cow::Owned(left)) }
            }
            Value::ExternalIds(ids) => {
                let mut left = ids.to_vec();
                left.retain(|external| !self.occur(&external.system) && !self.occur(&external.id));
                match left.len() {
                    0 if !ids.is_empty() => Value::Null,
                    length if length < ids.len() => Value::ExternalIds(Cow::Owned(left)),
                    _ => return None,
                }
            }
            Value::Translations(names) if names.iter().any(|name| self.occur(&name.name)) => {
                let mut left = names.to_vec();
                for name in &mut left {
                    if let Some(redacted) = self.redact(&name.name) {
                        name.name = redacted;
                    }
                }
                Value::Translations(Cow::Owned(left))
            }
            _ => return None,
        })
    }
}

fn is_sealed_field(kind: Kind, info: &FieldInfo) -> bool {
    sealed_fields(kind).any(|sealed| sealed.index == info.index)
}

/// The signs of a text as they are compared. A letter and its marks, and white space however much, come from bytes of one place, which are
/// replaced together or not at all.
fn fold(text: &str) -> Vec<Sign> {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let mut signs: Vec<Sign> = Vec::with_capacity(text.len());
    let mut rest = text.char_indices().peekable();
    while let Some((start, sign)) = rest.next() {
        let mut end = start + sign.len_utf8();
        let is_space = sign.is_whitespace();
        while let Some((place, next)) = rest.peek().copied() {
            let goes_on = if is_space { next.is_whitespace() } else { canonical_combining_class(next) != 0 };
            if !goes_on && !is_ignored(next) {
                break;
            }
            end = place + next.len_utf8();
            rest.next();
        }
        let place = |folded| Sign { folded, start, end };
        if is_space {
            signs.push(place(' '));
            continue;
        }
        let whole = text.get(start..end).unwrap_or_default();
        let kept = whole.nfd().filter(|sign| !is_ignored(*sign));
        // Up and down again: there are letters that differ in one case only.
        let cased = kept.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
        signs.extend(cased.nfd().map(place));
    }
    signs
}

fn fold_ascii(text: &str) -> Vec<Sign> {
    let mut signs: Vec<Sign> = Vec::with_capacity(text.len());
    for (start, sign) in text.char_indices() {
        let (folded, end) = (if sign.is_whitespace() { ' ' } else { sign.to_ascii_lowercase() }, start + 1);
        match signs.last_mut() {
            Some(last) if folded == ' ' && last.folded == ' ' => last.end = end,
            _ => signs.push(Sign { folded, start, end }),
        }
    }
    signs
}

/// What is not seen and stands between letters: a soft hyphen, spaces without width.
fn is_ignored(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Whether no word ends between two signs.
fn is_one_word(one: char, other: char) -> bool {
    let is_letter = |sign: char| sign.is_alphanumeric() && !is_written_without_spaces(sign);
    is_letter(one) && is_letter(other)
}

/// The writings of South-East Asia that put no space between words, Japanese and Chinese.
fn is_written_without_spaces(sign: char) -> bool {
    matches!(
        sign,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
    )
}

#[cfg(test)]
mod tests;
