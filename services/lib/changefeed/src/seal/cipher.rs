//! Sealing and marking bytes.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac, digest::Key};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// How many bytes a key has.
pub(crate) const KEY_BYTES: usize = 32;
/// How many bytes a nonce has: so many that random ones do not meet.
const NONCE_BYTES: usize = 24;
/// The first byte of what is sealed: which cipher it was sealed with.
const XCHACHA20_POLY1305: u8 = 1;
/// How many bytes of a mark are kept: so many that no two names have the same one.
const MARK_BYTES: usize = 16;

/// A key. It is overwritten when it is dropped and shown nowhere.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secret {
    /// A new key.
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The key of some bytes; `None` if there are not just as many as a key has.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Another key, for another purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Self {
        Self(Zeroizing::new(self.hash(&[purpose.as_bytes()])))
    }

    /// Seals bytes for a place: at any other they can not be opened. `None` if there are too many.
    pub(crate) fn seal(&self, place: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let cipher = XChaCha20Poly1305::new((&*self.0).into());
        let sealed = cipher.encrypt((&nonce).into(), Payload { msg: bytes, aad: place }).ok()?;
        let mut whole = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        whole.push(XCHACHA20_POLY1305);
        whole.extend(nonce);
        whole.extend(sealed);
        Some(whole)
    }

    /// Opens what was sealed for a place; `None` if it was sealed with another key or for another place, or was changed since.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (cipher, sealed) = sealed.split_first()?;
        if *cipher != XCHACHA20_POLY1305 {
            return None;
        }
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let cipher = XChaCha20Poly1305::new((&*self.0).into());
        cipher.decrypt(nonce.into(), Payload { msg: sealed, aad: place }).ok().map(Zeroizing::new)
    }

    /// This key, sealed with another one.
    pub(crate) fn wrapped(&self, with: &Secret, place: &[u8]) -> Option<Vec<u8>> {
        with.seal(place, self.0.as_slice())
    }

    /// The key that was sealed with this one.
    pub(crate) fn unwrap_key(&self, place: &[u8], wrapped: &[u8]) -> Option<Secret> {
        Secret::from_bytes(&self.open(place, wrapped)?)
    }

    /// The mark of some parts. Equal parts have equal marks, and without the key nobody finds the parts by trying.
    pub(crate) fn mark(&self, parts: &[&[u8]]) -> Mark {
        let whole = self.hash(parts);
        let mut short = [0; MARK_BYTES];
        short.iter_mut().zip(whole).for_each(|(byte, hashed)| *byte = hashed);
        Mark(short)
    }

    /// HMAC-SHA-256 over some parts, each with its length before it.
    fn hash(&self, parts: &[&[u8]]) -> [u8; KEY_BYTES] {
        // A key shorter than a block of the hash is one that is filled up with zeros.
        let mut block = Key::<Hmac<Sha256>>::default();
        block.iter_mut().zip(self.0.iter()).for_each(|(byte, key)| *byte = *key);
        let mut mac = Hmac::<Sha256>::new(&block);
        block.as_mut_slice().zeroize();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// What is kept of a name: enough to find it again, and nothing by which it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Mark([u8; MARK_BYTES]);

impl Mark {
    /// The bytes of it.
    pub(crate) fn bytes(self) -> [u8; MARK_BYTES] {
        self.0
    }

    /// The mark as the value of a column in which names stand.
    pub(crate) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_with_its_key_at_its_place() {
        let (key, other) = (Secret::random(), Secret::random());
        for text in [&b""[..], b"Aleida", &[7; 5000]] {
            let sealed = key.seal(b"worker 1", text).expect("sealed");
            assert_eq!(key.open(b"worker 1", &sealed).expect("open").as_slice(), text);
            assert!(key.open(b"worker 2", &sealed).is_none());
            assert!(other.open(b"worker 1", &sealed).is_none());
            for place in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[place] ^= 1;
                assert!(key.open(b"worker 1", &changed).is_none(), "byte {place}");
            }
            assert!((0..sealed.len()).all(|length| key.open(b"worker 1", &sealed[..length]).is_none()));
            assert_ne!(key.seal(b"worker 1", text), Some(sealed), "a nonce came twice");
        }
    }

    #[test]
    fn the_cipher_is_the_one_of_the_draft() {
        // draft-irtf-cfrg-xchacha, A.3.1.
        let key = Secret::from_bytes(&(0x80..0xa0).collect::<Vec<u8>>()).expect("a key");
        let nonce: Vec<u8> = (0x40..0x58).collect();
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text: &[u8] =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.";
        let tag = [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49];
        let cipher = XChaCha20Poly1305::new((&*key.0).into());
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("a nonce");
        let sealed = cipher.encrypt((&nonce).into(), Payload { msg: text, aad: &aad }).expect("sealed");
        assert_eq!(sealed[text.len()..], tag);
        let whole: Vec<u8> = [&[XCHACHA20_POLY1305][..], &nonce, &sealed].concat();
        assert_eq!(key.open(&aad, &whole).expect("open").as_slice(), text);
    }

    #[test]
    fn a_wrapped_key_comes_back() {
        let (master, key) = (Secret::random(), Secret::random());
        let wrapped = key.wrapped(&master, b"person 1").expect("wrapped");
        let back = master.unwrap_key(b"person 1", &wrapped).expect("the key");
        assert_eq!(*back.0, *key.0);
        assert!(master.unwrap_key(b"person 2", &wrapped).is_none());
        assert!(!format!("{key:?}").contains(char::is_numeric));
    }

    #[test]
    fn marks_depend_on_key_and_parts() {
        let key = Secret::from_bytes(&[11; KEY_BYTES]).expect("a key");
        assert_eq!(key.mark(&[b"a", b"b"]), key.mark(&[b"a", b"b"]));
        assert_ne!(key.mark(&[b"a", b"b"]), key.mark(&[b"ab"]));
        assert_ne!(key.mark(&[b"a", b"b"]), Secret::random().mark(&[b"a", b"b"]));
        assert_ne!(key.derive("x").mark(&[b"a"]), key.derive("y").mark(&[b"a"]));
    }
}
