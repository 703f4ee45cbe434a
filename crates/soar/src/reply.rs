//! Replies to SOAR: status messages, results and errors (SOAR's action acknowledgement).

use std::io::{self, Write};

use bytes::Bytes;
use chrono::Local;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The results of a call.
#[derive(Debug)]
pub struct Results<'a> {
    /// Whether the function succeeded.
    pub success: bool,
    /// Why it did not succeed, or not completely.
    pub reason: Option<&'a str>,
    /// The content, as compact JSON.
    pub content: &'a RawValue,
    /// The content, indented for a reader.
    pub pretty: Option<&'a str>,
    /// The inputs, as they came.
    pub inputs: &'a RawValue,
    /// The run time of the function.
    pub execution_time: Duration,
}

/// SOAR's result payload, version 1.0.
#[derive(Serialize)]
struct Payload<'a> {
    version: &'static str,
    success: bool,
    reason: Option<&'a str>,
    content: &'a RawValue,
    /// The content as text, which workflows pass from one function to the next.
    raw: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pretty_string: Option<&'a str>,
    inputs: &'a RawValue,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Metrics {
    version: &'static str,
    package: &'static str,
    package_version: &'static str,
    host: String,
    execution_time_ms: u128,
    /// Local time, as in SOAR's own library.
    timestamp: String,
}

#[derive(Serialize)]
struct Acknowledgement<'a, R: Serialize> {
    message_type: u8,
    message: &'a str,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<R>,
}

/// The size of a piece of a long reply: so small that it fits where the messages were that it is made of.
const PIECE: usize = 8 << 10;

const NO_RESULTS: Option<()> = None;

impl<'a> From<&Results<'a>> for Payload<'a> {
    fn from(results: &Results<'a>) -> Self {
        Self {
            version: "1.0",
            success: results.success,
            reason: results.reason,
            content: results.content,
            raw: results.content.get(),
            pretty_string: results.pretty,
            inputs: results.inputs,
            metrics: Metrics {
                version: "1.0",
                package: net::PRODUCT,
                package_version: env!("CARGO_PKG_VERSION"),
                host: gethostname::gethostname().to_string_lossy().into_owned(),
                execution_time_ms: results.execution_time.as_millis(),
                timestamp: Local::now().format("%Y-%m-%d %H:%M:%S").to_string(),
            },
        }
    }
}

impl Results<'_> {
    /// The result payload without the acknowledgement.
    pub fn to_json(&self) -> Bytes {
        json(&Payload::from(self))
    }
}

/// A status message; the call continues.
pub fn status(text: &str) -> Bytes {
    let message = if text.is_empty() { "(No status)" } else { text };
    json(&Acknowledgement { message_type: 0, message, complete: false, results: NO_RESULTS })
}

/// The final reply of a call with results, in pieces.
///
/// # Errors
/// The reply would have more than `most` bytes.
pub fn completed(results: &Results<'_>, most: usize) -> Result<Vec<Bytes>, TooLarge> {
    let results = Some(Payload::from(results));
    let reply = Acknowledgement { message_type: 0, message: "Completed", complete: true, results };
    let mut ascii = Ascii::of_at_most(most);
    // Nothing else fails: the reply is built in memory from text and numbers.
    serde_json::to_writer(&mut ascii, &reply).map_err(|_| TooLarge)?;
    Ok(ascii.pieces())
}

/// A reply exceeds the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The final reply of a call that failed: SOAR shows `text` and stops the workflow.
pub fn failed(text: &str) -> Bytes {
    json(&Acknowledgement { message_type: 1, message: text, complete: true, results: NO_RESULTS })
}

/// The final reply of a call that failed, with `trap_exception`: the workflow continues.
pub fn trapped(function: &str, text: &str) -> Bytes {
    #[derive(Serialize)]
    struct Trapped<'a> {
        success: bool,
        reason: &'a str,
    }
    let message = format!("{function} failed; the workflow goes on because trap_exception is set.\n{text}");
    let results = Some(Trapped { success: false, reason: text });
    json(&Acknowledgement { message_type: 0, message: &message, complete: true, results })
}

fn json(value: &impl Serialize) -> Bytes {
    let mut ascii = Ascii::of_at_most(usize::MAX);
    // Writing text and numbers to memory does not fail.
    let _ = serde_json::to_writer(&mut ascii, value);
    ascii.pieces().concat().into()
}

/// Writes JSON text with all characters beyond ASCII escaped, as SOAR's own library does, so that a reader's charset
/// cannot damage it. Such characters occur only in JSON strings, where the escape means the same.
struct Ascii {
    /// Pieces that are full.
    full: Vec<Bytes>,
    /// The last piece.
    last: Vec<u8>,
    /// The most bytes that may still be written.
    left: usize,
}

impl Ascii {
    fn of_at_most(most: usize) -> Self {
        Self { full: Vec::new(), last: Vec::new(), left: most }
    }

    fn push(&mut self, mut text: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(text.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        while self.last.len() + text.len() > PIECE {
            let (fits, rest) = text.split_at(PIECE - self.last.len());
            self.last.extend_from_slice(fits);
            self.full.push(std::mem::replace(&mut self.last, Vec::with_capacity(PIECE)).into());
            text = rest;
        }
        self.last.extend_from_slice(text);
        Ok(())
    }

    fn pieces(mut self) -> Vec<Bytes> {
        self.full.push(self.last.into());
        self.full
    }
}

impl Write for Ascii {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_ascii() {
            self.push(buf)?;
            return Ok(buf.len());
        }
        let text = std::str::from_utf8(buf).map_err(io::Error::other)?;
        for c in text.chars() {
            if c.is_ascii() {
                self.push(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.push(format!("\\u{unit:04x}").as_bytes())?;
                }
            }
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
