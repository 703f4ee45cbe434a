//! `exchange_online_create_meeting`: puts a meeting into the organizer's calendar, which invites the attendees.

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use windows_timezones::WindowsTimezone;

use super::context::Context;
use super::error::Error;
use super::inputs::{InputError, Inputs, RichText};
use super::outcome::{NotDone, Outcome};
use super::permissions::{CHANGE_CALENDARS, Permissions, READ_SETTINGS, Use};
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use crate::guard::{Authorization, Mailbox};
use graph::models::{Body, Recipient};
use graph::{self, Dispatch, Path, Request};

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

    /// The event for Graph, its times on the wall clock of `zone`.
    fn event(&self, zone: &Zone, transaction_id: String) -> Result<Bytes, Error> {
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
            transaction_id,
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

/// Graph's `dateTimeTimeZone`: local time without an offset, and where it is local.
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

/// A time zone under the name Graph knows it by.
struct Zone {
    name: String,
    rules: Tz,
}

impl Zone {
    fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: Tz::UTC }
    }

    /// The zone a mailbox calls `name`: a Windows name, an IANA name, or something only that mailbox knows
    /// ("Customized Time Zone"), for which UTC stands.
    fn named(name: &str) -> Self {
        let iana = name.parse::<WindowsTimezone>().map_or(name, |zone| zone.tzdb_id());
        iana.parse().map_or_else(|_| Self::utc(), |rules| Self { name: name.to_owned(), rules })
    }

    /// Whether the wall clock tells `time` from every other: in the hour that it goes back over, it does not, and
    /// Graph would take the wrong one.
    fn tells(&self, time: DateTime<Utc>) -> bool {
        let wall = time.with_timezone(&self.rules).naive_local();
        self.rules.from_local_datetime(&wall).single().is_some()
    }
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let meeting = Meeting::read(inputs)?;
    let refused = |why: &str| Err(Error::Refused(format!("The meeting was not created: {why}.")));
    if meeting.start >= meeting.end {
        return refused("it would end before it starts, or at once");
    }
    if meeting.start < Utc::now() {
        return refused(if context.may_have_been_run() {
            "its start is in the past. If this call was run before, the calendar may hold it all the same"
        } else {
            "its start is in the past"
        });
    }

    let organizer = &meeting.organizer;
    context.status.say(format!("Creating a meeting in the calendar of {organizer}"));
    let mailbox = match context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, organizer).await {
        Ok(mailbox) => mailbox,
        Err(denied) => return answer(organizer, denied.into()),
    };
    let mut zone = zone_of(context, &mailbox, organizer).await?;
    if !zone.tells(meeting.start) || !zone.tells(meeting.end) {
        zone = Zone::utc();
    }
    let event = meeting.event(&zone, transaction_id(context))?;
    match create(context, &mailbox, &meeting, event).await {
        Ok(event) => Outcome::object_in_order(event),
        Err(not_done) => answer(organizer, not_done),
    }
}

/// What is answered where no meeting was created.
fn answer(organizer: &str, not_done: NotDone) -> Result<Outcome, Error> {
    not_done.outcome(&format!("created a meeting in the calendar of {organizer}"), json!({}), |source| {
        let attempt = format!("create a meeting in the calendar of {organizer}");
        let what = format!("The calendar of {organizer}");
        Outcome::not_found(
            Error::Graph { attempt, permissions: Permissions(&[CHANGE_CALENDARS]), source },
            &what,
        )
    })
}

/// Graph creates one event for one such id, however often it is asked (Graph page "event resource type").
fn transaction_id(context: &Context) -> String {
    if net::failpoint::is_set(format_args!("change-transaction-ids")) {
        return fastrand::u64(..).to_string();
    }
    context.call.reference().to_string()
}

async fn create(
    context: &Context,
    mailbox: &Mailbox,
    meeting: &Meeting,
    event: Bytes,
) -> Result<Box<RawValue>, NotDone> {
    let attendees = meeting.required.len() + meeting.optional.len();
    let record = AuditRecord { attendees: Some(attendees), ..AuditRecord::new(Act::CreateMeeting) };
    let act = match context.guard.authorize_change(mailbox, record)? {
        Authorization::PendingAction(act) => act,
        Authorization::DryRun(rehearsal) => {
            rehearsal.end();
            return Err(NotDone::DryRun);
        }
    };
    let created = async {
        let path = Path::user(mailbox.address())?.then("calendar").then("events");
        let request = Request::post(path, event, &act).idempotent().in_mailbox(mailbox.address());
        context.graph.send(&request).await?.json()
    };
    let created: Result<_, graph::Error> = created.await;
    act.end_with(&created);
    Ok(created?)
}

/// The time zone the organizer lives in.
async fn zone_of(context: &Context, mailbox: &Mailbox, organizer: &str) -> Result<Zone, Error> {
    #[derive(Deserialize)]
    struct Setting {
        value: Option<String>,
    }
    let read = async {
        let path = Path::user(mailbox.address())?.then("mailboxSettings").then("timeZone");
        context.graph.send(&Request::get(path).in_mailbox(mailbox.address())).await?.parse::<Setting>()
    };
    match read.await {
        Ok(Setting { value }) => Ok(value.map_or_else(Zone::utc, |name| Zone::named(&name))),
        Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 404) => Ok(Zone::utc()),
        Err(source) => {
            let attempt = format!("read the time zone of {organizer}");
            Err(Error::Graph { attempt, permissions: Permissions(&[READ_SETTINGS]), source })
        }
    }
}
