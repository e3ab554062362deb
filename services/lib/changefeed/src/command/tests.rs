//! Pure parts of commands.
