//! What systemd is told of the daemon, where it is what started it: `sd_notify(3)`, a datagram a message, to the socket
//! that `NOTIFY_SOCKET` names. Anywhere else nobody is told anything.
//!
//! A sign of life is sent only after the daemon's loop, the session with the broker and the work on its deliveries have
//! shown some, so a daemon that hangs is started anew. One that waits for SOAR is alive.

use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::config::Environment;
use stomp::{Session, State};

/// The service manager, or nobody.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    socket: Option<UnixDatagram>,
    /// Within what time it wants a sign of life.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Whom the environment names.
    pub(super) fn of(environment: &Environment) -> Self {
        let Some(address) = environment.get_filled("NOTIFY_SOCKET") else { return Self::default() };
        match connected(address) {
            Ok(socket) => Self { socket: Some(socket), watchdog: watchdog(environment) },
            Err(error) => {
                warn!(address, %error, "systemd cannot be told anything");
                Self::default()
            }
        }
    }

    /// It begins; no calls are taken yet.
    pub(super) fn starting(&self) {
        self.tell("STATUS=waiting for SOAR and its broker");
    }

    /// It takes calls, by the newest settings.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// It takes up a configuration; [`Self::ready`] comes next.
    pub(super) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    /// It takes no calls any more.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing the calls that run");
    }

    /// Goes along with the session in service: tells how it is, and that it is alive. Does not come back; whoever
    /// polls it in a loop proves with each sign of life that the loop goes round.
    pub(super) async fn report(&self, session: Session) {
        tokio::join!(self.tell_states(&session), self.show_life(&session));
    }

    async fn tell_states(&self, session: &Session) {
        let mut state = session.state();
        loop {
            match &*state.borrow_and_update() {
                State::Subscribed { .. } => self.tell("STATUS=listening for calls"),
                State::Connecting { last: Some(failure), .. } => {
                    // A line break would end the message's value.
                    self.tell(&format!("STATUS={failure}; trying again").replace(['\n', '\r'], " "));
                }
                State::Connecting { last: None, .. } | State::Closed => {}
            }
            if state.changed().await.is_err() {
                return;
            }
        }
    }

    async fn show_life(&self, session: &Session) {
        let Some(within) = self.watchdog else { return pending().await };
        // Twice in the time, as systemd's manual advises, so that one may be late.
        let mut due = interval((within / 2).max(Duration::from_millis(1)));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if session.answers().await {
                self.tell("WATCHDOG=1");
            }
        }
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            debug!(%error, "systemd was not told");
        }
    }
}

/// A socket to the address, which is a path, or after an `@` a name in Linux's abstract namespace.
fn connected(address: &str) -> io::Result<UnixDatagram> {
    let address = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(address))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not listen must not hold up the calls.
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    Ok(socket)
}

/// How often this process is to show that it is alive.
fn watchdog(environment: &Environment) -> Option<Duration> {
    let ours = environment
        .get_filled("WATCHDOG_PID")
        .is_none_or(|process| process == std::process::id().to_string());
    let microseconds = environment.get_filled("WATCHDOG_USEC")?.parse().ok()?;
    (ours && microseconds > 0).then(|| Duration::from_micros(microseconds))
}
