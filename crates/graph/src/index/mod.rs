//! What message trace and advanced hunting share: both are indexes of the tenant's mail, which know a limited time and
//! answer a limited number of requests.

pub(crate) mod coverage;
pub(crate) mod matching;
pub(crate) mod quota;

use tokio::time::Instant;

/// What a query of an index may take.
#[derive(Debug, Clone, Copy)]
pub struct IndexLimits {
    /// When the query ends, whatever it has found until then.
    pub until: Instant,
    /// The most rows.
    pub most_rows: usize,
    /// The most rows of one request.
    pub page: usize,
}

impl IndexLimits {
    /// The usual limits of a query that ends at `until`.
    pub fn until(until: Instant) -> Self {
        Self { until, most_rows: 50_000, page: 5_000 }
    }
}
