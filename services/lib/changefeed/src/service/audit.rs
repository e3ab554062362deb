//! Who changed what, and who read what about whom.

use std::collections::HashSet;

use spil_access::{Action, Denied, FieldSet, ScopeSet};
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::{
        AuditRequest, AuditResponse, LogReadsRequest, LogReadsResponse, Read, ReadLogRequest, ReadLogResponse, Record,
    },
    model::{Kind, Value},
};
use uuid::Uuid;

use super::OwnerService;
use crate::{
    StoreError,
    store::{Asked, AuditPage, NewRead},
};

/// The most reads that are kept with one call.
const MAX_READS: usize = 10_000;
/// The most fields of one read, and the most bytes of the name of one.
const MAX_FIELDS: usize = 128;
const MAX_FIELD_BYTES: usize = 128;
/// The most bytes of a name.
const MAX_NAME_BYTES: usize = 256;
/// The most entries of a page.
const MAX_PAGE: u32 = 1_000;

/// Why an audit can not be had, or reads can not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The request is not sound.
    #[error("{0}")]
    Request(&'static str),
    /// The database can not.
    #[error("the audit can not be read or written")]
    Store(#[from] StoreError),
}

impl OwnerService {
    /// Says what was changed, the newest first. To services of ours it says everything, so that these show it as is right; to everybody else
    /// nothing that tells who people are.
    ///
    /// # Errors
    /// If the caller may not see the audit, the request is not sound, or the log can not be read.
    pub async fn audit(&self, caller: &Caller, request: AuditRequest) -> Result<AuditResponse, AuditError> {
        let viewer = self.viewer(caller);
        let is_service = caller.is_service();
        if !is_service {
            viewer.require_any(Action::Audit)?;
        }
        let owner = self.owner();
        let kinds: Option<Vec<Kind>> = request
            .kinds
            .iter()
            .map(|number| Kind::from_number(*number).filter(|kind| kind.info().owner == owner))
            .collect();
        let mut kinds = kinds.ok_or(AuditError::Request("a kind is not of this owner"))?;
        if !is_service {
            // A right within a scope is none here: whether that holds is not looked up.
            let may = |kind: &Kind| viewer.may_with(Action::Audit, *kind, ScopeSet::ALL_ONLY, None);
            let asked = if kinds.is_empty() { owner.kinds().collect() } else { kinds };
            kinds = asked.into_iter().filter(may).collect();
            if kinds.is_empty() {
                return Ok(AuditResponse::default());
            }
        }
        let record = match request.record_id.as_slice() {
            [] => None,
            bytes => Some(Uuid::from_slice(bytes).map_err(|_| AuditError::Request("`record_id` has 16 bytes"))?),
        };
        if [&request.actor, &request.source].into_iter().flatten().any(|name| name.len() > MAX_NAME_BYTES) {
            return Err(AuditError::Request("`actor` and `source` have at most 256 bytes"));
        }
        let asked = Asked {
            kinds,
            record,
            actor: request.actor,
            source: request.source,
            since: request.since,
            until: request.until,
            before: request.before.map(|place| (place.revision, place.ordinal)),
            first: page(request.first)?,
        };
        let AuditPage { mut entries, more } = self.store.audit(&asked).await?;
        if !is_service {
            entries.iter_mut().flat_map(|entry| [&mut entry.before, &mut entry.after]).flatten().for_each(conceal);
        }
        Ok(AuditResponse { entries, more })
    }

    /// Keeps who read what about people. Of a caller who is no service of ours it is kept in the caller's name, whatever the request says: who
    /// may read everything past the log can write down that they did.
    ///
    /// # Errors
    /// If the caller is no service and may not follow, the request is not sound, or the database can not store it: then nothing is kept.
    pub async fn log_reads(&self, caller: &Caller, request: LogReadsRequest) -> Result<LogReadsResponse, AuditError> {
        let is_service = caller.is_service();
        if !is_service {
            self.viewer(caller).require_any(Action::Follow)?;
        }
        if request.reads.len() > MAX_READS {
            return Err(AuditError::Request("at most 10,000 reads are kept at once"));
        }
        let mut reads = Vec::with_capacity(request.reads.len());
        let mut ids = HashSet::new();
        for mut read in request.reads {
            let person =
                Uuid::from_slice(&read.person_id).map_err(|_| AuditError::Request("`person_id` has 16 bytes"))?;
            let id = match read.id.as_slice() {
                [] => None,
                // To make an entry longer is for whoever has made it.
                _ if !is_service => return Err(AuditError::Request("`id` is for services")),
                bytes => {
                    let id = Uuid::from_slice(bytes).ok().filter(|id| id.get_version_num() == 7);
                    Some(id.ok_or(AuditError::Request("`id` is a UUID of version 7 in 16 bytes"))?)
                }
            };
            if id.is_some_and(|id| !ids.insert(id)) {
                return Err(AuditError::Request("an `id` is given twice"));
            }
            if !is_service {
                (read.reader, read.issuer) = (short(caller.subject()), short(caller.issuer()));
            }
            check(&read)?;
            reads.push(NewRead { id, person, read });
        }
        let at = self.clock.now();
        self.store.log_reads(at, &reads).await?;
        self.store.purge_now_and_then(at);
        Ok(LogReadsResponse { at })
    }

    /// Says who read about a person, the newest first.
    ///
    /// # Errors
    /// If the caller may not see it, the request is not sound, or the database can not be read.
    pub async fn read_log(&self, caller: &Caller, request: ReadLogRequest) -> Result<ReadLogResponse, AuditError> {
        // Whether somebody asks about themselves is known where the graph is.
        if !caller.is_service() {
            let viewer = self.viewer(caller);
            viewer.require_any(Action::Audit)?;
            if let Some(kind) = self
                .owner()
                .kinds()
                .find(|kind| kind.info().person && !viewer.may_with(Action::Audit, *kind, ScopeSet::ALL_ONLY, None))
            {
                return Err(Denied::Kind { action: Action::Audit, kind }.into());
            }
        }
        let person =
            Uuid::from_slice(&request.person_id).map_err(|_| AuditError::Request("`person_id` has 16 bytes"))?;
        let after = match request.after.as_slice() {
            [] => None,
            bytes => Some(Uuid::from_slice(bytes).map_err(|_| AuditError::Request("`after` has 16 bytes"))?),
        };
        let first = page(request.first)?;
        let mut reads = self.store.reads_of(person, after, first + 1).await?;
        let more = reads.len() as u64 > first;
        reads.truncate(usize::try_from(first).unwrap_or(usize::MAX));
        Ok(ReadLogResponse { reads, more })
    }
}

/// Takes out of a record what tells who somebody is.
fn conceal(record: &mut Record) {
    let (Some(kind), Some(entity)) = (record.kind(), record.entity_mut()) else { return };
    for field in FieldSet::identifying(kind).iter() {
        // To clear a field never fails.
        let _ = entity.set(field, Value::Null);
    }
}

/// The beginning of a name, as much as is kept of it, on one line.
fn short(name: &str) -> String {
    let end = name.floor_char_boundary(MAX_NAME_BYTES);
    name[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn page(first: u32) -> Result<u64, AuditError> {
    if first > MAX_PAGE { Err(AuditError::Request("`first` is at most 1,000")) } else { Ok(first.into()) }
}

fn check(read: &Read) -> Result<(), AuditError> {
    let names = [&read.reader, &read.issuer, &read.purpose, &read.operation, &read.entry];
    if names.into_iter().any(|name| name.len() > MAX_NAME_BYTES || name.contains(char::is_control)) {
        return Err(AuditError::Request("a name has at most 256 bytes and no control characters"));
    }
    if read.reader.is_empty() {
        return Err(AuditError::Request("a read has a reader"));
    }
    let is_field = |name: &String| {
        (1..=MAX_FIELD_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    if read.fields.is_empty() || read.fields.len() > MAX_FIELDS || !read.fields.iter().all(is_field) {
        return Err(AuditError::Request("a read has 1 to 128 fields, named like `Worker.email`"));
    }
    Ok(())
}
