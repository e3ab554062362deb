//! Which write set which field.

use spil_proto::{
    changefeed::v1::Origin,
    model::{FieldInfo, Kind},
};

use super::{Halt, Writer};
use crate::graphql::{
    bind::Bound,
    plan::{Item, OriginField, Place},
    scalar,
    schema::output_name,
};

impl Writer<'_> {
    /// Writes who set the field that a slot names.
    pub(super) fn provenance(&mut self, place: Place, slot: usize, items: &[Item<OriginField>]) -> Result<(), Halt> {
        let Bound::Provenance(field) = self.bound(slot)? else { return Err(Halt::Mismatch) };
        let Place { kind, row } = place;
        let known =
            field.and_then(|field| Some((kind.info().field(field)?, self.graph.table(kind).origin(row, field)?)));
        match known {
            Some((info, origin)) => self.origin(items, kind, info, origin),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }

    /// Writes who set each field, in the order of the schema.
    pub(super) fn provenances(&mut self, place: Place, items: &[Item<OriginField>]) -> Result<(), Halt> {
        let Place { kind, row } = place;
        let table = self.graph.table(kind);
        let known: Vec<_> =
            kind.info().fields().filter_map(|info| Some((info, table.origin(row, info.index)?))).collect();
        self.array(&known, |this, (info, origin)| this.origin(items, kind, info, origin))
    }

    fn origin(
        &mut self,
        items: &[Item<OriginField>],
        kind: Kind,
        info: &FieldInfo,
        origin: &Origin,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match item.what {
                OriginField::TypeName(name) => this.text(name)?,
                OriginField::Field => this.text(output_name(info))?,
                OriginField::Source => this.text(&origin.source)?,
                OriginField::Run if origin.run.is_empty() => this.raw("null"),
                OriginField::Run => this.text(&origin.run)?,
                OriginField::Actor if !this.graph.shows_actors(kind) => this.raw("null"),
                OriginField::Actor => this.text(&origin.actor)?,
                OriginField::At => scalar::write_date_time(origin.at, &mut this.out),
            }
            Ok(())
        })
    }
}
