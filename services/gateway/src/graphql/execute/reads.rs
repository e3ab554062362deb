//! Notes what is told of people where their values themselves are not written.

use spil_graph::{Filter, Row, Source};
use spil_proto::model::Kind;

use super::{Halt, Writer};
use crate::graphql::{
    bind::{Bound, Get, List},
    plan::{ConnectionField, ListField, Place},
    reads::{self, FieldBits, Looked},
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

    /// Notes what a list tells by how it is come to, by its order, its filter and its facets: of the records of the page by the way and the
    /// order; by the others too, unless they tell who people are. Then of every record that passes.
    pub(super) fn note_list(
        &mut self,
        list: &ListField,
        bound: &List,
        from: Option<Place>,
        source: Source<'_>,
        page: &[Row],
    ) -> Result<(), Halt> {
        let kind = list.to;
        let ordered = reads::ordered(kind, &bound.order);
        let followed = reads::followed(&list.steps);
        if let Some(recorder) = &mut self.recorder {
            if let Some(from) = from {
                recorder.come_by(self.graph, from, followed)?;
            }
            if ordered != 0 || followed != 0 {
                for row in page {
                    let place = Place { kind, row: *row };
                    recorder.told(self.graph, place, ordered)?;
                    recorder.come_by(self.graph, place, followed)?;
                }
            }
        }
        let faceted = list.items.iter().fold(0, |bits, item| match &item.what {
            ConnectionField::Facets { slot, .. } => match self.bound.get(*slot) {
                Some(Bound::Facets(facets)) => bits | reads::single(kind, facets.field.index),
                _ => bits,
            },
            _ => bits,
        });
        let looked = bound.filter.as_ref().map(|filter| reads::looked_at(kind, filter)).unwrap_or_default();
        if faceted == 0 && looked.is_empty() {
            return Ok(());
        }
        let all = looked.iter().fold(faceted, |all, looked| all | looked.fields);
        if reads::identifying(all) == 0 {
            // Who is not on the page stays somebody without a name.
            return page.iter().try_for_each(|row| self.note_looked(kind, *row, &looked));
        }
        for row in self.graph.gather(kind, source, bound.filter.as_ref(), &mut self.budget)? {
            self.note(Place { kind, row }, faceted)?;
            self.note_looked(kind, row, &looked)?;
        }
        Ok(())
    }

    /// Notes that a record passes a filter: it and the records by which it passes, as far as the filter looks at people.
    pub(in crate::graphql) fn note_match(&mut self, kind: Kind, row: Row, filter: &Filter) -> Result<(), Halt> {
        self.note_looked(kind, row, &reads::looked_at(kind, filter))
    }

    fn note_looked(&mut self, kind: Kind, row: Row, looked: &[Looked]) -> Result<(), Halt> {
        for Looked { way, kind: to, fields, followed } in looked {
            if way.is_empty() {
                self.note(Place { kind, row }, *fields)?;
                self.note_way(Place { kind, row }, *followed)?;
                continue;
            }
            for row in self.graph.walk_within(kind, row, way, &mut self.budget)? {
                self.note(Place { kind: *to, row }, *fields)?;
                self.note_way(Place { kind: *to, row }, *followed)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, place: Place, bits: FieldBits) -> Result<(), Halt> {
        match &mut self.recorder {
            Some(recorder) if bits != 0 => recorder.told(self.graph, place, bits),
            _ => Ok(()),
        }
    }

    fn note_way(&mut self, place: Place, followed: FieldBits) -> Result<(), Halt> {
        match &mut self.recorder {
            Some(recorder) => recorder.come_by(self.graph, place, followed),
            None => Ok(()),
        }
    }
}
