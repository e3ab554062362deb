//! The cursors of changes: an opaque text that names a place in the logs of all owners, to the event.
//!
//! A place between revisions is written as a consistency token is, so that either can be given as the other.

use prost::Message;
use spil_proto::{changefeed::v1::Cursor, model::Owner};

use crate::{
    journal::{Part, Reader, Spot, Stand, number},
    live, place_seal,
};

/// The longest text that is looked at.
const MAX_TEXT: usize = 1024;
/// Bytes of a revision read in part: the number of the owner, the mark, how many events.
const PART: usize = 1 + 8 + 4;

/// Writes a place as text, which holds no character that JSON escapes.
pub(crate) fn encode(reader: &Reader) -> String {
    let mut bytes = Vec::with_capacity(160);
    for spot in &reader.at {
        // Writing to memory does not fail.
        let _ = spot.cursor().encode_length_delimited(&mut bytes);
    }
    for owner in Owner::ALL {
        if let Some(part) = reader.parts[number(owner)] {
            bytes.push(u8::try_from(number(owner)).unwrap_or_default());
            bytes.extend_from_slice(&part.mark.to_be_bytes());
            bytes.extend_from_slice(&part.events.to_be_bytes());
        }
    }
    place_seal::seal(&bytes)
}

/// Reads a place; `None` if the text is none.
pub(crate) fn decode(text: &str) -> Option<Reader> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let bytes = place_seal::open(text)?;
    let mut rest = bytes.as_slice();
    let mut next = || {
        let cursor = Cursor::decode_length_delimited(&mut rest).ok()?;
        (cursor.store_id.len() == 16).then(|| Spot::of(&cursor))
    };
    let at = [next()?, next()?, next()?];
    let mut parts = [None; 3];
    while let Some((part, after)) = rest.split_at_checked(PART) {
        let (owner, part) = part.split_first()?;
        let (mark, events) = part.split_at_checked(8)?;
        let part = Part {
            mark: u64::from_be_bytes(mark.try_into().ok()?),
            events: u32::from_be_bytes(events.try_into().ok()?),
        };
        *parts.get_mut(usize::from(*owner))? = Some(part);
        rest = after;
    }
    rest.is_empty().then_some(Reader { at, parts })
}

/// The consistency token of a stand.
pub(super) fn token(stand: &Stand) -> String {
    live::token(stand.iter().map(|spot| spot.map(|spot| spot.cursor()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spot() -> impl Strategy<Value = Spot> {
        (any::<[u8; 16]>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(store, epoch, revision, mark)| Spot {
            store,
            epoch,
            revision,
            mark,
        })
    }

    fn part() -> impl Strategy<Value = Option<Part>> {
        prop::option::of((any::<u64>(), any::<u32>()).prop_map(|(mark, events)| Part { mark, events }))
    }

    proptest! {
        #[test]
        fn a_place_is_read_as_it_was_written(
            at in [spot(), spot(), spot()],
            parts in [part(), part(), part()],
        ) {
            let reader = Reader { at, parts };
            prop_assert_eq!(decode(&encode(&reader)), Some(reader));
            let whole = Reader { at, parts: [None; 3] };
            prop_assert_eq!(token(&at.map(Some)), encode(&whole), "a place between revisions is a consistency token");
        }

        #[test]
        fn other_texts_are_no_places(text in "[A-Za-z0-9_-]{0,200}") {
            if let Some(reader) = decode(&text) {
                prop_assert_eq!(decode(&encode(&reader)), Some(reader));
            }
        }
    }
}
