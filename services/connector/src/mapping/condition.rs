//! Conditions on the cells of a row, and patterns with `*` and `?`.

use super::row::Cells;

/// Which rows something is for: those for which one of the alternatives holds; all rows if there is no alternative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Each holds if all its tests do.
    pub alternatives: Vec<Vec<Test>>,
}

/// A test of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The column.
    pub column: usize,
    /// The cell must be one of these, if there are any.
    pub is_in: Option<Vec<String>>,
    /// The cell must be none of these.
    pub not_in: Vec<String>,
    /// The cell must match one of these, if there are any.
    pub like: Option<Vec<Pattern>>,
    /// The cell must match none of these.
    pub unlike: Vec<Pattern>,
    /// Whether the cell must have no value, or must have one.
    pub empty: Option<bool>,
}

impl When {
    /// Whether it is for this row.
    pub fn holds(&self, row: &Cells<'_>) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|tests| tests.iter().all(|test| test.holds(row)))
    }

    /// The columns it looks at.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.alternatives.iter().flatten().map(|test| test.column)
    }
}

impl Test {
    fn holds(&self, row: &Cells<'_>) -> bool {
        let text = row.text(self.column);
        self.is_in.as_ref().is_none_or(|list| list.iter().any(|item| item == text))
            && !self.not_in.iter().any(|item| item == text)
            && self.like.as_ref().is_none_or(|list| list.iter().any(|pattern| pattern.matches(text)))
            && !self.unlike.iter().any(|pattern| pattern.matches(text))
            && self.empty.is_none_or(|empty| row.value(self.column).is_none() == empty)
    }
}

/// A text in which `*` stands for any signs and `?` for one; case does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    signs: Vec<char>,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        Self { signs: text.chars().flat_map(char::to_lowercase).collect() }
    }

    /// Whether a text matches as a whole. Takes time in proportion to both lengths at worst.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let (mut at, mut place) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while place < text.len() {
            match self.signs.get(at) {
                Some('*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(sign) if *sign == '?' || text.get(place) == Some(sign) => {
                    at += 1;
                    place += 1;
                }
                _ => {
                    let Some((back, from)) = star else { return false };
                    star = Some((back, from + 1));
                    at = back + 1;
                    place = from + 1;
                }
            }
        }
        self.signs.get(at..).is_some_and(|rest| rest.iter().all(|sign| *sign == '*'))
    }
}
