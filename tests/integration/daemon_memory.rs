//! Promise: the memory of the process is bounded, whatever Graph answers and however many calls it answers at once. A
//! call that ends the process nevertheless does so three times at most.
//!
//! The sizes are small. `LARGE_MESSAGES=25x45 cargo test --test integration large_messages -- --nocapture` reads 25
//! messages of 45 MiB at once and prints the peak.
#![allow(clippy::print_stderr)] // for the run by hand

use std::convert::Infallible;
use std::fs;
use std::iter::{once, repeat_n};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::future::join_all;
use futures_util::stream;
use sandbox::graph::{Fault, Target};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::Reply;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::deployment::{Daemon, Deployment, SOON};

const MIB: usize = 1 << 20;

/// The most memory the process has had, in MiB.
fn peak(daemon: &Daemon) -> usize {
    status(daemon, "VmHWM:") >> 10
}

/// A line of the process's status, in KiB.
fn status(daemon: &Daemon, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends `head`, so many MiB of a letter, and `tail`.
fn padded(head: String, mib: usize, tail: &'static str) -> Response {
    static LETTERS: [u8; MIB] = [b'a'; MIB];
    let middle = repeat_n(Bytes::from_static(&LETTERS), mib);
    let pieces = once(Bytes::from(head)).chain(middle).chain(once(Bytes::from_static(tail.as_bytes())));
    Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>))).into_response()
}

/// A Graph whose messages have so many MiB, and whose directory lists two users with names of so many MiB, and one as
/// users are.
async fn graph_of_large_answers(mib: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let own = root.clone();
    let respond = move |uri: Uri| {
        let user = |next: u8| {
            let head = format!(
                r#"{{"@odata.nextLink":"{own}/v1.0/users?page={next}","value":[{{"userPrincipalName":""#
            );
            padded(head, mib, r#""}]}"#)
        };
        let response = match (uri.path(), uri.query().unwrap_or_default()) {
            ("/token", _) => {
                r#"{"token_type":"Bearer","expires_in":3599,"access_token":"T"}"#.into_response()
            }
            ("/v1.0/users", "page=1") => user(2),
            ("/v1.0/users", "page=2") => {
                r#"{"value":[{"id":"0001","userPrincipalName":"ada@x.example"}]}"#.into_response()
            }
            ("/v1.0/users", _) => user(1),
            ("/v1.0/$batch", _) => {
                r#"{"responses":[{"id":"0","status":200,"body":{"value":[]}}]}"#.into_response()
            }
            (path, _) if path.ends_with("/messages") => r#"{"value":[]}"#.into_response(),
            _ => padded(r#"{"id":"m","body":{"content":""#.to_owned(), mib, r#""}}"#),
        };
        std::future::ready(response)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    root
}

/// A daemon with the Graph at `root`.
async fn daemon_of_graph(deployment: &Deployment, root: &str) -> Daemon {
    let (graph, token) = (format!("{root}/v1.0"), format!("{root}/token"));
    let options = [("microsoft_graph_url", &*graph), ("microsoft_graph_token_url", &*token)];
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &options));
    daemon.subscribed().await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_at_once_are_all_answered_within_bound() {
    let wanted = std::env::var("LARGE_MESSAGES").unwrap_or_else(|_| "3x17".to_owned());
    let (calls, mib) = wanted.split_once('x').unwrap();
    let (calls, mib): (usize, usize) = (calls.parse().unwrap(), mib.parse().unwrap());
    let deployment = Deployment::new().await;
    let daemon = daemon_of_graph(&deployment, &graph_of_large_answers(mib).await).await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": "ada@x.example", "exo_messages_id": "m"});
    let reads = join_all((0..calls).map(|_| soar.call("exchange_online_get_message", inputs.clone()))).await;
    for read in reads {
        let Reply { message_type, message, results, .. } = read.unwrap().reply(SOON * 10).await.unwrap();
        assert_eq!((message_type, &results["success"]), (0, &json!(true)), "{message}");
        assert_eq!(results["content"]["body"]["content"].as_str().unwrap().len(), mib * MIB);
    }
    let peak = peak(&daemon);
    eprintln!("{calls} messages of {mib} MiB at once: peak {peak} MiB");
    let bound = if calls * mib > 200 { 512 } else { 140 };
    assert!(peak < bound, "{peak} MiB");
    deployment.queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_names_of_users_are_not_kept_and_reported() {
    let deployment = Deployment::new().await;
    let daemon = daemon_of_graph(&deployment, &graph_of_large_answers(60).await).await;
    let soar = deployment.caller().await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": "x",
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let reply = soar.call("exchange_online_query_emails", inputs).await.unwrap().reply(SOON).await.unwrap();
    let content = &reply.results["content"];
    let users = ["users_listed", "users_searched", "users_failed"].map(|number| &content[number]);
    assert_eq!(users, [&json!(3), &json!(1), &json!(2)], "{} {content}", reply.message);
    for user in content["not_searched"].as_array().unwrap() {
        assert_eq!(user["email_address"], "(a user with an unusable name)");
        let why = "its name or id in the directory is longer than any can be, so it was not searched";
        assert_eq!(user["message"], why);
    }
    let peak = peak(&daemon);
    eprintln!("names of 60 MiB: peak {peak} MiB");
    assert!(peak < 200, "{peak} MiB");
}

/// A Graph with so many users, which refuses to search each of them with 60 kB of words.
async fn graph_of_large_errors(users: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let respond = move |uri: Uri, Json(batch): Json<Value>| {
        let part = |request: &Value| {
            let error = json!({"error": {"code": "ErrorAccessDenied", "message": "x".repeat(60_000)}});
            json!({"id": request["id"], "status": 403, "body": error})
        };
        let user = |nth| json!({"id": format!("{nth:08}"), "userPrincipalName": format!("u{nth}@x.example")});
        Json(match uri.path() {
            "/token" => json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "T"}),
            "/v1.0/users" => json!({"value": (0..users).map(user).collect::<Vec<_>>()}),
            _ => {
                json!({"responses": batch["requests"].as_array().unwrap().iter().map(part).collect::<Vec<_>>()})
            }
        })
    };
    let respond = move |uri: Uri, body: Bytes| {
        let batch = serde_json::from_slice(&body).unwrap_or_default();
        std::future::ready(respond(uri, Json(batch)))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn large_errors_of_many_mailboxes_are_not_kept() {
    const USERS: usize = 1000;
    let deployment = Deployment::new().await;
    let daemon = daemon_of_graph(&deployment, &graph_of_large_errors(USERS).await).await;
    let soar = deployment.caller().await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": "all", "exo_message_subject": "x",
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let reply = soar.call("exchange_online_query_emails", inputs).await.unwrap().reply(SOON).await.unwrap();
    assert!(reply.message.contains("ErrorAccessDenied"), "{}", reply.message);
    let peak = peak(&daemon);
    eprintln!("{USERS} errors of 60 kB: peak {peak} MiB");
    assert!(peak < 80, "{peak} MiB, and {} MiB of errors", USERS * 60_000 / MIB);
}

/// A daemon that keeps its audit trail, and marks, in the deployment's directory.
async fn with_marks(deployment: &Deployment) -> Daemon {
    let trail = deployment.directory().join("audit.log").display().to_string();
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &[("audit_file", &trail)]));
    daemon.subscribed().await;
    daemon
}

/// The marks of calls in work.
fn marks(deployment: &Deployment) -> usize {
    let files = fs::read_dir(deployment.directory()).unwrap().flatten();
    files.filter(|file| file.file_name().to_string_lossy().contains(".call-")).count()
}

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(600);

const GIVEN_UP: &str = "The integration's process ended 3 times while it was at work on this call, so the call is not run again.";

#[tokio::test]
async fn call_that_ends_process_is_answered_after_three_deliveries() {
    let deployment = Deployment::new().await;
    let mailboxes = [deployment.mailbox(0), deployment.mailbox(1)];
    let ids = mailboxes.each_ref().map(|mailbox| deployment.add_message(mailbox, "Hello", "Hello."));
    let faults = deployment.sandbox.graph.faults();
    // What the calls wait for when their daemon is killed.
    faults.set_latency(FOR_EVER, Duration::ZERO);
    let soar = deployment.caller().await;
    let mut first = with_marks(&deployment).await;
    let calls = join_all(mailboxes.iter().zip(&ids).map(|(mailbox, id)| {
        soar.call("exchange_online_get_message", json!({"exo_email_address": mailbox, "exo_messages_id": id}))
    }));
    let calls: Vec<_> = calls.await.into_iter().map(Result::unwrap).collect();
    first.logged_times("call started", 2).await;
    assert_eq!(marks(&deployment), 2);
    first.signal("KILL").await;
    first.ended().await;
    faults.set_latency(Duration::ZERO, Duration::ZERO);
    faults.next(2, Target::containing(&ids[0]), Fault::Delay(FOR_EVER));
    for _ in 0..2 {
        let mut next = with_marks(&deployment).await;
        next.logged(&format!("Reading a message of {}", mailboxes[0])).await;
        assert!(next.count_in_log("such calls begin one by one") > 0);
        next.signal("KILL").await;
        next.ended().await;
    }
    let mut last = with_marks(&deployment).await;
    let poison = calls[0].reply(SOON).await.unwrap();
    let other = calls[1].reply(SOON).await.unwrap();
    assert_eq!(poison.message_type, 1);
    assert!(poison.message.starts_with(GIVEN_UP), "{}", poison.message);
    assert_eq!((other.message_type, &other.results["success"]), (0, &json!(true)));
    deployment.queue_is_empty().await;
    assert_eq!(last.stop().await.code(), Some(0));
    assert_eq!(marks(&deployment), 1, "that of the call that was given up");
}

#[tokio::test]
async fn call_that_outlives_stopped_daemon_is_not_counted() {
    let deployment = Deployment::new().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Slow", "Hello.");
    let faults = deployment.sandbox.graph.faults();
    faults.set_latency(FOR_EVER, Duration::ZERO);
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let mut first = with_marks(&deployment).await;
    let call = soar.call("exchange_online_get_message", inputs).await.unwrap();
    first.logged("call started").await;
    first.signal("TERM").await;
    first.logged("stopping").await;
    // The second signal ends it at once.
    first.signal("TERM").await;
    first.ended().await;
    assert_eq!(marks(&deployment), 0);
    faults.set_latency(Duration::ZERO, Duration::ZERO);
    let second = with_marks(&deployment).await;
    assert_eq!(call.reply(SOON).await.unwrap().results["success"], json!(true));
    assert_eq!(second.count_in_log("such calls begin one by one"), 0);
}

/// A message that does not fit into the address space aborts the process each time.
#[tokio::test(flavor = "multi_thread")]
async fn message_beyond_address_space_is_answered_after_three_aborts() {
    let deployment = Deployment::new().await;
    let mailbox = deployment.mailbox(0);
    let id = deployment.add_message(&mailbox, "Large", &"x".repeat(40 * MIB));
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = soar.call("exchange_online_get_message", inputs).await.unwrap();
    for delivery in 1..=4 {
        let trail = deployment.directory().join("audit.log").display().to_string();
        let config = deployment.app_config(&[("num_workers", "2")], &[("audit_file", &trail)]);
        let mut daemon = deployment.spawn(&config);
        daemon.logged("starting").await;
        let room = (status(&daemon, "VmSize:") + (100 << 10)) << 10;
        let process = daemon.id().to_string();
        let limit = format!("--as={room}");
        assert!(
            Command::new("prlimit")
                .args(["--pid", &process, &limit, "--core=0"])
                .status()
                .await
                .unwrap()
                .success()
        );
        if delivery < 4 {
            let ended = daemon.ended().await;
            eprintln!("delivery {delivery}: {ended}");
        } else {
            let reply = call.reply(SOON).await.unwrap();
            assert!(reply.message.starts_with(GIVEN_UP), "{}", reply.message);
        }
    }
}
