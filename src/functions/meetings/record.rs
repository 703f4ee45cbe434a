//! What is kept of removed calendar entries, for their return: in results, and in files of the incident.

use std::collections::HashMap;

use parking_lot::Mutex;
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

/// The texts of the entries of one call, each once, and how much of exports was kept. Both have a limit, since a call
/// may find an entry in every mailbox of a tenant.
#[derive(Debug, Default)]
pub(in crate::functions) struct Kept(Mutex<Texts>);

#[derive(Debug, Default)]
struct Texts {
    all: Vec<EntryText>,
    places: HashMap<EntryText, usize>,
    bytes: usize,
    exports: usize,
}

/// An entry without its text, and the place of that among those kept.
#[derive(Debug, Clone)]
pub(in crate::functions) struct KeptEntry {
    pub(in crate::functions) entry: CalendarEntry,
    text: Option<usize>,
}

impl Kept {
    /// Keeps the text of the entry, if there is room for it.
    pub(in crate::functions) fn entry(&self, mut entry: CalendarEntry) -> KeptEntry {
        let text = entry.body.take().and_then(|text| self.0.lock().place(text));
        KeptEntry { entry, text }
    }

    /// Returns the export, if there is room for it.
    pub(in crate::functions) fn export(&self, exported: String) -> Option<String> {
        let exports = &mut self.0.lock().exports;
        let is_kept = exported.len() <= LONGEST_EXPORT && *exports + exported.len() <= MOST_EXPORTS;
        is_kept.then(|| {
            *exports += exported.len();
            exported
        })
    }
}

impl Texts {
    fn place(&mut self, text: EntryText) -> Option<usize> {
        if let Some(place) = self.places.get(&text) {
            return Some(*place);
        }
        let length = text.content.len();
        if length > LONGEST_TEXT || self.bytes + length > MOST_TEXTS {
            return None;
        }
        self.bytes += length;
        let place = self.all.len();
        self.all.push(text.clone());
        self.places.insert(text, place);
        Some(place)
    }
}

/// Collects removed entries.
#[derive(Debug, Default)]
pub(in crate::functions) struct Collected {
    meetings: Vec<RemovedMeeting>,
}

/// The mailbox of an entry: its id in the directory, and its name in results.
pub(in crate::functions) type Owner<'a> = (Option<&'a str>, &'a str);

impl Collected {
    /// Adds an entry, and what became of it.
    pub(in crate::functions) fn add(
        &mut self,
        (id, name): Owner<'_>,
        KeptEntry { entry, text }: KeptEntry,
        messages: Vec<String>,
        fate: MeetingFate,
        exported: Option<String>,
    ) {
        self.meetings.push(RemovedMeeting {
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
        self.meetings.push(RemovedMeeting {
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

    /// All of them, and the texts that they have.
    pub(in crate::functions) fn into_removed(self, kept: Kept) -> RemovedMeetings {
        let Self { mut meetings } = self;
        meetings.sort_by_key(|meeting| (meeting.mailbox.clone(), meeting.ical_uid.clone()));
        let mut found: Vec<Option<EntryText>> = kept.0.into_inner().all.into_iter().map(Some).collect();
        let mut places = HashMap::new();
        let mut texts = Vec::new();
        for meeting in &mut meetings {
            let Some(place) = meeting.text else { continue };
            if let Some(text) = found.get_mut(place).and_then(Option::take) {
                places.insert(place, texts.len());
                texts.push(text);
            }
            meeting.text = places.get(&place).copied();
        }
        RemovedMeetings { meetings, texts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_have_a_limit() {
        let kept = Kept::default();
        assert_eq!(kept.export("x".repeat(LONGEST_EXPORT + 1)), None);
        let fit = (0..50).filter(|_| kept.export("x".repeat(LONGEST_EXPORT)).is_some()).count();
        assert_eq!(fit * LONGEST_EXPORT, MOST_EXPORTS);
    }

    #[test]
    fn texts_are_kept_once_up_to_a_limit() {
        let text = |content: String| EntryText { content_type: "text".to_owned(), content };
        let mut texts = Texts::default();
        let same = || text("x".repeat(LONGEST_TEXT));
        assert_eq!([same(), same()].map(|text| texts.place(text)), [Some(0), Some(0)]);
        assert_eq!(texts.place(text("x".repeat(LONGEST_TEXT + 1))), None);
        let numbered =
            |nth: usize| text(format!("{nth:03}").repeat(LONGEST_TEXT / 3 + 1)[..LONGEST_TEXT].to_owned());
        let fit = (0..100).filter(|nth| texts.place(numbered(*nth)).is_some()).count();
        assert_eq!((fit + 1) * LONGEST_TEXT, MOST_TEXTS);
    }
}
