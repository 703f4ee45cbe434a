//! The body of a function call as SOAR writes it.

use serde_json::{Value, json};

/// The caller of a function within SOAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A workflow. The call names it and its instance.
    Workflow,
    /// A playbook. The call has a playbook instance, and null for all workflow fields.
    Playbook,
}

/// A token in SOAR's form. It is not a secret, and no component accepts it.
pub(super) const CONTEXT_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJzYW5kYm94In0.";

/// The body of a call, with all the fields that SOAR sends.
pub(super) fn function_call(
    origin: Origin,
    function: &str,
    inputs: &Value,
    instance: i64,
    principal: &Value,
) -> Value {
    let workflow = json!({
        "workflow_id": 3,
        "name": "Example: Exchange Online",
        "programmatic_name": "example_exchange_online",
        "description": null,
        "object_type": {"type_id": 0, "type_name": "incident"},
        "actions": [],
        "tags": [],
        "uuid": "0b5c5ee1-6c1d-4f1b-9a4e-2f3f6f4b7c11"
    });
    let playbook = json!({
        "playbook_instance_id": instance,
        "playbook_id": 4,
        "playbook_display_name": "Example: Exchange Online (PB)",
        "playbook_activation_type": "manual",
        "is_playbook_deleted": false
    });
    let (workflow, workflow_instance, playbook_instance) = match origin {
        Origin::Workflow => (workflow, json!({"workflow_instance_id": instance}), Value::Null),
        Origin::Playbook => (Value::Null, Value::Null, playbook),
    };
    json!({
        "function": {
            "id": 3,
            "name": function,
            "display_name": function,
            "description": {"format": "text", "content": ""},
            "uuid": "ad5ab3cb-6d1c-4c38-b44d-0cb1cd84c1a5",
            "version": 1,
            "creator": {"id": 1, "name": "admin@example.com", "display_name": "Admin", "type": "user"},
            "tags": [],
            "view_items": [],
            "workflows": []
        },
        "inputs": inputs,
        "groups": [],
        "principal": principal,
        "workflow": workflow,
        "workflow_instance": workflow_instance,
        "playbook_instance": playbook_instance
    })
}
