//! What a function works with.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config::QueryLimits;
use crate::{graph, soar};

/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// What a function works with: the process's clients and limits, and this call's status messages.
#[derive(Debug, Clone)]
pub struct Context {
    /// Microsoft Graph.
    pub graph: graph::Client,
    /// SOAR, for notes and attachments.
    pub soar: soar::Client,
    /// The id of the message that asked for the call; the same when it is delivered again.
    pub call_id: String,
    /// How far a query goes.
    pub limits: QueryLimits,
    /// Where status messages go.
    pub status: Status,
}

/// The status messages of one call, which SOAR shows while it runs.
#[derive(Debug, Clone)]
pub struct Status(mpsc::UnboundedSender<String>);

impl Status {
    /// Status messages, and where they come out.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Says `text`. Nobody has to listen.
    pub fn say(&self, text: impl Into<String>) {
        let _ = self.0.send(text.into());
    }

    /// For work that takes long.
    pub(super) fn every_few_seconds(&self) -> Pace {
        Pace { status: self.clone(), last: Instant::now() }
    }
}

/// Status messages that do not come too fast.
pub(super) struct Pace {
    status: Status,
    last: Instant,
}

impl Pace {
    /// Says `text` if it is time to.
    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        if self.last.elapsed() >= PROGRESS_EVERY {
            self.last = Instant::now();
            self.status.say(text());
        }
    }
}
