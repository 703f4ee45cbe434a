//! The mailboxes that a function looks into.

use super::Reader;
use graph::SearchScope;

impl Reader<'_> {
    /// Reads `asked`, the value of `exo_email_address`: `all`, `all:` with the beginning of a name, or a list.
    pub(in crate::functions) fn scope(&mut self, asked: &str) -> SearchScope {
        let lower = asked.to_ascii_lowercase();
        if matches!(lower.as_str(), "all" | "all user" | "all users") {
            return SearchScope::Tenant { prefix: String::new() };
        }
        if lower.starts_with("all:") {
            // Four characters are taken off, not every a and l: "all:alice" means Alice.
            return SearchScope::Tenant { prefix: asked[4..].trim().to_owned() };
        }
        let mut listed: Vec<String> = Vec::new();
        for address in self.mailboxes("exo_email_address", asked) {
            if !listed.iter().any(|other| other.eq_ignore_ascii_case(&address)) {
                listed.push(address);
            }
        }
        SearchScope::Listed(listed)
    }
}
