//! Reads a message in its MIME form (RFC 5322, RFC 2045 to 2047) as it arrives: which files it has, with their digests,
//! and what the messages attached to it have. Nothing of it is kept but what the result shows, so its size does not
//! matter, and a message that is built to exhaust a reader meets a bound.
//!
//! Mail is written by its sender, so whatever can be read is read: a boundary that is missing, a header without an
//! end, or an encoding that breaks off end their part and nothing else.

mod decoder;
mod entity;
mod header;
mod reader;
mod room;

pub(crate) use header::is_message_file;
pub(crate) use reader::MimeReader;
pub(crate) use room::Room;

#[cfg(test)]
mod tests;
