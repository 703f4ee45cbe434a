//! Searches the mailboxes themselves.

use futures_util::future::BoxFuture;

use super::{Found, NotFound, Strategy, Task, reporting};
use crate::functions::query_emails::query::Query;
use graph::{Criteria, Search, SearchScope};

/// Searches each mailbox of the query's scope.
pub(super) struct Mailboxes;

impl Strategy for Mailboxes {
    fn find<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Found, NotFound>> {
        Box::pin(async move {
            let search = search(task, &task.query.criteria).await?;
            Ok(Found { search, sources: Vec::new(), reconciliation: None, clicks: None })
        })
    }
}

/// Searches the mailboxes of the query's scope by `criteria`.
pub(super) async fn search(task: Task<'_>, criteria: &Criteria) -> Result<Search, graph::Error> {
    let Task { context, query, .. } = task;
    context.status.say(begins(query));
    let limits = (context.limits.max_users, context.limits.max_messages);
    let policy = context.guard.read_policy();
    // Of a tenant, some users have no mailbox.
    let what = if matches!(query.scope, SearchScope::Tenant { .. }) { "user" } else { "mailbox" };
    let progress = reporting(context, what);
    graph::search_within(&context.graph, query.scope.clone(), criteria, limits, policy, progress).await
}

fn begins(query: &Query) -> String {
    match &query.scope {
        SearchScope::Listed(list) if list.len() > 1 => {
            format!("Searching the messages of {} mailboxes", list.len())
        }
        SearchScope::Listed(_) => format!("Searching the messages of {}", query.asked),
        SearchScope::Tenant { prefix } if prefix.is_empty() => {
            "Searching the mailboxes of all users".to_owned()
        }
        SearchScope::Tenant { prefix } => {
            format!("Searching the mailboxes of users that begin with {prefix}")
        }
    }
}
