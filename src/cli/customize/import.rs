//! The import: shows what would change, asks, imports, and adds the API key to the message destination.

use serde_json::Value;

use super::preview::{Preview, objects};
use super::{Arguments, existing};
use crate::cli::common::Common;
use crate::cli::soar_session::{SignedIn, examples_for, refused, sign_in};
use crate::cli::terminal::{confirm, print, say};
use crate::cli::{ExitCode, Failure, package_filter};
use crate::customize::{Examples, ScriptLanguage, destination, export_packs};
use soar::{Access, Client, Decision, Error, GrantError};

/// A script that calls this without an answer must not take it for done.
const NO_ANSWER: &str = "the import needs a yes, and standard input has ended. customize -y imports without asking, and \
    customize --dry-run only shows what would change. Nothing was changed";

/// Imports the customizations.
pub(super) async fn import(arguments: &Arguments, common: &Common) -> Result<(), Failure> {
    if !package_filter::with_ours(&arguments.packages, "imported") {
        return Ok(());
    }
    let destination = destination().map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let SignedIn { soar, who, _log } = sign_in(common).await?;
    let examples = examples_for(&soar, &arguments.examples).await?;
    let file = export_packs(examples, arguments.examples.packs())
        .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let existing = existing::read(&soar, &file).await.map_err(|error| refused(&error))?;
    let file = existing.keep_in(file).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let preview = Preview::new(&file, &existing);
    let access = soar.access_to(&destination).await.map_err(|error| refused(&error))?;
    let of_access = match access {
        Access::Granted => format!("The {who} has access to the message destination {destination}."),
        Access::Missing | Access::NoDestination => {
            format!("The {who} will be added to the message destination {destination}.")
        }
    };
    if arguments.json {
        return print(&preview.json(soar.org_name(), &destination, access == Access::Granted));
    }
    print(&format!(
        "SOAR organisation {:?}, and the customizations of this program:\n\n{}{of_access}\n",
        soar.org_name(),
        preview.text()
    ))?;

    if preview.is_empty() && access == Access::Granted {
        say("Everything is up to date.");
        return Ok(());
    }
    if arguments.dry_run {
        say("Dry run: nothing was changed. SOAR itself checks the file only when it is imported.");
        return Ok(());
    }
    if preview.is_empty() {
        if !has_agreed(arguments.yes, &format!("Add the {who}? (y/n): "))? {
            say("Nothing was changed.");
            return Ok(());
        }
    } else if !carry_out(&soar, &file, &preview, examples, arguments.yes).await? {
        return Ok(());
    }
    if soar.grant_access_to(&destination).await.map_err(|error| not_granted(&error))? {
        say(&format!("The {who} was added to the message destination {destination}."));
    }
    say("Done. The daemon can take calls.");
    Ok(())
}

/// Asks and imports. Returns `false` if the answer is no.
async fn carry_out(
    soar: &Client,
    file: &Value,
    preview: &Preview,
    examples: Examples,
    yes: bool,
) -> Result<bool, Failure> {
    let import = soar.start_import(file).await.map_err(|error| not_imported(&error, examples))?;
    for message in &import.messages {
        say(&format!("    {}: {}", message.kind, message.text));
    }
    if !import.is_pending() {
        return Err(Failure::new(
            ExitCode::Failed,
            &format!(
                "SOAR does not wait for a decision on the import, it calls it {}; nothing more was done. See \
                 SOAR, Administrator Settings, Organization, Import, for what became of it",
                import.status()
            ),
        ));
    }
    let agreed = has_agreed(yes, &question(preview));
    if !matches!(agreed, Ok(true)) {
        let status = soar.decide(import, Decision::Reject).await.map_err(|error| refused(&error))?;
        say(&format!("Nothing was imported; SOAR calls the import {status}."));
        return agreed;
    }
    let status = soar.decide(import, Decision::Accept).await.map_err(|error| undecided(&error))?;
    if status != "ACCEPTED" {
        return Err(Failure::new(
            ExitCode::Failed,
            &format!(
                "SOAR did not accept the import: it calls it {status}; run customize again, or see its log"
            ),
        ));
    }
    say("SOAR has imported it.");
    Ok(true)
}

/// Asks, unless `yes` answers already. A missing answer is a failure.
fn has_agreed(yes: bool, question: &str) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    confirm(question).ok_or_else(|| Failure::new(ExitCode::Failed, &NO_ANSWER))
}

/// The question before an import. It names what is lost.
fn question(preview: &Preview) -> String {
    let what = "What differs in SOAR is overwritten, nothing is deleted";
    match (preview.foreign(), preview.unknown()) {
        (0, 0) => format!("Import it? {what}. (y/n): "),
        (0, unknown) => format!(
            "Import it? {what}; SOAR does not show {}, which may have been changed there. (y/n): ",
            objects(unknown)
        ),
        (foreign, _) => {
            format!(
                "Import it, and overwrite what was changed in SOAR in {} (marked with !)? (y/n): ",
                objects(foreign)
            )
        }
    }
}

/// The failure of an import before the decision. Nothing was changed.
fn not_imported(error: &Error, examples: Examples) -> Failure {
    let Failure { code, message } = refused(error);
    match (error.status(), examples) {
        (Some(400 | 422), Examples::Workflows(ScriptLanguage::Python3)) => Failure::new(
            ExitCode::Failed,
            &format!(
                "{message}. Nothing was imported. A SOAR older than 38.2 needs --script-language python"
            ),
        ),
        (Some(400 | 422), Examples::Playbooks) => Failure::new(
            ExitCode::Failed,
            &format!(
                "{message}. Nothing was imported. With --workflows SOAR gets rules and workflows in place of playbooks"
            ),
        ),
        (Some(400 | 422), Examples::Workflows(ScriptLanguage::Python)) => {
            Failure::new(ExitCode::Failed, &format!("{message}. Nothing was imported"))
        }
        _ => Failure::new(code, &format!("Nothing was imported: {message}")),
    }
}

/// The failure of the decision, which SOAR may have received.
fn undecided(error: &Error) -> Failure {
    let Failure { code, message } = refused(error);
    let hint = "SOAR may have imported it; run customize again, which is safe";
    if error.is_indeterminate() {
        return Failure::new(code, &format!("{message}. {hint}"));
    }
    Failure { code, message }
}

fn not_granted(error: &GrantError) -> Failure {
    let failure = match error {
        GrantError::Soar(error) => refused(error),
        other => Failure::new(ExitCode::Failed, other),
    };
    let hint = "The customizations are there, but the daemon may not read its calls before the message \
        destination lists its API key or account; run customize again, or add it in SOAR";
    Failure::new(failure.code, &format!("{}. {hint}", failure.message))
}
