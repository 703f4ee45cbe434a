//! Each act has a line before it and a line after it, whatever happens in between.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fn_exchange_online::audit::{Act, ActOutcome, AuditRecord, Initiator, Trail};
use fn_exchange_online::config::AuditSettings;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::audit::{DELETE, DELETE_RESULTS, Fault, QUERY, Running, Target, acts, at, intents};
use crate::support::deployment::{Daemon, SOON};
use crate::support::poll::poll;
use crate::support::ports::free_port;
use sandbox::graph::Tenant;

/// The messages that the trail's intents name.
fn intended(trail: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(trail).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let begun = lines.filter(|line| line["outcome"] == "begun");
    begun
        .flat_map(|line| {
            let batch = line["batch"].as_array().cloned().unwrap_or_else(|| vec![line.clone()]);
            batch.into_iter().filter_map(|part| part["message_id"].as_str().map(str::to_owned))
        })
        .collect()
}

/// A file that cannot be written until the returned value is dropped: the writer of a trail waits for its lock, as for
/// a file system that does not answer.
fn hanging(path: &Path) -> File {
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    file
}

/// Waits until the writer of the trail waits for this file's lock. /proc/locks lists such a process with an arrow.
async fn writer_waits(file: &File) {
    let inode = format!(":{} ", file.metadata().unwrap().ino());
    poll(async || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let waits = locks.lines().any(|line| line.contains("->") && line.contains(&inode));
        if waits { Ok(()) } else { Err("the writer does not wait for the lock".to_owned()) }
    })
    .await;
}

fn results(mailbox: &str, ids: &[String]) -> Value {
    let list: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    let results = json!([{"email_address": mailbox, "email_list": list}]);
    json!({"exo_query_messages_results": results.to_string()})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intent_is_in_file_before_request() {
    let running = Running::new(&[]).await;
    let faults = running.deployment.sandbox.graph.faults();
    faults.next(1, Target::containing("DELETE"), Fault::Delay(Duration::from_secs(2)));
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "x", "y");
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = running.soar.call(DELETE, inputs).await.unwrap();
    crate::audit::graph_is_asked(&running.deployment).await;
    let begun = intents(&running.trail);
    assert_eq!(
        (begun.len(), &begun[0]["message_id"], &begun[0]["mailbox"]),
        (1, &json!(id), &json!(mailbox))
    );
    assert_eq!((acts(&running.trail).len(), &begun[0]["function"]), (0, &json!(DELETE)));
    call.reply(SOON).await.unwrap();
    let ended = acts(&running.trail);
    assert_eq!((&ended[0]["outcome"], &ended[0]["intent"]), (&json!("deleted"), &begun[0]["intent"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_deletion_has_an_intent_for_each_message() {
    let running = Running::new(&[("max_deletions", "250")]).await;
    let mailbox = running.deployment.mailbox(0);
    let ids: Vec<_> = (0..250).map(|_| running.deployment.add_message(&mailbox, "x", "y")).collect();
    let (_, reply) = running.call(DELETE_RESULTS, results(&mailbox, &ids)).await;
    assert_eq!(reply.results["content"]["messages_deleted"], 250, "{}", reply.message);
    assert_eq!(intended(&running.trail), ids.into_iter().collect());
    let begun = intents(&running.trail);
    let names: BTreeSet<_> = begun.iter().map(|line| line["intent"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), begun.len());
    let ended = acts(&running.trail);
    assert_eq!(ended.len(), 250);
    assert!(ended.iter().all(|line| names.contains(line["intent"].as_str().unwrap())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intent_of_cancelled_call_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acts");
    let hang = hanging(&file);
    let trail = Trail::at(at(&file));
    let asker = Arc::new(Initiator::default());
    tokio::select! {
        _ = trail.begin(&asker, AuditRecord::new(Act::SendMessage)) => panic!("the intent is written"),
        () = writer_waits(&hang) => {}
    }
    drop(hang);
    trail.begin(&asker, AuditRecord::new(Act::CreateMeeting)).await.unwrap().end(ActOutcome::Done, None);
    trail.flush(SOON).await.unwrap();
    let text = fs::read_to_string(file).unwrap();
    assert!(text.lines().count() == 2 && !text.contains("send message"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_that_wait_together_share_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acts");
    let hang = hanging(&file);
    let trail = Trail::at(at(&file));
    let (one, other) = (Arc::new(Initiator::default()), Arc::new(Initiator::default()));
    let message = |nth: usize| AuditRecord {
        message_id: Some(format!("M{nth}")),
        ..AuditRecord::new(Act::DeleteMessage)
    };
    let first = trail.begin(&other, AuditRecord::new(Act::SendMessage));
    let others = async {
        // The writer has the first one in hand from then on, so it takes the others together.
        writer_waits(&hang).await;
        let deletions = join_all((0..150).map(|nth| trail.begin(&one, message(nth))));
        let last = async {
            // Polled after the deletions, which are queued by then.
            drop(hang);
            trail.begin(&other, message(150)).await.unwrap()
        };
        tokio::join!(deletions, last)
    };
    let (first, (deletions, last)) = tokio::join!(first, others);
    drop((first, deletions, last));
    trail.flush(SOON).await.unwrap();
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let begun: Vec<_> = lines.filter(|line| line["outcome"] == "begun").collect();
    let sizes: Vec<_> = begun.iter().map(|line| line["batch"].as_array().map_or(1, Vec::len)).collect();
    assert_eq!(sizes, [1, 100, 50, 1], "{text}");
    assert!(begun[1].get("message_id").is_none() && begun[1]["batch"][99]["message_id"] == "M99");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forced_lines_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acts");
    let trail = Trail::at(AuditSettings { file: Some(file.clone()), fsync: true });
    let asker = Arc::new(Initiator::default());
    let begin = (0..100).map(|_| trail.begin(&asker, AuditRecord::new(Act::SendMessage)));
    for begun in join_all(begin).await {
        begun.unwrap().end(ActOutcome::Done, None);
    }
    trail.flush(SOON).await.unwrap();
    assert_eq!((intents(&file).len(), acts(&file).len()), (100, 100));
}

/// Answers to a GET of the daemon's health.
async fn health(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_file_stops_changes_and_nothing_else() {
    let port = free_port();
    let mut running = Running::new(&[("health_listen", &format!("127.0.0.1:{port}"))]).await;
    let away = running.trail.with_extension("away");
    fs::rename(&running.trail, &away).unwrap();
    let _hang = hanging(&running.trail);

    let (_, _, reply) = running.delete(0).await;
    assert!(reply.message.contains("does not answer") && reply.message.contains("Nothing was changed"));
    running.daemon.logged("the audit trail cannot be written").await;
    let asked = Instant::now();
    let (_, _, reply) = running.delete(0).await;
    assert!(reply.message.contains("does not answer"), "{}", reply.message);
    let query = json!({
        "exo_email_address": running.deployment.mailbox(0), "exo_message_subject": "Message",
        "incident_id": sandbox::soar::INCIDENT, "exo_query_output_format": ["Exchange Online data table"],
    });
    let (_, reply) = running.call(QUERY, query).await;
    assert_eq!(reply.message_type, 0, "{}", reply.message);
    assert!(health(port).await.starts_with("HTTP/1.1 200"));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(running.deleted(), 0);

    // Another file ends the wait, without a restart.
    let elsewhere = running.trail.with_file_name("elsewhere");
    fs::write(&running.config, crate::audit::app_config(&running.deployment, &elsewhere, &[])).unwrap();
    running.daemon.logged("in force for the calls that begin from now on: audit trail").await;
    running.delete(1).await;
    assert_eq!((running.deleted(), acts(&elsewhere).last().unwrap()["outcome"] == "deleted"), (1, true));

    fs::write(&running.config, crate::audit::app_config(&running.deployment, &away, &[])).unwrap();
    running.daemon.signal("HUP").await;
    running.daemon.logged_times("in force for the calls that begin from now on: audit trail", 2).await;
    let stopping = Instant::now();
    assert!(running.daemon.stop().await.success());
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_file_does_not_delay_shutdown() {
    let mut running = Running::new(&[]).await;
    let other = running.trail.with_extension("other");
    let _hang = hanging(&other);
    fs::rename(&other, &running.trail).unwrap();
    running.delete(0).await;
    let stopping = Instant::now();
    assert!(running.daemon.stop().await.success());
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_daemon_leaves_no_act_without_intent() {
    let mut running = Running::new(&[("max_deletions", "200")]).await;
    let full = running.trail.with_extension("full");
    // KILLS=50 is the long run.
    let rounds = std::env::var("KILLS").map_or(6, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let mailbox = running.deployment.mailbox(round % 20);
        let ids: Vec<_> = (0..200).map(|_| running.deployment.add_message(&mailbox, "x", "y")).collect();
        let before = running.deleted();
        running.soar.call(DELETE_RESULTS, results(&mailbox, &ids)).await.unwrap();
        let mail = json!({
            "exo_email_address": mailbox, "exo_recipients": "a@b.example", "exo_message_subject": "x",
            "exo_message_body": "y",
        });
        running.soar.call("exchange_online_send_message", mail).await.unwrap();
        let id = running.deployment.add_message(&mailbox, "x", "y");
        let moving = json!({
            "exo_email_address": mailbox, "exo_messages_id": id,
            "exo_destination_mailfolder_id": {"id": 1, "name": "junkemail"},
        });
        running.soar.call("exchange_online_move_message_to_folder", moving).await.unwrap();
        // Another moment in each round.
        let moment = before + 20 * round % 180;
        let deleting = |graph: &Tenant| graph.deleted().len() > moment;
        assert!(running.deployment.sandbox.graph.until(SOON, deleting).await);
        if round % 2 == 1 {
            // From now on the trail cannot be written: a symbolic link is not followed.
            fs::rename(&running.trail, &full).unwrap();
            symlink("/dev/full", &running.trail).unwrap();
            running.daemon.logged("the audit trail cannot be written").await;
        }
        running.daemon.signal("KILL").await;
        running.daemon.ended().await;
        if round % 2 == 1 {
            fs::rename(&full, &running.trail).unwrap();
        }
        // Graph ends what it has received.
        assert!(running.deployment.sandbox.graph.until(SOON, |graph| graph.requests_at_work() == 0).await);
        let intended = intended(&running.trail);
        let graph = &running.deployment.sandbox.graph;
        let deleted = graph.deleted();
        assert!(deleted.len() > before);
        for deleted in &deleted {
            assert!(intended.contains(&deleted.id), "round {round}: {} has no intent", deleted.id);
        }
        let text = fs::read_to_string(&running.trail).unwrap();
        let begun =
            |act: &str| text.lines().filter(|line| line.contains("begun") && line.contains(act)).count();
        assert!(begun("send message") >= graph.sent_mail().len(), "round {round}");
        assert!(begun("move message") >= graph.moved().len(), "round {round}");
        running.daemon = Daemon::spawn(&["run", "--config-file", running.config.to_str().unwrap()]);
        running.daemon.subscribed().await;
    }
    // The last daemon carries out what the others left in the queue.
    let moving = |graph: &Tenant| !graph.moved().is_empty();
    assert!(running.deployment.sandbox.graph.until(SOON, moving).await);
}
