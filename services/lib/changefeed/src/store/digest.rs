//! Checksums of the records as they stand in the tables, to prove that a follower, and the log, say the same.

use prost::Message;
use spil_proto::model::Kind;
use xxhash_rust::xxh3::xxh3_128;

use super::{Store, StoreError, head::Head};

/// The checksum of the live records of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindSum {
    pub(crate) kind: Kind,
    pub(crate) count: u64,
    pub(crate) sum: u128,
}

impl Store {
    /// The checksums of all kinds as of one revision.
    pub(crate) async fn digest(&self) -> Result<(Head, Vec<KindSum>), StoreError> {
        let kinds: Vec<Kind> = self.inner.owner.kinds().collect();
        let mut sums: Vec<KindSum> = kinds.iter().map(|kind| KindSum { kind: *kind, count: 0, sum: 0 }).collect();
        let mut reader = self.read_snapshot(kinds).await?;
        let mut bytes = Vec::new();
        while let Some((kind, records)) = reader.next().await? {
            let Some(sum) = sums.iter_mut().find(|sum| sum.kind == kind) else { continue };
            for (record, _) in &records {
                bytes.clear();
                // A vector takes everything.
                record.encode(&mut bytes).ok();
                sum.count += 1;
                sum.sum = sum.sum.wrapping_add(xxh3_128(&bytes));
            }
        }
        Ok((reader.head(), sums))
    }
}
