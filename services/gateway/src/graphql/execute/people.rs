//! Writes figures about groups of people.

use std::collections::HashSet;

use spil_proto::model::{ENUMS, Kind};
use uuid::Uuid;

use super::{Halt, Writer, string};
use crate::{
    aggregate::{Counted, Figure},
    graphql::{
        plan::{Item, PeopleField, PeopleGroupField, PeopleItem, Place, RecordField},
        scalar,
    },
};

impl Writer<'_> {
    /// Writes an answer that was counted beforehand. Groups that the viewer does not see are left out, whatever is told of them.
    pub(super) fn people(&mut self, field: &PeopleField) -> Result<(), Halt> {
        let (counted, smallest) = self.counted(field.slot)?;
        self.object(&field.items, |this, item| {
            match &item.what {
                PeopleItem::TypeName => this.raw("\"PeopleCounts\""),
                PeopleItem::AsOf => this.raw(&format!("\"{}\"", scalar::date_time_text(counted.at))),
                PeopleItem::SmallestGroup => this.raw(&smallest.to_string()),
                PeopleItem::Groups(items) => {
                    let families = this.families(&counted);
                    let seen: Vec<&Figure> =
                        counted.figures.iter().filter(|figure| this.shows(figure, &families)).collect();
                    this.array(&seen, |this, figure| this.people_group(items, figure))?;
                }
            }
            Ok(())
        })
    }

    /// The job families of the roles that are seen; none where nothing is told by families.
    fn families(&self, counted: &Counted) -> HashSet<&str> {
        if counted.figures.iter().all(|figure| figure.family.is_none()) {
            return HashSet::new();
        }
        let table = self.graph.table(Kind::Role);
        let field = Kind::Role.info().field_by_column("job_family").map_or(usize::MAX, |field| field.index);
        table.rows().iter().filter_map(|row| table.text(row, field)).collect()
    }

    fn shows(&self, figure: &Figure, families: &HashSet<&str>) -> bool {
        let is_seen = |kind: Kind, id: Option<Uuid>| id.is_none_or(|id| self.graph.table(kind).row_of(id).is_some());
        is_seen(Kind::OrgUnit, figure.unit)
            && is_seen(Kind::Role, figure.role)
            && figure.family.as_deref().is_none_or(|family| families.contains(family))
    }

    fn people_group(&mut self, items: &[Item<PeopleGroupField>], figure: &Figure) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                PeopleGroupField::TypeName => this.raw("\"PeopleGroup\""),
                PeopleGroupField::OrgUnit(items) => this.record_of(Kind::OrgUnit, figure.unit, items)?,
                PeopleGroupField::Role(items) => this.record_of(Kind::Role, figure.role, items)?,
                PeopleGroupField::JobFamily => match &figure.family {
                    Some(family) => this.text(family)?,
                    None => this.raw("null"),
                },
                PeopleGroupField::Function => this.enumeration("OrgFunction", figure.function),
                PeopleGroupField::Status => this.enumeration("WorkerStatus", figure.status),
                PeopleGroupField::IsContractor => this.maybe(figure.is_contractor),
                PeopleGroupField::Tier => this.maybe(figure.tier),
                PeopleGroupField::N => this.maybe(figure.people),
                PeopleGroupField::Fte => this.maybe(figure.fte),
                PeopleGroupField::Share => this.maybe(figure.share),
            }
            Ok(())
        })
    }

    fn record_of(&mut self, kind: Kind, id: Option<Uuid>, items: &[Item<RecordField>]) -> Result<(), Halt> {
        match id.and_then(|id| self.graph.table(kind).row_of(id)) {
            Some(row) => self.record(Place { kind, row }, items),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }

    fn enumeration(&mut self, list: &str, number: Option<i32>) {
        let list = ENUMS.iter().find(|known| known.name == list);
        match number.and_then(|number| list?.name_of(number)) {
            Some(name) => string(name, &mut self.out),
            None => self.raw("null"),
        }
    }

    fn maybe(&mut self, value: Option<impl ToString>) {
        match value {
            Some(value) => self.raw(&value.to_string()),
            None => self.raw("null"),
        }
    }
}
