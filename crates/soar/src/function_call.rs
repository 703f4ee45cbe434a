//! A function call, as SOAR sends it over the broker.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use net::untrusted::json;

/// The most JSON values in a call. A text, such as the results of a query, is one value.
const MOST_VALUES: usize = 100_000;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 4096;

/// A function call. Only name and inputs are always present.
#[derive(Debug, Clone)]
pub struct FunctionCall {
    /// The function's API name.
    pub function: String,
    /// The inputs by API name.
    pub inputs: Map<String, Value>,
    /// The inputs as they came; the results repeat them.
    pub raw_inputs: Box<RawValue>,
    /// The caller.
    pub caller: Caller,
}

/// The caller, for log and audit trail; no decision depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user or key, by name.
    pub principal: Option<String>,
    /// The name of the user or key as SOAR shows it.
    pub display_name: Option<String>,
    /// What called the function; `None` where the message does not say it.
    pub run: Option<Run>,
}

/// The run of a workflow or playbook that called the function. Serialized, it has the names of the fields of log and
/// audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Run {
    /// A workflow.
    Workflow {
        /// The workflow, by programmatic name.
        #[serde(rename = "workflow", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The workflow instance.
        #[serde(rename = "workflow_instance", skip_serializing_if = "Option::is_none")]
        instance: Option<i64>,
    },
    /// A playbook.
    Playbook {
        /// The playbook, by display name; SOAR does not send its API name.
        #[serde(rename = "playbook", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The playbook's id, which stays the same when the playbook is renamed.
        #[serde(rename = "playbook_id", skip_serializing_if = "Option::is_none")]
        id: Option<i64>,
        /// The playbook instance.
        #[serde(rename = "playbook_instance", skip_serializing_if = "Option::is_none")]
        instance: Option<i64>,
    },
}

/// Why a message is not a function call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It is not JSON.
    #[error(
        "The message from SOAR is not valid JSON (line {line}, column {column}), so no function was run."
    )]
    NotJson {
        /// The position of the first error.
        line: usize,
        /// The position of the first error.
        column: usize,
    },
    /// It is not UTF-8 text.
    #[error("The message from SOAR is not UTF-8 text, so no function was run.")]
    NotText,
    /// It names no function.
    #[error("The message from SOAR names no function, so none was run.")]
    NoFunction,
    /// It holds more values than any call.
    #[error("The message from SOAR holds more than {MOST_VALUES} values, so no function was run.")]
    TooManyValues,
    /// Its inputs are not an object.
    #[error("The inputs of the function call are not a JSON object, so the function was not run.")]
    InputsNoObject,
}

impl Run {
    /// Whether the message says nothing about it.
    fn is_unknown(&self) -> bool {
        match self {
            Self::Workflow { name, instance } => name.is_none() && instance.is_none(),
            Self::Playbook { name, id, instance } => name.is_none() && id.is_none() && instance.is_none(),
        }
    }
}

impl FunctionCall {
    /// Reads the body of a message.
    pub fn parse(body: &[u8]) -> Result<Self, CallError> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(default)]
            function: Value,
            #[serde(default, borrow)]
            inputs: Option<&'a RawValue>,
            #[serde(default)]
            principal: Value,
            #[serde(default)]
            workflow: Value,
            #[serde(default)]
            workflow_instance: Value,
            #[serde(default)]
            playbook_instance: Value,
        }
        let text = text(body).ok_or(CallError::NotText)?;
        let not_json =
            |error: serde_json::Error| CallError::NotJson { line: error.line(), column: error.column() };
        if !serde_json::from_str::<&RawValue>(&text).map_err(not_json)?.get().starts_with('{') {
            return Err(CallError::NoFunction);
        }
        if json::values(&text) > MOST_VALUES {
            return Err(CallError::TooManyValues);
        }
        let body: Body<'_> = serde_json::from_str(&text).map_err(not_json)?;
        let function = string(&body.function, "name").ok_or(CallError::NoFunction)?;
        let raw_inputs = body.inputs.map_or("{}", RawValue::get);
        let not_inputs = |error: serde_json::Error| {
            if error.is_data() { CallError::InputsNoObject } else { not_json(error) }
        };
        let inputs = serde_json::from_str(raw_inputs).map_err(not_inputs)?;
        let raw_inputs = RawValue::from_string(raw_inputs.to_owned()).map_err(not_json)?;
        let caller = Caller {
            principal: string(&body.principal, "name"),
            display_name: string(&body.principal, "display_name"),
            run: run(&body.workflow, &body.workflow_instance, &body.playbook_instance),
        };
        Ok(Self { function, inputs, raw_inputs, caller })
    }
}

/// The caller's run. SOAR sends null for the parts of the other kind.
fn run(workflow: &Value, workflow_instance: &Value, playbook_instance: &Value) -> Option<Run> {
    let number = |object: &Value, key: &str| object.get(key).and_then(Value::as_i64);
    let playbook = Run::Playbook {
        name: string(playbook_instance, "playbook_display_name"),
        id: number(playbook_instance, "playbook_id"),
        instance: number(playbook_instance, "playbook_instance_id"),
    };
    let workflow = Run::Workflow {
        name: string(workflow, "programmatic_name").or_else(|| string(workflow, "name")),
        instance: number(workflow_instance, "workflow_instance_id"),
    };
    [playbook, workflow].into_iter().find(|run| !run.is_unknown())
}

fn string(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME).map(str::to_owned)
}

/// The body as text. SOAR sometimes writes characters beyond the basic plane as two UTF-8-encoded surrogates (CESU-8);
/// they are joined, and a lone surrogate becomes a replacement character.
fn text(body: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Some(Cow::Borrowed(text));
    }
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(valid) => valid,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).ok()?,
        };
        text.push_str(valid);
        rest = &rest[valid.len()..];
        if rest.is_empty() {
            break;
        }
        let high = surrogate(rest)?;
        rest = &rest[3..];
        match surrogate(rest).filter(|low| (0xDC00..0xE000).contains(low)) {
            Some(low) if high < 0xDC00 => {
                rest = &rest[3..];
                let code = 0x1_0000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
    Some(Cow::Owned(text))
}

/// The UTF-8-encoded surrogate at the start of `bytes`.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => {
            Some(0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogate_halves_are_joined_and_lone_ones_replaced() {
        assert_eq!(text(b"a\xED\xA0\xBD\xED\xB8\x80b").as_deref(), Some("a😀b"));
        assert_eq!(text(b"\xED\xA0\xBD!").as_deref(), Some("\u{FFFD}!"));
        assert_eq!(text(b"\xED\xB8\x80\xED\xA0\xBD").as_deref(), Some("\u{FFFD}\u{FFFD}"));
        assert_eq!(text(b"ok \xFF").as_deref(), None);
        assert_eq!(text(b"cut \xED\xA0").as_deref(), None);
    }
}
