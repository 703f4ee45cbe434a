//! `completions` and `man-pages`: what shells and `man` know of the command line. The package has the same files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::terminal::{print, say};
use super::{ExitCode, Failure};

const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Options of `man-pages`.
#[derive(Debug, clap::Args)]
pub(super) struct ManPages {
    /// The directory for the pages. It is created if missing.
    directory: PathBuf,
}

/// A file by its name.
pub(super) type NamedFile = (String, Vec<u8>);

/// Prints the completions for one shell.
pub(super) fn completions(arguments: &Completions, program: Command) -> Result<(), Failure> {
    print(&String::from_utf8_lossy(&completions_for(arguments.shell, program)))
}

/// Writes a manual page for the program, and one for each command.
pub(super) fn man_pages(arguments: &ManPages, program: Command) -> Result<(), Failure> {
    let directory = &arguments.directory;
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(ExitCode::Failed, &format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let pages = pages(program)?;
    for (name, page) in &pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| failed(&path, &error))?;
    }
    say(&format!("{} manual pages are in {}.", pages.len(), directory.display()));
    Ok(())
}

/// The completions for bash, zsh and fish, and the manual pages, as the package has them.
pub(super) fn all(program: &Command) -> Result<Vec<NamedFile>, Failure> {
    let named = [
        (Shell::Bash, format!("completions/{PROGRAM}.bash")),
        (Shell::Zsh, format!("completions/_{PROGRAM}")),
        (Shell::Fish, format!("completions/{PROGRAM}.fish")),
    ];
    let completions = named.map(|(shell, name)| (name, completions_for(shell, program.clone())));
    let pages = pages(program.clone())?.into_iter().map(|(name, page)| (format!("man/{name}"), page));
    Ok(completions.into_iter().chain(pages).collect())
}

fn completions_for(shell: Shell, mut program: Command) -> Vec<u8> {
    let mut text = Vec::new();
    generate(shell, &mut program, PROGRAM, &mut text);
    text
}

fn pages(program: Command) -> Result<Vec<NamedFile>, Failure> {
    // Gives each command the options of the program, and its name in the title.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    [program.clone()].into_iter().chain(commands).map(page).collect()
}

fn page(command: Command) -> Result<NamedFile, Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut text = Vec::new();
    Man::new(command.version(env!("CARGO_PKG_VERSION")))
        .render(&mut text)
        .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    Ok((format!("{name}.1"), text))
}
