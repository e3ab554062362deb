//! Seals the places in the owners' logs that are told to clients: consistency tokens and cursors of changes.
//!
//! A place holds the numbers of revisions. Whoever could read them could count what is written, also what they may not see. All gateways of
//! an installation derive the same keys from the key that they share, so that each takes what another has given. The same place is sealed to
//! the same text, so that answers that are the same stay the same to the byte.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use sha2::{Digest, Sha256};

/// How many bytes a nonce has.
const NONCE_BYTES: usize = 24;
/// What is sealed along, so that nothing that is sealed for something else is taken.
const FORM: &[u8] = b"spil place 1";

static SEALER: OnceLock<Sealer> = OnceLock::new();

/// Sets the secret that the gateways of an installation share, before anything is sealed. Without one, what is sealed means something in
/// this process only. The first one counts.
pub fn share(secret: &[u8; 32]) {
    SEALER.get_or_init(|| Sealer::new(secret));
}

fn sealer() -> &'static Sealer {
    SEALER.get_or_init(|| Sealer::new(&rand::random()))
}

/// Seals a place. The text holds no character that JSON escapes.
pub(crate) fn seal(place: &[u8]) -> String {
    sealer().seal(place)
}

/// Opens a place that was sealed here, or by another gateway of the installation; `None` if the text is none.
pub(crate) fn open(text: &str) -> Option<Vec<u8>> {
    sealer().open(text)
}

struct Sealer {
    cipher: XChaCha20Poly1305,
    /// Makes the nonce of a place.
    nonces: [u8; 32],
}

impl Sealer {
    fn new(secret: &[u8; 32]) -> Self {
        let key = |purpose: &[u8]| -> [u8; 32] {
            Sha256::new_with_prefix(secret).chain_update(FORM).chain_update(purpose).finalize().into()
        };
        Self { cipher: XChaCha20Poly1305::new((&key(b" cipher")).into()), nonces: key(b" nonces") }
    }

    fn nonce(&self, place: &[u8]) -> [u8; NONCE_BYTES] {
        let hash: [u8; 32] = Sha256::new_with_prefix(self.nonces).chain_update(place).finalize().into();
        std::array::from_fn(|at| hash[at])
    }

    fn seal(&self, place: &[u8]) -> String {
        // A nonce that only another place could share: that the same place gives the same text is what is wanted.
        let nonce = self.nonce(place);
        // So few bytes can always be sealed.
        let sealed = self.cipher.encrypt((&nonce).into(), Payload { msg: place, aad: FORM }).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        self.cipher.decrypt(nonce.into(), Payload { msg: sealed, aad: FORM }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_opened_by_who_shares_the_secret_and_nobody_else() {
        let (one, other) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let place = b"store, epoch, revision 1234567, mark";
        let text = one.seal(place);
        assert_eq!(text, one.seal(place), "the same place is the same text");
        assert_ne!(text, one.seal(b"store, epoch, revision 1234568, mark"));
        assert_eq!(Sealer::new(&[1; 32]).open(&text).as_deref(), Some(place.as_slice()));
        assert_eq!(other.open(&text), None);
        let bytes = URL_SAFE_NO_PAD.decode(&text).expect("base64");
        assert!(!bytes.windows(7).any(|window| window == b"1234567"), "the number does not show");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(one.open(&URL_SAFE_NO_PAD.encode(changed)), None, "byte {at}");
        }
        for nonsense in ["", "nonsense", "AAAA", &text[..text.len() - 4]] {
            assert_eq!(one.open(nonsense), None);
        }
    }
}
