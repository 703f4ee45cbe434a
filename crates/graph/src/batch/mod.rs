//! JSON batching: single requests of many callers travel together in `$batch` requests.

pub(crate) mod congestion;
pub(crate) mod exchange;
pub(crate) mod fair_queue;
mod gates;
pub(crate) mod payload;
pub(crate) mod scheduler;
pub(crate) mod size;
