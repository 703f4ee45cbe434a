//! What the seed defines. It never changes while the tenant runs.

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
}

impl Base {
    /// The id for the tenant's own methods of a message that was never moved.
    pub(super) fn own_id(&self, mailbox: u32, key: Key) -> String {
        match self.id_form {
            IdForm::Default => self.ids.message(mailbox, key),
            IdForm::Immutable => self.ids.immutable(mailbox, key),
        }
    }
}
