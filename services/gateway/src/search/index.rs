//! The index: one document for each record that has a text to be found by.

use std::sync::Arc;

use spil_graph::Graph;
use spil_proto::model::{Kind, field};
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term,
    indexer::{IndexWriterOptions, LogMergePolicy},
    schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
};
use uuid::Uuid;

use super::{
    Indexed,
    language::{SearchLanguage, plain, stemmed, whole},
};
use crate::live::Published;

/// The memory for documents that are not in the index yet, in bytes.
const WRITER_BYTES: usize = 20_000_000;

/// The share of documents without a record from which on a part of the index is written anew.
const MOST_DELETED: f32 = 0.3;

/// The fields that records are found by. They are in the header that every kind has.
const TEXTS: [usize; 5] = [field::KEY, field::NAME, field::TRANSLATIONS, field::DESCRIPTION, field::TAGS];

/// The fields that records of a kind are found by, without any that is personal data: nobody is found by what says who they are. What people
/// give without their name, such as an answer to a survey, is not searched at all.
pub(super) fn texts_of(kind: Kind) -> impl Iterator<Item = usize> {
    let is_searched = kind.info().one_way.is_empty();
    TEXTS.into_iter().filter(move |field| is_searched && kind.info().personal(*field).is_none())
}

/// Which texts of a kind somebody may find records by, as far as the index keeps them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) key: bool,
    /// Name and translations.
    pub(super) title: bool,
    /// Description and tags.
    pub(super) prose: bool,
}

impl Texts {
    pub(super) const ALL: Texts = Texts { key: true, title: true, prose: true };

    /// Those of a kind of which every field is seen.
    pub(super) fn seen(kind: Kind, is_seen: impl Fn(usize) -> bool) -> Self {
        let all = |fields: &[usize]| texts_of(kind).filter(|field| fields.contains(field)).all(&is_seen);
        Texts {
            key: all(&[field::KEY]),
            title: all(&[field::NAME, field::TRANSLATIONS]),
            prose: all(&[field::DESCRIPTION, field::TAGS]),
        }
    }

    pub(super) fn is_none(self) -> bool {
        !(self.key || self.title || self.prose)
    }
}

/// The fields of the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The number of the kind, then the id.
    pub(super) record: Field,
    pub(super) kind: Field,
    /// The key as one word.
    pub(super) key: Field,
    /// The key taken apart.
    pub(super) key_words: Field,
    /// Names in all languages.
    pub(super) title: Forms,
    /// Description and tags.
    pub(super) prose: Forms,
    /// The halves of the id.
    pub(super) high: Field,
    pub(super) low: Field,
    /// Decides between documents that fit equally well: the one with the shorter name comes first.
    pub(super) rank: Field,
}

/// A text under each analysis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forms {
    pub(super) plain: Field,
    pub(super) english: Field,
    pub(super) dutch: Field,
}

/// The name of the field with the halves of an id and of the rank, by which they are read.
pub(super) const HIGH: &str = "high";
pub(super) const LOW: &str = "low";
pub(super) const KIND: &str = "kind";
pub(super) const RANK: &str = "rank";

const WHOLE: &str = "whole";
const PLAIN: &str = "plain";
const ENGLISH: &str = "english";
const DUTCH: &str = "dutch";

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let text = |analysis: &str| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default().set_tokenizer(analysis).set_index_option(IndexRecordOption::WithFreqs),
        )
    };
    let fields = Fields {
        record: builder.add_bytes_field("record", INDEXED),
        kind: builder.add_u64_field(KIND, INDEXED | FAST),
        key: builder.add_text_field("key", text(WHOLE)),
        key_words: builder.add_text_field("key_words", text(PLAIN)),
        title: Forms {
            plain: builder.add_text_field("title", text(PLAIN)),
            english: builder.add_text_field("title_english", text(ENGLISH)),
            dutch: builder.add_text_field("title_dutch", text(DUTCH)),
        },
        prose: Forms {
            plain: builder.add_text_field("prose", text(PLAIN)),
            english: builder.add_text_field("prose_english", text(ENGLISH)),
            dutch: builder.add_text_field("prose_dutch", text(DUTCH)),
        },
        high: builder.add_u64_field(HIGH, FAST),
        low: builder.add_u64_field(LOW, FAST),
        rank: builder.add_u64_field(RANK, FAST),
    };
    (builder.build(), fields)
}

/// Keeps an index like the graph.
pub(super) struct Indexer {
    fields: Fields,
    writer: IndexWriter,
    reader: IndexReader,
    /// What the index shows.
    shown: Graph,
}

impl Indexer {
    /// An empty index in memory.
    ///
    /// # Errors
    /// If it can not be made.
    pub(super) fn new() -> Result<Indexer, TantivyError> {
        let (schema, fields) = schema();
        let index = Index::create_in_ram(schema);
        let analyses = index.tokenizers();
        analyses.register(WHOLE, whole());
        analyses.register(PLAIN, plain());
        analyses.register(ENGLISH, stemmed(SearchLanguage::English));
        analyses.register(DUTCH, stemmed(SearchLanguage::Dutch));
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_BYTES)
            .build();
        let writer = index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_del_docs_ratio_before_merge(MOST_DELETED);
        writer.set_merge_policy(Box::new(merging));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Indexer { fields, writer, reader, shown: Graph::new() })
    }

    /// Brings the index to a state of the graph: only what differs from what it shows is written.
    ///
    /// # Errors
    /// If it can not be written; then the index is of no use any more.
    pub(super) fn advance(&mut self, published: Arc<Published>) -> Result<Indexed, TantivyError> {
        let graph = &published.graph;
        let mut wrote = false;
        for kind in Kind::ALL {
            let watched: Vec<usize> = texts_of(*kind).collect();
            for id in graph.changed_since(&self.shown, *kind, &watched) {
                wrote = true;
                self.writer.delete_term(Term::from_field_bytes(self.fields.record, &record_bytes(*kind, id)));
                if let Some(document) = self.document(graph, *kind, id) {
                    self.writer.add_document(document)?;
                }
            }
        }
        if wrote {
            self.writer.commit()?;
            self.reader.reload()?;
        }
        self.shown = graph.clone();
        Ok(Indexed { searcher: self.reader.searcher(), fields: self.fields, published })
    }

    /// The document of a record; none if the record is not there or has no text.
    fn document(&self, graph: &Graph, kind: Kind, id: Uuid) -> Option<TantivyDocument> {
        let table = graph.table(kind);
        let row = table.row_of(id)?;
        let fields = self.fields;
        let mut document = TantivyDocument::default();
        let add = |document: &mut TantivyDocument, forms: Forms, text: &str| {
            for field in [forms.plain, forms.english, forms.dutch] {
                document.add_text(field, text);
            }
        };
        for number in texts_of(kind) {
            match number {
                field::KEY => {
                    if let Some(key) = table.text(row, number) {
                        document.add_text(fields.key, key);
                        document.add_text(fields.key_words, key);
                    }
                }
                field::NAME => {
                    if let Some(name) = table.text(row, number) {
                        add(&mut document, fields.title, name);
                    }
                }
                field::TRANSLATIONS => {
                    for translation in table.translations(row, number) {
                        add(&mut document, fields.title, &translation.name);
                    }
                }
                field::TAGS => table.texts(row, number).iter().for_each(|tag| add(&mut document, fields.prose, tag)),
                _ => {
                    if let Some(text) = table.text(row, number) {
                        add(&mut document, fields.prose, text);
                    }
                }
            }
        }
        if document.len() == 0 {
            return None;
        }
        let (high, low) = id.as_u64_pair();
        document.add_bytes(fields.record, &record_bytes(kind, id));
        document.add_u64(fields.kind, kind as u64);
        document.add_u64(fields.high, high);
        document.add_u64(fields.low, low);
        let name = texts_of(kind).find(|number| *number == field::NAME).and_then(|name| table.text(row, name));
        let length = name.map_or(u64::from(u16::MAX), |name| name.len() as u64);
        document.add_u64(fields.rank, rank(length, low));
        Some(document)
    }
}

/// Greater for a shorter name; the end of the id, which is as good as drawn by lot, decides between names of one length.
fn rank(length: u64, low: u64) -> u64 {
    !(length.min(u64::from(u16::MAX)) << 48 | low >> 16)
}

fn record_bytes(kind: Kind, id: Uuid) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&(kind as u16).to_be_bytes());
    bytes[2..].copy_from_slice(id.as_bytes());
    bytes
}
