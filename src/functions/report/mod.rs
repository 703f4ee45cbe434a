//! The report that Query and Delete write to the incident, as a note (HTML) and as files (plain text, and a table).

mod document;
mod filed;
mod message;
mod reasons;

use std::fmt::Write;
use std::time::Duration;

use chrono::Utc;
use uuid::Uuid;

use super::context::Context;
use super::error::Error;
use super::incident_sink::IncidentSink;
use super::outcome::Trouble;
use document::{Document, Form, Line, Span};
use filed::{Filed, Format};

pub(super) use document::escaped;
pub(super) use message::Message;
pub(super) use reasons::{ByReason, Failures, Heading, in_words};

/// A note has at most so many groups of messages, of failures, and names of a list. The file has all of them.
const GROUPS_IN_NOTE: usize = 5;
const NAMES_IN_NOTE: usize = 10;
/// A note has at most so many messages of a group.
const MESSAGES_IN_NOTE: usize = 3;
/// Of more groups, each has one message in a note.
const MANY_GROUPS: usize = 2;

/// Where results are shown, as chosen in `exo_query_output_format`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The labels as they were chosen; the workflow's script looks for its own among them.
    pub(super) chosen: Vec<String>,
}

impl Output {
    /// The labels there are.
    pub(super) const LABELS: &[&str] =
        &["Exchange Online data table", "Incident attachment", "Incident note"];

    fn has(&self, label: &str) -> bool {
        self.chosen.iter().any(|chosen| chosen.eq_ignore_ascii_case(label))
    }

    fn note(&self) -> bool {
        self.has("Incident note")
    }

    fn attachment(&self) -> bool {
        self.has("Incident attachment")
    }

    /// Whether anything is to be written to an incident.
    pub(super) fn needs_incident(&self) -> bool {
        self.note() || self.attachment()
    }
}

/// How the first line of a report begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Label {
    /// Everything was done that was asked for.
    #[default]
    Complete,
    /// Something is missing.
    Incomplete,
    /// Nothing was changed.
    DryRun,
    /// Nothing was changed, because an administrator has stopped all changes.
    OnHold,
}

/// Messages under a heading.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Nothing for the messages that a query found.
    pub(super) heading: Option<&'static str>,
    pub(super) messages: Vec<Message>,
    /// Whether the messages can be opened.
    pub(super) has_links: bool,
}

/// A further file of a report.
pub(super) struct Table<'a> {
    /// The beginning of its name.
    pub(super) file_prefix: &'static str,
    /// Its text, in which each line names the call by this reference.
    pub(super) text: Box<dyn Fn(Uuid) -> String + Send + Sync + 'a>,
}

/// A report, before it takes a form.
#[derive(Default)]
pub(super) struct Report<'a> {
    pub(super) label: Label,
    /// The outcome in numbers: "37 messages found, in 37 of 2,000 mailboxes searched"
    pub(super) outcome: String,
    /// What a reader has to know first, in sentences.
    pub(super) sentences: Vec<String>,
    /// The criteria in one line.
    pub(super) looked_for: Option<String>,
    /// The criteria, by name.
    pub(super) criteria: Vec<(&'static str, String)>,
    /// The messages.
    pub(super) sections: Vec<Section>,
    /// Facts in lists with their headings.
    pub(super) lists: Vec<(&'static str, Vec<String>)>,
    /// What was not done, by reason.
    pub(super) failures: Vec<Failures>,
    /// The messages to which this happened; only the table has them one by one.
    pub(super) other_messages: Vec<Message>,
    /// Sentences that come after everything else.
    pub(super) remarks: Vec<String>,
    /// The table, where it is not that of the messages.
    pub(super) table: Option<String>,
    /// What is too long for a note: lists with their headings.
    pub(super) file_only: Vec<(&'static str, Vec<String>)>,
    /// Where all messages are, as a phrase; by default that of the output.
    pub(super) rest: Option<String>,
    /// Further files.
    pub(super) tables: Vec<Table<'a>>,
    /// How long it took.
    pub(super) took: Duration,
}

/// How much of a report is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Detail {
    /// What a reader takes in at a glance. Holds a phrase that says where the rest is.
    Note(String),
    Everything,
}

impl Report<'_> {
    /// Writes the report to the incident in the forms that were chosen. Returns what could not be written: the work
    /// itself is done, and its result must not be lost because of the report.
    pub(super) async fn write(
        &self,
        context: &Context,
        incident: Option<i64>,
        output: &Output,
        file_prefix: &str,
    ) -> Vec<Trouble> {
        let soar = match &context.sink {
            IncidentSink::Soar(soar) => soar,
            IncidentSink::Local(local) => {
                let detail = if output.attachment() {
                    Detail::Everything
                } else {
                    Detail::Note("choose the output Incident attachment".to_owned())
                };
                local.report(self.document(Form::Plain, &detail, None));
                return Vec::new();
            }
        };
        let Some(incident) = incident else { return Vec::new() };
        let reference = context.call.reference();
        let time = context.call.asked_at.unwrap_or_else(Utc::now);
        let filed = Filed { context, soar, incident, prefix: file_prefix, time, reference };
        let mut problems = Vec::new();
        if output.note() {
            let detail = Detail::Note(self.rest.clone().unwrap_or_else(|| rest(output, &filed)));
            let note = self.document(Form::Html, &detail, Some(reference));
            problems.extend(filed.note(&note).await.err().map(|error| not_written("note", &error)));
        }
        if output.attachment() {
            let text = self.document(Form::Plain, &Detail::Everything, Some(reference));
            let mut written = filed.file(Format::Text, text).await;
            if written.is_ok() && self.messages().next().is_some() {
                let table = self.table.clone();
                let table = table.unwrap_or_else(|| message::table(self.messages(), reference));
                written = filed.file(Format::Table, table).await;
            }
            for Table { file_prefix, text } in &self.tables {
                if written.is_ok() {
                    let filed = Filed { prefix: file_prefix, ..filed };
                    written = filed.file(Format::Table, text(reference)).await;
                }
            }
            problems.extend(written.err().map(|error| not_written("attachment", &error)));
        }
        problems
    }

    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.sections.iter().flat_map(|section| &section.messages).chain(&self.other_messages)
    }

    fn document(&self, form: Form, detail: &Detail, reference: Option<Uuid>) -> String {
        let mut document = Document::new(form);
        let is_note = *detail != Detail::Everything;
        document.line(self.label.before(&self.outcome));
        for sentence in &self.sentences {
            document.plain(sentence);
        }
        match &self.looked_for {
            Some(criteria) if is_note => document.plain(format!("Looked for: {criteria}")),
            _ => list(&mut document, "Looked for", &self.criteria_lines()),
        }
        // What was not done is what a reader has to act upon, unless it was not asked for.
        let (urgent, rest): (Vec<_>, Vec<_>) = self.failures.iter().partition(|failures| failures.is_urgent);
        reasons::show(&mut document, &urgent, is_note);
        for (heading, lines) in &self.lists {
            list(&mut document, heading, lines);
        }
        for section in &self.sections {
            section.show(&mut document, detail);
        }
        reasons::show(&mut document, &rest, is_note);
        for (heading, lines) in self.file_only.iter().filter(|_| !is_note) {
            list(&mut document, heading, lines);
        }
        document.gap();
        for remark in &self.remarks {
            document.line([Span::Quiet(remark.clone())]);
        }
        let mut end = took(self.took);
        if let Some(reference) = reference {
            let _ = write!(end, " · reference {reference}");
        }
        document.line([Span::Quiet(end)]);
        document.into_text()
    }

    fn criteria_lines(&self) -> Vec<String> {
        self.criteria.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }
}

impl Label {
    /// The first line of a report.
    fn before(self, outcome: &str) -> Line {
        match self {
            Self::Complete => vec![Span::Bold(format!("Exchange Online: {outcome}"))],
            Self::Incomplete => alert("Incomplete:", outcome),
            Self::OnHold => alert("On hold:", outcome),
            Self::DryRun => vec![Span::Bold(format!("Dry run: {outcome}"))],
        }
    }
}

fn alert(label: &str, outcome: &str) -> Line {
    vec![Span::Alert(label.to_owned()), Span::Bold(format!(" {outcome}"))]
}

impl Section {
    fn show(&self, document: &mut Document, detail: &Detail) {
        let groups = message::groups(&self.messages);
        let (most_groups, most_messages, rest) = match detail {
            Detail::Note(rest) if groups.len() > MANY_GROUPS => (GROUPS_IN_NOTE, 1, rest.as_str()),
            Detail::Note(rest) => (GROUPS_IN_NOTE, MESSAGES_IN_NOTE, rest.as_str()),
            Detail::Everything => (usize::MAX, usize::MAX, ""),
        };
        if let Some(heading) = self.heading.filter(|_| !groups.is_empty()) {
            document.gap();
            document.line([Span::Bold(format!("{heading}:"))]);
        }
        let mut is_cut = false;
        for group in groups.iter().take(most_groups) {
            if self.heading.is_none() {
                document.gap();
            }
            document.line(group.heading());
            // The line that counts the rest takes the place of a message.
            let most =
                if group.len() == most_messages.saturating_add(1) { group.len() } else { most_messages };
            let more = group.len().checked_sub(most).filter(|more| *more > 0);
            is_cut |= more.is_some();
            let rest = if groups.len() == 1 { format!(": {rest}") } else { String::new() };
            let more = more.map(|more| vec![Span::Plain(format!("… and {} more{rest}", thousands(more)))]);
            document.list(group.lines(most, self.has_links).chain(more));
        }
        let others = groups.get(most_groups..).unwrap_or_default();
        if !others.is_empty() {
            let messages = counted(others.iter().map(message::Group::len).sum(), "message");
            document.plain(format!("… and {messages} with other subjects or senders: {rest}"));
        } else if is_cut && groups.len() > 1 {
            document.plain(format!("For the rest, {rest}."));
        }
    }
}

/// Adds a list with its heading.
fn list(document: &mut Document, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    document.gap();
    document.line([Span::Bold(format!("{heading}:"))]);
    document.list(lines.iter().map(|line| vec![Span::Plain(line.clone())]));
}

/// Says where all messages are.
fn rest(output: &Output, filed: &Filed<'_>) -> String {
    match (output.has("Exchange Online data table"), output.attachment()) {
        (true, true) => format!("see the data table, or the file {}", filed.file_name(Format::Table)),
        (true, false) => "see the data table".to_owned(),
        (false, true) => format!("see the file {}", filed.file_name(Format::Table)),
        (false, false) => "choose the data table or Incident attachment as output".to_owned(),
    }
}

fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return "Took less than 1 s".to_owned();
    }
    format!("Took {:.1} s", duration.as_secs_f64())
}

fn not_written(what: &str, error: &Error) -> Trouble {
    let was_not = if error.is_indeterminate() { "may not have been" } else { "was not" };
    Trouble {
        for_analyst: format!("The {what} {was_not} written: {error}"),
        for_log: format!("The {what} {was_not} written: {}.", error.for_log()),
    }
}

/// "1 message", "2 mailboxes", "3 entries", "1,500 messages"
pub(super) fn counted(number: usize, what: &str) -> String {
    let (stem, plural) = match what.strip_suffix('y') {
        _ if number == 1 => (what, ""),
        Some(stem) => (stem, "ies"),
        None if what.ends_with('x') => (what, "es"),
        None => (what, "s"),
    };
    format!("{} {stem}{plural}", thousands(number))
}

/// A number with a comma after each three digits.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
