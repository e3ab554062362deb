//! The shape of a mapping file, before anything in it is looked up.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMapping {
    pub(super) name: Spanned<String>,
    pub(super) system: Option<Spanned<String>>,
    /// For readers of the file.
    #[serde(default, rename = "description")]
    pub(super) _description: Option<String>,
    #[serde(default)]
    pub(super) null: Texts,
    #[serde(rename = "table")]
    pub(super) tables: Vec<Spanned<RawTable>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) files: Texts,
    pub(super) delimiter: Option<String>,
    pub(super) header: Option<Vec<String>>,
    #[serde(default)]
    pub(super) null: Texts,
    #[serde(default)]
    pub(super) short_rows: RawShortRows,
    #[serde(default)]
    pub(super) columns: BTreeMap<String, ColumnShape>,
    #[serde(default, rename = "skip")]
    pub(super) skips: Vec<Spanned<RawSkip>>,
    #[serde(default, rename = "link")]
    pub(super) links: Vec<Spanned<RawLink>>,
    #[serde(default, rename = "record")]
    pub(super) records: Vec<Spanned<RawRecord>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawShortRows {
    #[default]
    Fill,
    Reject,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawColumn {
    #[serde(default)]
    pub(super) headers: Texts,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) null: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSkip {
    #[serde(default)]
    pub(super) when: RawWhen,
    pub(super) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLink {
    pub(super) name: String,
    #[serde(default)]
    pub(super) when: RawWhen,
    pub(super) from: Texts,
    pub(super) to: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRecord {
    pub(super) kind: Spanned<String>,
    #[serde(default)]
    pub(super) when: RawWhen,
    #[serde(default)]
    pub(super) id: Texts,
    #[serde(default)]
    pub(super) key: Texts,
    #[serde(default)]
    pub(super) external: Vec<RawExternal>,
    #[serde(default)]
    pub(super) translations: BTreeMap<String, Texts>,
    #[serde(default)]
    pub(super) repeats: RawRepeats,
    #[serde(default)]
    pub(super) amend: bool,
    #[serde(default)]
    pub(super) missing: RawMissing,
    #[serde(default)]
    pub(super) retire_missing: bool,
    #[serde(default)]
    pub(super) fields: BTreeMap<Spanned<String>, FieldShape>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawRepeats {
    #[default]
    Merge,
    Number,
    Reject,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawMissing {
    #[default]
    Reject,
    Null,
    Warn,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawElse {
    #[default]
    Reject,
    Null,
    Warn,
    Keep,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawConflict {
    #[default]
    Last,
    First,
    Reject,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawEmpty {
    #[default]
    Clear,
    Keep,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExternal {
    pub(super) system: String,
    pub(super) id: Texts,
}

/// How a field gets its value: a template, alternatives, or a table that says more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    #[serde(default)]
    pub(super) template: Texts,
    #[serde(default)]
    pub(super) column: Texts,
    pub(super) constant: Option<String>,
    #[serde(default)]
    pub(super) id: Texts,
    #[serde(default)]
    pub(super) key: Texts,
    pub(super) external: Option<RawExternal>,
    #[serde(rename = "ref")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) through: Texts,
    pub(super) missing: Option<RawMissing>,
    #[serde(default)]
    pub(super) not_self: bool,
    #[serde(default)]
    pub(super) null: Texts,
    pub(super) split: Option<String>,
    #[serde(default)]
    pub(super) map: BTreeMap<String, String>,
    #[serde(rename = "else")]
    pub(super) otherwise: Option<RawElse>,
    #[serde(default)]
    pub(super) format: Texts,
    pub(super) decimal: Option<String>,
    pub(super) thousands: Option<String>,
    #[serde(default)]
    pub(super) conflict: RawConflict,
    #[serde(default)]
    pub(super) empty: RawEmpty,
    #[serde(default)]
    pub(super) add: bool,
}

/// One text or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts(pub(super) Vec<String>);

/// Alternatives of tests by column.
#[derive(Debug, Default)]
pub(super) struct RawWhen(pub(super) Vec<BTreeMap<String, RawTest>>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    #[serde(rename = "is")]
    pub(super) is_in: Option<Texts>,
    #[serde(default)]
    pub(super) not: Texts,
    pub(super) like: Option<Texts>,
    #[serde(default)]
    pub(super) unlike: Texts,
    pub(super) empty: Option<bool>,
}

/// What a text, a list or a table becomes where several shapes are allowed.
trait Shapes: Sized {
    const EXPECTED: &'static str;
    fn from_text<E: de::Error>(text: String) -> Result<Self, E>;
    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error>;
    fn from_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error>;
}

struct ShapeVisitor<T>(PhantomData<T>);

impl<'de, T: Shapes> Visitor<'de> for ShapeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text.to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<T, A::Error> {
        T::from_table(table)
    }
}

fn texts<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Vec<String>, A::Error> {
    let mut out = Vec::new();
    while let Some(text) = list.next_element()? {
        out.push(text);
    }
    Ok(out)
}

impl Shapes for Texts {
    const EXPECTED: &'static str = "a text or a list of texts";

    fn from_text<E: de::Error>(text: String) -> Result<Self, E> {
        Ok(Texts(vec![text]))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        texts(list).map(Texts)
    }

    fn from_table<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(de::Error::custom("a text or a list of texts is due, not a table"))
    }
}

/// A column given by its headers alone, or by a table.
#[derive(Debug)]
pub(super) struct ColumnShape(RawColumn);

impl Shapes for ColumnShape {
    const EXPECTED: &'static str = "a header, a list of headers, or a table";

    fn from_text<E: de::Error>(text: String) -> Result<Self, E> {
        Ok(ColumnShape(RawColumn { headers: Texts(vec![text]), ..RawColumn::default() }))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Ok(ColumnShape(RawColumn { headers: Texts(texts(list)?), ..RawColumn::default() }))
    }

    fn from_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error> {
        RawColumn::deserialize(MapAccessDeserializer::new(table)).map(ColumnShape)
    }
}

/// A field given by a template, by alternatives, or by a table.
#[derive(Debug)]
pub(super) struct FieldShape(RawField);

impl Shapes for FieldShape {
    const EXPECTED: &'static str = "a template, a list of templates, or a table";

    fn from_text<E: de::Error>(text: String) -> Result<Self, E> {
        Ok(FieldShape(RawField { template: Texts(vec![text]), ..RawField::default() }))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Ok(FieldShape(RawField { template: Texts(texts(list)?), ..RawField::default() }))
    }

    fn from_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error> {
        RawField::deserialize(MapAccessDeserializer::new(table)).map(FieldShape)
    }
}

/// A test given by the value or values of the cell, or by a table.
#[derive(Debug)]
pub(super) struct TestShape(RawTest);

impl Shapes for TestShape {
    const EXPECTED: &'static str = "a text, a list of texts, or a table";

    fn from_text<E: de::Error>(text: String) -> Result<Self, E> {
        Ok(TestShape(RawTest { is_in: Some(Texts(vec![text])), ..RawTest::default() }))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Ok(TestShape(RawTest { is_in: Some(Texts(texts(list)?)), ..RawTest::default() }))
    }

    fn from_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error> {
        RawTest::deserialize(MapAccessDeserializer::new(table)).map(TestShape)
    }
}

impl Shapes for RawWhen {
    const EXPECTED: &'static str = "a table of tests by column, or a list of such tables";

    fn from_text<E: de::Error>(_: String) -> Result<Self, E> {
        Err(de::Error::custom("a table of tests by column is due: `{ column = \"value\" }`"))
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut alternatives = Vec::new();
        while let Some(tests) = list.next_element::<BTreeMap<String, TestShape>>()? {
            alternatives.push(tests.into_iter().map(|(column, test)| (column, test.0)).collect());
        }
        Ok(RawWhen(alternatives))
    }

    fn from_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error> {
        let tests = BTreeMap::<String, TestShape>::deserialize(MapAccessDeserializer::new(table))?;
        Ok(RawWhen(vec![tests.into_iter().map(|(column, test)| (column, test.0)).collect()]))
    }
}

macro_rules! by_shape {
    ($($shape:ty),*) => {$(
        impl<'de> Deserialize<'de> for $shape {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ShapeVisitor(PhantomData))
            }
        }
    )*};
}

by_shape!(Texts, ColumnShape, FieldShape, TestShape, RawWhen);

impl ColumnShape {
    pub(super) fn into_inner(self) -> RawColumn {
        self.0
    }
}

impl FieldShape {
    pub(super) fn into_inner(self) -> RawField {
        self.0
    }
}
