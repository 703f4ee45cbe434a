//! What follows a function in a workflow or playbook of the organisation.

use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use crate::soar::caller::Origin;
use crate::soar::customizations::{
    BPMN, Customizations, FIELDS, FUNCTIONS, Kind, PLAYBOOKS, SCRIPTS, SOAR, WORKFLOWS,
};

/// A workflow or playbook that calls a function, and what it does after the call.
#[derive(Debug, PartialEq)]
pub(super) struct Process {
    /// Its display name.
    pub(super) name: String,
    /// What it works on: `incident`, `artifact`, or the name of a data table.
    pub(super) object_type: String,
    /// The script that fills the inputs of the function.
    pub(super) before: String,
    /// What the process itself gives to each input: `null`, a text, or labels of options.
    pub(super) given: Map<String, Value>,
    /// The functions that it calls before: the name of each, and of its results.
    pub(super) earlier: Vec<(String, String)>,
    /// The name of the results in later scripts.
    pub(super) result_name: String,
    /// The scripts that run after the function and before the next one.
    pub(super) scripts: Vec<String>,
    /// The functions that it calls afterwards.
    later: usize,
}

impl Process {
    /// The process in which SOAR calls `function`. Of several, it is the one that ends with the function, and of these
    /// one that works on an incident. `named` is the API name of the only one in question.
    pub(super) fn of(
        customizations: &Customizations,
        origin: Origin,
        function: &str,
        named: Option<&str>,
    ) -> Option<Self> {
        let all = customizations
            .all(kind(origin))
            .filter(|process| named.is_none_or(|name| api_name(origin, process) == Some(name)))
            .filter_map(|process| read(customizations, process, function));
        let rank = |process: &Self| {
            (process.later, process.object_type != "incident", process.object_type != "artifact")
        };
        all.min_by_key(rank)
    }
}

/// The functions that a process calls, in order.
pub(super) fn functions_of(customizations: &Customizations, origin: Origin, name: &str) -> Vec<String> {
    let process = customizations.all(kind(origin)).find(|process| api_name(origin, process) == Some(name));
    let xml = process.and_then(|process| Some((process, process["content"]["xml"].as_str()?)));
    let Some((process, Ok(document))) = xml.map(|(process, xml)| (process, Document::parse(xml))) else {
        return Vec::new();
    };
    let steps = steps(customizations, process, &document).into_iter();
    steps
        .filter_map(|step| match step {
            Step::Function { name, .. } => Some(name),
            Step::Script(_) => None,
        })
        .collect()
}

fn kind(origin: Origin) -> &'static Kind {
    match origin {
        Origin::Workflow => &WORKFLOWS,
        Origin::Playbook => &PLAYBOOKS,
    }
}

fn api_name(origin: Origin, process: &Value) -> Option<&str> {
    match origin {
        Origin::Workflow => process["programmatic_name"].as_str(),
        Origin::Playbook => process["name"].as_str(),
    }
}

/// A step of a process.
enum Step {
    Function {
        name: String,
        result_name: String,
        pre_processing: String,
        given: Map<String, Value>,
        post_processing: String,
    },
    Script(String),
}

fn read(customizations: &Customizations, process: &Value, function: &str) -> Option<Process> {
    let text = |key: &str| process[key].as_str().unwrap_or_default().to_owned();
    let xml = process["content"]["xml"].as_str()?;
    let steps = steps(customizations, process, &Document::parse(xml).ok()?);
    let mut found: Option<Process> = None;
    let mut earlier = Vec::new();
    for step in steps {
        match (&mut found, step) {
            (None, Step::Function { name, result_name, pre_processing, given, post_processing })
                if name == function =>
            {
                let name = [text("display_name"), text("name")].into_iter().find(|name| !name.is_empty());
                found = Some(Process {
                    name: name.unwrap_or_default(),
                    object_type: text("object_type"),
                    before: pre_processing,
                    given,
                    earlier: std::mem::take(&mut earlier),
                    result_name,
                    scripts: Some(post_processing).filter(|script| !script.is_empty()).into_iter().collect(),
                    later: 0,
                });
            }
            (None, Step::Function { name, result_name, .. }) => earlier.push((name, result_name)),
            (Some(process), Step::Function { .. }) => process.later += 1,
            (Some(process), Step::Script(script)) if process.later == 0 => process.scripts.push(script),
            (_, Step::Script(_)) => {}
        }
    }
    found
}

/// The steps in the order in which they run. Of a branch, the first one is taken.
fn steps(customizations: &Customizations, process: &Value, xml: &Document<'_>) -> Vec<Step> {
    let Some(diagram) = xml.descendants().find(|node| node.has_tag_name((BPMN, "process"))) else {
        return Vec::new();
    };
    let id = |node: &Node<'_, '_>| node.attribute("id").unwrap_or_default().to_owned();
    let next = |from: &str| {
        let flows = |node: &Node<'_, '_>| {
            node.has_tag_name((BPMN, "sequenceFlow")) && node.attribute("sourceRef") == Some(from)
        };
        let flow = diagram.children().find(flows)?;
        let target = flow.attribute("targetRef")?.to_owned();
        diagram.children().find(|node| id(node) == target)
    };
    let mut here = diagram.children().find(|node| node.has_tag_name((BPMN, "startEvent")));
    let mut seen = Vec::new();
    let mut steps = Vec::new();
    while let Some(node) = here {
        if seen.contains(&id(&node)) {
            break;
        }
        seen.push(id(&node));
        steps.extend(step(customizations, process, node));
        here = next(&id(&node));
    }
    steps
}

fn step(customizations: &Customizations, process: &Value, node: Node<'_, '_>) -> Option<Step> {
    let named = |name: &str| node.descendants().find(|node| node.has_tag_name((SOAR, name)));
    let by_uuid = |one: &&Value, uuid: &str| one["uuid"] == *uuid;
    if let Some(call) = named("function") {
        let uuid = call.attribute("uuid")?;
        let function = customizations.all(&FUNCTIONS).find(|one| by_uuid(one, uuid))?;
        let settings: Value = serde_json::from_str(call.text()?).ok()?;
        let text = |key: &str| settings[key].as_str().unwrap_or_default().to_owned();
        return Some(Step::Function {
            name: function["name"].as_str()?.to_owned(),
            result_name: text("result_name"),
            pre_processing: text("pre_processing_script"),
            given: given(customizations, function, &settings["inputs"]),
            post_processing: text("post_processing_script"),
        });
    }
    let uuid = named("script")?.attribute("uuid")?;
    let own = process["local_scripts"].as_array().into_iter().flatten();
    let script = own.chain(customizations.all(&SCRIPTS)).find(|one| by_uuid(one, uuid))?;
    Some(Step::Script(script["script_text"].as_str()?.to_owned()))
}

/// The fields that a function or the form of a rule shows.
pub(super) fn shown_fields<'a>(
    customizations: &'a Customizations,
    object: &'a Value,
) -> impl Iterator<Item = &'a Value> {
    let items = object["view_items"].as_array().into_iter().flatten();
    items.filter_map(|item| {
        customizations
            .all(&FIELDS)
            .find(|field| field["uuid"] == item["content"] && !item["content"].is_null())
    })
}

/// The inputs of a function by name, with what the process gives to them in `settings`.
fn given(customizations: &Customizations, function: &Value, settings: &Value) -> Map<String, Value> {
    shown_fields(customizations, function)
        .filter_map(|field| {
            let input = &settings[field["uuid"].as_str()?]["static_input"];
            Some((field["name"].as_str()?.to_owned(), value_of(field, input)))
        })
        .collect()
}

/// What a process gives to an input.
fn value_of(field: &Value, input: &Value) -> Value {
    let label = |uuid: &Value| {
        let options = field["values"].as_array().into_iter().flatten();
        let mut found = options.filter(|option| option["uuid"] == *uuid);
        found.next().map(|option| option["label"].clone())
    };
    match field["input_type"].as_str() {
        Some("select") => label(&input["select_value"]).unwrap_or_default(),
        Some("multiselect") => {
            let chosen = input["multiselect_value"].as_array().into_iter().flatten();
            json!(chosen.filter_map(label).collect::<Vec<_>>())
        }
        _ => match input["text_value"].as_str() {
            Some(text) if !text.is_empty() => json!(text),
            _ => Value::Null,
        },
    }
}
