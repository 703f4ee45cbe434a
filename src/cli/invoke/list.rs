//! `invoke --list`: the functions with their inputs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::terminal::print;
use crate::functions::{Function, Input, InputKind};

/// Shows these functions, or all if the list is empty.
pub(super) fn show(functions: &[Function], as_json: bool) -> Result<(), Failure> {
    let functions = if functions.is_empty() { &Function::ALL } else { functions };
    if as_json {
        let functions: Vec<Value> = functions.iter().copied().map(json_of).collect();
        return print(&format!("{:#}\n", json!({ "functions": functions })));
    }
    let mut text = String::new();
    for function in functions {
        describe(&mut text, *function);
    }
    text.push_str(
        "* required. incident_id is given as --incident NUMBER; without it nothing is written to SOAR.\n",
    );
    print(&text)
}

fn json_of(function: Function) -> Value {
    let spec = function.spec();
    let input = |input: &Input| {
        json!({
            "name": input.name, "kind": input.kind.name(), "required": input.required,
            "meaning": input.meaning, "options": input.kind.options(),
        })
    };
    json!({
        "name": spec.name, "summary": spec.summary, "changes_mailbox": spec.changes_mailbox,
        "inputs": spec.inputs.iter().map(input).collect::<Vec<Value>>(),
    })
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
