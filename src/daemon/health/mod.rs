//! Health and metrics over HTTP: `/healthz`, `/readyz` and `/metrics`.
//!
//! The daemon is *alive* if its loop, the session with the broker and the worker respond, as for systemd's watchdog. It
//! is *ready* if it is subscribed and, as far as SOAR and Entra ID were asked recently, signed in to both. No response
//! names a mailbox, a host or an account, because everyone who reaches the address can read it.

mod checks;
mod exposition;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::exit_code::{ExitCode, Failure};
use crate::worker::Worker;

use checks::Checks;
pub(super) use server::Listener;

/// How long a sign of life may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(3);

/// The daemon's side of health and metrics.
#[derive(Debug)]
pub(super) struct HealthEndpoint {
    health: Arc<Health>,
    /// Requests for a sign of life of the daemon's loop.
    pub(super) pings: mpsc::Receiver<LivenessPing>,
    pub(super) listener: Option<Listener>,
}

/// What the HTTP server reads.
#[derive(Debug)]
struct Health {
    worker: Worker,
    /// Counts connections to the broker.
    broker: Arc<stomp::Metrics>,
    reloads: Family<ReloadLabels, Counter>,
    started: SystemTime,
    state: watch::Sender<ServiceState>,
    pings: mpsc::Sender<LivenessPing>,
    checks: Checks,
}

/// The outcome of reading the configuration again: `taken_up` or `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

impl ReloadLabels {
    const APPLIED: Self = Self { outcome: "taken_up" };
    const REFUSED: Self = Self { outcome: "refused" };
}

/// Where the daemon is in its life.
#[derive(Debug, Clone, Default)]
pub(super) enum ServiceState {
    /// No session is in service yet.
    #[default]
    Starting,
    /// Calls come over this session.
    Serving(stomp::Session, soar::Client),
    /// The daemon takes no more calls.
    Stopping,
}

/// A request for a sign of life of the daemon's loop.
#[derive(Debug)]
pub(super) struct LivenessPing(oneshot::Sender<()>);

/// Whether a probe passes, and the text of the response.
type ProbeResult = Result<String, String>;

impl LivenessPing {
    pub(super) fn answer(self) {
        // Fails if the request was given up.
        let _ = self.0.send(());
    }
}

impl HealthEndpoint {
    /// Listens at `address`, if there is one, for a daemon that starts.
    pub(super) fn new(worker: Worker, address: Option<SocketAddr>) -> Result<Self, Failure> {
        let (sender, pings) = mpsc::channel(1);
        let reloads = Family::default();
        for labels in [ReloadLabels::APPLIED, ReloadLabels::REFUSED] {
            drop(reloads.get_or_create(&labels));
        }
        let health = Arc::new(Health {
            worker,
            broker: Arc::default(),
            reloads,
            started: SystemTime::now(),
            state: watch::Sender::default(),
            pings: sender,
            checks: Checks::default(),
        });
        let listener = address.map(|address| health.listen(address)).transpose()?;
        Ok(Self { health, pings, listener })
    }

    /// Prepares a listener for another address. Returns `None` if the address is the present one, and `Some(None)` if
    /// there is to be no listener.
    #[allow(clippy::option_option)]
    pub(super) fn listen_at(&self, address: Option<SocketAddr>) -> Result<Option<Option<Listener>>, Failure> {
        if address == self.listener.as_ref().map(|listener| listener.address) {
            return Ok(None);
        }
        address.map(|address| self.health.listen(address)).transpose().map(Some)
    }

    pub(super) fn broker_metrics(&self) -> &Arc<stomp::Metrics> {
        &self.health.broker
    }

    /// Sets the state that the probes report.
    pub(super) fn show(&self, state: ServiceState) {
        self.health.state.send_replace(state);
    }

    /// Counts a configuration that was read again.
    pub(super) fn count_reload(&self, applied: bool) {
        let labels = if applied { ReloadLabels::APPLIED } else { ReloadLabels::REFUSED };
        self.health.reloads.get_or_create(&labels).inc();
    }

    /// Gives signs of life until dropped.
    pub(super) async fn answer_pings(&mut self) {
        while let Some(ping) = self.pings.recv().await {
            ping.answer();
        }
    }
}

impl Health {
    fn listen(self: &Arc<Self>, address: SocketAddr) -> Result<Listener, Failure> {
        Listener::start(address, Arc::clone(self)).map_err(|error| {
            Failure::new(
                ExitCode::BadConfiguration,
                &format!(
                    "cannot listen at {address} (health_listen): {error}; name an address of this machine and a port \
                     that is not in use"
                ),
            )
        })
    }

    fn state(&self) -> ServiceState {
        self.state.borrow().clone()
    }

    /// `/healthz`
    async fn alive(&self) -> ProbeResult {
        if !responds(&self.pings).await {
            return Err(format!("the daemon's loop does not answer within {ALIVE_WITHIN:?}"));
        }
        if let ServiceState::Serving(session, _) = self.state()
            && !timeout(ALIVE_WITHIN, session.answers()).await.unwrap_or(false)
        {
            return Err(format!("the session with the broker does not answer within {ALIVE_WITHIN:?}"));
        }
        Ok("alive".to_owned())
    }

    /// `/readyz`
    async fn ready(&self) -> ProbeResult {
        let (session, soar) = match self.state() {
            ServiceState::Starting => {
                return Err("waiting for SOAR and its broker; the log says why".to_owned());
            }
            ServiceState::Stopping => return Err("stopping".to_owned()),
            ServiceState::Serving(session, soar) => (session, soar),
        };
        let mut problems = Vec::new();
        if !is_subscribed(&session) {
            problems.push("the broker: not subscribed; the log says why");
        }
        let graph = self.worker.services().graph.clone();
        problems.extend(self.checks.problems(soar, graph).await);
        if problems.is_empty() { Ok("ready".to_owned()) } else { Err(problems.join("\n")) }
    }
}

/// Whether the loop that receives the pings answers in time.
async fn responds(pings: &mpsc::Sender<LivenessPing>) -> bool {
    let (ping, answered) = oneshot::channel();
    let answers = async { pings.send(LivenessPing(ping)).await.is_ok() && answered.await.is_ok() };
    timeout(ALIVE_WITHIN, answers).await.unwrap_or(false)
}

fn is_subscribed(session: &stomp::Session) -> bool {
    matches!(&*session.state().borrow(), stomp::State::Subscribed { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blocked_loop_is_not_alive_until_it_continues() {
        let (sender, mut pings) = mpsc::channel(1);
        // The first ping waits for an answer, the second for room in the channel.
        assert!(!responds(&sender).await);
        assert!(!responds(&sender).await);
        tokio::spawn(async move {
            while let Some(ping) = pings.recv().await {
                ping.answer();
            }
        });
        assert!(responds(&sender).await);
    }

    #[tokio::test(start_paused = true)]
    async fn ended_loop_is_not_alive() {
        let (sender, pings) = mpsc::channel(1);
        drop(pings);
        assert!(!responds(&sender).await);
    }
}
