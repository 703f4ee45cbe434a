//! Instances of workflows and playbooks, as the broker's messages show them: a call starts one, and its final reply
//! ends it.

use std::sync::Arc;

use chrono::Utc;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::INCIDENT;
use super::caller::Origin;

/// The most instances that are kept; the oldest give way.
const MOST_KEPT: usize = 10_000;

/// The instance of a workflow or playbook.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its number.
    pub id: i64,
    /// What it is an instance of.
    pub origin: Origin,
    /// The incident that it runs on.
    pub incident: i64,
    /// The workflow, or the playbook's instance, as the call names it.
    pub named: Value,
    /// Who started it, as the call names it.
    pub by: Value,
    /// When it was started, in milliseconds since 1970.
    pub started: i64,
    /// When its call was answered.
    pub ended: Option<i64>,
    /// Whether a user ended it.
    pub terminated: bool,
}

impl Instance {
    /// Its status in SOAR's words.
    pub fn status(&self) -> &'static str {
        match (self.terminated, self.ended, self.origin) {
            (true, _, Origin::Workflow) => "terminated",
            (true, _, Origin::Playbook) => "canceled",
            (false, Some(_), _) => "completed",
            (false, None, _) => "running",
        }
    }
}

/// The parts of a call that say what it belongs to.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Call {
    workflow: Value,
    workflow_instance: Value,
    playbook_instance: Value,
    principal: Value,
    inputs: Value,
}

/// The part of a reply that says whether it is the final one. The rest may be large.
#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    complete: bool,
}

/// All instances, the oldest first. All clones show the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Instances(Arc<Mutex<Vec<Instance>>>);

impl Instances {
    pub(super) fn all(&self) -> Vec<Instance> {
        self.0.lock().clone()
    }

    /// Looks at a message in a queue.
    pub(super) fn see(&self, queue: &str, correlation: Option<&str>, body: &[u8]) {
        if queue.starts_with("actions.") {
            let Ok(call) = serde_json::from_slice::<Call>(body) else { return };
            if let Some(id) = call.workflow_instance["workflow_instance_id"].as_i64() {
                self.start(id, Origin::Workflow, call);
            } else if let Some(id) = call.playbook_instance["playbook_instance_id"].as_i64() {
                self.start(id, Origin::Playbook, call);
            }
        } else if queue.starts_with("acks.")
            && serde_json::from_slice::<Ack>(body).is_ok_and(|ack| ack.complete)
            && let Some(id) = correlation.and_then(|id| id.strip_prefix("invid:")?.parse().ok())
        {
            self.end(id);
        }
    }

    fn start(&self, id: i64, origin: Origin, call: Call) {
        let mut all = self.0.lock();
        if all.len() >= MOST_KEPT {
            all.remove(0);
        }
        all.push(Instance {
            id,
            origin,
            // A call that does not write to an incident does not name its own.
            incident: call.inputs["incident_id"].as_i64().unwrap_or(INCIDENT),
            named: match origin {
                Origin::Workflow => call.workflow,
                Origin::Playbook => call.playbook_instance,
            },
            by: call.principal,
            started: Utc::now().timestamp_millis(),
            ended: None,
            terminated: false,
        });
    }

    /// Ends an instance, as a user does in SOAR.
    pub(super) fn terminate(&self, id: i64) {
        if let Some(instance) = self.0.lock().iter_mut().rev().find(|one| one.id == id) {
            instance.terminated = true;
        }
    }

    fn end(&self, id: i64) {
        if let Some(instance) = self.0.lock().iter_mut().rev().find(|one| one.id == id) {
            instance.ended.get_or_insert_with(|| Utc::now().timestamp_millis());
        }
    }
}
