//! The sandbox's Graph tenant follows Graph's rules: what passes here passes there, and what Graph refuses is refused.

mod batches;
mod calendar;
mod directory;
mod drafts;
mod faults;
mod messages;
mod queries;
mod setup;
mod tokens;
