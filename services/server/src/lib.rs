//! The binary: runs any set of roles in one process.
