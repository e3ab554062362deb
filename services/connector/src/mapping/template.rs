//! Texts put together from cells: `{Organisation}/{Unit|lower}`.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::row::Cells;

/// A text with places for cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Cell { column: usize, optional: bool, filters: Vec<Filter> },
}

/// What is done to a cell before it is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Lower,
    Upper,
    Squash,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its partner.
    #[error("`{{` and `}}` must come in pairs; write `{{{{` and `}}}}` for the signs themselves")]
    Braces,
    /// Empty braces.
    #[error("`{{}}` names no column")]
    NoColumn,
    /// Something after `|` that is not known.
    #[error("`{0}` is no filter; there are `lower`, `upper` and `squash`")]
    Filter(String),
}

impl Template {
    /// Reads a template; `column` gives a number to each column named in it.
    ///
    /// # Errors
    /// If the braces do not match or a filter is not known.
    pub fn parse(text: &str, mut column: impl FnMut(&str) -> usize) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            plain.push_str(before);
            if let Some(next) = after.strip_prefix("{{") {
                plain.push('{');
                rest = next;
            } else if let Some(next) = after.strip_prefix("}}") {
                plain.push('}');
                rest = next;
            } else {
                let (inside, next) =
                    after.strip_prefix('{').and_then(|after| after.split_once('}')).ok_or(TemplateError::Braces)?;
                if inside.contains('{') {
                    return Err(TemplateError::Braces);
                }
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(cell(inside, &mut column)?);
                rest = next;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// A template that is one cell.
    pub fn cell(column: usize) -> Self {
        Self { parts: vec![Part::Cell { column, optional: false, filters: Vec::new() }] }
    }

    /// A template that is the same text for every row.
    pub fn constant(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }

    /// The text, if it is the same for every row.
    pub fn as_constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The columns in it, in order.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Cell { column, .. } => Some(*column),
        })
    }

    /// The text for a row, composed (NFC) and without blanks around it; `None` if it is empty or a cell in it has no
    /// value and no `?`.
    pub fn render<'a>(&'a self, row: &Cells<'a>) -> Option<Cow<'a, str>> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(Cow::Borrowed(text.as_str())),
            [Part::Cell { column, filters, .. }] => Some(filter(composed(row.value(*column)?), filters)),
            parts => {
                let mut out = String::new();
                let mut any = false;
                for part in parts {
                    match part {
                        Part::Text(text) => out.push_str(text),
                        Part::Cell { column, optional, filters } => match row.value(*column) {
                            Some(value) => {
                                any = true;
                                out.push_str(&filter(composed(value), filters));
                            }
                            None if *optional => {}
                            None => return None,
                        },
                    }
                }
                let trimmed = out.trim();
                if !any || trimmed.is_empty() {
                    None
                } else if trimmed.len() == out.len() {
                    Some(Cow::Owned(out))
                } else {
                    Some(Cow::Owned(trimmed.to_owned()))
                }
            }
        }
    }
}

/// The value of the first template that has one.
pub fn first<'a>(templates: &'a [Template], row: &Cells<'a>) -> Option<Cow<'a, str>> {
    templates.iter().find_map(|template| template.render(row))
}

fn cell(inside: &str, column: &mut impl FnMut(&str) -> usize) -> Result<Part, TemplateError> {
    let mut words = inside.split('|');
    let name = words.next().unwrap_or_default().trim();
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name.trim_end(), true),
        None => (name, false),
    };
    if name.is_empty() {
        return Err(TemplateError::NoColumn);
    }
    let filters = words
        .map(|word| match word.trim() {
            "lower" => Ok(Filter::Lower),
            "upper" => Ok(Filter::Upper),
            "squash" => Ok(Filter::Squash),
            other => Err(TemplateError::Filter(other.to_owned())),
        })
        .collect::<Result<_, _>>()?;
    Ok(Part::Cell { column: column(name), optional, filters })
}

fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || unicode_normalization::is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

fn filter<'a>(text: Cow<'a, str>, filters: &[Filter]) -> Cow<'a, str> {
    filters.iter().fold(text, |text, filter| match filter {
        Filter::Lower => Cow::Owned(text.to_lowercase()),
        Filter::Upper => Cow::Owned(text.to_uppercase()),
        Filter::Squash => Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" ")),
    })
}
