//! Writes the payload of `applyChanges`.

use spil_proto::model::Owner;

use super::{
    UserError, Warning,
    saga::{ChangeDone, ChangesDone, StepDone},
};
use crate::graphql::{
    bind::Changes,
    execute::{Halt, Writer},
    global_id,
    plan::{ChangesField, Item, Place, ResultField, StepField},
};

impl<'a> Writer<'a> {
    /// Writes the payload of `applyChanges`.
    pub(in crate::graphql) fn changes_payload(
        &mut self,
        items: &[Item<ChangesField>],
        input: &Changes,
        done: &'a ChangesDone,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                ChangesField::TypeName => this.raw("\"ApplyChangesPayload\""),
                ChangesField::ClientMutationId => this.text_or_null(input.client_mutation_id.as_deref())?,
                ChangesField::DryRun => this.truth(input.dry_run),
                ChangesField::Applied => this.truth(done.applied),
                ChangesField::Stale => this.truth(done.stale),
                ChangesField::Steps(items) => this.array(&done.steps, |this, step| this.step(items, step))?,
                ChangesField::Results(items) => {
                    let results: Vec<_> = done.results.iter().enumerate().collect();
                    this.array(&results, |this, (at, result)| this.change_result(items, *at, input, result, done))?;
                }
                ChangesField::UserErrors { input, conflict } => {
                    let errors: Vec<&UserError> =
                        done.faults.iter().chain(done.results.iter().flat_map(|result| &result.errors)).collect();
                    this.array(&errors, |this, error| this.user_error(input, conflict, error))?;
                }
                ChangesField::Warnings(items) => {
                    let warnings: Vec<&Warning> =
                        done.warnings.iter().chain(done.results.iter().flat_map(|result| &result.warnings)).collect();
                    this.array(&warnings, |this, warning| this.warning(items, warning))?;
                }
            }
            Ok(())
        })
    }

    fn step(&mut self, items: &[Item<StepField>], step: &StepDone) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match item.what {
                StepField::TypeName => this.raw("\"ApplyStep\""),
                StepField::Owner => this.raw(match step.owner {
                    Owner::Capability => "\"CAPABILITY\"",
                    Owner::Workforce => "\"WORKFORCE\"",
                    Owner::Initiative => "\"INITIATIVE\"",
                }),
                StepField::Status => this.text(step.status.name())?,
                StepField::Changes => this.array(&step.changes, |this, at| {
                    this.raw(&at.to_string());
                    Ok(())
                })?,
                StepField::Message => this.text_or_null(step.message.as_deref())?,
            }
            Ok(())
        })
    }

    fn change_result(
        &mut self,
        items: &[Item<ResultField>],
        at: usize,
        input: &Changes,
        result: &ChangeDone,
        done: &'a ChangesDone,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                ResultField::TypeName => this.raw("\"ChangeResult\""),
                ResultField::Index => this.raw(&at.to_string()),
                ResultField::TemporaryId => {
                    let change = input.changes.get(at);
                    this.text_or_null(change.and_then(|change| change.temporary_id.as_deref()))?;
                }
                ResultField::Id => {
                    let id = result.record.map(|(kind, id)| global_id::encode(kind, id));
                    this.text_or_null(id.as_deref())?;
                }
                ResultField::Outcome => this.text(result.outcome)?,
                ResultField::Record(by_kind) => {
                    this.graph = done.graph_of(result);
                    let record = result.record.filter(|_| result.is_written);
                    let place =
                        record.and_then(|(kind, id)| Some(Place { kind, row: this.graph.table(kind).row_of(id)? }));
                    match place.and_then(|place| Some((place, by_kind.get(&place.kind)?))) {
                        Some((place, items)) => {
                            this.retired = result.retired_at.map(|at| (place, at));
                            this.record(place, items)?;
                            this.retired = None;
                        }
                        None => this.raw("null"),
                    }
                    this.graph = done.graph();
                }
                ResultField::UserErrors { input, conflict } => {
                    this.array(&result.errors, |this, error| this.user_error(input, conflict, error))?;
                }
                ResultField::Warnings(items) => {
                    this.array(&result.warnings, |this, warning| this.warning(items, warning))?;
                }
            }
            Ok(())
        })
    }
}
