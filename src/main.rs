//! The binary: parses the command line, starts the runtime, maps errors to exit codes; nothing else.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fn_exchange_online::cli::Cli;

/// How long work on threads of its own may go on after all else has ended.
const LAST_WORK: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(cli.execute());
            // A name that is being looked up, or a file system that hangs, must not hold up the end.
            runtime.shutdown_timeout(LAST_WORK);
            ExitCode::from(code as u8)
        }
        Err(error) => {
            let _ = writeln!(stderr(), "fn-exchange-online: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
