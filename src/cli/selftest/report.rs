//! The report: printed check by check for people, and at the end for programs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::check::{Outcome, Section};
use super::environment::Variable;
use super::human::HumanReport;
use super::json;
use crate::cli::terminal::print;
use crate::exit_code::{ExitCode, Failure};

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
    pub(super) fn start(as_json: bool, file: &Path) -> Result<Self, Failure> {
        let human = (!as_json).then(HumanReport::on_stdout);
        let report = Self {
            human,
            file: file.to_owned(),
            started: Instant::now(),
            environment: None,
            sections: Vec::new(),
        };
        report.human.as_ref().map_or(Ok(()), |human| print(&human.heading()))?;
        Ok(report)
    }

    /// Shows these variables of the environment.
    pub(super) fn environment(&mut self, variables: Vec<Variable>) -> Result<(), Failure> {
        self.human.as_ref().map_or(Ok(()), |human| print(&human.environment(&variables)))?;
        self.environment = Some(variables);
        Ok(())
    }

    pub(super) fn add(&mut self, section: Section) -> Result<(), Failure> {
        self.human.as_mut().map_or(Ok(()), |human| print(&human.section(&section)))?;
        self.sections.push(section);
        Ok(())
    }

    /// Ends the report. Returns the exit code of the first failure.
    pub(super) fn finish(self) -> Result<ExitCode, Failure> {
        let outcomes: Vec<Outcome> =
            self.sections.iter().flat_map(|section| &section.checks).map(|check| check.outcome).collect();
        let code = outcomes.iter().find_map(|outcome| outcome.exit_code()).unwrap_or(ExitCode::Success);
        let took = self.started.elapsed();
        print(&match &self.human {
            Some(human) => human.end(&outcomes, code, took),
            None => json::report(&self.file, self.environment.as_deref(), &self.sections, code, took),
        })?;
        Ok(code)
    }
}
