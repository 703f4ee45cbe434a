//! Formats an event as a line: `2026-11-23 08:47:52,260 INFO [worker] call started key=value …`, or as a JSON object.
//!
//! Escapes line ends and control characters in values, which may come from outside.

use std::fmt::{self, Write};
use std::sync::Arc;

use chrono::{DateTime, Local, SecondsFormat};
use serde_json::{Map, Value};
use tracing::Level;
use tracing::field::{Field, Visit};

use super::look::{Form, Look, Severity};
use crate::config::LogFormat;
use net::untrusted::text::{escape_json, is_unsafe_to_display};

/// The longest value in bytes; the rest is cut off, since the value may come from an attacker.
const LONGEST_VALUE: usize = 8 * 1024;

/// An event with its time and fields.
pub(super) struct Line {
    time: DateTime<Local>,
    severity: Severity,
    module: String,
    fields: Fields,
}

/// The fields of an event or a span, in order. The field `message` is the text of the event.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: String,
    named: Vec<(&'static str, Value)>,
}

impl Fields {
    /// An event's text and one more field.
    pub(super) fn of(message: &str, name: &'static str, value: &str) -> Self {
        Self { message: cut(message), named: vec![(name, cut(value).into())] }
    }

    /// Adds the fields of `others` that are not in these.
    pub(super) fn add(&mut self, others: &Self) {
        for (name, value) in &others.named {
            if !self.named.iter().any(|(known, _)| known == name) {
                self.named.push((name, value.clone()));
            }
        }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        match self.named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.named.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = cut(format!("{value:?}"));
        } else {
            self.set(field.name(), cut(format!("{value:?}")).into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = cut(value);
        } else {
            self.set(field.name(), cut(value).into());
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field.name(), u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }
}

/// The crates of this program, by the first part of an event's target.
const OWN: [&str; 6] = [env!("CARGO_CRATE_NAME"), "graph", "net", "sandbox", "soar", "stomp"];

/// Whether an event or span of `target` is from this program, and not from a library.
pub(super) fn is_own(target: &str) -> bool {
    OWN.contains(&target.split("::").next().unwrap_or(target))
}

impl Line {
    pub(super) fn new(level: Level, target: &str, fields: Fields) -> Self {
        let within = target.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).unwrap_or(target);
        let module = within.replace("::", ".");
        let severity = match level {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            _ => Severity::Debug,
        };
        Self { time: Local::now(), severity, module, fields }
    }

    /// A line about the log itself.
    pub(super) fn of_log(message: String) -> Self {
        let fields = Fields { message, named: Vec::new() };
        Self { time: Local::now(), severity: Severity::Warning, module: "log".to_owned(), fields }
    }

    /// Formats the line, with its end.
    pub(super) fn written(&self, Form { format, look }: Form) -> Arc<str> {
        match format {
            LogFormat::Text => self.text(look).into(),
            LogFormat::Json => self.json(look).into(),
        }
    }

    fn text(&self, look: Look) -> String {
        let Self { time, severity, module, fields } = self;
        let mut line = String::with_capacity(160);
        line.push_str(look.prefix(*severity));
        // Writing to a String does not fail.
        if look != Look::Journal {
            let _ = write!(line, "{} ", time.format("%Y-%m-%d %H:%M:%S,%3f"));
        }
        let _ = write!(line, "{} [{module}] ", look.painted(*severity));
        escape(&mut line, &fields.message);
        for (name, value) in &fields.named {
            let _ = write!(line, " {name}=");
            match value {
                Value::String(text) if is_plain(text) => line.push_str(text),
                Value::String(text) => {
                    line.push('"');
                    escape(&mut line, &text.replace('\\', r"\\").replace('"', "\\\""));
                    line.push('"');
                }
                value => {
                    let _ = write!(line, "{value}");
                }
            }
        }
        line.push('\n');
        line
    }

    fn json(&self, look: Look) -> String {
        let Self { time, severity, module, fields } = self;
        let mut object = Map::new();
        object.insert("time".to_owned(), time.to_rfc3339_opts(SecondsFormat::Millis, false).into());
        object.insert("level".to_owned(), severity.name().into());
        object.insert("module".to_owned(), module.as_str().into());
        object.insert("message".to_owned(), fields.message.as_str().into());
        for (name, value) in &fields.named {
            object.entry(*name).or_insert_with(|| value.clone());
        }
        let mut line =
            format!("{}{}", look.prefix(*severity), escape_json(&Value::Object(object).to_string()));
        line.push('\n');
        line
    }
}

/// Returns `text`, cut to the longest value, with the number of missing bytes.
fn cut(text: impl AsRef<str> + Into<String>) -> String {
    let length = text.as_ref().len();
    if length <= LONGEST_VALUE {
        return text.into();
    }
    let end = (0..=LONGEST_VALUE).rev().find(|at| text.as_ref().is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes more)", &text.as_ref()[..end], length - end)
}

/// Whether a value needs no quotes.
fn is_plain(text: &str) -> bool {
    let special = |c: char| c.is_whitespace() || is_unsafe_to_display(c) || matches!(c, '"' | '=' | '\\');
    !text.is_empty() && !text.contains(special)
}

fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        if is_unsafe_to_display(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}
