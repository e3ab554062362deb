//! What differs between the records wanted and the records that are there.

use std::{borrow::Cow, collections::HashSet};

use spil_proto::model::{Entity, ExternalId, FieldInfo, FieldType, HEADER_FIELDS, Value, field};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{
    draft::{Draft, Held, Slot},
    plan::{Planner, Step, Written},
};

/// The steps for the drafts of a sequence, in its order; nothing for those that are as wanted, which are counted.
pub(super) fn steps(planner: &mut Planner<'_>, sequence: &[usize]) -> Vec<Step> {
    let mut out = Vec::new();
    for number in sequence {
        let Some((id, there)) = planner.ids.get(*number).copied().flatten() else { continue };
        let Some(draft) = planner.draft(*number) else { continue };
        let (kind, origin) = (draft.kind, draft.origin);
        let present = if there { planner.present.record(kind, id).and_then(|record| record.entity()) } else { None };
        let mut values: Vec<Written> = header(planner, draft, present);
        values.extend(draft.slots.iter().filter_map(|slot| own(planner, slot, present)));
        values.retain(|written| match present {
            // What is only written can not be compared; it stays as it was given first.
            Some(_) if written.field.one_way.is_some() => false,
            Some(entity) => !same(written.field, &entity.get(written.field.index), &written.value),
            None => !written.value.is_null(),
        });
        let version = present.map(|entity| entity.header().map_or(0, |header| header.version));
        if there && values.is_empty() {
            planner.report.counts(kind).unchanged += 1;
        } else {
            out.push(Step { kind, id, version, origin, values });
        }
    }
    out
}

/// The names of a record: its key, its ids in other systems, its names in other languages.
fn header(planner: &Planner<'_>, draft: &Draft, present: Option<&dyn Entity>) -> Vec<Written> {
    let names = &planner.wanted.names;
    let mut out = Vec::new();
    let mut write = |index: usize, value: Value<'static>| {
        if let Some(info) = HEADER_FIELDS.get(index) {
            out.push(Written { field: info, value, rule: None, origin: draft.origin });
        }
    };
    if draft.made {
        if let Some(key) = draft.key {
            write(field::KEY, Value::Text(Cow::Owned(names.text(key).to_owned())));
        }
        let mut ids: Vec<ExternalId> = Vec::new();
        let own = draft.id.map(|symbol| (0, symbol));
        for (system, symbol) in own.into_iter().chain(draft.externals.iter().copied()) {
            if let Some(system) = planner.mapping.systems().get(system) {
                ids.push(ExternalId { system: system.clone(), id: names.text(symbol).to_owned() });
            }
        }
        if !ids.is_empty() {
            // What other systems call the record is none of this mapping's business.
            if let Some(Value::ExternalIds(there)) = present.map(|entity| entity.get(field::EXTERNAL_IDS)) {
                let others = there.iter().filter(|known| !ids.iter().any(|id| id.system == known.system));
                let others: Vec<ExternalId> = others.cloned().collect();
                ids.extend(others);
            }
            write(field::EXTERNAL_IDS, Value::ExternalIds(Cow::Owned(ids)));
        }
    }
    if !draft.translations.is_empty() {
        let mut all = draft.translations.clone();
        if let Some(Value::Translations(there)) = present.map(|entity| entity.get(field::TRANSLATIONS)) {
            let others =
                there.iter().filter(|known| !all.iter().any(|one| one.language.eq_ignore_ascii_case(&known.language)));
            let others: Vec<_> = others.cloned().collect();
            all.extend(others);
        }
        write(field::TRANSLATIONS, Value::Translations(Cow::Owned(all)));
    }
    out
}

fn own(planner: &Planner<'_>, slot: &Slot, present: Option<&dyn Entity>) -> Option<Written> {
    let rule = planner.mapping.rules().get(slot.rule)?;
    let info = rule.field;
    let there = present.filter(|_| rule.add).map(|entity| entity.get(info.index));
    let value = match &slot.held {
        Held::Own(value) => united(value.clone(), there),
        Held::References(_) => {
            let mut ids: Vec<Uuid> = planner.references(slot).map(|target| target.id).collect();
            match info.ty {
                FieldType::Ref(_) => ids.first().map_or(Value::Null, |id| Value::Id(*id)),
                _ => {
                    if let Some(Value::Ids(known)) = there {
                        let given: HashSet<Uuid> = ids.iter().copied().collect();
                        ids.extend(known.into_iter().filter(|id| !given.contains(id)));
                    }
                    if ids.is_empty() { Value::Null } else { Value::Ids(ids) }
                }
            }
        }
    };
    Some(Written { field: info, value, rule: Some(slot.rule), origin: slot.origin })
}

/// The entries given and those that are there.
fn united(given: Value<'static>, there: Option<Value<'_>>) -> Value<'static> {
    match (given, there.map(Value::into_owned)) {
        (Value::Texts(mut given), Some(Value::Texts(there))) => {
            let more: Vec<String> = there.iter().filter(|text| !given.contains(text)).cloned().collect();
            given.to_mut().extend(more);
            Value::Texts(given)
        }
        (Value::Enums(mut given), Some(Value::Enums(there))) => {
            let more: Vec<i32> = there.iter().filter(|number| !given.contains(number)).copied().collect();
            given.to_mut().extend(more);
            Value::Enums(given)
        }
        (Value::Null, Some(there)) => there,
        (given, _) => given,
    }
}

/// Whether two values of a field mean the same. Lists without order are compared without it.
fn same(info: &FieldInfo, a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a == b || composed(a) == composed(b),
        (Value::Ids(a), Value::Ids(b)) => sorted(a.iter()) == sorted(b.iter()),
        (Value::Enums(a), Value::Enums(b)) => sorted(a.iter()) == sorted(b.iter()),
        (Value::Texts(a), Value::Texts(b)) if info.index == field::TAGS => {
            sorted(a.iter().map(|text| composed(text))) == sorted(b.iter().map(|text| composed(text)))
        }
        (Value::Texts(a), Value::Texts(b)) => {
            a.iter().map(|text| composed(text)).eq(b.iter().map(|text| composed(text)))
        }
        (Value::ExternalIds(a), Value::ExternalIds(b)) => {
            let names = |list: &[ExternalId]| sorted(list.iter().map(|id| (id.system.clone(), id.id.clone())));
            names(a) == names(b)
        }
        (Value::Translations(a), Value::Translations(b)) => {
            sorted(a.iter().map(|one| (one.language.to_ascii_lowercase(), composed(&one.name))))
                == sorted(b.iter().map(|one| (one.language.to_ascii_lowercase(), composed(&one.name))))
        }
        (a, b) => a == b,
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = items.collect();
    out.sort();
    out.dedup();
    out
}

fn composed(text: &str) -> String {
    text.trim().nfc().collect()
}
