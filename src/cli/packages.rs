//! `-l`: SOAR's own tool takes the packages a command is for. There is one here.

use super::terminal::say;

/// Our package, as `-l` names it.
pub(super) const PACKAGE: &str = env!("CARGO_CRATE_NAME");

/// Whether ours is among those named; it is where none is. Says of the others that nothing is `done` for them.
pub(super) fn with_ours(named: &[String], done: &str) -> bool {
    let (ours, unknown): (Vec<_>, Vec<_>) =
        named.iter().cloned().partition(|name| name.replace('-', "_") == PACKAGE);
    if !unknown.is_empty() {
        say(&format!("There is no package {}; nothing is {done} for it.", unknown.join(", ")));
    }
    named.is_empty() || !ours.is_empty()
}
