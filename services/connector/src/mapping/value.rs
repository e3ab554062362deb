//! From the text of a cell to the value of a field.

use std::{borrow::Cow, collections::BTreeMap};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use spil_proto::model::{EnumInfo, FieldInfo, FieldType, Value};

use super::{row::Cells, template, template::Template};

/// The most pieces into which one cell is split.
const MAX_PIECES: usize = 10_000;
/// A text that may be this long is prose: it may have lines and tabs.
const PROSE_BYTES: usize = 65_536;

/// How the text of one or several cells becomes a value.
#[derive(Clone, Debug)]
pub struct ValueRule {
    /// Where the text comes from; the first that has a value counts.
    pub source: Vec<Template>,
    /// Texts that mean that there is no value.
    pub null: Vec<String>,
    /// What separates several values in one text.
    pub split: Option<String>,
    /// Texts that stand for others.
    pub map: BTreeMap<String, String>,
    /// What to do with a text that has no place in the map or can not be read.
    pub otherwise: Otherwise,
    /// Forms of dates and times (`%d/%m/%Y`), tried in order; ISO 8601 if there are none.
    pub formats: Vec<String>,
    /// The sign before the decimals.
    pub decimal: char,
    /// The sign between groups of three digits.
    pub thousands: Option<char>,
}

/// What to do with a text that has no place in the map or can not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The row is faulty.
    Reject,
    /// There is no value.
    Null,
    /// There is no value, with a warning.
    Warn,
    /// The text stands for itself, if it can be read.
    Keep,
}

/// What a rule makes of a row.
#[derive(Debug)]
pub struct Outcome<T> {
    /// The value.
    pub value: T,
    /// What could not be read and was left out.
    pub warnings: Vec<String>,
}

impl ValueRule {
    /// The texts for a row: split and mapped; none if there is no value.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn texts<'a>(&'a self, row: &Cells<'a>) -> Result<Outcome<Vec<Cow<'a, str>>>, String> {
        let mut out = Outcome { value: Vec::new(), warnings: Vec::new() };
        let Some(text) = template::first(&self.source, row) else { return Ok(out) };
        let Some(separator) = &self.split else {
            self.mapped(text, &mut out)?;
            return Ok(out);
        };
        for (count, piece) in text.split(separator.as_str()).map(str::trim).enumerate() {
            if count >= MAX_PIECES {
                return Err(format!("more than {MAX_PIECES} values in one cell"));
            }
            if !piece.is_empty() {
                self.mapped(Cow::Owned(piece.to_owned()), &mut out)?;
            }
        }
        Ok(out)
    }

    fn mapped<'a>(&'a self, text: Cow<'a, str>, out: &mut Outcome<Vec<Cow<'a, str>>>) -> Result<(), String> {
        if self.null.iter().any(|null| *null == text) {
            return Ok(());
        }
        match self.map.get(text.as_ref()) {
            Some(target) if target.is_empty() => {}
            Some(target) => out.value.push(Cow::Borrowed(target.as_str())),
            None if self.map.is_empty() || self.otherwise == Otherwise::Keep => out.value.push(text),
            None => {
                let problem = format!("`{}` is not in the map", shortened(&text));
                match self.otherwise {
                    Otherwise::Reject | Otherwise::Keep => return Err(problem),
                    Otherwise::Warn => out.warnings.push(problem),
                    Otherwise::Null => {}
                }
            }
        }
        Ok(())
    }

    /// The value of a field for a row.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn value(&self, field: &FieldInfo, row: &Cells<'_>) -> Result<Outcome<Value<'static>>, String> {
        let texts = self.texts(row)?;
        let mut warnings = texts.warnings;
        let mut values = Vec::with_capacity(texts.value.len());
        for text in texts.value {
            match self.read(field, &text, &mut warnings) {
                Ok(value) => values.push(value),
                Err(problem) => match self.otherwise {
                    Otherwise::Reject | Otherwise::Keep => return Err(problem),
                    Otherwise::Warn => warnings.push(problem),
                    Otherwise::Null => {}
                },
            }
        }
        Ok(Outcome { value: gathered(field, values), warnings })
    }

    /// Reads one text as a value of the field, or as one entry of its list; `warnings` hears what was left out.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(&self, field: &FieldInfo, text: &str, warnings: &mut Vec<String>) -> Result<Value<'static>, String> {
        let shown = || if field.personal.is_none() { format!("`{}`", shortened(text)) } else { "the text".to_owned() };
        match field.ty {
            FieldType::Text | FieldType::TextList => {
                clean(field, text, warnings).map(|text| Value::Text(Cow::Owned(text)))
            }
            FieldType::Bool => match text.to_lowercase().as_str() {
                "true" | "yes" | "y" | "1" => Ok(Value::Bool(true)),
                "false" | "no" | "n" | "0" => Ok(Value::Bool(false)),
                _ => Err(format!("{} is neither true nor false", shown())),
            },
            FieldType::Int => {
                let number = self.number(text).ok_or_else(|| format!("{} is no number", shown()))?;
                if !number.fract().is_zero() {
                    return Err(format!("{} is no whole number", shown()));
                }
                let number: i64 = number.try_into().map_err(|_| format!("{} is too large", shown()))?;
                in_range(field, number as f64)?;
                Ok(Value::Int(number))
            }
            FieldType::Float => {
                let number = self.number(text).ok_or_else(|| format!("{} is no number", shown()))?;
                let number: f64 = number.try_into().map_err(|_| format!("{} is too large", shown()))?;
                in_range(field, number)?;
                Ok(Value::Float(number))
            }
            FieldType::Decimal => {
                let number = self.number(text).ok_or_else(|| format!("{} is no number", shown()))?.normalize();
                in_range(field, number.try_into().unwrap_or(f64::INFINITY))?;
                Ok(Value::Decimal(number))
            }
            FieldType::Date => self
                .date(text)
                .map(Value::Date)
                .ok_or_else(|| format!("{} is no date of the form {}", shown(), self.forms("%Y-%m-%d"))),
            FieldType::DateTime => self
                .time(text)
                .map(Value::DateTime)
                .ok_or_else(|| format!("{} is no time of the form {}", shown(), self.forms("%Y-%m-%dT%H:%M:%S%z"))),
            FieldType::Enum(list) | FieldType::EnumList(list) => number_of(list, text)
                .map(Value::Enum)
                .ok_or_else(|| format!("{} is no {}; there are {}", shown(), list.name, names(list))),
            FieldType::Id
            | FieldType::Ref(_)
            | FieldType::RefList(_)
            | FieldType::ExternalIds
            | FieldType::Translations => Err("the field takes no text".to_owned()),
        }
    }

    fn forms(&self, default: &str) -> String {
        if self.formats.is_empty() { default.to_owned() } else { self.formats.join(" or ") }
    }

    fn number(&self, text: &str) -> Option<Decimal> {
        let mut plain = String::with_capacity(text.len());
        for sign in text.chars() {
            if sign == self.decimal {
                plain.push('.');
            } else if sign == '.' && self.thousands != Some('.') {
                return None;
            } else if Some(sign) != self.thousands {
                plain.push(sign);
            }
        }
        plain.parse().ok().or_else(|| Decimal::from_scientific(&plain).ok())
    }

    fn date(&self, text: &str) -> Option<i32> {
        let days = |date: NaiveDate| i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok();
        if self.formats.is_empty() {
            return days(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?);
        }
        self.formats.iter().find_map(|format| {
            let with_day = ["%d", "%e", "%j", "%F", "%D", "%x"].iter().any(|part| format.contains(part));
            let date = if with_day {
                NaiveDate::parse_from_str(text, format)
            } else {
                // A month is its first day.
                NaiveDate::parse_from_str(&format!("1 {text}"), &format!("%d {format}"))
            };
            days(date.ok()?)
        })
    }

    fn time(&self, text: &str) -> Option<i64> {
        if self.formats.is_empty() {
            return DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros());
        }
        self.formats.iter().find_map(|format| {
            DateTime::parse_from_str(text, format)
                .map(|time| time.timestamp_micros())
                .or_else(|_| NaiveDateTime::parse_from_str(text, format).map(|time| time.and_utc().timestamp_micros()))
                .ok()
        })
    }
}

/// One value of the field's type from the values that its texts gave.
fn gathered(field: &FieldInfo, given: Vec<Value<'static>>) -> Value<'static> {
    let mut values: Vec<Value<'static>> = Vec::with_capacity(given.len());
    for value in given {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    match field.ty {
        _ if values.is_empty() => Value::Null,
        FieldType::TextList => Value::Texts(Cow::Owned(
            values
                .into_iter()
                .filter_map(|value| if let Value::Text(text) = value { Some(text.into_owned()) } else { None })
                .collect(),
        )),
        FieldType::EnumList(_) => Value::Enums(Cow::Owned(
            values
                .into_iter()
                .filter_map(|value| if let Value::Enum(number) = value { Some(number) } else { None })
                .collect(),
        )),
        _ => values.swap_remove(0),
    }
}

fn number_of(list: &EnumInfo, text: &str) -> Option<i32> {
    list.number_of(text).or_else(|| {
        let name: String =
            text.chars().map(|sign| if sign.is_alphanumeric() { sign.to_ascii_uppercase() } else { '_' }).collect();
        list.number_of(&name)
    })
}

fn names(list: &EnumInfo) -> String {
    list.values.iter().map(|value| value.name).collect::<Vec<_>>().join(", ")
}

/// A text as the owners keep it: lines are kept where there is room for prose, elsewhere they become blanks. Other control
/// characters have no meaning and are left out.
fn clean(field: &FieldInfo, text: &str, warnings: &mut Vec<String>) -> Result<String, String> {
    let prose = field.max_length >= PROSE_BYTES;
    let mut out = String::with_capacity(text.len());
    let mut dropped = None;
    for sign in text.chars() {
        match sign {
            '\n' | '\t' if prose => out.push(sign),
            '\n' | '\t' => out.push(' '),
            sign if sign.is_control() => dropped = Some(sign),
            sign => out.push(sign),
        }
    }
    if let Some(sign) = dropped {
        warnings.push(format!("the control character U+{:04X} is left out", u32::from(sign)));
        out = out.trim().to_owned();
    }
    if out.len() > field.max_length {
        return Err(format!("the text has {} bytes where at most {} are allowed", out.len(), field.max_length));
    }
    Ok(out)
}

fn in_range(field: &FieldInfo, number: f64) -> Result<(), String> {
    let low = field.min.is_some_and(|min| number < min);
    let high = field.max.is_some_and(|max| number > max);
    if !low && !high {
        return Ok(());
    }
    let bound = |bound: Option<f64>| bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string());
    Err(format!("the number is not within {} and {}", bound(field.min), bound(field.max)))
}

/// The most characters of a text from a file that a message repeats.
pub(crate) const MAX_SHOWN: usize = 80;

/// A text for a message: not the whole of a long one.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}
