//! The inputs of a call, parsed from the command line into SOAR's encodings.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::super::{ExitCode, Failure};
use crate::functions::{Function, InputKind, parse_time};
use crate::similar::did_you_mean;

/// The name and value of an input on the command line.
pub(in crate::cli) type Given = (String, String);

/// Parses `NAME=VALUE`. The value may contain equals signs, as message ids do.
pub(in crate::cli) fn pair(text: &str) -> Result<Given, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// The inputs for `function`: those of the file, overridden by those of the command line, and the incident.
pub(in crate::cli) fn read(
    function: Function,
    given: Vec<Given>,
    file: Option<&Path>,
    incident: Option<i64>,
) -> Result<Map<String, Value>, Failure> {
    let mut values = file.map_or_else(|| Ok(Map::new()), of_file)?;
    let (typed, mut problems) = typed(given, |name, value| {
        let input = function.spec().inputs.iter().find(|input| input.name == name);
        let input = input.ok_or_else(|| no_such_input(function, name))?;
        encoded(input.kind, value).map_err(|right| must_be(name, &right))
    });
    values.extend(typed);
    if let Some(incident) = incident {
        problems.extend(set_incident(function, &mut values, incident));
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(Failure::new(ExitCode::BadConfiguration, &problems.join("\n")))
    }
}

/// Encodes the inputs of the command line. Options of one input that is given several times are put together. The list
/// says what is wrong with the others.
pub(in crate::cli) fn typed(
    given: Vec<Given>,
    encode: impl Fn(&str, &str) -> Result<Value, String>,
) -> (Map<String, Value>, Vec<String>) {
    let mut values = Map::new();
    let mut problems = Vec::new();
    for (name, value) in given {
        match encode(&name, &value) {
            Ok(value) => match (values.get_mut(&name), value) {
                (Some(Value::Array(options)), Value::Array(more)) => options.extend(more),
                (Some(_), _) => problems.push(format!("The input {name} is given twice.")),
                (None, value) => {
                    values.insert(name, value);
                }
            },
            Err(problem) => problems.push(problem),
        }
    }
    (values, problems)
}

/// The problem of an input whose value is of another kind.
pub(in crate::cli) fn must_be(name: &str, right: &str) -> String {
    format!("The input {name} must be {right}.")
}

fn of_file(path: &Path) -> Result<Map<String, Value>, Failure> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        ("standard input".to_owned(), stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (path.display().to_string(), fs::read_to_string(path))
    };
    let unusable = |what: String| {
        Failure::new(ExitCode::BadConfiguration, &format!("cannot read the inputs from {name}: {what}"))
    };
    let text = text.map_err(|error| unusable(error.to_string()))?;
    // The parser's message may quote the text, which may be mail.
    serde_json::from_str(&text).map_err(|error| {
        unusable(format!("it is not a JSON object (line {}, column {})", error.line(), error.column()))
    })
}

fn no_such_input(function: Function, name: &str) -> String {
    let known: Vec<_> = function.spec().inputs.iter().map(|input| input.name).collect();
    let meant = did_you_mean(name, known.iter().copied());
    format!("{} has no input {name}{meant}; it has {}.", function.name(), known.join(", "))
}

/// Encodes a value as SOAR does. The error says what the value must be.
pub(in crate::cli) fn encoded(kind: InputKind, value: &str) -> Result<Value, String> {
    let word = value.trim();
    if word.is_empty() && kind != InputKind::Text {
        return Ok(Value::Null);
    }
    match kind {
        InputKind::Text => Ok(value.into()),
        InputKind::Number => word.parse::<i64>().map(Value::from).map_err(|_| "a whole number".to_owned()),
        InputKind::Boolean => match word.to_ascii_lowercase().as_str() {
            "true" | "yes" => Ok(true.into()),
            "false" | "no" => Ok(false.into()),
            "unknown" => Ok(Value::Null),
            _ => Err("yes, no or unknown".to_owned()),
        },
        // A day means another time as an end than as a start, so the function reads it.
        InputKind::DateTime if word.parse::<NaiveDate>().is_ok() => Ok(word.into()),
        InputKind::DateTime => parse_time(word)
            .map(|time| time.timestamp_millis().into())
            .ok_or_else(|| "a time such as 2026-11-23T08:00:00Z, or milliseconds since 1970".to_owned()),
        // A folder's id is accepted as well as a name.
        InputKind::Select(options) => Ok(labelled(options, word).unwrap_or(word).into()),
        InputKind::MultiSelect(options) => word
            .split(',')
            .map(str::trim)
            .filter(|label| !label.is_empty())
            .map(|label| labelled(options, label).map(Value::from))
            .collect::<Option<Vec<_>>>()
            .map(Value::Array)
            .ok_or_else(|| one_of(word, options)),
    }
}

/// What each of several labels must be, and which of them is another one.
pub(in crate::cli) fn one_of(value: &str, options: &[&str]) -> String {
    let mut labels = value.split(',').map(str::trim).filter(|label| !label.is_empty());
    let is_other = |label: &&str| !options.iter().any(|option| option.trim().eq_ignore_ascii_case(label));
    let other = labels.find(is_other).unwrap_or_default();
    let meant = did_you_mean(other, options.iter().copied());
    format!("one of {}, and {other:?} is not{meant}", options.join(", "))
}

fn labelled(options: &[&'static str], label: &str) -> Option<&'static str> {
    options.iter().find(|option| option.eq_ignore_ascii_case(label)).copied()
}

/// Sets the incident of the call. Returns what is wrong with it, if anything.
fn set_incident(function: Function, values: &mut Map<String, Value>, incident: i64) -> Option<String> {
    let other = if function == Function::DeleteMessagesFromQueryResults {
        // This function writes to the incident in the results of the query.
        let results = values.get("exo_query_messages_results").and_then(Value::as_str).unwrap_or_default();
        let results: Value = serde_json::from_str(results).unwrap_or_default();
        results.get("incident_id").cloned()
    } else if function.spec().has_input("incident_id") {
        values.insert("incident_id".to_owned(), incident.into())
    } else {
        return Some(format!("{} does not write to an incident; leave --incident out.", function.name()));
    };
    let other = other.filter(|other| !other.is_null() && other.as_i64() != Some(incident))?;
    Some(format!("The inputs name incident {other}, and --incident {incident}; which one is meant?"))
}
