//! The file of the incident that says what was found, written before anything is removed.
//!
//! It lists the entries as a result does, so `exchange_online_restore_messages` takes its text as the results of a
//! removal.

use serde::{Deserialize, Serialize};

use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::incident_sink::IncidentSink;
use crate::functions::meetings::{MeetingFate, RemovedMeeting, RemovedMeetings};
use crate::functions::plan::Files;
use graph::EntryText;
use net::untrusted::json::Bounded;

/// The beginning of the names of these files.
pub(super) const PREFIX: &str = "exo-meetings-removed";
/// No file lists more.
const MOST: usize = 200_000;
/// A larger file, in bytes, is not one of these.
const LARGEST: u64 = 128 << 20;

/// The file of one call.
pub(super) struct FoundFile<'a> {
    files: Files<'a>,
    incident: i64,
    reference: String,
}

#[derive(Serialize)]
struct Written<'a> {
    incident_id: i64,
    reference: &'a str,
    #[serde(flatten)]
    found: &'a RemovedMeetings,
}

#[derive(Deserialize)]
struct Document {
    reference: String,
    meetings: Bounded<RemovedMeeting, MOST>,
    meeting_texts: Bounded<EntryText, MOST>,
}

impl<'a> FoundFile<'a> {
    /// `None` where the call has no incident in SOAR.
    pub(super) fn of(context: &'a Context, incident: Option<i64>) -> Option<Self> {
        let incident = incident.filter(|_| matches!(context.sink, IncidentSink::Soar(_)))?;
        let files = Files::of(context, incident).ok()?;
        Some(Self { files, incident, reference: context.call.reference().to_string() })
    }

    fn name(&self) -> String {
        format!("{PREFIX}-{}.json", self.reference)
    }

    /// What an earlier run of the call found.
    pub(super) async fn read(&self) -> Result<Option<RemovedMeetings>, Error> {
        let name = self.name();
        for file in self.files.list().await?.iter().filter(|file| file.name == name) {
            let Some(bytes) = self.files.read(file, LARGEST).await? else { continue };
            if let Ok(document) = serde_json::from_slice::<Document>(&bytes)
                && document.reference == self.reference
            {
                return Ok(Some(RemovedMeetings::of(Some(document.meetings), Some(document.meeting_texts))));
            }
        }
        Ok(None)
    }

    /// Attaches what was found and is to be removed, once for the call.
    pub(super) async fn write(&self, found: &RemovedMeetings) -> Result<(), Error> {
        let mut found = found.clone();
        found.meetings.retain(|meeting| meeting.fate != MeetingFate::Organizer);
        for meeting in &mut found.meetings {
            meeting.fate = MeetingFate::InDoubt;
        }
        let written = Written { incident_id: self.incident, reference: &self.reference, found: &found };
        self.files.attach(&self.name(), serde_json::to_vec(&written)?).await.map(drop)
    }
}
