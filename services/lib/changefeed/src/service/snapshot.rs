//! Streaming every live record.

use prost::Message;
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::{SnapshotRequest, SnapshotResponse},
    model::Kind,
};

use super::{
    OwnerService,
    feed::{FeedError, FeedStream, Sink},
};
use crate::{
    command::provenance::Gathered,
    store::{SnapshotReader, Stored},
};

/// The most bytes of records in one part, unless a single record has more.
const PART_BYTES: usize = 4 << 20;

impl OwnerService {
    /// Streams every live record of some kinds, or of all, as of one revision.
    ///
    /// # Errors
    /// If the caller may not follow, a kind is not of this owner, or the database can not be read.
    pub async fn snapshot(
        &self,
        caller: &Caller,
        request: SnapshotRequest,
    ) -> Result<FeedStream<SnapshotResponse>, FeedError> {
        let owner = self.owner();
        let wanted: Option<Vec<Kind>> = request
            .kinds
            .iter()
            .map(|number| Kind::from_number(*number).filter(|kind| kind.info().owner == owner))
            .collect();
        let wanted = wanted.ok_or(FeedError::Request("a kind is not of this owner"))?;
        let kinds: Vec<Kind> = owner.kinds().filter(|kind| wanted.is_empty() || wanted.contains(kind)).collect();
        self.may_follow(caller, kinds.iter().copied())?;
        let reader = self.store.read_snapshot(kinds).await?;
        Ok(FeedStream::fed_by(self.limits, |sink| send(reader, sink)))
    }
}

async fn send(mut reader: SnapshotReader, sink: Sink<SnapshotResponse>) -> Result<(), FeedError> {
    let head = reader.head();
    let total = reader.count().await?;
    sink.send(SnapshotResponse { cursor: Some(head.cursor()), total, ..SnapshotResponse::default() }).await?;
    while let Some((_, records)) = reader.next().await? {
        for part in parts(records) {
            let mut provenance = Gathered::default();
            part.iter().for_each(|(_, known)| provenance.push(known.as_ref()));
            let records = part.into_iter().map(|(record, _)| record).collect();
            let provenance = Some(provenance.finish());
            sink.send(SnapshotResponse { records, provenance, ..SnapshotResponse::default() }).await?;
        }
    }
    sink.send(SnapshotResponse { complete: true, ..SnapshotResponse::default() }).await
}

/// Cuts a page into parts of bounded size.
fn parts(records: Vec<Stored>) -> Vec<Vec<Stored>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for stored in records {
        let length = stored.0.encoded_len() + stored.1.as_ref().map_or(0, Message::encoded_len);
        bytes += length;
        if bytes > PART_BYTES {
            bytes = length;
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(stored);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
