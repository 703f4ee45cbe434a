//! Which application permissions of Microsoft Graph each function takes.

use std::collections::BTreeSet;
use std::fmt;

use super::Function;

/// A permission, and those that include it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission(&'static [&'static str]);

impl Permission {
    /// The name of the smallest that will do for all that the function gives.
    pub fn name(self) -> &'static str {
        self.0.first().copied().unwrap_or_default()
    }

    /// The one among `granted` that will do.
    pub fn among(self, granted: &BTreeSet<String>) -> Option<&'static str> {
        self.0.iter().copied().find(|name| granted.contains(*name))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A way to use a function, and all of the permissions that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// What is particular about it; nothing for the usual way.
    pub particular: Option<&'static str>,
    /// What it takes.
    pub permissions: &'static [Permission],
}

/// For listing and reading users (Graph pages "List users" and "Get a user").
const READ_USERS: Permission =
    Permission(&["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]);
const READ_MAIL: Permission = Permission(&["Mail.Read", "Mail.ReadWrite"]);
const CHANGE_MAIL: Permission = Permission(&["Mail.ReadWrite"]);
const SEND_MAIL: Permission = Permission(&["Mail.Send"]);
const CHANGE_CALENDARS: Permission = Permission(&["Calendars.ReadWrite"]);
const READ_SETTINGS: Permission = Permission(&["MailboxSettings.Read", "MailboxSettings.ReadWrite"]);

const fn usually(permissions: &'static [Permission]) -> Use {
    Use { particular: None, permissions }
}

const fn where_(particular: &'static str, permissions: &'static [Permission]) -> Use {
    Use { particular: Some(particular), permissions }
}

/// What it takes besides to find out whose mailbox it is that is to be changed, where the settings name mailboxes that
/// may be, or may not.
pub const IDENTIFY: Permission = READ_USERS;

impl Function {
    /// Whether it changes a mailbox, so that the guard rails hold for it.
    pub fn changes_a_mailbox(self) -> bool {
        match self {
            Self::MoveMessageToFolder
            | Self::DeleteEmail
            | Self::DeleteMessagesFromQueryResults
            | Self::SendMessage
            | Self::CreateMeeting => true,
            Self::GetEmailUserProfile
            | Self::GetMessage
            | Self::WriteMessageAsAttachment
            | Self::QueryEmails => false,
        }
    }

    /// The ways to use it, the usual one first.
    pub fn uses(self) -> &'static [Use] {
        match self {
            Self::GetEmailUserProfile => const { &[usually(&[READ_USERS])] },
            Self::GetMessage | Self::WriteMessageAsAttachment => const { &[usually(&[READ_MAIL])] },
            Self::MoveMessageToFolder | Self::DeleteEmail | Self::DeleteMessagesFromQueryResults => {
                const { &[usually(&[CHANGE_MAIL])] }
            }
            Self::SendMessage => {
                const {
                    &[
                        usually(&[SEND_MAIL]),
                        where_("over 4 MB", &[SEND_MAIL, CHANGE_MAIL]),
                        where_("when it may have been sent", &[SEND_MAIL, READ_MAIL]),
                    ]
                }
            }
            Self::CreateMeeting => const { &[usually(&[CHANGE_CALENDARS, READ_SETTINGS])] },
            Self::QueryEmails => {
                const { &[usually(&[READ_MAIL]), where_("over all users", &[READ_MAIL, READ_USERS])] }
            }
        }
    }
}
