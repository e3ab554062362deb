//! The fields of a subscription.

use apollo_compiler::executable::SelectionSet;
use spil_proto::model::Kind;

use super::{
    Item, NodeItems, Purpose, QueryField, RecordField,
    object::{Compiler, unknown},
};
use crate::graphql::error::{Code, GraphqlError};

/// A field of `Subscription`; an operation has one.
pub(crate) enum SubscriptionField {
    /// Each change by itself.
    Changes { slot: usize, items: Vec<Item<ChangeField>> },
    /// An answer, sent again when it differs.
    Answer(Subscribed),
}

/// What is answered again and again.
pub(crate) enum Subscribed {
    /// A query.
    Query(Vec<Item<QueryField>>),
    /// A record; it is over when the record is gone.
    Record { slot: usize, kind: Kind, items: Vec<Item<RecordField>> },
}

/// A field of a change.
pub(crate) enum ChangeField {
    TypeName,
    Cursor,
    Kind,
    Id,
    Action,
    Version,
    At,
    Actor,
    Source,
    Run,
    Fields,
    Record(NodeItems),
}

impl<'d> Compiler<'d> {
    pub(super) fn subscription(&mut self, set: &'d SelectionSet) -> Result<Item<SubscriptionField>, GraphqlError> {
        let groups = self.fields(set, "Subscription");
        let mut items = self.items(groups, |this, name, group| {
            this.demand("Subscription", name)?;
            Ok(match name {
                "changes" => {
                    let slot = this.slot(group, Purpose::Changes);
                    let groups = this.below(group, "Change", &[]);
                    let items = this.items(groups, |this, name, group| {
                        Ok(match name {
                            "__typename" => ChangeField::TypeName,
                            "cursor" => ChangeField::Cursor,
                            "kind" => ChangeField::Kind,
                            "id" => ChangeField::Id,
                            "action" => ChangeField::Action,
                            "version" => ChangeField::Version,
                            "at" => ChangeField::At,
                            "actor" => ChangeField::Actor,
                            "source" => ChangeField::Source,
                            "run" => ChangeField::Run,
                            "fields" => ChangeField::Fields,
                            "record" => ChangeField::Record(this.node(group)?),
                            _ => return Err(unknown(name)),
                        })
                    })?;
                    SubscriptionField::Changes { slot, items }
                }
                "live" => {
                    let sets = group.iter().map(|field| &field.selection_set);
                    let items = this.query(sets)?;
                    if let Some(item) = items.iter().find(|item| !can_be_live(&item.what)) {
                        return Err(GraphqlError::new(
                            Code::ValidationFailed,
                            format!("`{}` is not of the graph, so it can not be live; ask it in a query", item.name()),
                        ));
                    }
                    SubscriptionField::Answer(Subscribed::Query(items))
                }
                _ => {
                    let kind = Kind::ALL
                        .iter()
                        .copied()
                        .find(|kind| kind.info().singular == name)
                        .ok_or_else(|| unknown(name))?;
                    let slot = this.slot(group, Purpose::Get(kind));
                    SubscriptionField::Answer(Subscribed::Record { slot, kind, items: this.record(group, kind)? })
                }
            })
        })?;
        // Validation sees to it that there is exactly one.
        items.pop().ok_or_else(|| GraphqlError::new(Code::ValidationFailed, "a subscription asks for one field"))
    }
}

/// Whether a field of a query says something of the graph, and not of the schema or the policy or of how the gateway is doing.
fn can_be_live(field: &QueryField) -> bool {
    !matches!(
        field,
        QueryField::Introspection
            | QueryField::Service(_)
            | QueryField::Snapshot(_)
            | QueryField::Register(_)
            | QueryField::People(_)
            | QueryField::Viewer(_)
            | QueryField::Audit { .. }
            | QueryField::SubjectExport { .. }
    )
}
