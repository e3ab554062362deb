//! One change as its subscribers see it.

use std::{borrow::Cow, sync::Arc};

use spil_graph::{Budget, Graph};
use spil_proto::model::field;

use crate::{
    graphql::{
        bind::{Bound, Wanted},
        execute::{Halt, Writer, string},
        global_id,
        plan::{ChangeField, Item, Place},
        scalar, schema,
    },
    journal::{Action, Event, Logged},
    live::Published,
};

/// A change and what is to be said of it.
pub(super) struct Said<'a> {
    pub(super) revision: &'a Logged,
    pub(super) event: &'a Event,
    /// The place after it.
    pub(super) cursor: &'a str,
    /// The consistency token of a graph that shows it.
    pub(super) token: &'a str,
}

/// Which changes are asked for, and what of them.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The key in the answer, as JSON with the colon.
    pub(super) key: &'a str,
    pub(super) items: &'a [Item<ChangeField>],
    pub(super) wanted: &'a Wanted,
    pub(super) bound: &'a [Bound],
}

/// Writes the answer that says a change, if it is wanted.
///
/// # Errors
/// If it is too much work.
pub(super) fn say(
    published: &Published,
    said: &Said<'_>,
    asked: &Asked<'_>,
    cost: u64,
) -> Result<Option<Vec<u8>>, Halt> {
    let Asked { key, items, wanted, bound } = *asked;
    let event = said.event;
    let filter = wanted.filter(event.kind);
    let is_asked = items.iter().any(|item| matches!(item.what, ChangeField::Record(_)));
    let mut left = cost;
    let mut shown = None;
    if filter.is_some() || (is_asked && event.action != Action::Retired) {
        let graph = showing(&published.graph, said.revision, event);
        if let Some(row) = graph.table(event.kind).row_of(event.id) {
            if let Some(filter) = filter {
                let mut budget = Budget::new(left);
                if !graph.matches(event.kind, row, filter, &mut budget)? {
                    return Ok(None);
                }
                left = budget.left();
            }
            shown = Some((graph, Place { kind: event.kind, row }));
        } else if filter.is_some() {
            // A record that this version can not read matches nothing.
            return Ok(None);
        }
    }
    let place = shown.as_ref().map(|(_, place)| *place).filter(|_| event.action != Action::Retired);
    let graph = shown.as_ref().map_or(&published.graph, |(graph, _)| graph.as_ref());
    let mut writer = Writer::over(graph, published, bound, left);
    writer.raw("{\"data\":{");
    writer.raw(key);
    writer.change(items, said, place)?;
    writer.raw("},\"extensions\":{\"consistency\":\"");
    writer.raw(said.token);
    writer.raw("\"}}");
    Ok(Some(writer.into_bytes()))
}

/// The graph with the record as the change left it, or, if it was retired, as it was then.
fn showing<'a>(graph: &'a Graph, revision: &Logged, event: &Event) -> Cow<'a, Graph> {
    let table = graph.table(event.kind);
    let version = table.row_of(event.id).and_then(|row| table.int(row, field::VERSION));
    if version.is_some_and(|version| u64::try_from(version) == Ok(event.version)) {
        return Cow::Borrowed(graph);
    }
    let mut record = event.record.clone();
    if let Some(entity) = record.entity_mut() {
        entity.header_mut().retired_at = None;
    }
    let mut copy = graph.clone();
    // If it can not be applied, it is not there.
    let _ = copy.apply_change(&record, &event.told, &Arc::new(revision.origin()));
    Cow::Owned(copy)
}

impl Writer<'_> {
    fn change(&mut self, items: &[Item<ChangeField>], said: &Said<'_>, place: Option<Place>) -> Result<(), Halt> {
        let Said { revision, event, .. } = said;
        self.object(items, |this, item| {
            match &item.what {
                ChangeField::TypeName => this.raw("\"Change\""),
                ChangeField::Cursor => this.text(said.cursor)?,
                ChangeField::Kind => this.text(&schema::kind_value(event.kind))?,
                ChangeField::Id => this.text(&global_id::encode(event.kind, event.id))?,
                ChangeField::Action => this.text(event.action.name())?,
                ChangeField::Version => this.raw(&event.version.to_string()),
                ChangeField::At => scalar::write_date_time(revision.at, this.out_mut()),
                ChangeField::Actor => this.text(&revision.actor)?,
                ChangeField::Source => this.text(&revision.source)?,
                ChangeField::Run if revision.run.is_empty() => this.raw("null"),
                ChangeField::Run => this.text(&revision.run)?,
                ChangeField::Fields => {
                    let names: Vec<_> =
                        event.fields.iter().filter_map(|field| Some(event.kind.info().field(*field)?.name)).collect();
                    this.array(&names, |this, name| {
                        string(name, this.out_mut());
                        Ok(())
                    })?;
                }
                ChangeField::Record(by_kind) => {
                    match place.and_then(|place| Some((place, by_kind.get(&place.kind)?))) {
                        Some((place, items)) => this.record(place, items)?,
                        None => this.raw("null"),
                    }
                }
            }
            Ok(())
        })
    }
}
