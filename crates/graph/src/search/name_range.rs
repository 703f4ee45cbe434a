//! Parts of the list of users: the principal names that begin in certain ways.
//!
//! Graph filters principal names by `startswith`, and not by `ge` (Graph page "Advanced query capabilities on Microsoft
//! Entra ID objects"; microsoft-graph-docs issue 5774). The parts cover every character of ASCII that can follow, more
//! than Entra permits in a principal name ("Prepare for directory synchronization to Microsoft 365"). Whether they
//! cover all users is known by the count only.

use crate::path::literal;

/// Letters and digits, the more frequent ones first, so that the longest parts do not end last.
const USUAL: &str = "smajcbkdrltpghenfvwioyzuqx0123456789";
/// Characters that few names begin with. Entra permits the first eight; the others cost two more requests.
const RARE: [&str; 3] = [".-_'!#^~", "&+%/=$*?{}|", "()<>[]:;,\"\\`"];

/// A part of the list of users: those whose principal name begins with one of these prefixes, in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameRange(Vec<String>);

impl NameRange {
    /// The users whose principal name begins with `prefix`; all users where it is empty.
    pub(super) fn starting_with(prefix: &str) -> Self {
        Self(vec![prefix.to_owned()])
    }

    /// The parts of this part: by prefix where it has several, by the next character of the name otherwise.
    pub(super) fn split(&self) -> Vec<Self> {
        let [prefix] = self.0.as_slice() else {
            return self.0.iter().map(|prefix| Self(vec![prefix.clone()])).collect();
        };
        let with = |next: &str| Self(next.chars().map(|next| format!("{prefix}{next}")).collect());
        let usual = USUAL.chars().map(|next| with(next.encode_utf8(&mut [0; 4])));
        // No principal name begins with its "@".
        let at = (!prefix.is_empty()).then(|| with("@"));
        usual.chain(at).chain(RARE.map(with)).collect()
    }

    /// Whether a user with this principal name belongs to the part.
    pub(super) fn has(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.0.iter().any(|prefix| name.starts_with(&prefix.to_lowercase()))
    }

    /// The `$filter` of the part; all users need none.
    pub(super) fn filter(&self) -> Option<String> {
        let is_all = self.0.iter().any(String::is_empty);
        let clause = |prefix: &String| format!("startswith(userPrincipalName,{})", literal(prefix));
        (!is_all).then(|| self.0.iter().map(clause).collect::<Vec<_>>().join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_visible_character_once() {
        for prefix in ["", "o'b"] {
            let parts = NameRange::starting_with(prefix).split();
            for next in (0x21..0x7f_u8).map(char::from).filter(|next| *next != '@' || !prefix.is_empty()) {
                let name = format!("{prefix}{next}x@contoso.example");
                let holders = parts.iter().filter(|part| part.has(&name)).count();
                assert_eq!(holders, 1, "{name}");
            }
        }
    }

    #[test]
    fn part_of_several_prefixes_is_split_by_prefix() {
        let part = NameRange(vec!["a.".to_owned(), "a-".to_owned()]);
        assert_eq!(part.split(), [NameRange::starting_with("a."), NameRange::starting_with("a-")]);
    }

    #[test]
    fn filter_has_few_clauses_and_doubled_quotes() {
        assert_eq!(NameRange::starting_with("").filter(), None);
        let filter = NameRange(vec!["o'".to_owned(), "O#".to_owned()]).filter().unwrap();
        assert_eq!(filter, "startswith(userPrincipalName,'o''') or startswith(userPrincipalName,'O#')");
        let parts = NameRange::starting_with("a").split();
        // Graph takes 15 clauses (Graph page "Known issues").
        assert!(parts.iter().all(|part| part.0.len() <= 15));
    }
}
