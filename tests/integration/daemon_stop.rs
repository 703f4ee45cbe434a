//! Promise: a running call can be stopped. At most the batches that are under way go out afterwards, and the reply says
//! how far the call came.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::graph::{Fault, RetryAfter, Target, Tenant};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Call, Caller, Origin, Reply};
use serde_json::{Value, json};

use crate::support::deployment::{Daemon, Deployment, SOON};

const DELETE: &str = "exchange_online_delete_email";
const DELETE_RESULTS: &str = "exchange_online_delete_messages_from_query_results";
const QUERY: &str = "exchange_online_query_emails";
const SEND: &str = "exchange_online_send_message";

const MESSAGES: usize = 1500;
/// The call is stopped after so many deletions.
const BEFORE: usize = 300;
/// How long Graph takes for a deletion.
const ROUND: Duration = Duration::from_millis(30);
/// As many are under way when the call is stopped, at most.
const IN_FLIGHT: usize = 40;

const SPEED: [(&str, &str); 2] = [("max_concurrent_requests", "8"), ("max_deletions", "1500")];

/// A daemon whose deletions take their time.
struct Stoppable {
    deployment: Deployment,
    soar: Caller,
    file: PathBuf,
    daemon: Daemon,
}

impl Stoppable {
    async fn new(app: &[(&str, &str)]) -> Self {
        let deployment = Deployment::new().await;
        let trail = deployment.directory().join("acts.jsonl").display().to_string();
        let app = [&SPEED[..], &[("audit_file", trail.as_str())], app].concat();
        let file = deployment.write("app.config", &deployment.app_config(&[], &app));
        let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
        daemon.subscribed().await;
        let soar = deployment.caller().await;
        Self { deployment, soar, file, daemon }
    }

    fn deleted(&self) -> usize {
        self.deployment.sandbox.graph.deleted().len()
    }

    /// The results of a query that found 1,500 messages in all mailboxes.
    fn results(&self) -> String {
        let mailboxes = self.deployment.sandbox.graph.mailboxes();
        let each = MESSAGES / mailboxes.len();
        let found = mailboxes.iter().map(|mailbox| {
            let message = |_| json!({"id": self.deployment.add_message(mailbox, "Invoice", "Click.")});
            json!({"email_address": mailbox, "email_list": (0..each).map(message).collect::<Vec<_>>()})
        });
        json!({"email_results": found.collect::<Vec<_>>()}).to_string()
    }

    /// Starts the deletion of 1,500 messages, and waits until 300 are deleted.
    async fn deletion(&self, origin: Origin) -> Call {
        let inputs = json!({
            "exo_query_messages_results": self.results(),
            "incident_id": INCIDENT,
        });
        self.deployment.sandbox.graph.faults().set_latency(ROUND, Duration::ZERO);
        let call = self.soar.call_from(origin, DELETE_RESULTS, inputs).await.unwrap();
        let begun = self.deployment.sandbox.graph.until(SOON, |graph| graph.deleted().len() >= BEFORE).await;
        assert!(begun, "{} are deleted", self.deleted());
        call
    }

    /// The inputs of a search.
    fn query(mailboxes: &str) -> Value {
        json!({
            "incident_id": INCIDENT,
            "exo_email_address": mailboxes,
            "exo_message_subject": "Invoice",
            "exo_query_output_format": [{"id": 1, "name": "Exchange Online data table"}],
        })
    }

    /// Changes the configuration and waits until it is in force.
    async fn reload(&mut self, app: &[(&str, &str)]) {
        let trail = self.deployment.directory().join("acts.jsonl").display().to_string();
        let app = [&SPEED[..], &[("audit_file", trail.as_str())], app].concat();
        fs::write(&self.file, self.deployment.app_config(&[], &app)).unwrap();
        self.daemon.signal("HUP").await;
        self.daemon.logged("in force").await;
    }

    /// Waits until Graph has a request whose method and path contain `part`.
    async fn graph_is_asked(&self, part: &str) {
        let asked = |graph: &Tenant| {
            let mut requests = graph.requests().into_iter();
            requests.any(|request| format!("{} {}", request.method, request.path_and_query).contains(part))
        };
        assert!(self.deployment.sandbox.graph.until(SOON, asked).await, "{part} is not asked for");
    }

    /// The lines of the audit trail with this outcome.
    fn on_record(&self, outcome: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.deployment.directory().join("acts.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["outcome"] == outcome).collect()
    }

    /// Checks the reply of a call that was stopped when `before` messages were deleted.
    fn check(&self, before: usize, reply: &Reply, why: &str) {
        let deleted = self.deleted();
        assert!(deleted <= before + IN_FLIGHT, "{before} were deleted when it was stopped, then {deleted}");
        let content = &reply.results["content"];
        assert_eq!(content["messages_deleted"], deleted, "{}", reply.message);
        assert_eq!(content["messages_not_deleted"], MESSAGES - deleted);
        let reason = reply.results["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{reason}");
        assert_eq!(self.on_record("deleted").len(), deleted);
        self.each_intent_has_one_outcome();
    }

    fn each_intent_has_one_outcome(&self) {
        let begun: usize =
            self.on_record("begun").iter().map(|line| line["batch"].as_array().map_or(1, Vec::len)).sum();
        let ended: usize = ["deleted", "not deleted", "unknown", "gone", "would be deleted"]
            .iter()
            .map(|outcome| self.on_record(outcome).len())
            .sum();
        assert_eq!(begun, ended, "intents and outcomes");
    }

    async fn refused(&self, function: &str, inputs: Value) -> String {
        self.soar.call(function, inputs).await.unwrap().reply(SOON).await.unwrap().message
    }
}

fn stopped_after(deleted: usize, why: &str) -> String {
    format!("Stopped after {deleted} of 1,500 messages: {why}.")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_in_the_configuration_stops_a_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.reload(&[("hold", "true")]).await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, &stopped_after(running.deleted(), "all changes are on hold (hold)"));
    let refused = running.on_record("refused");
    assert_eq!(refused.len(), 1, "one line for the whole call");
    assert!(refused[0]["error"].as_str().unwrap().starts_with("OnHold"), "{}", refused[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigusr1_stops_a_deletion_and_sigusr2_ends_the_hold() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.daemon.signal("USR1").await;
    running.daemon.logged("all changes are on hold").await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, &stopped_after(running.deleted(), "all changes are on hold (hold)"));

    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "Invoice", "Click.");
    let delete = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let before = running.on_record("refused").len();
    let refused = running.refused(DELETE, delete.clone()).await;
    assert!(refused.contains("Not done: all changes are on hold (hold)."), "{refused}");
    let on_record = running.on_record("refused");
    assert_eq!(
        (on_record.len(), &on_record[before]["error"]),
        (before + 1, &json!("OnHold: all changes are on hold (hold)"))
    );
    let query = Stoppable::query(&mailbox);
    let reply = running.soar.call(QUERY, query).await.unwrap().reply(SOON).await.unwrap();
    assert_eq!(reply.results["success"], true, "reading goes on: {}", reply.message);

    running.daemon.signal("USR2").await;
    running.daemon.logged("the hold is released").await;
    let call = running.soar.call(DELETE, delete).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().results["success"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_that_is_switched_on_stops_a_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.reload(&[("dry_run", "true")]).await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    let why = format!("Stopped after {} of 1,500 messages: a dry run was switched on", running.deleted());
    running.check(before, &reply, &why);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_that_is_switched_off_changes_no_running_call() {
    let mut running = Stoppable::new(&[("dry_run", "true")]).await;
    let inputs = json!({"exo_query_messages_results": running.results(), "incident_id": INCIDENT});
    running.deployment.sandbox.graph.faults().set_latency(ROUND, Duration::ZERO);
    let call = running.soar.call(DELETE_RESULTS, inputs).await.unwrap();
    let looked = |graph: &Tenant| graph.requests().len() >= 5;
    assert!(running.deployment.sandbox.graph.until(SOON, looked).await);
    running.reload(&[("dry_run", "false")]).await;
    running.deployment.sandbox.graph.faults().set_latency(Duration::ZERO, Duration::ZERO);
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!((running.deleted(), &reply.results["content"]["messages_deleted"]), (0, &json!(0)));
    assert!(reply.results["reason"].as_str().unwrap().contains("Dry run"), "{}", reply.results["reason"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_that_become_denied_are_not_changed_further() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.reload(&[("mailboxes_denied", "*")]).await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, "(MailboxRefused)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lower_max_deletions_stops_a_longer_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.reload(&[("max_deletions", "400")]).await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    let why = "one call may delete 400 messages at most by now (max_deletions)";
    running.check(before, &reply, &stopped_after(running.deleted(), why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_a_deletion_and_its_call_is_answered() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.daemon.signal("TERM").await;
    running.daemon.logged("stopping: SIGTERM").await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, &stopped_after(running.deleted(), "the integration is being stopped"));
    assert!(running.daemon.ended().await.success());
    running.deployment.queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_workflow_stops_its_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.deployment.sandbox.soar.rest.terminate(call.correlation());
    running.daemon.logged("the workflow was terminated in SOAR").await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, &stopped_after(running.deleted(), "the workflow was terminated in SOAR"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canceled_playbook_stops_its_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Playbook).await;
    running.deployment.sandbox.soar.rest.terminate(call.correlation());
    running.daemon.logged("the playbook was canceled in SOAR").await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    running.check(before, &reply, &stopped_after(running.deleted(), "the playbook was canceled in SOAR"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_workflow_ends_its_search() {
    let running = Stoppable::new(&[]).await;
    running.deployment.sandbox.graph.faults().next(
        usize::MAX,
        Target::containing("/messages"),
        Fault::Status(429, RetryAfter::Seconds(1)),
    );
    let call = running.soar.call(QUERY, Stoppable::query("all")).await.unwrap();
    assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    running.deployment.sandbox.soar.rest.terminate(call.correlation());
    let reply = call.reply(SOON).await.unwrap();
    assert!(reply.message.contains("the workflow was terminated in SOAR"), "{}", reply.message);
    assert_eq!(running.on_record("unknown").len(), 1, "the search is on record all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_that_waits_at_sigterm_is_left_to_the_next_daemon() {
    let mut running = Stoppable::new(&[]).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "Invoice", "Click.");
    let faults = running.deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("DELETE"), Fault::Status(429, RetryAfter::Seconds(60)));
    let delete = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call(DELETE, delete).await.unwrap();
    running.graph_is_asked("DELETE").await;
    assert!(running.daemon.stop().await.success());
    assert_eq!((call.replies(), running.deleted()), (0, 0));
    let file = running.file.to_str().unwrap().to_owned();
    let mut next = Daemon::spawn(&["run", "--config-file", &file]);
    next.subscribed().await;
    assert_eq!(call.reply(SOON).await.unwrap().results["success"], true);
    assert_eq!(running.deleted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_waits_is_not_sent_while_on_hold() {
    let mut running = Stoppable::new(&[("max_retries_backoff_factor", "0.1")]).await;
    let faults = running.deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("sendMail"), Fault::Status(503, RetryAfter::Seconds(60)));
    let mail = json!({
        "exo_email_address": running.deployment.mailbox(1),
        "exo_recipients": "one@elsewhere.example",
        "exo_message_subject": "Warning",
        "exo_message_body": {"format": "html", "content": "<p>Look out.</p>"},
    });
    let call = running.soar.call(SEND, mail).await.unwrap();
    running.graph_is_asked("sendMail").await;
    running.daemon.signal("USR1").await;
    running.daemon.logged("all changes are on hold").await;
    let reply = call.reply(SOON).await.unwrap();
    assert!(reply.message.contains("all changes are on hold (hold)"), "{}", reply.message);
    assert_eq!(running.deployment.sandbox.graph.sent_mail().len(), 0);
    running.daemon.signal("USR2").await;
    running.daemon.logged("the hold is released").await;
    let requests = running.deployment.sandbox.graph.requests();
    assert_eq!(requests.iter().filter(|request| request.path_and_query.contains("sendMail")).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wider_rails_do_not_end_a_change_that_waits() {
    let mut running = Stoppable::new(&[("max_retries_backoff_factor", "1")]).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "Invoice", "Click.");
    let faults = running.deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("DELETE"), Fault::Status(503, RetryAfter::Seconds(2)));
    let delete = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call(DELETE, delete).await.unwrap();
    running.graph_is_asked("DELETE").await;
    running.reload(&[("max_deletions", "9000"), ("max_retries_backoff_factor", "1")]).await;
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.results["success"], true, "{}", reply.message);
    assert_eq!(running.deleted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_is_looked_up_again_under_stricter_rails() {
    let mut running = Stoppable::new(&[("max_retries_backoff_factor", "1")]).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "Invoice", "Click.");
    let faults = running.deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("DELETE"), Fault::DoneButStatus(503, RetryAfter::Seconds(60)));
    let delete = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call(DELETE, delete).await.unwrap();
    assert!(running.deployment.sandbox.graph.until(SOON, |graph| graph.deleted().len() == 1).await);
    running.reload(&[("mailboxes_denied", "ceo@contoso.example"), ("max_retries_backoff_factor", "1")]).await;
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.results["success"], true, "the first try deleted it: {}", reply.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hourly_limit_that_is_set_later_stops_a_deletion() {
    let mut running = Stoppable::new(&[]).await;
    let call = running.deletion(Origin::Workflow).await;
    running.reload(&[("max_deletions_per_hour", "1000")]).await;
    let before = running.deleted();
    let reply = call.reply(SOON).await.unwrap();
    let why = "1000 messages may be deleted in an hour by now (max_deletions_per_hour)";
    running.check(before, &reply, &stopped_after(running.deleted(), why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_ends_for_a_mailbox_that_exchange_knows_by_id() {
    let mut running = Stoppable::new(&[]).await;
    let mailbox = running.deployment.mailbox(0);
    let (local, _) = mailbox.split_once('@').unwrap();
    let alias = format!("{local}@mail.contoso.example");
    let list: Vec<_> =
        (0..400).map(|_| json!({"id": running.deployment.add_message(&mailbox, "x", "y")})).collect();
    let results = json!({"email_results": [{"email_address": alias, "email_list": list}]}).to_string();
    running.deployment.sandbox.graph.faults().set_latency(ROUND, Duration::ZERO);
    let inputs = json!({"exo_query_messages_results": results, "incident_id": INCIDENT});
    let call = running.soar.call(DELETE_RESULTS, inputs).await.unwrap();
    assert!(running.deployment.sandbox.graph.until(SOON, |graph| graph.deleted().len() >= 20).await);
    running.reload(&[("max_deletions", "1000")]).await;
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.results["content"]["messages_deleted"], 400, "{}", reply.message);
}
