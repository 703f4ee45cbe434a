//! What became of the meetings in each mailbox.

use std::collections::HashMap;

use super::find::Found;
use crate::functions::meetings::{MeetingDealt, MeetingFate, RemovedMeeting};

/// A mailbox, and what became of the meetings in its calendar.
pub(super) struct Mailbox<'a> {
    pub(super) name: &'a str,
    pub(super) id: Option<&'a str>,
    /// What is worst of its entries.
    pub(super) dealt: MeetingDealt,
    pub(super) entries: Vec<(&'a RemovedMeeting, &'a MeetingDealt)>,
}

/// The mailboxes in the order in which they were looked into.
pub(super) fn fates<'a>(found: &'a Found, dealt: &'a [MeetingDealt]) -> Vec<Mailbox<'a>> {
    let mut entries: HashMap<String, Vec<(&RemovedMeeting, &MeetingDealt)>> = HashMap::new();
    for (meeting, dealt) in found.meetings.meetings.iter().zip(dealt) {
        entries.entry(meeting.mailbox.to_lowercase()).or_default().push((meeting, dealt));
    }
    let mailbox = |looked: &'a super::find::Looked| {
        let entries = entries.remove(&looked.name.to_lowercase()).unwrap_or_default();
        let worst = entries.iter().map(|(_, dealt)| *dealt).max_by_key(|dealt| dealt.fate).cloned();
        let failed = looked.failure.as_ref().map(|not_done| match not_done.graph() {
            Some(error) if error.is_no_mailbox() => MeetingDealt::new(MeetingFate::NoMailbox),
            _ => MeetingDealt::not_done(not_done),
        });
        let dealt = failed.or(worst).unwrap_or_else(|| MeetingDealt::new(MeetingFate::NoEntry));
        Mailbox { name: &looked.name, id: looked.id.as_deref(), dealt, entries }
    };
    found.mailboxes.iter().map(mailbox).collect()
}
