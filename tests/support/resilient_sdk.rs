//! SOAR's own tool for developers, `resilient-sdk`, which comes from PyPI into a virtual environment under `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const VERSION: &str = "51.0.9.1";

pub(crate) fn output_text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// A program of the virtual environment. The first test that needs it installs it; it stays for later runs.
fn program(name: &str) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = parent.join(format!("resilient-sdk-{VERSION}"));
    let complete = environment.join("complete");
    // Tests run in processes of their own, so they lock a file. The system unlocks it when its process ends.
    let lock = File::create(parent.join("resilient-sdk.lock")).unwrap();
    lock.lock().unwrap();
    if !complete.exists() {
        let _ = fs::remove_dir_all(&environment);
        install(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        install(
            Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .arg(format!("resilient-sdk=={VERSION}")),
        );
        File::create(complete).unwrap();
    }
    environment.join("bin").join(name)
}

fn install(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("resilient-sdk {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {error}")
    });
    assert!(
        output.status.success(),
        "resilient-sdk {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {}",
        output_text(&output)
    );
}

/// Runs the tool in `directory`, which is its home as well.
pub(crate) fn sdk(directory: &Path, arguments: &[&str]) -> Output {
    run("resilient-sdk", directory, arguments)
}

/// Runs a Python program that may import the tool's modules; so does this.
pub(crate) fn python(directory: &Path, arguments: &[&str]) -> Output {
    run("python3", directory, arguments)
}

fn run(name: &str, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(program(name))
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .output()
        .unwrap()
}
