//! The load: calls of all functions, in the same mix at all times.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage, NewMessage, Phish, TenantOptions};
use serde_json::{Value, json};

use crate::daemon::Bench;

/// A call that has no reply by then has none.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);
/// Calls at once that are made in a hurry.
const AT_ONCE: usize = 25;
/// The mailboxes of single calls; searches of the tenant look into all.
const MAILBOXES: usize = 40;
/// Incidents have numbers from here on.
const FIRST_INCIDENT: i64 = 100_000;

/// A step of the load: one call, or one and what follows from it.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Profile,
    Message,
    Attachments,
    Query,
    WriteMessage,
    Move,
    Send,
    CreateMeeting,
    Delete,
    DeleteResults,
    Trace,
    Restore,
    RemoveMeetings,
    /// Plans a removal, and applies the plan.
    Plan,
}

/// How many of each step are in the mix of five seconds: mostly small ones that read. The daemon sends no more than 100
/// message traces in five minutes, by the service's quota, so there are few of those.
const MIX: [(Step, usize); 14] = [
    (Step::Profile, 8),
    (Step::Message, 10),
    (Step::Attachments, 5),
    (Step::Query, 5),
    (Step::WriteMessage, 3),
    (Step::Move, 3),
    (Step::Send, 3),
    (Step::CreateMeeting, 2),
    (Step::Delete, 3),
    (Step::DeleteResults, 2),
    (Step::Trace, 1),
    (Step::Restore, 2),
    (Step::RemoveMeetings, 1),
    (Step::Plan, 2),
];

/// The steps of five seconds.
pub fn deck(chance: &mut Rng) -> Vec<Step> {
    let mut deck: Vec<Step> = MIX.iter().flat_map(|(step, times)| [*step].repeat(*times)).collect();
    chance.shuffle(&mut deck);
    deck
}

/// What came of the calls of some time.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub calls: usize,
    pub failed: usize,
    /// Seconds of the slowest.
    pub slowest: f64,
    /// Milliseconds of calls that began while nothing was wrong.
    pub calm: Vec<f64>,
    /// Milliseconds of the work without the daemon at the same time.
    pub control: Vec<f64>,
    /// Those that failed nevertheless, by function and message.
    pub calm_failures: Vec<String>,
    /// Calls without exactly one final reply.
    pub wrong_replies: Vec<String>,
}

/// The source of all calls.
pub struct Load {
    pub bench: Bench,
    mailboxes: Vec<String>,
    number: AtomicUsize,
    incident: AtomicI64,
    tally: Mutex<Tally>,
    /// What is going on, for what is reported of a call.
    now: Mutex<String>,
}

impl Load {
    pub fn new(bench: Bench) -> Self {
        let load = Self {
            mailboxes: bench.sandbox.graph.mailboxes(),
            bench,
            number: AtomicUsize::new(0),
            incident: AtomicI64::new(FIRST_INCIDENT),
            tally: Mutex::default(),
            now: Mutex::new("before the first period".to_owned()),
        };
        load.open_incident();
        load
    }

    /// What came of the calls since the last time.
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut self.tally.lock())
    }

    /// Counts how long the work without the daemon took.
    pub fn note_control(&self, millis: f64) {
        self.tally.lock().control.push(millis);
    }

    /// Says what is going on from now on.
    pub fn now(&self, what: String) {
        *self.now.lock() = what;
    }

    /// Lets the sandbox forget what the calls left there. No call may be open.
    pub fn clean_up(&self) {
        let sandbox = &self.bench.sandbox;
        sandbox.graph.forget_changes();
        sandbox.soar.rest.forget_requests();
        sandbox.soar.rest.incidents().remove(self.incident.fetch_add(1, Ordering::Relaxed)).unwrap();
        self.open_incident();
    }

    fn open_incident(&self) {
        self.bench.sandbox.soar.rest.add_incident(self.incident(), "Soak");
    }

    fn incident(&self) -> i64 {
        self.incident.load(Ordering::Relaxed)
    }

    /// Makes so many small calls, as fast as the daemon takes them.
    pub async fn hurry(&self, calls: usize) {
        let mailboxes = &self.mailboxes;
        let call = |nth: usize| {
            let inputs = json!({"exo_email_address": mailboxes[nth % mailboxes.len()]});
            self.call("exchange_online_get_email_user_profile", inputs, false)
        };
        stream::iter(0..calls).map(call).buffer_unordered(AT_ONCE).for_each(|_| async {}).await;
    }

    /// Searches all mailboxes.
    pub async fn search_tenant(&self) {
        let mut inputs = Bench::tenant_query(&Phish::default().sender.address);
        inputs["incident_id"] = json!(self.incident());
        self.call("exchange_online_query_emails", inputs, false).await;
    }

    /// Makes the calls of a step. `calm` says that nothing is wrong now.
    pub async fn step(&self, step: Step, calm: bool) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mailbox = &self.mailboxes[number % MAILBOXES];
        let mark = format!("Soak-{number:06}.");
        if let Step::Plan = step {
            return self.plan(mailbox, &mark, calm).await;
        }
        let (function, inputs) = self.inputs(step, mailbox, &mark);
        self.call(function, inputs, calm).await;
    }

    async fn plan(&self, mailbox: &str, mark: &str, calm: bool) {
        let incident = self.incident();
        let found = json!([{"email_address": mailbox, "email_list": [{"id": self.message(mailbox, mark)}]}]);
        let inputs = json!({"incident_id": incident, "exo_query_messages_results": found.to_string()});
        let Some(plan) = self.call("exchange_online_plan_removal", inputs, calm).await else { return };
        let inputs = json!({
            "incident_id": incident,
            "exo_plan_digest": plan["plan_digest"],
            "exo_expected_messages": plan["messages"],
            "exo_removal_action": {"id": 1, "name": "Delete"},
        });
        self.call("exchange_online_apply_plan", inputs, calm).await;
    }

    /// Calls a function, and counts what came of it. Returns the content of a result that is a success.
    async fn call(&self, function: &str, inputs: Value, calm: bool) -> Option<Value> {
        let (started, started_at) = (Instant::now(), Utc::now());
        let call = self.bench.caller.call(function, inputs).await.unwrap();
        let reply = call.reply(ANSWERED_WITHIN).await;
        let took = started.elapsed().as_secs_f64() * 1000.0;
        let (correlation, finals) = (call.correlation().to_owned(), call.close());
        let mut tally = self.tally.lock();
        tally.calls += 1;
        tally.slowest = tally.slowest.max(took / 1000.0);
        if finals != 1 {
            let (started, now) = (started_at.format("%T"), self.now.lock());
            tally.wrong_replies.push(format!(
                "{function} ({correlation}, {started} UTC, {now}): {finals} final replies within {took:.0} ms"
            ));
        }
        let mut reply = reply.ok()?;
        let success = reply.results["success"] == json!(true);
        tally.failed += usize::from(!success);
        if calm {
            tally.calm.push(took);
            if !success {
                tally
                    .calm_failures
                    .push(format!("{function}: {} {}", reply.message, reply.results["reason"]));
            }
        }
        success.then(|| reply.results["content"].take())
    }

    fn message(&self, mailbox: &str, subject: &str) -> String {
        let message = NewMessage {
            subject: subject.to_owned(),
            from: Address::new("Zoë", "zoe@elsewhere.example"),
            received: TenantOptions::default().now,
            body: "Hello.".to_owned(),
            ..NewMessage::default()
        };
        self.bench.sandbox.graph.add_message(mailbox, message).unwrap()
    }

    fn inputs(&self, step: Step, mailbox: &str, mark: &str) -> (&'static str, Value) {
        let incident = self.incident();
        let message = || self.message(mailbox, mark);
        match step {
            Step::Profile => {
                ("exchange_online_get_email_user_profile", json!({"exo_email_address": mailbox}))
            }
            Step::Message => (
                "exchange_online_get_message",
                json!({"exo_email_address": mailbox, "exo_messages_id": message()}),
            ),
            Step::Attachments => (
                "exchange_online_get_attachments",
                json!({"exo_email_address": mailbox, "exo_messages_id": message()}),
            ),
            Step::Query => {
                message();
                let inputs = json!({
                    "incident_id": incident,
                    "exo_email_address": mailbox,
                    "exo_message_subject": mark,
                    "exo_query_output_format": ["Incident note"],
                });
                ("exchange_online_query_emails", inputs)
            }
            Step::WriteMessage => (
                "exchange_online_write_message_as_attachment",
                json!({
                    "incident_id": incident,
                    "exo_email_address": mailbox,
                    "exo_messages_id": message(),
                    "exo_attachment_name": format!("{mark}eml"),
                }),
            ),
            Step::Move => (
                "exchange_online_move_message_to_folder",
                json!({
                    "exo_email_address": mailbox,
                    "exo_messages_id": message(),
                    "exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"},
                }),
            ),
            Step::Send => (
                "exchange_online_send_message",
                json!({
                    "exo_email_address": mailbox,
                    "exo_recipients": "one@elsewhere.example",
                    "exo_message_subject": mark,
                    "exo_message_body": {"format": "html", "content": "<p>Look out.</p>"},
                }),
            ),
            Step::CreateMeeting => {
                let start = Utc::now().timestamp_millis() + 86_400_000;
                let inputs = json!({
                    "exo_meeting_email_address": mailbox,
                    "exo_meeting_start_time": start,
                    "exo_meeting_end_time": start + 1_800_000,
                    "exo_meeting_subject": mark,
                    "exo_meeting_body": "Half an hour.",
                });
                ("exchange_online_create_meeting", inputs)
            }
            Step::Delete => (
                "exchange_online_delete_email",
                json!({"exo_email_address": mailbox, "exo_messages_id": message()}),
            ),
            Step::DeleteResults => {
                let list = json!([{"id": message()}, {"id": message()}]);
                let results = json!({
                    "incident_id": incident,
                    "exo_query_output_format": ["Incident note"],
                    "email_results": [{"email_address": mailbox, "status_code": 200, "email_list": list}],
                });
                (
                    "exchange_online_delete_messages_from_query_results",
                    json!({"exo_query_messages_results": results.to_string()}),
                )
            }
            Step::Trace => self.trace(mailbox, mark),
            Step::Restore => {
                let id = message();
                assert!(self.bench.sandbox.graph.move_message(mailbox, &id, "deleteditems"));
                (
                    "exchange_online_restore_messages",
                    json!({"exo_email_address": mailbox, "exo_messages_id": id}),
                )
            }
            Step::RemoveMeetings => self.remove_meetings(mailbox, mark),
            Step::Plan => unreachable!("it is more than one call"),
        }
    }

    fn trace(&self, mailbox: &str, mark: &str) -> (&'static str, Value) {
        let (id, sent) = (format!("<{mark}@elsewhere.example>"), Utc::now() - TimeDelta::minutes(10));
        let from = Address::new("Zoë", "zoe@elsewhere.example");
        self.bench.sandbox.graph.deliver(&Delivery::new(&id, from, mark, sent).to([mailbox]));
        let inputs = json!({
            "incident_id": self.incident(),
            "exo_internet_message_id": id,
            "exo_start_date": (sent - TimeDelta::hours(1)).timestamp_millis(),
            "exo_query_output_format": ["Incident note"],
        });
        ("exchange_online_trace_message", inputs)
    }

    fn remove_meetings(&self, mailbox: &str, mark: &str) -> (&'static str, Value) {
        let organizer = Address::new("Prize Office", "prize@attacker.example");
        let meeting = Meeting::new(mark, organizer, mark, Utc::now() + TimeDelta::days(3));
        let inputs = json!({
            "incident_id": self.incident(), "exo_ical_uid": meeting.uid, "exo_email_address": mailbox,
        });
        let id = format!("<{mark}@attacker.example>");
        let delivery = Delivery::of_meeting(&id, MeetingMessage::request(meeting), Utc::now()).to([mailbox]);
        self.bench.sandbox.graph.deliver(&delivery);
        ("exchange_online_remove_meetings", inputs)
    }
}
