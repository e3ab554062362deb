//! Stores records, applies commands to them and feeds the changes to followers.
