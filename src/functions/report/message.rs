//! The messages of a report, and how they are grouped.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::document::{Line, Span};
use super::{counted, thousands};
use crate::functions::plan::PlannedMessage;
use graph::TraceRow;
use net::untrusted::csv;
use net::untrusted::text::{excerpt, sanitize_line};
use uuid::Uuid;

/// So many characters of a subject, a sender or an address are shown. The table has them in full.
const LONGEST: usize = 120;

/// What a report shows of a message.
#[derive(Debug)]
pub(in crate::functions) struct Message {
    mailbox: String,
    subject: String,
    sender_name: String,
    sender_address: String,
    received: Option<DateTime<Utc>>,
    has_attachments: Option<bool>,
    /// An https address.
    link: Option<String>,
    internet_message_id: String,
    id: String,
    status: &'static str,
    /// Why the status is not the one that was asked for.
    reason: String,
}

impl Message {
    /// Reads a message of Graph. A property that is missing, or not of the expected form, is left out.
    pub(in crate::functions) fn read(mailbox: &str, raw: &RawValue, status: &'static str) -> Self {
        let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let who = if value.pointer("/from/emailAddress").is_some() { "/from" } else { "/sender" };
        let is_https =
            |link: &&str| link.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        Self {
            mailbox: mailbox.to_owned(),
            subject: text("/subject"),
            sender_name: text(&format!("{who}/emailAddress/name")),
            sender_address: text(&format!("{who}/emailAddress/address")),
            received: text("/receivedDateTime").parse().ok(),
            has_attachments: value.get("hasAttachments").and_then(Value::as_bool),
            link: value.get("webLink").and_then(Value::as_str).filter(is_https).map(str::to_owned),
            internet_message_id: text("/internetMessageId"),
            id: text("/id"),
            status,
            reason: String::new(),
        }
    }

    /// A message of the message trace, for its recipient.
    pub(in crate::functions) fn traced(row: &TraceRow, status: &'static str) -> Self {
        Self {
            mailbox: row.recipient.clone(),
            subject: row.subject.clone(),
            sender_name: String::new(),
            sender_address: row.sender.clone(),
            received: Some(row.received),
            has_attachments: None,
            link: None,
            internet_message_id: row.message_id.clone(),
            id: row.id.clone(),
            status,
            reason: String::new(),
        }
    }

    /// A message of a removal plan.
    pub(in crate::functions) fn planned(planned: &PlannedMessage, status: &'static str) -> Self {
        Self {
            mailbox: planned.mailbox.clone(),
            subject: planned.subject.clone(),
            sender_name: String::new(),
            sender_address: planned.sender.clone(),
            received: planned.received.parse().ok(),
            has_attachments: None,
            link: None,
            internet_message_id: planned.internet_message_id.clone(),
            id: planned.id.clone(),
            status,
            reason: String::new(),
        }
    }

    /// The message, which for this reason has another status than the one that was asked for.
    pub(in crate::functions) fn because(self, reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..self }
    }

    /// The subject in quotation marks.
    pub(in crate::functions) fn title(&self) -> String {
        title(&self.subject)
    }

    fn sender(&self) -> String {
        match (self.sender_name.as_str(), self.sender_address.as_str()) {
            ("", address) => address.to_owned(),
            (name, "") => name.to_owned(),
            (name, address) if name == address => address.to_owned(),
            (name, address) => format!("{name} <{address}>"),
        }
    }

    /// Mailbox, time and link.
    fn line(&self, time_format: &str, has_link: bool) -> Line {
        let time = self.received.filter(|_| !time_format.is_empty());
        let time = time.map(|time| format!(" – {}", time.format(time_format))).unwrap_or_default();
        let mut line = vec![Span::Plain(format!("{}{time}", excerpt(&self.mailbox, LONGEST)))];
        if let Some(link) = self.link.clone().filter(|_| has_link) {
            line.extend([Span::Plain(" – ".to_owned()), Span::Link(link)]);
        }
        line
    }
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y").to_string()
}

fn title(subject: &str) -> String {
    if subject.trim().is_empty() {
        return "(no subject)".to_owned();
    }
    format!("“{}”", excerpt(subject, LONGEST))
}

/// Messages with one subject and one sender.
pub(super) struct Group<'a> {
    messages: Vec<&'a Message>,
}

/// Groups `messages` by subject and sender; the largest group comes first.
pub(super) fn groups(messages: &[Message]) -> Vec<Group<'_>> {
    let mut places = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for message in messages {
        let key = (message.subject.as_str(), message.sender_address.to_lowercase(), &message.sender_name);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group { messages: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.messages.push(message);
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.messages.len()));
    groups
}

impl Group<'_> {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Subject, number, sender, times and attachments.
    pub(super) fn heading(&self) -> Line {
        let Some(first) = self.messages.first() else { return Line::new() };
        let mut facts = vec![counted(self.len(), "message")];
        let sender = first.sender();
        if !sender.is_empty() {
            facts.push(format!("from {}", excerpt(&sender, LONGEST)));
        }
        facts.extend(self.received());
        facts.extend(self.attachments());
        vec![Span::Bold(first.title()), Span::Plain(format!(" – {}", facts.join(", ")))]
    }

    /// A line for each message, at most `most`. What the heading says of the time is left out.
    pub(super) fn lines(&self, most: usize, has_links: bool) -> impl Iterator<Item = Line> {
        let days = self.times().map(|time| time.date_naive());
        let time_format = match self.len() {
            1 => "",
            _ if days.clone().min() == days.max() => "%H:%M:%S",
            _ => "%-d %b %Y %H:%M:%S",
        };
        self.messages.iter().take(most).map(move |message| message.line(time_format, has_links))
    }

    fn times(&self) -> impl Iterator<Item = DateTime<Utc>> + Clone {
        self.messages.iter().filter_map(|message| message.received)
    }

    fn received(&self) -> Option<String> {
        let (first, last) = (self.times().min()?, self.times().max()?);
        let minute = |time: DateTime<Utc>| time.format("%H:%M").to_string();
        let begin = format!("{} {}", day(first), minute(first));
        let (is_one_day, is_one_minute) = (day(first) == day(last), minute(first) == minute(last));
        Some(match (is_one_day, is_one_minute) {
            (true, true) => format!("received {begin} UTC"),
            (true, false) => format!("received {begin}–{} UTC", minute(last)),
            (false, _) => format!("received {begin} – {} {} UTC", day(last), minute(last)),
        })
    }

    fn attachments(&self) -> Option<String> {
        let with = self.messages.iter().filter(|message| message.has_attachments == Some(true)).count();
        let without = self.messages.iter().filter(|message| message.has_attachments == Some(false)).count();
        match (with, without) {
            (0, 0) => None,
            (0, _) => Some("no attachments".to_owned()),
            (_, 0) => Some("with attachments".to_owned()),
            (with, _) => Some(format!("{} with attachments", thousands(with))),
        }
    }
}

/// The messages as a table for a spreadsheet. Each line names the call, so that the file of a call is recognised.
pub(super) fn table<'a>(messages: impl Iterator<Item = &'a Message>, reference: Uuid) -> String {
    const COLUMNS: [&str; 12] = [
        "mailbox",
        "received (UTC)",
        "sender name",
        "sender address",
        "subject",
        "attachments",
        "status",
        "reason",
        "link",
        "internet message id",
        "message id",
        "reference",
    ];
    let mut table = csv::Table::for_excel(&COLUMNS);
    let reference = reference.to_string();
    for message in messages {
        let received = message.received.map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string());
        let attachments = message.has_attachments.map_or("", |has| if has { "yes" } else { "no" });
        let cells = [
            &message.mailbox,
            &received.unwrap_or_default(),
            &message.sender_name,
            &message.sender_address,
            &message.subject,
            attachments,
            message.status,
            &message.reason,
            message.link.as_deref().unwrap_or_default(),
            &message.internet_message_id,
            &message.id,
            &reference,
        ];
        let cells = cells.map(sanitize_line);
        table.add(cells.iter().map(String::as_str));
    }
    table.into_text()
}
