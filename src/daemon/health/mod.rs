//! How the daemon is, for whoever asks over HTTP: `/healthz`, `/readyz` and `/metrics`.
//!
//! Alive is who answers: the daemon's loop, the session with the broker and the work on its deliveries are each asked
//! for a sign of life, as for systemd's watchdog. Ready is who is subscribed and, as far as SOAR and Entra ID were asked
//! lately, signed in to both. The answers name no mailbox, no host and no account, since anybody may read them who
//! reaches the address.

mod checks;
mod exposition;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::exit_code::{BAD_CONFIGURATION, Failure};
use crate::log::Log;
use crate::worker::Worker;
use net::metrics::Counter;

use checks::Checks;
pub(super) use server::Listener;

/// How long a sign of life may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(3);

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Health {
    worker: Worker,
    /// What counts connections to the broker.
    pub(super) connections: Arc<stomp::Meters>,
    /// What counts configurations that were read again.
    pub(super) reloads: Reloads,
    /// How many acts are on record.
    acts: Arc<Counter>,
    started: SystemTime,
    view: watch::Sender<ServiceState>,
    door: mpsc::Sender<LivenessPing>,
    checks: Checks,
}

/// Configurations that were read again.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    /// They are in force.
    pub(super) taken_up: Counter,
    /// They could not be used.
    pub(super) refused: Counter,
}

/// Where the daemon is in its life.
#[derive(Debug, Clone, Default)]
pub(super) enum ServiceState {
    /// It was not subscribed yet.
    #[default]
    Starting,
    /// Its calls come over this session.
    Serving(stomp::Session, soar::Client),
    /// It takes no calls any more.
    Stopping,
}

/// Whoever wants a sign of life of the daemon's loop.
#[derive(Debug)]
pub(super) struct LivenessPing(oneshot::Sender<()>);

impl LivenessPing {
    /// Gives it.
    pub(super) fn answer(self) {
        // They may have left.
        let _ = self.0.send(());
    }
}

/// What is answered: whether it is well, and what there is to say.
pub(super) type Answer = Result<String, String>;

impl Health {
    /// Of a daemon that starts, whose loop is to answer the knocks.
    pub(super) fn new(worker: Worker, log: &Log) -> (Arc<Self>, mpsc::Receiver<LivenessPing>) {
        let (door, knocks) = mpsc::channel(1);
        let health = Self {
            worker,
            connections: Arc::default(),
            reloads: Reloads::default(),
            acts: Arc::clone(log.acts()),
            started: SystemTime::now(),
            view: watch::Sender::default(),
            door,
            checks: Checks::default(),
        };
        (Arc::new(health), knocks)
    }

    /// Says where the daemon is.
    pub(super) fn show(&self, view: ServiceState) {
        self.view.send_replace(view);
    }

    /// Listens at `address`.
    ///
    /// # Errors
    /// The system does not grant it.
    pub(super) fn listen(self: &Arc<Self>, address: SocketAddr) -> Result<Listener, Failure> {
        Listener::start(address, Arc::clone(self)).map_err(|error| {
            Failure::new(
                BAD_CONFIGURATION,
                &format!(
                    "cannot listen at {address} (health_listen): {error}; name an address of this machine and a port \
                     that nobody has"
                ),
            )
        })
    }

    fn view(&self) -> ServiceState {
        self.view.borrow().clone()
    }

    /// `/healthz`
    async fn alive(&self) -> Answer {
        if !goes_round(&self.door).await {
            return Err(format!("the daemon's loop does not answer within {ALIVE_WITHIN:?}"));
        }
        if let ServiceState::Serving(session, _) = self.view()
            && !timeout(ALIVE_WITHIN, session.answers()).await.unwrap_or(false)
        {
            return Err(format!("the session with the broker does not answer within {ALIVE_WITHIN:?}"));
        }
        Ok("alive".to_owned())
    }

    /// `/readyz`
    async fn ready(&self) -> Answer {
        let (session, soar) = match self.view() {
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

/// Whether the loop behind `door` answers in time.
async fn goes_round(door: &mpsc::Sender<LivenessPing>) -> bool {
    let (knock, answered) = oneshot::channel();
    let answers = async { door.send(LivenessPing(knock)).await.is_ok() && answered.await.is_ok() };
    timeout(ALIVE_WITHIN, answers).await.unwrap_or(false)
}

fn is_subscribed(session: &stomp::Session) -> bool {
    matches!(&*session.state().borrow(), stomp::State::Subscribed { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_hangs_is_not_taken_for_alive_and_one_that_goes_on_again_is() {
        let (door, mut knocks) = mpsc::channel(1);
        // The first waits for an answer, the second for room before the door.
        assert!(!goes_round(&door).await);
        assert!(!goes_round(&door).await);
        tokio::spawn(async move {
            while let Some(knock) = knocks.recv().await {
                knock.answer();
            }
        });
        assert!(goes_round(&door).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_is_not_alive() {
        let (door, knocks) = mpsc::channel(1);
        drop(knocks);
        assert!(!goes_round(&door).await);
    }
}
