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

/// The final reply of a call with results.
///
/// # Errors
/// The reply would have more than `most` bytes.
pub fn completed(results: &Results<'_>, most: usize) -> Result<Bytes, TooLarge> {
    let results = Some(Payload::from(results));
    let reply = Acknowledgement { message_type: 0, message: "Completed", complete: true, results };
    let mut ascii = Ascii { text: Vec::new(), most };
    // Nothing else fails: the reply is built in memory from text and numbers.
    serde_json::to_writer(&mut ascii, &reply).map_err(|_| TooLarge)?;
    Ok(Bytes::from(ascii.text))
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
    let mut ascii = Ascii { text: Vec::new(), most: usize::MAX };
    // Writing text and numbers to memory does not fail.
    let _ = serde_json::to_writer(&mut ascii, value);
    Bytes::from(ascii.text)
}

/// Writes JSON text with all characters beyond ASCII escaped, as SOAR's own library does, so that a reader's charset
/// cannot damage it. Such characters occur only in JSON strings, where the escape means the same.
struct Ascii {
    text: Vec<u8>,
    /// The most bytes to write.
    most: usize,
}

impl Write for Ascii {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.text.len() + buf.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if buf.is_ascii() {
            self.text.extend_from_slice(buf);
            return Ok(buf.len());
        }
        let text = std::str::from_utf8(buf).map_err(io::Error::other)?;
        for c in text.chars() {
            if c.is_ascii() {
                self.text.push(c as u8);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.text, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
