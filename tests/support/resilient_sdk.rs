//! SOAR's own Python programs: `resilient-sdk` for developers, and the runtime `resilient-circuits` with the client
//! `resilient`. They come from PyPI into a virtual environment under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::python_packages::environment;
pub(crate) use super::python_packages::output_text;

const VERSION: &str = "51.0.9.1";

/// A program of the virtual environment.
fn program(name: &str) -> PathBuf {
    let packages = [format!("resilient-sdk=={VERSION}"), format!("resilient-circuits=={VERSION}")];
    environment("resilient", VERSION, &packages.each_ref().map(String::as_str)).join("bin").join(name)
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
