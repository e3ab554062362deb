//! A follower as simple as can be: a map of records, kept by snapshot and watch.

use std::collections::BTreeMap;

use futures::StreamExt;
use prost::Message;
use spil_changefeed::{FeedError, FeedStream};
use spil_proto::{
    changefeed::v1::{Cursor, KindDigest, Origin, Record, WatchRequest, WatchResponse},
    model::{HEADER_FIELDS, Kind, Owner, field},
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    owner::{TestOwner, Told},
    sample::get,
};

pub(crate) struct Follower {
    pub(crate) records: BTreeMap<(Kind, Uuid), Record>,
    /// Who set which field.
    pub(crate) told: Told,
    pub(crate) cursor: Cursor,
    /// How many revisions were followed.
    pub(crate) followed: u64,
    /// Every place on the way.
    pub(crate) passed: Vec<Cursor>,
    stream: FeedStream<WatchResponse>,
}

impl Follower {
    pub(crate) async fn start(owner: &TestOwner) -> Self {
        let (cursor, records) = owner.snapshot().await;
        let mut told = owner.provenance().await;
        // Of a record that is newer than the snapshot the changes tell.
        told.retain(|key, _| records.iter().any(|record| self::key(record) == *key));
        let stream = watch(owner, cursor.clone()).await.expect("a stream");
        let records = records.into_iter().map(|record| (key(&record), record)).collect();
        Self { records, told, cursor, followed: 0, passed: Vec::new(), stream }
    }

    /// Goes on from where another one was, on a new stream.
    pub(crate) async fn resume(owner: &TestOwner, other: Follower) -> Self {
        let stream = watch(owner, other.cursor.clone()).await.expect("a stream");
        Self { stream, ..other }
    }

    /// Follows until a revision, checking that there is no gap.
    pub(crate) async fn follow_to(&mut self, revision: u64) {
        while self.cursor.revision < revision {
            let message = self.stream.next().await.expect("more").expect("a message");
            self.take(message);
        }
    }

    fn take(&mut self, message: WatchResponse) {
        let head = message.head.expect("a head");
        assert!(head.revision >= self.cursor.revision || message.revisions.is_empty());
        for revision in message.revisions {
            assert_eq!(revision.revision, self.cursor.revision + 1, "a gap");
            assert!(!revision.changes.is_empty());
            assert_ne!(revision.mark, 0);
            (self.cursor.revision, self.cursor.mark) = (revision.revision, revision.mark);
            self.passed.push(self.cursor.clone());
            self.followed += 1;
            for change in revision.changes {
                let origin = Origin {
                    source: revision.source.clone(),
                    run: revision.run.clone(),
                    actor: revision.actor.clone(),
                    at: revision.at,
                };
                let record = change.record.expect("a record");
                if get(&record, field::RETIRED_AT).is_null() {
                    let told = self.told.entry(key(&record)).or_default();
                    told.extend(change.fields.into_iter().map(|field| (field, origin.clone())));
                    self.records.insert(key(&record), record);
                } else {
                    // Of somebody who was erased what was retired before is told once more.
                    assert!(change.erased || change.fields == [HEADER_FIELDS[field::RETIRED_AT].tag]);
                    self.told.remove(&key(&record));
                    self.records.remove(&key(&record));
                }
            }
        }
        assert!(head.revision >= self.cursor.revision);
        assert!(head.revision > self.cursor.revision || head == self.cursor);
    }

    /// Follows until the stream ends, and answers with why it did.
    pub(crate) async fn follow_to_end(&mut self) -> FeedError {
        loop {
            match self.stream.next().await.expect("an error at the end") {
                Ok(message) => self.take(message),
                Err(error) => return error,
            }
        }
    }

    pub(crate) fn digest(&self, owner: Owner) -> Vec<KindDigest> {
        owner
            .kinds()
            .map(|kind| {
                let records = self.records.iter().filter(|((of, _), _)| *of == kind);
                let (mut count, mut sum) = (0, 0_u128);
                for (_, record) in records {
                    count += 1;
                    sum = sum.wrapping_add(xxh3_128(&record.encode_to_vec()));
                }
                KindDigest { kind: kind as u32, count, checksum: sum.to_be_bytes().to_vec() }
            })
            .collect()
    }
}

pub(crate) async fn watch(owner: &TestOwner, after: Cursor) -> Result<FeedStream<WatchResponse>, FeedError> {
    owner.service.watch(&owner.caller, WatchRequest { after: Some(after) }).await
}

/// The next message with revisions in it; what comes before says only where the log stands.
pub(crate) async fn next_changes(stream: &mut FeedStream<WatchResponse>) -> WatchResponse {
    loop {
        let message = stream.next().await.expect("more").expect("a message");
        if !message.revisions.is_empty() {
            return message;
        }
    }
}

fn key(record: &Record) -> (Kind, Uuid) {
    (record.kind().expect("a kind"), record.id().expect("an id"))
}
