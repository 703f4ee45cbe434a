//! A mailbox's folders: the well-known ones, by name or by id, and some that its owner made, by id.

use super::identifier::{self, Ids};
use super::refusal::Refusal;

/// A folder of a mailbox, as an index of [`WELL_KNOWN`] followed by [`OWN`].
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

/// Folders that were made in each mailbox: the name, and the folder that holds it.
const OWN: [(&str, Folder); 6] = [
    ("Phishing", Folder::INBOX),
    ("Confirmed", Folder(17)),
    ("Projects", Folder::ROOT),
    ("Invoices", Folder(19)),
    ("Invoices", Folder::INBOX),
    ("Held Back", Folder::ROOT),
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
    pub(super) const OUTBOX: Self = Self(7);
    pub(super) const ROOT: Self = Self(12);
    /// A folder that a program made with `isHidden`: lists of folders show it only if they are asked to, and mail programs
    /// do not (Graph page "List mailFolders", `includeHiddenFolders`).
    pub(super) const HIDDEN: Self = Self(22);

    fn well_known() -> impl Iterator<Item = Self> {
        (0u8..).take(WELL_KNOWN.len()).map(Self)
    }

    fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(WELL_KNOWN.len() + OWN.len()).map(Self)
    }

    /// The folders in this one that a mail program shows, and, on request, hidden ones.
    pub(super) fn children(self, with_hidden: bool) -> impl Iterator<Item = Self> {
        let is_listed = move |folder: &Self| folder.is_visible() || with_hidden && *folder == Self::HIDDEN;
        Self::all().filter(move |folder| is_listed(folder) && folder.parent() == self)
    }

    pub(super) fn parent(self) -> Self {
        self.own().map_or(Self::ROOT, |(_, parent)| parent)
    }

    fn is_visible(self) -> bool {
        self.0 < Self::RECOVERABLE.0 || self == Self::OUTBOX || self.own().is_some() && self != Self::HIDDEN
    }

    fn own(self) -> Option<(&'static str, Self)> {
        OWN.get(usize::from(self.0).checked_sub(WELL_KNOWN.len())?).copied()
    }

    /// The well-known name, or the name that the owner gave it.
    pub(super) fn name(self) -> &'static str {
        WELL_KNOWN.get(usize::from(self.0)).map_or_else(|| self.display_name(), |(name, _)| name)
    }

    pub(super) fn display_name(self) -> &'static str {
        self.own().map_or_else(|| WELL_KNOWN[usize::from(self.0)].1, |(name, _)| name)
    }

    pub(super) fn id(self, ids: Ids, mailbox: u32) -> String {
        ids.folder(mailbox, self.0)
    }

    /// The folder that a request names: a well-known name in any case, or an id exactly as it was returned. `Ok(None)`
    /// is a folder that does not exist.
    pub(super) fn named(name: &str, ids: Ids, mailbox: u32) -> Result<Option<Self>, Refusal> {
        if let Some(folder) = Self::well_known().find(|folder| folder.name().eq_ignore_ascii_case(name)) {
            return Ok(Some(folder));
        }
        if !identifier::is_folder_id(name) {
            return Err(Refusal::malformed_id());
        }
        Ok(Self::all().find(|folder| folder.id(ids, mailbox) == name))
    }

    /// Whether mail in this folder came from outside of the mailbox.
    pub(super) fn is_of_incoming_mail(self) -> bool {
        ![Self::SENT, Self::DRAFTS, Self::OUTBOX].contains(&self)
    }

    /// Whether only some mailboxes have this folder.
    pub(super) fn is_optional(self) -> bool {
        ["clutter", "conversationhistory"].contains(&self.name())
    }
}
