//! Manifests: what the builds of clients write about their documents.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The most documents of a manifest.
const MAX_DOCUMENTS: usize = 20_000;
/// The most bytes of an identifier.
const MAX_ID_BYTES: usize = 256;
/// The name of Apollo's format.
const APOLLO_FORMAT: &str = "apollo-persisted-query-manifest";

/// Why a manifest can not be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file can not be read.
    #[error("the manifest of trusted documents can not be read")]
    Unreadable(#[from] std::io::Error),
    /// The file has too many bytes.
    #[error("the manifest of trusted documents is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// The file is no manifest.
    #[error("the manifest of trusted documents is neither Apollo's nor a JSON object of documents by identifier")]
    Malformed(#[from] serde_json::Error),
    /// The manifest is of a version that is not known.
    #[error(
        "the manifest of trusted documents has the format `{format}` in version {version}; version 1 of `{APOLLO_FORMAT}` is known"
    )]
    Format {
        /// The format that it names.
        format: String,
        /// The version that it names.
        version: u64,
    },
    /// There are too many documents.
    #[error("the manifest of trusted documents has more than {MAX_DOCUMENTS} documents")]
    TooMany,
}

/// A document of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ManifestDocument {
    /// What requests name it by.
    pub(super) id: String,
    /// What people call it: the name of its operation, or its identifier.
    pub(super) name: String,
    /// The document.
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// What `@apollo/generate-persisted-query-manifest`, Apollo Kotlin and Apollo iOS write.
    Apollo { format: String, version: u64, operations: Vec<Operation> },
    /// What relay-compiler and graphql-codegen write: documents by their hash.
    ByHash(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    #[serde(default)]
    name: String,
    body: String,
}

/// Reads a manifest. An identifier is taken as it is, whatever hash it may be.
pub(super) fn parse(content: &[u8]) -> Result<Vec<ManifestDocument>, ManifestError> {
    let documents: Vec<_> = match serde_json::from_slice(content)? {
        Manifest::Apollo { format, version, .. } if format != APOLLO_FORMAT || version != 1 => {
            return Err(ManifestError::Format { format, version });
        }
        Manifest::Apollo { operations, .. } => operations
            .into_iter()
            .map(|Operation { id, name, body }| ManifestDocument {
                name: if name.is_empty() { id.clone() } else { name },
                id,
                text: body,
            })
            .collect(),
        Manifest::ByHash(documents) => {
            documents.into_iter().map(|(id, text)| ManifestDocument { name: id.clone(), id, text }).collect()
        }
    };
    if documents.len() > MAX_DOCUMENTS {
        return Err(ManifestError::TooMany);
    }
    Ok(documents)
}

/// What is wrong with an identifier, if anything is.
pub(super) fn problem_of_id(id: &str) -> Option<String> {
    if id.is_empty() {
        Some("it has no identifier".to_owned())
    } else if id.len() > MAX_ID_BYTES {
        Some(format!("its identifier has more than {MAX_ID_BYTES} bytes"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_manifest_are_read() {
        let apollo = br#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
            {"id": "1f", "name": "A", "type": "query", "body": "query A { __typename }"},
            {"id": "2f", "body": "{ __typename }"}
        ]}"#;
        let document = |id: &str, name: &str, text: &str| ManifestDocument {
            id: id.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            parse(apollo).expect("a manifest"),
            [document("1f", "A", "query A { __typename }"), document("2f", "2f", "{ __typename }")]
        );
        assert_eq!(
            parse(br#"{"2f": "{ __typename }", "1f": "query A { __typename }"}"#).expect("a manifest"),
            [document("1f", "1f", "query A { __typename }"), document("2f", "2f", "{ __typename }")]
        );
        assert_eq!(parse(b"{}").expect("a manifest"), []);
    }

    #[test]
    fn anything_else_is_refused() {
        for content in [&b""[..], b"[]", b"{", b"{\"1\": 2}", br#"{"format": "x", "operations": []}"#] {
            assert!(matches!(parse(content), Err(ManifestError::Malformed(_))), "{content:?}");
        }
        for content in [
            &br#"{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}"#[..],
            br#"{"format": "other", "version": 1, "operations": []}"#,
        ] {
            assert!(matches!(parse(content), Err(ManifestError::Format { .. })), "{content:?}");
        }
        let many: BTreeMap<_, _> = (0..=MAX_DOCUMENTS).map(|at| (at.to_string(), "{a}")).collect();
        let content = serde_json::to_vec(&many).expect("JSON");
        assert!(matches!(parse(&content), Err(ManifestError::TooMany)));
    }
}
