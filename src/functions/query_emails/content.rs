//! The content of a query's result.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::query::{Query, shown};
use super::reconciliation::Reconciliation;
use super::strategy::{Clicks, Found, Source};
use graph::{Counts, Limit, MailboxResult, Search, SearchScope};

/// The content of a query's result, as workflows and scripts read it.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: Option<i64>,
    exo_query_output_format: &'a [String],
    email_results: Vec<InMailbox<'a>>,
    #[serde(flatten)]
    users: Users,
    messages_found: usize,
    limit_reached: Option<&'static str>,
    /// What was received later was not looked for.
    looked_until: String,
    /// Says that the messages were matched by Exchange's index; absent where this program compared them.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_matched_by: Option<&'static str>,
    not_searched: Vec<NotSearched<'a>>,
    /// Where an index of mail was asked: what answered for which time.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sources: &'a [Source],
    /// Where an index of mail was asked: what became of each delivery that it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    reconciliation: Option<&'a Reconciliation>,
    /// Where hunting was asked for a link: who clicked on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    clicks: Option<&'a Clicks>,
}

/// The numbers of the users that were listed. The other numbers add up to the first.
#[derive(Serialize)]
struct Users {
    #[serde(rename = "users_listed")]
    listed: usize,
    #[serde(rename = "users_searched")]
    searched: usize,
    #[serde(rename = "users_without_mailbox")]
    without_mailbox: usize,
    #[serde(rename = "users_failed")]
    failed: usize,
    #[serde(rename = "users_left_out")]
    left_out: usize,
}

#[derive(Serialize)]
struct InMailbox<'a> {
    email_address: &'a str,
    status_code: u16,
    email_list: &'a [Box<RawValue>],
}

#[derive(Serialize)]
struct NotSearched<'a> {
    email_address: &'a str,
    status_code: Option<u16>,
    code: &'a str,
    message: String,
}

impl<'a> Content<'a> {
    pub(super) fn of(query: &'a Query, found: &'a Found, began: DateTime<Utc>) -> Self {
        let search = &found.search;
        let Counts { searched, without_mailbox, failed, left_out } = search.counts;
        Self {
            incident_id: query.incident,
            exo_query_output_format: &query.output.chosen,
            email_results: answered(query, search)
                .map(|mailbox| InMailbox {
                    email_address: &mailbox.address,
                    status_code: 200,
                    email_list: &mailbox.messages,
                })
                .collect(),
            users: Users { listed: search.counts.listed(), searched, without_mailbox, failed, left_out },
            messages_found: search.messages(),
            limit_reached: search.limit.map(|limit| match limit {
                Limit::Messages => "max_messages",
                Limit::Users => "max_users",
            }),
            looked_until: shown(query.criteria.received_to.map_or(began, |to| to.min(began))),
            body_matched_by: query.criteria.body.as_ref().map(|_| "Exchange search index"),
            not_searched: search
                .mailboxes
                .iter()
                .filter_map(|mailbox| Some(NotSearched::new(mailbox, mailbox.failure.as_ref()?)))
                .collect(),
            sources: &found.sources,
            reconciliation: found.reconciliation.as_ref(),
            clicks: found.clicks.as_ref(),
        }
    }
}

impl Content<'_> {
    /// Returns about how long the content is as JSON.
    pub(super) fn about_bytes(&self) -> usize {
        const OTHERS: usize = 16 << 10;
        let of_mailbox = |mailbox: &InMailbox<'_>| {
            let messages = mailbox.email_list.iter().map(|message| message.get().len() + 1);
            mailbox.email_address.len() + 80 + messages.sum::<usize>()
        };
        OTHERS + self.email_results.iter().map(of_mailbox).sum::<usize>()
    }
}

/// The mailboxes that results list: those with messages, and of those that were asked for by name all that answered.
pub(super) fn answered<'a>(query: &Query, search: &'a Search) -> impl Iterator<Item = &'a MailboxResult> {
    let is_by_name = matches!(query.scope, SearchScope::Listed(_));
    search
        .mailboxes
        .iter()
        .filter(move |mailbox| !mailbox.messages.is_empty() || mailbox.failure.is_none() && is_by_name)
}

impl<'a> NotSearched<'a> {
    fn new(mailbox: &'a MailboxResult, failure: &'a graph::Error) -> Self {
        let refusal = failure.refusal();
        Self {
            email_address: &mailbox.address,
            status_code: failure.status().filter(|status| *status >= 400),
            code: refusal.map_or("", |refusal| &refusal.code),
            message: refusal.map_or_else(|| failure.to_string(), |refusal| refusal.message.clone()),
        }
    }
}
