//! Resolves what is asked of `applyChanges`.

use super::{
    ErrorField, Item, NodeItems,
    collect::Group,
    object::{Compiled, Compiler, unknown},
};

/// A field of the payload of `applyChanges`.
pub(in crate::graphql) enum ChangesField {
    TypeName,
    ClientMutationId,
    DryRun,
    Applied,
    Stale,
    Steps(Vec<Item<StepField>>),
    Results(Vec<Item<ResultField>>),
    UserErrors { input: Vec<Item<ErrorField>>, conflict: Vec<Item<ErrorField>> },
    Warnings(Vec<Item<ErrorField>>),
}

/// A field of what one owner did.
pub(in crate::graphql) enum StepField {
    TypeName,
    Owner,
    Status,
    Changes,
    Message,
}

/// A field of what came of one change.
pub(in crate::graphql) enum ResultField {
    TypeName,
    Index,
    TemporaryId,
    Id,
    Outcome,
    Record(NodeItems),
    UserErrors { input: Vec<Item<ErrorField>>, conflict: Vec<Item<ErrorField>> },
    Warnings(Vec<Item<ErrorField>>),
}

impl<'d> Compiler<'d> {
    pub(super) fn changes(&mut self, group: &Group<'d>) -> Compiled<ChangesField> {
        let groups = self.below(group, "ApplyChangesPayload", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ChangesField::TypeName,
                "clientMutationId" => ChangesField::ClientMutationId,
                "dryRun" => ChangesField::DryRun,
                "applied" => ChangesField::Applied,
                "stale" => ChangesField::Stale,
                "steps" => ChangesField::Steps(this.steps(group)?),
                "results" => ChangesField::Results(this.results(group)?),
                "userErrors" => ChangesField::UserErrors {
                    input: this.error(group, "InputError")?,
                    conflict: this.error(group, "VersionConflict")?,
                },
                "warnings" => ChangesField::Warnings(this.error(group, "Warning")?),
                _ => return Err(unknown(name)),
            })
        })
    }

    fn steps(&mut self, group: &Group<'d>) -> Compiled<StepField> {
        let groups = self.below(group, "ApplyStep", &[]);
        self.items(groups, |_, name, _| {
            Ok(match name {
                "__typename" => StepField::TypeName,
                "owner" => StepField::Owner,
                "status" => StepField::Status,
                "changes" => StepField::Changes,
                "message" => StepField::Message,
                _ => return Err(unknown(name)),
            })
        })
    }

    fn results(&mut self, group: &Group<'d>) -> Compiled<ResultField> {
        let groups = self.below(group, "ChangeResult", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ResultField::TypeName,
                "index" => ResultField::Index,
                "temporaryId" => ResultField::TemporaryId,
                "id" => ResultField::Id,
                "outcome" => ResultField::Outcome,
                "record" => ResultField::Record(this.node(group)?),
                "userErrors" => ResultField::UserErrors {
                    input: this.error(group, "InputError")?,
                    conflict: this.error(group, "VersionConflict")?,
                },
                "warnings" => ResultField::Warnings(this.error(group, "Warning")?),
                _ => return Err(unknown(name)),
            })
        })
    }
}
