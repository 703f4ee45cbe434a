//! The option `-l`: the packages that a command applies to, as in SOAR's own tool. This program has one package.

use super::terminal::warn;

/// The package of this program, as `-l` names it.
pub(super) const PACKAGE: &str = env!("CARGO_CRATE_NAME");

/// Whether the package of this program is named, or none. Reports that nothing is `done` for unknown packages.
pub(super) fn with_ours(named: &[String], done: &str) -> bool {
    let (ours, unknown): (Vec<_>, Vec<_>) =
        named.iter().cloned().partition(|name| name.replace('-', "_") == PACKAGE);
    if !unknown.is_empty() {
        warn(&format!("Unknown package {}; nothing is {done} for it.", unknown.join(", ")));
    }
    named.is_empty() || !ours.is_empty()
}
