//! The application permissions of Microsoft Graph that the functions need.

use std::collections::BTreeSet;
use std::fmt;

/// A permission, and the larger ones that include it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    smallest: &'static str,
    larger: &'static [&'static str],
    /// A larger permission that most installations have, so errors name it as well.
    usual_alternative: Option<&'static str>,
    /// What an installation without it lacks; `None` for one that the usual set-up has.
    lost_without: Option<&'static str>,
}

impl Permission {
    const fn new(smallest: &'static str, larger: &'static [&'static str]) -> Self {
        Self { smallest, larger, usual_alternative: None, lost_without: None }
    }

    /// The name of the smallest permission that is sufficient.
    pub fn name(self) -> &'static str {
        self.smallest
    }

    /// What an installation without it lacks, as a sentence; `None` for one that the usual set-up has.
    pub fn lost_without(self) -> Option<&'static str> {
        self.lost_without
    }

    /// The first permission in `granted` that is sufficient.
    pub fn among(self, granted: &BTreeSet<String>) -> Option<&'static str> {
        std::iter::once(self.smallest).chain(self.larger.iter().copied()).find(|name| granted.contains(*name))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.smallest)?;
        match self.usual_alternative {
            Some(alternative) => write!(f, " (or {alternative})"),
            None => Ok(()),
        }
    }
}

/// Permissions that are needed together, for the text of an error: "Mail.Send and Mail.ReadWrite".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(pub &'static [Permission]);

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, permission) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{permission}")?;
        }
        Ok(())
    }
}

/// A way to use a function, and the permissions that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// When these permissions are needed; `None` for the usual way.
    pub condition: Option<&'static str>,
    /// All of them are needed.
    pub permissions: Permissions,
}

impl Use {
    /// The usual way to use a function.
    pub(super) const fn always(permissions: &'static [Permission]) -> Self {
        Self { condition: None, permissions: Permissions(permissions) }
    }

    /// A way that needs other permissions, for instance "over 4 MB".
    pub(super) const fn when(condition: &'static str, permissions: &'static [Permission]) -> Self {
        Self { condition: Some(condition), permissions: Permissions(permissions) }
    }
}

/// Lists and reads users (Graph pages "List users" and "Get a user").
pub(super) const READ_USERS: Permission = Permission::new(
    "User.Read.All",
    &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
);
pub(super) const READ_MAIL: Permission = Permission {
    usual_alternative: Some("Mail.ReadWrite"),
    ..Permission::new("Mail.Read", &["Mail.ReadWrite"])
};
pub(super) const CHANGE_MAIL: Permission = Permission::new("Mail.ReadWrite", &[]);
pub(super) const SEND_MAIL: Permission = Permission::new("Mail.Send", &[]);
pub(super) const CHANGE_CALENDARS: Permission = Permission::new("Calendars.ReadWrite", &[]);
pub(super) const READ_SETTINGS: Permission =
    Permission::new("MailboxSettings.Read", &["MailboxSettings.ReadWrite"]);

/// Reads the message trace (Graph page "List messageTraces").
pub(super) const TRACE_MESSAGES: Permission = Permission {
    lost_without: Some("Without it, who received a message cannot be traced."),
    ..Permission::new(graph::TRACE_PERMISSION, &[])
};

/// Runs advanced hunting (Graph page "security: runHuntingQuery").
pub(super) const HUNT: Permission = Permission {
    lost_without: Some(
        "Without it, and Defender for Office 365 Plan 2, queries cannot use advanced hunting.",
    ),
    ..Permission::new(graph::HUNTING_PERMISSION, &[])
};

/// Exports calendar entries before their removal, and imports them again (Graph pages "mailbox: exportItems" and
/// "mailbox: createImportSession").
pub(super) const TRANSFER_ITEMS: Permission =
    Permission { lost_without: Some(NO_TRANSFER), ..Permission::new(graph::TRANSFER_PERMISSION, &[]) };

/// Finds the folder of a calendar, for an import.
pub(super) const READ_FOLDERS: Permission =
    Permission { lost_without: Some(NO_TRANSFER), ..Permission::new(graph::MAILBOX_FOLDERS_PERMISSION, &[]) };

const NO_TRANSFER: &str =
    "Without it, removed meetings come back as appointments, without organizer and attendees.";

/// Needed in addition where the settings allow or deny mailboxes: the guard then asks the directory who owns a mailbox
/// before the mailbox is changed.
pub const IDENTIFY: Permission = READ_USERS;
