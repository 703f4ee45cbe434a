//! Messages and questions of the commands. As with SOAR's own tool, messages go to standard error, and questions to
//! standard output.

use std::io::{BufRead, Write, stderr, stdin, stdout};

use net::untrusted::text::sanitize_terminal;

/// Writes a message.
pub(super) fn say(text: &str) {
    // Ignores a closed standard error.
    let _ = writeln!(stderr(), "{}", sanitize_terminal(text));
}

/// Asks until the answer is yes or no. `None` if standard input ends before.
pub(super) fn confirm(question: &str) -> Option<bool> {
    let mut answers = stdin().lock().lines();
    loop {
        let mut out = stdout();
        let _ = write!(out, "{}", sanitize_terminal(question));
        let _ = out.flush();
        let Some(Ok(answer)) = answers.next() else {
            let _ = writeln!(out);
            return None;
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Some(true),
            "n" | "no" => return Some(false),
            _ => {}
        }
    }
}
