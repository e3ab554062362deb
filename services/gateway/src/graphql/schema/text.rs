//! Small pieces of schema text.

use std::fmt::Write;

/// Writes a description.
pub(super) fn block(out: &mut String, indent: &str, text: &str) {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let _ = writeln!(out, "{indent}\"{escaped}\"");
}

/// `maturity` as `Maturity`.
pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
