//! The report for people: one line per check, followed by advice where something is wrong.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use super::check::{Check, Outcome, Section};
use super::environment::Variable;
use crate::cli::terminal::{has_colors, is_quiet};
use crate::exit_code::ExitCode;

/// The widest column of names. Only the rows of longer names are moved.
const WIDEST_NAME: usize = 34;

/// The style of the report.
pub(super) struct HumanReport {
    /// Uses signs instead of words, on a terminal.
    signs: bool,
    colours: bool,
    /// Leaves out what passed.
    is_quiet: bool,
    /// The advice so far. Each is given once.
    given: Vec<String>,
}

impl HumanReport {
    /// The style for standard output.
    pub(super) fn on_stdout() -> Self {
        let (signs, colours) = (stdout().is_terminal(), has_colors(&stdout()));
        Self { signs, colours, is_quiet: is_quiet(), given: Vec::new() }
    }

    pub(super) fn heading(&self) -> String {
        let title = concat!("Self test of ", env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        format!("{}\n", self.bold(title))
    }

    pub(super) fn environment(&self, variables: &[Variable]) -> String {
        let mut text = format!("\n{}\n", self.bold("Environment"));
        let width = variables.iter().map(|variable| variable.name.len()).max().unwrap_or(0);
        for Variable { name, shown } in variables {
            let _ = writeln!(text, "  {name:width$}  {}", shown.as_deref().unwrap_or("(not set)"));
        }
        text
    }

    pub(super) fn section(&mut self, section: &Section) -> String {
        let shown: Vec<&Check> = section
            .checks
            .iter()
            .filter(|check| !self.is_quiet || check.outcome != Outcome::Passed)
            .collect();
        if shown.is_empty() {
            return String::new();
        }
        let mut text = format!("\n{}\n", self.bold(&section.title));
        let longest =
            shown.iter().map(|check| check.name.chars().count()).filter(|name| *name <= WIDEST_NAME);
        let width = longest.max().unwrap_or(0);
        for (nth, check) in shown.iter().enumerate() {
            self.check(&mut text, check, width);
            // Several checks in a row with one advice share it.
            let next = shown.get(nth + 1).and_then(|next| next.advice.as_ref());
            if let Some(advice) = check.advice.as_ref().filter(|advice| next != Some(advice)) {
                self.advise(&mut text, advice);
            }
        }
        text
    }

    /// Writing to a String does not fail.
    fn check(&self, text: &mut String, check: &Check, width: usize) {
        let (sign, word, colour) = match check.outcome {
            Outcome::Passed => ("✓", "ok  ", "32"),
            Outcome::Warning => ("!", "WARN", "33"),
            Outcome::Failed(_) => ("✗", "FAIL", "31"),
            Outcome::Skipped => ("–", "skip", "2"),
        };
        let mark = self.coloured(if self.signs { sign } else { word }, colour);
        let _ = writeln!(text, "  {mark} {:width$}  {}", check.name, check.found);
    }

    fn advise(&mut self, text: &mut String, advice: &str) {
        let (indent, arrow) = if self.signs { (4, "→") } else { (7, "->") };
        let advice = if self.given.iter().any(|given| given == advice) {
            "See the same advice above."
        } else {
            self.given.push(advice.to_owned());
            advice
        };
        let _ = writeln!(text, "{:indent$}{arrow} {advice}", "");
    }

    pub(super) fn end(&self, outcomes: &[Outcome], code: ExitCode, took: Duration) -> String {
        let count =
            |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
        let passed = count(&|outcome| *outcome == Outcome::Passed);
        let warnings = count(&|outcome| *outcome == Outcome::Warning);
        let skipped = count(&|outcome| *outcome == Outcome::Skipped);
        let failed = count(&|outcome| matches!(outcome, Outcome::Failed(_)));
        let mut counts = format!("{passed} passed");
        let warned = if warnings == 1 { "warning" } else { "warnings" };
        for (number, what) in [(warnings, warned), (failed, "failed"), (skipped, "skipped")] {
            if number > 0 {
                let _ = write!(counts, ", {number} {what}");
            }
        }
        let (verdict, colour) = match (failed, warnings) {
            (0, 0) => ("All checks passed.", "32"),
            (0, _) => ("All checks passed, with warnings.", "33"),
            _ => ("Some checks failed.", "31"),
        };
        let verdict = self.coloured(verdict, colour);
        let code = match code {
            ExitCode::Success => String::new(),
            code => format!(" Exit code {}.", code as u8),
        };
        format!("\n{verdict} {counts}, in {:.1} s.{code}\n", took.as_secs_f64())
    }

    fn bold(&self, text: &str) -> String {
        self.coloured(text, "1")
    }

    fn coloured(&self, text: &str, colour: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(signs: bool, colours: bool) -> HumanReport {
        HumanReport { signs, colours, is_quiet: false, given: Vec::new() }
    }

    fn section() -> Section {
        let checks = vec![
            Check::passed("a", "sign in", "fine"),
            Check::failed("b", "token", ExitCode::Failed, "no\x1b[2J\u{202e}token", "Do this."),
            Check::warning("c", "a", "well", None),
            Check::skipped("d", "request", "no token"),
        ];
        Section::new("Microsoft Graph", checks)
    }

    #[test]
    fn a_file_gets_words_and_no_colours() {
        let text = report(false, false).section(&section());
        let expected = "\nMicrosoft Graph\n\
                        \x20 ok   sign in  fine\n\
                        \x20 FAIL token    no\u{FFFD}[2J\u{FFFD}token\n\
                        \x20      -> Do this.\n\
                        \x20 WARN a        well\n\
                        \x20 skip request  no token\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_terminal_gets_signs_and_colours() {
        let text = report(true, true).section(&section());
        assert!(text.contains("  \x1b[32m✓\x1b[0m sign in  fine\n"), "{text:?}");
        assert!(
            text.contains("  \x1b[31m✗\x1b[0m token    no\u{FFFD}[2J\u{FFFD}token\n    → Do this.\n"),
            "{text:?}"
        );
    }

    #[test]
    fn a_terminal_whose_reader_wants_no_colours_gets_signs_only() {
        let text = report(true, false).section(&section());
        assert!(text.contains("✗ token") && !text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn the_end_counts_and_names_the_exit_code() {
        let words = report(false, false);
        let took = Duration::from_millis(1250);
        let all_well = words.end(&[Outcome::Passed; 3], ExitCode::Success, took);
        assert_eq!(all_well, "\nAll checks passed. 3 passed, in 1.2 s.\n");
        let failed = words.end(
            &[Outcome::Passed, Outcome::Failed(ExitCode::BadCredentials), Outcome::Warning, Outcome::Skipped],
            ExitCode::BadCredentials,
            took,
        );
        assert_eq!(
            failed,
            "\nSome checks failed. 1 passed, 1 warning, 1 failed, 1 skipped, in 1.2 s. Exit code 21.\n"
        );
    }
}
