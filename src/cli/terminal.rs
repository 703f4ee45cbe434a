//! How the commands write: results to standard output, messages and questions to standard error.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use clap::ColorChoice;

use super::{ExitCode, Failure};
use crate::log::Look;
use net::untrusted::text::sanitize_terminal;

/// What the command line says about the output of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Appearance {
    /// `--color`.
    pub(super) color: ColorChoice,
    /// `--quiet`: no messages but warnings and errors.
    pub(super) is_quiet: bool,
}

static APPEARANCE: OnceLock<Appearance> = OnceLock::new();

impl Appearance {
    /// Applies to everything that this process writes from now on. Only the first call counts.
    pub(super) fn apply(self) {
        let _ = APPEARANCE.set(self);
    }

    fn get() -> Self {
        APPEARANCE.get().copied().unwrap_or_default()
    }
}

/// Whether messages other than warnings and errors are left out.
pub(super) fn is_quiet() -> bool {
    Appearance::get().is_quiet
}

/// Whether text on `stream` has colors. `auto`: on a terminal, unless it cannot show them or NO_COLOR is set (see
/// no-color.org).
pub(super) fn has_colors(stream: &impl IsTerminal) -> bool {
    match Appearance::get().color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => stream.is_terminal() && !is_without_color(),
    }
}

/// Whether the environment forbids colors.
pub(super) fn is_without_color() -> bool {
    is_dumb() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether the terminal cannot move its cursor.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// What the lines of the log on standard error look like.
pub(super) fn log_look() -> Look {
    Look::of_stderr(has_colors(&stderr()))
}

/// The number of columns of the terminal on `stream`; `None` if it is something else.
pub(super) fn columns(stream: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

/// Returns `text`, cut to `columns` characters, with a mark where it was cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Writes results to standard output.
///
/// # Errors
/// They cannot be written. A reader that has closed its pipe has seen enough, which is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.or_else(|error| of_output(&error))
}

/// The failure of an output, unless its reader has closed it.
pub(super) fn of_output(error: &io::Error) -> Result<(), Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    let message = format!("the output could not be written: {error}");
    Err(Failure::new(ExitCode::Failed, &message))
}

/// Writes a message.
pub(super) fn say(text: &str) {
    if !is_quiet() {
        warn(text);
    }
}

/// Writes a message that `--quiet` does not leave out.
pub(super) fn warn(text: &str) {
    // Ignores a closed standard error.
    let _ = writeln!(stderr(), "{}", sanitize_terminal(text));
}

/// Asks on standard output, as SOAR's own tool does, until the answer is yes or no. `None` if standard input ends
/// before.
pub(super) fn confirm(question: &str) -> Option<bool> {
    confirm_on(&mut stdout(), question)
}

/// Asks on `out` until the answer is yes or no. `None` if standard input ends before.
pub(super) fn confirm_on(out: &mut dyn Write, question: &str) -> Option<bool> {
    let mut answers = stdin().lock().lines();
    loop {
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
