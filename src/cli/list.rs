//! `list`: the functions of this program. `selftest` and `customize --dry-run` show whether SOAR has them.

use std::fmt::Write as _;
use std::io::{Write, stdout};

use super::{ExitCode, Failure, package_filter::PACKAGE};
use crate::customize::destination;
use crate::functions::Function;

/// Shows the package with its version and functions, in the form of SOAR's own tool. `verbose` adds what each function
/// does, and the path of the program.
pub(super) fn list(verbose: bool) -> Result<(), Failure> {
    let destination = destination().map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let mut text = "Installed, with its functions:\n\n".to_owned();
    let program = std::env::current_exe().ok().filter(|_| verbose);
    let place = program.map(|path| format!(" ({})", path.display())).unwrap_or_default();
    // Writing to a String does not fail.
    let _ = writeln!(text, "{PACKAGE}=={}{place}:", env!("CARGO_PKG_VERSION"));
    let mut functions = Function::ALL;
    functions.sort_by_key(|function| function.name());
    for function in functions {
        let _ = writeln!(text, "\t{}", function.name());
        if verbose {
            let _ = writeln!(text, "\t\t{}", function.spec().summary);
        }
    }
    let _ = writeln!(text, "\nCalls of them come on the message destination {destination}.");
    // Ignores a closed pipe.
    let _ = stdout().write_all(text.as_bytes());
    Ok(())
}
