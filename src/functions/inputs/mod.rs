//! The inputs of a call, in SOAR's encodings, read into what a function works with.
//!
//! A function reads its inputs through a [`Reader`], which collects what is missing or wrong. So the analyst sees all
//! of it at once, and before anything is sent.
//!
//! An input that is null, absent or the empty text counts as not given, and so does white space. Two kinds of inputs
//! are different: a criterion or a folder that looks empty is refused, since a search without it would find more, and
//! what is found may be deleted next.

mod address;
mod choice;
mod error;
mod folder;
mod indicators;
mod scope;
mod text;
mod time;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use self::address::{Kind, NotAnAddress};
pub(super) use self::choice::label;
use self::error::Problem;
pub use self::error::{InputError, Reason};
pub(super) use self::text::RichText;
use self::text::{is_blank, trim};
use self::time::DayMeans;
use graph::AddressMatch;
use graph::attachments::Sha256;

/// The longest address, id or name, in bytes. A longer one would only fill logs and error messages.
pub(super) const LONGEST_WORD: usize = 4096;
/// The longest list of them, in bytes.
const LONGEST_WORDS: usize = 1 << 20;

/// A call's inputs by API name, as SOAR sent them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs(Map<String, Value>);

impl Inputs {
    /// Takes the inputs of a call.
    pub fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// The incident that the call names, for the log.
    pub fn incident(&self) -> Option<i64> {
        whole(self.0.get("incident_id")?)
    }

    pub(super) fn read(&self) -> Reader<'_> {
        Reader { values: &self.0, problems: Vec::new() }
    }
}

/// Reads a date and time from a text, as functions do.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    time::time(&Value::from(text), DayMeans::Begin)
}

/// Reads inputs by name, and remembers what is missing or wrong.
pub(super) struct Reader<'a> {
    values: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// The value, unless it is null or the empty text.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.values.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// Notes that an input cannot be used.
    pub(super) fn refuse(&mut self, input: &'static str, reason: Reason) {
        self.problems.push(Problem { input, reason });
    }

    /// Returns the value, or notes that it is missing. An empty value stands for it until [`finish`](Self::finish).
    fn require<T: Default>(&mut self, name: &'static str, value: Option<T>) -> T {
        if value.is_none() && !self.problems.iter().any(|problem| problem.input == name) {
            self.refuse(name, Reason::Missing);
        }
        value.unwrap_or_default()
    }

    /// The text of a value: a plain text, the content of a text area, or the name of a choice. `None` if it is null or
    /// empty.
    fn content(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.given(name)?;
        let text = match value {
            Value::Object(object) => match (object.get("content"), object.get("name")) {
                (Some(content), _) if !content.is_null() => content.as_str(),
                (_, Some(label)) if !label.is_null() => label.as_str(),
                (None, None) => None,
                _ => return None,
            },
            plain => plain.as_str(),
        };
        if text.is_none() {
            self.refuse(name, Reason::NotText);
        }
        text.filter(|text| !text.is_empty())
    }

    /// A text with the blanks at its ends. One that holds only blanks counts as not given.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.content(name).filter(|text| !text.chars().all(is_blank)).map(str::to_owned)
    }

    pub(super) fn required_text(&mut self, name: &'static str) -> String {
        let value = self.text(name);
        self.require(name, value)
    }

    /// A text with its format: markup, or plain text.
    pub(super) fn rich_text(&mut self, name: &'static str) -> Option<RichText> {
        let text = self.text(name)?;
        Some(RichText::new(self.given(name)?, text))
    }

    pub(super) fn required_rich_text(&mut self, name: &'static str) -> RichText {
        let value = self.rich_text(name);
        self.require(name, value)
    }

    /// A name, without white space at its ends.
    pub(super) fn word(&mut self, name: &'static str) -> Option<String> {
        self.no_longer_than(LONGEST_WORD, name)
    }

    /// An id, without blanks and invisible characters at its ends.
    pub(super) fn required_id(&mut self, name: &'static str) -> String {
        let value = self.word(name).map(|id| trim(&id).to_owned());
        self.require(name, value)
    }

    /// Several words in one text.
    pub(super) fn words(&mut self, name: &'static str) -> Option<String> {
        self.no_longer_than(LONGEST_WORDS, name)
    }

    /// Addresses, for [`mailboxes`](Self::mailboxes), without blanks and invisible characters at the ends.
    pub(super) fn required_words(&mut self, name: &'static str) -> String {
        let value = self.words(name).map(|words| trim(&words).to_owned());
        self.require(name, value)
    }

    fn no_longer_than(&mut self, bytes: usize, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        let text = text.trim();
        if text.len() > bytes {
            self.refuse(name, Reason::TooLong(bytes));
            return None;
        }
        Some(text.to_owned())
    }

    /// A text that limits a search, without white space at its ends. One that looks empty is refused. Other invisible
    /// characters stay: a mail may be known by them, and a search without them would find more.
    pub(super) fn criterion(&mut self, name: &'static str) -> Option<String> {
        let text = self.content(name)?;
        self.visible(name, text)?;
        Some(text.trim().to_owned())
    }

    /// The text without blanks and invisible characters at its ends. One that looks empty is refused.
    fn visible<'t>(&mut self, name: &'static str, text: &'t str) -> Option<&'t str> {
        let text = trim(text);
        if text.is_empty() {
            self.refuse(name, Reason::Blank);
        }
        (!text.is_empty()).then_some(text)
    }

    /// A folder's id or name. One that looks empty is refused.
    pub(super) fn folder(&mut self, name: &'static str) -> Option<String> {
        let text = self.content(name)?;
        let folder = self.visible(name, text)?;
        if folder.len() > LONGEST_WORD {
            self.refuse(name, Reason::TooLong(LONGEST_WORD));
            return None;
        }
        Some(folder::canonical(folder))
    }

    /// The address of a sender, or a domain after `@`, as a criterion.
    pub(super) fn sender(&mut self, name: &'static str) -> Option<AddressMatch> {
        let text = self.content(name)?;
        let text = self.visible(name, text)?;
        if let Some(domain) = indicators::domain_match(text) {
            return Some(domain);
        }
        // Exchange names some internal senders by their X.500 name.
        if text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("/o=")) && text.len() <= LONGEST_WORD
        {
            return Some(AddressMatch::Address(text.to_owned()));
        }
        self.one_address(name, text, Kind::Mail).map(AddressMatch::Address)
    }

    /// A mailbox: its address, or the id of its user.
    pub(super) fn required_mailbox(&mut self, name: &'static str) -> String {
        let text = self.word(name);
        let mailbox = text.and_then(|text| self.one_address(name, &text, Kind::Mailbox));
        self.require(name, mailbox)
    }

    fn one_address(&mut self, name: &'static str, text: &str, kind: Kind) -> Option<String> {
        let addresses = self.address_list(name, text, kind)?;
        match <[String; 1]>::try_from(addresses) {
            Ok([address]) => return Some(address),
            Err(none) if none.is_empty() => self.refuse(name, Reason::NoAddress),
            Err(_) => self.refuse(name, Reason::SeveralAddresses),
        }
        None
    }

    /// Reads `text`, the value of a required input, as a list of mailboxes.
    pub(super) fn mailboxes(&mut self, name: &'static str, text: &str) -> Vec<String> {
        let mailboxes = self.address_list(name, text, Kind::Mailbox);
        self.some_address(name, text, mailboxes)
    }

    /// A list of mail addresses.
    pub(super) fn addresses(&mut self, name: &'static str) -> Vec<String> {
        let text = self.words(name);
        text.and_then(|text| self.address_list(name, &text, Kind::Mail)).unwrap_or_default()
    }

    /// The recipients of a mail. Exchange looks a name without a domain up in the directory; what it does not find there,
    /// it refuses and names.
    pub(super) fn required_recipients(&mut self, name: &'static str) -> Vec<String> {
        let text = self.required_words(name);
        let addresses = self.address_list(name, &text, Kind::Mailbox);
        self.some_address(name, &text, addresses)
    }

    /// Refuses a list of separators only. An input that is not set has been noted as missing.
    fn some_address(
        &mut self,
        name: &'static str,
        text: &str,
        addresses: Option<Vec<String>>,
    ) -> Vec<String> {
        if addresses.as_ref().is_some_and(Vec::is_empty) && !text.is_empty() {
            self.refuse(name, Reason::NoAddress);
        }
        addresses.unwrap_or_default()
    }

    fn address_list(&mut self, name: &'static str, text: &str, kind: Kind) -> Option<Vec<String>> {
        match address::list(text, kind) {
            Ok(addresses) if addresses.iter().all(|address| address.len() <= LONGEST_WORD) => {
                return Some(addresses);
            }
            Ok(_) => self.refuse(name, Reason::TooLong(LONGEST_WORD)),
            Err(NotAnAddress(entry)) => self.refuse(name, Reason::NotAddress(entry)),
        }
        None
    }

    /// A whole number, or the digits of one.
    pub(super) fn number(&mut self, name: &'static str) -> Option<i64> {
        let value = self.given(name)?;
        if value.as_str().is_some_and(|text| trim(text).is_empty()) {
            return None;
        }
        let number = whole(value);
        if number.is_none() {
            self.refuse(name, Reason::NotNumber);
        }
        number
    }

    pub(super) fn required_number(&mut self, name: &'static str) -> i64 {
        let value = self.number(name);
        self.require(name, value)
    }

    /// The incident.
    pub(super) fn incident(&mut self, is_required: bool) -> Option<i64> {
        let incident = self.number("incident_id");
        if is_required { Some(self.require("incident_id", incident)) } else { incident }
    }

    /// A date and time. A day stands for its first moment.
    pub(super) fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.time_of(name, DayMeans::Begin)
    }

    /// A date and time up to which something is searched. A day is included.
    pub(super) fn end_time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.time_of(name, DayMeans::End)
    }

    /// Refuses `exo_end_date` where it is before `exo_start_date`.
    pub(super) fn check_span(&mut self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) {
        if to.is_some_and(|to| from.is_some_and(|from| to < from)) {
            self.refuse("exo_end_date", Reason::Before("exo_start_date"));
        }
    }

    pub(super) fn required_time(&mut self, name: &'static str) -> DateTime<Utc> {
        let value = self.time(name);
        self.require(name, value)
    }

    fn time_of(&mut self, name: &'static str, day: DayMeans) -> Option<DateTime<Utc>> {
        let value = self.given(name)?;
        if let Some(text) = value.as_str() {
            self.visible(name, text)?;
        }
        let time = time::time(value, day);
        if time.is_none() {
            self.refuse(name, Reason::NotTime);
        }
        time
    }

    /// A SHA-256 digest.
    pub(super) fn required_digest(&mut self, name: &'static str) -> Sha256 {
        let text = self.required_id(name);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.refuse(
                    name,
                    Reason::NotA { what: "a SHA-256 digest of 64 hexadecimal digits", entry: text },
                );
            }
            Sha256::of(b"")
        })
    }

    /// The folder chosen in a select, by its label or id.
    pub(super) fn chosen_folder(&mut self, name: &'static str) -> Option<String> {
        self.choice(name).map(|label| folder::canonical(&label))
    }

    /// Ends the reading. The error names everything that is missing or wrong.
    pub(super) fn finish(self) -> Result<(), InputError> {
        if self.problems.is_empty() { Ok(()) } else { Err(InputError::new(self.problems)) }
    }
}

fn whole(value: &Value) -> Option<i64> {
    // SOAR's scripts may turn a number into a float.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let whole_float =
        |float: f64| (float.fract() == 0.0 && float.abs() < (1_i64 << 53) as f64).then_some(float as i64);
    let digits = || trim(value.as_str()?).parse().ok();
    value.as_i64().or_else(|| value.as_f64().and_then(whole_float)).or_else(digits)
}
