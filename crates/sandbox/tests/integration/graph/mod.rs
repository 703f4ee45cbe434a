//! The sandbox's Graph tenant follows Graph's rules: what passes here passes there, and what Graph refuses is refused.

mod attachments;
mod batches;
mod calendar;
mod directory;
mod drafts;
mod faults;
mod folders;
mod hunting;
mod ids;
mod mailbox_faults;
mod mailbox_items;
mod marks;
mod meetings;
mod message_trace;
mod messages;
mod pace;
mod paging;
mod queries;
mod response_faults;
pub(crate) mod setup;
mod timing;
mod tokens;
