//! What is kept of removed calendar entries, for their return: in results, and in files of the incident.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::fate::MeetingFate;
use crate::functions::report::{counted, thousands};
use graph::{CalendarEntry, EntryDetails, EntryText, MeetingMark};
use net::untrusted::json::Bounded;

/// A longer text, in bytes, is not kept. Where the message is there, the text is that of the message.
const LONGEST_TEXT: usize = 256 << 10;
/// So many bytes of texts are kept.
const MOST_TEXTS: usize = 16 << 20;

/// A longer export, in bytes, is not kept.
const LONGEST_EXPORT: usize = 1 << 20;
/// So many bytes of exports are kept.
const MOST_EXPORTS: usize = 32 << 20;

/// A calendar entry that was removed, or may have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::functions) struct RemovedMeeting {
    /// The directory's id of the mailbox, where it is known.
    pub(in crate::functions) mailbox_id: Option<String>,
    pub(in crate::functions) mailbox: String,
    /// The messages that are about it.
    pub(in crate::functions) messages: Vec<String>,
    /// Its id before its removal, where that is known.
    pub(in crate::functions) event_id: Option<String>,
    pub(in crate::functions) ical_uid: String,
    /// How the calendar's owner had answered.
    pub(in crate::functions) response: String,
    pub(in crate::functions) fate: MeetingFate,
    pub(in crate::functions) details: EntryDetails,
    /// The place of its text among the texts.
    pub(in crate::functions) text: Option<usize>,
    /// All of it, as Exchange exported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::functions) exported: Option<String>,
}

impl RemovedMeeting {
    /// Whether its owner had answered that they come, or may come.
    pub(in crate::functions) fn was_accepted(&self) -> bool {
        self.response == "accepted"
    }

    pub(in crate::functions) fn was_tentative(&self) -> bool {
        self.response == "tentativelyAccepted"
    }
}

/// Calendar entries that were removed. Entries of one meeting share their text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::functions) struct RemovedMeetings {
    pub(in crate::functions) meetings: Vec<RemovedMeeting>,
    #[serde(rename = "meeting_texts")]
    pub(in crate::functions) texts: Vec<EntryText>,
}

impl RemovedMeetings {
    /// Those that a result or a file lists.
    pub(in crate::functions) fn of<const MOST: usize>(
        meetings: Option<Bounded<RemovedMeeting, MOST>>,
        texts: Option<Bounded<EntryText, MOST>>,
    ) -> Self {
        let meetings = meetings.map_or_else(Vec::new, |meetings| meetings.0);
        Self { meetings, texts: texts.map_or_else(Vec::new, |texts| texts.0) }
    }

    /// The same without what Exchange exported, which is too large for a result.
    pub(in crate::functions) fn for_result(&self) -> Self {
        let mut removed = self.clone();
        for meeting in &mut removed.meetings {
            meeting.exported = None;
        }
        removed
    }

    /// How many were removed, by this call or an earlier one.
    pub(in crate::functions) fn removed(&self) -> usize {
        self.meetings.iter().filter(|meeting| meeting.fate.is_removed()).count()
    }

    /// "31 calendar entries removed, 2 of them had been accepted"
    pub(in crate::functions) fn phrase(&self) -> String {
        let entries = |count| match count {
            0 => "no calendar entry".to_owned(),
            some => counted(some, "calendar entry"),
        };
        let [accepted, tentative] = self.answered();
        let had = |count, what| match count {
            0 => String::new(),
            some => format!(", {} of them had been {what}", thousands(some)),
        };
        format!(
            "{} removed{}{}",
            entries(self.removed()),
            had(accepted, "accepted"),
            had(tentative, "accepted tentatively")
        )
    }

    /// How many of those removed had been accepted, and accepted tentatively.
    pub(in crate::functions) fn answered(&self) -> [usize; 2] {
        let removed = || self.meetings.iter().filter(|meeting| meeting.fate.is_removed());
        [
            removed().filter(|meeting| meeting.was_accepted()).count(),
            removed().filter(|meeting| meeting.was_tentative()).count(),
        ]
    }
}

/// Collects removed entries.
#[derive(Debug, Default)]
pub(in crate::functions) struct Collected {
    removed: RemovedMeetings,
    places: HashMap<EntryText, usize>,
    bytes: usize,
    exports: usize,
}

/// The mailbox of an entry: its id in the directory, and its name in results.
pub(in crate::functions) type Owner<'a> = (Option<&'a str>, &'a str);

impl Collected {
    /// Adds an entry, and what became of it.
    pub(in crate::functions) fn add(
        &mut self,
        (id, name): Owner<'_>,
        entry: CalendarEntry,
        messages: Vec<String>,
        fate: MeetingFate,
        exported: Option<String>,
    ) {
        let exported = exported.filter(|exported| {
            let is_kept = exported.len() <= LONGEST_EXPORT && self.exports + exported.len() <= MOST_EXPORTS;
            self.exports += if is_kept { exported.len() } else { 0 };
            is_kept
        });
        let text = entry.body.clone().and_then(|text| self.place(text));
        self.removed.meetings.push(RemovedMeeting {
            mailbox_id: id.map(str::to_owned),
            mailbox: name.to_owned(),
            messages,
            response: entry.response().to_owned(),
            event_id: Some(entry.id),
            ical_uid: entry.uid,
            fate,
            details: entry.details,
            text,
            exported,
        });
    }

    /// Adds an entry that an earlier run removed, as the mark on its message `id` has it.
    pub(in crate::functions) fn add_marked(
        &mut self,
        (owner, name): Owner<'_>,
        mark: MeetingMark,
        id: String,
    ) {
        self.removed.meetings.push(RemovedMeeting {
            mailbox_id: owner.map(str::to_owned),
            mailbox: name.to_owned(),
            messages: vec![id],
            event_id: None,
            ical_uid: mark.uid,
            response: mark.response,
            fate: MeetingFate::AlreadyRemoved,
            details: mark.details,
            text: None,
            exported: None,
        });
    }

    fn place(&mut self, text: EntryText) -> Option<usize> {
        if let Some(place) = self.places.get(&text) {
            return Some(*place);
        }
        let length = text.content.len();
        if length > LONGEST_TEXT || self.bytes + length > MOST_TEXTS {
            return None;
        }
        self.bytes += length;
        let place = self.removed.texts.len();
        self.removed.texts.push(text.clone());
        self.places.insert(text, place);
        Some(place)
    }

    pub(in crate::functions) fn into_removed(mut self) -> RemovedMeetings {
        let key = |meeting: &RemovedMeeting| (meeting.mailbox.clone(), meeting.ical_uid.clone());
        self.removed.meetings.sort_by_key(key);
        self.removed
    }
}
