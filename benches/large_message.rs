//! A large message on its way from Graph to the incident: how much memory it costs the daemon.
//!
//! The daemon is a process of its own, so that its memory is its own; the sandbox is in this one. Prints the
//! peak of the daemon's resident memory before and after, and how long the call took.
//!
//! `cargo bench --bench large_message`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::rest::Owner;
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::json;

const MIB: u64 = 1 << 20;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox =
        Sandbox::start(directory.path(), TenantOptions::default(), SoarOptions::default()).await.unwrap();
    let app_config = sandbox.write_app_config(&[]).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .args(["run", "--config-file"])
        .arg(app_config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let queue = sandbox.soar.actions_queue();
    assert!(sandbox.soar.broker.until(Duration::from_secs(20), |broker| broker.consumers(&queue) > 0).await);
    let caller = sandbox.caller().await.unwrap();

    println!("{:>12} {:>10} {:>22}", "message", "time", "peak memory of daemon");
    println!("{:>12} {:>10} {:>18} MiB", "none", "", peak_kib(daemon.id()) / 1024);
    for mib in [1, 10, 100, 200] {
        let planted = sandbox.graph.planted().remove(0);
        assert!(sandbox.graph.set_mime_bytes(&planted.mailbox, &planted.id, mib * MIB));
        let started = Instant::now();
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_email_address": planted.mailbox,
            "exo_messages_id": planted.id,
            "exo_attachment_name": format!("{mib}.eml"),
        });
        let call = caller.call("exchange_online_write_message_as_attachment", inputs).await.unwrap();
        let reply = call.reply(Duration::from_secs(120)).await.unwrap();
        assert_eq!(reply.results["success"], json!(true), "{}", reply.message);
        let written = sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
        assert_eq!(written.last().unwrap().size, mib * MIB);
        let took = started.elapsed().as_secs_f64();
        let peak = peak_kib(daemon.id()) / 1024;
        println!("{mib:>8} MiB {took:>8.2} s {peak:>18} MiB");
        assert!(peak < 40, "a large message is held in memory");
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

/// The most memory the process ever had.
fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
