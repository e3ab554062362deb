//! Checks the chain of the change log.

use std::collections::{HashMap, VecDeque};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::model::Owner;
use uuid::Uuid;

use super::{
    Store, StoreError,
    attachment::{self, Attached, Attachments},
    head::{self, Head},
    log::{CHANGE, REVISION, signed, unsigned},
    seal::SEALED,
    tables::Tables,
};
use crate::chain::{Attachment, Chain, Checkpoint, Link, LoggedChange, LoggedRevision};

/// How many revisions and how many changes are read at once.
const PAGE_REVISIONS: u64 = 512;
const PAGE_CHANGES: u64 = 256;

/// What a log was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose log.
    pub owner: Owner,
    /// The first revision that was checked; 0 if there was none.
    pub first: u64,
    /// How many revisions were checked.
    pub count: u64,
    /// The last one, to be kept elsewhere; `None` if nothing is chained.
    pub head: Option<Checkpoint>,
    /// The last revision that was written before there was a chain, of those that are kept; 0 if there is none.
    pub unchained: u64,
    /// The last revision whose changes are no longer kept; 0 if all are.
    pub trimmed: u64,
    /// How many of the revisions are not as they were first written, and as a later one says that they were redacted.
    pub redacted: u64,
    /// What the tables are, held against the log; `None` if something is wrong with the log itself.
    pub tables: Option<Tables>,
    /// What is wrong with the log, if anything is: what comes first.
    pub fault: Option<Fault>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A revision is not there.
    #[error("revision {0} is missing")]
    Missing(u64),
    /// A revision, or one of its changes, is not what it was, or another came before it.
    #[error("revision {0} does not fit to the one before it: it, or a change of it, was altered, added or left out")]
    Altered(u64),
    /// A revision has no link though it had one, or should.
    #[error(
        "revision {0} has no link and must have one: it was taken away, or an older version of Spil wrote this revision"
    )]
    Unchained(u64),
    /// A revision was redacted, and is another than the redaction left.
    #[error("revision {0} was redacted, and is not what the redaction left")]
    Unredacted(u64),
    /// The log lacks its beginning, or says that it does, and no revision says the same.
    #[error("the head says that the log was trimmed through revision {head}, and the revisions say through {told}")]
    Untold {
        /// What the head says; 0 if it says that nothing was trimmed.
        head: u64,
        /// What the last revision says that tells of it; 0 if none does.
        told: u64,
    },
    /// There are changes of a revision that is not there.
    #[error("there are changes of revision {0}, which is not there")]
    Stray(u64),
    /// The log does not end where its head says.
    #[error("the log ends with revision {last}, and its head says {head}")]
    Head {
        /// The last revision that is there.
        last: u64,
        /// What the head says.
        head: u64,
    },
    /// The log ends before a revision that was kept elsewhere.
    #[error("the log ends with revision {last}; revision {kept}, which was kept elsewhere, is gone")]
    Cut {
        /// The last revision that is there.
        last: u64,
        /// The one that was kept.
        kept: u64,
    },
    /// A revision is another than the one that was kept elsewhere.
    #[error("revision {0} is another than the one that was kept elsewhere: the log was rewritten")]
    Rewritten(u64),
    /// A revision that was kept elsewhere was trimmed, so that nothing can be said of it.
    #[error("revision {0}, which was kept elsewhere, was trimmed; compare with a later one")]
    Trimmed(u64),
    /// A revision that was kept elsewhere is not within what was checked.
    #[error("revision {0}, which was kept elsewhere, is before those that were checked")]
    Before(u64),
}

/// The link that the revision of the head is to hang on: that of the revision before, or, if it has none, the start of a chain.
pub(super) async fn previous(transaction: &DatabaseTransaction, head: &Head) -> Result<Chain, StoreError> {
    let before = match head.revision.checked_sub(1) {
        Some(before) => link_of(transaction, before).await?,
        None => None,
    };
    Ok(before.unwrap_or_else(|| Chain::start(head.store_id, head.revision)))
}

/// The link of a revision; `None` if it has none, or is not there.
pub(super) async fn link_of(transaction: &DatabaseTransaction, revision: u64) -> Result<Option<Chain>, StoreError> {
    let statement =
        Query::select().column("chain").from(REVISION).and_where(Expr::col("revision").eq(signed(revision))).to_owned();
    let Some(row) = transaction.query_one(&statement).await? else { return Ok(None) };
    let bytes: Option<Vec<u8>> = row.try_get_by_index(0)?;
    let unreadable = StoreError::Unreadable { table: REVISION, column: "chain" };
    bytes.map(|bytes| Chain::from_bytes(&bytes).ok_or(unreadable)).transpose()
}

/// Adds to the hash of a revision its changes and what is attached to it, as they are stored.
pub(super) async fn add_stored(
    transaction: &DatabaseTransaction,
    number: u64,
    link: &mut Link,
) -> Result<(), StoreError> {
    let mut changes = Changes::after(transaction, number.saturating_sub(1));
    while let Some(change) = changes.peek().await?.filter(|change| change.revision == number) {
        link.add(&change.as_row());
        changes.page.pop_front();
    }
    let mut attachments = Attachments::of(transaction, number);
    while let Some(attached) = attachments.peek().await? {
        link.attach(&attached.attachment);
        attachments.pass();
    }
    Ok(())
}

/// The hash of a revision as it is stored, to be kept when it was written anew; `None` if it is not there.
pub(super) async fn digest_of(transaction: &DatabaseTransaction, number: u64) -> Result<Option<Chain>, StoreError> {
    let found = revisions(transaction, number, 1).await?;
    let Some(row) = found.into_iter().next().filter(|row| row.number == number) else { return Ok(None) };
    let mut link = Link::redacted(row.chain, &row.as_row());
    add_stored(transaction, number, &mut link).await?;
    Ok(Some(link.close()))
}

impl Store {
    /// The last link of the log; `None` if its last revision has none.
    ///
    /// # Errors
    /// If the database can not be read.
    pub async fn chain_head(&self) -> Result<Option<Checkpoint>, StoreError> {
        let transaction = self.begin_read().await?;
        let head = head::read(&transaction).await?;
        let found = revisions(&transaction, head.revision, 1).await?;
        let chain = found.first().filter(|row| row.number == head.revision).and_then(|row| row.chain);
        Ok(chain.map(|chain| self.checkpoint(head.revision, chain)))
    }

    /// Checks that every revision of the log hangs on the one before it, that the log holds the revisions that were kept elsewhere, and that
    /// every record is what the last change of it says. Where
    /// `since` is given, what comes before it is not looked at. The whole is read as of one moment.
    ///
    /// # Errors
    /// If the database can not be read; what is wrong with the log is no error but in the answer.
    pub async fn verify_log(&self, since: Option<&Checkpoint>, kept: &[Checkpoint]) -> Result<Verified, StoreError> {
        let transaction = self.begin_read().await?;
        let head = head::read(&transaction).await?;
        let mut kept: Vec<Checkpoint> = kept.iter().chain(since).copied().collect();
        kept.retain(|kept| kept.owner == self.owner());
        kept.sort_by_key(|kept| kept.revision);
        let begin = Ord::max(since.map_or(0, |since| since.revision), head.trimmed_through);
        let mut walk = Walk {
            verified: Verified {
                owner: self.owner(),
                first: 0,
                count: 0,
                head: None,
                unchained: 0,
                trimmed: head.trimmed_through,
                redacted: 0,
                tables: None,
                fault: None,
            },
            begin,
            last: begin,
            previous: None,
            kept: kept.into(),
            changes: Changes::after(&transaction, begin),
            attachments: Attachments::after(&transaction, begin),
        };
        let fault = walk.run(&head).await?;
        let mut verified = walk.verified;
        if fault.is_none() {
            verified.tables = Some(self.compare_tables(&transaction, &head).await?);
        }
        verified.fault = fault;
        Ok(verified)
    }

    fn checkpoint(&self, revision: u64, chain: Chain) -> Checkpoint {
        Checkpoint { owner: self.owner(), revision, chain }
    }
}

/// A walk along the log.
struct Walk<'a> {
    verified: Verified,
    /// The revision after which the walk begins; 0 for the first.
    begin: u64,
    /// The last revision that was looked at.
    last: u64,
    previous: Option<Chain>,
    /// Those not yet compared, by number.
    kept: VecDeque<Checkpoint>,
    changes: Changes<'a>,
    attachments: Attachments<'a>,
}

impl Walk<'_> {
    /// Walks to the end, or to the first thing that is wrong.
    async fn run(&mut self, head: &Head) -> Result<Option<Fault>, StoreError> {
        let trimmed = self.verified.trimmed;
        if let Some(early) = self.kept.front().filter(|kept| kept.revision < self.begin) {
            let revision = early.revision;
            return Ok(Some(if revision < trimmed { Fault::Trimmed(revision) } else { Fault::Before(revision) }));
        }
        let transaction = self.changes.transaction;
        if let Some(fault) = trimming(transaction, head).await? {
            return Ok(Some(fault));
        }
        if self.begin > head.revision {
            return Ok(Some(Fault::Cut { last: head.revision, kept: self.begin }));
        }
        if self.begin > 0 {
            // The row where it begins is taken on trust, or as it was kept elsewhere. Of a trimmed log it has no changes.
            let found = revisions(transaction, self.begin, 1).await?;
            let Some(row) = found.into_iter().next().filter(|row| row.number == self.begin) else {
                return Ok(Some(Fault::Missing(self.begin)));
            };
            self.previous = row.chain;
            if let Some(fault) = self.compare(self.begin, row.chain) {
                return Ok(Some(fault));
            }
        }
        loop {
            let rows = revisions(transaction, self.last + 1, PAGE_REVISIONS).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { break };
            let redactions = attachment::last_redactions(transaction, first.number, last.number).await?;
            for row in &rows {
                if let Some(fault) = self.step(row, head, &redactions).await? {
                    return Ok(Some(fault));
                }
            }
        }
        if self.last != head.revision {
            return Ok(Some(Fault::Head { last: self.last, head: head.revision }));
        }
        if let Some(change) = self.changes.peek().await? {
            return Ok(Some(Fault::Stray(change.revision)));
        }
        if let Some(attached) = self.attachments.peek().await? {
            return Ok(Some(Fault::Stray(attached.revision)));
        }
        Ok(self.kept.front().map(|kept| Fault::Cut { last: self.last, kept: kept.revision }))
    }

    /// Looks at the next revision.
    async fn step(
        &mut self,
        row: &StoredRevision,
        head: &Head,
        redactions: &HashMap<u64, Attached>,
    ) -> Result<Option<Fault>, StoreError> {
        let number = self.last + 1;
        if row.number != number {
            return Ok(Some(Fault::Missing(number)));
        }
        if number == head.revision && row.mark != head.mark {
            return Ok(Some(Fault::Altered(number)));
        }
        match row.chain {
            None if self.previous.is_some() || number >= head.chained_from => {
                return Ok(Some(Fault::Unchained(number)));
            }
            Some(_) if number < head.chained_from => return Ok(Some(Fault::Altered(number))),
            _ => {}
        }
        // What a redaction left is proven by the link of the revision that tells of it, which comes later in this walk.
        let redaction = redactions.get(&number);
        let (mut link, due) = match (redaction.map(|told| (told.revision, told.attachment)), row.chain) {
            (Some((by, Attachment::Redacted { link, digest, .. })), chain) if by > number && link == chain => {
                (Link::redacted(chain, &row.as_row()), Some(digest))
            }
            (Some(_), _) => return Ok(Some(Fault::Unredacted(number))),
            (None, Some(chain)) => {
                let previous = self.previous.unwrap_or_else(|| Chain::start(head.store_id, number));
                (Link::new(previous, &row.as_row()), Some(chain))
            }
            // From before there was a chain: nothing says what it must be.
            (None, None) => (Link::redacted(None, &row.as_row()), None),
        };
        let mut count = 0;
        while let Some(change) = self.changes.peek().await?.filter(|change| change.revision <= number) {
            if change.revision < number {
                return Ok(Some(Fault::Stray(change.revision)));
            }
            link.add(&change.as_row());
            count += 1;
            self.changes.page.pop_front();
        }
        while let Some(attached) = self.attachments.peek().await?.filter(|attached| attached.revision <= number) {
            if attached.revision < number || row.chain.is_none() {
                return Ok(Some(Fault::Stray(attached.revision)));
            }
            link.attach(&attached.attachment);
            self.attachments.pass();
        }
        if due.is_some_and(|due| link.close() != due || count != row.changes) {
            return Ok(Some(if redaction.is_some() { Fault::Unredacted(number) } else { Fault::Altered(number) }));
        }
        self.last = number;
        self.previous = row.chain;
        let verified = &mut self.verified;
        verified.redacted += u64::from(redaction.is_some());
        match row.chain {
            None => verified.unchained = number,
            Some(chain) => {
                verified.count += 1;
                if verified.first == 0 {
                    verified.first = number;
                }
                verified.head = Some(Checkpoint { owner: verified.owner, revision: number, chain });
            }
        }
        Ok(self.compare(number, row.chain))
    }

    /// Compares a revision with what was kept of it.
    fn compare(&mut self, number: u64, chain: Option<Chain>) -> Option<Fault> {
        while let Some(kept) = self.kept.front().filter(|kept| kept.revision == number) {
            if Some(kept.chain) != chain {
                return Some(Fault::Rewritten(number));
            }
            self.kept.pop_front();
        }
        None
    }
}

/// Whether the beginning of the log is missing as the last revision says that tells of it, and the rest hangs on the link that it names.
async fn trimming(transaction: &DatabaseTransaction, head: &Head) -> Result<Option<Fault>, StoreError> {
    let through = head.trimmed_through;
    let (told, kept) = match attachment::last_trim(transaction).await?.map(|told| told.attachment) {
        Some(Attachment::Trimmed { through, link }) => (through, link),
        _ => (0, None),
    };
    if told != through {
        return Ok(Some(Fault::Untold { head: through, told }));
    }
    let is_altered = through > 0 && link_of(transaction, through).await? != kept;
    Ok(is_altered.then_some(Fault::Altered(through)))
}

/// A revision as it is stored.
struct StoredRevision {
    number: u64,
    mark: u64,
    at: i64,
    actor: String,
    source: String,
    run: String,
    reason: String,
    origin: String,
    changes: i64,
    bytes: i64,
    chain: Option<Chain>,
}

impl StoredRevision {
    fn as_row(&self) -> LoggedRevision<'_> {
        LoggedRevision {
            number: self.number,
            mark: self.mark,
            at: self.at,
            actor: &self.actor,
            source: &self.source,
            run: &self.run,
            reason: &self.reason,
            origin: &self.origin,
            changes: self.changes,
            bytes: self.bytes,
        }
    }

    fn read(row: &QueryResult) -> Result<Self, StoreError> {
        let text = |index| Ok::<_, StoreError>(row.try_get_by_index::<Option<String>>(index)?.unwrap_or_default());
        let at: chrono::DateTime<chrono::Utc> = row.try_get_by_index(2)?;
        let chain = row.try_get_by_index::<Option<Vec<u8>>>(10)?;
        // One of another length fits to nothing.
        let chain = chain.map(|bytes| Chain::from_bytes(&bytes).unwrap_or(Chain::start(Uuid::nil(), 0)));
        Ok(Self {
            number: unsigned(row.try_get_by_index(0)?),
            mark: head::mark_of(row.try_get_by_index(1)?),
            at: at.timestamp_micros(),
            actor: text(3)?,
            source: text(4)?,
            run: text(5)?,
            reason: text(6)?,
            origin: text(7)?,
            changes: row.try_get_by_index::<i32>(8)?.into(),
            bytes: row.try_get_by_index(9)?,
            chain,
        })
    }
}

/// Some revisions from a number on.
async fn revisions(
    transaction: &DatabaseTransaction,
    from: u64,
    limit: u64,
) -> Result<Vec<StoredRevision>, StoreError> {
    let statement = Query::select()
        .columns(["revision", "mark", "at", "actor", "source", "run", "reason", "origin", "changes", "bytes", "chain"])
        .from(REVISION)
        .and_where(Expr::col("revision").gte(signed(from)))
        .order_by("revision", Order::Asc)
        .limit(limit)
        .to_owned();
    transaction.query_all(&statement).await?.iter().map(StoredRevision::read).collect()
}

/// A change as it is stored.
struct StoredChange {
    revision: u64,
    ordinal: i32,
    kind: i32,
    id: Uuid,
    fields: Option<Vec<u8>>,
    record: Vec<u8>,
    sealed: Option<Vec<u8>>,
}

impl StoredChange {
    fn as_row(&self) -> LoggedChange<'_> {
        LoggedChange {
            ordinal: self.ordinal,
            kind: self.kind,
            id: self.id,
            fields: self.fields.as_deref(),
            record: &self.record,
            sealed: self.sealed.as_deref(),
        }
    }
}

/// The changes of the log in their order, read in pieces.
struct Changes<'a> {
    transaction: &'a DatabaseTransaction,
    /// The revision and the place of the last one read.
    after: (u64, i32),
    page: VecDeque<StoredChange>,
}

impl<'a> Changes<'a> {
    /// Those of the revisions after one.
    fn after(transaction: &'a DatabaseTransaction, revision: u64) -> Self {
        Self { transaction, after: (revision, i32::MAX), page: VecDeque::new() }
    }

    /// The next one.
    async fn peek(&mut self) -> Result<Option<&StoredChange>, StoreError> {
        if self.page.is_empty() {
            let (revision, ordinal) = self.after;
            let columns = ["revision", "ordinal"].map(Expr::col);
            let statement = Query::select()
                .columns(["revision", "ordinal", "kind", "record_id", "fields", "record", SEALED])
                .from(CHANGE)
                .and_where(Expr::tuple(columns).gt(Expr::tuple([signed(revision).into(), ordinal.into()])))
                .order_by("revision", Order::Asc)
                .order_by("ordinal", Order::Asc)
                .limit(PAGE_CHANGES)
                .to_owned();
            for row in self.transaction.query_all(&statement).await? {
                let change = StoredChange {
                    revision: unsigned(row.try_get_by_index(0)?),
                    ordinal: row.try_get_by_index(1)?,
                    kind: row.try_get_by_index(2)?,
                    id: row.try_get_by_index(3)?,
                    fields: row.try_get_by_index(4)?,
                    record: row.try_get_by_index(5)?,
                    sealed: row.try_get_by_index(6)?,
                };
                self.after = (change.revision, change.ordinal);
                self.page.push_back(change);
            }
        }
        Ok(self.page.front())
    }
}
