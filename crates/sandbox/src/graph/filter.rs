//! `$filter` on messages and on users: the part of OData's grammar that mail clients live on. What is outside of
//! it is refused as Graph refuses it, so that no client leans on a filter that filters nothing.

use chrono::{DateTime, NaiveDate};

use super::message::Message;
use super::refusal::Refusal;

/// Conditions that a message must all meet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    /// Compared with milliseconds since 1970.
    Received(Comparison, i64),
    From(String),
    HasAttachments(bool),
    IsRead(bool),
    IsDraft(bool),
    SubjectIs(String),
    SubjectContains(String),
    SubjectStartsWith(String),
    InternetMessageId(String),
    /// Graph takes `contains(body/content,'…')` and then filters nothing by it.
    BodyContains,
    ExtendedProperty {
        id: String,
        value: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut cursor = Cursor { text, at: 0 };
        let mut conditions = vec![cursor.condition()?];
        while !cursor.rest().trim_start().is_empty() {
            if !cursor.keyword(" and ") {
                return Err(cursor.error("'and' expected"));
            }
            conditions.push(cursor.condition()?);
        }
        Ok(Self(conditions))
    }

    pub(super) fn matches(&self, message: &Message<'_>) -> bool {
        self.0.iter().all(|condition| condition.matches(message))
    }

    /// Each condition, as its property and comparison, and its value.
    pub(super) fn conditions(&self) -> Vec<(String, String)> {
        self.0.iter().map(|condition| (condition.name(), condition.value())).collect()
    }

    /// Whether the messages can be sorted by these properties: they must stand in the filter, in the same order
    /// and before all others ("List messages": Using filter and orderby in the same query).
    pub(super) fn allows_order(&self, properties: &[&str]) -> bool {
        let mut distinct: Vec<&str> = Vec::new();
        for condition in &self.0 {
            let property = condition.property();
            if !distinct.contains(&property) {
                distinct.push(property);
            }
        }
        distinct.starts_with(properties)
    }
}

impl Condition {
    fn property(&self) -> &'static str {
        match self {
            Self::Received(..) => "receivedDateTime",
            Self::From(_) => "from/emailAddress/address",
            Self::HasAttachments(_) => "hasAttachments",
            Self::IsRead(_) => "isRead",
            Self::IsDraft(_) => "isDraft",
            Self::SubjectIs(_) | Self::SubjectContains(_) | Self::SubjectStartsWith(_) => "subject",
            Self::InternetMessageId(_) => "internetMessageId",
            Self::BodyContains => "body/content",
            Self::ExtendedProperty { .. } => "singleValueExtendedProperties",
        }
    }

    fn name(&self) -> String {
        let comparison = match self {
            Self::Received(Comparison::Less, _) => "lt",
            Self::Received(Comparison::LessOrEqual, _) => "le",
            Self::Received(Comparison::GreaterOrEqual, _) => "ge",
            Self::Received(Comparison::Greater, _) => "gt",
            Self::SubjectContains(_) | Self::BodyContains => "contains",
            Self::SubjectStartsWith(_) => "startswith",
            _ => "eq",
        };
        format!("{} {comparison}", self.property())
    }

    fn value(&self) -> String {
        match self {
            Self::Received(_, at) => at.to_string(),
            Self::HasAttachments(wanted) | Self::IsRead(wanted) | Self::IsDraft(wanted) => wanted.to_string(),
            Self::From(text)
            | Self::SubjectIs(text)
            | Self::SubjectContains(text)
            | Self::SubjectStartsWith(text)
            | Self::InternetMessageId(text) => text.clone(),
            Self::BodyContains => String::new(),
            Self::ExtendedProperty { id, value } => format!("{id} {value}"),
        }
    }

    fn matches(&self, message: &Message<'_>) -> bool {
        match self {
            Self::Received(comparison, at) => {
                let received = message.received() * 1_000;
                match comparison {
                    Comparison::Less => received < *at,
                    Comparison::LessOrEqual => received <= *at,
                    Comparison::Equal => received == *at,
                    Comparison::GreaterOrEqual => received >= *at,
                    Comparison::Greater => received > *at,
                }
            }
            Self::From(address) => {
                message.from().is_some_and(|from| from.address.eq_ignore_ascii_case(address))
            }
            Self::HasAttachments(wanted) => message.has_attachments() == *wanted,
            Self::IsRead(wanted) => message.is_read() == *wanted,
            Self::IsDraft(wanted) => message.is_draft() == *wanted,
            Self::SubjectIs(wanted) => message.subject().to_lowercase() == *wanted,
            Self::SubjectContains(part) => message.subject().to_lowercase().contains(part),
            Self::SubjectStartsWith(start) => message.subject().to_lowercase().starts_with(start),
            Self::InternetMessageId(id) => message.internet_message_id() == *id,
            Self::BodyContains => true,
            Self::ExtendedProperty { id, value } => message.has_property(id, value),
        }
    }
}

/// A filter on users that needs no advanced query: a `startswith`, or one of their mailbox's addresses.
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
        let mut cursor = Cursor { text, at: 0 };
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

    pub(super) fn matches(&self, user: &super::User) -> bool {
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

/// Reads a filter from left to right.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, what: &str) -> Refusal {
        Refusal::invalid_filter(&format!("Syntax error: {what} at position {} in '{}'.", self.at, self.text))
    }

    /// Takes `word`, if it comes next. Blanks at its ends stand for at least one.
    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(' ');
        if word.starts_with(' ') && trimmed.len() == rest.len() {
            return false;
        }
        let Some(after) = trimmed.strip_prefix(word.trim()) else { return false };
        if word.ends_with(' ') && !after.starts_with(' ') {
            return false;
        }
        self.at = self.text.len() - after.len();
        true
    }

    fn expect(&mut self, word: &str) -> Result<(), Refusal> {
        if self.keyword(word) { Ok(()) } else { Err(self.error(&format!("'{}' expected", word.trim()))) }
    }

    /// A name, a number, a date: everything up to a blank, comma or parenthesis.
    fn word(&mut self) -> &'a str {
        let rest = self.rest().trim_start_matches(' ');
        let start = self.text.len() - rest.len();
        let length = rest.find([' ', ',', '(', ')', '\'']).unwrap_or(rest.len());
        self.at = start + length;
        &self.text[start..self.at]
    }

    /// A string literal, with doubled quotes in it.
    fn string(&mut self) -> Result<String, Refusal> {
        self.expect("'")?;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character != '\'' {
                value.push(character);
            } else if characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
                value.push('\'');
            } else {
                self.at += at + 1;
                return Ok(value);
            }
        }
        Err(self.error("unterminated string literal"))
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        match self.word() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error("'true' or 'false' expected")),
        }
    }

    fn condition(&mut self) -> Result<Condition, Refusal> {
        let name = self.word();
        match name {
            "contains" | "startswith" => self.function(name),
            "receivedDateTime" => {
                let comparison = match self.word() {
                    "lt" => Comparison::Less,
                    "le" => Comparison::LessOrEqual,
                    "eq" => Comparison::Equal,
                    "ge" => Comparison::GreaterOrEqual,
                    "gt" => Comparison::Greater,
                    _ => return Err(self.error("comparison expected")),
                };
                let literal = self.word();
                let at = timestamp(literal).ok_or_else(|| {
                    self.error(&format!("'{literal}' is no Edm.DateTimeOffset (an offset or Z is needed)"))
                })?;
                Ok(Condition::Received(comparison, at))
            }
            "from/emailAddress/address" | "sender/emailAddress/address" => {
                self.expect(" eq ")?;
                Ok(Condition::From(self.string()?))
            }
            "hasAttachments" | "isRead" | "isDraft" => {
                self.expect(" eq ")?;
                let wanted = self.boolean()?;
                Ok(match name {
                    "hasAttachments" => Condition::HasAttachments(wanted),
                    "isRead" => Condition::IsRead(wanted),
                    _ => Condition::IsDraft(wanted),
                })
            }
            "subject" => {
                self.expect(" eq ")?;
                Ok(Condition::SubjectIs(self.string()?.to_lowercase()))
            }
            "internetMessageId" => {
                self.expect(" eq ")?;
                Ok(Condition::InternetMessageId(self.string()?))
            }
            "singleValueExtendedProperties/Any" | "singleValueExtendedProperties/any" => {
                self.extended_property()
            }
            "" => Err(self.error("expression expected")),
            other => Err(Refusal::no_property(other, "microsoft.graph.message")),
        }
    }

    fn function(&mut self, name: &str) -> Result<Condition, Refusal> {
        self.expect("(")?;
        let property = self.word();
        self.expect(",")?;
        let value = self.string()?.to_lowercase();
        self.expect(")")?;
        match (name, property) {
            ("contains", "subject") => Ok(Condition::SubjectContains(value)),
            ("startswith", "subject") => Ok(Condition::SubjectStartsWith(value)),
            ("contains", "body/content") => Ok(Condition::BodyContains),
            _ => Err(Refusal::invalid_filter(&format!("'{name}' cannot be used on '{property}'."))),
        }
    }

    fn extended_property(&mut self) -> Result<Condition, Refusal> {
        self.expect("(")?;
        let variable = self.word();
        let variable = variable.strip_suffix(':').ok_or_else(|| self.error("':' expected"))?;
        self.expect(&format!("{variable}/id "))?;
        self.expect("eq ")?;
        let id = self.string()?;
        self.expect(" and ")?;
        self.expect(&format!("{variable}/value "))?;
        self.expect("eq ")?;
        let value = self.string()?;
        self.expect(")")?;
        Ok(Condition::ExtendedProperty { id, value })
    }
}

/// A date-time with an offset, or a date (midnight, UTC), in milliseconds since 1970.
fn timestamp(literal: &str) -> Option<i64> {
    if let Ok(date) = NaiveDate::parse_from_str(literal, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    let with_time = literal.contains('T');
    DateTime::parse_from_rfc3339(literal).ok().filter(|_| with_time).map(|at| at.timestamp_millis())
}
