//! Validators: what tells a client that keeps an answer whether it is still the present one, without running the query again.

use std::sync::OnceLock;

use apollo_compiler::response::JsonMap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use spil_auth::Caller;

use super::{
    Engine, Request, authorize, bind,
    plan::{QueryField, Root},
    purpose,
    schema::SpilSchema,
};
use crate::access::today;

/// The bytes of the hash that a validator shows.
const BYTES: usize = 18;

impl Engine {
    /// The validator of the answer to a query in a media type, as the graph is now: a weak entity tag. Two answers with one validator
    /// were made by the same build of the same state of the graph, for the same caller who sees the same, from the same
    /// document, operation and variables.
    ///
    /// None where the answer says more than the graph, where the request is no query, and where it would be refused. If the graph
    /// moves on between this and the answer, then the answer is newer than its validator, and is sent once more than it had to be.
    pub async fn validator(&self, caller: &Caller, request: &Request, media: &str) -> Option<String> {
        let planned = self.planned(request).ok()?;
        let Root::Query(items) = &planned.plan.root else { return None };
        // How the service is doing and what the policy says changes without the graph, and the index of searches comes after it.
        if items
            .iter()
            .any(|item| matches!(item.what, QueryField::Snapshot(_) | QueryField::Register(_) | QueryField::People(_)))
            || planned.plan.searches()
            || planned.plan.fetches()
            || planned.plan.tells_viewer()
        {
            return None;
        }
        let viewer = self.viewer(caller, request.purpose);
        authorize(&viewer, &planned.plan).ok()?;
        bind::bind(&planned.plan, &planned.variables).ok()?;
        let wanted = request.extensions.as_ref().and_then(|extensions| extensions.consistency.as_deref());
        let published = self.fresh(wanted).await.ok()?;
        let none = JsonMap::new();
        let variables = serde_json::to_vec(request.variables.as_ref().unwrap_or(&none)).ok()?;
        let mut hash = Sha256::new();
        for part in [
            build_hash(self.schema).as_slice(),
            published.token().as_bytes(),
            caller.subject().as_bytes(),
            viewer.key().as_bytes(),
            request.purpose.map(purpose::name).unwrap_or_default().as_bytes(),
            // What is somebody's own can depend on the day.
            &viewer.has_own().then(today).unwrap_or_default().to_be_bytes(),
            media.as_bytes(),
            planned.prepared.text().as_bytes(),
            request.operation_name.as_deref().unwrap_or_default().as_bytes(),
            &variables,
        ] {
            // Each with its length, so that no part can run into the next.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        Some(format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..BYTES)?)))
    }
}

/// What answers depend on besides the graph: the version of the service and its one schema.
fn build_hash(schema: &SpilSchema) -> &'static [u8; 32] {
    static HASH: OnceLock<[u8; 32]> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(schema.sdl.as_bytes());
        hash.finalize().into()
    })
}
