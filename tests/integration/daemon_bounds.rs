//! Promise: whatever a broker sends, however much and however fast, the daemon answers it and does not grow.

use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, OtherBroker, SOON};
use crate::support::peer::{Line, Peer};
use crate::support::tls::Authority;
use serde_json::{Value, json};
use stomp::ClientCommand;

const MIB: usize = 1 << 20;

/// A daemon whose broker does what the test says, with these options in `[resilient]`.
pub(crate) async fn with_peer(resilient: &[(&str, &str)]) -> (Deployment, Daemon, Peer, Line) {
    let authority = Authority::new();
    let peer = Peer::new(&authority.vouch_for(&["localhost"])).await;
    let login = ("key", "secret");
    let broker = OtherBroker { port: peer.port(), ca_file: authority.file(), login };
    let deployment = Deployment::with_broker(broker).await;
    let daemon = deployment.spawn(&deployment.app_config(resilient, &[]));
    let line = peer.serve().await;
    (deployment, daemon, peer, line)
}

/// The most memory the process has had, in bytes.
fn peak(daemon: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// The next final reply that the daemon sends, confirmed and with its transaction done.
pub(crate) async fn reply(line: &mut Line) -> Value {
    loop {
        let frame = line.frame().await;
        if frame.header("receipt").is_some() {
            line.confirm(&frame).await;
        }
        if frame.command == ClientCommand::Send && frame.header("transaction").is_some() {
            return serde_json::from_slice(&frame.body).unwrap();
        }
    }
}

fn profile_call(filler: usize) -> String {
    let inputs = json!({"exo_email_address": "unknown@contoso.example", "filler": "x".repeat(filler)});
    json!({"function": {"name": "exchange_online_get_email_user_profile"}, "inputs": inputs}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_message_is_answered_and_next_call_runs() {
    let (_deployment, daemon, _peer, mut line) = with_peer(&[]).await;
    let before = peak(&daemon);
    let length = 300 * MIB;
    let head = format!(
        "MESSAGE\nmessage-id:m1\nack:a1\ndestination:/queue/actions.201.fn\nreply-to:/queue/acks.201.fn\ncorrelation-id:invid\\c1\n\
         content-length:{length}\n\n"
    );
    line.send_raw(head.as_bytes()).await;
    let piece = vec![b' '; MIB];
    for _ in 0..300 {
        line.send_raw(&piece).await;
    }
    line.send_raw(b"\0").await;
    let answer = reply(&mut line).await;
    assert_eq!(answer["message_type"], 1, "{answer}");
    let expected = "The message of this call cannot be read, so nothing was done: the body of a STOMP frame is \
                    larger than 100663296 bytes.";
    assert_eq!(answer["message"], expected);
    assert!(peak(&daemon) < before + 64 * MIB, "{} MiB, from {}", peak(&daemon) / MIB, before / MIB);
    line.deliver("m2", "a2", &profile_call(0)).await;
    let answer = reply(&mut line).await;
    assert_eq!(answer["results"]["content"]["error"]["code"], "Request_ResourceNotFound", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_memory_limit_are_refused() {
    let (deployment, daemon, _peer, mut line) = with_peer(&[("num_workers", "1")]).await;
    // The first call does not end; the others wait for its place.
    deployment.sandbox.graph.faults().set_latency(Duration::from_secs(25), Duration::ZERO);
    let call = profile_call(80 * MIB);
    for nth in 0..7 {
        line.deliver(&format!("m{nth}"), &format!("a{nth}"), &call).await;
    }
    let answer = reply(&mut line).await;
    let text = answer["message"].as_str().unwrap();
    assert_eq!(answer["message_type"], 1);
    assert!(text.starts_with("The integration is at work on 480 MiB of calls and takes no more"), "{text}");
    assert!(peak(&daemon) < 1100 * MIB, "{} MiB", peak(&daemon) / MIB);
    deployment.sandbox.graph.faults().set_latency(Duration::ZERO, Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn message_with_too_many_values_runs_no_function() {
    let deployment = Deployment::new().await;
    let daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut body = r#"{"function":{"name":"exchange_online_get_message"},"inputs":{"a":[1"#.to_owned();
    (0..10_000_000).for_each(|_| body.push_str(",1"));
    body.push_str("]}}");
    soar.send_raw(soar.usual_headers("invid:1"), body).await.unwrap();
    let reply = soar.answers_to("invid:1").reply(SOON).await.unwrap();
    assert_eq!(reply.message, "The message from SOAR holds more than 100000 values, so no function was run.");
    assert!(peak(&daemon) < 250 * MIB, "{} MiB", peak(&daemon) / MIB);
    deployment.queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_result_is_answered_with_error() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &[("max_reply_mb", "1")]));
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    let mailbox = deployment.mailbox(1);
    let id = deployment.add_message(&mailbox, "Large", &"x".repeat(MIB));
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = soar.call("exchange_online_get_message", inputs).await.unwrap();
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    assert!(
        reply.message.starts_with(
            "The function ended, but its results are larger than a reply may be (1 MiB, max_reply_mb)."
        ),
        "{}",
        reply.message
    );
    deployment.queue_is_empty().await;
}
