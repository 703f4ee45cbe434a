//! SOAR's own Python programs: `resilient-sdk` for developers, and the runtime `resilient-circuits` with the client
//! `resilient`. They come from PyPI into a virtual environment under `target/`.

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
    let environment = parent.join(format!("resilient-{VERSION}"));
    let complete = environment.join("complete");
    // Tests run in processes of their own, so they lock a file. The system unlocks it when its process ends.
    let lock = File::create(parent.join("resilient.lock")).unwrap();
    lock.lock().unwrap();
    if !complete.exists() {
        let _ = fs::remove_dir_all(&environment);
        install(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        install(
            Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args([format!("resilient-sdk=={VERSION}"), format!("resilient-circuits=={VERSION}")]),
        );
        File::create(complete).unwrap();
    }
    environment.join("bin").join(name)
}

fn install(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("IBM's packages {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {error}")
    });
    assert!(
        output.status.success(),
        "IBM's packages {VERSION} cannot be installed from PyPI, so nothing was checked: {command:?}: {}",
        output_text(&output)
    );
}

/// Runs the tool in `directory`, which is its home as well.
pub(crate) fn sdk(directory: &Path, arguments: &[&str]) -> Output {
    command("resilient-sdk", directory).args(arguments).output().unwrap()
}

/// Runs a Python program that may import the tool's modules; so does this.
pub(crate) fn python(directory: &Path, arguments: &[&str]) -> Output {
    command("python3", directory).args(arguments).output().unwrap()
}

/// A program of the virtual environment, to be run in `directory`, which is its home as well.
pub(crate) fn command(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir(directory).env("HOME", directory).env_remove("APP_CONFIG_FILE");
    for name in ["NO_PROXY", "no_proxy"] {
        command.env(name, "localhost,127.0.0.1");
    }
    command
}
