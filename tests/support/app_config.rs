//! Loads the text of an `app.config`.

use std::fs;

use fn_exchange_online::config::{LoadError, Loaded, Problem, Settings};

pub(crate) fn load_in(text: impl AsRef<[u8]>, environment: &[(&str, &str)]) -> Result<Loaded, LoadError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.config");
    fs::write(&file, text).unwrap();
    Settings::load(&file, &environment.iter().copied().collect())
}

pub(crate) fn problems(text: impl AsRef<[u8]>) -> Vec<Problem> {
    load_in(text, &[]).unwrap_err().problems().to_vec()
}

/// Where the problems are, as "section.key".
pub(crate) fn places(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|p| format!("{}.{}", p.location.section().unwrap_or("-"), p.location.key().unwrap_or("-")))
        .collect()
}
