//! Samples of what the functions answer, from which SOAR's playbook designer offers the parts of their results.

use std::time::Duration;

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use super::Error;
use super::sources::PayloadSample;
use soar::reply::Results;

/// The standard that the schema follows. SOAR's own tool writes this one.
const STANDARD: &str = "http://json-schema.org/draft-06/schema";
/// What a reply has of the machine and of the moment. It would make the sample irreproducible.
const HOST: &str = "soar-apps.example.com";
const TIMESTAMP: &str = "2026-11-20 20:02:34";
const DURATION: Duration = Duration::from_millis(412);

impl PayloadSample {
    /// The complete results, as the daemon writes them.
    pub(super) fn results(&self) -> Result<Value, Error> {
        let content = serde_json::value::to_raw_value(&self.content)?;
        let inputs = serde_json::value::to_raw_value(&self.inputs)?;
        let pretty = if self.pretty { Some(indented(&self.content)?) } else { None };
        let results = Results {
            success: true,
            reason: None,
            content: &content,
            pretty: pretty.as_deref(),
            inputs: &inputs,
            execution_time: DURATION,
        };
        let mut results: Value = serde_json::from_slice(&results.to_json())?;
        results["metrics"]["host"] = json!(HOST);
        results["metrics"]["timestamp"] = json!(TIMESTAMP);
        Ok(results)
    }
}

/// Derives the JSON schema that describes `sample`.
pub(super) fn schema(sample: &Value) -> Value {
    let mut schema = json!({"$schema": STANDARD});
    if let (Some(schema), Value::Object(shape)) = (schema.as_object_mut(), shape(sample)) {
        schema.extend(shape);
    }
    schema
}

/// The type of a value, and of what is in it. A list has the type of its first element.
fn shape(value: &Value) -> Value {
    match value {
        // Of what may be null, the sample does not say what else it may be.
        Value::Null => json!({}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(list) => match list.first() {
            Some(first) => json!({"type": "array", "items": shape(first)}),
            None => json!({"type": "array"}),
        },
        Value::Object(object) => {
            let properties: Map<_, _> =
                object.iter().map(|(key, value)| (key.clone(), shape(value))).collect();
            json!({"type": "object", "properties": properties})
        }
    }
}

/// JSON with an indentation of four spaces, as in replies.
fn indented(value: &Value) -> Result<String, Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    ")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
