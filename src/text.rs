//! Characters of texts from outside that do more than stand there.

/// Whether a character ends a line, moves the cursor, changes the direction of what follows, or cannot be seen.
/// Joiners are left out: scripts and emoji need them.
pub(crate) fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// `text` as it may be shown on a terminal: line ends stay, and the other characters that [move](moves) leave a mark.
pub(crate) fn on_terminal(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && moves(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `text` on one line, for a person to read: blanks for line ends and tabs, and the other characters that
/// [move](moves) spelt out.
pub(crate) fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => line.push(' '),
            c if moves(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}
