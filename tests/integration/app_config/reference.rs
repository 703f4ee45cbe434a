//! The tables of docs/settings.md, made from the definitions of the options.

use std::fmt::Write as _;
use std::fs;

use fn_exchange_online::config::definitions::{ARGUMENTS, Opt, SECTIONS, Section};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");

#[test]
fn settings_guide_has_the_tables_of_the_definitions() {
    let guide = fs::read_to_string(GUIDE).unwrap();
    for section in SECTIONS {
        let table = table(section);
        assert!(
            guide.contains(&table),
            "docs/settings.md does not have this table of [{}]:\n{table}",
            section.name
        );
    }
}

fn table(section: &Section) -> String {
    let mut table = "| setting | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for option in section.options() {
        let default = option.default().unwrap_or_default();
        let default = if default.starts_with("https://") { format!("`{default}`") } else { default };
        writeln!(table, "| `{}` | {default} | {} |", option.opt().key, Opt::described(option)).unwrap();
    }
    table + "\n"
}

#[test]
fn every_option_is_defined_once_and_documented() {
    for section in SECTIONS {
        let mut keys: Vec<_> = section.options().map(|option| option.opt().key).collect();
        for option in section.options() {
            let Opt { section: name, documentation, .. } = option.opt();
            assert_eq!(*name, section.name);
            assert!(documentation.ends_with(['.', ')']), "{documentation}");
        }
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all, "[{}]", section.name);
    }
}

#[test]
fn settings_guide_has_the_table_of_arguments() {
    let guide = fs::read_to_string(GUIDE).unwrap();
    let mut table = "| argument | what it does |\n| --- | --- |\n".to_owned();
    for argument in ARGUMENTS {
        let effect = match (argument.option(), argument.refusal()) {
            (Some(option), _) => format!("sets `{}`", option.opt().key),
            (None, refusal) => format!("refused: {}", refusal.unwrap()),
        };
        writeln!(table, "| `--{}` | {effect} |", argument.name).unwrap();
    }
    assert!(guide.contains(&table), "docs/settings.md does not have this table of arguments:\n{table}");
}
