//! A STOMP frame and its headers.

use std::fmt;

use bytes::Bytes;

use crate::reply_body::ReplyBody;

/// One STOMP frame. `C` is [`ClientCommand`](super::ClientCommand) or
/// [`ServerCommand`](super::ServerCommand). The builders of `stomp-rs` convert into this type. Unlike theirs, the
/// body is bytes (a broker may send anything), and headers keep their order and repetitions.
#[derive(Clone, PartialEq)]
pub struct Frame<C> {
    /// The frame's command.
    pub command: C,
    /// Its headers, unescaped.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
    /// Further pieces of the body. Only a frame to be sent has any.
    pub(crate) more: Vec<Bytes>,
    /// What could not be read and was left out, if anything. Only a message has this, and only from a codec that
    /// [salvages](super::FrameCodec::salvaging) messages.
    pub damage: Option<String>,
}

impl<C> Frame<C> {
    /// A frame without headers and body.
    pub fn new(command: C) -> Self {
        Self { command, headers: Headers::default(), body: Bytes::new(), more: Vec::new(), damage: None }
    }

    /// The same frame with the command that `other` makes of its own.
    pub fn map_command<D>(self, other: impl FnOnce(C) -> D) -> Frame<D> {
        let Self { command, headers, body, more, damage } = self;
        Frame { command: other(command), headers, body, more, damage }
    }

    /// The value of header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Adds a header at the end.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body of a frame to be sent, in pieces.
    pub(crate) fn with_pieces(mut self, body: &ReplyBody) -> Self {
        let mut pieces = body.pieces().iter().cloned();
        self.body = pieces.next().unwrap_or_default();
        self.more = pieces.collect();
        self
    }

    /// The length of the body, of all its pieces.
    pub(crate) fn body_len(&self) -> usize {
        self.body.len() + self.more.iter().map(Bytes::len).sum::<usize>()
    }

    /// Sets the body; the encoder writes `content-length`.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl<C: fmt::Debug> fmt::Debug for Frame<C> {
    /// Leaves out the body: it holds what is investigated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("command", &self.command)
            .field("headers", &self.headers)
            .field("bytes", &self.body_len())
            .finish_non_exhaustive()
    }
}

impl<C: Into<&'static str>> From<stomp_rs::protocol::Frame<C>> for Frame<C> {
    fn from(frame: stomp_rs::protocol::Frame<C>) -> Self {
        Self {
            command: frame.command,
            headers: Headers(frame.headers.into_iter().collect()),
            body: frame.body.into(),
            more: Vec::new(),
            damage: None,
        }
    }
}

/// The headers of a frame, in order. If a name is repeated, the first entry counts (STOMP 1.2, "Repeated Header
/// Entries").
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of `name`; names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Removes all entries of `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name);
    }

    /// The number of entries, repetitions counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Headers {
    /// Leaves out the values of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| match name {
            "passcode" | "Co3ContextToken" => (name, "***"),
            _ => (name, value),
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}
