//! What a person sees on standard error while a function runs: its status messages, and on a terminal a bar for
//! work that takes long.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use tokio::time::Instant;

use crate::functions::Progress;
use net::untrusted::text::sanitize_terminal;

/// How often the bar is drawn.
pub(super) const FRAME: Duration = Duration::from_millis(100);
/// The bar itself, in characters.
const WIDTH: usize = 28;

/// Standard error. Who does not look at it misses nothing that matters, so failures to write are not told.
pub(in crate::cli) struct ProgressDisplay {
    /// It is a terminal that can be drawn on.
    live: bool,
    /// When the work that is shown as a bar began.
    bar_since: Option<Instant>,
}

impl ProgressDisplay {
    pub(in crate::cli) fn on_stderr() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { live: stderr().is_terminal() && !dumb, bar_since: None }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// A status message. Those that come with the bar say in words what it shows.
    pub(in crate::cli) fn status(&mut self, text: &str) {
        if self.bar_since.is_none() {
            self.line(&format!("{text} …"));
        }
    }

    /// Draws the bar, or draws it again.
    pub(super) fn draw(&mut self, progress: Option<Progress>) {
        let Some(progress) = progress else { return };
        let since = *self.bar_since.get_or_insert_with(Instant::now);
        let _ = write!(stderr(), "\r\x1b[2K{}", bar(progress, since.elapsed()));
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if self.bar_since.take().is_some() {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }

    /// A report that would be the incident's note.
    pub(super) fn report(&mut self, text: &str) {
        self.line(&format!("\n{}\n", text.trim_end()));
    }

    /// Anything else, on a line of its own. What moves the cursor was not written by us.
    pub(in crate::cli) fn line(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(stderr(), "{}", sanitize_terminal(text));
    }
}

/// The bar: how much is done, of how many, how fast, and how long it will yet take.
fn bar(progress: Progress, elapsed: Duration) -> String {
    let Progress { done, total, more, found } = progress;
    let filled = (WIDTH * done).checked_div(total).unwrap_or(0).min(WIDTH);
    let mut line = format!("[{}{}] {done}/{total}", "#".repeat(filled), "-".repeat(WIDTH - filled));
    // Writing to a String does not fail.
    if more {
        line.push('+');
    }
    if let Some(found) = found {
        let _ = write!(line, "  {found} found");
    }
    #[allow(clippy::cast_precision_loss)] // counts of mailboxes and messages, for people to read
    let (done, left) = (done as f64, total.saturating_sub(done) as f64);
    let rate = done / elapsed.as_secs_f64();
    if done > 0.0 && rate.is_finite() {
        let _ = write!(line, "  {rate:.0}/s");
        let seconds = Duration::try_from_secs_f64((left / rate).ceil()).unwrap_or_default().as_secs();
        let at_least = if more { ">" } else { "" };
        let _ = write!(line, "  {at_least}{}:{:02} left", seconds / 60, seconds % 60);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_tells_share_rate_and_time_left() {
        let progress = Progress { done: 500, total: 2000, more: false, found: Some(12) };
        assert_eq!(
            bar(progress, Duration::from_secs(5)),
            "[#######---------------------] 500/2000  12 found  100/s  0:15 left"
        );
    }

    #[test]
    fn the_bar_promises_nothing_that_it_cannot_know() {
        let nothing = Progress { done: 0, total: 0, more: true, found: None };
        assert_eq!(bar(nothing, Duration::ZERO), "[----------------------------] 0/0+");
        let growing = Progress { done: 999, total: 999, more: true, found: Some(0) };
        assert_eq!(
            bar(growing, Duration::from_secs(1)),
            "[############################] 999/999+  0 found  999/s  >0:00 left"
        );
    }
}
