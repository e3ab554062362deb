//! Replaces texts that tell who somebody is in everything that a database keeps: in one transaction, as one revision, which says what was
//! written anew.

mod history;
mod live;

use std::{fmt, num::NonZeroU64};

use sea_orm::{ConnectionTrait, DatabaseTransaction};
use spil_proto::{
    changefeed::v1::{Cursor, Origin},
    model::Kind,
};
use uuid::Uuid;

use super::{
    Dialect, Store, StoreError, attachment, chain, doorbell,
    head::{self, Head},
    idempotency,
    log::{self, Deed, Size},
};
use crate::{
    chain::Link,
    redact::{Texts, Traces},
};

/// The most texts that are looked for at once, and the most bytes of one.
pub(crate) const MAX_TEXTS: usize = 1_000;
const MAX_TEXT_BYTES: usize = 4 << 10;

/// What is to be replaced, and who says so. `Debug` shows none of it.
pub struct Redaction {
    /// The texts: names, numbers, addresses. At most 1,000 of at most 4 KiB each. They are found as whole words, in whatever case.
    pub texts: Vec<String>,
    /// The subjects of tokens by which the person is known, without the prefix of an issuer: where one wrote or read something, it is replaced as
    /// a whole.
    pub subjects: Vec<String>,
    /// The person, if it is one: own sealed values stay as they are, since they go with the key; what else is about the person says nothing any
    /// more.
    pub person: Option<(Kind, Uuid)>,
    /// Who has them replaced, when, and where that comes from.
    pub origin: Origin,
    /// Why, in the words of whoever asks for it.
    pub reason: String,
    /// By which way it came.
    pub way: String,
    /// The mark of the revision: random, and used once.
    pub mark: NonZeroU64,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

/// What became of it.
#[derive(Debug)]
pub struct Redacted {
    pub(crate) head: Head,
    /// How many records were written anew.
    pub records: u64,
    /// How many revisions of the log were.
    pub revisions: u64,
}

impl Redacted {
    /// Where the log stands after it.
    pub fn cursor(&self) -> Cursor {
        self.head.cursor()
    }
}

/// A redaction that is being done.
struct Work<'a> {
    store: &'a Store,
    transaction: &'a DatabaseTransaction,
    texts: Traces,
    /// Whose own sealed values stay as they are.
    spared: Option<Uuid>,
    /// Without the texts themselves.
    origin: Origin,
    /// With the revision that is being written.
    head: Head,
    /// How much of that was written.
    size: Size,
    /// How many revisions were written anew.
    revisions: u64,
    /// How many answers and how many entries of the log of reads were.
    others: u64,
}

impl Store {
    /// Replaces texts in all records, live and retired, in the log of changes, in what is kept of who wrote what, in stored answers and in
    /// the log of reads. Ids stay. Records that held one get a new version, and followers are told to forget what was before. Where nothing
    /// is found, nothing is written. Writers wait meanwhile, readers do not.
    ///
    /// # Errors
    /// If there are too many texts, others are in the way (trying again helps), or the database can not be reached or refuses.
    pub async fn redact(&self, redaction: &Redaction) -> Result<Redacted, StoreError> {
        if redaction.texts.len() > MAX_TEXTS || redaction.texts.iter().any(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(StoreError::Texts);
        }
        let transaction = self.begin(false).await?;
        let outcome = self.redact_in(&transaction, redaction).await;
        let redacted = match outcome {
            Ok(Some(redacted)) => {
                transaction.commit().await?;
                self.moved(redacted.head);
                redacted
            }
            Ok(None) => {
                transaction.rollback().await?;
                Redacted { head: head::read(&self.inner.reader).await?, records: 0, revisions: 0 }
            }
            Err(error) => {
                // The error that came first says more than what the rollback may meet.
                transaction.rollback().await.ok();
                return Err(error);
            }
        };
        // What was replaced may still stand in pages that were freed, also where an earlier run was killed before it came to this.
        self.overwrite_freed_pages().await;
        Ok(redacted)
    }

    async fn redact_in(
        &self,
        transaction: &DatabaseTransaction,
        redaction: &Redaction,
    ) -> Result<Option<Redacted>, StoreError> {
        let texts = Texts::new(redaction.texts.iter().map(String::as_str));
        let texts = Traces::new(texts, &redaction.subjects, redaction.person);
        if texts.is_empty() {
            return Ok(None);
        }
        let clean = |text: &str| texts.redact(text).unwrap_or_else(|| text.to_owned());
        let origin = Origin {
            source: clean(&redaction.origin.source),
            run: clean(&redaction.origin.run),
            actor: texts.redact_in("actor", &redaction.origin.actor).unwrap_or_else(|| redaction.origin.actor.clone()),
            at: redaction.origin.at,
        };
        let (reason, way) = (clean(&redaction.reason), clean(&redaction.way));
        self.hold_everything(transaction).await?;
        doorbell::ring_on_commit(transaction, self).await?;
        // First, not last as everywhere else: what is written meanwhile would not be looked through.
        let (head, previous) = head::advance(transaction, redaction.mark).await?;
        let mut work = Work {
            store: self,
            transaction,
            texts,
            spared: redaction.person.map(|(_, person)| person),
            origin,
            head,
            size: Size::default(),
            revisions: 0,
            others: 0,
        };
        for kind in self.inner.owner.kinds() {
            work.records(kind).await?;
        }
        let found = work.log().await?;
        work.answers().await?;
        work.reads().await?;
        if work.size.changes == 0 && work.revisions == 0 && work.others == 0 {
            return Ok(None);
        }
        // Followers forget with a change that says so.
        if let Some((kind, id)) = found.filter(|_| work.size.changes == 0) {
            work.record(kind, id).await?;
        }
        work.seal_revisions().await?;
        let records = u64::try_from(work.size.changes).unwrap_or_default();
        let deed = Deed { origin: &work.origin, reason: &reason, way: &way };
        let row = log::row_of(&head, &deed, work.size);
        let mut link = Link::new(previous, &row);
        chain::add_stored(transaction, head.revision, &mut link).await?;
        log::close(self, transaction, &row, link.close()).await?;
        Ok(Some(Redacted { head, records, revisions: work.revisions }))
    }

    /// Waits until nobody else writes, and lets nobody begin. Readers go on. SQLite has one writer and needs nothing.
    async fn hold_everything(&self, transaction: &DatabaseTransaction) -> Result<(), StoreError> {
        if self.inner.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let tables = self.inner.owner.kinds().map(|kind| kind.info().table).chain([idempotency::TABLE]);
        let tables: Vec<String> = tables.map(|table| format!("\"{table}\"")).collect();
        let statement = format!("LOCK TABLE {} IN EXCLUSIVE MODE", tables.join(", "));
        transaction.execute_unprepared(&statement).await?;
        Ok(())
    }
}

impl Work<'_> {
    /// Lets a revision be written anew, unless it is let already.
    async fn unseal(&mut self, revision: u64) -> Result<(), StoreError> {
        if !attachment::is_unsealed(self.transaction, self.head.revision, revision).await? {
            let link = chain::link_of(self.transaction, revision).await?;
            attachment::unseal(self.transaction, self.head.revision, revision, link).await?;
            self.revisions += 1;
        }
        Ok(())
    }

    /// Keeps what the revisions are that were written anew.
    async fn seal_revisions(&self) -> Result<(), StoreError> {
        loop {
            let unsealed = attachment::unsealed(self.transaction, self.head.revision).await?;
            if unsealed.is_empty() {
                return Ok(());
            }
            for revision in unsealed {
                let unreadable = StoreError::Unreadable { table: log::REVISION, column: "revision" };
                let digest = chain::digest_of(self.transaction, revision).await?.ok_or(unreadable)?;
                attachment::seal(self.transaction, self.head.revision, revision, digest).await?;
            }
        }
    }
}
