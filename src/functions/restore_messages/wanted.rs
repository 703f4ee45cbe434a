//! A message that is to be restored, and what is known of it.

use serde_json::value::RawValue;

use graph::{Flag, MessageState, StateChange};

/// A message that is to be restored.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The mailbox, as results name it.
    pub(super) mailbox: String,
    /// The directory's id of the mailbox, where it is known.
    pub(super) mailbox_id: Option<String>,
    pub(super) id: String,
    /// On whose behalf it went into quarantine, where that is known.
    pub(super) job: Option<String>,
    /// Where it was, where that is on record outside of the mailbox.
    pub(super) origin: Option<Origin>,
    pub(super) place: Place,
    /// The message as a look into the mailbox found it.
    pub(super) state: Option<MessageState>,
    /// The message as a query listed it.
    pub(super) listed: Option<Box<RawValue>>,
}

impl Wanted {
    /// The name by which the mailbox is asked for.
    pub(super) fn mailbox_name(&self) -> &str {
        self.mailbox_id.as_deref().unwrap_or(&self.mailbox)
    }
}

/// Where a message went, as far as is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Quarantine,
    /// Recoverable Items: a plan deletes nothing into Deleted Items.
    Recoverable,
    /// Recoverable Items or Deleted Items.
    Deleted,
    Unknown,
}

/// Where a message was, and what its owner can change of it. `None` is not on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) folder: String,
    pub(super) is_read: Option<bool>,
    pub(super) flag: Option<Flag>,
    pub(super) categories: Option<Vec<String>>,
}

impl Origin {
    /// What is on record in a mailbox, if it is about `job`.
    pub(super) fn marked(state: &MessageState, job: Option<&str>) -> Option<Self> {
        let mark = state.mark.as_ref().filter(|mark| job.is_none_or(|job| mark.job == job))?;
        Some(Self {
            folder: mark.folder.clone(),
            is_read: Some(mark.read),
            flag: mark.flag.clone(),
            categories: mark.categories.clone(),
        })
    }

    /// What has to be set in a message that is in `state`, for it to be as it was.
    pub(super) fn difference(&self, state: &MessageState) -> StateChange {
        let sorted = |categories: &[String]| {
            let mut categories = categories.to_vec();
            categories.sort();
            categories
        };
        StateChange {
            is_read: self.is_read.filter(|is_read| *is_read != state.is_read),
            flag: self.flag.clone().filter(|flag| Some(flag) != state.flag.as_ref()),
            categories: self
                .categories
                .clone()
                .filter(|categories| sorted(categories) != sorted(&state.categories)),
        }
    }
}
