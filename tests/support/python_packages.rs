//! Python packages from PyPI, in a virtual environment under `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn output_text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// The directory of the virtual environment `NAME-VERSION`, with packages as `pip install` takes them. The first test
/// that needs it installs it; it stays for later runs.
pub(crate) fn environment(name: &str, version: &str, packages: &[&str]) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = parent.join(format!("{name}-{version}"));
    let complete = environment.join("complete");
    // Tests run in processes of their own, so they lock a file. The system unlocks it when its process ends.
    let lock = File::create(parent.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !complete.exists() {
        let _ = fs::remove_dir_all(&environment);
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        run(Command::new(environment.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
        File::create(complete).unwrap();
    }
    environment
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("a package cannot be installed from PyPI, so nothing was checked: {command:?}: {error}")
    });
    assert!(
        output.status.success(),
        "a package cannot be installed from PyPI, so nothing was checked: {command:?}: {}",
        output_text(&output)
    );
}
