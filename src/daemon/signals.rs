//! The signals by which an operator controls the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::{ExitCode, Failure};

/// The signals that the daemon handles, from its start on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// The signals that put changes on hold and release them.
pub(super) struct HoldSignals {
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
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(ExitCode::Failed, &error))
}

impl HoldSignals {
    /// Handles signals that would end the program otherwise.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { hold: on(SignalKind::user_defined1())?, release: on(SignalKind::user_defined2())? })
    }

    /// Waits for the next one. Returns whether it puts changes on hold, and its name. Of two that came at the same time,
    /// the hold comes last, so that it stays.
    pub(super) async fn next(&mut self) -> (bool, &'static str) {
        tokio::select! {
            biased;
            _ = self.release.recv() => (false, "SIGUSR2"),
            _ = self.hold.recv() => (true, "SIGUSR1"),
        }
    }
}

impl Signals {
    /// Handles signals that would end the program otherwise.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Request::Stop("SIGINT"),
            _ = self.hang_up.recv() => Request::Reload,
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
