//! The capability owner.
