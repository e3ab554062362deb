//! Automatic persisted queries: documents that a client has sent once and then names by their hash.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use sha2::{Digest, Sha256};

/// The most documents that are kept.
const MAX_DOCUMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// The most bytes of all documents together.
const MAX_BYTES: usize = 16 << 20;

/// The SHA-256 of the text of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TextHash([u8; 32]);

impl TextHash {
    /// The hash of a text.
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits; none if they are something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        let mut digits = text.chars().map(|digit| digit.to_digit(16));
        for byte in &mut bytes {
            *byte = u8::try_from(digits.next()?? << 4 | digits.next()??).ok()?;
        }
        Some(Self(bytes))
    }

    /// The hash as 64 hexadecimal digits.
    pub(super) fn to_hex(self) -> String {
        use std::fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to memory does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The documents that were used last, by their hash, bounded in number and in bytes. A client whose document has fallen out is asked
/// for the text again, as by a gateway that has never seen it.
pub(super) struct PersistedQueries {
    documents: LruCache<TextHash, Arc<str>>,
    bytes: usize,
    max_bytes: usize,
}

impl PersistedQueries {
    pub(super) fn new() -> Self {
        Self::bounded(MAX_DOCUMENTS, MAX_BYTES)
    }

    fn bounded(documents: NonZeroUsize, max_bytes: usize) -> Self {
        Self { documents: LruCache::new(documents), bytes: 0, max_bytes }
    }

    /// The document with a hash.
    pub(super) fn get(&mut self, hash: &TextHash) -> Option<Arc<str>> {
        self.documents.get(hash).cloned()
    }

    /// Keeps a valid document under its hash.
    pub(super) fn put(&mut self, hash: TextHash, text: &str) {
        if text.len() > self.max_bytes || self.documents.get(&hash).is_some() {
            return;
        }
        self.bytes += text.len();
        if let Some((_, fallen)) = self.documents.push(hash, text.into()) {
            self.bytes -= fallen.len();
        }
        while self.bytes > self.max_bytes
            && let Some((_, fallen)) = self.documents.pop_lru()
        {
            self.bytes -= fallen.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = TextHash::of("{ __typename }");
        assert_eq!(hash.to_hex(), "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b");
        assert_eq!(TextHash::parse(&hash.to_hex()), Some(hash));
        assert_eq!(TextHash::parse(&hash.to_hex().to_uppercase()), Some(hash));
        for text in ["", "7f", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
            assert_eq!(TextHash::parse(text), None, "{text}");
        }
    }

    #[test]
    fn number_and_bytes_are_bounded() {
        let mut queries = PersistedQueries::bounded(NonZeroUsize::MIN.saturating_add(2), 100);
        let texts: Vec<_> = (0..5).map(|at| format!("{at}{}", "x".repeat(29))).collect();
        let hashes: Vec<_> = texts.iter().map(|text| TextHash::of(text)).collect();
        for _ in 0..3 {
            for (hash, text) in hashes.iter().zip(&texts) {
                queries.put(*hash, text);
                assert!(queries.documents.len() <= 3);
                assert_eq!(queries.bytes, queries.documents.iter().map(|(_, text)| text.len()).sum::<usize>());
            }
        }
        assert_eq!(queries.get(&hashes[4]).as_deref(), Some(texts[4].as_str()));
        assert_eq!(queries.get(&hashes[0]), None);
        let long = "y".repeat(90);
        queries.put(TextHash::of(&long), &long);
        assert_eq!((queries.documents.len(), queries.bytes), (1, 90), "those used longest ago make room");
        let longer = "z".repeat(101);
        queries.put(TextHash::of(&longer), &longer);
        assert_eq!((queries.get(&TextHash::of(&longer)), queries.bytes), (None, 90));
    }
}
