//! What standard error shows while a function runs: its status messages, and on a terminal a progress bar.

use std::io::{Write, stderr};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::terminal::{columns, cut, is_dumb, is_quiet};
use crate::functions::Progress;
use net::untrusted::text::sanitize_terminal;

/// How often the rate and the time left are drawn again.
const TICK: Duration = Duration::from_millis(100);
/// The widest bar in characters, and the narrowest that shows anything.
const WIDEST_BAR: usize = 28;
const NARROWEST_BAR: usize = 4;

/// Standard error. Failures to write to it are ignored: the results go to standard output.
pub(in crate::cli) struct ProgressDisplay {
    /// Drawn on a terminal only.
    bar: ProgressBar,
    has_begun: bool,
    /// Returns the number of columns that a line may have.
    columns: fn() -> Option<usize>,
}

impl ProgressDisplay {
    pub(in crate::cli) fn on_stderr() -> Self {
        // On anything else than a terminal, a target on standard error draws nothing.
        let is_hidden = is_dumb() || is_quiet();
        let target = if is_hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self::on(target, || columns(stderr()))
    }

    fn on(target: ProgressDrawTarget, columns: fn() -> Option<usize>) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // Nothing is drawn before there is progress.
        bar.set_style(line_of(|_| String::new()));
        Self { bar, has_begun: false, columns }
    }

    /// The bar, which the log has to get out of the way for each line.
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Shows a status message. While there is a bar, status messages only repeat what it shows.
    pub(in crate::cli) fn status(&self, text: &str) {
        if !is_quiet() && (!self.has_begun || self.bar.is_hidden()) {
            self.line(&format!("{text} …"));
        }
    }

    /// Shows how far the work is.
    pub(in crate::cli) fn update(&mut self, progress: Progress) {
        if !self.has_begun {
            self.has_begun = true;
            self.bar.enable_steady_tick(TICK);
        }
        let columns = self.columns;
        self.bar.set_style(line_of(move |state| {
            let rate = (state.pos() > 0).then(|| state.per_sec());
            // The last column stays free, since some terminals go to the next line after it.
            line(
                progress,
                rate,
                state.eta(),
                columns().map_or(usize::MAX, |columns| columns.saturating_sub(1)),
            )
        }));
        self.bar.set_length(progress.total as u64);
        self.bar.set_position(progress.done as u64);
    }

    /// Removes the bar.
    pub(in crate::cli) fn clear(&mut self) {
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

/// A style that draws one line.
fn line_of(line: impl Fn(&ProgressState) -> String + Clone + Send + Sync + 'static) -> ProgressStyle {
    // The template is valid; a test draws it.
    let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("line", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = out.write_str(&line(state));
    })
}

/// Share, rate and time left, in at most `columns`: the bar becomes narrower first, then the end is left out. The time
/// left is not known where more work may be found.
fn line(progress: Progress, rate: Option<f64>, left: Duration, columns: usize) -> String {
    let Progress { done, total, more, found } = progress;
    let mut parts = vec![format!("{done}/{total}{}", if more { "+" } else { "" })];
    parts.extend(found.map(|found| format!("{found} found")));
    if let Some(rate) = rate {
        parts.push(format!("{rate:.0}/s"));
        if !more {
            parts.push(format!("{:#} left", HumanDuration(left)));
        }
    }
    let fits = |parts: &[String]| parts.join("  ").chars().count() + "[] ".len() + NARROWEST_BAR <= columns;
    while parts.len() > 1 && !fits(&parts) {
        parts.pop();
    }
    let text = parts.join("  ");
    let room = columns.saturating_sub(text.chars().count() + "[] ".len());
    if room < NARROWEST_BAR {
        return cut(&text, columns);
    }
    let width = room.min(WIDEST_BAR);
    let filled = (width * done.min(total)).checked_div(total).unwrap_or(0);
    format!("[{}{}] {text}", "#".repeat(filled), "-".repeat(width - filled))
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn drawn(progress: Progress) -> String {
        let terminal = InMemoryTerm::new(4, 100);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut display = ProgressDisplay::on(target, || Some(100));
        // The test draws, not the timer.
        display.has_begun = true;
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
    fn line_fits_any_width() {
        let progress = Progress { done: 500, total: 2000, more: false, found: Some(12) };
        let drawn = |columns| line(progress, Some(51.0), Duration::from_secs(29), columns);
        assert_eq!(drawn(80), "[#######---------------------] 500/2000  12 found  51/s  29s left");
        assert_eq!(drawn(50), "[###----------] 500/2000  12 found  51/s  29s left");
        assert_eq!(drawn(40), "[###----------] 500/2000  12 found  51/s");
        assert_eq!(drawn(20), "[##-------] 500/2000");
        assert_eq!((drawn(12), drawn(5)), ("500/2000".to_owned(), "500/…".to_owned()));
        for columns in 0..90 {
            assert!(drawn(columns).chars().count() <= columns.max(1), "{columns}");
        }
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
