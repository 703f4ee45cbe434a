//! Comma-separated values (RFC 4180). No cell is a formula for a spreadsheet (OWASP page "CSV Injection").

use super::cell;
use crate::audit::reader::Line;

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
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    for line in lines {
        let cells: Vec<_> = COLUMNS.iter().map(|column| quoted(&cell(line, column))).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Quotes a cell. An apostrophe keeps a spreadsheet from taking the cell for a formula.
fn quoted(cell: &str) -> String {
    if cell.is_empty() {
        return String::new();
    }
    let first = cell.trim_start().chars().next();
    let is_formula = first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c))
        || cell.starts_with(['\t', '\r', '\n']);
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cell_is_never_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u{ff1d}1"] {
            assert_eq!(quoted(formula), format!("\"'{formula}\""));
        }
        assert_eq!(quoted("a \"b\", c@example.com"), "\"a \"\"b\"\", c@example.com\"");
        assert_eq!(quoted(""), "");
    }
}
