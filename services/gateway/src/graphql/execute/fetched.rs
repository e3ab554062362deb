//! What the owners of data are asked for, and who asks.

use serde_json::Value;
use spil_access::Action;

use super::{Halt, Writer};
use crate::graphql::{
    bind::Bound,
    fetch::{MAX_NEEDS, Need},
    plan::{Item, Place, RecordField, ViewerField, What},
    purpose,
};

impl Writer<'_> {
    /// Writes what the owners answered. Before they were asked it is only noted that they have to be.
    pub(super) fn fetched(&mut self, need: Need, items: &[Item<What>]) -> Result<(), Halt> {
        match self.fetched {
            Some(fetched) => match fetched.values.get(&need) {
                Some(value @ Value::Object(_)) => {
                    self.object(items, |this, item| this.plain(&item.what, value))?;
                }
                _ => self.raw("null"),
            },
            None => {
                if !self.needs.contains(&need) {
                    self.needs.push(need);
                }
                if self.needs.len() > MAX_NEEDS {
                    return Err(Halt::TooCostly);
                }
                self.raw("null");
            }
        }
        Ok(())
    }

    /// Writes who read about a person: for that person, and for those who may see the audit.
    pub(super) fn access_log(&mut self, place: Place, slot: usize, items: &[Item<What>]) -> Result<(), Halt> {
        let id = self.graph.table(place.kind).id(place.row);
        let may = self
            .viewing
            .is_some_and(|view| view.worker() == Some(id) || view.may(Action::Audit, place.kind, place.row));
        if may && place.kind.info().person {
            self.fetched(Need { slot, person: Some(id) }, items)
        } else {
            self.raw("null");
            Ok(())
        }
    }

    /// Writes what is kept of a person: for that person, and for those who may export.
    pub(super) fn subject_export(&mut self, slot: usize, items: &[Item<What>]) -> Result<(), Halt> {
        let Bound::SubjectExport(person) = self.bound(slot)? else { return Err(Halt::Mismatch) };
        let seen = person.and_then(|(kind, id)| Some((kind, id, self.graph.table(kind).row_of(id)?)));
        match (seen, self.viewing) {
            (Some((kind, id, row)), Some(view)) if view.may(Action::Export, kind, row) => {
                self.fetched(Need { slot, person: Some(id) }, items)
            }
            _ => {
                self.raw("null");
                Ok(())
            }
        }
    }

    /// Writes who asks.
    pub(super) fn viewer(&mut self, items: &[Item<ViewerField>]) -> Result<(), Halt> {
        let Some(view) = self.viewing else { return Err(Halt::Mismatch) };
        let viewer = view.viewer();
        self.object(items, |this, item| {
            match &item.what {
                ViewerField::TypeName => this.raw("\"Viewer\""),
                ViewerField::Subject => this.text(viewer.subject())?,
                ViewerField::Issuer => this.text(viewer.issuer())?,
                ViewerField::Roles => this.array(viewer.roles(), |this, role| this.text(role))?,
                ViewerField::Purpose => match viewer.purpose() {
                    Some(purpose) => this.text(purpose::name(purpose))?,
                    None => this.raw("null"),
                },
                ViewerField::Worker(items) => this.own_worker(view.worker(), items)?,
            }
            Ok(())
        })
    }

    fn own_worker(&mut self, worker: Option<uuid::Uuid>, items: &[Item<RecordField>]) -> Result<(), Halt> {
        let kind = spil_proto::model::Kind::Worker;
        match worker.and_then(|id| self.graph.table(kind).row_of(id)) {
            Some(row) => self.record(Place { kind, row }, items),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }
}
