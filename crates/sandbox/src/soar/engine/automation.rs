//! Rules and playbooks: from what starts them, through the scripts and calls of their workflow or steps, to the end.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use serde_json::{Map, Value, json};
use tracing::warn;

use super::effects::Object;
use super::{End, Engine, Request, Run, Shared, Started, process};
use crate::soar::caller::Origin;
use crate::soar::customizations::{Customizations, FIELDS, PLAYBOOKS, RULES};
use crate::soar::incidents::{Author, Task};

/// The types of rules ("Menu item" and "Automatic" in SOAR).
const AUTOMATIC: u64 = 0;

impl Engine {
    /// Starts the workflow of the rule with this name, or the playbook, as an analyst does from a menu, and waits for its
    /// end. Fields that the form has and `started` does not are empty. Returns the calls of its functions.
    ///
    /// # Errors
    /// There is no such rule or playbook, its form has no such field, a script failed, or the broker does not take a
    /// call.
    pub async fn run_rule(&self, name: &str, incident: i64, started: Started) -> Result<Vec<Run>, String> {
        let started_by_name = |all: &Customizations| of_rule(all, name).or_else(|| of_playbook(all, name));
        let (origin, process, mut form) = self
            .shared
            .soar
            .rest
            .look_at_customizations(started_by_name)
            .ok_or_else(|| format!("there is no rule or playbook {name} that calls a function"))?;
        for (field, value) in started.form {
            *form.get_mut(&field).ok_or_else(|| format!("the form of {name} has no field {field}"))? = value;
        }
        self.run_process(origin, incident, Started { process, form, ..started }).await
    }

    async fn run_process(&self, origin: Origin, incident: i64, started: Started) -> Result<Vec<Run>, String> {
        let functions = self
            .shared
            .soar
            .rest
            .look_at_customizations(|all| process::functions_of(all, origin, &started.process));
        let mut runs = Vec::new();
        for function in functions {
            let inputs = Map::new();
            let mut request = Request { origin, function, inputs, incident, started: Some(started.clone()) };
            request.inputs = self.inputs(&request).await?;
            let id = self.start(request).await.map_err(|error| error.to_string())?;
            let run = self.ended(id).await.ok_or("the call was lost")?;
            let ended_well = matches!(&run.end, Some(End::Replied { reply, .. }) if reply.message_type == 0);
            runs.push(run);
            if !ended_well {
                break;
            }
        }
        Ok(runs)
    }

    /// The inputs of a call, in SOAR's encodings: what the process gives to them, changed by its script.
    async fn inputs(&self, request: &Request) -> Result<Map<String, Value>, String> {
        let process = self.process(request).ok_or("the process does not call its function")?;
        let rest = &self.shared.soar.rest;
        let object = Object::find(rest, &process, request)?;
        let earlier = self.earlier(&process)?;
        let run = object.script_run(&process.before, request, &earlier, None, Some(&process.given))?;
        let effects = run.run().await.map_err(|error| error.to_string())?;
        if let Some(why) = effects.failed {
            return Err(format!("{}: its script failed: {why}", process.name));
        }
        let is_given = |(_, value): &(String, Value)| !value.is_null() && *value != json!("");
        let encoded = effects.inputs.into_iter().filter(is_given);
        Ok(rest.look_at_customizations(|all| {
            let kind = |name: &str| {
                let field = all.get(&FIELDS, &format!("__function/{name}"));
                field.and_then(|field| field["input_type"].as_str()).unwrap_or_default()
            };
            encoded
                .map(|(name, value)| (kind(&name), name, value))
                .map(|(kind, name, value)| (name, encode(kind, value)))
                .collect()
        }))
    }
}

/// The workflow of the rule with this name, and the rule's form, empty.
fn of_rule(customizations: &Customizations, name: &str) -> Option<(Origin, String, Map<String, Value>)> {
    let rule = customizations.get(&RULES, name)?;
    let workflow = rule["workflows"][0].as_str()?;
    Some((Origin::Workflow, workflow.to_owned(), empty(process::shown_fields(customizations, rule))))
}

/// The playbook with this name, and its form, empty.
fn of_playbook(customizations: &Customizations, name: &str) -> Option<(Origin, String, Map<String, Value>)> {
    let playbook = customizations.get(&PLAYBOOKS, name)?;
    let fields = playbook["fields_type"]["fields"].as_object().into_iter().flat_map(Map::values);
    Some((Origin::Playbook, playbook["name"].as_str()?.to_owned(), empty(fields)))
}

fn empty<'a>(fields: impl Iterator<Item = &'a Value>) -> Map<String, Value> {
    fields.filter_map(|field| Some((field["name"].as_str()?.to_owned(), Value::Null))).collect()
}

/// SOAR sends a choice as an object with number and label.
fn encode(kind: &str, value: Value) -> Value {
    let choice = |label: Value| json!({"id": 1, "name": label});
    match (kind, value) {
        ("select", label @ Value::String(_)) => choice(label),
        ("multiselect", Value::Array(labels)) => labels.into_iter().map(choice).collect(),
        (_, other) => other,
    }
}

/// Starts the automatic rules and playbooks on tasks that are closed, as long as the engine lives.
pub(super) async fn watch_tasks(engine: Weak<Shared>) {
    let Some(shared) = engine.upgrade() else { return };
    let mut changes = shared.soar.rest.incidents().changes();
    let closed_tasks = |shared: &Shared| {
        let tasks = shared.soar.rest.incidents().tasks().into_iter();
        tasks.filter(|(_, task)| !task.active).collect::<Vec<_>>()
    };
    let mut known: HashSet<i64> = closed_tasks(&shared).iter().map(|(_, task)| task.id).collect();
    drop(shared);
    while changes.changed().await.is_ok() {
        let Some(shared) = engine.upgrade() else { return };
        let all = closed_tasks(&shared);
        let now = all.iter().map(|(_, task)| task.id).collect();
        for (incident, task) in all.into_iter().filter(|(_, task)| !known.contains(&task.id)) {
            tokio::spawn(closed(Engine { shared: Arc::clone(&shared) }, incident, task));
        }
        // A task that is open again can be closed again.
        known = now;
    }
}

/// Starts what the closing of a task starts.
async fn closed(engine: Engine, incident: i64, task: Task) {
    let by = task.closed_by.clone().unwrap_or_else(Author::analyst);
    for (origin, process) in engine.started_by_closing(&task) {
        let (row, form) = Default::default();
        let started = Started { process, by: by.clone(), task: Some(task.id), row, form };
        if let Err(why) = engine.run_process(origin, incident, started).await {
            warn!(why, "sandbox: a rule on a task failed");
        }
    }
}

impl Engine {
    /// The workflows and playbooks that the closing of a task starts.
    fn started_by_closing(&self, task: &Task) -> Vec<(Origin, String)> {
        self.shared.soar.rest.look_at_customizations(|all| {
            let rules = all.all(&RULES).filter(|rule| {
                rule["type"] == AUTOMATIC
                    && is_met(rule, &rule["conditions"], task)
                    && rule["enabled"] != false
            });
            let workflows = rules.flat_map(|rule| rule["workflows"].as_array().into_iter().flatten());
            let workflows =
                workflows.map(|name| (Origin::Workflow, name.as_str().unwrap_or_default().to_owned()));
            let playbooks = all.all(&PLAYBOOKS).filter(|playbook| {
                let conditions = &playbook["activation_details"]["activation_conditions"]["conditions"];
                let is_active = playbook["activation_type"] == "automatic" && playbook["status"] == "enabled";
                is_active && is_met(playbook, conditions, task)
            });
            let playbooks = playbooks
                .map(|playbook| (Origin::Playbook, playbook["name"].as_str().unwrap_or_default().to_owned()));
            workflows.chain(playbooks).collect()
        })
    }
}

/// Whether the closing of the task meets all conditions of a rule or playbook. A condition of a kind that the sandbox
/// does not know is not met.
fn is_met(object: &Value, conditions: &Value, task: &Task) -> bool {
    let holds = |condition: &Value| {
        let value = condition["value"].as_str().unwrap_or_default();
        match (condition["field_name"].as_str(), condition["method"].as_str()) {
            (Some("task.status"), Some("changed_to" | "equals")) => value == "Closed",
            (Some("task.name"), Some("contains")) => task.name.contains(value),
            _ => false,
        }
    };
    object["object_type"] == "task" && conditions.as_array().is_some_and(|all| all.iter().all(holds))
}
