//! Reads the arguments of the audit and of read logs.

use apollo_compiler::response::JsonValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use spil_proto::{changefeed::v1::AuditPlace, model::Kind};
use uuid::Uuid;

use super::{Arguments, Fault};
use crate::graphql::{global_id, limits::DEFAULT_PAGE, scalar};

/// The most bytes of the name of an actor or a source.
const MAX_NAME: usize = 256;
/// The most entries of a page.
const MAX_ENTRIES: usize = 200;

/// A page of a read log.
pub(in crate::graphql) struct LogPage {
    pub(in crate::graphql) first: u32,
    /// The entry after which to go on.
    pub(in crate::graphql) after: Option<Uuid>,
}

/// Which changes are asked for.
#[derive(Default)]
pub(in crate::graphql) struct AuditAsked {
    /// The record; of no kind if the id is that of none.
    pub(in crate::graphql) record: Option<Option<(Kind, Uuid)>>,
    /// Of these kinds; of all if empty.
    pub(in crate::graphql) kinds: Vec<Kind>,
    pub(in crate::graphql) actor: Option<String>,
    pub(in crate::graphql) source: Option<String>,
    pub(in crate::graphql) since: Option<i64>,
    pub(in crate::graphql) until: Option<i64>,
    pub(in crate::graphql) first: u32,
    /// Before which place of each owner; nothing more of one for which there is none.
    pub(in crate::graphql) before: Option<Places>,
}

/// A place in the log of each owner, in the order of the owners; none where there is nothing before it.
pub(in crate::graphql) type Places = [Option<AuditPlace>; 3];

/// Places as a cursor. The text holds no character that JSON escapes.
pub(in crate::graphql) fn encode_places(places: &Places) -> String {
    let mut bytes = Vec::with_capacity(36);
    for place in places {
        let place = place.unwrap_or_default();
        bytes.extend_from_slice(&place.revision.to_be_bytes());
        bytes.extend_from_slice(&place.ordinal.to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode_places(text: &str) -> Option<Places> {
    let mut bytes = [0; 36];
    if text.len() > 48 || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(bytes.len()) {
        return None;
    }
    let mut places = [None; 3];
    for (place, bytes) in places.iter_mut().zip(bytes.chunks_exact(12)) {
        let (revision, ordinal) = bytes.split_first_chunk::<8>()?;
        let place_read = AuditPlace {
            revision: u64::from_be_bytes(*revision),
            ordinal: u32::from_be_bytes(ordinal.try_into().ok()?),
        };
        *place = (place_read != AuditPlace::default()).then_some(place_read);
    }
    Some(places)
}

impl Arguments<'_> {
    fn entries(&self) -> Result<u32, Fault> {
        let first = self.count("first")?.unwrap_or(DEFAULT_PAGE.min(MAX_ENTRIES));
        match u32::try_from(first) {
            Ok(count) if first <= MAX_ENTRIES => Ok(count),
            _ => {
                Err(Fault::new(format!("`first` is more than {MAX_ENTRIES}; ask for more pages instead"))
                    .within("first"))
            }
        }
    }

    pub(super) fn access_log(&self) -> Result<LogPage, Fault> {
        let no_cursor = || Fault::new("this is no cursor of an access log").within("after");
        let after = match self.text("after") {
            None => None,
            Some(text) => Some(Uuid::try_parse(text).map_err(|_| no_cursor())?),
        };
        Ok(LogPage { first: self.entries()?, after })
    }

    pub(super) fn audit(&self) -> Result<AuditAsked, Fault> {
        let mut asked = AuditAsked { first: self.entries()?, ..AuditAsked::default() };
        if let Some(text) = self.text("after") {
            let places = decode_places(text);
            asked.before = Some(places.ok_or_else(|| Fault::new("this is no cursor of an audit").within("after"))?);
        }
        let Some(filter) = self.values.get("filter").and_then(JsonValue::as_object) else { return Ok(asked) };
        let text = |name: &'static str| filter.get(name).and_then(JsonValue::as_str);
        let name = |name: &'static str| match text(name) {
            Some(text) if text.len() > MAX_NAME => {
                Err(Fault::new(format!("`{name}` has at most {MAX_NAME} bytes")).within(name).within("filter"))
            }
            text => Ok(text.map(str::to_owned)),
        };
        let moment = |name: &'static str| match text(name) {
            None => Ok(None),
            Some(text) => scalar::parse_date_time(text).map(Some).ok_or_else(|| {
                Fault::new("a time is due, as in \"2026-03-01T09:30:00Z\"").within(name).within("filter")
            }),
        };
        asked.record = text("record").map(global_id::decode);
        (asked.actor, asked.source) = (name("actor")?, name("source")?);
        (asked.since, asked.until) = (moment("since")?, moment("until")?);
        let names =
            filter.get("kinds").and_then(JsonValue::as_array).into_iter().flatten().filter_map(JsonValue::as_str);
        asked.kinds = names
            .filter_map(|name| Kind::ALL.iter().copied().find(|kind| crate::graphql::schema::kind_value(*kind) == name))
            .collect();
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_a_place_for_each_owner() {
        let places =
            [Some(AuditPlace { revision: 7, ordinal: 2 }), None, Some(AuditPlace { revision: u64::MAX, ordinal: 0 })];
        assert_eq!(decode_places(&encode_places(&places)), Some(places));
        for text in ["", "x", "AAAA"] {
            assert_eq!(decode_places(text), None, "{text}");
        }
    }
}
