//! The output of the sandbox: an account of what happens, for people.

use std::io::stdout;
use std::time::Duration;

use chrono::Local;

use crate::cli::Failure;
use crate::cli::terminal::{columns, cut, has_colors, print};

/// The longest value where the output is not a terminal, and the shortest on one.
const LONGEST: usize = 72;
const SHORTEST: usize = 20;
/// The widest line of sentences.
const WIDEST: usize = 110;

/// Writes to standard output.
pub(super) struct Story {
    colours: bool,
    /// The number of columns; `None` if the output is not a terminal.
    width: Option<usize>,
    /// The first failure to write, which [`Self::check`] returns.
    written: Result<(), Failure>,
}

impl Story {
    pub(super) fn to_stdout() -> Self {
        Self { colours: has_colors(&stdout()), width: columns(stdout()), written: Ok(()) }
    }

    /// Returns whether everything so far could be written.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.written.clone()
    }

    fn line(&mut self, text: &str) {
        let printed = print(&format!("{text}\n"));
        if self.written.is_ok() {
            self.written = printed;
        }
    }

    /// Shortens a value that begins at column `indent` to its beginning, so that it fits into the line.
    fn shortened(&self, text: &str, indent: usize) -> String {
        let columns = self.width.map_or(LONGEST, |width| width.saturating_sub(indent).max(SHORTEST));
        cut(text.lines().next().unwrap_or_default(), columns)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.line(&text);
    }

    /// Writes sentences, as wide as the terminal.
    pub(super) fn say(&mut self, text: &str) {
        self.line("");
        let columns = self.width.map_or(WIDEST, |width| width.clamp(SHORTEST, WIDEST));
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split(' ') {
                if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
                    self.line(&line);
                    line.clear();
                }
                let gap = if line.is_empty() { "" } else { " " };
                line = line + gap + word;
            }
            self.line(&line);
        }
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
        self.line(&format!("     {name:<30} {}", self.shortened(value, 36)));
    }

    /// Writes a status message of the daemon.
    pub(super) fn status(&mut self, text: &str) {
        let text = self.painted("2", &format!("   … {}", self.shortened(text, 5)));
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

    /// Writes that a call arrived, or what became of it, with the time.
    pub(super) fn event(&mut self, text: &str) {
        let time = Local::now().format("%H:%M:%S").to_string();
        let text = self.shortened(text, 9);
        self.line(&format!("{} {text}", self.painted("2", &time)));
    }

    /// Writes an expectation, and whether it is met.
    pub(super) fn verdict(&mut self, holds: bool, text: &str) {
        let mark = if holds { self.painted("32", "✔") } else { self.painted("31", "✘") };
        self.line(&format!("   {mark} {text}"));
    }
}
