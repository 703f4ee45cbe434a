//! What an operator asks by signals.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::{Failure, OTHER};

/// Signals, from now on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop, by the signal of this name.
    Stop(&'static str),
    /// To read the configuration again, by SIGHUP.
    Reload,
}

impl Signals {
    /// Takes signals in hand that would end the program otherwise.
    pub(super) fn new() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|error| Failure::new(OTHER, &error));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits for the next. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits to be told to stop; says by what.
    pub(super) async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(by) = self.next().await {
                return by;
            }
        }
    }
}
