//! A mailbox's folders: the well-known ones, by name or by id.

use super::identifier::{self, Ids};
use super::refusal::Refusal;

/// A folder of a mailbox, as an index of [`WELL_KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Folder(u8);

/// Well-known names ("mailFolder resource type") and the display names.
const WELL_KNOWN: [(&str, &str); 17] = [
    ("inbox", "Inbox"),
    ("sentitems", "Sent Items"),
    ("deleteditems", "Deleted Items"),
    ("drafts", "Drafts"),
    ("junkemail", "Junk Email"),
    ("archive", "Archive"),
    ("recoverableitemsdeletions", "Deletions"),
    ("outbox", "Outbox"),
    ("clutter", "Clutter"),
    ("conflicts", "Conflicts"),
    ("conversationhistory", "Conversation History"),
    ("localfailures", "Local Failures"),
    ("msgfolderroot", "Top of Information Store"),
    ("scheduled", "Scheduled"),
    ("searchfolders", "Search Folders"),
    ("serverfailures", "Server Failures"),
    ("syncissues", "Sync Issues"),
];

impl Folder {
    pub(super) const INBOX: Self = Self(0);
    pub(super) const SENT: Self = Self(1);
    pub(super) const DELETED: Self = Self(2);
    pub(super) const DRAFTS: Self = Self(3);
    pub(super) const JUNK: Self = Self(4);
    pub(super) const ARCHIVE: Self = Self(5);
    /// The folder of deleted messages that can be recovered. `/messages` does not list it.
    pub(super) const RECOVERABLE: Self = Self(6);
    pub(super) const ROOT: Self = Self(12);

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(WELL_KNOWN.len()).map(Self)
    }

    pub(super) fn name(self) -> &'static str {
        WELL_KNOWN[usize::from(self.0)].0
    }

    pub(super) fn display_name(self) -> &'static str {
        WELL_KNOWN[usize::from(self.0)].1
    }

    pub(super) fn id(self, ids: Ids, mailbox: u32) -> String {
        ids.folder(mailbox, self.0)
    }

    /// The folder that a request names: a well-known name in any case, or an id exactly as it was returned. `Ok(None)`
    /// is a folder that does not exist.
    pub(super) fn named(name: &str, ids: Ids, mailbox: u32) -> Result<Option<Self>, Refusal> {
        if let Some(folder) = Self::all().find(|folder| folder.name().eq_ignore_ascii_case(name)) {
            return Ok(Some(folder));
        }
        if !identifier::is_folder_id(name) {
            return Err(Refusal::malformed_id());
        }
        Ok(Self::all().find(|folder| folder.id(ids, mailbox) == name))
    }

    /// Whether only some mailboxes have this folder.
    pub(super) fn is_optional(self) -> bool {
        ["clutter", "conversationhistory"].contains(&self.name())
    }
}
