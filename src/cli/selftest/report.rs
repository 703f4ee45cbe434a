//! The report: for people as it comes, for programs at its end.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::check::{Outcome, Section};
use super::environment::Variable;
use super::human::HumanReport;
use super::json;
use crate::exit_code::ExitCode;

/// What was found so far.
pub(super) struct Report {
    /// `None`: as JSON, at the end.
    words: Option<HumanReport>,
    file: PathBuf,
    started: Instant,
    environment: Option<Vec<Variable>>,
    sections: Vec<Section>,
}

impl Report {
    pub(super) fn start(as_json: bool, file: &Path) -> Self {
        let words = (!as_json).then(HumanReport::on_stdout);
        let report = Self {
            words,
            file: file.to_owned(),
            started: Instant::now(),
            environment: None,
            sections: Vec::new(),
        };
        if let Some(words) = &report.words {
            write(&words.heading());
        }
        report
    }

    /// Shows these variables of the environment.
    pub(super) fn environment(&mut self, variables: Vec<Variable>) {
        if let Some(words) = &self.words {
            write(&words.environment(&variables));
        }
        self.environment = Some(variables);
    }

    pub(super) fn add(&mut self, section: Section) {
        if let Some(words) = &self.words {
            write(&words.section(&section));
        }
        self.sections.push(section);
    }

    /// Ends the report; the exit code is that of the first failure.
    pub(super) fn finish(self) -> ExitCode {
        let outcomes: Vec<Outcome> =
            self.sections.iter().flat_map(|section| &section.checks).map(|check| check.outcome).collect();
        let code = outcomes.iter().find_map(|outcome| outcome.exit_code()).unwrap_or(ExitCode::Success);
        let took = self.started.elapsed();
        match &self.words {
            Some(words) => write(&words.end(&outcomes, code, took)),
            None => {
                write(&json::report(&self.file, self.environment.as_deref(), &self.sections, code, took));
            }
        }
        code
    }
}

fn write(text: &str) {
    // A reader that has left wants no more.
    let mut out = stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
