//! `exchange_online_create_meeting`: puts a meeting into the organizer's calendar, which invites the attendees.
//!
//! The times are written as local time in the organizer's time zone, so that the meeting shows them as the organizer
//! expects. UTC takes its place where the zone is unknown, ambiguous at that time, or refused by Graph.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::{InputError, Inputs, RichText};
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_CALENDARS, Permissions, READ_SETTINGS, Use};
use super::spec::{Input, InputKind, Spec, Timeout};
use super::zone::{Zone, is_zone_refused};
use crate::audit::{Act, AuditRecord};
use crate::guard::{Authorization, Change, Mailbox};
use graph::models::{Body, Recipient};
use graph::{self, Dispatch, Effect, Expected, Path, Request};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_create_meeting",
    summary: "Puts a meeting into the organizer's calendar and invites the attendees.",
    inputs: &[
        Input::required("exo_meeting_email_address", InputKind::Text, "address of the organizer"),
        Input::required("exo_meeting_start_time", InputKind::DateTime, "start, in the future"),
        Input::required("exo_meeting_end_time", InputKind::DateTime, "end, after the start"),
        Input::required("exo_meeting_subject", InputKind::Text, "subject"),
        Input::required("exo_meeting_body", InputKind::Text, "text of the invitation, as HTML"),
        Input::optional(
            "exo_meeting_required_attendees",
            InputKind::Text,
            "addresses of those who should come, separated by commas",
        ),
        Input::optional(
            "exo_meeting_optional_attendees",
            InputKind::Text,
            "addresses of those who may come, separated by commas",
        ),
        Input::optional("exo_meeting_location", InputKind::Text, "where"),
    ],
    uses: &[Use::always(&[CHANGE_CALENDARS, READ_SETTINGS])],
    changes_mailbox: true,
    timeout: Timeout::Abort,
};

/// The meeting that is asked for.
pub(super) struct Meeting {
    organizer: String,
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    subject: String,
    body: RichText,
    required: Vec<String>,
    optional: Vec<String>,
    location: Option<String>,
}

impl Meeting {
    pub(super) fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let meeting = Self {
            organizer: reader.required_mailbox("exo_meeting_email_address"),
            start: reader.required_time("exo_meeting_start_time"),
            end: reader.required_time("exo_meeting_end_time"),
            subject: reader.required_text("exo_meeting_subject"),
            body: reader.required_rich_text("exo_meeting_body"),
            required: reader.addresses("exo_meeting_required_attendees"),
            optional: reader.addresses("exo_meeting_optional_attendees"),
            location: reader.word("exo_meeting_location"),
        };
        reader.finish()?;
        Ok(meeting)
    }

    /// Builds the event for Graph, with its times in local time of `zone`.
    fn event(&self, zone: &Zone, context: &Context) -> Result<Bytes, Error> {
        let time = |time: DateTime<Utc>| Time {
            date_time: time.with_timezone(&zone.rules).format("%Y-%m-%dT%H:%M:%S").to_string(),
            time_zone: &zone.name,
        };
        let attendees = |addresses: &[String], kind: &'static str| {
            let attendee = |address: &String| Attendee { recipient: Recipient::new(address), kind };
            addresses.iter().map(attendee).collect::<Vec<_>>()
        };
        let mut all = attendees(&self.required, "required");
        all.extend(attendees(&self.optional, "optional"));
        let event = Event {
            subject: &self.subject,
            body: self.body.body(),
            start: time(self.start),
            end: time(self.end),
            location: self.location.as_deref().map(|display_name| Location { display_name }),
            attendees: all,
            transaction_id: transaction_id(context),
        };
        Ok(serde_json::to_vec(&event)?.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    subject: &'a str,
    body: Body<'a>,
    start: Time<'a>,
    end: Time<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location<'a>>,
    attendees: Vec<Attendee>,
    transaction_id: String,
}

/// Graph's `dateTimeTimeZone`: local time without an offset, and its zone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Time<'a> {
    date_time: String,
    time_zone: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    display_name: &'a str,
}

#[derive(Serialize)]
struct Attendee {
    #[serde(flatten)]
    recipient: Recipient,
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let meeting = Meeting::read(inputs)?;
    check_times(context, &meeting)?;
    let organizer = &meeting.organizer;
    context.status.say(format!("Creating a meeting in the calendar of {organizer}"));
    let attendees = meeting.required.len() + meeting.optional.len();
    let record = AuditRecord { attendees: Some(attendees), ..AuditRecord::new(Act::CreateMeeting) };
    let created = under_current_rails(context, |_| async {
        let mailbox = context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, organizer).await?;
        let events = match Events::of(context, &mailbox, &meeting).await {
            Ok(events) => events,
            Err(error) => return Ok(Err(error)),
        };
        match context.guard.authorize_change(&mailbox, record.clone()).await? {
            Authorization::Change(act) => {
                let created = events.create(context, &mailbox, &act).await;
                act.end_with(&created);
                Ok(Ok(created?))
            }
            Authorization::DryRun(rehearsal) => {
                rehearsal.end();
                Err(NotDone::DryRun)
            }
        }
    });
    match created.await {
        Ok(Ok(event)) => Outcome::object_in_order(event),
        Ok(Err(error)) => Err(error),
        Err(not_done) => answer(organizer, not_done),
    }
}

fn check_times(context: &Context, meeting: &Meeting) -> Result<(), Error> {
    let why = if meeting.start >= meeting.end {
        "it would end before it starts, or at once"
    } else if meeting.start >= Utc::now() {
        return Ok(());
    } else if context.may_have_been_run() {
        "its start is in the past. If this call was run before, the calendar may hold it all the same"
    } else {
        "its start is in the past"
    };
    Err(Error::refused(format!("The meeting was not created: {why}.")))
}

/// The reply of a call that created no meeting.
fn answer(organizer: &str, not_done: NotDone) -> Result<Outcome, Error> {
    not_done.outcome(&format!("created a meeting in the calendar of {organizer}"), json!({}), |source| {
        let attempt = format!("create a meeting in the calendar of {organizer}");
        let what = format!("The calendar of {organizer}");
        Outcome::not_found(Error::graph(attempt, Permissions(&[CHANGE_CALENDARS]), source), &what)?
            .with_pretty_in_order()
    })
}

/// Graph creates one event for one such id, however often it is asked (Graph page "event resource type").
fn transaction_id(context: &Context) -> String {
    if net::failpoint::is_set(format_args!("change-transaction-ids")) {
        return fastrand::u64(..).to_string();
    }
    context.call.reference().to_string()
}

/// The meeting as Graph is asked for it.
struct Events {
    /// In the organizer's time zone.
    local: Bytes,
    /// In UTC, if that is another zone.
    utc: Option<Bytes>,
}

impl Events {
    async fn of(context: &Context, mailbox: &Mailbox, meeting: &Meeting) -> Result<Self, Error> {
        let zone = zone_for(context, mailbox, meeting).await?;
        let local = meeting.event(&zone, context)?;
        let utc = if zone.is_utc() { None } else { Some(meeting.event(&Zone::utc(), context)?) };
        Ok(Self { local, utc })
    }

    /// Creates the event; in UTC, if Graph does not accept the mailbox's own zone for events.
    async fn create(
        &self,
        context: &Context,
        mailbox: &Mailbox,
        act: &Change,
    ) -> Result<Box<RawValue>, graph::Error> {
        match (post(context, mailbox, self.local.clone(), act).await, &self.utc) {
            (Err(error), Some(utc)) if is_zone_refused(&error) => {
                info!(error = error.for_log(), "time zone refused; creating the meeting in UTC");
                post(context, mailbox, utc.clone(), act).await
            }
            (created, _) => created,
        }
    }
}

/// Posts an event. Its transaction id makes the request repeatable.
async fn post(
    context: &Context,
    mailbox: &Mailbox,
    event: Bytes,
    act: &Change,
) -> Result<Box<RawValue>, graph::Error> {
    let path = Path::user(mailbox.address())?.then("calendar").then("events");
    let request = Request::post(path, event, act).idempotent().in_mailbox(mailbox.address());
    let response = context.graph.send(&request.expecting(Expected::Entity)).await?;
    // Graph accepted the event, whatever is wrong with its answer.
    response.json().map_err(|error| error.with_effect(Effect::Indeterminate))
}

/// The zone for the meeting's times: the organizer's, unless one of the times is ambiguous there.
async fn zone_for(context: &Context, mailbox: &Mailbox, meeting: &Meeting) -> Result<Zone, Error> {
    let zone = organizers_zone(context, mailbox, &meeting.organizer).await?;
    let unambiguous = zone.is_unambiguous(meeting.start) && zone.is_unambiguous(meeting.end);
    Ok(if unambiguous { zone } else { Zone::utc() })
}

/// Reads the time zone in the organizer's mailbox settings. It is a name, or, for a zone that the organizer defined, an
/// object (Graph page "customTimeZone resource type"), which becomes UTC.
async fn organizers_zone(context: &Context, mailbox: &Mailbox, organizer: &str) -> Result<Zone, Error> {
    #[derive(Deserialize)]
    struct Setting {
        #[serde(default)]
        value: Value,
    }
    let read = async {
        let path = Path::user(mailbox.address())?.then("mailboxSettings").then("timeZone");
        context.graph.send(&Request::get(path).in_mailbox(mailbox.address())).await?.parse::<Setting>()
    };
    match read.await {
        Ok(Setting { value }) => Ok(value.as_str().map_or_else(Zone::utc, Zone::named)),
        Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 404) => Ok(Zone::utc()),
        Err(source) => {
            let attempt = format!("read the time zone of {organizer}");
            Err(Error::graph(attempt, Permissions(&[READ_SETTINGS]), source))
        }
    }
}
