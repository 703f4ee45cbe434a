//! The quarantine folders whose ids are known.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The ids of so many folders are kept. They only save requests.
const MOST_KNOWN: usize = 20_000;

/// The id of a mailbox's quarantine folder, where it is known. The lock lets one request find it out for all.
pub type KnownFolder = Arc<tokio::sync::Mutex<Option<String>>>;

/// The quarantine folders whose ids this process knows, by mailbox.
#[derive(Debug, Default)]
pub(crate) struct KnownFolders(Mutex<HashMap<String, KnownFolder>>);

impl KnownFolders {
    /// The place for the id of `mailbox`'s folder.
    pub(crate) fn of(&self, mailbox: &str) -> KnownFolder {
        let mut known = self.0.lock();
        let mailbox = mailbox.to_lowercase();
        if known.len() >= MOST_KNOWN && !known.contains_key(&mailbox) {
            known.clear();
        }
        Arc::clone(known.entry(mailbox).or_default())
    }
}
