//! The rows of a trace as a table for a spreadsheet.

use uuid::Uuid;

use graph::TraceRow;
use net::untrusted::csv;
use net::untrusted::text::sanitize_line;

const COLUMNS: [&str; 11] = [
    "recipient",
    "received (UTC)",
    "status",
    "sender address",
    "subject",
    "size",
    "from IP",
    "to IP",
    "internet message id",
    "network message id",
    "reference",
];

/// The table. Each line names the call, so that the file of a call is recognised.
pub(super) fn of(rows: &[TraceRow], reference: Uuid) -> String {
    let mut table = csv::Table::for_excel(&COLUMNS);
    let reference = reference.to_string();
    for row in rows {
        let size = row.size.map(|size| size.to_string()).unwrap_or_default();
        let cells = [
            row.recipient.as_str(),
            &row.received.format("%Y-%m-%d %H:%M:%S").to_string(),
            row.status.name(),
            &row.sender,
            &row.subject,
            &size,
            &row.from_ip,
            &row.to_ip,
            &row.message_id,
            &row.id,
            &reference,
        ];
        let cells = cells.map(sanitize_line);
        table.add(cells.iter().map(String::as_str));
    }
    table.into_text()
}
