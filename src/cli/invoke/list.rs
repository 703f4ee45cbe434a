//! `invoke --list`: the functions with their inputs.

use std::fmt::Write as _;
use std::io::{Write, stdout};

use crate::functions::{Function, InputKind};

/// Shows these functions, or all if the list is empty.
pub(super) fn show(functions: &[Function]) {
    let functions = if functions.is_empty() { &Function::ALL } else { functions };
    let mut text = String::new();
    for function in functions {
        describe(&mut text, *function);
    }
    text.push_str(
        "* required. incident_id is given as --incident NUMBER; without it nothing is written to SOAR.\n",
    );
    // Ignores a closed pipe.
    let _ = stdout().write_all(text.as_bytes());
}

fn describe(text: &mut String, function: Function) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{}\n  {}", function.name(), function.spec().summary);
    for input in function.spec().inputs {
        let name = format!("{}{}", input.name, if input.required { "*" } else { "" });
        let _ = writeln!(text, "    {name:<31} {:<11} {}", input.kind.name(), input.meaning);
        if let Some((first, rest)) = input.kind.options().split_first() {
            let how_many = if matches!(input.kind, InputKind::MultiSelect(_)) { "some" } else { "one" };
            let mut line = format!("{how_many} of {first}");
            for option in rest {
                if line.len() + option.len() > 60 {
                    let _ = writeln!(text, "{:48}{line},", "");
                    (*option).clone_into(&mut line);
                } else {
                    let _ = write!(line, ", {option}");
                }
            }
            let _ = writeln!(text, "{:48}{line}", "");
        }
    }
    text.push('\n');
}
