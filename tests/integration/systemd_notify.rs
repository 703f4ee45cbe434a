//! Promise: systemd knows when the daemon takes calls, reads its configuration, waits for its broker, stops, and
//! whether it is alive.

use std::collections::VecDeque;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdUnixDatagram};
use std::path::Path;

use crate::support::deployment::{Daemon, Deployment, SOON};
use sandbox::soar::rest::Failure;
use serde_json::json;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

const WAITING: &str = "STATUS=waiting for SOAR and its broker";
const LISTENING: &str = "STATUS=listening for calls";
const ALIVE: &str = "WATCHDOG=1";

/// systemd's end of the socket.
struct Manager {
    socket: UnixDatagram,
    address: String,
    /// Lines that came with one that was waited for.
    more: VecDeque<String>,
}

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        Self { socket, address: path.display().to_string(), more: VecDeque::new() }
    }

    fn in_abstract_namespace(name: &str) -> Self {
        let socket = StdUnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = UnixDatagram::from_std(socket).unwrap();
        Self { socket, address: format!("@{name}"), more: VecDeque::new() }
    }

    /// The next assignment.
    async fn received(&mut self) -> String {
        loop {
            if let Some(line) = self.more.pop_front() {
                return line;
            }
            let mut buffer = [0; 4096];
            let bytes =
                timeout(SOON, self.socket.recv(&mut buffer)).await.expect("a message in time").unwrap();
            self.more.extend(std::str::from_utf8(&buffer[..bytes]).unwrap().lines().map(str::to_owned));
        }
    }

    /// The assignments up to this one.
    async fn received_up_to(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != last) {
            lines.push(self.received().await);
        }
        lines
    }

    fn daemon(&self, deployment: &Deployment, environment: &[(&str, &str)]) -> Daemon {
        let file = deployment.write("app.config", &deployment.app_config(&[], &[]));
        let environment = [&[("NOTIFY_SOCKET", self.address.as_str())], environment].concat();
        Daemon::spawn_in(&environment, &["run", "--config-file", &file.display().to_string()])
    }
}

#[tokio::test]
async fn daemon_is_ready_once_it_takes_calls() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/functions/", 1, Failure::Status(503));
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let mut daemon = manager.daemon(&deployment, &[]);
    assert_eq!(manager.received().await, WAITING);
    assert_eq!(manager.received().await, "READY=1");
    assert_eq!(manager.received().await, LISTENING);
    daemon.subscribed().await;
    assert_eq!(daemon.count_in_log("a request to SOAR is tried again"), 1);
}

#[tokio::test]
async fn reload_and_stop_are_reported() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let mut daemon = manager.daemon(&deployment, &[]);
    manager.received_up_to(LISTENING).await;
    daemon.signal("HUP").await;
    assert_eq!([manager.received().await, manager.received().await], ["RELOADING=1", "READY=1"]);
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(manager.received().await, "STOPPING=1");
}

#[tokio::test]
async fn refused_reload_stays_in_the_status() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let daemon = manager.daemon(&deployment, &[]);
    manager.received_up_to(LISTENING).await;
    let refused = format!("STATUS=changed app.config refused, see the journal; {}", &LISTENING[7..]);
    deployment.write("app.config", &deployment.app_config(&[("port", "many")], &[]));
    daemon.signal("HUP").await;
    manager.received_up_to(&refused).await;
    deployment.sandbox.soar.broker.cut_connections();
    let lines = manager.received_up_to(&refused).await;
    assert!(
        lines.iter().any(|line| line.contains("refused") && line.ends_with("; trying again")),
        "{lines:?}"
    );
    deployment.write("app.config", &deployment.app_config(&[], &[]));
    daemon.signal("HUP").await;
    manager.received_up_to(LISTENING).await;
}

/// `JOURNAL_STREAM` for this file, as systemd sets it for the stream to its journal.
fn stream_of(file: &std::fs::File) -> String {
    let there = file.metadata().unwrap();
    format!("{}:{}", there.dev(), there.ino())
}

#[tokio::test]
async fn lines_for_the_journal_have_priorities_and_no_time() {
    let deployment = Deployment::new().await;
    let options = [("no_such_option", "1"), ("logfile", "own.log")];
    let app_config = deployment.write("app.config", &deployment.app_config(&options, &[]));
    let journal = deployment.directory().join("journal");
    for (is_journal, is_started) in [(true, true), (false, true), (true, false)] {
        let stderr = std::fs::File::create(&journal).unwrap();
        let stream = if is_journal { stream_of(&stderr) } else { "1:2".to_owned() };
        let file = if is_started { app_config.clone() } else { deployment.directory().join("nowhere") };
        let mut daemon = tokio::process::Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["run", "--config-file"])
            .arg(file)
            .env("JOURNAL_STREAM", stream)
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        if is_started {
            let queue = deployment.queue();
            assert!(deployment.sandbox.soar.broker.until(SOON, |broker| broker.consumers(&queue) > 0).await);
            daemon.kill().await.unwrap();
            let queue = deployment.queue();
            assert!(deployment.sandbox.soar.broker.until(SOON, |broker| broker.consumers(&queue) == 0).await);
        } else {
            daemon.wait().await.unwrap();
        }
        let text = std::fs::read_to_string(&journal).unwrap();
        if !is_started {
            assert!(text.starts_with("<3>fn-exchange-online: cannot read"), "{text}");
        } else if is_journal {
            assert!(
                text.contains("\n<4>WARNING [") && text.starts_with("<6>INFO [daemon] starting"),
                "{text}"
            );
        } else {
            assert!(text.contains(" WARNING [") && text.starts_with("20"), "{text}");
        }
    }
    // The file has the time in any case.
    let file = std::fs::read_to_string(deployment.directory().join("own.log")).unwrap();
    assert!(file.lines().all(|line| line.starts_with("20")), "{file}");
}

#[tokio::test]
async fn missing_broker_is_reported() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let mut daemon = manager.daemon(&deployment, &[]);
    manager.received_up_to(LISTENING).await;
    deployment.sandbox.soar.broker.cut_connections();
    let lines = manager.received_up_to(LISTENING).await;
    let (reason, _) = lines.split_last().unwrap().1.split_first().expect("a reason before it listens again");
    assert!(reason.starts_with("STATUS=") && reason.ends_with("; trying again"), "{lines:?}");
    daemon.logged_times("subscribed to", 2).await;
}

#[tokio::test]
async fn abstract_socket_is_supported() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::in_abstract_namespace(&format!("fn-exchange-online-{}", fastrand::u64(..)));
    let _daemon = manager.daemon(&deployment, &[]);
    assert_eq!(manager.received_up_to("READY=1").await, [WAITING, "READY=1"]);
}

#[tokio::test]
async fn watchdog_is_fed_by_every_session() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let mut daemon = manager.daemon(&deployment, &[("WATCHDOG_USEC", "50000")]);
    for _ in 0..3 {
        manager.received_up_to(ALIVE).await;
    }
    let soar = deployment.caller().await;
    let mailbox = json!({"exo_email_address": deployment.mailbox(1)});
    let call = soar.call("exchange_online_get_email_user_profile", mailbox).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    manager.received_up_to(ALIVE).await;
    // With other settings for SOAR comes another session.
    deployment.write("app.config", &deployment.app_config(&[("stomp_timeout", "61")], &[]));
    daemon.signal("HUP").await;
    daemon.logged("calls come over the new connection").await;
    for _ in 0..3 {
        manager.received_up_to(ALIVE).await;
    }
}

#[tokio::test]
async fn watchdog_of_another_process_is_not_fed() {
    let deployment = Deployment::new().await;
    let mut manager = Manager::at(&deployment.directory().join("notify"));
    let mut daemon = manager.daemon(&deployment, &[("WATCHDOG_USEC", "50000"), ("WATCHDOG_PID", "1")]);
    manager.received_up_to(LISTENING).await;
    daemon.signal("HUP").await;
    manager.received_up_to("READY=1").await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let lines = manager.received_up_to("STOPPING=1").await;
    assert!(!lines.iter().any(|line| line == ALIVE), "{lines:?}");
}

#[tokio::test]
async fn daemon_runs_without_a_manager() {
    let deployment = Deployment::new().await;
    let file = deployment.write("app.config", &deployment.app_config(&[], &[]));
    let nowhere = deployment.directory().join("nowhere").display().to_string();
    let arguments = ["run", "--config-file", &file.display().to_string()];
    let mut daemon = Daemon::spawn_in(&[("NOTIFY_SOCKET", &nowhere)], &arguments);
    daemon.logged("nothing can be reported to systemd").await;
    daemon.subscribed().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}
