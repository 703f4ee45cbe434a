//! Characters of texts from outside that do more than stand there.

use std::fmt::Write;

/// Whether a character ends a line, moves the cursor, changes the direction of what follows, or cannot be seen.
/// Joiners are left out: scripts and emoji need them.
pub fn is_unsafe_to_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        // Tags: a text within the text.
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// `text` as it may be shown on a terminal: line ends stay, and the other characters that [move](is_unsafe_to_display) leave a mark.
pub fn sanitize_terminal(text: &str) -> String {
    text.chars()
        .map(|c| if c != '\n' && is_unsafe_to_display(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// `text` on one line, for a person to read: blanks for line ends and tabs, and the other characters that
/// [move](is_unsafe_to_display) spelt out.
pub fn sanitize_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => line.push(' '),
            c if is_unsafe_to_display(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// JSON in which the characters that [move](is_unsafe_to_display) are escapes. Between values there are line ends at
/// most, which stay; within a text an escape is equivalent.
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe_to_display(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The longest code or id from outside, in bytes.
const LONGEST_CODE: usize = 100;

/// Whether `text` has the shape of an error code, such as `ErrorItemNotFound` or `invalid_client`.
pub fn is_code(text: &str) -> bool {
    (1..=LONGEST_CODE).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether `text` has the shape of a request's id, such as a UUID. An access token has not: it contains dots.
pub fn is_request_id(text: &str) -> bool {
    is_code(text) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The beginning of `text`, of at most `most` bytes.
pub fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// The first `most` characters of `text` on [one line](sanitize_line), with an ellipsis where more was there.
pub fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => sanitize_line(text.get(..end).unwrap_or_default()) + "…",
        None => sanitize_line(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_moves_and_what_scripts_need_does_not() {
        // Unicode's default ignorable and bidirectional characters, by hand.
        for invisible in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
        ] {
            assert!(is_unsafe_to_display(invisible), "{invisible:?}");
        }
        for visible in ['a', ' ', 'é', 'ß', '\u{200c}', '\u{200d}', 'ا', '中', '😀', '\u{fe0f}'] {
            assert!(!is_unsafe_to_display(visible), "{visible:?}");
        }
    }
}
