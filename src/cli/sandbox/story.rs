//! The output of the sandbox: an account of what happens, for people.

use std::io::{IsTerminal, Stdout, Write, stdout};
use std::time::Duration;

/// Writes to standard output. Ignores failures to write.
pub(super) struct Story {
    out: Stdout,
    colours: bool,
}

impl Story {
    pub(super) fn to_stdout() -> Self {
        Self { out: stdout(), colours: stdout().is_terminal() }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.line(&text);
    }

    pub(super) fn say(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    /// Writes names and values.
    pub(super) fn facts(&mut self, facts: &[(&str, &str)]) {
        for (name, fact) in facts {
            self.line(&format!("  {name:<11} {fact}"));
        }
    }

    /// Writes a command to paste.
    pub(super) fn command(&mut self, text: &str) {
        self.line(&format!("\n  {}", self.painted("1", text)));
    }

    /// Writes the heading of a step: its purpose, and the function.
    pub(super) fn step(&mut self, number: usize, what: &str, function: &str) {
        self.line("");
        self.line(&format!(
            "{} {}",
            self.painted("1", &format!("{number}. {what}")),
            self.painted("2", function)
        ));
    }

    /// Writes an input of the call.
    pub(super) fn input(&mut self, name: &str, value: &str) {
        self.line(&format!("     {name:<30} {}", shortened(value)));
    }

    /// Writes a status message of the daemon.
    pub(super) fn status(&mut self, text: &str) {
        let text = self.painted("2", &format!("   … {}", shortened(text)));
        self.line(&text);
    }

    /// Writes the outcome of a step.
    pub(super) fn answer(&mut self, good: bool, text: &str, took: Duration) {
        let mark = if good { self.painted("32", "✔") } else { self.painted("31", "✘") };
        let mut lines = text.lines();
        let took = format!("({:.2} s)", took.as_secs_f64());
        self.line(&format!("   {mark} {} {}", lines.next().unwrap_or_default(), self.painted("2", &took)));
        lines.for_each(|rest| self.line(&format!("     {rest}")));
    }

    /// Writes an expectation, and whether it is met.
    pub(super) fn verdict(&mut self, holds: bool, text: &str) {
        let mark = if holds { self.painted("32", "✔") } else { self.painted("31", "✘") };
        self.line(&format!("   {mark} {text}"));
    }
}

/// Shortens a long value to its beginning.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 72;
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() <= LONGEST {
        return first.to_owned();
    }
    let beginning: String = first.chars().take(LONGEST).collect();
    format!("{beginning}…")
}
