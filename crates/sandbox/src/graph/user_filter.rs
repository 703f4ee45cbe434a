//! `$filter` on users: the clauses that need no advanced query.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::directory::{Directory, User};
use super::refusal::Refusal;

/// Graph takes so many clauses in one filter by default (Graph page "Known issues", "Some limitations apply to query
/// parameters").
const MOST_CLAUSES: usize = 15;

/// A filter on users: clauses that `or` combines.
#[derive(Debug)]
pub(super) struct UserFilter(Vec<Clause>);

/// A `startswith`, or an address of the mailbox.
#[derive(Debug)]
enum Clause {
    Starts { property: UserProperty, start: String },
    HasAddress(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserProperty {
    UserPrincipalName,
    DisplayName,
    Mail,
}

impl UserFilter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(text);
        let mut clauses = vec![Clause::parse(&mut cursor)?];
        while cursor.keyword(" or ") {
            clauses.push(Clause::parse(&mut cursor)?);
        }
        if !cursor.rest().trim().is_empty() {
            return Err(cursor.error("unexpected text after the filter"));
        }
        if clauses.len() > MOST_CLAUSES {
            return Err(unsupported(format!(
                "Too many child clauses specified in search filter expression containing 'OR' operators: {}. \
                 Max allowed: {MOST_CLAUSES}.",
                clauses.len()
            )));
        }
        Ok(Self(clauses))
    }

    pub(super) fn matches(&self, user: &User) -> bool {
        self.0.iter().any(|clause| clause.matches(user))
    }

    /// The numbers of the users who may match, in order; `None` are all users.
    pub(super) fn candidates(&self, directory: &Directory) -> Option<Vec<u32>> {
        let mut candidates = Vec::new();
        for clause in &self.0 {
            match clause {
                Clause::Starts { property: UserProperty::UserPrincipalName, start } if !start.is_empty() => {
                    candidates.extend_from_slice(directory.beginning_with(start));
                }
                _ => return None,
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        Some(candidates)
    }
}

impl Clause {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
        let clause = if cursor.keyword("startswith(") {
            let property = match cursor.word() {
                "userPrincipalName" => UserProperty::UserPrincipalName,
                "displayName" => UserProperty::DisplayName,
                "mail" => UserProperty::Mail,
                other => return Err(Refusal::no_property(other, "microsoft.graph.user")),
            };
            cursor.expect(",")?;
            Self::Starts { property, start: cursor.string()?.to_lowercase() }
        } else if cursor.keyword("proxyAddresses/any(") {
            // `address:address eq 'smtp:…'`
            let declared = cursor.word().split_once(':').filter(|(name, used)| name == used);
            if declared.is_none_or(|(name, _)| name.is_empty()) {
                return Err(cursor.error("a range variable and its use expected"));
            }
            cursor.expect(" eq ")?;
            Self::HasAddress(cursor.string()?.to_lowercase())
        } else {
            // `ge` and `lt` on the principal name among them (microsoft-graph-docs issue 5774).
            return Err(unsupported("Unsupported or invalid query filter clause specified."));
        };
        cursor.expect(")")?;
        Ok(clause)
    }

    fn matches(&self, user: &User) -> bool {
        match self {
            Self::Starts { property, start } => {
                let value = match property {
                    UserProperty::UserPrincipalName => Some(user.user_principal_name.as_str()),
                    UserProperty::DisplayName => Some(user.display_name.as_str()),
                    UserProperty::Mail => user.mail.as_deref(),
                };
                value.is_some_and(|value| value.to_lowercase().starts_with(start))
            }
            Self::HasAddress(wanted) => {
                user.proxy_addresses().iter().any(|address| address.to_lowercase() == *wanted)
            }
        }
    }
}

fn unsupported(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(400, "Request_UnsupportedQuery", message)
}
