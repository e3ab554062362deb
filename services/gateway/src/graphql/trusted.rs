//! Trusted documents: those of a manifest that the build of a client has written. In the mode of an allow-list no other is run.

mod manifest;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arc_swap::ArcSwap;

pub use manifest::ManifestError;

use super::persisted::TextHash;
use watch::Watched;

/// Which documents are run, and what they may ask of the schema.
#[derive(Clone)]
pub struct DocumentRules {
    /// The documents of a manifest, if there is one.
    pub trusted: Option<Arc<TrustedDocuments>>,
    /// Whether no other documents are run.
    pub only_trusted: bool,
    /// Whether documents may ask for the schema itself, by `__schema`, `__type` and `_service`.
    pub introspection: bool,
}

impl Default for DocumentRules {
    fn default() -> Self {
        Self { trusted: None, only_trusted: false, introspection: true }
    }
}

/// The documents of a manifest, which is read again whenever it changes.
pub struct TrustedDocuments {
    list: ArcSwap<TrustedList>,
    watched: Watched,
}

impl TrustedDocuments {
    /// The text of the document with an identifier.
    pub(super) fn by_id(&self, id: &str) -> Option<Arc<str>> {
        self.list.load().by_id.get(id).cloned()
    }

    /// Whether a text is that of a document of the list, to the letter.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.list.load().texts.contains(text)
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.list.load().texts.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The documents of one reading of a manifest.
#[derive(Default)]
struct TrustedList {
    /// By the identifier of the manifest, and by the SHA-256 of the text.
    by_id: HashMap<Box<str>, Arc<str>>,
    /// Every text once, whole: two texts can be made to have the same hash where that is not a cryptographic one.
    texts: HashSet<Arc<str>>,
}

impl TrustedList {
    fn insert(&mut self, id: &str, text: &str) {
        let text = self.texts.get(text).cloned().unwrap_or_else(|| text.into());
        self.texts.insert(Arc::clone(&text));
        self.by_id.entry(TextHash::of(&text).to_hex().into()).or_insert_with(|| Arc::clone(&text));
        self.by_id.insert(id.into(), text);
    }
}
