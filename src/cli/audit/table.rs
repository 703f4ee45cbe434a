//! Columns for people.

use std::fmt::Write as _;

use super::cell;
use crate::audit::reader::Line;
use net::untrusted::text::sanitize_line;

/// The columns: heading, keys (the first one with a value is shown), and the greatest width.
const COLUMNS: [(&str, &[&str], usize); 6] = [
    ("TIME", &["time"], 19),
    ("ACT", &["act"], 20),
    ("OUTCOME", &["outcome", "removed"], 20),
    ("MAILBOX", &["mailbox", "searched", "target"], 40),
    ("BY", &["principal"], 32),
    ("MESSAGE OR REASON", &["error", "message_id", "recipients", "destination"], 60),
];

/// Returns the lines under headings, cut to the width of the columns.
pub(super) fn of(lines: &[Line]) -> String {
    let mut rows = vec![COLUMNS.map(|(heading, ..)| heading.to_owned())];
    rows.extend(lines.iter().map(|line| {
        COLUMNS.map(|(_, keys, width)| {
            let text = keys.iter().map(|key| cell(line, key)).find(|text| !text.is_empty());
            cut(&sanitize_line(&text.unwrap_or_default()), width)
        })
    }));
    let widths = [0, 1, 2, 3, 4]
        .map(|column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for row in rows {
        let [.., last] = &row;
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a String does not fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.push_str(last);
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// The first `width` characters of a cell, with a mark if there are more. A time loses its fraction.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let is_time = width == COLUMNS[0].2;
    let kept = if is_time { width } else { width - 1 };
    let kept: String = text.chars().take(kept).collect();
    if is_time { kept } else { format!("{kept}…") }
}
