//! Exports of what is kept of a person.

use serde_json::{Value, json};
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{
    Engine,
    error::{Code, GraphqlError},
    fetch::fault,
    global_id,
    reads::Reads,
    scalar,
};
use crate::{
    access::View,
    subject::{self, ExportError, SubjectExport},
};

/// The most bytes of an export.
const MAX_BYTES: usize = 8 << 20;

impl Engine {
    /// Everything that is kept of a person, and what of it tells others than the person who that is. One at a time: each reads the logs of
    /// all owners.
    pub(super) async fn subject_export(
        &self,
        view: &View,
        person: (Kind, Uuid),
    ) -> Result<(Value, Reads), GraphqlError> {
        let unavailable = || GraphqlError::new(Code::Unavailable, "an owner of data can not be asked now; try again");
        let _turn = self.exports.acquire().await.map_err(|_| unavailable())?;
        // With a token of its own: callers may not read the logs.
        let token = self.feed_token.as_ref().and_then(|token| token.feed_token().ok()).ok_or_else(unavailable)?;
        let at = scalar::date_time_text(chrono::Utc::now().timestamp_micros());
        let found = subject::export(&mut self.clients.clone(), &token, person, MAX_BYTES).await;
        let SubjectExport { document, told, .. } = found.map_err(|error| match error {
            ExportError::Owner { status, .. } => fault(&status),
            ExportError::CutOff(_) => unavailable(),
            ExportError::TooMuch(_) => GraphqlError::new(Code::TooCostly, error.to_string()),
        })?;
        let mut reads = Reads::new();
        if view.worker() != Some(person.1) {
            reads.insert(person.1, told);
        }
        let value = json!({
            "workerId": global_id::encode(person.0, person.1),
            "at": at,
            "document": document.to_string(),
        });
        Ok((value, reads))
    }
}
