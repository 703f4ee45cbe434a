//! The workflows, as BPMN. `references` checks that they are complete.

use std::io::Write;
use std::process::{Command, Stdio};

use fn_exchange_online::customize::{ScriptLanguage, export};
use serde_json::{Value, json};

use crate::customizations::{FUNCTION, LANGUAGES, fields, list, text};

/// The workflows of the file, and what is in each.
fn read(file: &Value) -> Vec<(&Value, Value)> {
    read_each(list(file, "workflows"))
}

/// What is in each of these workflows or playbooks. Python reads them, since SOAR's own tools are Python.
pub(crate) fn read_each(workflows: &[Value]) -> Vec<(&Value, Value)> {
    let xml: Vec<_> = workflows.iter().map(|workflow| workflow["content"]["xml"].clone()).collect();
    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/customizations/bpmn.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3, which reads the workflows, is not installed");
    python.stdin.take().unwrap().write_all(json!(xml).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), workflows.len());
    workflows.iter().zip(read).collect()
}

#[test]
fn workflow_names_match_in_json_and_bpmn() {
    let file = crate::customizations::file();
    for (workflow, bpmn) in read(&file) {
        let name = &workflow["programmatic_name"];
        assert_eq!(&workflow["export_key"], name);
        assert_eq!(&workflow["content"]["workflow_id"], name);
        assert_eq!(&bpmn["process"], name);
        assert_eq!(bpmn["name"], workflow["name"]);
        assert_eq!(bpmn["documentation"], workflow["description"]);
        assert_eq!(bpmn["root"], "definitions");
        assert_eq!(bpmn["executable"], "true");
    }
}

#[test]
fn every_workflow_element_has_a_shape() {
    let file = crate::customizations::file();
    for (_, bpmn) in read(&file) {
        let shapes: Vec<_> = list(&bpmn, "nodes").iter().map(|node| json!([node["id"], 1])).collect();
        let edges: Vec<_> = list(&bpmn, "flows").iter().map(|flow| json!([flow[0], 2])).collect();
        assert_eq!(bpmn["plane"], "undefined");
        assert_eq!(bpmn["shapes"], json!(shapes));
        assert_eq!(bpmn["edges"], json!(edges));
    }
}

/// Function, static inputs, whether there are scripts before and after, name of the result.
type Step = (&'static str, &'static [(&'static str, &'static str)], bool, bool, &'static str);

const TABLE: &[(&str, &str)] = &[("exo_query_output_format", "Exchange Online data table")];

const WORKFLOWS: [(&str, &[Step]); 10] = [
    ("create_meeting", &[("create_meeting", &[], true, true, "")]),
    ("delete_email", &[("delete_email", &[], true, true, "")]),
    (
        "delete_messages_from_query_results",
        &[
            ("query_emails", TABLE, true, false, "exo_query_results"),
            ("delete_messages_from_query_results", &[], true, true, ""),
        ],
    ),
    ("get_message", &[("get_message", &[], true, true, "")]),
    ("get_user_profile", &[("get_email_user_profile", &[], true, true, "")]),
    ("move_message_to_folder", &[("move_message_to_folder", &[], true, true, "")]),
    ("query_emails", &[("query_emails", TABLE, true, true, "")]),
    ("query_messages_of_a_group", &[("query_emails", TABLE, true, true, "")]),
    ("send_message", &[("send_message", &[], true, true, "")]),
    ("write_message_as_attachment", &[("write_message_as_attachment", &[], true, false, "")]),
];

#[test]
fn workflows_call_their_functions_with_their_scripts() {
    let file = crate::customizations::file();
    let all = fields(&file, FUNCTION);
    let workflows = read(&file);
    assert_eq!(workflows.len(), WORKFLOWS.len());
    for (name, steps) in WORKFLOWS {
        let name = format!("example_exchange_online_{name}");
        let (_, bpmn) =
            workflows.iter().find(|(workflow, _)| workflow["programmatic_name"] == *name).unwrap();
        let tasks: Vec<_> = list(bpmn, "nodes").iter().filter(|node| node["kind"] == "serviceTask").collect();
        assert_eq!(tasks.len(), steps.len(), "{name}");
        for (task, (function, inputs, before, after, result)) in tasks.into_iter().zip(steps) {
            let called = list(&file, "functions").iter().find(|one| one["uuid"] == task["function"]).unwrap();
            assert_eq!(text(called, "name"), format!("exchange_online_{function}"));
            let settings = &task["settings"];
            assert_eq!(!text(settings, "pre_processing_script").is_empty(), *before, "{name}");
            assert_eq!(!text(settings, "post_processing_script").is_empty(), *after, "{name}");
            assert_eq!(text(settings, "result_name"), *result, "{name}");
            let given = settings["inputs"].as_object().unwrap();
            assert_eq!(given.len(), inputs.len(), "{name}");
            for (input, label) in *inputs {
                let field = all.iter().find(|field| field["name"] == **input).unwrap();
                let option = list(field, "values").iter().find(|option| option["label"] == **label).unwrap();
                assert!(given[text(field, "uuid")].to_string().contains(text(option, "uuid")));
            }
        }
    }
}

/// A SOAR that has only the older language knows no keys for the language.
#[test]
fn scripts_name_their_language() {
    for language in LANGUAGES {
        let file = export(language).unwrap();
        let expected = (language == ScriptLanguage::Python3).then_some("python3");
        for (_, bpmn) in read(&file) {
            for node in list(&bpmn, "nodes").iter().filter(|node| node["kind"] == "serviceTask") {
                for key in ["pre_processing_script_language", "post_processing_script_language"] {
                    assert_eq!(node["settings"].get(key).and_then(Value::as_str), expected);
                }
            }
        }
        assert_eq!(text(&file["scripts"][0], "language"), language.name());
    }
}
