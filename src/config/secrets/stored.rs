//! What was read from the password store.

use std::path::PathBuf;

use vault::{Reference, Values};

/// The variable that says which certificates of the store are trusted.
pub(in crate::config) const VERIFY: &str = "PAM_VERIFY_SERVER_CERT";

/// What was read from the password store, and how.
#[derive(Clone, Default)]
pub(in crate::config) struct Stored {
    /// The values, or what is wrong with each.
    pub(in crate::config) values: Values,
    /// The files that say how the store is reached.
    pub(in crate::config) files: Vec<PathBuf>,
    /// The certificate of the store was not verified.
    pub(in crate::config) is_unverified: bool,
}

impl Stored {
    /// The value of an entry, or why there is none.
    pub(in crate::config) fn value(&self, entry: &Reference) -> Result<String, &str> {
        match self.values.get(entry) {
            Some(Ok(secret)) => Ok(secret.expose().to_owned()),
            Some(Err(reason)) => Err(reason),
            None => Err("it was not asked for"),
        }
    }
}
