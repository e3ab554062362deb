//! The workforce owner.
