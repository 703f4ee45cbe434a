//! SOAR's own tool for developers, `resilient-sdk`, which comes from PyPI into a virtual environment under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const VERSION: &str = "51.0.9.1";

pub(crate) fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// A program of the virtual environment, which is made once.
fn program(name: &str) -> PathBuf {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("resilient-sdk-{VERSION}"));
        let programs = environment.join("bin");
        if !programs.join("resilient-sdk").exists() {
            install(Command::new("python3").args(["-m", "venv"]).arg(&environment));
            install(
                Command::new(programs.join("pip"))
                    .args(["install", "--quiet", "--disable-pip-version-check"])
                    .arg(format!("resilient-sdk=={VERSION}")),
            );
        }
        programs
    });
    programs.join(name)
}

fn install(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("resilient-sdk {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {error}")
    });
    assert!(
        output.status.success(),
        "resilient-sdk {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {}",
        said(&output)
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
