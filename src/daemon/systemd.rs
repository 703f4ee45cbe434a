//! Reports to systemd, if systemd started the daemon: `sd_notify(3)`, one datagram for each message, to the socket
//! named by `NOTIFY_SOCKET`. Without that variable nothing is reported.
//!
//! A sign of life is sent only after the daemon's loop, the session with the broker and the worker have responded, so
//! systemd restarts a daemon that hangs. A daemon that waits for SOAR is alive.

use std::fmt;
use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::config::Environment;
use stomp::{Session, State};

/// How long a message may take. A service manager that does not read must not block the daemon.
const SEND_WITHIN: Duration = Duration::from_secs(1);

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    socket: Option<UnixDatagram>,
    /// The longest time between two signs of life.
    watchdog: Option<Duration>,
    /// Whether all changes are on hold, which the status adds.
    hold: watch::Sender<bool>,
    status: Mutex<Status>,
}

/// What the status line says.
#[derive(Debug, Default)]
struct Status {
    /// The state of the session with the broker.
    session: String,
    /// Whether the newest configuration was refused, so that an older one is in force.
    is_refused: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, is_refused } = self;
        match (is_refused, session.as_str()) {
            (false, session) => f.write_str(session),
            (true, "") => f.write_str(REFUSED),
            (true, session) => write!(f, "{REFUSED}; {session}"),
        }
    }
}

const REFUSED: &str = "changed app.config refused, see the journal";

impl Systemd {
    /// Connects to the socket named by `NOTIFY_SOCKET`.
    pub(super) fn connect(environment: &Environment) -> Self {
        let Some(address) = environment.get_filled("NOTIFY_SOCKET") else { return Self::default() };
        let watchdog = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero());
        match connected(address) {
            Ok(socket) => Self { socket: Some(socket), watchdog, ..Self::default() },
            Err(error) => {
                warn!(address, %error, "nothing can be reported to systemd");
                Self::default()
            }
        }
    }

    /// The daemon starts; it takes no calls yet.
    pub(super) fn starting(&self) {
        self.show("waiting for SOAR and its broker");
    }

    /// The daemon takes calls, with the newest settings.
    pub(super) fn ready(&self) {
        self.notify(&[NotifyState::Ready]);
    }

    /// The daemon applies a configuration; [`Self::ready`] follows.
    pub(super) fn reloading(&self) {
        self.notify(&[NotifyState::Reloading]);
    }

    /// A changed configuration was refused, or taken up. A refusal stays in the status until one is taken up.
    pub(super) fn configuration_was_refused(&self, is_refused: bool) {
        let mut status = self.status.lock();
        if is_refused || status.is_refused {
            status.is_refused = is_refused;
            self.notify(&[NotifyState::Status(&status.to_string())]);
        }
    }

    /// Shows the state of the session in the status.
    fn show(&self, session: &str) {
        let mut status = self.status.lock();
        session.clone_into(&mut status.session);
        self.notify(&[NotifyState::Status(&status.to_string())]);
    }

    /// The daemon takes no more calls.
    pub(super) fn stopping(&self) {
        self.notify(&[NotifyState::Stopping, NotifyState::Status("finishing the calls that run")]);
    }

    /// All changes are on hold, or not any more.
    pub(super) fn hold(&self, hold: bool) {
        self.hold.send_if_modified(|now| std::mem::replace(now, hold) != hold);
    }

    /// Reports the state of the session in service, and signs of life. Does not return. The caller polls it in its
    /// loop, so each sign of life shows that the loop is not blocked.
    pub(super) async fn report(&self, session: Session) {
        tokio::join!(self.report_states(&session), self.report_life(&session));
    }

    async fn report_states(&self, session: &Session) {
        let (mut state, mut hold) = (session.state(), self.hold.subscribe());
        loop {
            let on_hold = *hold.borrow_and_update();
            match &*state.borrow_and_update() {
                State::Subscribed { .. } if on_hold => {
                    self.show("listening for calls; all changes are on hold");
                }
                State::Subscribed { .. } => self.show("listening for calls"),
                State::Connecting { last: Some(failure), .. } => {
                    // A line break would end the value.
                    let status = format!("{failure}; trying again").replace(['\n', '\r'], " ");
                    self.show(&status);
                }
                State::Connecting { last: None, .. } | State::Closed => {}
            }
            let changed = tokio::select! {
                changed = state.changed() => changed,
                Ok(()) = hold.changed() => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }

    async fn report_life(&self, session: &Session) {
        let Some(interval_limit) = self.watchdog else { return pending().await };
        // Twice within the limit, as systemd's manual advises, so that one may be late.
        let mut due = interval((interval_limit / 2).max(Duration::from_millis(1)));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if session.answers().await {
                self.notify(&[NotifyState::Watchdog]);
            }
        }
    }

    fn notify(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let message: Vec<String> = states.iter().map(ToString::to_string).collect();
        if let Err(error) = socket.send(message.join("\n").as_bytes()) {
            debug!(%error, "not reported to systemd");
        }
    }
}

/// A socket that sends to `address`: a path, or after an `@` a name in Linux's abstract namespace.
///
/// `sd_notify::notify` is not used for this: it knows only paths, and waits for a manager that does not read.
fn connected(address: &str) -> io::Result<UnixDatagram> {
    let address = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(address))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(SEND_WITHIN))?;
    Ok(socket)
}
