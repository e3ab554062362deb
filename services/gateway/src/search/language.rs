//! How texts become words, and words the forms under which they are found.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RawTokenizer, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer,
    TokenStream,
};

/// The longest word, in bytes, that is looked at.
const MAX_WORD_BYTES: usize = 64;

/// A language whose word forms are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchLanguage {
    English,
    Dutch,
}

/// The forms of a word: in small letters without accents, and that cut down to its stem in each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) plain: String,
    pub(super) english: String,
    pub(super) dutch: String,
    /// Where in the text the word stands, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// In small letters without accents.
pub(super) fn plain() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// The same, cut down to the stem.
pub(super) fn stemmed(language: SearchLanguage) -> TextAnalyzer {
    let language = match language {
        SearchLanguage::English => Language::English,
        SearchLanguage::Dutch => Language::Dutch,
    };
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(Stemmer::new(language))
        .build()
}

/// A whole text as one word, in small letters without accents.
pub(super) fn whole() -> TextAnalyzer {
    TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser).filter(AsciiFoldingFilter).build()
}

/// Takes texts apart. Not for several threads at once, so each search has its own.
pub(super) struct Analysis {
    plain: TextAnalyzer,
    english: TextAnalyzer,
    dutch: TextAnalyzer,
    whole: TextAnalyzer,
}

impl Analysis {
    pub(super) fn new() -> Analysis {
        Analysis {
            plain: plain(),
            english: stemmed(SearchLanguage::English),
            dutch: stemmed(SearchLanguage::Dutch),
            whole: whole(),
        }
    }

    /// Gives the words of a text, one after the other, until the visitor has had enough.
    pub(super) fn words(&mut self, text: &str, mut visit: impl FnMut(Forms) -> bool) {
        let mut plain = self.plain.token_stream(text);
        let mut english = self.english.token_stream(text);
        let mut dutch = self.dutch.token_stream(text);
        // All three take the text apart alike.
        while plain.advance() && english.advance() && dutch.advance() {
            let token = plain.token();
            let forms = Forms {
                plain: token.text.clone(),
                english: english.token().text.clone(),
                dutch: dutch.token().text.clone(),
                from: token.offset_from,
                to: token.offset_to,
            };
            if !visit(forms) {
                break;
            }
        }
    }

    /// A whole text in small letters without accents.
    pub(super) fn folded(&mut self, text: &str) -> String {
        let mut stream = self.whole.token_stream(text.trim());
        if stream.advance() { stream.token().text.clone() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Forms> {
        let mut all = Vec::new();
        Analysis::new().words(text, |forms| {
            all.push(forms);
            true
        });
        all
    }

    #[test]
    fn words_of_one_stem_have_one_form() {
        for (language, words_of_one_stem) in [
            (SearchLanguage::English, &["plan", "plans", "planning", "planned"][..]),
            (SearchLanguage::English, &["capability", "capabilities"]),
            (SearchLanguage::Dutch, &["capaciteit", "capaciteiten"]),
            (SearchLanguage::Dutch, &["afdeling", "afdelingen"]),
            (SearchLanguage::Dutch, &["klacht", "klachten"]),
        ] {
            let stem = |word: &str| {
                let forms = words(word).remove(0);
                if language == SearchLanguage::English { forms.english } else { forms.dutch }
            };
            for word in words_of_one_stem {
                assert_eq!(stem(word), stem(words_of_one_stem[0]), "{word}");
            }
        }
    }

    #[test]
    fn case_and_accents_do_not_count_and_places_are_those_of_the_text() {
        let text = "Één CAFÉ, coördinatie—🙂 2x";
        let found = words(text);
        assert_eq!(
            found.iter().map(|word| word.plain.as_str()).collect::<Vec<_>>(),
            ["een", "cafe", "coordinatie", "2x"]
        );
        assert_eq!(
            found.iter().map(|word| &text[word.from..word.to]).collect::<Vec<_>>(),
            ["Één", "CAFÉ", "coördinatie", "2x"]
        );
        assert_eq!(Analysis::new().folded(" Café 7/A "), "cafe 7/a");
        assert!(words(&"x".repeat(100)).is_empty());
    }
}
