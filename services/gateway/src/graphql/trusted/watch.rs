//! The file of a manifest: read at the start, and again whenever it changes.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::task;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    ManifestError, TrustedDocuments, TrustedList,
    manifest::{self, ManifestDocument},
};
use crate::graphql::{document, limits::Limits, schema::SpilSchema};

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// The most bytes of the file.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// How coarse the times of files may be: one that changed just now may change again without its time doing so.
const TIME_GRAIN: Duration = Duration::from_secs(5);
/// The most documents of a manifest that are named in the log as unusable, one by one.
const MAX_NAMED: usize = 20;

/// A file and what its documents are checked by.
pub(super) struct Watched {
    path: PathBuf,
    schema: &'static SpilSchema,
    limits: Limits,
    /// What was found when the file was read first.
    first: Seen,
}

/// What is known of a file without reading it, and what it held.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// When it changed last, and its length; none while it can not be found.
    stamp: Option<(SystemTime, u64)>,
    /// The hash of its content; none if it could not be read.
    content: Option<u128>,
}

impl TrustedDocuments {
    /// Reads a manifest. A document that does not fit the schema or the bounds of requests is named in the log and left out: it would
    /// be refused anyway, and the others do not suffer for it.
    ///
    /// # Errors
    /// If the file can not be read or is no manifest.
    pub fn open(path: &Path, schema: &'static SpilSchema, limits: &Limits) -> Result<Arc<Self>, ManifestError> {
        let stamp = stamp(path).ok();
        let bytes = read(path)?;
        let list = list(&bytes, schema, limits)?;
        tracing::info!(path = %path.display(), documents = list.texts.len(), "trusted documents were read");
        let first = Seen { stamp, content: Some(xxh3_128(&bytes)) };
        let watched = Watched { path: path.to_owned(), schema, limits: limits.clone(), first };
        Ok(Arc::new(Self { list: ArcSwap::from_pointee(list), watched }))
    }

    /// Reads the file again whenever it changes, for ever. While it is broken or not there, the list stays as it is.
    pub async fn follow(self: Arc<Self>) {
        let mut seen = self.watched.first;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let documents = Arc::clone(&self);
            match task::spawn_blocking(move || documents.look(seen)).await {
                Ok(now) => seen = now,
                Err(error) => tracing::error!(%error, "the trusted documents could not be read"),
            }
        }
    }

    /// Looks at the file once, and reads it if it is not the one that was seen.
    fn look(&self, seen: Seen) -> Seen {
        let path = &self.watched.path;
        let stamp = match stamp(path) {
            Ok(stamp) => stamp,
            Err(error) => {
                if seen.stamp.is_some() {
                    tracing::error!(path = %path.display(), %error, "the trusted documents are not there; the list stays as it is");
                }
                return Seen { stamp: None, content: None };
            }
        };
        let is_settled = SystemTime::now().duration_since(stamp.0).is_ok_and(|age| age > TIME_GRAIN);
        if seen.stamp == Some(stamp) && is_settled && seen.content.is_some() {
            return seen;
        }
        let failed = |error: &dyn std::error::Error| {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(path = %path.display(), %error, cause, "the trusted documents can not be used; the list stays as it is");
        };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let now = Seen { stamp: Some(stamp), content: None };
                // Told once, and not every time that it is tried again.
                if now != seen {
                    failed(&error);
                }
                return now;
            }
        };
        let now = Seen { stamp: Some(stamp), content: Some(xxh3_128(&bytes)) };
        if now.content == seen.content {
            return now;
        }
        match list(&bytes, self.watched.schema, &self.watched.limits) {
            Ok(list) => {
                tracing::info!(path = %path.display(), documents = list.texts.len(), "trusted documents were read again");
                self.list.store(Arc::new(list));
            }
            Err(error) => failed(&error),
        }
        now
    }
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

fn read(path: &Path) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ManifestError::TooLarge { limit: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

/// The usable documents of a manifest.
fn list(bytes: &[u8], schema: &SpilSchema, limits: &Limits) -> Result<TrustedList, ManifestError> {
    let mut list = TrustedList::default();
    let mut unusable = 0;
    for ManifestDocument { id, name, text } in manifest::parse(bytes)? {
        let problem = manifest::problem_of_id(&id).or_else(|| {
            let errors = document::parse(schema, limits, &text).err()?;
            Some(errors.first().map_or_else(String::new, |error| error.message.clone()))
        });
        match problem {
            None => list.insert(&id, &text),
            Some(problem) => {
                unusable += 1;
                if unusable <= MAX_NAMED {
                    tracing::warn!(name, id, problem, "a trusted document can not be used and is left out");
                }
            }
        }
    }
    if unusable > MAX_NAMED {
        tracing::warn!(unusable, "more trusted documents can not be used and are left out");
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(content: &str) -> (tempfile::TempDir, Arc<TrustedDocuments>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("manifest.json");
        fs::write(&path, content).expect("written");
        let schema = SpilSchema::get().expect("a schema");
        let documents = TrustedDocuments::open(&path, schema, &Limits::default()).expect("a manifest");
        (folder, documents)
    }

    #[test]
    fn documents_that_do_not_fit_are_left_out() {
        let deep = "{ parent ".repeat(50);
        let content = serde_json::json!({
            "a": "{ __typename }",
            "b": "{ nothing }",
            "c": format!("{{ capabilities {{ nodes {deep} {{ id }} {} }} }}", "}".repeat(50)),
            "": "{ __typename }",
        });
        let (_folder, documents) = open(&content.to_string());
        assert_eq!(documents.len(), 1);
        assert_eq!(documents.by_id("a").as_deref(), Some("{ __typename }"));
        assert!(documents.by_id("7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b").is_some());
        assert!(documents.by_id("b").is_none() && documents.by_id("").is_none());
        assert!(documents.contains("{ __typename }") && !documents.contains("{__typename}"));
    }

    #[test]
    fn the_list_follows_the_file_and_stays_while_it_is_broken() {
        let (folder, documents) = open(r#"{"a": "{ __typename }"}"#);
        let path = folder.path().join("manifest.json");
        let mut seen = documents.watched.first;
        let mut write = |content: &str| {
            fs::write(&path, content).expect("written");
            seen = documents.look(seen);
            (documents.by_id("a").is_some(), documents.by_id("b").is_some())
        };
        assert_eq!(write(r#"{"a": "{ __typename }"}"#), (true, false));
        // As long as before, and within the grain of the file's time.
        assert_eq!(write(r#"{"b": "{ __typename }"}"#), (false, true));
        assert_eq!(write("{"), (false, true));
        assert_eq!(write(r#"{"b": 7}"#), (false, true));
        assert_eq!(write(r#"{"a": "{ __typename }"}"#), (true, false));
        fs::remove_file(&path).expect("removed");
        seen = documents.look(seen);
        assert!(documents.by_id("a").is_some() && seen.stamp.is_none());
        fs::write(&path, r#"{"b": "{ __typename }"}"#).expect("written");
        documents.look(seen);
        assert!(documents.by_id("b").is_some());
    }

    #[test]
    fn a_manifest_has_to_be_there_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let schema = SpilSchema::get().expect("a schema");
        let open = |name: &str| TrustedDocuments::open(&folder.path().join(name), schema, &Limits::default());
        assert!(matches!(open("nothing.json"), Err(ManifestError::Unreadable(_))));
        fs::write(folder.path().join("broken.json"), "[]").expect("written");
        assert!(matches!(open("broken.json"), Err(ManifestError::Malformed(_))));
    }
}
