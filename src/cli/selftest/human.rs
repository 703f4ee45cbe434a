//! The report for people: one line per check, followed by advice where something is wrong.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use super::check::{Check, Outcome, Section};
use super::environment::Variable;
use crate::exit_code::ExitCode;

/// The widest column of names; longer names do not move the next column.
const WIDEST_NAME: usize = 34;

/// The style of the report.
pub(super) struct HumanReport {
    /// Uses signs instead of words, on a terminal.
    signs: bool,
    colours: bool,
}

impl HumanReport {
    /// The style for standard output (NO_COLOR: see no-color.org).
    pub(super) fn on_stdout() -> Self {
        let signs = stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { signs, colours: signs && !dumb && !is_set("NO_COLOR") }
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

    pub(super) fn section(&self, section: &Section) -> String {
        let mut text = format!("\n{}\n", self.bold(&section.title));
        let longest = section.checks.iter().map(|check| check.name.chars().count()).max();
        let width = longest.unwrap_or(0).min(WIDEST_NAME);
        for check in &section.checks {
            self.check(&mut text, check, width);
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
        if let Some(advice) = &check.advice {
            let (indent, arrow) = if self.signs { (4, "→") } else { (7, "->") };
            let _ = writeln!(text, "{:indent$}{arrow} {advice}", "");
        }
    }

    pub(super) fn end(&self, outcomes: &[Outcome], code: ExitCode, took: Duration) -> String {
        let count =
            |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
        let passed = count(&|outcome| *outcome == Outcome::Passed);
        let warnings = count(&|outcome| *outcome == Outcome::Warning);
        let skipped = count(&|outcome| *outcome == Outcome::Skipped);
        let failed = count(&|outcome| matches!(outcome, Outcome::Failed(_)));
        let mut counts = format!("{passed} passed");
        for (number, what) in [(warnings, "warnings"), (failed, "failed"), (skipped, "skipped")] {
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
        let text = HumanReport { signs: false, colours: false }.section(&section());
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
        let text = HumanReport { signs: true, colours: true }.section(&section());
        assert!(text.contains("  \x1b[32m✓\x1b[0m sign in  fine\n"), "{text:?}");
        assert!(
            text.contains("  \x1b[31m✗\x1b[0m token    no\u{FFFD}[2J\u{FFFD}token\n    → Do this.\n"),
            "{text:?}"
        );
    }

    #[test]
    fn a_terminal_whose_reader_wants_no_colours_gets_signs_only() {
        let text = HumanReport { signs: true, colours: false }.section(&section());
        assert!(text.contains("✗ token") && !text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn the_end_counts_and_names_the_exit_code() {
        let words = HumanReport { signs: false, colours: false };
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
            "\nSome checks failed. 1 passed, 1 warnings, 1 failed, 1 skipped, in 1.2 s. Exit code 21.\n"
        );
    }
}
