//! What revisions tell of the log itself: that it was trimmed, that a revision was written anew.

use std::collections::{HashMap, VecDeque};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query, SelectStatement},
};

use super::{
    StoreError,
    log::{signed, unsigned},
};
use crate::chain::{Attachment, Chain, REDACTED_DEED, TRIMMED};

const TABLE: &str = "attachment";
const COLUMNS: [&str; 5] = ["revision", "deed", "subject", "link", "digest"];
/// How many are read at once.
const PAGE: u64 = 512;

/// Attaches something to the revision of the head, whose row is not written yet.
pub(super) async fn insert(
    transaction: &DatabaseTransaction,
    revision: u64,
    attachment: &Attachment,
) -> Result<(), StoreError> {
    let (deed, subject, link, digest) = attachment.columns();
    write(transaction, revision, deed, subject, link, digest).await
}

/// Says that a revision is about to be written anew by the revision of the head. Until [`seal`] the database lets that be done.
pub(super) async fn unseal(
    transaction: &DatabaseTransaction,
    revision: u64,
    subject: u64,
    link: Option<Chain>,
) -> Result<(), StoreError> {
    write(transaction, revision, REDACTED_DEED, subject, link, None).await
}

/// Says what a revision is after it was written anew.
pub(super) async fn seal(
    transaction: &DatabaseTransaction,
    revision: u64,
    subject: u64,
    digest: Chain,
) -> Result<(), StoreError> {
    let statement = Query::update()
        .table(TABLE)
        .value("digest", digest.to_bytes())
        .and_where(Expr::col("revision").eq(signed(revision)))
        .and_where(Expr::col("deed").eq(REDACTED_DEED))
        .and_where(Expr::col("subject").eq(signed(subject)))
        .to_owned();
    transaction.execute(&statement).await?;
    Ok(())
}

async fn write(
    transaction: &DatabaseTransaction,
    revision: u64,
    deed: i32,
    subject: u64,
    link: Option<Chain>,
    digest: Option<Chain>,
) -> Result<(), StoreError> {
    let mut statement = Query::insert();
    statement.into_table(TABLE).columns(COLUMNS);
    statement.values_panic([
        signed(revision).into(),
        deed.into(),
        signed(subject).into(),
        link.map(Chain::to_bytes).into(),
        digest.map(Chain::to_bytes).into(),
    ]);
    transaction.execute(&statement).await?;
    Ok(())
}

/// Something attached to a revision, and to which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attached {
    pub(super) revision: u64,
    pub(super) attachment: Attachment,
}

impl Attached {
    fn read(row: &QueryResult) -> Result<Self, StoreError> {
        let unreadable = |column| StoreError::Unreadable { table: TABLE, column };
        let chain = |index, column| {
            let bytes: Option<Vec<u8>> = row.try_get_by_index(index)?;
            bytes.map(|bytes| Chain::from_bytes(&bytes).ok_or(unreadable(column))).transpose()
        };
        let (link, digest) = (chain(3, "link")?, chain(4, "digest")?);
        let subject = unsigned(row.try_get_by_index(2)?);
        let attachment = Attachment::from_columns(row.try_get_by_index(1)?, subject, link, digest);
        Ok(Self { revision: unsigned(row.try_get_by_index(0)?), attachment: attachment.ok_or(unreadable("deed"))? })
    }
}

/// The revisions that the revision of the head writes anew and that are not sealed yet; at most some hundreds, the first ones.
pub(super) async fn unsealed(transaction: &DatabaseTransaction, revision: u64) -> Result<Vec<u64>, StoreError> {
    let statement = Query::select()
        .column("subject")
        .from(TABLE)
        .and_where(Expr::col("revision").eq(signed(revision)))
        .and_where(Expr::col("deed").eq(REDACTED_DEED))
        .and_where(Expr::col("digest").is_null())
        .order_by("subject", Order::Asc)
        .limit(PAGE)
        .to_owned();
    let rows = transaction.query_all(&statement).await?;
    rows.iter().map(|row| Ok(unsigned(row.try_get_by_index(0)?))).collect()
}

/// Whether the revision of the head writes another one anew.
pub(super) async fn is_unsealed(
    transaction: &DatabaseTransaction,
    revision: u64,
    subject: u64,
) -> Result<bool, StoreError> {
    let statement = Query::select()
        .column("subject")
        .from(TABLE)
        .and_where(Expr::col("revision").eq(signed(revision)))
        .and_where(Expr::col("deed").eq(REDACTED_DEED))
        .and_where(Expr::col("subject").eq(signed(subject)))
        .to_owned();
    Ok(transaction.query_one(&statement).await?.is_some())
}

fn select() -> SelectStatement {
    let mut statement = Query::select();
    statement.columns(COLUMNS).from(TABLE);
    statement
}

/// The last trim that was told.
pub(super) async fn last_trim(transaction: &DatabaseTransaction) -> Result<Option<Attached>, StoreError> {
    let mut statement = select();
    statement.and_where(Expr::col("deed").eq(TRIMMED)).order_by("revision", Order::Desc).limit(1);
    transaction.query_one(&statement).await?.as_ref().map(Attached::read).transpose()
}

/// The last redaction of each of the revisions from one to another.
pub(super) async fn last_redactions(
    transaction: &DatabaseTransaction,
    from: u64,
    to: u64,
) -> Result<HashMap<u64, Attached>, StoreError> {
    let (mut last, mut after) = (HashMap::new(), (0, 0));
    loop {
        let mut statement = select();
        statement
            .and_where(Expr::col("deed").eq(REDACTED_DEED))
            .and_where(Expr::col("subject").between(signed(from), signed(to)))
            .and_where(place(["subject", "revision"]).gt(Expr::tuple([after.0, after.1].map(Expr::value))))
            .order_by("subject", Order::Asc)
            .order_by("revision", Order::Asc)
            .limit(PAGE);
        let rows = transaction.query_all(&statement).await?;
        for row in &rows {
            let attached = Attached::read(row)?;
            let (_, subject, ..) = attached.attachment.columns();
            after = (signed(subject), signed(attached.revision));
            last.insert(subject, attached);
        }
        if (rows.len() as u64) < PAGE {
            return Ok(last);
        }
    }
}

fn place<const N: usize>(columns: [&'static str; N]) -> Expr {
    Expr::tuple(columns.map(Expr::col))
}

/// What is attached to the revisions after one, in order, read in pieces.
pub(super) struct Attachments<'a> {
    transaction: &'a DatabaseTransaction,
    /// The last revision that is of interest.
    through: i64,
    /// The place of the last one read.
    after: (i64, i32, i64),
    page: VecDeque<Attached>,
}

impl<'a> Attachments<'a> {
    pub(super) fn after(transaction: &'a DatabaseTransaction, revision: u64) -> Self {
        Self { transaction, through: i64::MAX, after: (signed(revision), i32::MAX, i64::MAX), page: VecDeque::new() }
    }

    /// Those of one revision.
    pub(super) fn of(transaction: &'a DatabaseTransaction, revision: u64) -> Self {
        let number = signed(revision);
        Self { transaction, through: number, after: (number, i32::MIN, i64::MIN), page: VecDeque::new() }
    }

    /// The next one.
    pub(super) async fn peek(&mut self) -> Result<Option<Attached>, StoreError> {
        if self.page.is_empty() {
            let (revision, deed, subject) = self.after;
            let mut statement = select();
            statement
                .and_where(Expr::col("revision").lte(self.through))
                .and_where(place(["revision", "deed", "subject"]).gt(Expr::tuple([
                    revision.into(),
                    deed.into(),
                    subject.into(),
                ])))
                .order_by("revision", Order::Asc)
                .order_by("deed", Order::Asc)
                .order_by("subject", Order::Asc)
                .limit(PAGE);
            for row in self.transaction.query_all(&statement).await? {
                let attached = Attached::read(&row)?;
                let (deed, subject, ..) = attached.attachment.columns();
                self.after = (signed(attached.revision), deed, signed(subject));
                self.page.push_back(attached);
            }
        }
        Ok(self.page.front().copied())
    }

    /// Goes past the one that was peeked at.
    pub(super) fn pass(&mut self) {
        self.page.pop_front();
    }
}
