//! A mailbox's folders: the well-known ones, by name or by id.

use super::identifier;
use super::refusal::Refusal;

/// A folder of a mailbox, as a place in [`WELL_KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Folder(u8);

/// Well-known names ("mailFolder resource type") and what a German or English user sees.
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
    /// Where a deleted message can still be recovered from; not part of what `/messages` lists.
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

    pub(super) fn id(self, seed: u64, mailbox: u32) -> String {
        identifier::folder_id(seed, mailbox, self.0)
    }

    /// The folder a request names: a well-known name in any case, or an id exactly as it was given out.
    pub(super) fn named(name: &str, seed: u64, mailbox: u32) -> Result<Self, Refusal> {
        if let Some(folder) = Self::all().find(|folder| folder.name().eq_ignore_ascii_case(name)) {
            return Ok(folder);
        }
        if !identifier::is_folder_id(name) {
            return Err(Refusal::malformed_id());
        }
        Self::all().find(|folder| folder.id(seed, mailbox) == name).ok_or_else(Refusal::item_not_found)
    }
}
