//! Asks the index.

use spil_proto::model::Kind;
use tantivy::{
    Score, TantivyError, Term,
    collector::{
        Count, TopDocs,
        sort_key::{SortBySimilarityScore, SortByStaticFastValue},
    },
    query::{
        BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, FuzzyTermQuery, Occur, Query,
        TermQuery, TermSetQuery,
    },
    schema::{Field, IndexRecordOption},
};
use uuid::Uuid;

use super::{
    Hit, Indexed,
    index::{HIGH, KIND, LOW, RANK, Texts},
    language::SearchLanguage,
    seen::{Seen, Unknown},
    words::{Sought, Word},
};

/// How many hits are put in order. Nobody reads on after that.
pub(crate) const MAX_HITS: usize = 1000;

/// What a match counts: more in a name or a key than elsewhere, less the more was guessed.
mod weight {
    pub(super) const WHOLE_KEY: f32 = 1000.0;
    pub(super) const KEY: f32 = 4.0;
    pub(super) const TITLE: f32 = 4.0;
    pub(super) const PROSE: f32 = 1.0;
    /// Of a word form, compared with the word as it stands.
    pub(super) const STEM: f32 = 0.75;
    /// Of the start of a word; these have no rarity, so this is the whole score.
    pub(super) const START_IN_TITLE: f32 = 2.0;
    pub(super) const START_IN_PROSE: f32 = 0.5;
    /// Of a word with typing errors.
    pub(super) const WRONG_IN_TITLE: f32 = 1.0;
    pub(super) const WRONG_IN_PROSE: f32 = 0.25;
    /// Of a start with typing errors.
    pub(super) const WRONG_START: f32 = 0.3;
}

/// Whether all words have to be found, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    All,
    Any,
}

impl Indexed {
    /// The best hits, the best first, and how many there are in all.
    pub(super) fn hits(
        &self,
        sought: &Sought,
        demand: Demand,
        kinds: Option<&[(Kind, Texts)]>,
        seen: Option<&Seen>,
    ) -> Result<(Vec<Hit>, usize), TantivyError> {
        let query = self.query(sought, demand, kinds);
        // The rank tells which name is shorter.
        let shows_names = kinds.is_none_or(|kinds| kinds.iter().all(|(_, texts)| texts.title));
        let tie = if shows_names { RANK } else { LOW };
        let order = (SortBySimilarityScore, SortByStaticFastValue::<u64>::for_field(tie));
        let best_of_all = (TopDocs::with_limit(MAX_HITS).order_by(order), Count);
        let (best, total) = match seen {
            None => self.searcher.search(&*query, &best_of_all)?,
            Some(seen) => self.searcher.search_with_statistics_provider(&*query, &seen.only(best_of_all), &Unknown)?,
        };
        let mut columns = Vec::with_capacity(self.searcher.segment_readers().len());
        for segment in self.searcher.segment_readers() {
            let fast = segment.fast_fields();
            columns.push((fast.u64(KIND)?, fast.u64(HIGH)?, fast.u64(LOW)?));
        }
        let hits = best.into_iter().filter_map(|((score, _), place)| {
            let (kind, high, low) = columns.get(place.segment_ord as usize)?;
            let kind = Kind::from_number(u32::try_from(kind.first(place.doc_id)?).ok()?)?;
            let id = Uuid::from_u64_pair(high.first(place.doc_id)?, low.first(place.doc_id)?);
            Some(Hit { kind, id, score })
        });
        Ok((hits.collect(), total))
    }

    fn query(&self, sought: &Sought, demand: Demand, kinds: Option<&[(Kind, Texts)]>) -> Box<dyn Query> {
        let Some(kinds) = kinds else { return self.texts(sought, demand, Texts::ALL) };
        // Kinds of which the same is seen are asked together.
        let mut parts: Vec<(Texts, Vec<Term>)> = Vec::new();
        for (kind, texts) in kinds {
            let term = Term::from_field_u64(self.fields.kind, *kind as u64);
            match parts.iter_mut().find(|(known, _)| known == texts) {
                Some((_, terms)) => terms.push(term),
                None => parts.push((*texts, vec![term])),
            }
        }
        let parts = parts.into_iter().map(|(texts, terms)| -> Box<dyn Query> {
            let of_kinds = constant(Box::new(TermSetQuery::new(terms)), 0.0);
            Box::new(BooleanQuery::intersection(vec![self.texts(sought, demand, texts), of_kinds]))
        });
        let mut parts: Vec<_> = parts.collect();
        match parts.pop() {
            None => Box::new(EmptyQuery),
            Some(part) if parts.is_empty() => part,
            Some(part) => {
                parts.push(part);
                Box::new(BooleanQuery::union(parts))
            }
        }
    }

    /// What has the words in some of its texts.
    fn texts(&self, sought: &Sought, demand: Demand, texts: Texts) -> Box<dyn Query> {
        let mut either: Vec<Box<dyn Query>> = Vec::new();
        if texts.key && !sought.key.is_empty() {
            let key = Term::from_field_text(self.fields.key, &sought.key);
            either.push(constant(Box::new(TermQuery::new(key, IndexRecordOption::Basic)), weight::WHOLE_KEY));
        }
        if !sought.words.is_empty() {
            let occur = if demand == Demand::All { Occur::Must } else { Occur::Should };
            let words = sought.words.iter().map(|word| (occur, self.word(word, sought.language, texts))).collect();
            either.push(Box::new(BooleanQuery::new(words)));
        }
        if either.is_empty() {
            return Box::new(EmptyQuery);
        }
        Box::new(BooleanQuery::union(either))
    }

    /// A word in any form in any field; the best of these counts.
    fn word(&self, word: &Word, language: Option<SearchLanguage>, texts: Texts) -> Box<dyn Query> {
        let stem = |of: SearchLanguage| language.is_none_or(|language| language == of);
        let (forms, fields) = (&word.forms, &self.fields);
        let mut ways = Vec::new();
        if texts.key {
            ways.push(exact(fields.key_words, &forms.plain, weight::KEY));
        }
        let seen = [(texts.title, fields.title, weight::TITLE), (texts.prose, fields.prose, weight::PROSE)];
        for (_, text, weight) in seen.into_iter().filter(|(is_seen, ..)| *is_seen) {
            ways.push(exact(text.plain, &forms.plain, weight));
            if stem(SearchLanguage::English) {
                ways.push(exact(text.english, &forms.english, weight * weight::STEM));
            }
            if stem(SearchLanguage::Dutch) {
                ways.push(exact(text.dutch, &forms.dutch, weight * weight::STEM));
            }
        }
        let guesses = [
            (texts.key, fields.key_words, weight::START_IN_TITLE, weight::WRONG_IN_TITLE),
            (texts.title, fields.title.plain, weight::START_IN_TITLE, weight::WRONG_IN_TITLE),
            (texts.prose, fields.prose.plain, weight::START_IN_PROSE, weight::WRONG_IN_PROSE),
        ];
        for (_, field, start, wrong) in guesses.into_iter().filter(|(is_seen, ..)| *is_seen) {
            let term = || Term::from_field_text(field, &forms.plain);
            if word.errors > 0 {
                ways.push(constant(Box::new(FuzzyTermQuery::new(term(), word.errors, true)), wrong));
            }
            match word.errors_of_start {
                None => {}
                Some(0) => ways.push(constant(Box::new(FuzzyTermQuery::new_prefix(term(), 0, true)), start)),
                Some(errors) => {
                    ways.push(constant(Box::new(FuzzyTermQuery::new_prefix(term(), 0, true)), start));
                    let wrong_start = Box::new(FuzzyTermQuery::new_prefix(term(), errors, true));
                    ways.push(constant(wrong_start, start * weight::WRONG_START));
                }
            }
        }
        Box::new(DisjunctionMaxQuery::new(ways))
    }
}

/// A word as it stands, scored by how rare it is (BM25).
fn exact(field: Field, word: &str, weight: Score) -> Box<dyn Query> {
    let query = TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(query), weight))
}

fn constant(query: Box<dyn Query>, score: Score) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, score))
}
