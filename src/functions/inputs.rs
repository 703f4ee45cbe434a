//! The inputs of a call, in SOAR's encodings, read into what a function works with.
//!
//! A function's `Inputs` struct is filled through a [`Reader`]; what is missing or wrong is collected, so that
//! the analyst sees all of it at once and before anything was sent.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Map, Value};

use super::incident_sink::IncidentSink;

/// No address, id or name is longer, in bytes. What is longer would only fill logs and error messages.
pub(super) const LONGEST_WORD: usize = 4096;
/// No list of them is longer, in bytes.
const LONGEST_WORDS: usize = 1 << 20;

/// Dates outside of these years are slips, and those at the end of time cannot be reckoned with.
const YEARS: RangeInclusive<i32> = 1601..=9998;

/// A call's inputs by API name, as SOAR sent them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs(Map<String, Value>);

impl Inputs {
    /// Takes the inputs of a call.
    pub fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// The incident the call names, for the log.
    pub fn incident(&self) -> Option<i64> {
        whole(self.0.get("incident_id")?)
    }

    pub(super) fn read(&self) -> Reader<'_> {
        Reader { values: &self.0, missing: Vec::new(), wrong: Vec::new() }
    }
}

/// Inputs that a function cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct InputError {
    missing: Vec<&'static str>,
    wrong: Vec<String>,
}

impl InputError {
    /// The required inputs that are not set.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    fn words(&self) -> String {
        let mut sentences = Vec::new();
        match self.missing.as_slice() {
            [] => {}
            [one] => sentences.push(format!("The input \"{one}\" is required, and it is not set.")),
            more => {
                let names: Vec<_> = more.iter().map(|name| format!("\"{name}\"")).collect();
                sentences
                    .push(format!("The inputs {} are required, and they are not set.", names.join(", ")));
            }
        }
        sentences.extend(self.wrong.iter().cloned());
        sentences.join(" ")
    }
}

/// Reads inputs by name and remembers what is missing or wrong.
pub(super) struct Reader<'a> {
    values: &'a Map<String, Value>,
    missing: Vec<&'static str>,
    wrong: Vec<String>,
}

impl Reader<'_> {
    fn given(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, name: &str, expected: &str) {
        self.wrong.push(format!("The input \"{name}\" must be {expected}."));
    }

    /// What is required but not there is noted, and an empty value stands for it until [`finish`](Self::finish).
    fn require<T: Default>(&mut self, name: &'static str, value: Option<T>) -> T {
        let wrong = self.wrong.iter().any(|text| text.contains(&format!("\"{name}\"")));
        if value.is_none() && !wrong {
            self.missing.push(name);
        }
        value.unwrap_or_default()
    }

    /// A text, or a text area with its format. Blank counts as not given.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let text = match self.given(name)? {
            Value::Object(area) => area.get("content").filter(|content| !content.is_null())?,
            plain => plain,
        };
        let Some(text) = text.as_str() else {
            self.wrong(name, "a text");
            return None;
        };
        (!text.trim().is_empty()).then(|| text.to_owned())
    }

    /// A text in which blanks at the ends mean nothing: an address, an id, a name.
    pub(super) fn word(&mut self, name: &'static str) -> Option<String> {
        self.no_longer_than(LONGEST_WORD, name)
    }

    /// Several words in one text, as people type them: addresses, names.
    pub(super) fn words(&mut self, name: &'static str) -> Option<String> {
        self.no_longer_than(LONGEST_WORDS, name)
    }

    fn no_longer_than(&mut self, bytes: usize, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        let text = text.trim();
        if text.len() > bytes {
            self.wrong(name, &format!("no longer than {bytes} bytes"));
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn required_words(&mut self, name: &'static str) -> String {
        let value = self.words(name);
        self.require(name, value)
    }

    pub(super) fn required_word(&mut self, name: &'static str) -> String {
        let value = self.word(name);
        self.require(name, value)
    }

    pub(super) fn required_text(&mut self, name: &'static str) -> String {
        let value = self.text(name);
        self.require(name, value)
    }

    pub(super) fn number(&mut self, name: &'static str) -> Option<i64> {
        let value = whole(self.given(name)?);
        if value.is_none() {
            self.wrong(name, "a whole number");
        }
        value
    }

    pub(super) fn required_number(&mut self, name: &'static str) -> i64 {
        let value = self.number(name);
        self.require(name, value)
    }

    /// The incident, which is required where there is one to write to.
    pub(super) fn incident(&mut self, sink: &IncidentSink) -> Option<i64> {
        let incident = self.number("incident_id");
        if sink.needs_incident() { Some(self.require("incident_id", incident)) } else { incident }
    }

    /// A date and time: milliseconds since 1970, UTC, in a year that every calendar knows.
    pub(super) fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let value = whole(self.given(name)?).and_then(DateTime::from_timestamp_millis);
        let value = value.filter(|time| YEARS.contains(&time.year()));
        if value.is_none() {
            self.wrong(name, "a date and time in milliseconds since 1970");
        }
        value
    }

    /// Yes or no; SOAR's "unknown" is null and counts as not given.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.given(name)?.as_bool();
        if value.is_none() {
            self.wrong(name, "true or false");
        }
        value
    }

    /// The labels chosen in a multi-select.
    pub(super) fn choices(&mut self, name: &'static str) -> Vec<String> {
        let Some(value) = self.given(name) else { return Vec::new() };
        let labels = match value {
            Value::Array(choices) => choices.iter().map(label).collect(),
            one => Some(label(one).into_iter().collect::<Vec<_>>()).filter(|labels| !labels.is_empty()),
        };
        let Some(labels) = labels else {
            self.wrong(name, "a list of choices");
            return Vec::new();
        };
        labels.into_iter().filter(|label| !label.is_empty()).collect()
    }

    /// The label chosen in a select.
    pub(super) fn required_choice(&mut self, name: &'static str) -> String {
        let value = self.given(name).map(label);
        if value == Some(None) {
            self.wrong(name, "a choice");
        }
        let label = value.flatten().filter(|label| !label.is_empty());
        if label.as_ref().is_some_and(|label| label.len() > LONGEST_WORD) {
            self.wrong(name, "a choice of ordinary length");
        }
        self.require(name, label)
    }

    pub(super) fn required_time(&mut self, name: &'static str) -> DateTime<Utc> {
        let value = self.time(name);
        self.require(name, value)
    }

    pub(super) fn required_choices(&mut self, name: &'static str) -> Vec<String> {
        let value = Some(self.choices(name)).filter(|labels| !labels.is_empty());
        self.require(name, value)
    }

    /// Ends the reading: everything was there and right, or the error names all that was not.
    pub(super) fn finish(self) -> Result<(), InputError> {
        if self.missing.is_empty() && self.wrong.is_empty() {
            return Ok(());
        }
        Err(InputError { missing: self.missing, wrong: self.wrong })
    }
}

/// The label of a select's option: `{"id": 126, "name": "inbox"}`, or plain text.
pub(super) fn label(value: &Value) -> Option<String> {
    let name = match value {
        Value::Object(option) => option.get("name")?,
        plain => plain,
    };
    name.as_str().map(|name| name.trim().to_owned())
}

fn whole(value: &Value) -> Option<i64> {
    // SOAR's scripts may turn a number into a float.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let whole_float =
        |float: f64| (float.fract() == 0.0 && float.abs() < (1_i64 << 53) as f64).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole_float))
}
