//! Notes what is told of people where their values themselves are not written.

use spil_graph::{Filter, Row, Source};
use spil_proto::model::Kind;

use super::{Halt, Writer};
use crate::graphql::{
    bind::{Bound, Get, List},
    plan::{ConnectionField, ListField, Place},
    reads::{self, FieldBits},
};

impl Writer<'_> {
    /// Notes that a record was found by what tells who somebody is.
    pub(super) fn note_lookup(&mut self, get: &Get, place: Place) -> Result<(), Halt> {
        let bits = match get {
            Get::Id(_) => return Ok(()),
            Get::Key(_) => reads::lookup(place.kind, true),
            Get::ExternalId { .. } => reads::lookup(place.kind, false),
        };
        self.note(place, bits)
    }

    /// Notes what a list tells by its order, its filter and its facets: of the records of the page by the order, of every record that
    /// passes by the others.
    pub(super) fn note_list(
        &mut self,
        list: &ListField,
        bound: &List,
        source: Source<'_>,
        page: &[Row],
    ) -> Result<(), Halt> {
        let kind = list.to;
        let ordered = reads::ordered(kind, &bound.order);
        if ordered != 0 {
            for row in page {
                self.note(Place { kind, row: *row }, ordered)?;
            }
        }
        let faceted = list.items.iter().fold(0, |bits, item| match &item.what {
            ConnectionField::Facets { slot, .. } => match self.bound.get(*slot) {
                Some(Bound::Facets(facets)) => bits | reads::single(kind, facets.field.index),
                _ => bits,
            },
            _ => bits,
        });
        let is_filtered = bound.filter.as_ref().is_some_and(|filter| !reads::filtered(kind, filter).is_empty());
        if faceted == 0 && !is_filtered {
            return Ok(());
        }
        for row in self.graph.gather(kind, source, bound.filter.as_ref(), &mut self.budget)? {
            self.note(Place { kind, row }, faceted)?;
            if let Some(filter) = bound.filter.as_ref() {
                self.note_match(kind, row, filter)?;
            }
        }
        Ok(())
    }

    /// Notes that a record passes a filter: it and the records by which it passes, as far as the filter looks at who people are.
    pub(in crate::graphql) fn note_match(&mut self, kind: Kind, row: Row, filter: &Filter) -> Result<(), Halt> {
        for (way, to, bits) in reads::filtered(kind, filter) {
            if way.is_empty() {
                self.note(Place { kind, row }, bits)?;
                continue;
            }
            for row in self.graph.walk_within(kind, row, &way, &mut self.budget)? {
                self.note(Place { kind: to, row }, bits)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, place: Place, bits: FieldBits) -> Result<(), Halt> {
        match &mut self.recorder {
            Some(recorder) => recorder.told(self.graph, place, bits),
            None => Ok(()),
        }
    }
}
