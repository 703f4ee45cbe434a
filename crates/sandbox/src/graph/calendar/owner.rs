//! What owners do with their calendars, as a test lets them do it, and what calendars hold.

use serde_json::Value;

use super::meeting::MeetingResponse;
use super::respond::answer;
use crate::graph::tenant::Tenant;

/// An entry of a calendar, without its ids, for a test to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarEntry {
    /// The identifier that all calendars share.
    pub uid: String,
    /// Its subject.
    pub subject: String,
    /// Its start in UTC, as Graph writes it.
    pub start: String,
    /// Its end in UTC, as Graph writes it.
    pub end: String,
    /// The place.
    pub location: String,
    /// `singleInstance`, `seriesMaster` or `exception`.
    pub kind: String,
    /// Whether the calendar's owner invited.
    pub is_organizer: bool,
    /// Whether it was cancelled.
    pub is_cancelled: bool,
    /// `notResponded`, `accepted`, `organizer`, …
    pub response: String,
    /// `tentative`, `busy`, `free`, …
    pub show_as: String,
    /// How many minutes before the start a reminder comes. `None` is no reminder.
    pub reminder: Option<u64>,
}

/// What owners do with their calendars. A method returns `false` if there is no such mailbox or entry.
impl Tenant {
    /// Accepts an invitation. The answer goes to the organizer.
    pub fn accept_meeting(&self, user: &str, uid: &str) -> bool {
        self.answer_meeting(user, uid, MeetingResponse::Accepted)
    }

    /// Accepts an invitation with reservation. The answer goes to the organizer.
    pub fn tentatively_accept_meeting(&self, user: &str, uid: &str) -> bool {
        self.answer_meeting(user, uid, MeetingResponse::TentativelyAccepted)
    }

    /// Declines an invitation: the entry goes, and the answer goes to the organizer.
    pub fn decline_meeting(&self, user: &str, uid: &str) -> bool {
        self.answer_meeting(user, uid, MeetingResponse::Declined)
    }

    /// Removes an entry without an answer.
    pub fn remove_event(&self, user: &str, uid: &str) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let mut changes = self.state().changes();
        let calendar = &mut changes.mailboxes.entry(mailbox).or_default().calendar;
        calendar.find(uid).and_then(|number| calendar.remove(number)).is_some()
    }

    /// Ends the automatic processing of invitations in a mailbox: they make no entries from now on.
    pub fn stop_calendar_attendant(&self, user: &str) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        self.state().changes().mailboxes.entry(mailbox).or_default().calendar.unattended = true;
        true
    }

    /// The entries of a user's calendar, exceptions of series included, in the order in which they were made.
    pub fn calendar(&self, user: &str) -> Vec<CalendarEntry> {
        self.events(user).iter().map(|event| entry(&event.object)).collect()
    }

    fn answer_meeting(&self, user: &str, uid: &str, response: MeetingResponse) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let state = self.state();
        let mut changes = state.changes();
        let calendar = changes.mailboxes.get(&mailbox).map(|own| &own.calendar);
        let number = calendar.and_then(|calendar| calendar.find(uid));
        number.is_some_and(|number| answer(state, &mut changes, mailbox, number, response, true).is_ok())
    }
}

fn entry(object: &Value) -> CalendarEntry {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let reminder = object["reminderMinutesBeforeStart"].as_u64();
    CalendarEntry {
        uid: text("/iCalUId"),
        subject: text("/subject"),
        start: text("/start/dateTime"),
        end: text("/end/dateTime"),
        location: text("/location/displayName"),
        kind: text("/type"),
        is_organizer: object["isOrganizer"] == true,
        is_cancelled: object["isCancelled"] == true,
        response: text("/responseStatus/response"),
        show_as: text("/showAs"),
        reminder: reminder.filter(|_| object["isReminderOn"] == true),
    }
}
