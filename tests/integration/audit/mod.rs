//! Promise: every change at Graph or SOAR is recorded with its initiator and outcome in an append-only file before the
//! call is answered. A change that cannot be recorded is not made.

mod by_hand;
mod intents;
mod readings;
mod verified;
mod waiting;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, SOON};
use fn_exchange_online::audit::Trail;
use fn_exchange_online::config::{AuditSettings, GuardSettings};
use sandbox::graph::{Fault, RetryAfter, Target, Tenant};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Caller, Origin, Reply};
use serde_json::{Value, json};

const DELETE: &str = "exchange_online_delete_email";
const DELETE_RESULTS: &str = "exchange_online_delete_messages_from_query_results";
const QUERY: &str = "exchange_online_query_emails";

/// A daemon whose trail is in a directory of its own.
struct Running {
    deployment: Deployment,
    soar: Caller,
    config: PathBuf,
    trail: PathBuf,
    daemon: Daemon,
}

impl Running {
    async fn new(app: &[(&str, &str)]) -> Self {
        let deployment = Deployment::new().await;
        let directory = deployment.directory().join("trail");
        fs::create_dir(&directory).unwrap();
        let trail = directory.join("acts.jsonl");
        let config = deployment.write("app.config", &app_config(&deployment, &trail, app));
        let mut daemon = Daemon::spawn(&["run", "--config-file", config.to_str().unwrap()]);
        daemon.subscribed().await;
        let soar = deployment.caller().await;
        Self { deployment, soar, config, trail, daemon }
    }

    async fn call(&self, function: &str, inputs: Value) -> (String, Reply) {
        let call = self.soar.call(function, inputs).await.unwrap();
        let correlation = call.correlation().to_owned();
        (correlation, call.reply(SOON).await.unwrap())
    }

    /// Asks for a message of the nth mailbox to be deleted; the mailbox and message, and the reply.
    async fn delete(&self, nth: usize) -> (String, String, Reply) {
        let mailbox = self.deployment.mailbox(nth);
        let id = self.deployment.add_message(&mailbox, "SUBJECTTEXT", "BODYTEXT");
        let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
        let (_, reply) = self.call(DELETE, inputs).await;
        (mailbox, id, reply)
    }

    fn deleted(&self) -> usize {
        self.deployment.sandbox.graph.deleted().len()
    }
}

fn app_config(deployment: &Deployment, trail: &Path, app: &[(&str, &str)]) -> String {
    let trail = trail.display().to_string();
    deployment.app_config(
        &[("logdir", "/no/such/directory"), ("num_workers", "200")],
        &[&[("audit_file", trail.as_str())], app].concat(),
    )
}

/// The settings of a trail in `file`.
fn at(file: &Path) -> AuditSettings {
    AuditSettings { file: Some(file.to_owned()), fsync: false }
}

/// Every line of a trail.
fn lines(trail: &Path) -> Vec<Value> {
    let text = fs::read_to_string(trail).unwrap();
    assert!(text.ends_with('\n') && text.is_ascii(), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Those of them that are outcomes of acts.
fn acts(trail: &Path) -> Vec<Value> {
    let mut lines = lines(trail);
    lines.retain(|line| line["act"] != "guard rails in force" && line["outcome"] != "begun");
    lines
}

/// Those of them that are intents.
fn intents(trail: &Path) -> Vec<Value> {
    let mut lines = lines(trail);
    lines.retain(|line| line["outcome"] == "begun");
    lines
}

/// Waits until Graph works on a request.
async fn graph_is_asked(deployment: &Deployment) {
    let asked = |graph: &Tenant| graph.counters().most_http_requests == 1;
    assert!(deployment.sandbox.graph.until(SOON, asked).await, "no request reached Graph");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_recorded_before_its_reply() {
    let running = Running::new(&[]).await;
    let mut known = 0;
    for (function, inputs) in running.deployment.calls_of_all_functions().await {
        let (correlation, reply) = running.call(function, inputs.clone()).await;
        assert_eq!(reply.results["success"], true, "{}", reply.message);
        let acts = acts(&running.trail);
        let new = &acts[known..];
        known = acts.len();
        let expected: &[(&str, &str)] = match function {
            "exchange_online_write_message_as_attachment" => {
                &[("read message", "read"), ("attach message", "written")]
            }
            "exchange_online_get_message" => &[("read message", "read")],
            "exchange_online_get_attachments" => &[("read attachments", "read")],
            QUERY => &[("search mailboxes", "searched")],
            "exchange_online_trace_message" => &[("trace messages", "traced")],
            "exchange_online_move_message_to_folder" => &[("move message", "moved")],
            "exchange_online_restore_messages" => &[("restore message", "restored")],
            "exchange_online_send_message" => &[("send message", "sent")],
            "exchange_online_create_meeting" => &[("create meeting", "created")],
            "exchange_online_plan_removal" => {
                &[("plan removal", "planned"), ("attach report", "written"), ("write note", "written")]
            }
            // The claim, the message, the outcome, the note.
            "exchange_online_apply_plan" => &[
                ("attach report", "written"),
                ("delete message", "deleted"),
                ("attach report", "written"),
                ("write note", "written"),
            ],
            // What was found, the entry, the note.
            "exchange_online_remove_meetings" => &[
                ("search mailboxes", "searched"),
                ("attach report", "written"),
                ("remove meeting", "removed"),
                ("write note", "written"),
            ],
            DELETE | DELETE_RESULTS => &[("delete message", "deleted")],
            _ => &[],
        };
        let recorded: Vec<_> =
            new.iter().map(|act| (act["act"].as_str().unwrap(), act["outcome"].as_str().unwrap())).collect();
        assert_eq!(recorded, expected, "{function}");
        for act in new {
            assert_eq!((&act["function"], &act["correlation_id"]), (&json!(function), &json!(correlation)));
            assert_eq!(act["principal"], "analyst@example.com");
            assert_eq!(act["workflow"], "example_exchange_online");
            let place = match act["act"].as_str().unwrap() {
                "search mailboxes" | "trace messages" => "searched",
                "plan removal" | "attach report" | "write note" => "target",
                _ => "mailbox",
            };
            assert!(
                act["workflow_instance"].is_number() && act[place].is_string() && act["dry_run"] == false
            );
            assert_eq!(act["incident"], inputs.get("incident_id").cloned().unwrap_or_default());
            let time = chrono::DateTime::parse_from_rfc3339(act["time"].as_str().unwrap()).unwrap();
            assert!((chrono::Utc::now() - time.to_utc()).num_seconds().abs() < 60);
        }
    }
    let acts = acts(&running.trail);
    let of = |name: &str| acts.iter().find(|act| act["act"] == name).unwrap();
    assert_eq!(of("attach message")["target"], format!("incident {INCIDENT}"));
    assert_eq!(of("move message")["destination"], "junkemail");
    assert_eq!(of("send message")["recipients"], json!(["one@elsewhere.example", "two@elsewhere.example"]));
    assert_eq!(
        (&of("send message")["attachments"], &of("create meeting")["attendees"]),
        (&json!(0), &json!(0))
    );
    assert!(
        acts.iter().filter(|act| act["act"] == "delete message").all(|act| act["message_id"].is_string())
    );
    let text = fs::read_to_string(&running.trail).unwrap();
    for mail in ["Message 1", "Warning", "Look out", "What we learn", "Half an hour", "evidence"] {
        assert!(!text.contains(mail), "{mail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn playbook_run_is_recorded() {
    let running = Running::new(&[]).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "SUBJECTTEXT", "BODYTEXT");
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call_from(Origin::Playbook, DELETE, inputs).await.unwrap();
    call.reply(SOON).await.unwrap();
    let acts = acts(&running.trail);
    let instance: i64 = call.correlation().trim_start_matches("invid:").parse().unwrap();
    let keys = ["playbook", "playbook_id", "playbook_instance", "workflow", "workflow_instance"];
    assert_eq!(
        keys.map(|key| acts[0][key].clone()),
        [json!("Example: Exchange Online (PB)"), json!(4), json!(instance), Value::Null, Value::Null]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_and_files_are_recorded() {
    let running = Running::new(&[]).await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": running.deployment.mailbox(0),
        "exo_message_subject": "SUBJECTTEXT", "exo_query_output_format": ["Incident note", "Incident attachment"],
    });
    running.call(QUERY, inputs).await;
    running.deployment.sandbox.graph.faults().next(
        1,
        Target::containing("DELETE"),
        Fault::Status(403, RetryAfter::Absent),
    );
    let (mailbox, id, reply) = running.delete(0).await;
    assert_eq!(reply.message_type, 1);
    let acts = acts(&running.trail);
    let recorded: Vec<_> =
        acts.iter().map(|act| (act["act"].as_str().unwrap(), act["outcome"].as_str().unwrap())).collect();
    let expected = [
        ("search mailboxes", "searched"),
        ("write note", "written"),
        ("attach report", "written"),
        ("delete message", "not deleted"),
    ];
    assert_eq!((&acts[0]["criteria"], &acts[0]["mailboxes"]), (&json!(["Message subject"]), &json!(1)));
    assert_eq!(recorded, expected);
    let failed = acts.last().unwrap();
    assert_eq!((&failed["mailbox"], &failed["message_id"]), (&json!(mailbox), &json!(id)));
    assert!(failed["error"].as_str().unwrap().contains("403"), "{failed}");
    assert!(!fs::read_to_string(&running.trail).unwrap().contains("SUBJECTTEXT"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_change_is_recorded_as_unknown() {
    let running = Running::new(&[("call_timeout", "1")]).await;
    let long = Duration::from_secs(20);
    running.deployment.sandbox.graph.faults().next(1, Target::containing("DELETE"), Fault::Delay(long));
    let (_, id, reply) = running.delete(0).await;
    assert_eq!(reply.message_type, 1, "{}", reply.message);
    let acts = acts(&running.trail);
    let [act] = acts.as_slice() else { panic!("{acts:?}") };
    assert_eq!((&act["outcome"], &act["message_id"]), (&json!("unknown"), &json!(id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_trail_is_created_again() {
    let mut running = Running::new(&[]).await;
    let mode = fs::metadata(&running.trail).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    running.delete(0).await;
    let before = fs::read_to_string(&running.trail).unwrap();
    let moved = running.trail.with_extension("1");
    fs::rename(&running.trail, &moved).unwrap();
    running.delete(1).await;
    assert_eq!(fs::read_to_string(&moved).unwrap(), before);
    assert_eq!(acts(&running.trail).len(), 1);
    assert!(running.daemon.stop().await.success());

    let mut again = Daemon::spawn(&["run", "--config-file", running.config.to_str().unwrap()]);
    again.subscribed().await;
    assert!(fs::read_to_string(&running.trail).unwrap().lines().count() == 3);
    assert_eq!(lines(&running.trail)[2]["act"], "guard rails in force");
    assert!(again.stop().await.success());
}

#[tokio::test]
async fn truncated_line_does_not_affect_later_lines() {
    let directory = tempfile::tempdir().unwrap();
    let trail = directory.path().join("acts");
    let rails = GuardSettings::default();
    let half = r#"{"time":"2026-11-23T19:46:21.307Z","act":"delete mes"#;
    for before in [half, &format!("{half}\n"), ""] {
        fs::write(&trail, before).unwrap();
        let opened = Trail::open(at(&trail), &rails).await.unwrap();
        opened.note(&rails);
        opened.flush(SOON).await.unwrap();
        let text = fs::read_to_string(&trail).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let (half_line, whole) = lines.split_at(lines.len() - 2);
        assert_eq!(half_line.concat(), before.trim_end(), "{text}");
        assert!(whole.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrecordable_change_waits_until_it_can_be_recorded() {
    let running = Running::new(&[]).await;
    let directory = running.trail.parent().unwrap();
    let away = directory.with_extension("away");
    fs::rename(directory, &away).unwrap();
    let (_, _, reply) = running.delete(0).await;
    assert_eq!(reply.message_type, 1);
    assert!(
        reply.message.contains("Nothing was changed") && reply.message.contains("audit_file"),
        "{}",
        reply.message
    );
    let mailbox = running.deployment.mailbox(1);
    let id = running.deployment.add_message(&mailbox, "x", "y");
    let results = json!([{"email_address": mailbox, "email_list": [{"id": id}]}]);
    let (_, reply) =
        running.call(DELETE_RESULTS, json!({"exo_query_messages_results": results.to_string()})).await;
    assert_eq!(reply.results["success"], false);
    assert_eq!(reply.results["content"]["failures"][0]["code"], "NotOnRecord");
    let attach = json!({"incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id});
    let (_, reply) = running.call("exchange_online_write_message_as_attachment", attach).await;
    assert_eq!(reply.message_type, 1);
    assert_eq!(running.deleted(), 0);

    fs::create_dir(directory).unwrap();
    running.delete(2).await;
    // What was read meanwhile is on record as well.
    let recorded = acts(&running.trail);
    let recorded: Vec<_> = recorded.iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!((running.deleted(), recorded), (1, vec!["read message", "delete message"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_is_refused_like_the_change() {
    let running = Running::new(&[("dry_run", "yes")]).await;
    fs::rename(running.trail.parent().unwrap(), running.deployment.directory().join("away")).unwrap();
    let (_, _, reply) = running.delete(0).await;
    assert!(reply.message_type == 1 && reply.message.contains("audit_file"), "{}", reply.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unwritable_trail_ends_the_start() {
    let deployment = Deployment::new().await;
    for trail in ["/dev/full", "/no/such/directory/acts", "/"] {
        let daemon = deployment.spawn(&app_config(&deployment, Path::new(trail), &[]));
        let (code, _, log) = daemon.outcome().await;
        assert_eq!(code, 2, "{log}");
        assert!(log.contains("audit_file") && log.contains(trail), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_of_rails_and_trail_is_recorded() {
    let mut running = Running::new(&[("max_deletions", "5")]).await;
    let rails = |trail: &Path| lines(trail).pop().unwrap();
    assert_eq!(rails(&running.trail)["max_deletions"], 5);
    running.delete(0).await;

    let denied = running.deployment.mailbox(0);
    let app = [("mailboxes_denied", denied.as_str()), ("deletion", "deleted_items"), ("dry_run", "no")];
    fs::write(&running.config, app_config(&running.deployment, &running.trail, &app)).unwrap();
    running.daemon.signal("HUP").await;
    running.daemon.logged("in force for the calls that begin from now on: guard rails").await;
    let now = rails(&running.trail);
    assert_eq!(
        (&now["mailboxes_denied"], &now["max_deletions"]),
        (&json!([denied.to_lowercase()]), &json!(100))
    );
    assert_eq!(now["removed"], json!(["max_deletions is 100, and was 5"]));
    running.daemon.logged("guard rails are removed or wider than before: max_deletions is 100").await;
    let (_, _, reply) = running.delete(0).await;
    assert!(reply.message.contains("mailboxes_denied"), "{}", reply.message);
    let (_, _, reply) = running.delete(1).await;
    assert_eq!(reply.results["success"], true, "{}", reply.message);
    assert_eq!(running.deployment.sandbox.graph.moved()[0].folder, "deleteditems");

    // A trail that cannot be written changes nothing.
    fs::write(&running.config, app_config(&running.deployment, Path::new("/no/such/directory/acts"), &[]))
        .unwrap();
    running.daemon.logged("the configuration cannot be used, the one before stays in force").await;
    let (_, _, reply) = running.delete(0).await;
    assert!(reply.message.contains("mailboxes_denied"), "{}", reply.message);

    let elsewhere = running.trail.with_file_name("elsewhere");
    fs::write(&running.config, app_config(&running.deployment, &elsewhere, &[])).unwrap();
    running.daemon.logged("in force for the calls that begin from now on: audit trail, guard rails").await;
    running.delete(0).await;
    assert_eq!(acts(&elsewhere).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trail_that_others_control_ends_the_start() {
    let deployment = Deployment::new().await;
    let directory = deployment.directory().join("traps");
    fs::create_dir(&directory).unwrap();
    let [victim, link, pipe, open] = ["victim", "link", "pipe", "open"].map(|name| directory.join(name));
    fs::write(&victim, "mine\n").unwrap();
    symlink(&victim, &link).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(&open, "").unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    for (trail, why) in [
        (&link, "it is a symbolic link"),
        (&pipe, "it is a pipe that no process reads"),
        (&open, "every user may write it"),
    ] {
        let daemon = deployment.spawn(&app_config(&deployment, trail, &[]));
        let (code, _, log) = daemon.outcome().await;
        assert_eq!(code, 2, "{log}");
        assert!(log.contains("audit_file") && log.contains(why), "{log}");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
}

/// Takes the rights to give a file away, as the tests in a container have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trail_of_another_user_in_a_shared_directory_ends_the_start() {
    let deployment = Deployment::new().await;
    let directory = deployment.directory().join("shared");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o1777)).unwrap();
    let trail = directory.join("acts");
    fs::write(&trail, "{\"forged\":1}\n").unwrap();
    if chown(&trail, Some(65534), None).is_err() {
        return eprintln!("not tested: only root can give a file away");
    }
    let daemon = deployment.spawn(&app_config(&deployment, &trail, &[]));
    let (code, _, log) = daemon.outcome().await;
    assert_eq!(code, 2, "{log}");
    assert!(!fs::read_to_string(&trail).unwrap().contains("deletion"), "nothing was written to it");
}
