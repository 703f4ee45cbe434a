//! `docs/functions.md` names the functions, their inputs and their permissions as the program has them.

use std::fmt::Write;

use fn_exchange_online::functions::{Function, Spec};

const DOCUMENT: &str = include_str!("../../docs/functions.md");
const HEAD: &str = "| function | what it does | application permission |\n| --- | --- | --- |\n";

/// The table as it must be; a test that fails shows it, to be copied.
fn table() -> String {
    let mut table = HEAD.to_owned();
    for function in Function::ALL {
        let Spec { name, summary, uses, .. } = function.spec();
        let uses = uses.iter().map(|way| match way.condition {
            None => way.permissions.to_string(),
            Some(condition) => format!("{condition}: {}", way.permissions),
        });
        let uses = uses.collect::<Vec<_>>().join("; ");
        writeln!(table, "| `{name}` | {summary} | {uses} |").unwrap();
    }
    table
}

#[test]
fn table_of_functions_comes_from_the_specs() {
    let start = DOCUMENT.find(HEAD).expect("the table's head");
    let end = DOCUMENT[start..].find("\n\n").map_or(DOCUMENT.len(), |end| start + end + 1);
    assert_eq!(DOCUMENT[start..end], table());
}

#[test]
fn each_section_names_the_inputs_of_its_function() {
    for function in Function::ALL {
        let Spec { name, inputs, .. } = function.spec();
        let start = DOCUMENT.find(&format!("\n`{name}`: ")).unwrap_or_else(|| panic!("no section of {name}"));
        let section = &DOCUMENT[start..];
        let section = &section[..section.find("\n## ").unwrap_or(section.len())];
        for input in *inputs {
            let required = section.contains(&format!("`{}`*", input.name));
            assert!(section.contains(&format!("`{}`", input.name)), "{name}: {}", input.name);
            assert_eq!(required, input.required, "{name}: {}", input.name);
        }
    }
}
