//! How a function reports its progress while it runs.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The shortest time between two progress messages.
const INTERVAL: Duration = Duration::from_secs(3);

/// The progress of long work, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The number of mailboxes or messages that are finished.
    pub done: usize,
    /// The number of mailboxes or messages that are known so far.
    pub total: usize,
    /// Whether the total may still grow.
    pub more: bool,
    /// The number of messages that a search found.
    pub found: Option<usize>,
}

/// The status messages of one call, which SOAR shows while it runs, and its progress in numbers.
#[derive(Debug, Clone)]
pub struct Status {
    texts: mpsc::UnboundedSender<String>,
    progress: watch::Sender<Option<Progress>>,
}

impl Status {
    /// Returns a status, and the receiver of its messages.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (texts, receiver) = mpsc::unbounded_channel();
        (Self { texts, progress: watch::Sender::new(None) }, receiver)
    }

    /// The progress as it changes; `None` for short work.
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    /// Sends a status message. Without a receiver the message is dropped.
    pub fn say(&self, text: impl Into<String>) {
        let _ = self.texts.send(text.into());
    }

    /// Returns a reporter for long work, which sends a message only every few seconds.
    pub(super) fn every_few_seconds(&self) -> Pace {
        Pace { status: self.clone(), last: Instant::now() }
    }
}

/// Limits the rate of status messages.
pub(super) struct Pace {
    status: Status,
    last: Instant,
}

impl Pace {
    /// Publishes the progress in numbers, and as a status message if the last one is old enough.
    pub(super) fn say(&mut self, progress: Progress, text: impl FnOnce() -> String) {
        self.status.progress.send_replace(Some(progress));
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            self.status.say(text());
        }
    }
}
