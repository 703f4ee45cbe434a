//! The name of one value in Vault.

use std::fmt;

/// The longest reference, in bytes: more than Vault's paths have.
const LONGEST: usize = 1024;

/// The name of one value: `ENGINE.PATH.KEY`, as SOAR's own framework writes it. A path has no dot, so it leads nowhere
/// else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    engine: String,
    path: String,
    key: String,
}

impl Reference {
    /// Reads a reference; `None` where `text` is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let [engine, path, key] = parts[..] else { return None };
        let is_empty = |part: &str| part.trim_matches('/').is_empty();
        if is_empty(engine) || is_empty(path) || key.is_empty() || text.len() > LONGEST {
            return None;
        }
        if text.chars().any(|c| c.is_control() || matches!(c, '{' | '}' | '^')) {
            return None;
        }
        let [engine, path, key] = [engine, path, key].map(str::to_owned);
        Some(Self { engine, path, key })
    }

    /// The key within the secret.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether both values are in the same secret.
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.engine, &self.path) == (&other.engine, &other.path)
    }

    /// The parts of the address of the secret, below `/v1`.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        let engine = self.engine.split('/').filter(|part| !part.is_empty());
        let path = self.path.split('/').filter(|part| !part.is_empty());
        engine.chain(["data"]).chain(path)
    }
}

impl fmt::Debug for Reference {
    // A password that begins with ^ may look like a reference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference(***)")
    }
}
