//! Promise: SOAR's own tool for developers, `resilient-sdk`, reads what `customize --export` writes without an error,
//! finds everything in it, and makes a package of it.

use std::fs;
use std::process::Output;

use crate::support::resilient_sdk::{output_text, sdk};
use fn_exchange_online::customize::{Examples, ScriptLanguage, export, export_text};
use fn_exchange_online::functions::Function;
use serde_json::Value;

/// The smallest number of words that says a script was shown: its first line.
const SCRIPT: &str = "# Adds the data in the row as artifacts.";

/// A directory with the import file in it.
fn directory(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("export.res"), text).unwrap();
    directory
}

fn docgen(text: &str) -> (Output, String) {
    let directory = directory(text);
    let output = sdk(directory.path(), &["docgen", "-e", "export.res", "-o", "out.md"]);
    (output, fs::read_to_string(directory.path().join("out.md")).unwrap_or_default())
}

#[test]
fn sdk_documents_every_object() {
    for language in [ScriptLanguage::Python3, ScriptLanguage::Python] {
        let (output, document) = docgen(&export_text(language).unwrap());
        assert!(output.status.success(), "{}", output_text(&output));
        let headings = |start: &str| document.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(headings("## Function - Exchange Online: "), Function::ALL.len());
        assert_eq!(headings("## Script - Exchange Online "), 1);
        assert_eq!(headings("## Data Table - Exchange Online "), 1);
        assert!(document.contains(SCRIPT));

        let file = export(language).unwrap();
        let from = document.find("## Rules").unwrap();
        let rules = &document[from..];
        assert_eq!(
            rules.lines().filter(|line| line.starts_with("| Example: Exchange Online ")).count(),
            file["actions"].as_array().unwrap().len()
        );
        let names = |kind: &str, key: &str| -> Vec<String> {
            let all = file[kind].as_array().unwrap().iter();
            all.map(|one| one[key].as_str().unwrap().to_owned()).collect()
        };
        let workflows = names("workflows", "programmatic_name");
        for workflow in workflows {
            assert!(rules.contains(&format!("`{workflow}`")), "{workflow}");
        }
        for field in file["fields"].as_array().unwrap().iter().filter(|field| field["type_id"] == 11) {
            assert!(
                document.contains(&format!("| `{}` |", field["name"].as_str().unwrap())),
                "{}",
                field["name"]
            );
        }
        for column in file["types"][0]["fields"].as_object().unwrap().keys() {
            assert!(document.contains(&format!("| `{column}` |")), "{column}");
        }
    }
}

/// The check above is worth what the tool notices.
#[test]
fn sdk_notices_broken_references() {
    let good = export_text(ScriptLanguage::Python3).unwrap();
    let message_id = "00ca7e22-f9fa-4477-a056-602139d0dbd0";
    for (what, by) in [
        (format!(r#""content": "{message_id}""#), r#""content": "00000000-0000-4000-8000-000000000000""#),
        (r#""destination_handle": "fn_exchange_online""#.to_owned(), r#""destination_handle": "nowhere""#),
        (r#""scripts_to_run": "Exchange Online"#.to_owned(), r#""scripts_to_run": "Unknown"#),
        ("</definitions>".to_owned(), "</definition>"),
    ] {
        assert!(good.contains(&what), "{what}");
        let (output, _) = docgen(&good.replace(&what, by));
        assert!(!output.status.success(), "{what} became {by}, and the tool was content");
    }
}

#[test]
fn sdk_makes_a_package() {
    let file = export(ScriptLanguage::Python3).unwrap();
    let directory = directory(&export_text(ScriptLanguage::Python3).unwrap());
    let names = |kind: &str, key: &str| -> Vec<String> {
        let all = file[kind].as_array().unwrap().iter();
        all.map(|one| one[key].as_str().unwrap().to_owned()).collect()
    };
    let (rules, workflows) = (names("actions", "name"), names("workflows", "programmatic_name"));
    fs::create_dir(directory.path().join("made")).unwrap();
    let mut arguments =
        vec!["codegen", "-p", "new_pkg", "-m", "fn_exchange_online", "-e", "export.res", "-o", "made"];
    arguments.push("-r");
    arguments.extend(rules.iter().map(String::as_str));
    arguments.push("-w");
    arguments.extend(workflows.iter().map(String::as_str));
    arguments.extend([
        "-d",
        "exo_message_query_results_dt",
        "-s",
        "Exchange Online Create Artifacts from Message",
    ]);
    let output = sdk(directory.path(), &arguments);
    assert!(output.status.success(), "{}", output_text(&output));

    let trimmed = directory.path().join("made/new_pkg/new_pkg/util/data/export.res");
    let trimmed: Value = serde_json::from_slice(&fs::read(trimmed).unwrap()).unwrap();
    for kind in [
        "functions",
        "actions",
        "workflows",
        "scripts",
        "types",
        "message_destinations",
        "incident_types",
        "fields",
    ] {
        let count = |file: &Value| file[kind].as_array().unwrap().len();
        assert_eq!(count(&trimmed), count(&file), "{kind}");
    }
}

/// The names of the playbooks.
fn playbooks(file: &Value) -> Vec<String> {
    let all = file["playbooks"].as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sdk_documents_every_playbook() {
    let (output, document) = docgen(&export_text(Examples::Playbooks).unwrap());
    assert!(output.status.success(), "{}", output_text(&output));
    let headings = |start: &str| document.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(headings("## Function - Exchange Online: "), Function::ALL.len());
    assert_eq!(headings("## Data Table - Exchange Online "), 1);
    assert_eq!(headings("## Rules"), 0);
    let file = export(Examples::Playbooks).unwrap();
    let all = file["playbooks"].as_array().unwrap();
    let from = document.find("## Playbooks").unwrap();
    for playbook in all {
        let line = format!("| {} | {} |", playbook["display_name"], playbook["description"]["content"]);
        assert!(document[from..].contains(&line.replace('"', "")), "{line}");
    }
    // The tool has found a function's scripts by the names of its results.
    for shown in ["Example Function Input Script", "Example Function Post Process Script"] {
        assert!(document.matches(shown).count() >= 8, "{shown}: {}", document.matches(shown).count());
    }
    for playbook in all {
        for script in playbook["local_scripts"].as_array().unwrap() {
            let text = script["script_text"].as_str().unwrap();
            let line = text.lines().find(|line| line.starts_with("results = playbook.functions")).unwrap();
            let name = line.rsplit('.').next().unwrap();
            assert!(playbook["content"]["xml"].as_str().unwrap().contains(name), "{line}");
        }
    }
}

#[test]
fn sdk_notices_broken_playbooks() {
    let good = export_text(Examples::Playbooks).unwrap();
    assert!(good.contains("</definitions>"));
    let (output, _) = docgen(&good.replacen("</definitions>", "</definition>", 1));
    assert!(!output.status.success(), "the tool was content");
}

#[test]
fn sdk_extracts_playbooks_and_makes_a_package_of_them() {
    let file = export(Examples::Playbooks).unwrap();
    let directory = directory(&export_text(Examples::Playbooks).unwrap());
    let names = playbooks(&file);
    fs::create_dir(directory.path().join("made")).unwrap();
    fs::create_dir(directory.path().join("extracted")).unwrap();
    let codegen: &[&str] =
        &["codegen", "-p", "new_pkg", "-m", "fn_exchange_online", "-e", "export.res", "-o", "made"];
    let extract: &[&str] = &["extract", "-m", "fn_exchange_online", "-e", "export.res", "-o", "extracted"];
    let functions: Vec<&str> =
        file["functions"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for (command, more) in [(codegen, &[] as &[&str]), (extract, &functions)] {
        let mut arguments = command.to_vec();
        if !more.is_empty() {
            arguments.push("-f");
            arguments.extend(more);
        }
        arguments.push("-pb");
        arguments.extend(names.iter().map(String::as_str));
        arguments.extend(["-d", "exo_message_query_results_dt"]);
        arguments.extend(["-s", "Exchange Online Create Artifacts from Message"]);
        let output = sdk(directory.path(), &arguments);
        assert!(output.status.success(), "{arguments:?}: {}", output_text(&output));
    }
    let made = directory.path().join("made/new_pkg/new_pkg/util/data/export.res");
    let extracted = fs::read_dir(directory.path().join("extracted")).unwrap().next().unwrap().unwrap().path();
    for path in [made, extracted] {
        let trimmed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for kind in
            ["functions", "playbooks", "scripts", "types", "message_destinations", "incident_types", "fields"]
        {
            let count = |file: &Value| file[kind].as_array().unwrap().len();
            assert_eq!(count(&trimmed), count(&file), "{kind} in {}", path.display());
        }
    }
}
