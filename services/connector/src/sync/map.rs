//! From rows to the records that they ask for. References are names still.

use std::{borrow::Cow, collections::HashMap, path::PathBuf};

use spil_proto::model::{FieldType, Kind, Translation, Value};

use super::{
    binding::{Bound, bind, file_name, options, retirable},
    draft::{Draft, Held, Origin, Slot, Wanted, columns, empty, is_list, merge, same_field, shown_name, shown_value},
    names::{Names, Symbol},
    report::{FileRead, Problem, Report},
};
use crate::{
    mapping::{
        By, Cells, Conflict, FieldRule, FieldValue, Mapping, Missing, RecordTemplate, ReferenceRule, Repeats, Table,
        first,
    },
    source::file::{CsvFile, Row, SourceError},
};

/// Why files can not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A file can not be read.
    #[error("a file can not be read")]
    Source(#[from] SourceError),
    /// No table of the mapping is for this file.
    #[error("{path}: no table of the mapping is for this file: {reason}")]
    NoTable {
        /// The file.
        path: PathBuf,
        /// Why each table is not.
        reason: String,
    },
    /// There are too many files.
    #[error("{files} files where at most {} are allowed", u16::MAX)]
    Files {
        /// How many there are.
        files: usize,
    },
}

struct Mapper<'a> {
    mapping: &'a Mapping,
    links: Vec<HashMap<String, Vec<String>>>,
    wanted: Wanted,
    report: &'a mut Report,
    repeats: HashMap<Symbol, u32>,
}

/// Maps files. `progress` hears of the number of rows read.
///
/// # Errors
/// If a file can not be read or no table is for it. Faulty rows are no error; they are in the report.
pub fn map(
    mapping: &Mapping,
    files: &[PathBuf],
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) -> Result<Wanted, MapError> {
    if files.len() > usize::from(u16::MAX) {
        return Err(MapError::Files { files: files.len() });
    }
    let mut bound = Vec::new();
    for path in files {
        bound.push(bind(mapping, path)?);
    }
    // The result does not depend on the order in which the files are named.
    bound.sort_by_key(|(table, _, _)| *table);
    let bound: Vec<Bound<'_>> = bound
        .into_iter()
        .zip(0_u16..)
        .filter_map(|((table, path, places), number)| {
            Some(Bound { path, number, table: mapping.tables().get(table)?, places })
        })
        .collect();
    let wanted = Wanted {
        names: Names::new(mapping.spaces().len()),
        files: bound.iter().map(|file| file_name(file.path)).collect(),
        ..Wanted::default()
    };
    let links = vec![HashMap::new(); mapping.links().len()];
    let mut mapper = Mapper { mapping, links, wanted, report, repeats: HashMap::new() };
    for file in bound.iter().filter(|file| !file.table.links.is_empty()) {
        mapper.read_links(file)?;
    }
    let mut rows = 0;
    let mut faults: Vec<(&Table, Option<String>)> = Vec::new();
    for file in &bound {
        let fault = mapper.read_records(file, &mut rows, progress)?;
        faults.push((file.table, fault));
    }
    mapper.complete(&bound);
    mapper.wanted.retire = retirable(mapping, &faults);
    Ok(mapper.wanted)
}

/// What one template makes of one row.
struct Contribution {
    id: Option<Symbol>,
    key: Option<Symbol>,
    externals: Vec<(usize, Symbol)>,
    translations: Vec<Translation>,
    slots: Vec<Slot>,
    warnings: Vec<(usize, String)>,
}

impl Contribution {
    fn adds_nothing(&self) -> bool {
        self.translations.is_empty() && self.slots.iter().all(|slot| empty(&slot.held))
    }
}

/// Why a template makes nothing of a row: the columns it is about, and the reason.
struct Fault(String, String);

impl Mapper<'_> {
    fn read_links(&mut self, file: &Bound<'_>) -> Result<(), MapError> {
        let mut csv = CsvFile::open(file.path, &options(file.table))?;
        while let Some(row) = csv.next_row()? {
            let cells = Cells::new(row.cells, &file.table.columns, &file.places);
            for link in file.table.links.iter().filter(|link| link.when.holds(&cells)) {
                let (Some(from), Some(to)) = (first(&link.from, &cells), first(&link.to, &cells)) else { continue };
                let Some(pairs) = self.links.get_mut(link.link) else { continue };
                let targets = pairs.entry(from.into_owned()).or_default();
                if !targets.iter().any(|known| *known == to) {
                    targets.push(to.into_owned());
                }
            }
        }
        Ok(())
    }

    /// Reads the rows of a file. Gives the reason why its rows can not be trusted to be all there are, if there is one.
    fn read_records(
        &mut self,
        file: &Bound<'_>,
        rows: &mut u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<String>, MapError> {
        let name = file_name(file.path);
        let mut csv = CsvFile::open(file.path, &options(file.table))?;
        for column in &file.table.columns {
            let found = column.headers.iter().find(|header| csv.columns(header).next().is_some());
            if let Some(header) = found
                && csv.columns(header).count() > 1
            {
                self.warn(
                    &name,
                    0,
                    header,
                    None,
                    "the header has this column more than once; the first is used".into(),
                );
            }
        }
        let width = csv.header().len();
        let mut count = 0_u64;
        let mut unusable = 0_u64;
        let mut short: Option<(u64, u64)> = None;
        self.repeats.clear();
        while let Some(row) = csv.next_row()? {
            count += 1;
            *rows += 1;
            if rows.is_multiple_of(4096) {
                progress(*rows);
            }
            let cells = row.cells.len();
            if cells < width && !file.table.refuse_short_rows {
                short = Some(short.map_or((1, row.line), |(count, line)| (count + 1, line)));
            }
            let refused = if cells < width && file.table.refuse_short_rows {
                Some(format!("the row has {cells} cells where the header has {width}"))
            } else if row.cells.iter().skip(width).any(|cell| !cell.trim().is_empty()) {
                Some(format!("the row has {cells} cells where the header has {width}; is a separator not quoted?"))
            } else {
                None
            };
            match refused {
                Some(reason) => {
                    unusable += 1;
                    let problem =
                        Problem { file: name.clone(), line: row.line, column: String::new(), kind: None, reason };
                    self.report.reject(problem);
                }
                None => self.row(file, &name, row),
            }
        }
        progress(*rows);
        if let Some((short, line)) = short {
            let reason = format!("{short} rows have fewer cells than the header; the missing cells count as empty");
            self.warn(&name, line, "", None, reason);
        }
        self.report.files.push(FileRead { name: name.clone(), table: file.table.name.clone(), rows: count });
        Ok(if count == 0 {
            Some(format!("{name} has no rows"))
        } else if unusable > 0 {
            Some(format!("{name} has {unusable} rows that can not be read"))
        } else {
            None
        })
    }

    fn row(&mut self, file: &Bound<'_>, name: &str, row: Row<'_>) {
        let cells = Cells::new(row.cells, &file.table.columns, &file.places);
        if let Some(skip) = file.table.skips.iter().find(|skip| skip.when.holds(&cells)) {
            self.report.skip(name, &skip.reason, row.line);
            return;
        }
        let origin = Origin { file: file.number, line: u32::try_from(row.line).unwrap_or(u32::MAX) };
        let mut used = file.table.links.iter().any(|link| link.when.holds(&cells));
        for template in file.table.records.iter().filter(|template| template.when.holds(&cells)) {
            used = true;
            let outcome = self.contribution(template, &cells, origin).and_then(|contribution| {
                if template.amend && contribution.adds_nothing() {
                    self.report.skip(name, &self.nothing_to_add(template), row.line);
                }
                self.take(template, contribution, origin)
            });
            if let Err(Fault(column, reason)) = outcome {
                let problem =
                    Problem { file: name.to_owned(), line: row.line, column, kind: Some(template.kind), reason };
                self.report.reject(problem);
            }
        }
        if !used {
            self.report.skip(name, "no record of the mapping is for such a row", row.line);
        }
    }

    fn nothing_to_add(&self, template: &RecordTemplate) -> String {
        let rules = template.rules.iter().filter_map(|rule| self.mapping.rules().get(*rule));
        let through = rules
            .filter_map(|rule| if let FieldValue::Reference(rule) = &rule.value { Some(&rule.through) } else { None })
            .flatten()
            .filter_map(|link| self.mapping.links().get(*link))
            .map(|link| format!("\"{link}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let kind = template.kind.info().name;
        if through.is_empty() {
            format!("the row adds nothing to the {kind} it names")
        } else {
            format!("the row adds nothing to the {kind} it names: nothing is reached through {through}")
        }
    }

    fn warn(&mut self, file: &str, line: u64, column: &str, kind: Option<Kind>, reason: String) {
        let problem = Problem { file: file.to_owned(), line, column: column.to_owned(), kind, reason };
        self.report.warnings.push(problem);
    }

    fn contribution(
        &mut self,
        template: &RecordTemplate,
        cells: &Cells<'_>,
        origin: Origin,
    ) -> Result<Contribution, Fault> {
        let kind = template.kind;
        let mut suffix = String::new();
        let name = |mapper: &mut Self, by: By, text: Cow<'_, str>, suffix: &str| {
            let space = mapper.mapping.space(kind, by).unwrap_or_default();
            if suffix.is_empty() {
                mapper.wanted.names.symbol(space, &text)
            } else {
                mapper.wanted.names.symbol(space, &format!("{text}{suffix}"))
            }
        };
        let mut id = first(&template.id, cells).map(|text| name(self, By::External(0), text, ""));
        if id.is_none() && !template.id.is_empty() {
            return Err(Fault(String::new(), "the row gives no id".to_owned()));
        }
        let mut key = None;
        if template.repeats == Repeats::Number {
            let base = match id {
                Some(id) => Some(id),
                None => first(&template.key, cells).map(|text| name(self, By::Key, text, "")),
            };
            if let Some(base) = base {
                let count = self.repeats.entry(base).or_default();
                *count += 1;
                if *count > 1 {
                    suffix = format!(" #{count}");
                    id = first(&template.id, cells).map(|text| name(self, By::External(0), text, &suffix));
                }
            }
        }
        if let Some(text) = first(&template.key, cells) {
            key = Some(name(self, By::Key, text, &suffix));
        } else if id.is_none() && template.externals.is_empty() {
            return Err(Fault(String::new(), "the row gives no key".to_owned()));
        }
        let mut externals = Vec::new();
        for external in &template.externals {
            if let Some(text) = first(&external.id, cells) {
                externals.push((external.system, name(self, By::External(external.system), text, &suffix)));
            }
        }
        if id.is_none() && key.is_none() && externals.is_empty() {
            return Err(Fault(String::new(), "the row gives no id".to_owned()));
        }
        if !template.amend
            && let Some(id) = id
        {
            self.wanted.names.mention(id);
        }
        let translations = template
            .translations
            .iter()
            .filter_map(|(language, texts)| {
                Some(Translation { language: language.clone(), name: first(texts, cells)?.into_owned() })
            })
            .collect();
        let mut out = Contribution { id, key, externals, translations, slots: Vec::new(), warnings: Vec::new() };
        for number in &template.rules {
            let mapping = self.mapping;
            let Some(rule) = mapping.rules().get(*number) else { continue };
            if unspoken(rule, cells) {
                continue;
            }
            let held =
                self.held(rule, cells, &mut out.warnings, *number).map_err(|reason| Fault(columns(rule), reason))?;
            let empty = match &held {
                Held::Own(value) => value.is_null(),
                Held::References(list) => list.is_empty(),
            };
            if !(empty && (rule.keep_if_empty || rule.add)) {
                out.slots.push(Slot { rule: *number, origin, held });
            }
        }
        Ok(out)
    }

    fn held(
        &mut self,
        rule: &FieldRule,
        cells: &Cells<'_>,
        warnings: &mut Vec<(usize, String)>,
        number: usize,
    ) -> Result<Held, String> {
        match &rule.value {
            FieldValue::Own(own) => {
                let outcome = own.value(rule.field, cells)?;
                warnings.extend(outcome.warnings.into_iter().map(|warning| (number, warning)));
                Ok(Held::Own(outcome.value))
            }
            FieldValue::Reference(reference) => {
                let outcome = reference.source.texts(cells)?;
                warnings.extend(outcome.warnings.into_iter().map(|warning| (number, warning)));
                let names = self.follow(reference, outcome.value, warnings, number)?;
                let mut symbols = Vec::with_capacity(names.len());
                for name in names {
                    let symbol = self.wanted.names.symbol(reference.space, &name);
                    if !symbols.contains(&symbol) {
                        symbols.push(symbol);
                    }
                }
                if symbols.len() > 1 && matches!(rule.field.ty, FieldType::Ref(_)) {
                    return Err(format!("{} records where one is due", symbols.len()));
                }
                Ok(Held::References(symbols))
            }
        }
    }

    /// Follows the links of a rule from the names found in a row.
    fn follow<'n>(
        &self,
        rule: &ReferenceRule,
        mut names: Vec<Cow<'n, str>>,
        warnings: &mut Vec<(usize, String)>,
        number: usize,
    ) -> Result<Vec<Cow<'n, str>>, String> {
        for link in &rule.through {
            let Some(pairs) = self.links.get(*link) else { continue };
            let mut next: Vec<Cow<'n, str>> = Vec::new();
            for name in names {
                match pairs.get(name.as_ref()) {
                    Some(targets) => next.extend(targets.iter().map(|target| Cow::Owned(target.clone()))),
                    None => {
                        let link = self.mapping.links().get(*link).map_or("", String::as_str);
                        let problem = format!("`{name}` leads nowhere through \"{link}\"");
                        match rule.missing {
                            Missing::Reject => return Err(problem),
                            Missing::Warn => warnings.push((number, problem)),
                            Missing::Null => {}
                        }
                    }
                }
            }
            names = next;
        }
        Ok(names)
    }

    /// Adds what a row gives to the record that it is for.
    fn take(&mut self, template: &RecordTemplate, given: Contribution, origin: Origin) -> Result<(), Fault> {
        let names = &self.wanted.names;
        let all = || given.id.into_iter().chain(given.externals.iter().map(|(_, symbol)| *symbol)).chain(given.key);
        let found = all().find_map(|symbol| names.draft(symbol));
        if let Some(found) = found
            && let Some(other) = all().find(|symbol| names.draft(*symbol).is_some_and(|draft| draft != found))
        {
            let line = names.draft(other).and_then(|draft| self.wanted.drafts.get(draft)).map(|draft| draft.origin);
            return Err(Fault(
                String::new(),
                format!("`{}` is the name of another record {}", names.text(other), self.place(line, origin)),
            ));
        }
        if let Some(draft) = found.and_then(|found| self.wanted.drafts.get(found)) {
            if template.repeats == Repeats::Reject && draft.made && !template.amend {
                return Err(Fault(
                    String::new(),
                    format!("the record was given already {}", self.place(Some(draft.origin), origin)),
                ));
            }
            if draft.id.is_some() && given.id.is_some() && draft.id != given.id {
                return Err(Fault(
                    String::new(),
                    format!("the key belongs to another record {}", self.place(Some(draft.origin), origin)),
                ));
            }
        }
        let disagreements = match found {
            Some(found) => self.disagreements(found, &given, origin)?,
            None => Vec::new(),
        };
        let file = self.wanted.files.get(usize::from(origin.file)).cloned().unwrap_or_default();
        for (rule, warning) in given.warnings.iter().chain(&disagreements) {
            let columns = self.mapping.rules().get(*rule).map(columns).unwrap_or_default();
            self.warn(&file, u64::from(origin.line), &columns, Some(template.kind), warning.clone());
        }
        let number = found.unwrap_or(self.wanted.drafts.len());
        if found.is_none() {
            self.wanted.drafts.push(Draft {
                kind: template.kind,
                origin,
                made: false,
                missing: template.missing,
                id: None,
                key: None,
                externals: Vec::new(),
                translations: Vec::new(),
                slots: Vec::new(),
            });
        }
        for symbol in given.id.into_iter().chain(given.externals.iter().map(|(_, symbol)| *symbol)).chain(given.key) {
            self.wanted.names.bind(symbol, number);
        }
        let Some(draft) = self.wanted.drafts.get_mut(number) else { return Ok(()) };
        if !template.amend && !draft.made {
            draft.made = true;
            draft.origin = origin;
        }
        draft.id = draft.id.or(given.id);
        draft.key = draft.key.or(given.key);
        for external in given.externals {
            if !draft.externals.contains(&external) {
                draft.externals.push(external);
            }
        }
        for translation in given.translations {
            draft.translations.retain(|known| known.language != translation.language);
            draft.translations.push(translation);
        }
        for slot in given.slots {
            merge(self.mapping, draft, slot);
        }
        Ok(())
    }

    /// Where rows disagree about a value.
    fn disagreements(&self, found: usize, given: &Contribution, origin: Origin) -> Result<Vec<(usize, String)>, Fault> {
        let mut out = Vec::new();
        let Some(draft) = self.wanted.drafts.get(found) else { return Ok(out) };
        for slot in &given.slots {
            let Some(rule) = self.mapping.rules().get(slot.rule) else { continue };
            let Some(known) = same_field(self.mapping, draft, slot.rule) else { continue };
            if is_list(rule) || known.held == slot.held || empty(&known.held) || empty(&slot.held) {
                continue;
            }
            let value = |held: &Held| shown_value(rule.field, held, &self.wanted.names);
            let problem = format!(
                "`{}` of {}{} differs from the value given {}{}",
                rule.field.column,
                shown_name(draft, &self.wanted.names),
                value(&slot.held),
                self.place(Some(known.origin), origin),
                value(&known.held),
            );
            let which = match rule.conflict {
                Conflict::Reject => {
                    return Err(Fault(columns(rule), problem));
                }
                Conflict::Last => "this one counts",
                Conflict::First => "the earlier one counts",
            };
            out.push((slot.rule, format!("{problem}; {which}")));
        }
        Ok(out)
    }

    fn place(&self, origin: Option<Origin>, from: Origin) -> String {
        match origin {
            Some(origin) if origin.file == from.file => format!("on line {}", origin.line),
            Some(origin) => {
                let file = self.wanted.files.get(usize::from(origin.file)).map_or("", String::as_str);
                format!("on line {} of {file}", origin.line)
            }
            None => "elsewhere".to_owned(),
        }
    }

    /// What no row says of a list that rows of the files could have added to is empty.
    fn complete(&mut self, files: &[Bound<'_>]) {
        let mut fields: HashMap<Kind, Vec<usize>> = HashMap::new();
        for template in files.iter().flat_map(|file| &file.table.records).filter(|template| template.amend) {
            let known = fields.entry(template.kind).or_default();
            for rule in &template.rules {
                let complete = self.mapping.rules().get(*rule).is_some_and(|rule| !rule.add && !rule.keep_if_empty);
                if complete && !known.contains(rule) {
                    known.push(*rule);
                }
            }
        }
        for draft in self.wanted.drafts.iter_mut().filter(|draft| draft.made) {
            for rule in fields.get(&draft.kind).into_iter().flatten() {
                if same_field(self.mapping, draft, *rule).is_none() {
                    let held = Held::Own(Value::Null);
                    draft.slots.push(Slot { rule: *rule, origin: draft.origin, held });
                }
            }
        }
    }
}

/// Whether the file has none of the columns that a field is made of: then it says nothing about the field.
fn unspoken(rule: &FieldRule, cells: &Cells<'_>) -> bool {
    let source = match &rule.value {
        FieldValue::Own(own) => &own.source,
        FieldValue::Reference(reference) => &reference.source.source,
    };
    source
        .iter()
        .all(|template| template.as_constant().is_none() && template.columns().all(|column| !cells.has(column)))
}
