//! Database migrations of the owners.
