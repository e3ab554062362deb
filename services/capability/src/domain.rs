//! What the model table can not say about objectives, capabilities, processes and applications.

mod application;

use spil_changefeed::{Findings, Proposal, Related, Rules};
use spil_proto::{changefeed::v1::record::Entity, model::Kind};

/// The rules of the capability owner.
pub(crate) struct CapabilityRules;

impl Rules for CapabilityRules {
    fn related(&self, _kind: Kind) -> &'static [Related] {
        &[]
    }

    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings) {
        if let Some(Entity::Application(application)) = &proposal.after.entity {
            application::check(application, findings);
        }
    }
}
