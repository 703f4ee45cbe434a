//! The report that Query and Delete write to the incident, as a note (HTML) and as a file (plain text).

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use chrono::{Local, Utc};
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::context::Context;
use super::error::Error;
use super::idempotency::{Visibility, ensure_once};
use super::incident_sink::{IncidentSink, write_on_record};
use super::outcome::Trouble;
use crate::audit::{Act, AuditRecord};
use net::untrusted::text::sanitize_line;
use soar::{self, Content, Target};

/// A note has at most this many lines of mailboxes; the file has them all. SOAR shows a note as a whole.
const LINES_IN_NOTE: usize = 500;

/// A larger file, in bytes, is not a report.
const LARGEST_REPORT: u64 = 64 << 20;

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

/// A report, before it takes a form.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// "Exchange Online: messages found"
    pub(super) title: &'static str,
    /// The criteria, by name.
    pub(super) criteria: Vec<(&'static str, String)>,
    /// The totals, one sentence per line.
    pub(super) totals: Vec<String>,
    /// What the counts in [`mailboxes`](Self::mailboxes) are: "found", "deleted".
    pub(super) counted: &'static str,
    /// Each mailbox with its count.
    pub(super) mailboxes: Vec<(String, usize)>,
    /// What could not be done, one sentence per line.
    pub(super) failures: Vec<String>,
    /// A further list with its heading, too long for a note.
    pub(super) file_only: Option<(&'static str, Vec<String>)>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Report {
    /// Writes the report to the incident in the forms that were chosen. Returns what could not be written: the work
    /// itself is done, and its result must not be lost because of the report.
    pub(super) async fn write(
        &self,
        context: &Context,
        incident: Option<i64>,
        output: &Output,
        file_prefix: &str,
    ) -> Vec<Trouble> {
        if !output.needs_incident() {
            return Vec::new();
        }
        let soar = match &context.sink {
            IncidentSink::Soar(soar) => soar,
            IncidentSink::Local(local) => {
                local.report(self.text(None));
                return Vec::new();
            }
        };
        let Some(incident) = incident else { return Vec::new() };
        let filed = Filed { context, soar, incident, reference: context.call.reference() };
        let mut problems = Vec::new();
        if output.note()
            && let Err(error) = filed.note(&self.html(filed.reference)).await
        {
            problems.push(not_written("note", &error));
        }
        if output.attachment()
            && let Err(error) = filed.file(file_prefix, self.text(Some(filed.reference))).await
        {
            problems.push(not_written("attachment", &error));
        }
        problems
    }

    /// The note. Everything a user or a mail may have written is escaped, and stays on its line.
    fn html(&self, reference: Uuid) -> String {
        let mut html = format!("<div><b>{}</b></div>", escaped(self.title));
        for total in &self.totals {
            let _ = write!(html, "<div>{}</div>", escaped(&sanitize_line(total)));
        }
        html_list(&mut html, "Criteria", &self.criteria_lines());
        html_list(&mut html, "Mailboxes", &self.mailbox_lines());
        html_list(&mut html, "Not done", &self.failures);
        let _ = write!(html, "<div>Reference: {reference}</div><div>{}</div>", escaped(&self.duration()));
        html
    }

    /// The file.
    fn text(&self, reference: Option<Uuid>) -> String {
        let mut text = format!("{}\n\n", self.title);
        for total in &self.totals {
            let _ = writeln!(text, "{}", sanitize_line(total));
        }
        for (heading, lines) in [
            ("Criteria", self.criteria_lines()),
            ("Mailboxes", self.mailbox_lines()),
            ("Not done", self.failures.clone()),
            self.file_only.clone().unwrap_or_default(),
        ] {
            if !lines.is_empty() {
                let _ = write!(text, "\n{heading}:\n");
                for line in lines {
                    let _ = writeln!(text, "  {}", sanitize_line(&line));
                }
            }
        }
        if let Some(reference) = reference {
            let _ = write!(text, "\nReference: {reference}");
        }
        let _ = write!(text, "\n{}\n", self.duration());
        text
    }

    fn criteria_lines(&self) -> Vec<String> {
        self.criteria.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    fn mailbox_lines(&self) -> Vec<String> {
        let line = |(address, count): &(String, usize)| format!("{address}: {count} {}", self.counted);
        self.mailboxes.iter().map(line).collect()
    }

    fn duration(&self) -> String {
        format!("Time: {:.1} s", self.took.as_secs_f64())
    }
}

/// Where a report goes in SOAR. It names the call's reference, by which a note or file of the same call is known.
struct Filed<'a> {
    context: &'a Context,
    soar: &'a soar::Client,
    incident: i64,
    reference: Uuid,
}

impl Filed<'_> {
    fn record(&self, act: Act) -> AuditRecord {
        AuditRecord { target: Some(Target::Incident(self.incident).to_string()), ..AuditRecord::new(act) }
    }

    async fn note(&self, html: &str) -> Result<(), Error> {
        let reference = self.reference.to_string();
        let look = || async {
            let notes = self.soar.notes(self.incident).await?;
            Ok(notes.iter().any(|note| note.contains(&reference)).then_some(()))
        };
        let act = || async {
            write_on_record(
                &self.context.guard,
                self.record(Act::WriteNote),
                self.soar.add_note(self.incident, html),
            )
            .await
        };
        ensure_once(self.context, "the note", Visibility::Immediate, look, act).await
    }

    async fn file(&self, prefix: &str, text: String) -> Result<(), Error> {
        // The name is the same in each run, as far as the message tells when it was sent.
        let asked_at = self.context.call.asked_at.unwrap_or_else(Utc::now).with_timezone(&Local);
        let name = format!("{prefix}-{}.txt", asked_at.format("%Y-%m-%dT%H:%M:%S"));
        let text = Bytes::from(text);
        let act = || async {
            let target = Target::Incident(self.incident);
            let attach = self.soar.attach(target, &name, "text/plain", Content::bytes(text.clone()));
            write_on_record(&self.context.guard, self.record(Act::AttachReport), attach).await.map(drop)
        };
        ensure_once(
            self.context,
            "the attachment",
            Visibility::Immediate,
            || self.look_for_file(prefix, &name),
            act,
        )
        .await
    }

    /// Looks for the file among those that may be it, in which it stands whose they are.
    async fn look_for_file(&self, prefix: &str, name: &str) -> Result<Option<()>, Error> {
        let reference = self.reference.to_string();
        for file in self.soar.attachments(Target::Incident(self.incident)).await? {
            let may_be_it = match self.context.call.asked_at {
                Some(_) => file.name == name,
                None => file.name.starts_with(prefix),
            };
            if may_be_it && file.size.is_none_or(|size| size <= LARGEST_REPORT) {
                let mut pieces = self.soar.attachment_contents(self.incident, file.id).await?;
                let mut content = Vec::new();
                while let Some(piece) = pieces.try_next().await? {
                    content.extend_from_slice(&piece);
                    // Whatever SOAR says of its size.
                    if content.len() as u64 > LARGEST_REPORT {
                        break;
                    }
                }
                if String::from_utf8_lossy(&content).contains(&reference) {
                    return Ok(Some(()));
                }
            }
        }
        Ok(None)
    }
}

fn not_written(what: &str, error: &Error) -> Trouble {
    let was_not = if error.is_indeterminate() { "may not have been" } else { "was not" };
    Trouble {
        for_analyst: format!("The {what} {was_not} written: {error}"),
        for_log: format!("The {what} {was_not} written: {}.", error.for_log()),
    }
}

fn html_list(html: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(html, "<div><br/><b>{heading}</b></div><ul>");
    for line in lines.iter().take(LINES_IN_NOTE) {
        let _ = write!(html, "<li>{}</li>", escaped(&sanitize_line(line)));
    }
    if let Some(left_out) = lines.len().checked_sub(LINES_IN_NOTE).filter(|left_out| *left_out > 0) {
        let _ = write!(html, "<li>… and {left_out} more</li>");
    }
    html.push_str("</ul>");
}

/// `text` as HTML text.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// "1 message", "2 mailboxes"
pub(super) fn counted(number: usize, what: &str) -> String {
    let plural = match (number, what.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {what}{plural}")
}
