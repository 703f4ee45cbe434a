//! The content of a query's result, which names mailboxes and ids.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::source::{Found, Source};
use crate::functions::listed::{QueryResults, not_of_the_form};
use crate::functions::plan::Stamp;
use crate::functions::report::counted;

/// What a query's content says of its completeness.
#[derive(Deserialize)]
struct QueryCoverage {
    looked_until: Option<Stamp>,
    messages_found: Option<usize>,
    limit_reached: Option<String>,
    users_failed: Option<usize>,
    users_left_out: Option<usize>,
    #[serde(default)]
    not_searched: Vec<IgnoredAny>,
}

pub(super) fn parse(text: &str) -> Result<Source, String> {
    let results = QueryResults::parse(text)?;
    let messages: usize = results.mailboxes.iter().map(|listed| listed.messages.len()).sum();
    let is_bare = text.trim_start().starts_with('[');
    let coverage: Option<QueryCoverage> = if is_bare {
        None
    } else {
        Some(serde_json::from_str(text).map_err(|error| not_of_the_form(&error))?)
    };
    Ok(Source {
        incomplete_because: match &coverage {
            Some(coverage) => coverage.gaps(messages),
            None => vec!["The results do not say whether the query was complete.".to_owned()],
        },
        looked_until: coverage.and_then(|coverage| coverage.looked_until),
        found: Found::Listed(results.mailboxes),
    })
}

impl QueryCoverage {
    /// Why messages may be missing.
    fn gaps(&self, messages: usize) -> Vec<String> {
        let mut gaps = Vec::new();
        match self.messages_found {
            Some(found) if found != messages => gaps.push(format!(
                "The query found {}, and the results that were given hold {}.",
                counted(found, "message"),
                counted(messages, "message")
            )),
            Some(_) => {}
            None => gaps.push("The results do not say how many messages the query found.".to_owned()),
        }
        if let Some(limit) = &self.limit_reached {
            let limit = if limit == "max_users" { "max_users" } else { "max_messages" };
            gaps.push(format!("The query ended at a limit ({limit})."));
        }
        let unsearched = self.users_failed.unwrap_or(0).max(self.not_searched.len());
        if unsearched > 0 {
            let were = if unsearched == 1 { "was" } else { "were" };
            gaps.push(format!("{} {were} not searched, or not completely.", counted(unsearched, "mailbox")));
        }
        if let Some(left_out) = self.users_left_out.filter(|left_out| *left_out > 0) {
            let were = if left_out == 1 { "was" } else { "were" };
            gaps.push(format!("{} {were} left out by the query.", counted(left_out, "mailbox")));
        }
        gaps
    }
}
