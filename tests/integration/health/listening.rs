//! Where the daemon listens, and which requests it accepts.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::health::watcher::{Watcher, status};
use crate::health::{LISTEN, watched};
use crate::support::deployment::{Daemon, Deployment, SOON};
use crate::support::poll::poll;

/// How many sockets the process listens at (`proc_pid_fd(5)`, `proc_pid_net(5)`; 0A is LISTEN).
fn listening_sockets(daemon: &Daemon) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
    let own: BTreeSet<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).unwrap());
    let listens = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| own.contains(*inode))
    };
    tables.iter().flat_map(|table| table.lines()).filter(listens).count()
}

#[tokio::test]
async fn no_port_is_open_unless_configured() {
    let deployment = Deployment::new().await;
    let daemon = deployment.daemon().await;
    assert_eq!(listening_sockets(&daemon), 0);
    let (mut watched, _) = watched(&deployment, &[]).await;
    watched.subscribed().await;
    assert_eq!(listening_sockets(&watched), 1);
    assert_eq!(watched.count_in_log("health_listen"), 0, "this machine's own address needs no warning");
}

#[tokio::test]
async fn public_address_is_warned_of() {
    let deployment = Deployment::new().await;
    let mut daemon = deployment.spawn(&deployment.app_config(&[], &[("health_listen", "0.0.0.0:0")]));
    daemon.logged("can be reached from other machines").await;
    let watcher = Watcher::of(&mut daemon, 1).await;
    watcher.until("/readyz", 200).await;
}

#[tokio::test]
async fn unusable_address_ends_the_start() {
    let deployment = Deployment::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    for (address, expected) in [
        ("localhost", "is not an address with a port"),
        (&taken.to_string(), "name an address of this machine and a port that is not in use"),
    ] {
        let daemon = deployment.spawn(&deployment.app_config(&[], &[("health_listen", address)]));
        let (code, _, log) = daemon.outcome().await;
        assert!(code == 2 && log.contains(expected) && log.contains("health_listen"), "{code}: {log}");
    }
}

#[tokio::test]
async fn reload_moves_the_listener_unless_unusable() {
    let deployment = Deployment::new().await;
    let configure = |app: &[(&str, &str)]| {
        deployment.write("app.config", &deployment.app_config(&[], app)).display().to_string()
    };
    let file = configure(&[LISTEN]);
    let mut daemon = Daemon::spawn(&["run", "--config-file", &file]);
    let first = Watcher::of(&mut daemon, 1).await;
    first.until("/readyz", 200).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&[("health_listen", &taken.local_addr().unwrap().to_string())]);
    daemon.signal("HUP").await;
    let metrics = first
        .until_metrics("the reload is counted", |metrics| {
            metrics.of("config_reloads_total", &[("outcome", "refused")]) >= 1.0
        })
        .await;
    assert_eq!(metrics.of("config_reloads_total", &[("outcome", "taken_up")]), 0.0);
    configure(&[("health_listen", "[::ffff:127.0.0.1]:0")]);
    daemon.signal("HUP").await;
    let second = Watcher::of(&mut daemon, 2).await;
    second
        .until_metrics("the reload is counted", |metrics| {
            metrics.of("config_reloads_total", &[("outcome", "taken_up")]) == 1.0
        })
        .await;
    port_is_closed(first.address).await;
    configure(&[]);
    daemon.signal("HUP").await;
    daemon.logged_times("in force for the calls that begin from now on: health and metrics", 2).await;
    port_is_closed(second.address).await;
}

/// Waits until the port is closed, which may be later than the log says.
async fn port_is_closed(address: SocketAddr) {
    poll(async || match TcpStream::connect(address).await {
        Ok(_) => Err(format!("{address} is still open")),
        Err(_) => Ok(()),
    })
    .await;
}

#[tokio::test]
async fn unknown_request_is_refused() {
    let deployment = Deployment::new().await;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    let long = format!("GET /healthz HTTP/1.1\r\nHost: d\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(200));
    for (request, expected) in [
        ("GET /metrics/ HTTP/1.1\r\nHost: d\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\nHost: d\r\n\r\n", 404),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: d\r\n\r\n", 404),
        ("GET /healthz?verbose HTTP/1.1\r\nHost: d\r\n\r\n", 200),
        ("POST /metrics HTTP/1.1\r\nHost: d\r\nContent-Length: 1000000000\r\n\r\n", 405),
        ("DELETE /healthz HTTP/1.1\r\nHost: d\r\n\r\n", 405),
        ("HELO there\r\n\r\n", 400),
        (&long, 431),
        (&many, 431),
    ] {
        let answer = watcher.exchange(request).await;
        assert_eq!(status(&answer), expected, "{request:.40}: {answer}");
        assert_eq!(answer.contains("allow: GET, HEAD\r\n"), expected == 405, "{answer}");
    }
    let with_body = watcher.exchange("GET /metrics HTTP/1.1\r\nHost: d\r\n\r\n").await;
    let without = watcher.exchange("HEAD /metrics HTTP/1.1\r\nHost: d\r\n\r\n").await;
    assert!(
        with_body.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{with_body:.300}"
    );
    assert!(status(&without) == 200 && without.ends_with("\r\n\r\n"), "{without}");
    // A connection takes one request only.
    let twice = watcher.exchange(&"GET /healthz HTTP/1.1\r\nHost: d\r\n\r\n".repeat(2)).await;
    assert_eq!(twice.matches("HTTP/1.1").count(), 1, "{twice}");
}

#[tokio::test]
async fn slow_client_does_not_block_others() {
    let deployment = Deployment::new().await;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    let slow = join_all((0..100).map(|_| async {
        let mut stream = TcpStream::connect(watcher.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").await.unwrap();
        stream
    }));
    let _held = slow.await;
    assert_eq!(watcher.get("/healthz").await.0, 200);
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(1)});
    let call = soar.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
}

#[tokio::test]
async fn silent_clients_do_not_keep_it_from_answering() {
    let deployment = Deployment::new().await;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        for _ in 0..100 {
            held.push(TcpStream::connect(watcher.address).await.unwrap());
        }
        // Less than the time that a silent client has for its request.
        let answer = timeout(Duration::from_secs(1), watcher.get("/healthz")).await;
        assert_eq!(answer.expect("an answer at once").0, 200);
    }
    assert_eq!(held.len(), 500);
}
