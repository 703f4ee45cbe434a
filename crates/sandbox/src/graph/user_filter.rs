//! `$filter` on users: the clauses that need no advanced query.

use super::cursor::Cursor;
use super::directory::User;
use super::refusal::Refusal;

/// A filter on users: a `startswith`, or an address of their mailbox.
#[derive(Debug)]
pub(super) enum UserFilter {
    Starts { property: UserProperty, start: String },
    HasAddress(String),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum UserProperty {
    UserPrincipalName,
    DisplayName,
    Mail,
}

impl UserFilter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(text);
        let filter = if cursor.keyword("startswith(") {
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
            return Err(Refusal::new(
                400,
                "Request_UnsupportedQuery",
                "Unsupported or invalid query filter clause specified.",
            ));
        };
        cursor.expect(")")?;
        if !cursor.rest().trim().is_empty() {
            return Err(cursor.error("unexpected text after the filter"));
        }
        Ok(filter)
    }

    pub(super) fn matches(&self, user: &User) -> bool {
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
