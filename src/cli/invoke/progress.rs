//! What standard error shows while a function runs: its status messages, and on a terminal a progress bar.

use std::io::{Write, stderr};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::functions::Progress;
use net::untrusted::text::sanitize_terminal;

/// How often the rate and the time left are drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Standard error. Failures to write to it are ignored: the results go to standard output.
pub(in crate::cli) struct ProgressDisplay {
    /// Drawn on a terminal only.
    bar: ProgressBar,
    has_begun: bool,
}

impl ProgressDisplay {
    pub(in crate::cli) fn on_stderr() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        // On anything else than a terminal, a target on standard error draws nothing.
        let target = if is_dumb { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self { bar: ProgressBar::with_draw_target(None, target), has_begun: false }
    }

    /// The bar, which the log has to get out of the way for each line.
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Shows a status message. While there is a bar, status messages only repeat what it shows.
    pub(in crate::cli) fn status(&self, text: &str) {
        if !self.has_begun || self.bar.is_hidden() {
            self.line(&format!("{text} …"));
        }
    }

    /// Shows how far the work is.
    pub(super) fn update(&mut self, Progress { done, total, more, found }: Progress) {
        if !self.has_begun {
            self.has_begun = true;
            self.bar.enable_steady_tick(TICK);
        }
        let found = found.map(|found| format!("  {found} found")).unwrap_or_default();
        self.bar.set_style(style(more));
        self.bar.set_length(total as u64);
        self.bar.set_message(found);
        self.bar.set_position(done as u64);
    }

    /// Removes the bar.
    pub(super) fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.has_begun = false;
    }

    /// Shows a report that would be the incident's note.
    pub(super) fn report(&self, text: &str) {
        self.line(&format!("\n{}\n", text.trim_end()));
    }

    /// Shows anything else, on a line of its own, without control characters.
    pub(in crate::cli) fn line(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(stderr(), "{}", sanitize_terminal(text));
        });
    }
}

/// Share, rate and time left. Where more work may be found (`more`), the time left is not known.
fn style(more: bool) -> ProgressStyle {
    let template =
        if more { "[{bar:28}] {pos}/{len}+{msg}{rate}" } else { "[{bar:28}] {pos}/{len}{msg}{rate}{left}" };
    // Both templates are valid; a test draws them.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .progress_chars("#-")
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(out, "  {:.0}/s", state.per_sec());
            }
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(out, "  {:#} left", HumanDuration(state.eta()));
            }
        })
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn drawn(progress: Progress) -> String {
        let terminal = InMemoryTerm::new(4, 100);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut display =
            ProgressDisplay { bar: ProgressBar::with_draw_target(None, target), has_begun: true };
        display.update(progress);
        display.bar.tick();
        terminal.contents()
    }

    #[test]
    fn bar_shows_share_rate_and_time_left() {
        let bar = drawn(Progress { done: 500, total: 2000, more: false, found: Some(12) });
        assert!(bar.starts_with("[#######---------------------] 500/2000  12 found  "), "{bar}");
        assert!(bar.contains("/s  ") && bar.ends_with(" left"), "{bar}");
    }

    #[test]
    fn bar_without_a_known_end_shows_no_time_left() {
        let nothing = drawn(Progress { done: 0, total: 0, more: true, found: None });
        assert!(nothing.ends_with(" 0/0+"), "{nothing}");
        let growing = drawn(Progress { done: 999, total: 999, more: true, found: Some(0) });
        assert!(growing.starts_with("[############################] 999/999+  0 found  "), "{growing}");
        assert!(!growing.contains("left"), "{growing}");
    }
}
