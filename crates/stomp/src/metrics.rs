//! What is counted of connections to the broker.

use net::metrics::Counter;

/// The counts, over all sessions that share them.
#[derive(Debug, Default)]
pub struct Meters {
    /// Connections whose every subscription the broker confirmed.
    pub subscribed: Counter,
    /// Connections that were not made, or were left for a failure.
    pub failures: Counter,
}
