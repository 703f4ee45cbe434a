//! What the seed defines. It never changes while the tenant runs.

use std::time::Instant;

use chrono::Utc;

use super::directory::Directory;
use super::generate::Generator;
use super::identifier::{IdForm, Ids, Key};

/// The parts of a tenant that the seed and the options define.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) directory: Directory,
    pub(super) generator: Generator,
    pub(super) ids: Ids,
    /// `https://127.0.0.1:PORT`
    pub(super) origin: String,
    /// `https://127.0.0.1:PORT/v1.0`
    pub(super) root: String,
    /// The length of a message's MIME form, where it is set for all.
    pub(super) mime_bytes: Option<u64>,
    /// The form of ids in the tenant's own methods.
    pub(super) id_form: IdForm,
    /// When the tenant started.
    pub(super) started: Instant,
}

impl Base {
    /// The present time of the indexes of mail, in milliseconds since 1970. Their spans end now, also in a tenant whose
    /// mail is old.
    pub(super) fn present(&self) -> i64 {
        let since = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        (self.generator.now * 1_000).saturating_add(since).max(Utc::now().timestamp_millis())
    }

    /// The id for the tenant's own methods of a message that was never moved.
    pub(super) fn own_id(&self, mailbox: u32, key: Key) -> String {
        match self.id_form {
            IdForm::Default => self.ids.message(mailbox, key),
            IdForm::Immutable => self.ids.immutable(mailbox, key),
        }
    }
}
