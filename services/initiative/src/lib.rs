//! The initiative owner.
