//! The signals by which an operator controls the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::{ExitCode, Failure};

/// The signals that the daemon handles, from its start on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    hold: Signal,
    release: Signal,
}

/// What an operator requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// Stop, by the signal of this name.
    Stop(&'static str),
    /// Read the configuration again (SIGHUP).
    Reload,
    /// Put all changes on hold (`true`), or end that (`false`), by the signal of this name.
    Hold(bool, &'static str),
}

impl Signals {
    /// Handles signals that would end the program otherwise.
    pub(super) fn new() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|error| Failure::new(ExitCode::Failed, &error));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
            hold: on(SignalKind::user_defined1())?,
            release: on(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next request. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Request::Stop("SIGINT"),
            _ = self.hang_up.recv() => Request::Reload,
            _ = self.hold.recv() => Request::Hold(true, "SIGUSR1"),
            _ = self.release.recv() => Request::Hold(false, "SIGUSR2"),
        }
    }

    /// Waits for a request to stop; returns the name of the signal.
    pub(super) async fn stop(&mut self) -> &'static str {
        loop {
            if let Request::Stop(by) = self.next().await {
                return by;
            }
        }
    }
}
