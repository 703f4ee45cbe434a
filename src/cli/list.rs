//! `list`: the functions of this program. `selftest` and `customize --dry-run` show whether SOAR has them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::terminal::print;
use super::{ExitCode, Failure, package_filter::PACKAGE};
use crate::customize::destination;
use crate::functions::Function;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows the package with its version and functions, in the form of SOAR's own tool. `verbose` adds what each function
/// does, and the path of the program.
pub(super) fn list(arguments: &Arguments, verbose: bool) -> Result<(), Failure> {
    let destination = destination().map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let mut functions = Function::ALL;
    functions.sort_by_key(|function| function.name());
    if arguments.json {
        return print(&as_json(&functions, &destination));
    }
    let mut text = "Installed, with its functions:\n\n".to_owned();
    let program = std::env::current_exe().ok().filter(|_| verbose);
    let place = program.map(|path| format!(" ({})", path.display())).unwrap_or_default();
    // Writing to a String does not fail.
    let _ = writeln!(text, "{PACKAGE}=={}{place}:", env!("CARGO_PKG_VERSION"));
    for function in functions {
        let _ = writeln!(text, "\t{}", function.name());
        if verbose {
            let _ = writeln!(text, "\t\t{}", function.spec().summary);
        }
    }
    let _ = writeln!(text, "\nCalls of them come on the message destination {destination}.");
    print(&text)
}

fn as_json(functions: &[Function], destination: &str) -> String {
    let function = |function: &Function| json!({"name": function.name(), "summary": function.spec().summary});
    let list = json!({
        "package": PACKAGE,
        "version": env!("CARGO_PKG_VERSION"),
        "message_destination": destination,
        "functions": functions.iter().map(function).collect::<Vec<Value>>(),
    });
    format!("{list:#}\n")
}
