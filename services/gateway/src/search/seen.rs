//! What of the index somebody sees who does not see all records.
//!
//! The index holds the words of every record. For whoever sees some of them only, a document is passed over before it is counted or put
//! in order, and the rarity of a word, which would tell of documents that are not seen, counts the same for all words.

use std::sync::Arc;

use spil_graph::{Graph, Sight};
use spil_proto::model::Kind;
use tantivy::{
    Score, SegmentOrdinal, SegmentReader, TantivyError, Term,
    collector::{Collector, SegmentCollector},
    columnar::Column,
    query::Bm25StatisticsProvider,
    schema::{Field, Schema},
};
use uuid::Uuid;

use super::index::{HIGH, KIND, LOW, Texts, texts_of};

/// The kinds that are searched for somebody, and the graph that says which records of them are seen.
pub(super) struct Seen {
    graph: Arc<Graph>,
    kinds: Vec<(Kind, Texts)>,
}

impl Seen {
    /// What is seen of the index; none if all of it is.
    ///
    /// Of a kind of which texts are hidden from somebody, records are found by those parts of the index that hold none of these.
    pub(super) fn of(graph: &Graph) -> Option<Seen> {
        let sight = graph.sight()?;
        let is_searched = |kind: &Kind| texts_of(*kind).next().is_some();
        let is_whole = |kind: Kind| sight.sees_all(kind) && shows_texts(sight, kind);
        if Kind::ALL.iter().filter(|kind| is_searched(kind)).all(|kind| is_whole(*kind)) {
            return None;
        }
        let kinds = Kind::ALL.iter().copied().filter(|kind| is_searched(kind) && !sight.sees_none(*kind));
        let kinds = kinds.map(|kind| (kind, Texts::seen(kind, |field| sight.shows(kind, field))));
        let kinds = kinds.filter(|(_, texts)| !texts.is_none()).collect();
        Some(Seen { kinds, graph: Arc::new(graph.clone()) })
    }

    /// Those of some kinds that are searched; of all where none are named.
    pub(super) fn among(&self, kinds: Option<&[Kind]>) -> Vec<(Kind, Texts)> {
        self.kinds.iter().copied().filter(|(kind, _)| kinds.is_none_or(|kinds| kinds.contains(kind))).collect()
    }

    /// A collector that gets the documents of records that are seen.
    pub(super) fn only<C>(&self, collector: C) -> SeenOnly<C> {
        SeenOnly { collector, graph: Arc::clone(&self.graph) }
    }
}

fn shows_texts(sight: &Sight, kind: Kind) -> bool {
    texts_of(kind).all(|field| sight.shows(kind, field))
}

/// Passes on the documents of records that are seen.
pub(super) struct SeenOnly<C> {
    collector: C,
    graph: Arc<Graph>,
}

/// The same for a part of the index.
pub(super) struct SeenOfSegment<C> {
    collector: C,
    graph: Arc<Graph>,
    kind: Column<u64>,
    high: Column<u64>,
    low: Column<u64>,
}

impl<C: Collector> Collector for SeenOnly<C> {
    type Fruit = C::Fruit;
    type Child = SeenOfSegment<C::Child>;

    fn check_schema(&self, schema: &Schema) -> Result<(), TantivyError> {
        self.collector.check_schema(schema)
    }

    fn for_segment(&self, number: SegmentOrdinal, segment: &SegmentReader) -> Result<Self::Child, TantivyError> {
        let fast = segment.fast_fields();
        Ok(SeenOfSegment {
            collector: self.collector.for_segment(number, segment)?,
            graph: Arc::clone(&self.graph),
            kind: fast.u64(KIND)?,
            high: fast.u64(HIGH)?,
            low: fast.u64(LOW)?,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.collector.requires_scoring()
    }

    fn merge_fruits(&self, fruits: Vec<<Self::Child as SegmentCollector>::Fruit>) -> Result<Self::Fruit, TantivyError> {
        self.collector.merge_fruits(fruits)
    }
}

impl<C: SegmentCollector> SegmentCollector for SeenOfSegment<C> {
    type Fruit = C::Fruit;

    fn collect(&mut self, document: u32, score: Score) {
        let is_seen = || {
            let kind = Kind::from_number(u32::try_from(self.kind.first(document)?).ok()?)?;
            let id = Uuid::from_u64_pair(self.high.first(document)?, self.low.first(document)?);
            self.graph.table(kind).row_of(id)
        };
        if is_seen().is_some() {
            self.collector.collect(document, score);
        }
    }

    fn harvest(self) -> Self::Fruit {
        self.collector.harvest()
    }
}

/// The statistics of an index in which all words are as rare and all texts as long on average.
pub(super) struct Unknown;

/// What is taken for the number of documents, of those with a word, and of words in a text.
const DOCUMENTS: u64 = 100_000;
const WITH_A_WORD: u64 = 100;
const WORDS: u64 = 8;

impl Bm25StatisticsProvider for Unknown {
    fn total_num_tokens(&self, _: Field) -> Result<u64, TantivyError> {
        Ok(DOCUMENTS * WORDS)
    }

    fn total_num_docs(&self) -> Result<u64, TantivyError> {
        Ok(DOCUMENTS)
    }

    fn doc_freq(&self, _: &Term) -> Result<u64, TantivyError> {
        Ok(WITH_A_WORD)
    }
}
