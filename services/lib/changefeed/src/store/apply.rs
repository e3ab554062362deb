//! Applies a batch in one transaction.

use std::{collections::HashSet, num::NonZeroU64};

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};
use spil_access::Viewer;
use spil_proto::{
    changefeed::v1::{ApplyResponse, ItemResult, Origin, Outcome, Problem},
    model::Kind,
    owner::MAX_MESSAGE_BYTES,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Dialect, Store, StoreError, doorbell,
    head::{self, Head},
    idempotency::{self, BatchKey},
    load::{self, LoadError, Scopes},
    log::{self, Deed, Entry},
    one_way,
    seal::{SealedAnswer, Sealing, refuse_erased},
    write,
};
use crate::{
    Person,
    command::{
        conceal::Doubtful,
        execute::{Context, execute},
        needs,
        one_way::{self as secrets, Concealed},
        permit,
        prepare::Prepared,
        provenance::changed_fields,
        say::Writer,
        working_set::WorkingSet,
    },
    rule::Rules,
    seal::is_sealed,
};

/// What is kept free in a message for what surrounds the items.
const ENVELOPE_BYTES: usize = 64 << 10;

/// A batch that is ready to be applied.
pub(crate) struct Batch {
    pub(crate) commands: Vec<Result<Prepared, Vec<Problem>>>,
    /// A dry run may have none.
    pub(crate) key: Option<BatchKey>,
    pub(crate) dry_run: bool,
    /// The values that are only written, which the hash of the key leaves out; `None` if there are none.
    pub(crate) apart: Option<Concealed<Vec<u8>>>,
    pub(crate) actor: String,
    pub(crate) source: String,
    pub(crate) run: String,
    /// Why, in the words of the caller.
    pub(crate) reason: String,
    /// By which way it came, and from where as far as that is known.
    pub(crate) way: String,
    /// Who asks.
    pub(crate) viewer: Viewer,
    /// Which worker that is, where it matters and is known.
    pub(crate) person: Option<Person>,
}

/// One try to apply a batch.
pub(crate) struct Attempt<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) rules: &'a dyn Rules,
    pub(crate) now: i64,
    pub(crate) next_id: &'a mut (dyn FnMut() -> Uuid + Send),
    /// The mark of the revision, if there will be one: random, and used once.
    pub(crate) mark: NonZeroU64,
}

/// What came of a try.
struct Answer {
    response: ApplyResponse,
    /// Where the log stands if there is something to commit.
    head: Option<Head>,
    /// The scopes of the records, as far as they were asked for.
    scopes: Scopes,
}

/// Why a try failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error("the database can not apply the batch")]
    Store(#[from] StoreError),
    /// Another batch came in between; trying again helps.
    #[error("another batch came in between")]
    Overtaken,
    #[error("the idempotency key was used for another batch")]
    KeyReused,
    #[error("the answer to the batch would be too large; send smaller batches")]
    TooLarge,
    #[error("the rules would have to look at too many records; send smaller batches")]
    TooMuchRelated,
}

impl From<sea_orm::DbErr> for AttemptError {
    fn from(error: sea_orm::DbErr) -> Self {
        AttemptError::Store(error.into())
    }
}

impl From<LoadError> for AttemptError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => AttemptError::Store(error),
            LoadError::NameMoved => AttemptError::Overtaken,
            LoadError::TooMuchRelated => AttemptError::TooMuchRelated,
        }
    }
}

impl Store {
    /// Tries once to apply a batch.
    pub(crate) async fn attempt(&self, mut attempt: Attempt<'_>) -> Result<ApplyResponse, AttemptError> {
        let dry = attempt.batch.dry_run;
        let transaction = self.begin(dry).await?;
        let answer = self.attempt_in(&transaction, &mut attempt).await;
        match answer {
            Ok(Answer { mut response, head, scopes }) => {
                match head {
                    Some(head) => {
                        transaction.commit().await?;
                        self.moved(head);
                    }
                    None => transaction.rollback().await?,
                }
                permit::strip(&attempt.batch.viewer, &mut response, &scopes);
                Ok(response)
            }
            Err(error) => {
                // The error that came first says more than what the rollback may meet.
                transaction.rollback().await.ok();
                Err(error)
            }
        }
    }

    async fn attempt_in(
        &self,
        transaction: &DatabaseTransaction,
        attempt: &mut Attempt<'_>,
    ) -> Result<Answer, AttemptError> {
        let batch = attempt.batch;
        let mut key = batch.key.clone();
        if let Some(key) = &mut key
            && let Some(apart) = &batch.apart
        {
            let salt = one_way::request_salt(transaction, batch.dry_run).await?;
            key.body_hash = secrets::salted(&salt, key.body_hash, apart);
        }
        if let Some(key) = &mut key
            && batch.commands.iter().flatten().any(|command| is_sealed(command.kind))
        {
            key.body_hash = self.vault()?.mark_batch(key.body_hash);
        }
        if let Some(key) = &key
            && let Some(response) = self.answered_before(transaction, key).await?
        {
            return Ok(Answer { response, head: None, scopes: Scopes::new() });
        }
        let commands: Vec<&Prepared> = batch.commands.iter().filter_map(|command| command.as_ref().ok()).collect();
        if !batch.dry_run {
            for kind in needs::restructured(&commands) {
                self.lock_structure(transaction, kind).await?;
            }
        }
        let mut set = load::load(self, transaction, &commands, attempt.rules, batch.dry_run).await?;
        let doubtful = Doubtful::of(&batch.viewer, &batch.commands, &set);
        let named = self.scopes_of(transaction, &mut set, batch, doubtful.records(), attempt.now).await?;
        doubtful.conceal(&batch.viewer, &named, &mut set);
        let mut context =
            Context { owner: self.inner.owner, rules: attempt.rules, now: attempt.now, next_id: &mut *attempt.next_id };
        let mut items = execute(&batch.commands, &mut set, &mut context);
        let asked = permit::in_question(&batch.viewer, &batch.commands, &items, &set);
        let scopes = self.scopes_of(transaction, &mut set, batch, asked, attempt.now).await?;
        let positions = match &batch.person {
            Some(person) if permit::asks_for_positions(&batch.viewer, &batch.commands) => {
                load::positions((self, transaction), &mut set, person, attempt.now).await?
            }
            _ => HashSet::new(),
        };
        let worker = batch.person.as_ref().map(|person| person.worker);
        let writer = Writer { viewer: &batch.viewer, worker, positions: &positions };
        permit::judge(&writer, &batch.commands, &mut items, &set, &scopes);
        permit::strip_conflicts(&batch.viewer, &batch.commands, &mut items, &set, &scopes);
        if batch.dry_run {
            permit::veil_trials(&batch.viewer, &batch.commands, &mut items, &scopes, attempt.now);
        }
        let is_sound = |item: &ItemResult| !matches!(item.outcome(), Outcome::Conflict | Outcome::Invalid);
        // Last, and not in a dry run: only who means to write is told what was taken.
        if !batch.dry_run && items.iter().all(is_sound) {
            secrets::refuse(&one_way::find(transaction, set.claimed()).await?, &set, &mut items);
        }
        if items.iter().all(is_sound) {
            refuse_erased(self, transaction, &set, &mut items).await?;
        }
        let sound = items.iter().all(is_sound);
        let mut response = ApplyResponse { cursor: None, applied: sound, items, replayed: false };
        if response.encoded_len() > MAX_MESSAGE_BYTES - ENVELOPE_BYTES {
            return Err(AttemptError::TooLarge);
        }
        let Some(key) = key.as_ref().filter(|_| sound && !batch.dry_run) else {
            let head = head::read(transaction).await?;
            response.applied = false;
            response.cursor = Some(head.cursor());
            return Ok(Answer { response, head: None, scopes });
        };
        let changes: Vec<_> = set.changed().collect();
        let sealing = Sealing::of(self, transaction, &changes, &response.items).await?;
        // The cursor is known last; a message that is encoded in two parts reads as one.
        let (mut answer, sealed) = sealing.answer(&response);
        let head = if changes.is_empty() {
            head::read(transaction).await?
        } else {
            let fields: Vec<_> = changes.iter().map(|change| changed_fields(change.stored, change.now)).collect();
            let origin = Origin {
                source: batch.source.clone(),
                run: batch.run.clone(),
                actor: batch.actor.clone(),
                at: attempt.now,
            };
            let claimed: Vec<_> = set.claimed().collect();
            write::records(self, transaction, &changes, &fields, &origin, &claimed, &sealing).await?;
            let mut entries = Vec::with_capacity(changes.len());
            for (change, fields) in changes.into_iter().zip(fields) {
                entries.push(Entry::new(change, fields, &sealing));
            }
            doorbell::ring_on_commit(transaction, self).await?;
            // From here on every other writer waits: nothing but the last statements.
            let (head, previous) = head::advance(transaction, attempt.mark).await?;
            let deed = Deed { origin: &origin, reason: &batch.reason, way: &batch.way };
            log::append(self, transaction, (&head, previous), &deed, &entries).await?;
            head
        };
        response.cursor = Some(head.cursor());
        let cursor = ApplyResponse { cursor: response.cursor.clone(), ..ApplyResponse::default() };
        answer.extend(cursor.encode_to_vec());
        idempotency::keep(transaction, self, key, answer, sealed.encode_to_vec(), attempt.now).await?;
        Ok(Answer { response, head: Some(head), scopes })
    }

    /// The scopes of some records for whoever sends a batch.
    async fn scopes_of(
        &self,
        transaction: &DatabaseTransaction,
        set: &mut WorkingSet,
        batch: &Batch,
        asked: Vec<(Kind, Uuid)>,
        now: i64,
    ) -> Result<Scopes, StoreError> {
        match &batch.person {
            Some(person) if !asked.is_empty() => load::scopes((self, transaction), set, person, asked, now).await,
            _ => Ok(Scopes::new()),
        }
    }

    /// The answer that the batch got before, if it did. Of two that come at the same time one waits.
    async fn answered_before(
        &self,
        transaction: &DatabaseTransaction,
        key: &BatchKey,
    ) -> Result<Option<ApplyResponse>, AttemptError> {
        let name = ["answer", self.inner.owner.name(), &key.actor, &key.key].join("\0");
        self.lock_name(transaction, &name).await?;
        let Some(answer) = idempotency::find(transaction, key).await? else { return Ok(None) };
        if answer.body_hash != key.body_hash {
            return Err(AttemptError::KeyReused);
        }
        let mut response = ApplyResponse::decode(answer.response.as_slice())
            .map_err(|_| StoreError::Unreadable { table: "idempotency", column: "response" })?;
        let sealed = SealedAnswer::decode(answer.sealed.as_slice())
            .map_err(|_| StoreError::Unreadable { table: "idempotency", column: "sealed" })?;
        sealed.open(self, transaction, &mut response).await?;
        response.replayed = true;
        Ok(Some(response))
    }

    /// Two batches that change the structure of a kind could close a cycle together: one after the other.
    async fn lock_structure(&self, transaction: &DatabaseTransaction, kind: Kind) -> Result<(), StoreError> {
        let name = ["structure", self.inner.owner.name(), kind.info().table].join("\0");
        self.lock_name(transaction, &name).await
    }

    /// Waits for a lock by name that lasts until the transaction ends. SQLite has one writer and needs none.
    async fn lock_name(&self, transaction: &DatabaseTransaction, name: &str) -> Result<(), StoreError> {
        if self.inner.dialect == Dialect::Postgres {
            let number = i64::from_ne_bytes(xxh3_64(name.as_bytes()).to_ne_bytes());
            let statement = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_advisory_xact_lock($1)",
                [number.into()],
            );
            transaction.execute_raw(statement).await?;
        }
        Ok(())
    }
}
