//! The report for programs. Its format is documented (docs/selftest.md); keys may be added, but never change.

use std::path::Path;
use std::time::Duration;

use net::untrusted::text::escape_json;
use serde_json::{Value, json};

use super::check::{Check, Section};
use super::environment::Variable;
use crate::exit_code::ExitCode;

/// The version of the format.
const SCHEMA: u8 = 1;

pub(super) fn report(
    file: &Path,
    environment: Option<&[Variable]>,
    sections: &[Section],
    code: ExitCode,
    took: Duration,
) -> String {
    let checks: Vec<Value> = sections
        .iter()
        .flat_map(|section| section.checks.iter().map(|check| one(&section.title, check)))
        .collect();
    let mut report = json!({
        "schema": SCHEMA,
        "program": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "config_file": file.display().to_string(),
        "outcome": if code == ExitCode::Success { "passed" } else { "failed" },
        "exit_code": code as u8,
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "checks": checks,
    });
    if let Some(variables) = environment {
        let shown = variables.iter().map(|variable| (variable.name.to_owned(), json!(variable.shown)));
        report["environment"] = Value::Object(shown.collect());
    }
    escape_json(&format!("{report:#}\n"))
}

fn one(section: &str, check: &Check) -> Value {
    json!({
        "id": check.id,
        "section": section,
        "name": check.name,
        "outcome": check.outcome.name(),
        "found": check.found,
        "advice": check.advice,
        "exit_code": check.outcome.exit_code().map(|code| code as u8),
    })
}
