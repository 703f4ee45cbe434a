//! What a command says, and asks. Words go to standard error, questions to standard output, as with SOAR's own tool.

use std::io::{BufRead, Write, stderr, stdin, stdout};

use net::untrusted::text::sanitize_terminal;

/// Says it.
pub(super) fn say(text: &str) {
    // Who has closed standard error does not want to know.
    let _ = writeln!(stderr(), "{}", sanitize_terminal(text));
}

/// Asks until it is answered with yes or no. Where there is nobody to answer, that is a no.
pub(super) fn confirm(question: &str) -> bool {
    let mut answers = stdin().lock().lines();
    loop {
        let mut out = stdout();
        let _ = write!(out, "{question}");
        let _ = out.flush();
        let Some(Ok(answer)) = answers.next() else {
            let _ = writeln!(out);
            return false;
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return true,
            "n" | "no" => return false,
            _ => {}
        }
    }
}
