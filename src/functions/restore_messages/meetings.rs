//! The calendar entries that were removed along with the messages, or by themselves.

use std::collections::HashMap;

use serde::Serialize;
use tokio::time::Instant;

use super::fate::{Fate, Restored};
use super::place::MailboxPlaces;
use super::sources::Found;
use crate::functions::context::Context;
use crate::functions::many;
use crate::functions::meetings::{MeetingRestored, WantedMeeting, restore_meeting};
use crate::functions::outcome::{NotDone, under_current_rails};
use crate::functions::report::{ByReason, Heading, counted, thousands};

const NOT_RESTORED: Heading = Heading { text: "Calendar entries not restored", is_urgent: true };

/// The entries that were to come back, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    pub(super) all: Vec<Meeting>,
}

/// An entry that was to come back.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) wanted: WantedMeeting,
    pub(super) fate: MeetingFate,
    /// The kind of the reason, for scripts.
    pub(super) code: String,
    /// Why, in few words.
    pub(super) reason: Option<String>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum MeetingFate {
    Back(MeetingRestored),
    NotBack(Fate),
}

/// The entries that are on record: in files and results, and on the messages that are back. Each is there once.
pub(super) fn wanted(found: &mut Found, all: &[Restored]) -> Vec<WantedMeeting> {
    let mut wanted: Vec<WantedMeeting> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let is_back = |fate: Fate| matches!(fate, Fate::Restored | Fate::RestoredToInbox | Fate::AlreadyRestored);
    let marked = found.wanted.iter().zip(all).filter(|(_, restored)| is_back(restored.fate));
    let marked: Vec<WantedMeeting> = marked
        .filter_map(|(message, restored)| {
            let mark = restored.meeting.clone()?;
            let is_of_job = message.job.as_ref().is_none_or(|job| *job == mark.job);
            is_of_job.then(|| {
                WantedMeeting::marked(&message.mailbox, message.mailbox_id.as_deref(), &message.id, *mark)
            })
        })
        .collect();
    for meeting in std::mem::take(&mut found.meetings).into_iter().chain(marked) {
        let key = (meeting.mailbox_name().to_lowercase(), meeting.uid.clone());
        if let Some(known) = places.get(&key).and_then(|place| wanted.get_mut(*place)) {
            known.messages.extend(meeting.messages);
            known.text = known.text.take().or(meeting.text);
            known.exported = known.exported.take().or(meeting.exported);
        } else {
            places.insert(key, wanted.len());
            wanted.push(meeting);
        }
    }
    wanted
}

/// Brings the entries back, many mailboxes at the same time, until the call is stopped, and as far as it gets `until`
/// then.
pub(super) async fn restore(
    context: &Context,
    places: &mut HashMap<String, MailboxPlaces>,
    wanted: Vec<WantedMeeting>,
    until: Instant,
) -> Meetings {
    if wanted.is_empty() {
        return Meetings::default();
    }
    for one in &wanted {
        places.entry(one.mailbox_name().to_lowercase()).or_default();
    }
    let (places, dispatch) = (&*places, &context.graph.bulk());
    let run = many::each(context, until, &wanted, ("Restoring", "calendar entry"), |one| async move {
        let access = &places[&one.mailbox_name().to_lowercase()].access;
        under_current_rails(context, |context| async move {
            let context = &context;
            access
                .with(context, dispatch, one.mailbox_name(), |mailbox| async move {
                    restore_meeting(context, dispatch, &mailbox, one).await
                })
                .await
        })
        .await
    });
    let many::Run { fates, .. } = run.await;
    let all = wanted.into_iter().zip(fates).map(|(wanted, fate)| Meeting::of(wanted, fate)).collect();
    Meetings { all }
}

impl Meeting {
    fn of(wanted: WantedMeeting, fate: Result<MeetingRestored, NotDone>) -> Self {
        match fate {
            Ok(fate) => Self { wanted, fate: MeetingFate::Back(fate), code: String::new(), reason: None },
            Err(not_done) => {
                let Restored { fate, code, reason, .. } = Restored::not_done(&not_done);
                Self { wanted, fate: MeetingFate::NotBack(fate), code, reason }
            }
        }
    }
}

impl Meetings {
    pub(super) fn count(&self, fate: MeetingFate) -> usize {
        self.all.iter().filter(|meeting| meeting.fate == fate).count()
    }

    /// How many are back by this call.
    pub(super) fn restored(&self) -> usize {
        self.count(MeetingFate::Back(MeetingRestored::RestoredInFull)) + self.as_appointments()
    }

    fn as_appointments(&self) -> usize {
        self.count(MeetingFate::Back(MeetingRestored::Restored))
            + self.count(MeetingFate::Back(MeetingRestored::RestoredWithoutText))
    }

    /// How many are back, by this call or an earlier one.
    pub(super) fn back(&self) -> usize {
        self.all.iter().filter(|meeting| matches!(meeting.fate, MeetingFate::Back(_))).count()
    }

    fn not_back(&self) -> impl Iterator<Item = &Meeting> {
        let is_not_back =
            |meeting: &&Meeting| matches!(meeting.fate, MeetingFate::NotBack(fate) if fate != Fate::DryRun);
        self.all.iter().filter(is_not_back)
    }

    /// Whether none is left.
    pub(super) fn are_complete(&self) -> bool {
        self.not_back().next().is_none()
    }

    /// Adds why entries are not back.
    pub(super) fn add_reasons(&self, by_reason: &mut ByReason) {
        for meeting in self.not_back() {
            let title = meeting.wanted.details.subject.as_ref().map(|subject| format!("“{subject}”"));
            let reason = meeting.reason.clone().unwrap_or_default();
            by_reason.add(NOT_RESTORED, reason, &meeting.wanted.mailbox, title);
        }
    }

    /// What has to be known of them: what is left comes first.
    pub(super) fn sentences(&self) -> Vec<String> {
        let entries = |count| counted(count, "calendar entry");
        let mut sentences = Vec::new();
        if let left @ 1.. = self.not_back().count() {
            sentences.push(format!("{} not restored.", entries(left)));
        }
        if let would @ 1.. = self.count(MeetingFate::NotBack(Fate::DryRun)) {
            sentences.push(format!("{} would have been restored (dry_run).", entries(would)));
        }
        if let full @ 1.. = self.count(MeetingFate::Back(MeetingRestored::RestoredInFull)) {
            let with = "with organizer, attendees and answer";
            sentences.push(format!("{} restored {with}.", entries(full)));
        }
        if let restored @ 1.. = self.as_appointments() {
            let is_answered = |meeting: &&Meeting| {
                let is_new = [MeetingRestored::Restored, MeetingRestored::RestoredWithoutText];
                matches!(meeting.fate, MeetingFate::Back(back) if is_new.contains(&back))
                    && meeting.wanted.response == "accepted"
            };
            let accepted = match self.all.iter().filter(is_answered).count() {
                0 => String::new(),
                some => format!("; {} of them had been accepted", thousands(some)),
            };
            sentences.push(format!(
                "{} restored as appointments, without organizer, attendees, answer and updates{accepted}.",
                entries(restored)
            ));
        }
        if let without @ 1.. = self.count(MeetingFate::Back(MeetingRestored::RestoredWithoutText)) {
            sentences.push(format!("{} restored without text, which was not kept.", entries(without)));
        }
        if let there @ 1.. = self.count(MeetingFate::Back(MeetingRestored::AlreadyThere)) {
            sentences.push(format!("{} restored before, or never removed.", entries(there)));
        }
        sentences
    }
}
