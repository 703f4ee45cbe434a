//! What the scheduler tells of the requests to Graph.

use tokio::time::Instant;

/// The state of the requests to Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestState {
    /// How many requests may be at work now. Of a batch, four are.
    pub window: usize,
    /// How many requests are at work.
    pub at_work: usize,
    /// How many requests wait for a place.
    pub waiting: usize,
    /// How many requests Graph has answered and not throttled, since the start.
    pub accepted: u64,
    /// Graph throttles in general, and asked to send nothing before this time.
    pub paused_until: Option<Instant>,
}
