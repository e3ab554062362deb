//! One change as its subscribers see it.

use std::{borrow::Cow, sync::Arc};

use spil_access::Viewer;
use spil_graph::{Budget, Graph};
use spil_proto::model::field;

use crate::{
    access::Sights,
    graphql::{
        bind::{Bound, Wanted},
        execute::{Halt, Writer, string},
        global_id,
        plan::{ChangeField, Item, Place},
        reads::{self, Reads, Recorder},
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
    seeing: &Seeing<'_>,
    published: &Arc<Published>,
    said: &Said<'_>,
    asked: &Asked<'_>,
    cost: u64,
) -> Result<Option<(Vec<u8>, Reads)>, Halt> {
    let Asked { key, items, wanted, bound } = *asked;
    let event = said.event;
    let filter = wanted.filter(event.kind);
    let is_asked = items.iter().any(|item| matches!(item.what, ChangeField::Record(_)));
    let seen = seeing.published(published);
    if seen.graph.sight().is_some_and(|sight| sight.sees_none(event.kind)) {
        return Ok(None);
    }
    if wanted.asks_for_actors() && !seen.graph.shows_actors(event.kind) {
        return Ok(None);
    }
    // Where all records are seen whole, it need not be looked at the record to know whether it is.
    let is_whole = seen.graph.sight().is_none_or(|sight| sight.is_whole(event.kind));
    let mut left = cost;
    let mut shown = None;
    let mut told = event.fields.to_vec();
    if !is_whole || filter.is_some() || (is_asked && event.action != Action::Retired) {
        let graph = seeing.showing(published, &seen, said.revision, event);
        if let Some(row) = graph.table(event.kind).row_of(event.id) {
            told.retain(|field| graph.table(event.kind).shows(row, *field));
            // A change of nothing but what is hidden is none.
            if told.is_empty() && !event.fields.is_empty() && event.action == Action::Updated
                || !wanted.admits_fields(event.kind, &told)
            {
                return Ok(None);
            }
            if let Some(filter) = filter {
                let mut budget = Budget::new(left);
                if !graph.matches(event.kind, row, filter, &mut budget)? {
                    return Ok(None);
                }
                left = budget.left();
            }
            shown = Some((graph, Place { kind: event.kind, row }));
        } else if filter.is_some() || !is_whole {
            // A record that is not seen, or that this version can not read, matches nothing.
            return Ok(None);
        }
    }
    let place = shown.as_ref().map(|(_, place)| *place).filter(|_| event.action != Action::Retired);
    let graph = shown.as_ref().map_or(&seen.graph, |(graph, _)| graph.as_ref());
    let mut writer = Writer::over(graph, &seen, bound, left).recording(seeing.recorder(published));
    if writer.recorder.is_some()
        && let (Some((_, place)), Some(filter)) = (&shown, filter)
    {
        writer.note_match(place.kind, place.row, filter)?;
    }
    writer.raw("{\"data\":{");
    writer.raw(key);
    writer.change(items, said, &told, place)?;
    writer.raw("},\"extensions\":{\"consistency\":\"");
    writer.raw(said.token);
    writer.raw("\"}}");
    let reads = writer.take_reads();
    Ok(Some((writer.into_bytes(), reads)))
}

/// Who is told of a change, and what they see.
pub(super) struct Seeing<'a> {
    pub(super) sights: &'a Sights,
    pub(super) viewer: &'a Viewer,
}

impl Seeing<'_> {
    /// The published graph as it is seen.
    fn published(&self, published: &Arc<Published>) -> Arc<Published> {
        published.seen_by(self.sights.view_now(self.viewer, published).sight())
    }

    /// A recorder of what is told of people, if the viewer sees who others are.
    fn recorder(&self, published: &Published) -> Option<Box<Recorder>> {
        reads::recorder(&self.sights.view_now(self.viewer, published))
    }

    /// What is seen of the graph with the record as the change left it, or, if it was retired, as it was then. What the change made somebody's
    /// own once is so no more: nobody sees more of anything than of the published graph.
    fn showing<'a>(
        &self,
        published: &Published,
        seen: &'a Published,
        revision: &Logged,
        event: &Event,
    ) -> Cow<'a, Graph> {
        match showing(&published.graph, revision, event) {
            None => Cow::Borrowed(&seen.graph),
            Some(copy) => {
                let record = [(event.kind, event.id)];
                Cow::Owned(copy.seen_by(&self.sights.sight_of(self.viewer, published, &copy, &record)))
            }
        }
    }
}

/// A copy of the graph with the record as the change left it, or, if it was retired, as it was then; none if the graph has it so.
fn showing(graph: &Graph, revision: &Logged, event: &Event) -> Option<Graph> {
    let table = graph.table(event.kind);
    let version = table.row_of(event.id).and_then(|row| table.int(row, field::VERSION));
    if version.is_some_and(|version| u64::try_from(version) == Ok(event.version)) {
        return None;
    }
    let mut record = event.record.clone();
    if let Some(entity) = record.entity_mut() {
        entity.header_mut().retired_at = None;
    }
    let mut copy = graph.clone();
    // If it can not be applied, it is not there.
    let _ = copy.apply_change(&record, &event.told, &Arc::new(revision.origin()));
    Some(copy)
}

impl Writer<'_> {
    fn change(
        &mut self,
        items: &[Item<ChangeField>],
        said: &Said<'_>,
        told: &[usize],
        place: Option<Place>,
    ) -> Result<(), Halt> {
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
                ChangeField::Actor if !this.graph.shows_actors(event.kind) => this.raw("null"),
                ChangeField::Actor => this.text(&revision.actor)?,
                ChangeField::Source => this.text(&revision.source)?,
                ChangeField::Run if revision.run.is_empty() => this.raw("null"),
                ChangeField::Run => this.text(&revision.run)?,
                ChangeField::Fields => {
                    let names: Vec<_> =
                        told.iter().filter_map(|field| Some(event.kind.info().field(*field)?.name)).collect();
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
