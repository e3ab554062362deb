//! Which media type an answer has, by the `Accept` of the request (RFC 9110, section 12.5.1).

use std::cmp::Ordering;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
};

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// The media type of the 2025 draft, in which the status says whether the request was run.
    ResponseJson,
    /// The older media type, in which a request that is well-formed is answered with 200.
    Json,
}

/// What a client may ask for. A client that names both alike is a new one that has old servers in mind too, and gets the first.
const OFFERS: [Media; 2] = [Media::ResponseJson, Media::Json];
/// The most ranges of `Accept` that are looked at.
const MAX_RANGES: usize = 64;

impl Media {
    /// The media type with its charset, as `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Media::ResponseJson => "application/graphql-response+json; charset=utf-8",
            Media::Json => "application/json; charset=utf-8",
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Media::ResponseJson => "graphql-response+json",
            Media::Json => "json",
        }
    }

    /// The media type that the client wants most; none if it takes neither. A client that does not say gets the older one.
    pub(super) fn of(http: &HttpRequest) -> Option<Self> {
        let mut values = http.headers().get_all(header::ACCEPT).peekable();
        if values.peek().is_none() {
            return Some(Media::Json);
        }
        // A header that is no text names nothing.
        let accept: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        let accept = accept.join(",");
        if accept.trim().is_empty() { Some(Media::Json) } else { negotiate(&accept) }
    }
}

/// Whether the client would rather have an event stream than one answer: it names that, and no media type of one answer as much.
/// A wildcard names nothing.
pub(super) fn prefers_events(headers: &HeaderMap) -> bool {
    let weight = |kind: &str, subtype: &str| {
        accepted(headers).filter(|range| range.is(kind, subtype)).map(|range| range.quality).max().unwrap_or(0)
    };
    let answers = OFFERS.into_iter().map(|media| weight("application", media.subtype())).max().unwrap_or(0);
    weight("text", "event-stream") > answers
}

/// Whether the client takes an event stream.
pub(super) fn takes_events(headers: &HeaderMap) -> bool {
    let takes = |range: Range<'_>| {
        range.quality > 0 && (range.is("text", "event-stream") || range.is("text", "*") || range.is("*", "*"))
    };
    !headers.contains_key(header::ACCEPT) || accepted(headers).any(takes)
}

/// The ranges of all headers.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(ranges)
}

/// One range of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl Range<'_> {
    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

fn ranges(accept: &str) -> impl Iterator<Item = Range<'_>> {
    accept.split(',').take(MAX_RANGES).filter_map(range)
}

/// Reads one range; none if it is malformed, or asks for another charset than UTF-8.
fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut quality = 1000;
    for part in parts {
        let Some((name, value)) = part.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("q") {
            quality = thousandths(value)?;
        } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return None;
        }
    }
    Some(Range { kind, subtype, quality })
}

/// Whether a charset is the one that is spoken here.
pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// A weight: a number from 0 to 1 with up to three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

fn negotiate(accept: &str) -> Option<Media> {
    let mut best: Option<(Media, u16, u8)> = None;
    for media in OFFERS {
        // Of all ranges that a media type is in, the most exact one says how much it is wanted.
        let wanted = ranges(accept)
            .filter_map(|range| {
                let exactness = match (range.kind, range.subtype) {
                    ("*", "*") => 0,
                    (kind, _) if !kind.eq_ignore_ascii_case("application") => return None,
                    (_, "*") => 1,
                    (_, subtype) if subtype.eq_ignore_ascii_case(media.subtype()) => 2,
                    _ => return None,
                };
                Some((exactness, range.quality))
            })
            .max();
        let Some((exactness, quality)) = wanted.filter(|(_, quality)| *quality > 0) else { continue };
        let is_better = best.is_none_or(|(_, known, exact)| match quality.cmp(&known) {
            // Where neither is named, the older one is the safer answer.
            Ordering::Equal => exactness > exact || (exactness == exact && exactness < 2),
            other => other.is_gt(),
        });
        if is_better {
            best = Some((media, quality, exactness));
        }
    }
    best.map(|(media, ..)| media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_follows_weights_then_exactness() {
        let (new, old) = (Some(Media::ResponseJson), Some(Media::Json));
        for (accept, media) in [
            ("*/*", old),
            ("application/*", old),
            ("application/json", old),
            ("APPLICATION/JSON", old),
            ("application/json; charset=utf-8", old),
            ("application/json;charset=\"UTF-8\"", old),
            ("application/graphql-response+json", new),
            ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", new),
            ("application/json, application/graphql-response+json", new),
            ("application/graphql-response+json, application/json;q=0.9", new),
            ("application/graphql-response+json;q=0.8, application/json;q=0.9", old),
            ("application/graphql-response+json;q=0.8, application/json;Q=0.9", old),
            ("application/graphql-response+json, */*", new),
            ("application/json, */*", old),
            ("*/*, application/json;q=0", new),
            ("application/json;q=0, application/*;q=0.5", new),
            ("*/*;q=0.1, application/json;q=0.2", old),
            ("text/html, application/xhtml+xml, */*;q=0.8", old),
            ("text/html", None),
            ("*/*;q=0", None),
            ("application/json;q=0.000", None),
            ("application/json;q=1.5", None),
            ("application/json;q=x", None),
            ("application/json; charset=iso-8859-1", None),
            ("application/json; charset=iso-8859-1, */*;q=0.1", old),
            ("json", None),
        ] {
            assert_eq!(negotiate(accept), media, "{accept}");
        }
    }

    #[test]
    fn events_are_for_those_who_name_them() {
        for (accept, prefers, takes) in [
            (Some("text/event-stream"), true, true),
            (Some("Text/Event-Stream; charset=utf-8"), true, true),
            (Some("text/event-stream, */*"), true, true),
            (Some("text/event-stream, application/json;q=0.9"), true, true),
            (Some("text/event-stream;q=0.9, application/graphql-response+json"), false, true),
            (
                Some("application/graphql-response+json, application/json, text/event-stream, multipart/mixed"),
                false,
                true,
            ),
            (Some("*/*"), false, true),
            (Some("text/*"), false, true),
            (Some("application/json"), false, false),
            (Some("text/event-stream;q=0"), false, false),
            (None, false, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, header::HeaderValue::from_static(accept));
            }
            assert_eq!((prefers_events(&headers), takes_events(&headers)), (prefers, takes), "{accept:?}");
        }
    }

    #[test]
    fn a_weight_has_three_digits() {
        for (text, value) in
            [("1", Some(1000)), ("1.000", Some(1000)), ("0.5", Some(500)), ("0.", Some(0)), ("0.125", Some(125))]
        {
            assert_eq!(thousandths(text), value, "{text}");
        }
        for text in ["", "-1", "2", "1.001", "0.1234", "0.x", ".5", "nan"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}
