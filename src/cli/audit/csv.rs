//! The lines of the audit trail as comma-separated values.

use super::cell;
use crate::audit::reader::Line;
use net::untrusted::csv::Table;

const COLUMNS: [&str; 29] = [
    "time",
    "act",
    "outcome",
    "mailbox",
    "mailbox_id",
    "message_id",
    "destination",
    "recipients",
    "attachments",
    "attendees",
    "messages",
    "searched",
    "mailboxes",
    "criteria",
    "target",
    "error",
    "dry_run",
    "principal",
    "incident",
    "workflow",
    "workflow_instance",
    "playbook",
    "playbook_id",
    "playbook_instance",
    "correlation_id",
    "function",
    "intent",
    "removed",
    "file",
];

/// Returns the lines under a heading.
pub(super) fn of(lines: &[Line]) -> String {
    let mut table = Table::new(&COLUMNS);
    for line in lines {
        let cells = COLUMNS.map(|column| cell(line, column));
        table.add(cells.iter().map(String::as_str));
    }
    table.into_text()
}
