//! Stores records, applies commands to them and feeds the changes to followers.
//!
//! This is all of an owner that does not depend on what it owns; the model table says what that is, and [`Rules`] adds what
//! the table can not say. [`store`](Store) is the database, [`OwnerService`] the use cases, [`routes`] the gRPC server.
//!
//! The order of commits is the order of revisions: the last statements of a write transaction take the next revision from a
//! row that stays locked until the commit, and write the changes under it. A follower that has seen revision *n* has seen
//! everything that was ever committed up to it.

mod chain;
mod clock;
mod command;
mod grpc;
mod person;
mod redact;
mod rule;
mod seal;
mod service;
mod store;

pub use chain::{Chain, Checkpoint, NoCheckpoint};
pub use clock::{Clock, WallClock};
pub use grpc::routes;
pub use person::{FoundNames, FoundPerson, MAX_UNITS, Names, OwnerToken, People, Person, PersonError, RemotePeople};
pub use rule::{Effect, Findings, Proposal, Related, Rules};
pub use seal::{PersonalKey, PersonalKeyError};
pub use service::{
    ApplyError, AuditError, DigestError, EraseError, FeedError, FeedLimits, FeedStream, NamesError, OwnerService,
    WhoIsError,
};
pub use store::{
    Difference, Fault, Redacted, Redaction, Rekeyed, Store, StoreConfig, StoreError, Tables, Verified, Wrong,
    needs_personal_key, open,
};
