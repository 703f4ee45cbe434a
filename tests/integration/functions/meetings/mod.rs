//! Calendar entries of invitations: all of them go, nothing is sent, and they come back.

mod interruptions;
mod rails;
mod removal;
mod restoration;
mod with_plan;

use chrono::{DateTime, TimeDelta, Utc};
use fn_exchange_online::functions::Function;
use sandbox::graph::{Address, CalendarEntry, Delivery, Meeting, MeetingMessage, Outgoing, TenantOptions};
use serde_json::{Value, json};

use super::common::*;
use super::removal_plan::{approval, with};

/// One request at a time, so that a run can be met in its middle.
const SLOW: [(&str, &str); 1] = [("max_concurrent_requests", "1")];

const ORGANIZER: &str = "prize@attacker.example";

pub(super) fn start() -> DateTime<Utc> {
    "2027-03-02T14:00:00Z".parse().unwrap()
}

/// A meeting that an attacker invites to.
fn prize(name: &str) -> Meeting {
    let organizer = Address::new("Prize Office", ORGANIZER);
    Meeting { location: "Online".to_owned(), ..Meeting::new(name, organizer, "You have won", start()) }
}

/// A tenant in whose mailboxes one other mail and one other meeting lie.
struct Invited {
    fixture: Fixture,
    mailboxes: Vec<String>,
    delivered: usize,
}

impl Invited {
    async fn new(mailboxes: usize, options: &[(&str, &str)]) -> Self {
        let tenant = TenantOptions { now: Utc::now(), ..empty(mailboxes) };
        let fixture = Fixture::configured(tenant, options).await;
        let mailboxes = fixture.graph().mailboxes();
        let mut invited = Self { fixture, mailboxes, delivered: 0 };
        let lunch = Meeting::new("lunch", Address::new("Ann", "ann@partner.example"), "Lunch", start());
        let all: Vec<String> = invited.mailboxes.clone();
        invited.deliver(MeetingMessage::request(lunch), &all);
        invited
    }

    /// With an invitation to `prize` in each mailbox.
    async fn to_prize(mailboxes: usize, options: &[(&str, &str)]) -> Self {
        let mut invited = Self::new(mailboxes, options).await;
        let all: Vec<String> = invited.mailboxes.clone();
        invited.deliver(MeetingMessage::request(prize("prize")), &all);
        invited
    }

    /// Lets a message arrive, and returns the ids of its copies.
    fn deliver(&mut self, message: MeetingMessage, to: &[String]) -> Vec<String> {
        self.delivered += 1;
        let id = format!("<meeting-{}@attacker.example>", self.delivered);
        let received = Utc::now() - TimeDelta::minutes(60 - i64::try_from(self.delivered).unwrap());
        let copies = self.fixture.graph().deliver(&Delivery::of_meeting(&id, message, received).to(to));
        copies.into_iter().map(|copy| copy.id).collect()
    }

    /// The entries of a calendar without the other meeting.
    fn entries(&self, mailbox: &str) -> Vec<CalendarEntry> {
        let mut entries = self.fixture.graph().calendar(mailbox);
        entries.retain(|entry| entry.subject != "Lunch");
        entries
    }

    /// How many entries of attackers' meetings there are.
    fn left(&self) -> usize {
        self.mailboxes.iter().map(|mailbox| self.entries(mailbox).len()).sum()
    }

    /// Asserts that the other meetings are where they were.
    fn assert_others_stay(&self) {
        for mailbox in &self.mailboxes {
            assert_eq!(
                self.fixture.graph().calendar(mailbox).iter().filter(|it| it.subject == "Lunch").count(),
                1
            );
        }
    }

    fn outbox(&self) -> Vec<Outgoing> {
        self.fixture.graph().outbox()
    }

    /// Queries, plans, and returns the inputs that apply the plan with its meetings.
    async fn planned(&mut self, action: &str) -> Value {
        let inputs = query("all", json!({"exo_email_address_sender": ORGANIZER}));
        let found = self.fixture.call(QueryEmails, inputs).await["raw"].clone();
        let plan = self.fixture.plan_of(found).await;
        with(&approval(&plan["content"], action), "exo_include_meetings", true)
    }

    /// A call that removes the entries of the prize's meeting: one that applies a plan, or one without a mail.
    async fn removal(&mut self, by_plan: bool) -> (Function, Value) {
        if by_plan {
            return (ApplyPlan, self.planned("Quarantine").await);
        }
        let uid = prize("prize").uid;
        (RemoveMeetings, json!({"incident_id": INCIDENT, "exo_ical_uid": uid, "exo_email_address": "all"}))
    }

    async fn remove(&mut self, uids: &[&str], who: &str) -> Value {
        let inputs = json!({
            "incident_id": INCIDENT, "exo_ical_uid": uids.join("\n"), "exo_email_address": who,
        });
        self.fixture.call(RemoveMeetings, inputs).await
    }

    /// Restores what a result lists.
    async fn restore(&mut self, answer: &Value) -> Value {
        self.fixture.call(RestoreMessages, json!({"exo_deletion_results": answer["raw"]})).await
    }
}

/// What of an entry comes back.
fn restorable(entry: &CalendarEntry) -> (String, String, String, String, String, Option<u64>) {
    let CalendarEntry { subject, start, end, location, show_as, reminder, .. } = entry.clone();
    (subject, start, end, location, show_as, reminder)
}

/// The last note of the incident, by lines.
fn last_note(fixture: &Fixture) -> Vec<String> {
    lines(&fixture.sandbox.soar.rest.notes(INCIDENT).last().unwrap().content)
}
