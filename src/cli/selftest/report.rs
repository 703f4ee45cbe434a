//! The report: printed check by check for people, and at the end for programs.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::check::{Outcome, Section};
use super::environment::Variable;
use super::human::HumanReport;
use super::json;
use crate::exit_code::ExitCode;

/// The checks so far.
pub(super) struct Report {
    /// `None`: the report is written as JSON, at the end.
    human: Option<HumanReport>,
    file: PathBuf,
    started: Instant,
    environment: Option<Vec<Variable>>,
    sections: Vec<Section>,
}

impl Report {
    pub(super) fn start(as_json: bool, file: &Path) -> Self {
        let human = (!as_json).then(HumanReport::on_stdout);
        let report = Self {
            human,
            file: file.to_owned(),
            started: Instant::now(),
            environment: None,
            sections: Vec::new(),
        };
        if let Some(human) = &report.human {
            write(&human.heading());
        }
        report
    }

    /// Shows these variables of the environment.
    pub(super) fn environment(&mut self, variables: Vec<Variable>) {
        if let Some(human) = &self.human {
            write(&human.environment(&variables));
        }
        self.environment = Some(variables);
    }

    pub(super) fn add(&mut self, section: Section) {
        if let Some(human) = &self.human {
            write(&human.section(&section));
        }
        self.sections.push(section);
    }

    /// Ends the report. Returns the exit code of the first failure.
    pub(super) fn finish(self) -> ExitCode {
        let outcomes: Vec<Outcome> =
            self.sections.iter().flat_map(|section| &section.checks).map(|check| check.outcome).collect();
        let code = outcomes.iter().find_map(|outcome| outcome.exit_code()).unwrap_or(ExitCode::Success);
        let took = self.started.elapsed();
        match &self.human {
            Some(human) => write(&human.end(&outcomes, code, took)),
            None => {
                write(&json::report(&self.file, self.environment.as_deref(), &self.sections, code, took));
            }
        }
        code
    }
}

fn write(text: &str) {
    // Ignores a closed pipe.
    let mut out = stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
