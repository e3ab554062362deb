//! The journal and its readers.
