//! What the connections of records of several kinds have in common.

use spil_proto::model::Kind;

use super::{Halt, Writer, string};
use crate::graphql::plan::{Item, NodeItems, PageInfoField, Place};

/// Where a page stands.
pub(super) struct Stand {
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

impl Writer<'_> {
    /// Writes a page info.
    pub(super) fn stand(&mut self, items: &[Item<PageInfoField>], stand: &Stand) -> Result<(), Halt> {
        self.object(items, |this, item| {
            let flag = |flag: bool| if flag { "true" } else { "false" };
            match item.what {
                PageInfoField::TypeName => this.raw("\"PageInfo\""),
                PageInfoField::HasNext => this.raw(flag(stand.has_next)),
                PageInfoField::HasPrevious => this.raw(flag(stand.has_previous)),
                PageInfoField::Start => this.nullable_string(stand.start.as_deref()),
                PageInfoField::End => this.nullable_string(stand.end.as_deref()),
            }
            Ok(())
        })
    }

    fn nullable_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => string(text, &mut self.out),
            None => self.raw("null"),
        }
    }

    /// Writes a record of whatever kind.
    pub(super) fn any_record(&mut self, place: Place, by_kind: &NodeItems) -> Result<(), Halt> {
        let items = by_kind.get(&place.kind).ok_or(Halt::Mismatch)?;
        self.record(place, items)
    }

    /// The places of records by their ids, of those that are there.
    pub(super) fn places(&self, ids: &[(Kind, uuid::Uuid)]) -> Vec<Place> {
        ids.iter()
            .filter_map(|(kind, id)| Some(Place { kind: *kind, row: self.graph.table(*kind).row_of(*id)? }))
            .collect()
    }
}
