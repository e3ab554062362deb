//! The opaque ids that clients see: the kind and the UUID of a record.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use spil_proto::model::Kind;
use uuid::Uuid;

/// Bytes of an id before it is written as text: the number of the kind, then the UUID.
const BYTES: usize = 18;
/// Characters of an id.
pub(crate) const LENGTH: usize = 24;

/// Writes an id as text. The text holds no character that JSON escapes.
pub(crate) fn encode_into(kind: Kind, id: Uuid, text: &mut [u8; LENGTH]) {
    let mut bytes = [0; BYTES];
    bytes[..2].copy_from_slice(&(kind as u16).to_be_bytes());
    bytes[2..].copy_from_slice(id.as_bytes());
    // 18 bytes are exactly 24 characters, so this can not fail; a fault would leave the text as it was.
    let _ = URL_SAFE_NO_PAD.encode_slice(bytes, text);
}

/// The id as text.
pub fn encode(kind: Kind, id: Uuid) -> String {
    let mut text = [b'A'; LENGTH];
    encode_into(kind, id, &mut text);
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Reads an id; `None` if it is none of ours.
pub fn decode(text: &str) -> Option<(Kind, Uuid)> {
    let mut bytes = [0; BYTES];
    if text.len() != LENGTH || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(BYTES) {
        return None;
    }
    let kind = Kind::from_number(u32::from(u16::from_be_bytes([bytes[0], bytes[1]])))?;
    Uuid::from_slice(&bytes[2..]).ok().map(|id| (kind, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = Uuid::from_u128(0x0193_0000_7000_8000_0000_0000_0000_0007);
        for kind in Kind::ALL {
            let text = encode(*kind, id);
            assert_eq!(text.len(), LENGTH);
            assert_eq!(decode(&text), Some((*kind, id)));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let good = encode(Kind::Capability, Uuid::from_u128(7));
        for text in [
            "",
            "x",
            &good[1..],
            &format!("{good}A"),
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            "////////////////////////",
            "ééééééééééééé",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
