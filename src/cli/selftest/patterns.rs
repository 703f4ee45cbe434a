//! Asks the directory for each address and id in the guard rails. A misspelt one protects nothing, and nothing else can
//! detect it.

use std::time::Duration;

use super::check::Check;
use super::within;
use crate::config::{GuardSettings, Patterns};
use crate::guard::has_name;
use graph::Client;

/// So many names of one setting are asked for, and so many unknown ones are named.
const MOST_ASKED: usize = 200;
const MOST_NAMED: usize = 10;

const ADVICE: &str =
    "Correct the address or id, or delete it if the mailbox is gone: as it stands it protects nothing.";

/// A check for each setting that names mailboxes.
pub(super) async fn check(client: &Client, bound: Duration, rails: &GuardSettings) -> Vec<Check> {
    let none = Patterns::default();
    let settings = [
        ("mailboxes_allowed", rails.allowed.as_ref().unwrap_or(&none)),
        ("mailboxes_denied", &rails.denied),
        ("mailboxes_denied_reading", &rails.denied_reading),
    ];
    let mut checks = Vec::new();
    for (setting, patterns) in settings {
        let names = patterns.literals();
        if !names.is_empty() {
            checks.push(check_names(client, bound, setting, &names).await);
        }
    }
    checks
}

async fn check_names(client: &Client, bound: Duration, setting: &str, names: &[String]) -> Check {
    let id = format!("graph.{setting}");
    let mut unknown = Vec::new();
    for name in names.iter().take(MOST_ASKED) {
        let asked = within(bound, has_name(client, name)).await;
        match asked.and_then(|asked| asked) {
            Ok(true) => {}
            Ok(false) => unknown.push(name.as_str()),
            Err(error) => {
                let found = format!("whether the directory knows {name} could not be found out: {error}");
                let advice = "Grant the application permission User.Read.All, with admin consent.".to_owned();
                return Check::warning(id, setting, found, Some(advice));
            }
        }
    }
    if unknown.is_empty() {
        let asked = names.len().min(MOST_ASKED);
        let rest = names.len() - asked;
        let rest = if rest > 0 { format!("; {rest} more were not asked for") } else { String::new() };
        return Check::passed(
            id,
            setting,
            format!("the directory knows all {asked} addresses and ids{rest}"),
        );
    }
    let named = unknown.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = unknown.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Check::warning(id, setting, format!("the directory does not know {named}{more}"), Some(ADVICE.to_owned()))
}
