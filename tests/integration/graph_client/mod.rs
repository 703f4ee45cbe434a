//! Promise: one Graph client serves the whole process. It signs in once for everybody, repeats what may be
//! repeated and nothing else, puts requests into batches without losing any, stays within the limits of every
//! mailbox, and never leaves the Graph it was told of.

mod batches;
mod bounds;
mod connections;
mod credentials;
mod paths;
mod retries;
mod scripted;
mod tenant;
mod tokens;

use graph::{Path, Request};

/// Asks for a user.
fn user(mailbox: &str) -> Request {
    Request::get(Path::user(mailbox).unwrap())
}

/// Asks for a mailbox's messages.
fn messages(mailbox: &str) -> Request {
    let path = Path::messages(mailbox, None).unwrap().option("$top", "1").option("$select", "id");
    Request::get(path).in_mailbox(mailbox)
}
