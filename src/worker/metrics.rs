//! What is counted of calls and their replies.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::Admission;
use crate::functions::Function;
use net::metrics::{Counter, Each, Gauge, Histogram, Label};
use stomp::NotConfirmed;

/// From a message that is moved to a search through a tenant that Graph throttles.
const DURATIONS: &[Duration] = &[
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
];

/// The counts, over all sessions.
#[derive(Debug)]
pub struct Meters {
    /// Messages the broker handed out, by what was to be done with them.
    pub deliveries: Each<Arrival, Counter>,
    /// Those of them that the broker marks as handed out before, to us or another worker.
    pub redelivered: Counter,
    /// Calls that ended, by function and how.
    pub calls: Each<Called, Each<Ended, Counter>>,
    /// How long calls of a function of ours took.
    pub durations: Each<Called, Histogram>,
    /// Calls that are worked on.
    pub in_flight: Arc<Gauge>,
    /// Final replies, every try of each.
    pub replies: Each<Sending, Counter>,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            deliveries: Each::default(),
            redelivered: Counter::default(),
            calls: Each::default(),
            durations: Each::new(|| Histogram::new(DURATIONS)),
            in_flight: Arc::default(),
            replies: Each::default(),
        }
    }
}

impl Meters {
    pub(super) fn delivered(&self, admission: &Admission, redelivered: bool) {
        self.deliveries.of(Arrival::of(admission)).increment();
        self.redelivered.add(redelivered.into());
    }

    /// Counts a call of one of our functions.
    pub(super) fn ended(&self, function: Function, how: Ended, took: Duration) {
        let called = Called(Some(function));
        self.calls.of(called).of(how).increment();
        self.durations.of(called).observe(took);
    }

    /// Counts a call that was given up.
    pub(super) fn abandoned(&self, function: Option<Function>) {
        self.calls.of(Called(function)).of(Ended::Abandoned).increment();
    }

    /// Counts a message that is no call of one of our functions, or whose call was refused unread.
    pub(super) fn no_call(&self) {
        self.calls.of(Called(None)).of(Ended::Failed).increment();
    }

    pub(super) fn replied(&self, outcome: &Result<(), NotConfirmed>) {
        self.replies.of(Sending::of(outcome)).increment();
    }
}

/// What is to be done with a message of the broker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is new: run it.
    New,
    /// It came again while it is being worked on.
    UnderWay,
    /// It came again, done and without a confirmed reply: send that again.
    ReplyAgain,
    /// It came again after all was confirmed: acknowledge it.
    AcknowledgeAgain,
}

impl Arrival {
    fn of(admission: &Admission) -> Self {
        match admission {
            Admission::Run => Self::New,
            Admission::UnderWay => Self::UnderWay,
            Admission::ReplyAgain { .. } => Self::ReplyAgain,
            Admission::AcknowledgeAgain => Self::AcknowledgeAgain,
        }
    }
}

impl Label for Arrival {
    const ALL: &'static [Self] = &[Self::New, Self::UnderWay, Self::ReplyAgain, Self::AcknowledgeAgain];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::UnderWay => "under_way",
            Self::ReplyAgain => "reply_again",
            Self::AcknowledgeAgain => "acknowledge_again",
        }
    }
}

/// Which function was called: one of ours, or whatever else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called(pub Option<Function>);

const FUNCTIONS: usize = Function::ALL.len();

impl Label for Called {
    const ALL: &'static [Self] = &{
        let mut all = [Self(None); FUNCTIONS + 1];
        let mut nth = 0;
        while nth < FUNCTIONS {
            all[nth] = Self(Some(Function::ALL[nth]));
            nth += 1;
        }
        all
    };

    fn index(self) -> usize {
        Self::ALL.iter().position(|called| *called == self).unwrap_or(FUNCTIONS)
    }

    fn text(self) -> &'static str {
        self.0.map_or("unknown", Function::name)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It did what it was to do.
    Succeeded,
    /// It was worked through, and its results say `success: false`.
    Unsuccessful,
    /// It failed.
    Failed,
    /// It was given up, since its message has gone to another worker.
    Abandoned,
}

impl Label for Ended {
    const ALL: &'static [Self] = &[Self::Succeeded, Self::Unsuccessful, Self::Failed, Self::Abandoned];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Unsuccessful => "unsuccessful",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What became of sending a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// The broker has it.
    Confirmed,
    /// Its connection was lost; the message comes again.
    Lost,
    /// The broker does not take it.
    Refused,
}

impl Sending {
    fn of(outcome: &Result<(), NotConfirmed>) -> Self {
        match outcome {
            Ok(()) => Self::Confirmed,
            Err(NotConfirmed::Refused(_) | NotConfirmed::RefusedByBroker(_)) => Self::Refused,
            Err(NotConfirmed::Stale | NotConfirmed::ConnectionLost | NotConfirmed::Closed) => Self::Lost,
        }
    }
}

impl Label for Sending {
    const ALL: &'static [Self] = &[Self::Confirmed, Self::Lost, Self::Refused];

    fn index(self) -> usize {
        self as usize
    }

    fn text(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}
