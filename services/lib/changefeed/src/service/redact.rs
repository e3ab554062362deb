//! Taking who a person is out of records that are about others.

use std::net::IpAddr;

use spil_auth::Caller;
use spil_proto::changefeed::v1::{Mention, RedactRequest, RedactResponse};

use super::{
    EraseError, OwnerService,
    erase::{Demand, insist},
};
use crate::store::{MAX_TEXTS, Redacted, Redaction};

/// The most mentions that are told.
const MAX_MENTIONS: usize = 100;

impl OwnerService {
    /// Takes what tells who a person is out of the records of this owner that are not the person's own, and what records that are about the
    /// person say, now and in the log; says where there is more that may be the person's. It is done before the person is
    /// erased: afterwards nobody knows what to look for. The second time it writes nothing.
    ///
    /// # Errors
    /// If the caller may not, there is no such person, nobody says by which texts the person is known, or the database can not.
    pub async fn redact(
        &self,
        caller: &Caller,
        request: RedactRequest,
        peer: Option<IpAddr>,
    ) -> Result<RedactResponse, EraseError> {
        let RedactRequest { kind, id, reason, origin } = request;
        let demand = self.demand(caller, (kind, &id), reason, &origin, peer)?;
        let service = self.clone();
        // A task of its own: a caller that hangs up does not stop a transaction half way.
        let done = tokio::spawn(async move { service.redact_until_done(demand).await });
        done.await.map_err(|_| EraseError::Stopping)?
    }

    async fn redact_until_done(&self, demand: Demand) -> Result<RedactResponse, EraseError> {
        let (kind, person) = (demand.kind, demand.person);
        let names = self.names(kind, person).await.map_err(EraseError::Person)?.ok_or(EraseError::NotFound)?;
        let demand = demand.without(&names);
        let mut done: Option<Redacted> = None;
        // Also where nothing is to be looked for: what records about the person say goes whatever it is.
        let pieces = names.texts.chunks(MAX_TEXTS).chain(names.texts.is_empty().then_some(&[][..]));
        for piece in pieces {
            let next = insist(|| {
                let redaction = Redaction {
                    texts: piece.to_vec(),
                    subjects: names.subjects.clone(),
                    person: Some((kind, person)),
                    origin: demand.origin(self.clock.now()),
                    reason: demand.reason().to_owned(),
                    way: demand.way.clone(),
                    mark: rand::random(),
                };
                async move { self.store.redact(&redaction).await }
            });
            let next = next.await?;
            done = Some(match done {
                Some(done) => Redacted {
                    records: done.records.saturating_add(next.records),
                    revisions: done.revisions.saturating_add(next.revisions),
                    ..next
                },
                None => next,
            });
        }
        let redacted = done.ok_or(EraseError::Stopping)?;
        let found = self.store.mentions((kind, person), &names.doubtful, MAX_MENTIONS).await;
        let (mentions, more_mentions) = found.map_err(EraseError::Store)?;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(RedactResponse {
            cursor: Some(redacted.cursor()),
            records: count(redacted.records),
            revisions: count(redacted.revisions),
            mentions: mentions
                .into_iter()
                .map(|(kind, id, field)| Mention {
                    kind: kind as u32,
                    id: id.as_bytes().to_vec(),
                    field: field.to_owned(),
                })
                .collect(),
            more_mentions,
        })
    }
}
