//! Reads the steps of a workflow or a playbook from its BPMN, so that their scripts and inputs can be compared one by
//! one.

use roxmltree::{Document, Node};
use serde_json::{Value, json};

use super::part::{Form, Part, plain};

const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";
const SOAR: &str = "http://resilient.ibm.com/bpmn";
/// Elements of a process that are not steps.
const NOT_STEPS: [&str; 6] =
    ["documentation", "sequenceFlow", "startEvent", "endEvent", "textAnnotation", "association"];
/// The scripts of a function and the name of its results: their keys, and what they are called.
const SETTINGS: [(&str, &str, Form); 5] = [
    ("pre_processing_script", "script before it", Form::Text),
    ("pre_processing_script_language", "language of the script before it", Form::Value),
    ("post_processing_script", "script after it", Form::Text),
    ("post_processing_script_language", "language of the script after it", Form::Value),
    ("result_name", "name of its results", Form::Value),
];

/// The parts of a workflow or playbook with this BPMN.
pub(super) fn parts(xml: &str) -> Vec<Part> {
    let Ok(document) = Document::parse(xml) else { return vec![unread(json!(xml))] };
    let process = document.root_element().children().find(|node| node.has_tag_name((BPMN, "process")));
    let Some(process) = process else { return vec![unread(json!(xml))] };
    let mut parts: Vec<Part> = Vec::new();
    let mut read = Vec::new();
    let is_step = |node: &Node<'_, '_>| node.is_element() && !NOT_STEPS.contains(&node.tag_name().name());
    for node in process.children().filter(is_step) {
        let name = node.attribute("name").or(node.attribute("id")).unwrap_or_default();
        let mut step = format!("step {name}");
        while parts.iter().any(|part| part.path == step) {
            step += " (again)";
        }
        let runs = node.descendants().find_map(|one| one.attribute("uuid"));
        parts.push(Part::new(step.clone(), json!([node.tag_name().name(), runs]), Form::Opaque));
        let function = node.descendants().find(|one| one.has_tag_name((SOAR, "function")));
        let text = function.and_then(|one| one.children().find(Node::is_text));
        if let Some(text) = text
            && let Ok(settings) = serde_json::from_str::<Value>(text.text().unwrap_or_default())
        {
            parts.extend(of_function(&step, &settings));
            read.push(text.range());
        }
    }
    // What remains are the shapes of the editor, and the order of the steps.
    let mut rest = xml.to_owned();
    for range in read.into_iter().rev() {
        rest.replace_range(range, "");
    }
    parts.push(unread(json!(rest)));
    parts
}

/// The part that holds what is not read any further.
pub(super) fn unread(value: Value) -> Part {
    Part::new("diagram".to_owned(), value, Form::Opaque)
}

fn of_function(step: &str, settings: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    for (uuid, input) in settings["inputs"].as_object().into_iter().flatten() {
        let given = input["static_input"].as_object().into_iter().flatten();
        let given: Vec<_> = given.map(|(key, value)| json!([key, plain(value)])).collect();
        let given: Vec<_> = given.into_iter().filter(|pair| !pair[1].is_null()).collect();
        if !given.is_empty() {
            parts.push(Part::new(format!("{step}: own value of {uuid}"), json!(given), Form::Value));
        }
    }
    for (key, called, form) in SETTINGS {
        parts.push(Part::new(format!("{step}: {called}"), plain(&settings[key]), form));
    }
    parts
}
