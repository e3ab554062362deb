//! Resolves what is asked of an erasure.

use spil_proto::model::Kind;

use super::{
    ErrorField, Item,
    collect::Group,
    object::{Compiled, Compiler, What, unknown},
};

/// A field of the payload of an erasure.
pub(in crate::graphql) enum EraseField {
    TypeName(Kind),
    ClientMutationId,
    ErasedAt,
    Mentions(Vec<Item<What>>),
    HasMoreMentions,
    UserErrors { input: Vec<Item<ErrorField>>, conflict: Vec<Item<ErrorField>> },
}

/// The kind of people that a mutation erases: `eraseWorker`.
pub(super) fn erased_kind(name: &str) -> Option<Kind> {
    let name = name.strip_prefix("erase")?;
    Kind::ALL.iter().copied().find(|kind| kind.info().person && kind.info().name == name)
}

impl<'d> Compiler<'d> {
    pub(super) fn erasure(&mut self, group: &Group<'d>, kind: Kind) -> Compiled<EraseField> {
        let groups = self.below(group, &format!("Erase{}Payload", kind.info().name), &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => EraseField::TypeName(kind),
                "clientMutationId" => EraseField::ClientMutationId,
                "erasedAt" => EraseField::ErasedAt,
                "mentions" => EraseField::Mentions(this.plain(group, "Mention")?),
                "hasMoreMentions" => EraseField::HasMoreMentions,
                "userErrors" => EraseField::UserErrors {
                    input: this.error(group, "InputError")?,
                    conflict: this.error(group, "VersionConflict")?,
                },
                _ => return Err(unknown(name)),
            })
        })
    }
}
