//! What a query says of its result: the report for the incident, and the reason.

use std::time::Duration;

use super::content::answered;
use super::query::Query;
use crate::functions::report::{Report, counted};
use graph::{Counts, Limit, MailboxResult, Search, SearchScope};

/// What a search of all users does not reach (Graph pages "List messages" and "List users").
const NOT_REACHED: &str = "A search of all users does not reach: archive mailboxes, Microsoft 365 group mailboxes, public \
                           folders, on-premises mailboxes, Recoverable Items.";
const BY_INDEX: &str = "The text of the body was matched by Exchange's search index, which compares words and the \
                        beginnings of words.";
/// So many mailboxes are named in a sentence.
const NAMED: usize = 10;

/// The report for note and file.
pub(super) fn report(query: &Query, search: &Search, took: Duration) -> Report {
    let Counts { searched, without_mailbox, failed, left_out } = search.counts;
    let mut totals: Vec<_> = ended_at_limit(search).into_iter().collect();
    totals.extend(list_is_incomplete(search));
    totals.push(format!(
        "{} found in {}.",
        counted(search.messages(), "message"),
        counted(searched, "mailbox"),
    ));
    totals.push(format!(
        "Of {} listed: {searched} searched, {without_mailbox} without a mailbox, {failed} failed, {left_out} left out.",
        counted(search.counts.listed(), "user"),
    ));
    totals.extend(query.criteria.body.as_ref().map(|_| BY_INDEX.to_owned()));
    if matches!(query.scope, SearchScope::Tenant { .. }) {
        totals.push(NOT_REACHED.to_owned());
    }
    Report {
        title: "Exchange Online: results of the message query",
        criteria: query.described(),
        totals,
        counted: "found",
        mailboxes: answered(query, search)
            .map(|mailbox| (mailbox.address.clone(), mailbox.messages.len()))
            .collect(),
        failures: failures(search),
        file_only: without_mailbox_list(search),
        took,
    }
}

/// The reason: what an analyst has to know of the result before it is used.
pub(super) fn sentences(query: &Query, search: &Search) -> Vec<String> {
    let mut sentences: Vec<_> = ended_at_limit(search).into_iter().collect();
    sentences.extend(list_is_incomplete(search));
    let without_folder = named(search, graph::Error::is_no_folder);
    let failed = search.counts.failed.saturating_sub(without_folder.len());
    if failed > 0 {
        sentences.push(format!(
            "{} could not be searched: {}.",
            counted(failed, "mailbox"),
            listed(&failed_mailboxes(search), failed)
        ));
    }
    if let Some(folder) = &query.criteria.folder
        && !without_folder.is_empty()
    {
        sentences.push(format!(
            "The mail folder \"{folder}\" was not found in {}.",
            listed(&without_folder, without_folder.len())
        ));
    }
    // An address that was typed may be wrong; a tenant is full of users without a mailbox.
    let without_mailbox = named(search, graph::Error::is_no_mailbox);
    if matches!(query.scope, SearchScope::Listed(_)) && !without_mailbox.is_empty() {
        sentences.push(format!(
            "No mailbox was found for {}. Give the user principal name, as the directory lists it.",
            without_mailbox.join(", ")
        ));
    }
    sentences
}

/// Says that the search ended at a limit, what that means in numbers, and what can be done.
fn ended_at_limit(search: &Search) -> Option<String> {
    let messages = counted(search.messages(), "message");
    let searched = counted(search.counts.searched, "mailbox");
    Some(match search.limit? {
        Limit::Messages => format!(
            "The search ended at the limit of messages (max_messages) with {messages} found in {searched}; there may be \
             more. Narrow the criteria, or raise max_messages."
        ),
        Limit::Users => format!(
            "The search ended at the limit of mailboxes (max_users) with {searched} searched; there are more mailboxes. \
             Search for users by the beginning of their names (all:…), or raise max_users."
        ),
    })
}

fn list_is_incomplete(search: &Search) -> Option<String> {
    let failure = search.listing_failure.as_ref()?;
    Some(format!("Users may be missing from the search: {failure}."))
}

fn failures(search: &Search) -> Vec<String> {
    let named = search.mailboxes.iter().filter_map(|mailbox| {
        let failure = mailbox.failure.as_ref()?;
        Some(format!("{} could not be searched: {failure}", mailbox.address))
    });
    let mut lines: Vec<_> = named.collect();
    let named = search.failures().filter(|failure| !failure.is_no_mailbox()).count();
    let more = search.counts.failed.saturating_sub(named);
    if more > 0 {
        lines.push(format!("{} more could not be searched.", counted(more, "mailbox")));
    }
    lines
}

/// The users without a mailbox, as far as they are named. There may be so many that a note would hold nothing else.
fn without_mailbox_list(search: &Search) -> Option<(&'static str, Vec<String>)> {
    let mut lines: Vec<_> =
        search.without_mailbox.iter().map(|user| format!("{} ({})", user.address, user.code)).collect();
    if lines.is_empty() {
        return None;
    }
    let more = search.counts.without_mailbox.saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    Some(("Users without a mailbox", lines))
}

/// The mailboxes that could not be searched, each with Graph's code: not those without a mailbox or folder.
fn failed_mailboxes(search: &Search) -> Vec<String> {
    let failed = search.mailboxes.iter().filter_map(|mailbox| {
        let failure = mailbox.failure.as_ref()?;
        let other = !failure.is_no_mailbox() && !failure.is_no_folder();
        other.then(|| match failure.refusal() {
            Some(refusal) => format!("{} ({})", mailbox.address, refusal.code),
            None => mailbox.address.clone(),
        })
    });
    failed.collect()
}

/// The addresses of the mailboxes whose failure is of one kind.
fn named(search: &Search, is_kind: impl Fn(&graph::Error) -> bool) -> Vec<&str> {
    let is_one = |mailbox: &&MailboxResult| mailbox.failure.as_ref().is_some_and(&is_kind);
    search.mailboxes.iter().filter(is_one).map(|mailbox| mailbox.address.as_str()).collect()
}

/// The first of `mailboxes`, and how many more there are `in_all`.
fn listed<T: AsRef<str>>(mailboxes: &[T], in_all: usize) -> String {
    let first: Vec<&str> = mailboxes.iter().take(NAMED).map(AsRef::as_ref).collect();
    match in_all.saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
