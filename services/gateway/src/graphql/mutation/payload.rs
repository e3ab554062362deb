//! Writes the payloads of mutations.

use crate::graphql::{
    bind::Write,
    execute::{Halt, Writer},
    plan::{ErrorField, Item, PayloadField, Place},
};

use super::{UserError, Warning, single::Done};

impl Writer<'_> {
    /// Writes the payload of a mutation.
    pub(in crate::graphql) fn payload(
        &mut self,
        items: &[Item<PayloadField>],
        write: &Write,
        done: &Done,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                PayloadField::TypeName(name, verb) => {
                    this.raw(&format!("\"{}{name}Payload\"", verb.type_prefix()));
                }
                PayloadField::ClientMutationId => this.text_or_null(write.client_mutation_id.as_deref())?,
                PayloadField::Record(items) => {
                    let row = done.id.and_then(|id| this.graph.table(done.kind).row_of(id));
                    match row {
                        Some(row) => {
                            let place = Place { kind: done.kind, row };
                            this.retired = done.retired_at.map(|at| (place, at));
                            this.record(place, items)?;
                            this.retired = None;
                        }
                        None => this.raw("null"),
                    }
                }
                PayloadField::UserErrors { input, conflict } => {
                    this.array(&done.errors, |this, error| this.user_error(input, conflict, error))?
                }
                PayloadField::Warnings(items) => {
                    this.array(&done.warnings, |this, warning| this.warning(items, warning))?
                }
                PayloadField::DryRun => this.truth(write.dry_run),
                PayloadField::Stale => this.truth(done.stale),
            }
            Ok(())
        })
    }

    pub(super) fn truth(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub(super) fn warning(&mut self, items: &[Item<ErrorField>], warning: &Warning) -> Result<(), Halt> {
        let Warning { message, path } = warning;
        self.object(items, |this, item| this.error_field(item.what, "", message, path, None))
    }

    pub(super) fn text_or_null(&mut self, text: Option<&str>) -> Result<(), Halt> {
        match text {
            Some(text) => self.text(text)?,
            None => self.raw("null"),
        }
        Ok(())
    }

    pub(super) fn user_error(
        &mut self,
        input: &[Item<ErrorField>],
        conflict: &[Item<ErrorField>],
        error: &UserError,
    ) -> Result<(), Halt> {
        match error {
            UserError::Input { code, message, path } => {
                self.object(input, |this, item| this.error_field(item.what, code, message, path, None))
            }
            UserError::Conflict { message, path, current_version, fields } => self.object(conflict, |this, item| {
                this.error_field(item.what, "VERSION_CONFLICT", message, path, Some((*current_version, fields)))
            }),
        }
    }

    fn error_field(
        &mut self,
        field: ErrorField,
        code: &str,
        message: &str,
        path: &[String],
        conflict: Option<(u64, &[&str])>,
    ) -> Result<(), Halt> {
        match field {
            ErrorField::TypeName(name) => self.text(name)?,
            ErrorField::Code => self.text(code)?,
            ErrorField::Message => self.text(message)?,
            ErrorField::Path => self.array(path, |this, part| this.text(part))?,
            ErrorField::CurrentVersion => self.raw(&conflict.map_or(0, |(version, _)| version).to_string()),
            ErrorField::Fields => {
                self.array(conflict.map_or(&[], |(_, fields)| fields), |this, name| this.text(name))?
            }
        }
        Ok(())
    }
}
