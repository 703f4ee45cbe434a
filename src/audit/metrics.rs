//! The metric of acts, by kind and outcome.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Act, ActOutcome};

/// How many acts of each kind ended how. Every series exists from the start.
#[derive(Debug)]
pub(super) struct Metrics(Family<ActLabels, Counter>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActLabels {
    act: Act,
    outcome: ActOutcome,
}

impl Default for Metrics {
    fn default() -> Self {
        let acts = Family::default();
        for act in Act::ALL {
            for outcome in ActOutcome::ALL {
                drop(acts.get_or_create(&ActLabels { act, outcome }));
            }
        }
        Self(acts)
    }
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "audited_acts",
            "Acts that ended, as the audit trail has them, by kind and outcome",
            self.0.clone(),
        );
    }

    pub(super) fn count(&self, act: Act, outcome: ActOutcome) {
        self.0.get_or_create(&ActLabels { act, outcome }).inc();
    }

    /// Returns how many acts that change a mailbox ended so.
    pub(super) fn changes(&self, outcome: ActOutcome) -> usize {
        let acts = Act::ALL.into_iter().filter(|act| act.changes_mailbox());
        let counted: u64 = acts.map(|act| self.0.get_or_create(&ActLabels { act, outcome }).get()).sum();
        usize::try_from(counted).unwrap_or(usize::MAX)
    }
}

impl EncodeLabelValue for Act {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.text().replace(' ', "_").as_str().encode(encoder)
    }
}

impl EncodeLabelValue for ActOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Done => "done",
            Self::NotDone => "not_done",
            Self::Unknown => "unknown",
            Self::WouldBeDone => "would_be_done",
            Self::Gone => "gone",
            Self::Refused => "refused",
        };
        text.encode(encoder)
    }
}
