//! The fields of a record.

use std::io::Write;

use spil_proto::model::field;

use super::{Halt, Writer, string};
use crate::graphql::{
    bind::Bound,
    global_id,
    plan::{Item, PairField, Place, RecordField},
    scalar,
};

impl Writer<'_> {
    pub(super) fn record_field(&mut self, place: Place, what: &RecordField) -> Result<(), Halt> {
        let Place { kind, row } = place;
        let table = self.graph.table(kind);
        match what {
            RecordField::TypeName => {
                self.out.push(b'"');
                self.raw(kind.info().name);
                self.out.push(b'"');
            }
            RecordField::Id => {
                let mut text = [b'A'; global_id::LENGTH];
                global_id::encode_into(kind, table.id(row), &mut text);
                self.out.push(b'"');
                self.out.extend_from_slice(&text);
                self.out.push(b'"');
            }
            RecordField::Name { slot } => {
                let language = match slot {
                    None => None,
                    Some(slot) => match self.bound(*slot)? {
                        Bound::LocalName(language) => language.as_deref(),
                        _ => return Err(Halt::Mismatch),
                    },
                };
                let translated = language.and_then(|language| {
                    table
                        .translations(row, field::TRANSLATIONS)
                        .iter()
                        .find(|item| item.language.eq_ignore_ascii_case(language))
                        .map(|item| item.name.as_str())
                });
                self.nullable_text(translated.or_else(|| table.text(row, field::NAME)))?;
            }
            RecordField::Text(index) => self.nullable_text(table.text(row, *index))?,
            RecordField::Texts(index) => self.array(table.texts(row, *index), |this, text| this.text(text))?,
            RecordField::Bool(index) => match table.boolean(row, *index) {
                Some(true) => self.raw("true"),
                Some(false) => self.raw("false"),
                None => self.raw("null"),
            },
            RecordField::Int(index) => self.nullable(table.int(row, *index), integer),
            RecordField::Float(index) => self.nullable(table.float(row, *index), float),
            RecordField::Decimal(index) => self.nullable(table.decimal(row, *index), |number, out| {
                // A decimal number as a string can not fail to be written to memory.
                let _ = write!(out, "\"{number}\"");
            }),
            RecordField::Date(index) => self.nullable(table.date(row, *index), scalar::write_date),
            RecordField::DateTime(field::RETIRED_AT) => {
                let at = self.retired.filter(|(retired, _)| *retired == place).map(|(_, at)| at);
                self.nullable(at.or_else(|| table.date_time(row, field::RETIRED_AT)), scalar::write_date_time);
            }
            RecordField::DateTime(index) => self.nullable(table.date_time(row, *index), scalar::write_date_time),
            RecordField::Enum(index, list) => {
                let name = table.enumeration(row, *index).and_then(|number| list.name_of(number));
                self.nullable(name, string);
            }
            RecordField::Enums(index, list) => {
                let names: Vec<_> =
                    table.enumerations(row, *index).iter().filter_map(|number| list.name_of(*number)).collect();
                self.array(&names, |this, name| {
                    string(name, &mut this.out);
                    Ok(())
                })?;
            }
            RecordField::Provenance { slot, items } => self.provenance(place, *slot, items)?,
            RecordField::Provenances(items) => self.provenances(place, items)?,
            RecordField::ExternalIds(items) => {
                self.array(table.external_ids(row, field::EXTERNAL_IDS), |this, pair| {
                    this.pair(items, &pair.system, &pair.id)
                })?;
            }
            RecordField::Translations(items) => {
                self.array(table.translations(row, field::TRANSLATIONS), |this, pair| {
                    this.pair(items, &pair.language, &pair.name)
                })?;
            }
            RecordField::One { field, to, items } => match self.graph.reference(kind, row, *field) {
                Some(row) => self.record(Place { kind: *to, row }, items)?,
                None => self.raw("null"),
            },
            RecordField::List(list) => self.list(list, Some(place))?,
            RecordField::AccessLog { slot, items } => self.access_log(place, *slot, items)?,
            RecordField::Ancestors { field, items } => {
                let rows = self.graph.ancestors(kind, row, *field, &mut self.budget)?;
                self.array(&rows, |this, row| this.record(Place { kind, row: *row }, items))?;
            }
        }
        Ok(())
    }

    pub(in crate::graphql) fn pair(
        &mut self,
        items: &[Item<PairField>],
        first: &str,
        second: &str,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            let text = match item.what {
                PairField::TypeName(name) => name,
                PairField::First => first,
                PairField::Second => second,
            };
            this.text(text)
        })
    }

    fn nullable_text(&mut self, text: Option<&str>) -> Result<(), Halt> {
        match text {
            Some(text) => self.text(text),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }

    fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(T, &mut Vec<u8>)) {
        match value {
            Some(value) => write(value, &mut self.out),
            None => self.raw("null"),
        }
    }
}

fn integer(number: i64, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{number}");
}

/// JSON has no infinities; the owners refuse them, so null here only guards the form of the answer.
fn float(number: f64, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, &number).is_err() {
        out.extend_from_slice(b"null");
    }
}
