//! The change log: what each revision changed.

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::changefeed::v1::{Change, Cursor, Origin, Record, Revision};

use super::{
    Store, StoreError, attachment, chain, doorbell,
    head::{self, Head},
    row,
    seal::{SEALED, Sealing},
    statement,
};
use crate::{
    chain::{Attachment, Chain, Link, LoggedChange, LoggedRevision},
    command::working_set::Changed,
    seal::person_of,
};

pub(super) const REVISION: &str = "revision";
pub(super) const CHANGE: &str = "change";
/// How much of the log is read at once: revisions, changes, bytes. One revision is always read whole.
const PAGE_REVISIONS: u64 = 512;
const PAGE_CHANGES: i64 = 2_000;
const PAGE_BYTES: i64 = 4 << 20;
/// How many changes are deleted at once when the log is trimmed.
const TRIM_CHANGES: i64 = 5_000;
/// By which way a revision came that says that the log was trimmed.
const TRIM: &str = "trim";

/// Some revisions of the log.
pub(crate) enum Page {
    /// Revisions in order, without gaps; none if there are no more.
    Revisions(Vec<Revision>),
    /// They are no longer kept, or the place after which they were asked for is not in the log: a backup was restored.
    OutOfRange,
}

/// A change, ready to be written.
pub(super) struct Entry<'a> {
    pub(super) change: Changed<'a>,
    /// The record, encoded, without what is sealed.
    pub(super) bytes: Vec<u8>,
    /// What is sealed; nothing if the record has no such value, and `None` if nothing of its kind is.
    pub(super) sealed: Option<Vec<u8>>,
    /// Whether it is that of somebody who was erased with this change.
    pub(super) erased: bool,
    /// What it changes; see `Change.fields`.
    pub(super) fields: Vec<u32>,
}

impl<'a> Entry<'a> {
    /// A change, sealed as far as its kind asks for it.
    pub(super) fn new(change: Changed<'a>, fields: Vec<u32>, sealing: &Sealing) -> Self {
        let (bytes, sealed) = match sealing.find(change.now) {
            Some(closed) => (closed.plain.encode_to_vec(), Some(closed.sealed.clone().unwrap_or_default())),
            None => (change.now.encode_to_vec(), None),
        };
        Self { change, bytes, sealed, erased: false, fields }
    }
}

/// What is told of a revision as a whole.
pub(super) struct Deed<'a> {
    /// Who wrote it, when, and where the data come from.
    pub(super) origin: &'a Origin,
    /// Why, in the words of whoever wrote it.
    pub(super) reason: &'a str,
    /// By which way it came.
    pub(super) way: &'a str,
}

/// Writes a revision, which hangs on the link before it. The head must have been advanced to it in the same transaction.
pub(super) async fn append(
    store: &Store,
    transaction: &DatabaseTransaction,
    (head, previous): (&Head, Chain),
    deed: &Deed<'_>,
    entries: &[Entry<'_>],
) -> Result<(), StoreError> {
    let size = Size::of(entries);
    let row = row_of(head, deed, size);
    let entries = encoded(entries);
    let mut link = Link::new(previous, &row);
    for (ordinal, (entry, fields)) in (0..).zip(&entries) {
        link.add(&LoggedChange {
            ordinal,
            kind: entry.change.kind as i32,
            id: entry.change.id,
            fields: Some(fields),
            record: &entry.bytes,
            sealed: entry.sealed.as_deref(),
        });
    }
    close(store, transaction, &row, link.close()).await?;
    add(transaction, head.revision, 0, &entries).await
}

/// How much belongs to a revision.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) changes: i32,
    bytes: i64,
}

impl Size {
    fn of(entries: &[Entry<'_>]) -> Self {
        let bytes = entries.iter().map(|entry| entry.bytes.len() + entry.sealed.as_ref().map_or(0, Vec::len));
        Self {
            changes: i32::try_from(entries.len()).unwrap_or(i32::MAX),
            bytes: i64::try_from(bytes.sum::<usize>()).unwrap_or(i64::MAX),
        }
    }
}

/// The row of the revision that the head was advanced to.
pub(super) fn row_of<'a>(head: &Head, deed: &Deed<'a>, size: Size) -> LoggedRevision<'a> {
    let origin = deed.origin;
    LoggedRevision {
        number: head.revision,
        mark: head.mark,
        at: origin.at,
        actor: &origin.actor,
        source: &origin.source,
        run: &origin.run,
        reason: deed.reason,
        origin: deed.way,
        changes: size.changes.into(),
        bytes: size.bytes,
    }
}

/// Writes some of the changes of a revision whose row is written later, by [`close`], and adds them to what there is by now.
pub(super) async fn add_entries(
    transaction: &DatabaseTransaction,
    head: &Head,
    size: &mut Size,
    entries: &[Entry<'_>],
) -> Result<(), StoreError> {
    add(transaction, head.revision, size.changes, &encoded(entries)).await?;
    let more = Size::of(entries);
    size.changes = size.changes.saturating_add(more.changes);
    size.bytes = size.bytes.saturating_add(more.bytes);
    Ok(())
}

/// Each change with what else is told of it, in the form of the message that it becomes a part of.
fn encoded<'a, 'b>(entries: &'b [Entry<'a>]) -> Vec<(&'b Entry<'a>, Vec<u8>)> {
    let told = |entry: &Entry<'_>| Change { record: None, fields: entry.fields.clone(), erased: entry.erased };
    entries.iter().map(|entry| (entry, told(entry).encode_to_vec())).collect()
}

/// Writes the row of a revision with its link. Nothing is attached to it from then on.
pub(super) async fn close(
    store: &Store,
    transaction: &DatabaseTransaction,
    row: &LoggedRevision<'_>,
    link: Chain,
) -> Result<(), StoreError> {
    let mut statement = Query::insert();
    statement
        .into_table(REVISION)
        .columns(["revision", "mark", "at", "actor", "source", "run", "changes", "bytes", "reason", "origin", "chain"]);
    statement.values_panic([
        signed(row.number).into(),
        head::mark_column(row.mark).into(),
        row::time(row.at, store.inner.dialect).into(),
        row.actor.into(),
        row.source.into(),
        row.run.into(),
        i32::try_from(row.changes).unwrap_or(i32::MAX).into(),
        row.bytes.into(),
        row.reason.into(),
        row.origin.into(),
        link.to_bytes().into(),
    ]);
    transaction.execute(&statement).await?;
    Ok(())
}

/// Writes changes of a revision from a place in it on.
async fn add(
    transaction: &DatabaseTransaction,
    revision: u64,
    mut ordinal: i32,
    entries: &[(&Entry<'_>, Vec<u8>)],
) -> Result<(), StoreError> {
    let number = signed(revision);
    for piece in statement::row_pieces(entries) {
        let mut statement = Query::insert();
        statement.into_table(CHANGE).columns(["revision", "ordinal", "kind", "record_id", "record", "fields", SEALED]);
        for (entry, fields) in piece {
            statement.values_panic([
                number.into(),
                ordinal.into(),
                (entry.change.kind as i32).into(),
                entry.change.id.into(),
                entry.bytes.as_slice().into(),
                fields.as_slice().into(),
                entry.sealed.clone().into(),
            ]);
            ordinal += 1;
        }
        transaction.execute(&statement).await?;
    }
    Ok(())
}

/// A row of the table of revisions.
struct RevisionRow {
    revision: Revision,
    changes: i64,
    bytes: i64,
}

impl Store {
    /// Reads a bounded piece of the log, if the place after which it begins is still in it.
    pub(crate) async fn revisions_after(&self, place: &Cursor) -> Result<Page, StoreError> {
        let after = place.revision;
        let mut rows = self.revision_rows(after).await?;
        // Read together with those after it: a backup may be restored while a follower is served.
        let mark = match rows.first() {
            Some(row) if row.revision.revision == after => rows.remove(0).revision.mark,
            _ if after == 0 => 0,
            _ => return Ok(Page::OutOfRange),
        };
        if mark != place.mark {
            return Ok(Page::OutOfRange);
        }
        let (mut changes, mut bytes) = (0, 0);
        let fits = rows.iter().take_while(|row| {
            changes += row.changes;
            bytes += row.bytes;
            changes <= PAGE_CHANGES && bytes <= PAGE_BYTES
        });
        let count = fits.count().max(1);
        rows.truncate(count);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Page::Revisions(Vec::new())) };
        let (first, last) = (first.revision.revision, last.revision.revision);
        // Revisions have no gaps; what is missing was trimmed.
        if first != after + 1 || last != after + rows.len() as u64 {
            return Ok(Page::OutOfRange);
        }
        let statement = Query::select()
            .columns(["revision", "record", "fields", SEALED])
            .from(CHANGE)
            .and_where(Expr::col("revision").between(signed(first), signed(last)))
            .order_by("revision", Order::Asc)
            .order_by("ordinal", Order::Asc)
            .to_owned();
        let found = self.inner.reader.query_all(&statement).await?;
        for (number, change) in self.read_changes(&found).await? {
            let place = number.checked_sub(first).and_then(|place| usize::try_from(place).ok());
            if let Some(row) = place.and_then(|place| rows.get_mut(place)) {
                row.revision.changes.push(change);
            }
        }
        if rows.iter().any(|row| row.revision.changes.len() as i64 != row.changes) {
            return Ok(Page::OutOfRange);
        }
        Ok(Page::Revisions(rows.into_iter().map(|row| row.revision).collect()))
    }

    /// Reads rows of the log: revision, record, what else is told of the change, what is sealed.
    pub(super) async fn read_changes(&self, rows: &[QueryResult]) -> Result<Vec<(u64, Change)>, StoreError> {
        let mut changes = Vec::with_capacity(rows.len());
        let mut closed = Vec::new();
        for found in rows {
            let bytes: Vec<u8> = found.try_get_by_index(1)?;
            let record = Record::decode(bytes.as_slice())
                .map_err(|_| StoreError::Unreadable { table: CHANGE, column: "record" })?;
            let mut change = match found.try_get_by_index::<Option<Vec<u8>>>(2)? {
                Some(bytes) => Change::decode(bytes.as_slice())
                    .map_err(|_| StoreError::Unreadable { table: CHANGE, column: "fields" })?,
                None => Change::default(),
            };
            change.record = Some(record);
            if let Some(sealed) = found.try_get_by_index::<Option<Vec<u8>>>(3)?.filter(|sealed| !sealed.is_empty()) {
                closed.push((changes.len(), sealed));
            }
            changes.push((unsigned(found.try_get_by_index(0)?), change));
        }
        let record = |place: &usize| changes.get(*place).and_then(|(_, change)| change.record.as_ref());
        let people = closed.iter().filter_map(|(place, _)| person_of(record(place)?));
        let people = self.people(&self.inner.reader, people.collect::<Vec<_>>()).await?;
        for (place, sealed) in closed {
            if let Some(record) = changes.get_mut(place).and_then(|(_, change)| change.record.as_mut()) {
                people.open(record, &sealed, CHANGE)?;
            }
        }
        Ok(changes)
    }

    /// The mark of a revision; `None` if the log does not hold it. Before the first one it is 0.
    pub(super) async fn mark_of_revision(&self, revision: u64) -> Result<Option<u64>, StoreError> {
        if revision == 0 {
            return Ok(Some(0));
        }
        let statement = Query::select()
            .column("mark")
            .from(REVISION)
            .and_where(Expr::col("revision").eq(signed(revision)))
            .to_owned();
        match self.inner.reader.query_one(&statement).await? {
            Some(row) => Ok(Some(head::mark_of(row.try_get_by_index(0)?))),
            None => Ok(None),
        }
    }

    /// The rows of a revision and of some after it.
    async fn revision_rows(&self, from: u64) -> Result<Vec<RevisionRow>, StoreError> {
        let statement = Query::select()
            .columns(["revision", "at", "actor", "source", "changes", "bytes", "mark", "run"])
            .from(REVISION)
            .and_where(Expr::col("revision").gte(signed(from)))
            .order_by("revision", Order::Asc)
            .limit(PAGE_REVISIONS + 1)
            .to_owned();
        let found = self.inner.reader.query_all(&statement).await?;
        let read = |found: &sea_orm::QueryResult| {
            let at: chrono::DateTime<chrono::Utc> = found.try_get_by_index(1)?;
            let changes: i32 = found.try_get_by_index(4)?;
            Ok(RevisionRow {
                revision: Revision {
                    revision: unsigned(found.try_get_by_index(0)?),
                    at: at.timestamp_micros(),
                    actor: found.try_get_by_index(2)?,
                    source: found.try_get_by_index(3)?,
                    changes: Vec::with_capacity(usize::try_from(changes).unwrap_or_default()),
                    mark: head::mark_of(found.try_get_by_index(6)?),
                    run: found.try_get_by_index::<Option<String>>(7)?.unwrap_or_default(),
                },
                changes: changes.into(),
                bytes: found.try_get_by_index(5)?,
            })
        };
        found.iter().map(read).collect()
    }

    /// Forgets what the revisions up to and including one changed. Followers that are not so far take a snapshot again.
    /// The records themselves are not touched. A number beyond the head means all of the log. That this was done, by whom and why, is a
    /// revision of its own, which says on which link the rest of the log hangs.
    ///
    /// # Errors
    /// If the database can not be reached or refuses.
    pub async fn trim(&self, keep_after: u64, origin: &Origin, reason: &str) -> Result<(), StoreError> {
        let transaction = self.begin(false).await?;
        let mut head = head::hold(&transaction).await?;
        let through = Ord::min(keep_after, head.revision);
        if through > head.trimmed_through {
            let link = chain::link_of(&transaction, through).await?;
            doorbell::ring_on_commit(&transaction, self).await?;
            let previous;
            (head, previous) = head::advance(&transaction, rand::random()).await?;
            let attachment = Attachment::Trimmed { through, link };
            attachment::insert(&transaction, head.revision, &attachment).await?;
            head::trim(&transaction, through).await?;
            head.trimmed_through = through;
            let deed = Deed { origin, reason, way: TRIM };
            let row = row_of(&head, &deed, Size::default());
            let mut link = Link::new(previous, &row);
            link.attach(&attachment);
            close(self, &transaction, &row, link.close()).await?;
            transaction.commit().await?;
            self.moved(head);
        } else {
            transaction.rollback().await?;
        }
        // Also what a trim that was cut off has left.
        while self.trim_piece(&head).await? {}
        Ok(())
    }

    /// Deletes some of what is no longer kept. Answers whether there may be more.
    async fn trim_piece(&self, head: &Head) -> Result<bool, StoreError> {
        let through = signed(head.trimmed_through);
        let oldest = Query::select()
            .columns(["revision", "changes"])
            .from(REVISION)
            .and_where(Expr::col("revision").lte(through))
            .order_by("revision", Order::Asc)
            .limit(PAGE_REVISIONS)
            .to_owned();
        let (mut last, mut changes) = (None, 0_i64);
        for found in self.inner.reader.query_all(&oldest).await? {
            if last.is_some() && changes >= TRIM_CHANGES {
                break;
            }
            last = Some(found.try_get_by_index::<i64>(0)?);
            changes += i64::from(found.try_get_by_index::<i32>(1)?);
        }
        let Some(last) = last else { return Ok(false) };
        let transaction = self.begin(false).await?;
        // The row of the last one stays, without changes: its mark tells who stands there that it is the same log.
        for (table, end) in [(CHANGE, last), (REVISION, Ord::min(last, through - 1))] {
            let statement = Query::delete().from_table(table).and_where(Expr::col("revision").lte(end)).to_owned();
            transaction.execute(&statement).await?;
        }
        transaction.commit().await?;
        Ok(last < through)
    }
}

pub(super) fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}
