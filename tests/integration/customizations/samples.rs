//! Samples of results, for SOAR's playbook designer.

use fn_exchange_online::customize::{Examples, export};
use fn_exchange_online::functions::Function;
use serde_json::{Value, json};

use crate::customizations::{file, list, text};

/// Example and schema of each function, parsed.
pub(crate) fn samples() -> Vec<(Function, Value, Value)> {
    let file = export(Examples::Playbooks).unwrap();
    let parsed = |function: &Value, key: &str| serde_json::from_str(text(function, key)).unwrap();
    let sample = |function: &Value| {
        let of = Function::ALL.into_iter().find(|one| function["name"] == one.name()).unwrap();
        (of, parsed(function, "output_json_example"), parsed(function, "output_json_schema"))
    };
    list(&file, "functions").iter().map(sample).collect()
}

/// Where `value` is not an instance of `schema`. Null is an instance of everything, as at Graph.
pub(crate) fn mismatches(value: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if schema.get("type").is_some_and(|expected| expected != kind) {
        found.push(format!("{at} is of type {kind}, not {}", schema["type"]));
        return;
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        if let Some(schema) = schema["properties"].get(key) {
            mismatches(value, schema, &format!("{at}.{key}"), found);
        }
    }
    for value in value.as_array().into_iter().flatten() {
        mismatches(value, &schema["items"], &format!("{at}[]"), found);
    }
}

#[test]
fn every_function_has_a_sample_of_its_results() {
    let samples = samples();
    assert_eq!(samples.len(), Function::ALL.len());
    for (function, example, schema) in samples {
        let name = function.name();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-06/schema");
        let mut found = Vec::new();
        mismatches(&example, &schema, name, &mut found);
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(example["success"], true, "{name}");
        assert_eq!(example["raw"], example["content"].to_string(), "{name}");
        let inputs: Vec<_> = example["inputs"].as_object().unwrap().keys().map(String::as_str).collect();
        for input in &inputs {
            assert!(function.spec().has_input(input), "{name} has no input {input}");
        }
        for input in function.spec().inputs.iter().filter(|input| input.required) {
            assert!(inputs.contains(&input.name), "{name} without {}", input.name);
        }
        if let Some(pretty) = example.get("pretty_string") {
            assert_eq!(serde_json::from_str::<Value>(pretty.as_str().unwrap()).unwrap(), example["content"]);
        }
    }
}

/// SOAR has these keys since it has playbooks.
#[test]
fn the_file_for_an_older_soar_has_no_samples() {
    for function in list(&file(), "functions") {
        for key in ["output_json_example", "output_json_schema"] {
            assert!(function.get(key).is_none(), "{key}");
        }
    }
}

#[test]
fn samples_are_of_no_tenant() {
    for (function, example, _) in samples() {
        let text = example.to_string();
        assert!(!text.contains("127.0.0.1") && !text.contains("contoso"), "{}", function.name());
        assert_eq!(example["metrics"]["host"], json!("soar-apps.example.com"));
    }
}
