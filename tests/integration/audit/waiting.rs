//! Lines that could not be written when the change was made.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fn_exchange_online::audit::{Act, AuditRecord, Initiator, Trail};
use serde_json::json;

use crate::audit::{DELETE, Fault, Running, Target, acts, app_config, at, graph_is_asked};
use crate::support::deployment::SOON;

/// Has a message be deleted, and the trail's directory be moved away between the act's beginning and its end; where it
/// is then.
async fn delete_without_a_line(running: &Running) -> PathBuf {
    let long = Duration::from_secs(2);
    let graph = &running.deployment.sandbox.graph;
    graph.faults().next(1, Target::containing("DELETE"), Fault::Delay(long));
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "x", "y");
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call(DELETE, inputs).await.unwrap();
    graph_is_asked(&running.deployment).await;
    let directory = running.trail.parent().unwrap();
    let away = directory.with_extension("away");
    fs::rename(directory, &away).unwrap();
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!((&reply.results["success"], running.deleted()), (&json!(true), 1), "{}", reply.message);
    away
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_line_is_written_without_another_call() {
    let mut running = Running::new(&[]).await;
    let away = delete_without_a_line(&running).await;
    running.daemon.logged("the audit trail cannot be written").await;
    assert_eq!(acts(&away.join("acts.jsonl")).len(), 0);
    fs::rename(&away, running.trail.parent().unwrap()).unwrap();
    running.daemon.logged("the audit trail can be written again").await;
    let acts = acts(&running.trail);
    assert_eq!((acts.len(), &acts[0]["outcome"]), (1, &json!("deleted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_line_moves_to_new_file() {
    let mut running = Running::new(&[]).await;
    delete_without_a_line(&running).await;
    let elsewhere = running.deployment.directory().join("elsewhere");
    fs::write(&running.config, app_config(&running.deployment, &elsewhere, &[])).unwrap();
    running.daemon.logged("in force for the calls that begin from now on: audit trail").await;
    assert_eq!(acts(&elsewhere)[0]["outcome"], "deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_daemon_reports_lost_lines() {
    let mut running = Running::new(&[]).await;
    delete_without_a_line(&running).await;
    assert!(running.daemon.stop().await.success());
    let log = running.daemon.log();
    let line = log.lines().find(|line| line.contains("is in the log only")).unwrap();
    assert!(line.contains("ERROR") && line.contains("lines=1"), "{line}");
    assert!(log.contains("[audit] delete message"), "{log}");
}

#[tokio::test]
async fn ten_thousand_lines_wait_and_the_rest_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("later");
    let trail = Trail::at(at(&place.join("acts")));
    let asker = Arc::new(Initiator::default());
    let deed = |nth: usize| AuditRecord { messages: Some(nth), ..AuditRecord::new(Act::DeleteMessages) };
    for nth in 0..10_003 {
        trail.refused(&asker, &deed(nth), "too many");
    }
    assert!(trail.flush(SOON).await.is_err() && trail.is_failing());
    assert_eq!(trail.waiting(), 10_003);
    // What follows is refused, so nothing else can be lost.
    assert!(trail.begin(&asker, deed(0)).await.is_err());
    fs::create_dir(&place).unwrap();
    trail.flush(SOON).await.unwrap();
    assert_eq!(trail.waiting(), 0);
    let lines = acts(&place.join("acts"));
    assert_eq!(lines.len(), 10_001);
    assert!(lines[..10_000].iter().enumerate().all(|(nth, line)| line["messages"] == nth));
    let last = &lines[10_000];
    assert_eq!((&last["act"], &last["count"]), (&json!("lines left out"), &json!(3)));
}
