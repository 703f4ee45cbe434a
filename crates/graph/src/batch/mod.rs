//! JSON batching: single requests of many callers travel together in `$batch` requests.

pub(crate) mod congestion;
pub(crate) mod fair_queue;
pub(crate) mod payload;
pub(crate) mod scheduler;
pub(crate) mod size;
