//! The capability owner.
//!
//! Only its rules are here: `domain` is pure. What every owner does alike (the database, the calls over gRPC, the feed) is
//! in `spil-changefeed`, and what the kinds of this owner are is in the proto files.

mod domain;

use std::sync::Arc;

use spil_changefeed::Rules;

/// The rules of this owner, to be given to `spil_changefeed::OwnerService`.
pub fn rules() -> Arc<dyn Rules> {
    Arc::new(domain::CapabilityRules)
}
