//! The binary: parses the command line, starts the runtime, and returns the exit code.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use fn_exchange_online::cli::Cli;
use fn_exchange_online::worker::settle_marks;

/// How long blocking work on other threads may continue after the end of the command.
const LAST_WORK: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code as u8),
    };
    // One thread carries all calls. They nearly always wait for others, and between several threads they would be handed
    // on for each answer, which costs more than the answer. What waits for a disk has threads of its own.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(cli.execute());
            // A slow name lookup or a file system that hangs must not delay the end.
            runtime.shutdown_timeout(LAST_WORK);
            settle_marks(LAST_WORK);
            ExitCode::from(code as u8)
        }
        Err(error) => {
            let _ = writeln!(stderr(), "fn-exchange-online: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
