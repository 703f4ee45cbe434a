//! What a query says of its result: the report for the incident, and the reason.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::content::answered;
use super::query::Query;
use super::reconciliation::Reconciliation;
use super::strategy::{Clicks, Found, Source};
use crate::functions::report::{
    ByReason, Failures, Heading, Label, Message, Report, Section, Table, counted, in_words, thousands,
};
use graph::{Counts, Limit, MailboxResult, Search, SearchScope};

/// What a search of all users does not reach (Graph pages "List messages" and "List users").
const NOT_REACHED: &str = "A search of all users does not reach archive mailboxes, Microsoft 365 group mailboxes, public \
                           folders, on-premises mailboxes, and Recoverable Items.";
const BY_INDEX: &str = "The text of the body was matched by Exchange's search index, which compares words and the \
                        beginnings of words.";
/// So many mailboxes are named in a sentence.
const NAMED: usize = 10;
const NOT_SEARCHED: Heading = Heading { text: "Not searched", is_urgent: false };

/// The report for note and file.
pub(super) fn report<'a>(query: &Query, found: &'a Found, took: Duration) -> Report<'a> {
    let Found { search, sources, reconciliation, clicks } = found;
    let Counts { searched, without_mailbox, failed, left_out } = search.counts;
    let is_tenant = matches!(query.scope, SearchScope::Tenant { .. });
    let mut remarks = Vec::new();
    // Otherwise the first line and the users without a mailbox say it all.
    if search.counts.listed() > searched + without_mailbox || !is_tenant && without_mailbox > 0 {
        remarks.push(format!(
            "Of {} listed: {} searched, {} without a mailbox, {} failed, {} left out.",
            counted(search.counts.listed(), "user"),
            thousands(searched),
            thousands(without_mailbox),
            thousands(failed),
            thousands(left_out),
        ));
    }
    remarks.extend(users_without_mailbox(query, search));
    remarks.extend(query.criteria.body.as_ref().map(|_| BY_INDEX.to_owned()));
    if is_tenant {
        remarks.push(NOT_REACHED.to_owned());
    }
    let mailboxes = answered(query, search)
        .map(|mailbox| format!("{}: {} found", mailbox.address, thousands(mailbox.messages.len())));
    let users_are_missing = search.listing_failure.as_ref();
    let users_are_missing = users_are_missing.map(|failure| users_may_be_missing(&in_words(failure)));
    Report {
        label: if is_incomplete(query, found) { Label::Incomplete } else { Label::Complete },
        outcome: outcome(query, search),
        sentences: ended_at_limit(query, search)
            .into_iter()
            .chain(users_are_missing)
            .chain(not_answered_for(sources))
            .chain(reconciliation.as_ref().map(Reconciliation::line))
            .chain(clicks.as_ref().map(Clicks::line))
            .collect(),
        looked_for: Some(query.phrases().join(" · ")),
        criteria: query.described(),
        sections: vec![Section { heading: None, messages: messages(query, search), has_links: true }],
        failures: failures(query, found),
        tables: reconciliation
            .iter()
            .map(|reconciliation| Table {
                file_prefix: "exo-deliveries",
                text: Box::new(|reference| reconciliation.table(reference)),
            })
            .collect(),
        remarks,
        file_only: vec![
            ("Clicks", clicks.as_ref().map(Clicks::lines).unwrap_or_default()),
            ("Mailboxes", mailboxes.collect()),
            ("What could not be searched, in full", failures_in_full(search)),
            ("Users without a mailbox", without_mailbox_list(search)),
        ],
        took,
        ..Report::default()
    }
}

/// "37 messages found, in 37 of 2,000 mailboxes searched"
fn outcome(query: &Query, search: &Search) -> String {
    let Counts { searched, without_mailbox, failed, .. } = search.counts;
    let found = match search.messages() {
        0 => "no message found".to_owned(),
        found => format!("{} found", counted(found, "message")),
    };
    let with_messages = search.mailboxes.iter().filter(|mailbox| !mailbox.messages.is_empty()).count();
    let mailboxes = counted(searched.max(with_messages), "mailbox");
    let mut outcome = match (with_messages, searched) {
        (0, _) => format!("{found} in {mailboxes} searched"),
        // A mailbox that was not searched to its end is not among those that count as searched.
        (some, searched) if some > searched || searched == 1 => format!("{found} in {mailboxes}"),
        (some, _) => format!("{found}, in {} of {mailboxes} searched", thousands(some)),
    };
    if failed > 0 {
        let _ = write!(outcome, "; {} could not be searched", counted(failed, "mailbox"));
    }
    if without_mailbox > 0 && matches!(query.scope, SearchScope::Listed(_)) {
        let _ = write!(outcome, "; {} not found", counted(without_mailbox, "mailbox"));
    }
    match search.limit {
        Some(Limit::Messages) => outcome.push_str("; there may be more"),
        Some(Limit::Users) => outcome.push_str("; the other mailboxes were not looked at"),
        None if search.listing_failure.is_some() => outcome.push_str("; users may be missing"),
        None => {}
    }
    outcome
}

/// Whether messages may be missing in the result.
fn is_incomplete(query: &Query, found: &Found) -> bool {
    let Found { search, sources, reconciliation, .. } = found;
    let is_by_name = matches!(query.scope, SearchScope::Listed(_));
    search.limit.is_some()
        || search.listing_failure.is_some()
        || search.counts.failed > 0
        || is_by_name && search.counts.without_mailbox > 0
        || not_answered_for(sources).next().is_some() && is_answer_of_index(sources)
        || reconciliation.as_ref().is_some_and(Reconciliation::is_incomplete)
}

/// Whether no search of the mailboxes stands in for what an index did not answer for.
fn is_answer_of_index(sources: &[Source]) -> bool {
    sources.iter().all(|source| source.name != Source::MAILBOXES)
}

/// What an index did not answer for.
fn not_answered_for(sources: &[Source]) -> impl Iterator<Item = String> {
    let is_alone = is_answer_of_index(sources);
    let all = sources.iter().flat_map(|source| source.not_answered_for.iter().map(|why| (source.name, why)));
    all.map(move |(source, why)| {
        if is_alone {
            format!("The {source} did not answer for {why}.")
        } else {
            format!("The {source} could not be used, and the mailboxes were searched: {why}.")
        }
    })
}

fn messages(query: &Query, search: &Search) -> Vec<Message> {
    let in_mailbox = |mailbox: &MailboxResult| -> Vec<Message> {
        mailbox.messages.iter().map(|raw| Message::read(&mailbox.address, raw, "Found")).collect()
    };
    answered(query, search).flat_map(in_mailbox).collect()
}

/// The reason: what an analyst has to know of the result before it is used.
pub(super) fn sentences(query: &Query, found: &Found) -> Vec<String> {
    let search = &found.search;
    let mut sentences: Vec<_> = ended_at_limit(query, search).into_iter().collect();
    sentences.extend(not_answered_for(&found.sources));
    sentences.extend(found.reconciliation.iter().filter(|it| it.is_incomplete()).map(Reconciliation::line));
    sentences.extend(search.listing_failure.as_ref().map(|failure| users_may_be_missing(failure)));
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
fn ended_at_limit(query: &Query, search: &Search) -> Option<String> {
    let searched = counted(search.counts.searched, "mailbox");
    let (were, to_the_end) = match search.counts.searched {
        1 => ("was", "perhaps not to its end"),
        _ => ("were", "the last one perhaps not to its end"),
    };
    let others = match (&query.scope, search.counts.left_out) {
        (SearchScope::Tenant { .. }, _) => "; all others were not looked at".to_owned(),
        (SearchScope::Listed(_), 0) => String::new(),
        (SearchScope::Listed(_), others) => format!("; {} more were not looked at", thousands(others)),
    };
    Some(match search.limit? {
        Limit::Messages => format!(
            "The search stopped at {}, the most that one query returns here (max_messages). {searched} {were} searched, \
             {to_the_end}{others}. Narrow it down (sender, subject, dates), or ask your \
             administrator to raise max_messages.",
            counted(search.messages(), "message"),
        ),
        Limit::Users => format!(
            "The search stopped at the most mailboxes that one query searches here (max_users). {searched} {were} \
             searched; all others were not looked at. Search for users by the beginning of their names (all:…), or ask \
             your administrator to raise max_users."
        ),
    })
}

fn users_may_be_missing(reason: &dyn Display) -> String {
    format!("Users may be missing from the search: {reason}.")
}

/// The mailboxes that were not searched, by reason.
fn failures(query: &Query, found: &Found) -> Vec<Failures> {
    let search = &found.search;
    let is_by_name = matches!(query.scope, SearchScope::Listed(_));
    let mut by_reason = ByReason::default();
    if let Some(reconciliation) = &found.reconciliation {
        reconciliation.add_exceptions(&mut by_reason);
    }
    for mailbox in &search.mailboxes {
        let Some(failure) = &mailbox.failure else { continue };
        let reason = if failure.is_no_mailbox() && is_by_name {
            "there is no such mailbox (give the user principal name, as the directory lists it)".to_owned()
        } else if failure.is_no_folder() {
            "the mail folder was not found".to_owned()
        } else {
            in_words(failure)
        };
        by_reason.add(NOT_SEARCHED, reason, &mailbox.address, None);
    }
    let mut failures = by_reason.into_failures();
    let more = not_named(search);
    if more > 0 {
        let Heading { text: heading, is_urgent } = NOT_SEARCHED;
        let reason = format!("{} more", counted(more, "mailbox"));
        failures.push(Failures { heading, reason, mailboxes: Vec::new(), is_urgent });
    }
    failures
}

/// Says how many users of a tenant have no mailbox, which is no reason to act.
fn users_without_mailbox(query: &Query, search: &Search) -> Option<String> {
    let users = match (&query.scope, search.counts.without_mailbox) {
        (SearchScope::Listed(_), _) | (_, 0) => return None,
        (_, 1) => "1 user has no mailbox in Exchange Online (guest, unlicensed, or on premises).".to_owned(),
        (_, users) => format!(
            "{} users have no mailbox in Exchange Online (guests, unlicensed, or on premises).",
            thousands(users)
        ),
    };
    let complete = search.limit.is_none() && search.listing_failure.is_none() && search.counts.failed == 0;
    Some(if complete { format!("{users} All others were searched.") } else { users })
}

/// How many mailboxes failed that are not named.
fn not_named(search: &Search) -> usize {
    let named = search.failures().filter(|failure| !failure.is_no_mailbox()).count();
    search.counts.failed.saturating_sub(named)
}

fn failures_in_full(search: &Search) -> Vec<String> {
    let in_full =
        |mailbox: &MailboxResult| Some(format!("{}: {}", mailbox.address, mailbox.failure.as_ref()?));
    let list = search.listing_failure.as_ref().map(|failure| format!("The list of users: {failure}"));
    list.into_iter().chain(search.mailboxes.iter().filter_map(in_full)).collect()
}

/// The users without a mailbox, as far as they are named. There may be so many that a note would hold nothing else.
fn without_mailbox_list(search: &Search) -> Vec<String> {
    let mut lines: Vec<_> =
        search.without_mailbox.iter().map(|user| format!("{} ({})", user.address, user.code)).collect();
    let more = search.counts.without_mailbox.saturating_sub(lines.len());
    if more > 0 && !lines.is_empty() {
        lines.push(format!("… and {} more", thousands(more)));
    }
    lines
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
