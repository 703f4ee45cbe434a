//! Metrics of the connections to the broker.

use net::metrics::Counter;

/// Counters that several sessions share.
#[derive(Debug, Default)]
pub struct Meters {
    /// Connections on which the broker confirmed every subscription.
    pub subscribed: Counter,
    /// Attempts to connect that failed, and connections that ended with a failure.
    pub failures: Counter,
}
