//! The settings of a session.

use std::sync::Arc;
use std::time::Duration;

use net::{Backoff, ProxyUrl, Secret};

use crate::metrics::Metrics;

/// Where the broker is, how to log in, and what to subscribe to.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The broker's host: name or address. The broker's certificate must be made for this name.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// The HTTP proxy that leads to the broker.
    pub proxy: Option<ProxyUrl>,
    /// The TLS configuration, which says which certificates are trusted.
    pub tls: Arc<rustls::ClientConfig>,
    /// API key id, or e-mail address.
    pub login: String,
    /// API key secret, or password.
    pub passcode: Secret,
    /// The queues to read, each once, e.g. `actions.201.fn_exchange_online`.
    pub destinations: Vec<String>,
    /// The number of unacknowledged messages that the broker hands out for each destination.
    pub prefetch: u16,
    /// The longest wait for a connection, and for a receipt.
    pub timeout: Duration,
    /// The heart-beats that the session offers and asks for.
    pub heart_beat: HeartBeatOffer,
    /// The waits between attempts to connect; usually [`RECONNECT`](super::RECONNECT).
    pub reconnect: Backoff,
    /// Counts the connections.
    pub metrics: Arc<Metrics>,
}

/// The two numbers of a CONNECT's `heart-beat` header (STOMP 1.2, "Heart-beating"); zero means none. In each
/// direction the larger number of the two sides applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartBeatOffer {
    /// The interval in which the session can send a heart-beat.
    pub send: Duration,
    /// The interval in which the session wants one. After three times the agreed interval without a byte the
    /// session closes the connection.
    pub expect: Duration,
}

impl Default for HeartBeatOffer {
    /// The session must close a dead connection before the broker does: a broker that is first hands the calls to
    /// another worker while this process still runs them. The session closes after three times 5 s. A broker closes
    /// 25 s after the last heart-beat at the earliest, and that is never older than a quarter of 25 s.
    fn default() -> Self {
        Self { send: Duration::from_secs(25), expect: Duration::from_secs(5) }
    }
}
