//! What a deletion says of its result: the report for the incident, and the reason.

use std::time::Duration;

use super::content::{Content, Counts, Failure, Fates};
use crate::functions::delete_email::Deleted;
use crate::functions::error::Needs;
use crate::functions::outcome::NotDone;
use crate::functions::permissions::Permissions;
use crate::functions::report::{Report, counted};

/// The report for note and file.
pub(super) fn report(content: &Content<'_>, took: Duration) -> Report {
    let Counts { deleted, already_gone, not_deleted } = content.counts;
    let mut totals = vec![format!("{} deleted.", counted(deleted, "message"))];
    if already_gone > 0 {
        totals.push(format!(
            "{} already gone: not found, so not deleted by this call.",
            counted(already_gone, "message")
        ));
    }
    totals.push(format!("{} not deleted.", counted(not_deleted, "message")));
    Report {
        title: "Exchange Online: results of the deletion",
        criteria: Vec::new(),
        totals,
        counted: "deleted",
        mailboxes: content
            .delete_results
            .iter()
            .map(|mailbox| (mailbox.email_address.to_owned(), mailbox.deleted_list.len()))
            .collect(),
        failures: content.failures.iter().map(line).collect(),
        file_only: None,
        took,
    }
}

fn line(failure: &Failure<'_>) -> String {
    let status = failure.status_code.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
    let Failure { email_address, id, code, message, already_gone, .. } = failure;
    let ended = if *already_gone { "was already gone" } else { "was not deleted" };
    format!("Message {id} of {email_address} {ended}: {code} {message}{status}")
}

/// So many mailboxes are named in a sentence.
const NAMED: usize = 10;

/// Where messages are that could not be deleted: how many in which mailbox, with the code of the first of them.
fn places(failures: &[Failure<'_>]) -> String {
    let mut places: Vec<(&str, &str, usize)> = Vec::new();
    for failure in failures.iter().filter(|failure| !failure.already_gone) {
        match places.last_mut().filter(|(address, ..)| *address == failure.email_address) {
            Some((.., count)) => *count += 1,
            None => places.push((failure.email_address, failure.code, 1)),
        }
    }
    let named = places.iter().take(NAMED).map(|(address, code, count)| {
        let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
        format!("{count} in {address}{code}")
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match places.len() {
        0 => String::new(),
        mailboxes if mailboxes > NAMED => {
            format!(": {named}, and more in {}", counted(mailboxes - NAMED, "other mailbox"))
        }
        _ => format!(": {named}"),
    }
}

/// The reason: what was not deleted, and what counts as deleted though this run did not do it.
pub(super) fn sentences(
    content: &Content<'_>,
    fates: &Fates<'_>,
    ended_by: Option<String>,
    permissions: Permissions,
) -> Vec<String> {
    let counts = content.counts;
    let Counts { already_gone, not_deleted, .. } = counts;
    let all = counted(counts.listed(), "message");
    let would = fates.values().filter(|fate| matches!(fate, Err(NotDone::DryRun))).count();
    let mut sentences = Vec::new();
    if let Some(why) = ended_by {
        sentences.push(why);
    } else if would > 0 && counts.deleted > 0 {
        sentences.push(format!(
            "Stopped after {} of {all}: a dry run was switched on (dry_run); {would} more would have been deleted.",
            fates.len() - would
        ));
    } else if would > 0 {
        sentences.push(format!(
            "Dry run: {would} of {all} would have been deleted. Nothing was changed (dry_run)."
        ));
    } else if not_deleted > 0 {
        let errors = fates.values().filter_map(|fate| fate.as_ref().err()?.graph());
        let mut needs = errors.map(|error| Needs(permissions, error).to_string());
        let needs = needs.find(|sentence| !sentence.is_empty()).unwrap_or_default();
        let places = places(&content.failures);
        sentences.push(format!("{not_deleted} of {all} could not be deleted{places}.{needs}"));
    }
    if already_gone > 0 {
        let were = if already_gone == 1 { "was" } else { "were" };
        sentences.push(format!(
            "{already_gone} of {all} {were} already gone: not found, so not deleted by this call."
        ));
    }
    let before = fates.values().filter(|fate| matches!(fate, Ok(Deleted::PriorRun))).count();
    if before > 0 {
        sentences.push(format!(
            "Of the messages that count as deleted, {before} were not there any more: this call may have been run \
             before. If it was not, another user or a rule has moved or deleted them."
        ));
    }
    sentences
}
