//! The metrics of calls and their replies.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::ledger::Admission;
use crate::functions::Function;
use soar::Run;
use stomp::NotConfirmed;

/// Seconds: from a message that is moved to a search through a tenant that Graph throttles.
const DURATIONS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// The metrics of all sessions. Every series exists from the start.
#[derive(Debug)]
pub struct Metrics {
    deliveries: Family<DeliveryLabels, Counter>,
    redeliveries: Counter,
    callers: Family<CallerLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    durations: Family<FunctionLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    replies: Family<ReplyLabels, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    action: DeliveryAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: CallerKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    function: FunctionName,
    outcome: CallOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FunctionLabels {
    function: FunctionName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReplyLabels {
    outcome: ReplyOutcome,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            deliveries: Family::default(),
            redeliveries: Counter::default(),
            callers: Family::default(),
            calls: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            in_flight: Gauge::default(),
            replies: Family::default(),
        };
        for action in DeliveryAction::ALL {
            drop(metrics.deliveries.get_or_create(&DeliveryLabels { action }));
        }
        for caller in CallerKind::ALL {
            drop(metrics.callers.get_or_create(&CallerLabels { caller }));
        }
        for function in Function::ALL.map(FunctionName::of).into_iter().chain([FunctionName::UNKNOWN]) {
            for outcome in CallOutcome::ALL {
                drop(metrics.calls.get_or_create(&CallLabels { function, outcome }));
            }
            if function != FunctionName::UNKNOWN {
                drop(metrics.durations.get_or_create(&FunctionLabels { function }));
            }
        }
        for outcome in ReplyOutcome::ALL {
            drop(metrics.replies.get_or_create(&ReplyLabels { outcome }));
        }
        metrics
    }
}

impl Metrics {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "deliveries",
            "Messages the broker handed out, by what was to be done with them",
            self.deliveries.clone(),
        );
        registry.register(
            "redeliveries",
            "Messages that the broker marked as handed out before, to us or another worker",
            self.redeliveries.clone(),
        );
        registry.register(
            "calls_started",
            "Calls of known functions that began, by what called the function in SOAR",
            self.callers.clone(),
        );
        registry.register(
            "calls",
            "Calls that ended, by function and how; of messages that are no call of ours, the function is unknown",
            self.calls.clone(),
        );
        registry.register(
            "call_duration_seconds",
            "How long calls took, from their beginning to their result",
            self.durations.clone(),
        );
        registry.register("calls_in_flight", "Calls that are worked on", self.in_flight.clone());
        registry.register(
            "replies",
            "Final replies that were sent, every try, by what became of it",
            self.replies.clone(),
        );
    }

    /// Counts a delivery.
    pub fn delivered(&self, action: DeliveryAction, redelivered: bool) {
        self.deliveries.get_or_create(&DeliveryLabels { action }).inc();
        self.redeliveries.inc_by(redelivered.into());
    }

    /// Counts a call of a known function that begins.
    pub(super) fn started(&self, run: Option<&Run>) {
        self.callers.get_or_create(&CallerLabels { caller: CallerKind::of(run) }).inc();
    }

    /// Counts a call of a known function that has ended.
    pub fn ended(&self, function: Function, outcome: CallOutcome, took: Duration) {
        let function = FunctionName::of(function);
        self.calls.get_or_create(&CallLabels { function, outcome }).inc();
        self.durations.get_or_create(&FunctionLabels { function }).observe(took.as_secs_f64());
    }

    /// Counts a call that was abandoned.
    pub(super) fn abandoned(&self, function: Option<Function>) {
        let function = function.map_or(FunctionName::UNKNOWN, FunctionName::of);
        self.calls.get_or_create(&CallLabels { function, outcome: CallOutcome::Abandoned }).inc();
    }

    /// Counts a message that is not a call of a known function, or whose call was refused unread.
    pub(super) fn not_a_call(&self) {
        let labels = CallLabels { function: FunctionName::UNKNOWN, outcome: CallOutcome::Failed };
        self.calls.get_or_create(&labels).inc();
    }

    /// Counts one attempt to send a final reply.
    pub fn replied(&self, outcome: ReplyOutcome) {
        self.replies.get_or_create(&ReplyLabels { outcome }).inc();
    }

    /// Counts a call as running until the guard is dropped.
    pub fn running(&self) -> GaugeGuard {
        GaugeGuard::new(&self.in_flight)
    }
}

/// Adds one to a gauge while it exists.
#[derive(Debug)]
pub struct GaugeGuard(Gauge);

impl GaugeGuard {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What was to be done with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryAction {
    /// Run the call, which is new.
    New,
    /// Nothing: the call is running.
    UnderWay,
    /// Send the reply again, which was not confirmed.
    ReplyAgain,
    /// Acknowledge again a message whose reply was confirmed.
    AcknowledgeAgain,
}

impl DeliveryAction {
    const ALL: [Self; 4] = [Self::New, Self::UnderWay, Self::ReplyAgain, Self::AcknowledgeAgain];
}

impl From<&Admission> for DeliveryAction {
    fn from(admission: &Admission) -> Self {
        match admission {
            Admission::Run => Self::New,
            Admission::UnderWay => Self::UnderWay,
            Admission::ReplyAgain { .. } => Self::ReplyAgain,
            Admission::AcknowledgeAgain => Self::AcknowledgeAgain,
        }
    }
}

impl EncodeLabelValue for DeliveryAction {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::New => "new",
            Self::UnderWay => "under_way",
            Self::ReplyAgain => "reply_again",
            Self::AcknowledgeAgain => "acknowledge_again",
        };
        text.encode(encoder)
    }
}

/// The name of a function, or `unknown`. No name from a message becomes a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FunctionName(&'static str);

impl FunctionName {
    const UNKNOWN: Self = Self("unknown");

    fn of(function: Function) -> Self {
        Self(function.name())
    }
}

impl EncodeLabelValue for FunctionName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// What called the function in SOAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CallerKind {
    Workflow,
    Playbook,
    /// The message does not say it.
    Unknown,
}

impl CallerKind {
    const ALL: [Self; 3] = [Self::Workflow, Self::Playbook, Self::Unknown];

    fn of(run: Option<&Run>) -> Self {
        match run {
            Some(Run::Workflow { .. }) => Self::Workflow,
            Some(Run::Playbook { .. }) => Self::Playbook,
            None => Self::Unknown,
        }
    }
}

impl EncodeLabelValue for CallerKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Workflow => "workflow",
            Self::Playbook => "playbook",
            Self::Unknown => "unknown",
        };
        text.encode(encoder)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// The function succeeded.
    Succeeded,
    /// The function ended, and its results say `success: false`.
    Unsuccessful,
    /// The function failed.
    Failed,
    /// The call was abandoned, because its message has gone to another worker.
    Abandoned,
}

impl CallOutcome {
    const ALL: [Self; 4] = [Self::Succeeded, Self::Unsuccessful, Self::Failed, Self::Abandoned];
}

impl EncodeLabelValue for CallOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Succeeded => "succeeded",
            Self::Unsuccessful => "unsuccessful",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        };
        text.encode(encoder)
    }
}

/// How an attempt to send a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyOutcome {
    /// The broker has confirmed the reply.
    Confirmed,
    /// The connection was lost; the broker delivers the message again.
    Lost,
    /// The broker does not take the reply.
    Refused,
}

impl ReplyOutcome {
    const ALL: [Self; 3] = [Self::Confirmed, Self::Lost, Self::Refused];
}

impl From<&Result<(), NotConfirmed>> for ReplyOutcome {
    fn from(sent: &Result<(), NotConfirmed>) -> Self {
        match sent {
            Ok(()) => Self::Confirmed,
            Err(NotConfirmed::Refused(_) | NotConfirmed::RefusedByBroker(_)) => Self::Refused,
            Err(NotConfirmed::Stale | NotConfirmed::ConnectionLost | NotConfirmed::Closed) => Self::Lost,
        }
    }
}

impl EncodeLabelValue for ReplyOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Confirmed => "confirmed",
            Self::Lost => "lost",
            Self::Refused => "refused",
        };
        text.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauge_counts_its_guards() {
        let gauge = Gauge::default();
        let guards = [GaugeGuard::new(&gauge), GaugeGuard::new(&gauge)];
        assert_eq!(gauge.get(), 2);
        drop(guards);
        assert_eq!(gauge.get(), 0);
    }
}
