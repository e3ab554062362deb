//! Plans of figures about groups of people.

use spil_proto::model::Kind;

use super::{
    Item, Purpose, RecordField,
    collect::Group,
    object::{Compiler, unknown},
};
use crate::graphql::error::GraphqlError;

/// What is asked of the figures.
pub(crate) struct PeopleField {
    pub(crate) slot: usize,
    pub(crate) items: Vec<Item<PeopleItem>>,
}

/// A field of the whole.
pub(crate) enum PeopleItem {
    TypeName,
    AsOf,
    SmallestGroup,
    Groups(Vec<Item<PeopleGroupField>>),
}

/// A field of a group.
pub(crate) enum PeopleGroupField {
    TypeName,
    OrgUnit(Vec<Item<RecordField>>),
    Role(Vec<Item<RecordField>>),
    JobFamily,
    Function,
    IsContractor,
    Status,
    Tier,
    N,
    Fte,
    Share,
}

impl<'d> Compiler<'d> {
    pub(super) fn people(&mut self, group: &Group<'d>) -> Result<PeopleField, GraphqlError> {
        let slot = self.slot(group, Purpose::People);
        let groups = self.below(group, "PeopleCounts", &[]);
        let items = self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => PeopleItem::TypeName,
                "asOf" => PeopleItem::AsOf,
                "smallestGroup" => PeopleItem::SmallestGroup,
                "groups" => PeopleItem::Groups(this.people_group(group)?),
                _ => return Err(unknown(name)),
            })
        })?;
        Ok(PeopleField { slot, items })
    }

    fn people_group(&mut self, group: &Group<'d>) -> Result<Vec<Item<PeopleGroupField>>, GraphqlError> {
        let groups = self.below(group, "PeopleGroup", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => PeopleGroupField::TypeName,
                "orgUnit" => PeopleGroupField::OrgUnit(this.record(group, Kind::OrgUnit)?),
                "role" => PeopleGroupField::Role(this.record(group, Kind::Role)?),
                "jobFamily" => PeopleGroupField::JobFamily,
                "function" => PeopleGroupField::Function,
                "isContractor" => PeopleGroupField::IsContractor,
                "status" => PeopleGroupField::Status,
                "tier" => PeopleGroupField::Tier,
                "n" => PeopleGroupField::N,
                "fte" => PeopleGroupField::Fte,
                "share" => PeopleGroupField::Share,
                _ => return Err(unknown(name)),
            })
        })
    }
}
