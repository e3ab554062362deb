//! The forms that texts must have.

/// Whether a text is an absolute URI (RFC 3986) by its characters: a scheme, a colon and something after it.
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && percent_encoded(rest)
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte))
}

fn percent_encoded(text: &str) -> bool {
    let hex = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return false;
        }
    }
    true
}

/// Whether a text looks like an e-mail address: a local part, `@`, and a domain of labels. Only sending a mail proves it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter == '-' || letter.is_alphanumeric())
    };
    !local.is_empty()
        && local.len() <= 64
        && !local.contains(|letter: char| letter == '@' || letter.is_whitespace() || letter.is_control())
        && domain.len() <= 253
        && domain.split('.').all(label)
}

/// Whether a text is of the form of an ISO 4217 code.
pub(super) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A UUID in its one form: small letters and hyphens; `None` if the text is none.
pub(super) fn uuid(text: &str) -> Option<String> {
    (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok()).flatten().map(|id| id.hyphenated().to_string())
}

/// A language tag of the form of BCP 47 in its usual case (`de-AT`, `zh-Hant`); `None` if it is none.
pub(super) fn language_tag(text: &str) -> Option<String> {
    if text.len() > 64 {
        return None;
    }
    let mut tag = String::with_capacity(text.len());
    // After a singleton (`x` for private use) everything is lower case.
    let mut extension = false;
    for (place, part) in text.split('-').enumerate() {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphabetic());
        if part.is_empty() || part.len() > 8 || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        if place == 0 {
            let private = part.eq_ignore_ascii_case("x") && text.len() > 2;
            if !letters || (part.len() < 2 && !private) {
                return None;
            }
        } else {
            tag.push('-');
        }
        let mut part = part.to_ascii_lowercase();
        if place > 0 && !extension && letters {
            match part.len() {
                2 => part.make_ascii_uppercase(),
                4 => {
                    if let Some(first) = part.get_mut(..1) {
                        first.make_ascii_uppercase();
                    }
                }
                _ => {}
            }
        }
        extension |= part.len() == 1;
        tag.push_str(&part);
    }
    Some(tag)
}
