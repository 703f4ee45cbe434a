//! What a function works with, and how it tells how far it is.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::call::{Call, PriorRun};
use super::incident_sink::IncidentSink;
use super::lease::Lease;
use crate::config::CallLimits;
use crate::guard::Guard;

/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// What a function works with: the process's clients and limits, and this call's status messages.
#[derive(Debug, Clone)]
pub struct Context {
    /// Microsoft Graph.
    pub graph: graph::Client,
    /// Where notes and attachments go.
    pub sink: IncidentSink,
    /// The call that is run.
    pub call: Call,
    /// What the call may change.
    pub guard: Guard,
    /// Whether it is still ours to run.
    pub lease: Lease,
    /// How far the call goes.
    pub limits: CallLimits,
    /// Where status messages go.
    pub status: Status,
}

impl Context {
    /// Whether the call may have been run in another run than this one, before or meanwhile, as far as is known now.
    pub(super) fn run_elsewhere(&self) -> PriorRun {
        if self.lease.is_in_doubt() { PriorRun::Likely } else { self.call.before }
    }

    /// Whether it may have been.
    pub(super) fn may_have_been_run(&self) -> bool {
        self.run_elsewhere() != PriorRun::None
    }
}

/// How far long work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Mailboxes or messages dealt with.
    pub done: usize,
    /// Mailboxes or messages to deal with, as far as they are known.
    pub total: usize,
    /// Whether more of them may become known.
    pub more: bool,
    /// What has come of it, for a search: messages found.
    pub found: Option<usize>,
}

/// The status messages of one call, which SOAR shows while it runs, and its progress in numbers.
#[derive(Debug, Clone)]
pub struct Status {
    texts: mpsc::UnboundedSender<String>,
    progress: watch::Sender<Option<Progress>>,
}

impl Status {
    /// Status messages, and where they come out.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (texts, receiver) = mpsc::unbounded_channel();
        (Self { texts, progress: watch::Sender::new(None) }, receiver)
    }

    /// The progress as it is now, and as it changes; `None` in work that takes no time to speak of.
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    /// Says `text`. Nobody has to listen.
    pub fn say(&self, text: impl Into<String>) {
        let _ = self.texts.send(text.into());
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
    /// Notes the progress, and says it in words, `text`, if it is time to.
    pub(super) fn say(&mut self, progress: Progress, text: impl FnOnce() -> String) {
        self.status.progress.send_replace(Some(progress));
        if self.last.elapsed() >= PROGRESS_EVERY {
            self.last = Instant::now();
            self.status.say(text());
        }
    }
}
