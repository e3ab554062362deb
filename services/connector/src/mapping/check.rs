//! Looks everything up that a mapping names, and says where it is wrong.

use spil_proto::model::{FieldInfo, FieldType, Kind, KindInfo, field};

use super::{
    By, Column, Conflict, External, FieldRule, FieldValue, Link, MAX_MAPPING_BYTES, Mapping, MappingError, Missing,
    Otherwise, Pattern, RecordTemplate, ReferenceRule, Repeats, Skip, Space, Table, Template, Test, ValueRule, When,
    raw::{
        RawConflict, RawElse, RawEmpty, RawExternal, RawField, RawLink, RawMapping, RawMissing, RawRecord, RawRepeats,
        RawShortRows, RawSkip, RawTable, RawWhen, Texts,
    },
};

/// The most rules for fields in one mapping.
const MAX_RULES: usize = 10_000;

pub(super) fn parse(text: &str) -> Result<Mapping, MappingError> {
    if text.len() > MAX_MAPPING_BYTES {
        return Err(MappingError::TooLarge { bytes: text.len() });
    }
    let raw: RawMapping = toml::from_str(text).map_err(|error| MappingError::Form {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: error.message().to_owned(),
    })?;
    Checker::new(text, &raw)?.run(raw)
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Where one is in the file: for errors.
#[derive(Clone)]
struct Place {
    line: usize,
    name: String,
}

impl Place {
    fn fail<T>(&self, problem: impl Into<String>) -> Result<T, MappingError> {
        Err(MappingError::Meaning { line: self.line, place: self.name.clone(), problem: problem.into() })
    }

    fn inner(&self, line: usize, part: &str) -> Place {
        Place { line, name: format!("{}, {part}", self.name) }
    }
}

struct Checker<'a> {
    text: &'a str,
    null: Vec<String>,
    systems: Vec<String>,
    rules: Vec<FieldRule>,
    spaces: Vec<Space>,
    links: Vec<String>,
}

/// The columns of the table at hand; a name that is no column of the table is a header.
struct Columns {
    list: Vec<Column>,
    null: Vec<String>,
}

impl Columns {
    fn number(&mut self, name: &str) -> usize {
        if let Some(at) = self.list.iter().position(|column| column.name == name) {
            return at;
        }
        self.list.push(Column {
            name: name.to_owned(),
            headers: vec![name.to_owned()],
            optional: false,
            null: self.null.clone(),
        });
        self.list.len() - 1
    }

    fn templates(&mut self, texts: &Texts, place: &Place) -> Result<Vec<Template>, MappingError> {
        texts
            .0
            .iter()
            .map(|text| {
                Template::parse(text, |name| self.number(name))
                    .or_else(|error| place.fail(format!("`{text}`: {error}")))
            })
            .collect()
    }

    fn when(&mut self, raw: RawWhen) -> When {
        let patterns = |texts: Texts| texts.0.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
        let alternatives = raw
            .0
            .into_iter()
            .map(|tests| {
                tests
                    .into_iter()
                    .map(|(column, test)| Test {
                        column: self.number(&column),
                        is_in: test.is_in.map(|texts| texts.0),
                        not_in: test.not.0,
                        like: test.like.map(patterns),
                        unlike: patterns(test.unlike),
                        empty: test.empty,
                    })
                    .collect()
            })
            .collect();
        When { alternatives }
    }

    fn names(&self, templates: &[Template]) -> String {
        let mut names: Vec<&str> = Vec::new();
        for at in templates.iter().flat_map(Template::columns) {
            if let Some(column) = self.list.get(at)
                && !names.contains(&column.name.as_str())
            {
                names.push(&column.name);
            }
        }
        names.join(", ")
    }
}

impl<'a> Checker<'a> {
    fn new(text: &'a str, raw: &RawMapping) -> Result<Self, MappingError> {
        let name = raw.name.get_ref();
        let place = Place { line: line_of(text, raw.name.span().start), name: "name".to_owned() };
        let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
            return place.fail("a name has 1 to 100 letters, digits, `-`, `_` and `.`");
        }
        let system = raw.system.as_ref().map_or(name, |system| system.get_ref()).clone();
        if system.trim().is_empty() || system.len() > 256 {
            return place.fail("the system has a name of 1 to 256 bytes");
        }
        // Links may be used before the table that gives them, so their names are known first.
        let mut links: Vec<String> = Vec::new();
        for link in raw.tables.iter().flat_map(|table| &table.get_ref().links) {
            if !links.contains(&link.get_ref().name) {
                links.push(link.get_ref().name.clone());
            }
        }
        Ok(Self { text, null: raw.null.0.clone(), systems: vec![system], rules: Vec::new(), spaces: Vec::new(), links })
    }

    fn run(mut self, raw: RawMapping) -> Result<Mapping, MappingError> {
        let name = raw.name.into_inner();
        let mut tables: Vec<Table> = Vec::new();
        for table in raw.tables {
            let line = line_of(self.text, table.span().start);
            let table = table.into_inner();
            let place = Place { line, name: format!("table \"{}\"", table.name) };
            if tables.iter().any(|other| other.name == table.name) {
                return place.fail("there is another table of that name");
            }
            tables.push(self.table(table, &place)?);
        }
        if tables.is_empty() {
            return Place { line: 1, name: "table".to_owned() }.fail("a mapping has at least one table");
        }
        Ok(Mapping { name, systems: self.systems, tables, rules: self.rules, spaces: self.spaces, links: self.links })
    }

    fn table(&mut self, raw: RawTable, place: &Place) -> Result<Table, MappingError> {
        let null: Vec<String> = self.null.iter().chain(&raw.null.0).cloned().collect();
        let mut columns = Columns { list: Vec::new(), null: null.clone() };
        for (name, column) in raw.columns {
            let column = column.into_inner();
            let headers = if column.headers.0.is_empty() { vec![name.clone()] } else { column.headers.0 };
            let null = null.iter().cloned().chain(column.null.0).collect();
            columns.list.push(Column { name, headers, optional: column.optional, null });
        }
        let delimiter = match raw.delimiter.as_deref().map(str::as_bytes) {
            None => None,
            Some([sign]) if matches!(sign, b',' | b';' | b'\t' | b'|') => Some(*sign),
            Some(_) => return place.fail("`delimiter` is one of `,`, `;`, `|` and a tab"),
        };
        if raw.header.is_some() && raw.files.0.is_empty() {
            return place
                .fail("a table with `header` needs `files`: without a header row a file is known by its name only");
        }
        let line = |span: std::ops::Range<usize>| line_of(self.text, span.start);
        let mut skips = Vec::new();
        for skip in raw.skips {
            let RawSkip { when, reason } = skip.into_inner();
            skips.push(Skip { when: columns.when(when), reason });
        }
        let mut links = Vec::new();
        for link in raw.links {
            let at = line(link.span());
            let RawLink { name, when, from, to } = link.into_inner();
            let place = place.inner(at, &format!("link \"{name}\""));
            let (from, to) = (columns.templates(&from, &place)?, columns.templates(&to, &place)?);
            let when = columns.when(when);
            links.extend(self.links.iter().position(|known| *known == name).map(|link| Link { link, when, from, to }));
        }
        let mut records = Vec::new();
        for record in raw.records {
            let line = line_of(self.text, record.span().start);
            let record = record.into_inner();
            let place = place.inner(line, record.kind.get_ref());
            records.push(self.record(record, &mut columns, &place)?);
        }
        if records.is_empty() && links.is_empty() {
            return place.fail("a table has at least one `record` or `link`");
        }
        Ok(Table {
            name: raw.name,
            files: raw.files.0.iter().map(|text| Pattern::new(text)).collect(),
            delimiter,
            header: raw.header,
            refuse_short_rows: matches!(raw.short_rows, RawShortRows::Reject),
            columns: columns.list,
            skips,
            links,
            records,
        })
    }

    fn record(&mut self, raw: RawRecord, columns: &mut Columns, place: &Place) -> Result<RecordTemplate, MappingError> {
        let kind_line = line_of(self.text, raw.kind.span().start);
        let kind = kind_named(raw.kind.get_ref(), &place.inner(kind_line, "kind"))?;
        let info = kind.info();
        let id = columns.templates(&raw.id, place)?;
        let key = columns.templates(&raw.key, place)?;
        let mut externals = Vec::new();
        for RawExternal { system, id } in &raw.external {
            let system = self.system(system, place)?;
            externals.push(External { system, id: columns.templates(id, place)? });
        }
        if id.is_empty() && key.is_empty() && (externals.is_empty() || !raw.amend) {
            return place.fail("a record needs an `id` or a `key`");
        }
        if raw.amend {
            let ways = usize::from(!id.is_empty()) + usize::from(!key.is_empty()) + externals.len();
            if ways != 1 {
                return place.fail("a record with `amend` is found in one way: by `id`, by `key` or by one `external`");
            }
            if raw.retire_missing || !matches!(raw.repeats, RawRepeats::Merge) {
                return place.fail("`amend` goes neither with `retire_missing` nor with `repeats`");
            }
            if raw.fields.is_empty() && raw.translations.is_empty() {
                return place.fail("a record with `amend` needs `fields`");
            }
        }
        if raw.retire_missing && id.is_empty() {
            return place.fail("`retire_missing` needs an `id`: it tells the records that this mapping made");
        }
        if !id.is_empty() {
            self.space(kind, By::External(0));
        }
        if !key.is_empty() {
            self.space(kind, By::Key);
        }
        for external in &externals {
            self.space(kind, By::External(external.system));
        }
        let mut translations = Vec::new();
        for (language, texts) in &raw.translations {
            translations.push((language.clone(), columns.templates(texts, place)?));
        }
        let mut rules = Vec::new();
        for (name, shape) in raw.fields {
            let line = line_of(self.text, name.span().start);
            let name = name.into_inner();
            let place = place.inner(line, &format!("field \"{name}\""));
            let info = field_named(info, &name, &place)?;
            let rule = self.rule(info, shape.into_inner(), columns, &place)?;
            rules.push(self.rules.len());
            self.rules.push(rule);
            if self.rules.len() > MAX_RULES {
                return place.fail(format!("a mapping has at most {MAX_RULES} fields"));
            }
        }
        Ok(RecordTemplate {
            kind,
            when: columns.when(raw.when),
            id,
            key,
            externals,
            translations,
            repeats: match raw.repeats {
                RawRepeats::Merge => Repeats::Merge,
                RawRepeats::Number => Repeats::Number,
                RawRepeats::Reject => Repeats::Reject,
            },
            amend: raw.amend,
            missing: missing(raw.missing),
            retire_missing: raw.retire_missing,
            rules,
        })
    }

    fn rule(
        &mut self,
        info: &'static FieldInfo,
        raw: RawField,
        columns: &mut Columns,
        place: &Place,
    ) -> Result<FieldRule, MappingError> {
        let list = matches!(info.ty, FieldType::TextList | FieldType::EnumList(_) | FieldType::RefList(_));
        if raw.split.as_deref() == Some("") {
            return place.fail("`split` can not be empty");
        }
        if raw.split.is_some() && !list {
            return place.fail("`split` is for fields that hold several values");
        }
        if raw.add && !list {
            return place.fail("`add` is for fields that hold several values");
        }
        let conflict = match raw.conflict {
            RawConflict::Last => Conflict::Last,
            RawConflict::First => Conflict::First,
            RawConflict::Reject => Conflict::Reject,
        };
        let keep_if_empty = matches!(raw.empty, RawEmpty::Keep);
        let add = raw.add;
        let (value, columns) = match info.ty {
            FieldType::Ref(kind) | FieldType::RefList(kind) => {
                let rule = self.reference(kind, raw, columns, place)?;
                let names = columns.names(&rule.source.source);
                (FieldValue::Reference(rule), names)
            }
            _ => {
                let rule = own(info, raw, columns, place)?;
                let names = columns.names(&rule.source);
                (FieldValue::Own(rule), names)
            }
        };
        Ok(FieldRule { field: info, value, conflict, keep_if_empty, add, columns })
    }

    fn reference(
        &mut self,
        kind: Kind,
        raw: RawField,
        columns: &mut Columns,
        place: &Place,
    ) -> Result<ReferenceRule, MappingError> {
        if let Some(named) = &raw.kind
            && kind_named(named, place)? != kind
        {
            return place.fail(format!("the field refers to {}, not to {named}", kind.info().name));
        }
        if !raw.template.0.is_empty() || !raw.column.0.is_empty() || raw.constant.is_some() {
            return place.fail("a reference is found by `id`, `key` or `external`: `{ id = \"{column}\" }`");
        }
        if !raw.format.0.is_empty() || raw.decimal.is_some() || raw.thousands.is_some() {
            return place.fail("`format`, `decimal` and `thousands` are for dates and numbers");
        }
        let (by, texts) = match (&raw.id.0[..], &raw.key.0[..], &raw.external) {
            ([_, ..], [], None) => (By::External(0), &raw.id),
            ([], [_, ..], None) => (By::Key, &raw.key),
            ([], [], Some(external)) => (By::External(self.system(&external.system, place)?), &external.id),
            _ => return place.fail("a reference is found in one way: by `id`, by `key` or by `external`"),
        };
        let templates = columns.templates(texts, place)?;
        let mut through = Vec::new();
        for name in &raw.through.0 {
            match self.links.iter().position(|link| link == name) {
                Some(link) => through.push(link),
                None => return place.fail(format!("there is no link \"{name}\"")),
            }
        }
        let otherwise = otherwise(raw.otherwise, &raw.map, place)?;
        Ok(ReferenceRule {
            source: ValueRule {
                source: templates,
                null: raw.null.0,
                split: raw.split,
                map: raw.map,
                otherwise,
                formats: Vec::new(),
                decimal: '.',
                thousands: None,
            },
            space: self.space(kind, by),
            through,
            missing: missing(raw.missing.unwrap_or_default()),
            not_self: raw.not_self,
        })
    }

    fn system(&mut self, name: &str, place: &Place) -> Result<usize, MappingError> {
        if name.trim().is_empty() || name.len() > 256 {
            return place.fail("a system has a name of 1 to 256 bytes");
        }
        if let Some(at) = self.systems.iter().position(|system| system == name) {
            return Ok(at);
        }
        self.systems.push(name.to_owned());
        Ok(self.systems.len() - 1)
    }

    fn space(&mut self, kind: Kind, by: By) -> usize {
        let space = Space { kind, by };
        if let Some(at) = self.spaces.iter().position(|known| *known == space) {
            return at;
        }
        self.spaces.push(space);
        self.spaces.len() - 1
    }
}

/// The rule for a field that is no reference.
fn own(
    info: &'static FieldInfo,
    raw: RawField,
    columns: &mut Columns,
    place: &Place,
) -> Result<ValueRule, MappingError> {
    let refers = raw.kind.is_some()
        || !raw.id.0.is_empty()
        || !raw.key.0.is_empty()
        || raw.external.is_some()
        || !raw.through.0.is_empty()
        || raw.missing.is_some()
        || raw.not_self;
    if refers {
        return place.fail(
            "the field is no reference: `ref`, `id`, `key`, `external`, `through`, `missing` and `not_self` do not apply",
        );
    }
    let ways = usize::from(!raw.template.0.is_empty())
        + usize::from(!raw.column.0.is_empty())
        + usize::from(raw.constant.is_some());
    if ways != 1 {
        return place.fail("a value comes from one of `template`, `column` and `constant`");
    }
    let mut source = columns.templates(&raw.template, place)?;
    source.extend(raw.column.0.iter().map(|name| Template::cell(columns.number(name))));
    source.extend(raw.constant.map(Template::constant));
    let number = matches!(info.ty, FieldType::Int | FieldType::Float | FieldType::Decimal);
    let date = matches!(info.ty, FieldType::Date | FieldType::DateTime);
    if (raw.decimal.is_some() || raw.thousands.is_some()) && !number {
        return place.fail("`decimal` and `thousands` are for numbers");
    }
    if !raw.format.0.is_empty() && !date {
        return place.fail("`format` is for dates and times");
    }
    for format in &raw.format.0 {
        if chrono::format::StrftimeItems::new(format).any(|item| item == chrono::format::Item::Error) {
            return place.fail(format!("`{format}` is no form of a date"));
        }
    }
    let sign = |text: Option<String>, name: &str| match text.as_deref().map(|text| (text.chars().next(), text.len())) {
        None => Ok(None),
        Some((Some(sign), length)) if length == sign.len_utf8() => Ok(Some(sign)),
        Some(_) => place.fail(format!("`{name}` is one sign")),
    };
    let otherwise = otherwise(raw.otherwise, &raw.map, place)?;
    let rule = ValueRule {
        source,
        null: raw.null.0,
        split: raw.split,
        otherwise,
        formats: raw.format.0,
        decimal: sign(raw.decimal, "decimal")?.unwrap_or('.'),
        thousands: sign(raw.thousands, "thousands")?,
        map: raw.map,
    };
    // Whatever does not come from the data can be read now.
    let constants = rule.source.iter().filter_map(Template::as_constant).filter(|_| rule.map.is_empty());
    for text in constants.chain(rule.map.values().map(String::as_str)).filter(|text| !text.is_empty()) {
        if let Err(problem) = rule.read(info, text, &mut Vec::new()) {
            return place.fail(problem);
        }
    }
    Ok(rule)
}

fn otherwise(
    raw: Option<RawElse>,
    map: &std::collections::BTreeMap<String, String>,
    place: &Place,
) -> Result<Otherwise, MappingError> {
    Ok(match raw.unwrap_or_default() {
        RawElse::Keep if map.is_empty() => return place.fail("`else = \"keep\"` goes with a `map`"),
        RawElse::Keep => Otherwise::Keep,
        RawElse::Reject => Otherwise::Reject,
        RawElse::Null => Otherwise::Null,
        RawElse::Warn => Otherwise::Warn,
    })
}

fn missing(raw: RawMissing) -> Missing {
    match raw {
        RawMissing::Reject => Missing::Reject,
        RawMissing::Null => Missing::Null,
        RawMissing::Warn => Missing::Warn,
    }
}

fn kind_named(name: &str, place: &Place) -> Result<Kind, MappingError> {
    let known = Kind::ALL.iter().copied().find(|kind| kind.info().name == name);
    known.map_or_else(
        || {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.info().name).collect();
            place.fail(format!("there is no kind `{name}`; there are {}", all.join(", ")))
        },
        Ok,
    )
}

fn field_named(kind: &'static KindInfo, name: &str, place: &Place) -> Result<&'static FieldInfo, MappingError> {
    let Some(info) = kind.input_by_column(name).or_else(|| kind.field_by_column(name)) else {
        let all: Vec<&str> = kind.inputs().filter(|info| !set_elsewhere(info.index)).map(|info| info.column).collect();
        return place.fail(format!("{} has no field `{name}`; there are {}", kind.name, all.join(", ")));
    };
    if set_elsewhere(info.index) {
        return place.fail("`id`, `key`, `external` and `translations` stand beside `fields`, not in it");
    }
    if !info.writable {
        return place.fail("the owner of the record sets this field itself");
    }
    Ok(info)
}

fn set_elsewhere(index: usize) -> bool {
    matches!(index, field::ID | field::KEY | field::EXTERNAL_IDS | field::TRANSLATIONS)
}
