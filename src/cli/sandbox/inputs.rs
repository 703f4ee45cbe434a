//! The inputs of a call, in the encodings of SOAR: those that the function has there, which may be more than this
//! program knows.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::invoke::inputs::{Given, encoded, must_be, one_of, typed};
use crate::cli::{ExitCode, Failure};
use crate::config::{Environment, load_soar};
use crate::functions::{Function, InputKind};
use crate::similar::did_you_mean;
use sandbox::soar::INCIDENT;
use soar::{Client, Collection};

/// The inputs for `function` in the sandbox that is served in `directory`, and the incident.
pub(super) async fn read(
    function: Function,
    given: Vec<Given>,
    directory: &Path,
) -> Result<Map<String, Value>, Failure> {
    let fields = fields(function, directory).await?;
    let (mut values, problems) = typed(given, |name, value| {
        let field = fields.iter().find(|field| field["name"] == *name).ok_or_else(|| {
            let known: Vec<_> = fields.iter().filter_map(|field| field["name"].as_str()).collect();
            let meant = did_you_mean(name, known.iter().copied());
            format!(
                "{} has no input {name}{meant} in the sandbox; it has {}.",
                function.name(),
                known.join(", ")
            )
        })?;
        of_field(field, value).map_err(|right| must_be(name, &right))
    });
    if !problems.is_empty() {
        return Err(Failure::new(ExitCode::BadConfiguration, &problems.join("\n")));
    }
    if fields.iter().any(|field| field["name"] == "incident_id") {
        // A workflow takes it from its incident.
        values.entry("incident_id").or_insert_with(|| json!(INCIDENT));
    }
    Ok(values)
}

/// The inputs that the function has in SOAR.
async fn fields(function: Function, directory: &Path) -> Result<Vec<Value>, Failure> {
    // What the environment says is for another SOAR.
    let (settings, _) = load_soar(&directory.join("app.config"), &Environment::default())
        .map_err(|error| Failure::new(ExitCode::BadConfiguration, &error))?;
    let refused = |error: soar::Error| Failure::new(ExitCode::of_soar(&error), &error);
    let soar = Client::connect(&settings).await.map_err(refused)?;
    let functions = soar.objects(Collection::Functions).await.map_err(refused)?;
    let Some(found) = functions.iter().find(|one| one["name"] == function.name()) else {
        let missing = format!("the sandbox's SOAR has no function {}; import it: customize", function.name());
        return Err(Failure::new(ExitCode::Failed, &missing));
    };
    let mut fields = soar.objects(Collection::Fields("__function")).await.map_err(refused)?;
    let shown = found["view_items"].as_array().map_or(&[][..], Vec::as_slice);
    fields.retain(|field| shown.iter().any(|item| item["content"] == field["uuid"]));
    Ok(fields)
}

/// Encodes a value as SOAR does for a field. The error says what the value must be.
fn of_field(field: &Value, value: &str) -> Result<Value, String> {
    let kind = match field["input_type"].as_str().unwrap_or_default() {
        "select" => return option(field, value.trim()),
        "multiselect" => {
            let labels = value.split(',').map(str::trim).filter(|label| !label.is_empty());
            return labels.map(|label| option(field, label)).collect();
        }
        "number" => InputKind::Number,
        "boolean" => InputKind::Boolean,
        "datepicker" | "datetimepicker" => InputKind::DateTime,
        _ => InputKind::Text,
    };
    encoded(kind, value)
}

/// An option by its label: SOAR sends its number and name.
fn option(field: &Value, label: &str) -> Result<Value, String> {
    if label.is_empty() {
        return Ok(Value::Null);
    }
    let options = field["values"].as_array().map_or(&[][..], Vec::as_slice);
    let found = options
        .iter()
        .find(|option| option["label"].as_str().is_some_and(|one| one.trim().eq_ignore_ascii_case(label)));
    if let Some(option) = found {
        return Ok(json!({"id": option["value"], "name": option["label"]}));
    }
    let labels: Vec<_> = options.iter().filter_map(|option| option["label"].as_str()).collect();
    Err(one_of(label, &labels))
}
