//! Promise: one Graph client serves the whole process. It signs in once for all calls, retries only what may be
//! retried, checks every response, puts requests into batches without losing any, stays within the limits of every
//! mailbox, and sends requests to the configured Graph only.

mod attachments;
mod batches;
mod bounds;
mod connections;
mod credentials;
mod echoes;
mod headers;
mod hunting;
mod mailbox_limit;
mod memory;
mod message_trace;
mod paths;
pub(crate) mod raw;
mod responses;
mod retries;
mod scripted;
mod slow_batches;
mod tenant;
mod tokens;
mod uploads;
mod user_list;
mod withdrawn;

use graph::{Path, Request};

/// Reads a user.
fn user(mailbox: &str) -> Request {
    Request::get(Path::user(mailbox).unwrap())
}

/// Lists a mailbox's messages.
fn messages(mailbox: &str) -> Request {
    let path = Path::messages(mailbox, None).unwrap().option("$top", "1").option("$select", "id");
    Request::get(path).in_mailbox(mailbox)
}
