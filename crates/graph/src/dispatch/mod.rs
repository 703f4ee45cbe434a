//! What is sent to Graph when, and how: by itself or in batches, within the limits that Graph shows.

mod admission;
mod carrier;
mod choice;
mod epoch;
mod fair_queue;
mod gather;
mod hedge;
pub(crate) mod lane;
mod latency;
mod sample;
pub(crate) mod scheduler;
#[cfg(test)]
mod simulation;
mod window;

pub(crate) use admission::Limits;
