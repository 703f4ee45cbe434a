//! `config`: writes a configuration file to fill in, or adds missing sections to one.
//!
//! Messages go to standard error and the question to standard output, as with SOAR's own tool.

use std::fs;
use std::path::{Path, PathBuf};

use super::atomic_write::{followed, write_atomically};
use super::package_filter::with_ours;
use super::terminal::{confirm, say, warn};
use super::{ExitCode, Failure};
use crate::config::{Environment, NoHome, ini, sections};

/// The package of this program, and its section in the file.
const PACKAGE: &str = env!("CARGO_PKG_NAME");
const SECTION: &str = env!("CARGO_CRATE_NAME");

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    action: Action,

    /// The file [default: ~/.resilient/app.config]. The environment variable APP_CONFIG_FILE takes precedence.
    file: Option<PathBuf>,

    /// The packages whose sections are written. The only package is fn_exchange_online.
    #[arg(short = 'l', long = "list", value_name = "PACKAGE", num_args = 1..)]
    packages: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Action {
    /// Write a new file. Asks before it overwrites an existing one.
    #[arg(short, long)]
    create: bool,

    /// Add missing sections to the file, and change nothing else.
    #[arg(short, long)]
    update: bool,
}

impl Arguments {
    /// The sections to write.
    fn sections(&self) -> Vec<(&'static str, &'static str)> {
        let with_app = with_ours(&self.packages, "written");
        let all = sections().iter().map(|(name, text)| (*name, text.as_str()));
        all.filter(|(name, _)| with_app || *name != SECTION).collect()
    }
}

/// Writes or updates the file. The program's option `--config-file` takes precedence over all other names.
pub(super) fn write(arguments: &Arguments, config_file: Option<&Path>) -> Result<(), Failure> {
    let path = path(arguments, config_file)?;
    let sections = arguments.sections();
    if arguments.action.create { create(&path, &sections) } else { update(&path, &sections) }
}

/// The path of the file. Creates the directory of the default file.
fn path(arguments: &Arguments, config_file: Option<&Path>) -> Result<PathBuf, Failure> {
    let environment = Environment::of_process();
    let named =
        |path: Result<PathBuf, NoHome>| path.map_err(|no_home| Failure::new(ExitCode::Failed, &no_home));
    if let Some(path) = config_file {
        if let Some(file) = arguments.file.as_deref().filter(|file| *file != path) {
            let two = format!("two files are named, {} and {}; name one", path.display(), file.display());
            return Err(Failure::new(ExitCode::BadConfiguration, &two));
        }
        return named(environment.named(path));
    }
    if let Some(path) = environment.get_filled("APP_CONFIG_FILE") {
        if arguments.file.as_deref().is_some_and(|file| file != Path::new(path)) {
            warn(&format!("APP_CONFIG_FILE is set, so the file is {path}."));
        }
        return named(environment.expand_home(path));
    }
    if let Some(file) = &arguments.file {
        return named(file.to_str().map_or_else(|| Ok(file.clone()), |file| environment.expand(file)));
    }
    let path = environment.expand_home("~/.resilient/app.config").map_err(|_| {
        let wrong = "HOME is not set, so there is no default file; name one: config --create FILE";
        Failure::new(ExitCode::Failed, &wrong)
    })?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| failed("create", directory, &error))?;
    }
    Ok(path)
}

fn create(path: &Path, sections: &[(&str, &str)]) -> Result<(), Failure> {
    if path.exists() && !overwrite(path) {
        say(&format!("{} is unchanged.", path.display()));
        return Ok(());
    }
    say(&format!("Creating the configuration file {}", path.display()));
    let text = sections.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n");
    write_atomically(path, text.as_bytes()).map_err(|error| failed("write", path, &error))?;
    say("The configuration file was generated.");
    say("Edit it before you run the program: fill in host, org, the API key and the Entra application.");
    Ok(())
}

fn overwrite(path: &Path) -> bool {
    confirm(&format!("{} exists already. Overwrite it? (y/n): ", path.display())) == Some(true)
}

fn update(path: &Path, sections: &[(&str, &str)]) -> Result<(), Failure> {
    if !path.exists() {
        let missing = format!(
            "There is no configuration file {}, so nothing was written; create one with config --create.",
            path.display()
        );
        return Err(Failure::new(ExitCode::Failed, &missing));
    }
    let bytes = fs::read(path).map_err(|error| failed("read", path, &error))?;
    let unusable = |what: &str| {
        Failure::new(ExitCode::Failed, &format!("{} is {what}, so nothing was written to it", path.display()))
    };
    let text = String::from_utf8(bytes).map_err(|_| unusable("not UTF-8"))?;
    let present = ini::parse(&text).map_err(|error| unusable(&error.to_string()))?.sections;
    let missing: Vec<_> = sections.iter().filter(|(name, _)| !present.contains_key(*name)).collect();

    say(&format!("Updating the configuration file {}", path.display()));
    if missing.is_empty() {
        say("It has all sections; there is nothing to update.");
        return Ok(());
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut updated = text;
    for (name, section) in missing {
        if !updated.is_empty() && !updated.ends_with('\n') {
            updated.push_str(line_end);
        }
        updated.push_str(line_end);
        updated.push_str(&section.replace('\n', line_end));
        let of = if *name == SECTION { format!(" of {PACKAGE}") } else { String::new() };
        say(&format!("Adding the section [{name}]{of}"));
    }
    write_atomically(path, updated.as_bytes()).map_err(|error| failed("write", path, &error))?;
    say("The update is done. The new sections may have to be edited by hand.");
    Ok(())
}

fn failed(attempt: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ExitCode::Failed, &format!("cannot {attempt} {}: {error}", followed(path).display()))
}
