//! `package`: builds the app package that SOAR installs and App Host runs.

use std::fs;
use std::path::PathBuf;

use super::{ExitCode, Failure};
use crate::cli::common::Common;
use crate::cli::examples::ExamplesArguments;
use crate::cli::shell_files::NamedFile;
use crate::cli::soar_session::{SignedIn, examples_for, sign_in};
use crate::cli::terminal::{print, say};
use crate::customize::Examples;
use crate::package::{Image, file_name, package};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The container image for App Host, by the name under which it was pushed, with a tag or a digest.
    #[arg(long, value_name = "REF")]
    image: Image,

    /// The directory for the package. It is created if missing.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,

    #[command(flatten)]
    examples: ExamplesArguments,
}

/// Writes the package, and its path to standard output. `files` are the completions and manual pages.
pub(super) async fn write(
    arguments: &Arguments,
    common: &Common,
    files: &[NamedFile],
) -> Result<(), Failure> {
    let Arguments { image, output, examples } = arguments;
    let bytes = package(image, examples_in(examples, common).await?, examples.packs(), files)
        .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let path = output.join(file_name());
    fs::create_dir_all(output).and_then(|()| fs::write(&path, bytes)).map_err(|error| {
        Failure::new(ExitCode::Failed, &format!("cannot write {}: {error}", path.display()))
    })?;
    if let Some(registry) = image.registry() {
        say(&format!(
            "The package names the image {image}. App Host prepends the registry that it is configured for, which has \
             to be {registry}."
        ));
    }
    print(&format!("{}\n", path.display()))
}

/// What the user chose, or what fits the SOAR of the configuration file that the user named. The machine that makes a
/// package often knows no SOAR, so no other file is looked for.
async fn examples_in(examples: &ExamplesArguments, common: &Common) -> Result<Examples, Failure> {
    if common.config_file.is_some() && examples.chosen().is_none() {
        let SignedIn { soar, _log, .. } = sign_in(common).await?;
        return examples_for(&soar, examples).await;
    }
    Ok(examples.chosen_without_a_server())
}
