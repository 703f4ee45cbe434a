//! A mailbox's folders as the seed defines them: the well-known ones, by name or by id, and some that its owner made,
//! by id. What changed since is in `folders`.

use super::identifier::Ids;

/// A folder of a mailbox: an index of [`WELL_KNOWN`] followed by [`OWN`], or a number above for one that was made while
/// the tenant ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Folder(u32);

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
    /// A folder that a program made with `isHidden`: lists of folders show it only if they are asked to, and mail
    /// programs do not (Graph page "List mailFolders", `includeHiddenFolders`).
    pub(super) const HIDDEN: Self = Self(22);
    /// The calendar. It is no mail folder, and only the import of items names it.
    pub(super) const CALENDAR: Self = Self(u32::MAX);
    /// The first that is made while the tenant runs.
    pub(super) const FIRST_MADE: Self = Self(23);

    /// The folders that the seed defines.
    pub(super) fn original() -> impl Iterator<Item = Self> {
        (0..Self::FIRST_MADE.0).map(Self)
    }

    /// The folder that was made after this one.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn well_known_name(self) -> Option<&'static str> {
        WELL_KNOWN.get(self.index()).map(|(name, _)| *name)
    }

    pub(super) fn well_known(name: &str) -> Option<Self> {
        Self::original().find(|folder| {
            folder.well_known_name().is_some_and(|well_known| well_known.eq_ignore_ascii_case(name))
        })
    }

    fn own(self) -> Option<(&'static str, Self)> {
        OWN.get(self.index().checked_sub(WELL_KNOWN.len())?).copied()
    }

    /// Its display name at the start, if it was there.
    pub(super) fn original_name(self) -> Option<&'static str> {
        WELL_KNOWN.get(self.index()).map(|(_, name)| *name).or_else(|| Some(self.own()?.0))
    }

    /// The folder that held it at the start.
    pub(super) fn original_parent(self) -> Self {
        self.own().map_or(Self::ROOT, |(_, parent)| parent)
    }

    /// Whether lists of folders show it, those that include hidden folders at least. The others lie outside of what
    /// mail programs show.
    pub(super) fn is_listed(self) -> bool {
        self.well_known_name().is_none() || self.0 < Self::RECOVERABLE.0 || self == Self::OUTBOX
    }

    pub(super) fn id(self, ids: Ids, mailbox: u32) -> String {
        ids.folder(mailbox, self.0)
    }

    /// Whether mail in this folder came from outside of the mailbox.
    pub(super) fn is_of_incoming_mail(self) -> bool {
        ![Self::SENT, Self::DRAFTS, Self::OUTBOX].contains(&self)
    }

    /// Whether only some mailboxes have this folder.
    pub(super) fn is_optional(self) -> bool {
        self.well_known_name().is_some_and(|name| ["clutter", "conversationhistory"].contains(&name))
    }
}
