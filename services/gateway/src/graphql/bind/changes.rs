//! Reads which changes are wanted.

use std::collections::HashSet;

use apollo_compiler::response::{JsonMap, JsonValue};
use spil_graph::Filter;
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{Fault, filter};
use crate::{
    graphql::{error::Code, global_id, limits::MAX_PAGE, schema, subscription::place},
    journal::{Action, Event, Logged, Reader},
};

/// Which changes are wanted, and after which place.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) after: Option<Reader>,
    kinds: Option<Vec<Kind>>,
    ids: Option<HashSet<(Kind, Uuid)>>,
    actions: Option<Vec<Action>>,
    sources: Option<Vec<String>>,
    actors: Option<Vec<String>>,
    fields: Option<Vec<String>>,
    /// What a record of a kind must be like; a kind that is not here may be any.
    records: Vec<(Kind, Filter)>,
}

impl Wanted {
    /// Whether a change is wanted, as far as can be told without the graph.
    pub(crate) fn admits(&self, revision: &Logged, event: &Event) -> bool {
        fn among<T: PartialEq>(list: &Option<Vec<T>>, item: &T) -> bool {
            list.as_ref().is_none_or(|list| list.contains(item))
        }
        among(&self.kinds, &event.kind)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&(event.kind, event.id)))
            && among(&self.actions, &event.action)
            && among(&self.sources, &revision.source)
            && among(&self.actors, &revision.actor)
            && self.admits_fields(event.kind, &event.fields)
    }

    /// Whether it counts who wrote. Nothing is wanted then of what does not show it.
    pub(crate) fn asks_for_actors(&self) -> bool {
        self.actors.is_some()
    }

    /// Whether a change of these fields is wanted, by their numbers.
    pub(crate) fn admits_fields(&self, kind: Kind, fields: &[usize]) -> bool {
        self.fields.as_ref().is_none_or(|names| {
            let mut written = fields.iter().filter_map(|field| kind.info().field(*field));
            written.any(|field| names.iter().any(|name| name == field.name))
        })
    }

    /// What the record must be like.
    pub(crate) fn filter(&self, kind: Kind) -> Option<&Filter> {
        self.records.iter().find(|(found, _)| *found == kind).map(|(_, filter)| filter)
    }
}

/// Reads the arguments of `changes`.
pub(super) fn read(values: &JsonMap) -> Result<Wanted, Fault> {
    let given = |name: &str| values.get(name).filter(|value| !value.is_null());
    let mut wanted = Wanted {
        kinds: given("kinds").map(|value| names(value, schema::kind_of_value)).transpose().map_err(within("kinds"))?,
        ids: given("ids").map(ids).transpose().map_err(within("ids"))?,
        ..Wanted::default()
    };
    if let Some(text) = given("after").and_then(JsonValue::as_str) {
        let after = place::decode(text).ok_or_else(|| {
            within("after")(Fault::new("this is no cursor of a change and no consistency token of an answer"))
        })?;
        wanted.after = Some(after);
    }
    if let Some(filter) = given("filter").and_then(JsonValue::as_object) {
        for (name, value) in filter.iter().filter(|(_, value)| !value.is_null()) {
            let name = name.as_str();
            condition(&mut wanted, name, value).map_err(|fault| fault.within(name).within("filter"))?;
        }
    }
    Ok(wanted)
}

fn condition(wanted: &mut Wanted, name: &str, value: &JsonValue) -> Result<(), Fault> {
    match name {
        "actions" => {
            let action = |name: &str| Action::ALL.into_iter().find(|action| action.name() == name);
            wanted.actions = Some(names(value, action)?);
        }
        "sources" => wanted.sources = Some(names(value, |text| Some(text.to_owned()))?),
        "actors" => wanted.actors = Some(names(value, |text| Some(text.to_owned()))?),
        "fields" => {
            // By either name of a reference; changes tell the one that inputs have.
            let known = |name: &str| Kind::ALL.iter().find_map(|kind| schema::output_field(kind.info(), name));
            wanted.fields = Some(names(value, |name| known(name).map(|field| field.name.to_owned()))?);
        }
        _ => {
            let kind = Kind::ALL.iter().copied().find(|kind| kind.info().singular == name);
            let kind = kind.ok_or_else(|| Fault::new("there is no such condition"))?;
            wanted.records.push((kind, filter::read(kind, value)?));
        }
    }
    Ok(())
}

/// The items of a list of names; a single one stands for a list of one.
fn names<T>(value: &JsonValue, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
    let item = |value: &JsonValue| {
        let text = value.as_str().unwrap_or_default();
        read(text).ok_or_else(|| Fault::new(format!("there is no `{text}`")))
    };
    bounded(value)?.iter().map(item).collect()
}

/// An id that is none of ours names nothing, like one that is not there.
fn ids(value: &JsonValue) -> Result<HashSet<(Kind, Uuid)>, Fault> {
    Ok(bounded(value)?.iter().filter_map(|id| id.as_str().and_then(global_id::decode)).collect())
}

fn bounded(value: &JsonValue) -> Result<&[JsonValue], Fault> {
    let items = match value {
        JsonValue::Array(items) => items.as_slice(),
        item => std::slice::from_ref(item),
    };
    if items.len() > MAX_PAGE {
        let message = format!("at most {MAX_PAGE} in one list");
        return Err(Fault { code: Code::BadInput, message, path: Vec::new() });
    }
    Ok(items)
}

fn within(name: &'static str) -> impl Fn(Fault) -> Fault {
    move |fault| fault.within(name)
}
