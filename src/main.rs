//! The binary: parses the command line, starts the runtime, maps errors to exit codes; nothing else.

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::Parser;
use fn_exchange_online::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(cli.execute())),
        Err(error) => {
            let _ = writeln!(stderr(), "fn-exchange-online: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
