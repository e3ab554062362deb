//! The immutable, indexed snapshot of the whole organisation.
