//! `exchange_online_remove_meetings`: removes the entries of meetings from the calendars of those invited, where the
//! invitation itself may be gone already. Nothing is sent to the organizer.
//!
//! All mailboxes are looked into first. What was found is attached to the incident before anything is removed, so it
//! can be brought back, and a redelivered call finds what an earlier run has removed.

mod content;
mod fate;
mod find;
mod found_file;
mod note;

use std::collections::HashMap;

use tokio::time::Instant;
use tracing::info;

use super::access::Access;
use super::call::{Call, PriorRun};
use super::context::Context;
use super::error::Error;
use super::inputs::{InputError, Inputs};
use super::many;
use super::meetings::{
    Keeping, MeetingDealt, MeetingFate, Removed, RemovedMeeting, RemovedMeetings, remove_entry,
};
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_CALENDARS, Permissions, READ_USERS, Use};
use super::report::Output;
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::guard::{Refusal, StopReason};
use content::Content;
use fate::fates;
use find::{Found, find};
use found_file::FoundFile;
use graph::{Dispatch, SearchScope};
use note::Removal;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_remove_meetings",
    summary: "Removes meetings from the calendars of those invited, without a word to the organizer.",
    inputs: &[
        Input::optional("incident_id", InputKind::Number, "number of the incident"),
        Input::required("exo_ical_uid", InputKind::Text, "identifiers of the meetings (iCalUId), one a line"),
        Input::required(
            "exo_email_address",
            InputKind::Text,
            "mailboxes: addresses separated by commas, \"all\", or \"all:\" and the beginning of a user name",
        ),
    ],
    uses: &[Use::always(&[CHANGE_CALENDARS]), Use::when("over all users", &[CHANGE_CALENDARS, READ_USERS])],
    changes_mailbox: true,
    // It accounts for every mailbox, including those that it did not reach in time.
    timeout: Timeout::Report,
};

/// What is asked for.
struct Wish {
    incident: Option<i64>,
    uids: Vec<String>,
    scope: SearchScope,
    /// `exo_email_address` as it was typed.
    asked: String,
}

impl Wish {
    fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let asked = reader.required_words("exo_email_address");
        let wish = Self {
            incident: reader.incident(false),
            uids: reader.required_ical_uids("exo_ical_uid"),
            scope: reader.scope(&asked),
            asked,
        };
        reader.finish()?;
        Ok(wish)
    }
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let started = Instant::now();
    let until = started + context.limits.call_timeout;
    let wish = Wish::read(inputs)?;
    let file = FoundFile::of(context, wish.incident);
    let earlier = match &file {
        Some(file) if context.may_have_been_run() => file.read().await?,
        _ => None,
    };
    let prior_run = if earlier.is_some() { PriorRun::Likely } else { context.call.prior_run };
    let context = &Context { call: Call { prior_run, ..context.call.clone() }, ..context.clone() };

    let access = Accesses::default();
    let mut found = find(context, &access, &wish, until).await?;
    found.add_earlier(earlier);
    context.guard.begin_meetings(found.removable().count());
    let allowed = allow(context, &found);
    if allowed.is_ok()
        && let Some(file) = &file
        && !context.guard.is_dry_run()
        && found.removable().next().is_some()
    {
        file.write(&found.meetings).await?;
    }
    let (dealt, stopped) = match &allowed {
        Ok(()) => remove(context, &access, &mut found.meetings, until).await,
        Err(refusal) => {
            let refused = NotDone::from(refusal.clone());
            let dealt = vec![MeetingDealt::not_done(&refused); found.meetings.meetings.len()];
            (dealt, context.guard.stop_reason())
        }
    };
    if context.guard.is_untouched() {
        return Err(Error::refused("Nothing was removed: the integration is being stopped."));
    }
    if let Some(source) = found.failed_for_all() {
        let attempt = "look into any of the calendars";
        return Err(Error::graph(attempt, SPEC.permissions(), source.clone()));
    }
    for (meeting, dealt) in found.meetings.meetings.iter_mut().zip(&dealt) {
        meeting.fate = dealt.fate;
    }
    let mailboxes = fates(&found, &dealt);
    let content = Content::of(&wish, &found, &mailboxes, &dealt);
    info!(
        mailboxes = mailboxes.len(),
        found = found.meetings.meetings.len(),
        removed = found.meetings.removed(),
        complete = content.complete,
        "meetings removed; every mailbox is accounted for"
    );
    let mut outcome = Outcome::done(&content)?;
    outcome.success = found.meetings.removed() > 0;
    let removal = Removal {
        wish: &wish,
        found: &found,
        mailboxes: &mailboxes,
        dealt: &dealt,
        refused: allowed.as_ref().err(),
        stopped: stopped.as_ref(),
    };
    let output = Output { chosen: vec!["Incident note".to_owned()] };
    let report = removal.report(started.elapsed());
    let written = report.write(context, wish.incident, &output, found_file::PREFIX).await;
    outcome.because(removal.sentences(), written);
    Ok(outcome)
}

/// Checks that one call may remove so many entries.
fn allow(context: &Context, found: &Found) -> Result<(), Refusal> {
    match found.removable().count() {
        0 => Ok(()),
        some => context.guard.authorize_meetings(some),
    }
}

/// What is known of the mailboxes, by their names in lower case.
#[derive(Default)]
struct Accesses(parking_lot::Mutex<HashMap<String, std::sync::Arc<Access>>>);

impl Accesses {
    fn of(&self, mailbox: &str) -> std::sync::Arc<Access> {
        std::sync::Arc::clone(self.0.lock().entry(mailbox.to_lowercase()).or_default())
    }
}

/// Removes the entries that were found, many mailboxes at the same time, until the call is stopped, and as far as it
/// gets `until` then.
async fn remove(
    context: &Context,
    access: &Accesses,
    meetings: &mut RemovedMeetings,
    until: Instant,
) -> (Vec<MeetingDealt>, Option<StopReason>) {
    let dispatch = &context.graph.bulk();
    let many::Run { fates, stopped } =
        many::each(context, until, &meetings.meetings, ("Removing", "calendar entry"), |meeting| {
            remove_one(context, dispatch, access, meeting)
        })
        .await;
    let mut dealt = Vec::with_capacity(fates.len());
    for (meeting, fate) in meetings.meetings.iter_mut().zip(fates) {
        dealt.push(match fate {
            Ok(Removed { fate, entry }) => {
                // Its owner may have answered since it was found.
                if let Some(entry) = entry {
                    entry.response().clone_into(&mut meeting.response);
                }
                MeetingDealt::new(fate)
            }
            Err(not_done) => MeetingDealt::not_done(&not_done),
        });
    }
    if let Some(reason) = &stopped {
        let left = dealt.iter().filter(|dealt| dealt.fate == MeetingFate::NotReached).count();
        context.guard.record_stop(left, reason);
    }
    (dealt, stopped)
}

async fn remove_one(
    context: &Context,
    dispatch: &Dispatch,
    access: &Accesses,
    meeting: &RemovedMeeting,
) -> Result<Removed, NotDone> {
    if meeting.fate == MeetingFate::Organizer {
        return Ok(Removed { fate: MeetingFate::Organizer, entry: None });
    }
    let name = meeting.mailbox_id.as_ref().unwrap_or(&meeting.mailbox);
    let access = access.of(name);
    under_current_rails(context, |context| {
        let access = &access;
        async move {
            let context = &context;
            access
                .with(context, dispatch, name, |mailbox| async move {
                    let id = meeting.event_id.as_deref().unwrap_or_default();
                    remove_entry(context, dispatch, &mailbox, id, Keeping::Nothing).await
                })
                .await
        }
    })
    .await
}

/// The error of a list of users that could not be read.
fn not_listed(source: graph::Error) -> Error {
    Error::graph("list the users of the tenant", Permissions(&[READ_USERS]), source)
}
