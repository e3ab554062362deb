//! Reads the arguments of searches.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{Arguments, Fault};
use crate::{
    graphql::{
        error::Code,
        limits::{DEFAULT_SEARCH_PAGE, MAX_SEARCH_PAGE},
    },
    search::{Hit, Question, SearchLanguage},
};

/// The place of a hit as a cursor. The text holds no character that JSON escapes.
pub(in crate::graphql) fn encode_hit(hit: &Hit) -> String {
    let mut bytes = Vec::with_capacity(22);
    bytes.extend_from_slice(&hit.score.to_be_bytes());
    bytes.extend_from_slice(&(hit.kind as u16).to_be_bytes());
    bytes.extend_from_slice(hit.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode_hit(text: &str) -> Option<Hit> {
    let mut bytes = [0; 22];
    if text.len() > 32 || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(bytes.len()) {
        return None;
    }
    let (score, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, id) = rest.split_first_chunk::<2>()?;
    let kind = Kind::from_number(u32::from(u16::from_be_bytes(*kind)))?;
    Some(Hit { kind, id: Uuid::from_slice(id).ok()?, score: f32::from_be_bytes(*score) })
}

impl Arguments<'_> {
    pub(super) fn search(&self) -> Result<Question, Fault> {
        let size = |name: &'static str| match self.count(name)? {
            Some(count) if count > MAX_SEARCH_PAGE => {
                let message = format!("`{name}` is more than {MAX_SEARCH_PAGE}; ask for more pages instead");
                Err(Fault { code: Code::BadInput, message, path: Vec::new() }.within(name))
            }
            count => Ok(count),
        };
        let place = |name: &'static str| match self.text(name) {
            None => Ok(None),
            Some(text) => {
                decode_hit(text).map(Some).ok_or_else(|| Fault::new("this is no cursor of a search").within(name))
            }
        };
        let (mut first, last) = (size("first")?, size("last")?);
        if last.is_none() {
            first = first.or(Some(DEFAULT_SEARCH_PAGE));
        }
        let (after, before) = (place("after")?, place("before")?);
        let language = match self.text("language") {
            Some("ENGLISH") => Some(SearchLanguage::English),
            Some("DUTCH") => Some(SearchLanguage::Dutch),
            _ => None,
        };
        let text = self.text("text").unwrap_or_default().to_owned();
        Ok(Question { text, kinds: self.kinds("kinds"), language, first, last, after, before })
    }
}
