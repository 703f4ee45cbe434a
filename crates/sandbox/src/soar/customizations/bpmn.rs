//! SOAR's rules for the BPMN of a workflow or a playbook: it has one process with the right id, every flow connects two
//! nodes, every node is on a path from the start to an end, and every function, input and script exists.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node};
use serde_json::Value;

use super::json::{list, text, texts};

/// The namespace of BPMN.
pub(in crate::soar) const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";
/// The namespace of SOAR's extensions.
pub(in crate::soar) const SOAR: &str = "http://resilient.ibm.com/bpmn";
/// Elements of a process that are not nodes.
const NO_NODES: [&str; 4] = ["documentation", "sequenceFlow", "textAnnotation", "association"];

/// What the process may refer to.
pub(super) struct Known<'v> {
    pub(super) functions: Vec<&'v Value>,
    pub(super) fields: Vec<&'v Value>,
    pub(super) scripts: Vec<&'v Value>,
}

/// Returns all violations of the process that is to have the id `name`.
pub(super) fn check(xml: &str, name: &str, known: &Known<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let xml = match Document::parse(xml) {
        Ok(xml) => xml,
        Err(error) => {
            faults.push(format!("its BPMN is not well-formed: {error}"));
            return faults;
        }
    };
    let mut processes = xml.root_element().children().filter(|node| node.has_tag_name((BPMN, "process")));
    let (Some(process), None) = (processes.next(), processes.next()) else {
        faults.push("its BPMN is not of one process".to_owned());
        return faults;
    };
    if name != id(process) {
        faults.push(format!("its process is called {}", id(process)));
    }
    flows(process, &mut faults);
    for task in process.children().filter(|node| node.attribute((SOAR, "type")) == Some("function")) {
        step(task, known, &mut faults);
    }
    for task in process.children().filter(|node| node.has_tag_name((BPMN, "scriptTask"))) {
        let script = task.descendants().find(|node| node.has_tag_name((SOAR, "script")));
        let uuid = script.and_then(|script| script.attribute("uuid")).unwrap_or_default();
        if !known.scripts.iter().any(|script| text(script, "uuid") == uuid) {
            faults.push(format!("{} runs the script {uuid:?}, which is not there", id(task)));
        }
    }
    faults
}

fn id<'x>(node: Node<'x, '_>) -> &'x str {
    node.attribute("id").unwrap_or_default()
}

fn flows(process: Node<'_, '_>, faults: &mut Vec<String>) {
    let is_node = |node: &Node<'_, '_>| node.is_element() && !NO_NODES.contains(&node.tag_name().name());
    let nodes: BTreeMap<&str, Node<'_, '_>> =
        process.children().filter(is_node).map(|node| (id(node), node)).collect();
    let names = |node: Node<'_, '_>, way: &str| -> BTreeSet<String> {
        let named = node.children().filter(|child| child.has_tag_name((BPMN, way)));
        named.map(|child| child.text().unwrap_or_default().to_owned()).collect()
    };
    let mut used: BTreeMap<&str, [BTreeSet<String>; 2]> = BTreeMap::new();
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for flow in process.children().filter(|node| node.has_tag_name((BPMN, "sequenceFlow"))) {
        let end = |way| flow.attribute(way).unwrap_or_default();
        let (source, target) = (end("sourceRef"), end("targetRef"));
        for node in [source, target] {
            if !nodes.contains_key(node) {
                faults.push(format!("the flow {} leads to {node:?}, which is not there", id(flow)));
            }
        }
        used.entry(source).or_default()[0].insert(id(flow).to_owned());
        used.entry(target).or_default()[1].insert(id(flow).to_owned());
        next.entry(source).or_default().push(target);
    }
    for (name, node) in &nodes {
        let flows = used.remove(name).unwrap_or_default();
        if flows != [names(*node, "outgoing"), names(*node, "incoming")] {
            faults.push(format!("{name} has other flows than it says"));
        }
    }

    let mut reached = BTreeSet::new();
    let starts = nodes.values().filter(|node| node.has_tag_name((BPMN, "startEvent")));
    let mut ahead: Vec<&str> = starts.map(|node| id(*node)).collect();
    while let Some(here) = ahead.pop() {
        if reached.insert(here) {
            ahead.extend(next.get(here).into_iter().flatten());
        }
    }
    for (name, node) in nodes {
        if !reached.contains(name) {
            faults.push(format!("no way leads from the start to {name}"));
        }
        if next.get(name).is_none_or(Vec::is_empty) && !node.has_tag_name((BPMN, "endEvent")) {
            faults.push(format!("no way leads on from {name}"));
        }
    }
}

/// A call of a function in the workflow.
fn step(task: Node<'_, '_>, known: &Known<'_>, faults: &mut Vec<String>) {
    let Some(call) = task.descendants().find(|node| node.has_tag_name((SOAR, "function"))) else {
        faults.push(format!("{} names no function", id(task)));
        return;
    };
    let uuid = call.attribute("uuid").unwrap_or_default();
    let Some(function) = known.functions.iter().find(|function| text(function, "uuid") == uuid) else {
        faults.push(format!("{} calls the function {uuid}, which is not there", id(task)));
        return;
    };
    let Ok(settings) = serde_json::from_str::<Value>(call.text().unwrap_or_default()) else {
        faults.push(format!("what {} says about its function is not JSON", id(task)));
        return;
    };
    let Some(inputs) = settings["inputs"].as_object() else {
        faults.push(format!("{} has no inputs", id(task)));
        return;
    };
    for (uuid, input) in inputs {
        let asked = list(function, "view_items").iter().any(|item| text(item, "content") == uuid);
        let Some(field) = known.fields.iter().find(|field| asked && text(field, "uuid") == uuid) else {
            faults.push(format!("{} sets the input {uuid}, which {} has not", id(task), function["name"]));
            continue;
        };
        let given = &input["static_input"];
        let options: BTreeSet<&str> = list(field, "values").iter().map(|one| text(one, "uuid")).collect();
        for chosen in texts(&given["multiselect_value"]).chain(given["select_value"].as_str()) {
            if !options.contains(chosen) {
                faults.push(format!("{} chooses {chosen}, which {} has not", id(task), field["name"]));
            }
        }
    }
    for key in ["pre_processing_script_language", "post_processing_script_language"] {
        if settings.get(key).is_some_and(|language| language != "python" && language != "python3") {
            faults.push(format!("{} has a script in an unknown language", id(task)));
        }
    }
}
