//! The metrics of connections to the broker.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The metrics of all sessions that share them.
#[derive(Debug, Default)]
pub struct Metrics {
    subscribed: Counter,
    failures: Counter,
}

impl Metrics {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "broker_connections",
            "Connections to the broker that were subscribed; all after the first are reconnects",
            self.subscribed.clone(),
        );
        registry.register(
            "broker_failures",
            "Connections to the broker that were not made, or that broke",
            self.failures.clone(),
        );
    }

    /// Counts a connection whose every subscription the broker confirmed.
    pub(crate) fn subscribed(&self) {
        self.subscribed.inc();
    }

    /// Counts a connection that was not made, or that failed.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }
}
