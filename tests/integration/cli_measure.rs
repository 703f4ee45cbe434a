//! Promise: `measure` shows its requests before it sends one, sends no more than that, changes nothing, reads no mail,
//! and says no more than it has measured.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use sandbox::graph::{
    Fault, MailboxFault, RecordedRequest, RetryAfter, Scope, Target, Throttling, TokenRefusal,
};
use serde_json::{Value, json};

use crate::support::deployment::{Daemon, Deployment};
use crate::support::terminal::on_terminal;

/// The deployment's mailboxes, and its users without one.
const MAILBOXES: usize = 20;
const WITHOUT: usize = 3;
const USERS: usize = MAILBOXES + WITHOUT;
const SELECT: &str = "/messages?$select=id&$top=1";

/// Writes an `app.config` with these options. Returns its path.
fn config(deployment: &Deployment, options: &[(&str, &str)]) -> String {
    let options = [&[("max_retries_backoff_factor", "0.1")], options].concat();
    deployment.write("measure.config", &deployment.app_config(&[], &options)).display().to_string()
}

/// Runs the command without a terminal. Returns its exit code, report and messages.
async fn measure(
    deployment: &Deployment,
    options: &[(&str, &str)],
    arguments: &[&str],
) -> (i32, String, String) {
    let config = config(deployment, options);
    let arguments = [&["measure", "--config-file", &config], arguments].concat();
    Daemon::spawn(&arguments).outcome().await
}

/// Measures after a yes, and reads the report.
async fn measured(deployment: &Deployment, options: &[(&str, &str)], arguments: &[&str]) -> (i32, Value) {
    let (code, out, log) = measure(deployment, options, &[&["--json", "-y"], arguments].concat()).await;
    let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}:\n{out}\n{log}"));
    shows_no_secret(deployment, &format!("{out}{log}"));
    (code, report)
}

fn shows_no_secret(deployment: &Deployment, text: &str) {
    let options = deployment.sandbox.soar.options();
    for secret in [deployment.sandbox.graph.client_secret(), &options.api_key.secret, "eyJ0eXAi"] {
        assert!(!text.contains(secret), "a secret is shown:\n{text}");
    }
}

/// The recorded requests to Graph other than batches as a whole.
fn requests(deployment: &Deployment) -> Vec<RecordedRequest> {
    let requests = deployment.sandbox.graph.requests().into_iter();
    requests.filter(|one| !one.path_and_query.contains("oauth2") && one.path_and_query != "/$batch").collect()
}

/// How often each mailbox was asked for a message.
fn asked(deployment: &Deployment) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in requests(deployment).iter().filter(|one| one.path_and_query.contains("/messages")) {
        *asked.entry(request.mailbox.clone().unwrap()).or_default() += 1;
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_without_a_yes() {
    let deployment = Deployment::new().await;
    let config = config(&deployment, &[]);
    let command = ["measure", "--config-file", &config, "--mailboxes", "1200"];
    let (code, shown) = on_terminal(110, &[], &command, "n\n");
    for line in [
        "     1  POST for an access token, to https://",
        "     2  GET /users?$select=id,userPrincipalName&$top=999",
        "  1200  GET /users/ID/messages?$select=id&$top=1, by themselves, 32 at once",
        "  1200  the same as a search does: by themselves, 256 at once, or in",
        "POST /$batch of 20, 8 batches at once",
        "after 60 s, or 7206 requests to\nGraph. Nothing is changed.",
        "limits of the application",
    ] {
        assert!(shown.contains(line), "{line:?} is not in:\n{shown}");
    }
    assert!(code == 1 && shown.contains("nothing was sent"), "{shown}");

    let (code, out, log) = measure(&deployment, &[], &[]).await;
    assert_eq!((code, out.as_str()), (1, ""), "{log}");
    assert!(log.contains("GET /users/ID/messages") && log.contains("With --yes"), "{log}");
    assert_eq!(deployment.sandbox.graph.requests(), []);
    assert_eq!(deployment.sandbox.graph.connections(), 0);

    let (code, shown) = on_terminal(110, &[], &command, "y\n");
    assert!(code == 0 && shown.contains("Requests sent: 47 to Graph"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_those_of_the_plan() {
    let deployment = Deployment::new().await;
    let (code, report) = measured(&deployment, &[], &["--mailboxes", "12"]).await;
    assert_eq!(code, 0, "{report:#}");
    let all = deployment.sandbox.graph.requests();
    for request in &all {
        let is_expected = match (request.method.as_str(), request.path_and_query.as_str()) {
            ("GET", "/users?$select=id,userPrincipalName&$top=999") => request.in_batch.is_none(),
            ("GET", path) => path.starts_with("/users/") && path.ends_with(SELECT),
            ("POST", path) => path == "/$batch" || path.ends_with("/oauth2/v2.0/token"),
            _ => false,
        };
        assert!(is_expected, "{request:?}");
    }
    let counters = deployment.sandbox.graph.counters();
    assert_eq!(counters.token_requests, 1);
    assert_eq!(counters.http_requests - counters.batches + counters.sub_requests, 1 + 2 * 12);
    let asked = asked(&deployment);
    assert!(asked.len() == 12 && asked.values().all(|times| *times == 2), "{asked:?}");
    assert_eq!(report["requests"]["graph"], 25);
    assert_eq!(report["requests"]["batches"], counters.batches);

    // There are more users, so the report estimates nothing for all of them.
    assert_eq!((&report["users_listed"], &report["users_complete"]), (&json!(12), &json!(false)));
    assert_eq!(report["all_users_seconds"], Value::Null);
    assert!(report["missing"][0].as_str().unwrap().contains("more users than the 12"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_users_are_measured() {
    let deployment = Deployment::new().await;
    let before: Vec<_> =
        (0..MAILBOXES).map(|nth| deployment.sandbox.graph.snapshot(&deployment.mailbox(nth))).collect();
    let trail = deployment.directory().join("acts.jsonl").display().to_string();
    let (code, report) = measured(&deployment, &[("audit_file", &trail)], &[]).await;
    assert_eq!((code, &report["ended"]), (0, &json!("complete")), "{report:#}");
    assert_eq!((&report["users_listed"], &report["users_complete"]), (&json!(USERS), &json!(true)));
    for way in ["single", "search"] {
        let sample = &report[way];
        assert_eq!((&sample["answered"], &sample["failed"]), (&json!(MAILBOXES), &json!(0)), "{report:#}");
        assert_eq!(sample["without_mailbox"], WITHOUT);
    }
    let latency = &report["single"]["latency_ms"];
    assert_eq!(latency["requests"], MAILBOXES);
    assert!(latency["median"].as_f64().unwrap() <= latency["percentile_95"].as_f64().unwrap());
    assert_eq!(report["requests_at_once"]["most"], 256);
    assert!(report["requests_at_once"]["granted"].as_u64().unwrap() >= 32, "{report:#}");
    assert_eq!(report["all_users_seconds"], report["search"]["seconds"]);
    assert_eq!(report["missing"], json!([]));

    let after: Vec<_> =
        (0..MAILBOXES).map(|nth| deployment.sandbox.graph.snapshot(&deployment.mailbox(nth))).collect();
    assert!(before == after, "a mailbox was changed");
    let acts = fs::read_to_string(&trail).unwrap();
    assert_eq!(acts.matches(r#""act":"search mailboxes""#).count(), 1, "{acts}");

    let (_, words, _) = measure(&deployment, &[], &["-y"]).await;
    assert!(words.contains("Users listed: 23, which are all"), "{words}");
    assert!(words.contains("A search of all 23 users would take about "), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_is_reported() {
    let deployment = Deployment::new().await;
    let throttling =
        Throttling { share: 0.5, scope: Scope::Mailboxes, retry_after: RetryAfter::Decimal(0.1), times: 1 };
    deployment.sandbox.graph.faults().throttle(Some(throttling));
    let (code, report) = measured(&deployment, &[], &[]).await;
    assert_eq!(code, 0, "{report:#}");
    let throttled = deployment.sandbox.graph.counters().throttled;
    assert!(throttled > 0 && report["requests"]["throttled"] == json!(throttled), "{throttled}: {report:#}");
    assert_eq!(report["search"]["answered"], MAILBOXES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenant_that_throttles_everything_gets_no_more_requests() {
    let deployment = Deployment::new().await;
    let faults = deployment.sandbox.graph.faults();
    let at_mailboxes = |request: &str| request.contains("/messages");
    faults.next(
        usize::MAX,
        Target::Path(Box::new(at_mailboxes)),
        Fault::Status(429, RetryAfter::Decimal(0.05)),
    );
    let (code, report) = measured(&deployment, &[], &["--mailboxes", "10", "--seconds", "20"]).await;
    let most = report["plan"]["most_requests"].as_u64().unwrap();
    assert_eq!(most, 3 * (1 + 10 + 10));
    let sent = requests(&deployment).len() as u64;
    assert!(sent <= most && report["requests"]["graph"] == json!(sent), "{sent}: {report:#}");
    assert_eq!((code, &report["single"]["answered"]), (0, &json!(0)), "{report:#}");
    assert_eq!(report["single"]["latency_ms"]["median"], Value::Null);
    assert_eq!(report["all_users_seconds"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_a_mailbox_is_named() {
    let deployment = Deployment::new().await;
    assert!(deployment.sandbox.graph.fail_mailbox(&deployment.mailbox(3), MailboxFault::AccessPolicy));
    let (code, report) = measured(&deployment, &[], &[]).await;
    assert_eq!(code, 0, "{report:#}");
    for way in ["single", "search"] {
        let failures = json!([{"count": 1, "reason": "HTTP status 403, ErrorAccessDenied"}]);
        assert_eq!((&report[way]["failures"], &report[way]["answered"]), (&failures, &json!(MAILBOXES - 1)));
    }
    assert_eq!(report["missing"], json!(["Mailboxes that failed as a search asks: 1."]));
    let (_, words, _) = measure(&deployment, &[], &["-y"]).await;
    assert!(words.contains("Failed by itself: 1, HTTP status 403, ErrorAccessDenied"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_everything_ends_the_measurement() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().refuse_tokens(Some(TokenRefusal::InvalidSecret));
    let (code, report) = measured(&deployment, &[], &[]).await;
    assert_eq!((code, &report["ended"]), (1, &json!("failed")), "{report:#}");
    assert!(report["ended_because"].as_str().unwrap().contains("AADSTS7000215"), "{report:#}");
    assert_eq!((&report["users_listed"], &report["requests"]["graph"]), (&Value::Null, &json!(0)));
    assert_eq!(report["missing"], json!(["The list of users did not come to its end."]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_that_may_not_be_read_is_left_out() {
    let deployment = Deployment::new().await;
    let denied = deployment.mailbox(5);
    let (code, report) = measured(&deployment, &[("mailboxes_denied_reading", &denied)], &[]).await;
    assert_eq!(code, 0, "{report:#}");
    let left_out = json!([{"count": 1, "reason": "denied by mailboxes_denied_reading"}]);
    assert_eq!((&report["left_out"], &report["search"]["answered"]), (&left_out, &json!(MAILBOXES - 1)));
    assert!(report["all_users_seconds"].is_number(), "{report:#}");
    let users = deployment.sandbox.graph.users();
    let id = &users.iter().find(|user| user.user_principal_name == denied).unwrap().id;
    let asked = asked(&deployment);
    assert!(asked.len() == USERS - 1 && !asked.contains_key(id), "{asked:?}");
    // The plan has the requests that this takes.
    let names =
        requests(&deployment).iter().filter(|one| one.path_and_query.contains("proxyAddresses")).count();
    assert_eq!(names, USERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measurement_ends_in_time() {
    let deployment = Deployment::new().await;
    deployment.sandbox.graph.faults().next(
        usize::MAX,
        Target::containing("/messages"),
        Fault::Delay(Duration::from_secs(60)),
    );
    let (code, report) = measured(&deployment, &[], &["--seconds", "2"]).await;
    assert_eq!((code, &report["ended"]), (0, &json!("time")), "{report:#}");
    assert_eq!((&report["users_listed"], &report["search"]["answered"]), (&json!(USERS), &json!(0)));
    let missing = format!("Mailboxes that were not reached as a search does: {USERS}.");
    assert!(report["missing"].as_array().unwrap().contains(&json!(missing)), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_measurement_reports_what_it_has() {
    let deployment = Deployment::new().await;
    let graph = &deployment.sandbox.graph;
    assert!(graph.fail_mailbox(&deployment.mailbox(2), MailboxFault::Slow(Duration::from_secs(60))));
    let mut process = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["measure", "-y", "--json", "--config-file", &config(&deployment, &[])])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let others = USERS - 1;
    assert!(graph.until(Duration::from_secs(20), |_| asked(&deployment).len() == others).await);
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", process.id())]).status().unwrap();
    assert!(kill.success());
    let lines: Vec<String> =
        BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(lines.last().unwrap().contains("interrupted"), "{lines:?}");
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ended"], &report["search"]["answered"]), (&json!("interrupted"), &json!(0)));
    assert_eq!(report["requests"]["throttled"], 0);
}

#[tokio::test]
async fn measurement_has_its_bounds() {
    let deployment = Deployment::new().await;
    for (option, value) in [("--mailboxes", "0"), ("--mailboxes", "5001"), ("--seconds", "601")] {
        let (code, out, log) = measure(&deployment, &[], &["-y", option, value]).await;
        assert!(code == 2 && out.is_empty() && log.contains(value), "{log}");
    }
    assert_eq!(deployment.sandbox.graph.requests(), []);
}
