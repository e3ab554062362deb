//! How values that tell who somebody is are kept: sealed with a key of the person, so that they are gone, wherever they were copied
//! to, once that key is. Pure; the tables are in `store/seal.rs`.
//!
//! A record is cut into a plain part and a sealed one. Both are messages of its kind and each field is in one of them, so that merging
//! them gives the record again. Names by which such records are looked up are kept as marks, made with a key.

mod cipher;
mod key;
mod split;

pub(crate) use cipher::{Mark, Secret};
pub use key::{PersonalKey, PersonalKeyError};
pub(crate) use split::{is_sealed, join, person_of, sealed_fields, split};
