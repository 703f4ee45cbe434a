//! How the sandbox tells what happens: for a person, on standard output.

use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

/// Writes the story. A reader that has left wants no more of it, so failures to write are not told.
pub(super) struct Story {
    colours: bool,
}

impl Story {
    pub(super) fn to_stdout() -> Self {
        Self { colours: stdout().is_terminal() }
    }

    fn line(&self, text: &str) {
        let _ = writeln!(stdout(), "{text}");
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&mut self, text: &str) {
        self.line(&self.painted("1", text));
    }

    pub(super) fn say(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    /// Names and what they stand for.
    pub(super) fn facts(&mut self, facts: &[(&str, &str)]) {
        for (name, fact) in facts {
            self.line(&format!("  {name:<11} {fact}"));
        }
    }

    /// Something to paste.
    pub(super) fn command(&mut self, text: &str) {
        self.line(&format!("\n  {}", self.painted("1", text)));
    }

    /// A new step: what the analyst wants, and the function that does it.
    pub(super) fn step(&mut self, number: usize, what: &str, function: &str) {
        self.line("");
        self.line(&format!(
            "{} {}",
            self.painted("1", &format!("{number}. {what}")),
            self.painted("2", function)
        ));
    }

    /// An input of the call.
    pub(super) fn input(&mut self, name: &str, value: &str) {
        self.line(&format!("     {name:<30} {}", shortened(value)));
    }

    /// A status message of the daemon's.
    pub(super) fn status(&mut self, text: &str) {
        self.line(&self.painted("2", &format!("   … {}", shortened(text))));
    }

    /// What came of a step.
    pub(super) fn answer(&mut self, good: bool, text: &str, took: Duration) {
        let mark = if good { self.painted("32", "✔") } else { self.painted("31", "✘") };
        let mut lines = text.lines();
        let took = format!("({:.2} s)", took.as_secs_f64());
        self.line(&format!("   {mark} {} {}", lines.next().unwrap_or_default(), self.painted("2", &took)));
        lines.for_each(|line| self.line(&format!("     {line}")));
    }

    /// Something that was promised, and whether it holds.
    pub(super) fn verdict(&mut self, holds: bool, text: &str) {
        let mark = if holds { self.painted("32", "✔") } else { self.painted("31", "✘") };
        self.line(&format!("   {mark} {text}"));
    }
}

/// Long values are shown by their beginning.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 72;
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() <= LONGEST {
        return first.to_owned();
    }
    let beginning: String = first.chars().take(LONGEST).collect();
    format!("{beginning}…")
}
