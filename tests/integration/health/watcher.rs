//! An HTTP client that watches the daemon.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::deployment::{Daemon, SOON};
use crate::support::exposition::Metrics;
use crate::support::poll::poll;

pub(crate) struct Watcher {
    pub(crate) address: SocketAddr,
}

impl Watcher {
    /// Of where `daemon` says that it listens, the `nth` time it says so.
    pub(crate) async fn of(daemon: &mut Daemon, nth: usize) -> Self {
        const SAYS: &str = "health and metrics at http://";
        daemon.logged_times(SAYS, nth).await;
        let log = daemon.log();
        let start = log.match_indices(SAYS).nth(nth - 1).unwrap().0 + SAYS.len();
        let port = log[start..].split_whitespace().next().unwrap().rsplit_once(':').unwrap().1;
        Self { address: SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())) }
    }

    /// The status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: daemon\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (status(head), body.to_owned())
    }

    /// Sends `request` and reads until the daemon closes.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // It may be answered, and closed, before it is sent to its end.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an answer in time");
        String::from_utf8(answer).unwrap()
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        Metrics::read(&text)
    }

    /// Asks until the answer has that status; its body.
    pub(crate) async fn until(&self, path: &str, status: u16) -> String {
        poll(async || {
            let (is, body) = self.get(path).await;
            if is == status { Ok(body) } else { Err(format!("{path} is {is}, not {status}: {body}")) }
        })
        .await
    }

    /// Asks until the metrics are as wanted.
    pub(crate) async fn until_metrics(&self, what: &str, wanted: impl Fn(&Metrics) -> bool) -> Metrics {
        poll(async || {
            let metrics = self.metrics().await;
            if wanted(&metrics) { Ok(metrics) } else { Err(format!("{what}: {metrics:?}")) }
        })
        .await
    }
}

/// That of an answer's head.
pub(crate) fn status(head: &str) -> u16 {
    head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default().parse().unwrap()
}
