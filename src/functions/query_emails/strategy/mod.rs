//! How a query finds messages: by a search of the mailboxes, or by an index of the tenant's mail, which says who got a
//! message, and a look into the mailboxes of those.

mod auto;
mod clicks;
mod hunting;
mod index;
mod mailboxes;
mod merge;
mod rest;
mod trace;

use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::time::Instant;

use super::query::{Query, shown};
use super::reconciliation::Reconciliation;
use crate::config::SearchStrategy;
use crate::functions::context::Context;
use crate::functions::progress::Progress;
use crate::functions::report::{counted, thousands};
use auto::Auto;
use graph::{Criteria, Search, SearchScope, Span};
use hunting::Hunting;
use index::Indexed;
use mailboxes::Mailboxes;
use trace::MessageTrace;

pub(super) use clicks::Clicks;

/// A way to find messages.
trait Strategy: Send + Sync {
    /// Finds the messages that the query asks for.
    fn find<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Found, NotFound>>;
}

/// What is to be found.
#[derive(Clone, Copy)]
struct Task<'a> {
    context: &'a Context,
    query: &'a Query,
    /// When an index must have answered.
    until: Instant,
}

/// What was found, and where it was looked for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) search: Search,
    /// What was asked; empty where the mailboxes were searched as they always were.
    pub(super) sources: Vec<Source>,
    /// What became of each delivery that an index knows.
    pub(super) reconciliation: Option<Reconciliation>,
    /// Who clicked on the links that are looked for, where hunting was asked.
    pub(super) clicks: Option<Clicks>,
}

/// Why nothing could be looked for.
#[derive(Debug)]
pub(super) struct NotFound {
    /// What an index says, with what can be done.
    pub(super) why: Option<String>,
    /// The failure of a request.
    pub(super) source: graph::Error,
}

impl From<graph::Error> for NotFound {
    fn from(source: graph::Error) -> Self {
        Self { why: None, source }
    }
}

/// A source and the time for which it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    /// "message trace", "advanced hunting" or "mailboxes"
    pub(super) name: &'static str,
    /// The spans for which it answered; open where a bound is absent.
    pub(super) answered_for: Vec<SpanText>,
    /// What it did not answer for, and why, in sentences.
    pub(super) not_answered_for: Vec<String>,
}

/// A span of time, for a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SpanText {
    from: Option<String>,
    to: Option<String>,
}

impl SpanText {
    fn of(criteria: &Criteria) -> Self {
        Self { from: criteria.received_from.map(shown), to: criteria.received_to.map(shown) }
    }
}

impl From<&Span> for SpanText {
    fn from(span: &Span) -> Self {
        Self { from: Some(shown(span.from)), to: Some(shown(span.to)) }
    }
}

impl Source {
    pub(super) const MAILBOXES: &'static str = "mailboxes";

    /// The sources where the mailboxes answered instead of an index.
    fn instead(index: &'static str, why: &str, task: Task<'_>) -> Vec<Self> {
        let not_answered_for = vec![why.trim_end_matches('.').to_owned()];
        let answered_for = vec![SpanText::of(&task.query.criteria)];
        vec![
            Self { name: index, answered_for: Vec::new(), not_answered_for },
            Self { name: Self::MAILBOXES, answered_for, not_answered_for: Vec::new() },
        ]
    }
}

/// Finds the messages that `query` asks for, by the strategy that was chosen for it.
pub(super) async fn find(context: &Context, query: &Query) -> Result<Found, NotFound> {
    let chosen = query.strategy.unwrap_or(context.limits.search_strategy);
    let strategy: &dyn Strategy = match chosen {
        // An index answers for the whole tenant. Mailboxes that are named are searched: there are few of them.
        _ if !is_whole_tenant(query) => &Mailboxes,
        SearchStrategy::Mailboxes => &Mailboxes,
        SearchStrategy::Trace => &Indexed(MessageTrace),
        SearchStrategy::Hunting => &Indexed(Hunting),
        SearchStrategy::Auto => &Auto,
    };
    // The mailboxes take their time, too.
    let until = Instant::now() + context.limits.call_timeout / 2;
    strategy.find(Task { context, query, until }).await
}

fn is_whole_tenant(query: &Query) -> bool {
    matches!(&query.scope, SearchScope::Tenant { prefix } if prefix.is_empty())
}

/// Reports the progress of a search as status messages, which count `what`.
fn reporting(context: &Context, what: &'static str) -> impl FnMut(graph::Progress) + Send + use<> {
    let mut pace = context.status.every_few_seconds();
    move |search: graph::Progress| {
        let graph::Progress { done, mailboxes: total, listing: more, messages } = search;
        pace.say(Progress { done, total, more, found: Some(messages) }, || {
            let at_least = if more { "at least " } else { "" };
            let (total, found) = (counted(total, what), counted(messages, "message"));
            format!("Searched {} of {at_least}{total}, {found} found", thousands(done))
        });
    }
}
