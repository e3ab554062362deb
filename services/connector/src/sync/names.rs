//! Names of records: each text is kept once and known by a number.

use std::{collections::HashMap, sync::Arc};

/// The number of a name.
pub type Symbol = u32;

/// All names met so far, each in its space.
#[derive(Debug, Default)]
pub struct Names {
    spaces: Vec<HashMap<Arc<str>, Symbol>>,
    all: Vec<Name>,
}

/// A name.
#[derive(Debug)]
pub struct Name {
    /// The number of its space.
    pub space: usize,
    /// The name itself.
    pub text: Arc<str>,
    /// The draft that goes by it.
    pub draft: Option<usize>,
    /// Whether some row makes, or would make, the record of that name.
    pub mentioned: bool,
}

impl Names {
    /// No names, in so many spaces.
    pub fn new(spaces: usize) -> Self {
        Self { spaces: (0..spaces).map(|_| HashMap::new()).collect(), all: Vec::new() }
    }

    /// The number of a name; it gets one if it is new.
    pub fn symbol(&mut self, space: usize, text: &str) -> Symbol {
        if space >= self.spaces.len() {
            self.spaces.resize_with(space + 1, HashMap::new);
        }
        let fresh = Symbol::try_from(self.all.len()).unwrap_or(Symbol::MAX);
        let Some(known) = self.spaces.get_mut(space) else { return fresh };
        if let Some(symbol) = known.get(text) {
            return *symbol;
        }
        let text: Arc<str> = text.into();
        known.insert(Arc::clone(&text), fresh);
        self.all.push(Name { space, text, draft: None, mentioned: false });
        fresh
    }

    /// The number of a name, if it was met.
    pub fn find(&self, space: usize, text: &str) -> Option<Symbol> {
        self.spaces.get(space)?.get(text).copied()
    }

    /// What is known of a name.
    pub fn get(&self, symbol: Symbol) -> Option<&Name> {
        self.all.get(symbol as usize)
    }

    /// The name as a text.
    pub fn text(&self, symbol: Symbol) -> &str {
        self.get(symbol).map_or("", |name| &name.text)
    }

    /// The draft that goes by a name.
    pub fn draft(&self, symbol: Symbol) -> Option<usize> {
        self.get(symbol)?.draft
    }

    /// Says that a draft goes by a name.
    pub fn bind(&mut self, symbol: Symbol, draft: usize) {
        if let Some(name) = self.all.get_mut(symbol as usize) {
            name.draft = Some(draft);
        }
    }

    /// Says that a row makes, or would make, the record of that name.
    pub fn mention(&mut self, symbol: Symbol) {
        if let Some(name) = self.all.get_mut(symbol as usize) {
            name.mentioned = true;
        }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
