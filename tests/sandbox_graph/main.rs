//! The sandbox's Graph tenant keeps Graph's rules: what passes here passes there, and what Graph refuses is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batches;
mod calendar;
mod client;
mod compose;
mod directory;
mod faults;
mod messages;
mod queries;
mod tokens;
