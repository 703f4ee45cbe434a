//! The chain of lines: each line holds the SHA-256 of the line before it, so a line cannot be changed, removed or added
//! without a break.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

/// The SHA-256 of a line without its end, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineHash(String);

impl LineHash {
    pub(super) fn of(line: &[u8]) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut text = String::with_capacity(64);
        for byte in digest(&SHA256, line).as_ref() {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// Returns `line`, a JSON object, with the hash of the line before it and a line end. The first line of a chain has a
/// null.
pub(super) fn chained(line: &str, before: Option<&LineHash>) -> String {
    let open = line.strip_suffix('}').unwrap_or(line);
    match before {
        Some(LineHash(hash)) => format!("{open},\"prev\":\"{hash}\"}}\n"),
        None => format!("{open},\"prev\":null}}\n"),
    }
}
