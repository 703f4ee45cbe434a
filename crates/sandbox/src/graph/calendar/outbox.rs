//! All that left a mailbox: mail, invitations, cancellations and answers to invitations.

use super::meeting::{MeetingNews, MeetingResponse};
use crate::graph::tenant::Tenant;

/// Something that was sent to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The principal name of the sending mailbox's owner.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// What it is.
    pub kind: OutgoingKind,
    /// Its subject.
    pub subject: String,
}

/// What a mailbox sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutgoingKind {
    /// A mail.
    Mail,
    /// An invitation to a meeting.
    Invitation,
    /// The cancellation of a meeting.
    Cancellation,
    /// The answer to an invitation.
    Response(MeetingResponse),
}

impl From<MeetingNews> for OutgoingKind {
    fn from(news: MeetingNews) -> Self {
        match news {
            MeetingNews::Request => Self::Invitation,
            MeetingNews::Cancellation => Self::Cancellation,
            MeetingNews::Response(response) => Self::Response(response),
        }
    }
}

impl Tenant {
    /// All that mailboxes of the tenant sent since the start, in that order: an entry for each recipient.
    pub fn outbox(&self) -> Vec<Outgoing> {
        self.state().changes().outbox.clone()
    }
}
