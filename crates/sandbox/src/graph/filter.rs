//! `$filter` on messages: the part of OData's grammar that mail clients use. Everything else is refused as Graph
//! refuses it, so that no client relies on a filter that filters nothing.

use chrono::{DateTime, NaiveDate, TimeDelta};

use super::cursor::Cursor;
use super::extended_property::PropertyTest;
use super::message::Message;
use super::refusal::Refusal;

/// A condition on messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Expression);

#[derive(Debug, PartialEq, Eq)]
enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    One(Condition),
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    /// Compared with milliseconds since 1970.
    Time(Time, Comparison, i64),
    From(String),
    HasAttachments(bool),
    IsRead(bool),
    IsDraft(bool),
    SubjectIs(String),
    SubjectContains(String),
    SubjectStartsWith(String),
    InternetMessageId(String),
    ParentFolder(String),
    /// Graph accepts `contains(body/content,'…')` and then filters nothing by it.
    BodyContains,
    ExtendedProperty(PropertyTest),
}

/// A property that holds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Received,
    Sent,
    Created,
    LastModified,
}

impl Time {
    fn named(name: &str) -> Option<Self> {
        [Self::Received, Self::Sent, Self::Created, Self::LastModified]
            .into_iter()
            .find(|time| time.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Received => "receivedDateTime",
            Self::Sent => "sentDateTime",
            Self::Created => "createdDateTime",
            Self::LastModified => "lastModifiedDateTime",
        }
    }

    /// In seconds since 1970.
    fn of(self, message: &Message<'_>) -> i64 {
        if self == Self::Sent { message.sent() } else { message.received() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "eq" => Self::Equal,
            "ge" => Self::GreaterOrEqual,
            "gt" => Self::Greater,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Less => "lt",
            Self::LessOrEqual => "le",
            Self::Equal => "eq",
            Self::GreaterOrEqual => "ge",
            Self::Greater => "gt",
        }
    }

    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
            Self::GreaterOrEqual => left >= right,
            Self::Greater => left > right,
        }
    }
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(text);
        let expression = disjunction(&mut cursor)?;
        if cursor.rest().trim_start().is_empty() {
            Ok(Self(expression))
        } else {
            Err(cursor.error("'and' expected"))
        }
    }

    pub(super) fn matches(&self, message: &Message<'_>) -> bool {
        self.0.matches(message)
    }

    /// Each condition, as its property and comparison, and its value.
    pub(super) fn conditions(&self) -> Vec<(String, String)> {
        self.0.conditions().into_iter().map(|condition| (condition.name(), condition.value())).collect()
    }

    /// Whether the messages can be sorted by these properties: they must stand in the filter, in the same order
    /// and before all others ("List messages": Using filter and orderby in the same query).
    pub(super) fn allows_order(&self, properties: &[&str]) -> bool {
        let mut distinct: Vec<&str> = Vec::new();
        for condition in self.0.conditions() {
            let property = condition.property();
            if !distinct.contains(&property) {
                distinct.push(property);
            }
        }
        distinct.starts_with(properties)
    }

    /// The time between the first and the last `receivedDateTime` that the filter allows, where it has both bounds.
    pub(super) fn span(&self) -> Option<TimeDelta> {
        let Expression::And(parts) = &self.0 else { return None };
        let bounds = |wanted: [Comparison; 2]| {
            parts.iter().filter_map(move |part| match part {
                Expression::One(Condition::Time(Time::Received, comparison, at))
                    if wanted.contains(comparison) =>
                {
                    Some(*at)
                }
                _ => None,
            })
        };
        let first = bounds([Comparison::Greater, Comparison::GreaterOrEqual]).max()?;
        let last = bounds([Comparison::Less, Comparison::LessOrEqual]).min()?;
        Some(TimeDelta::milliseconds(last - first))
    }
}

impl Expression {
    fn matches(&self, message: &Message<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(message)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(message)),
            Self::Not(part) => !part.matches(message),
            Self::One(condition) => condition.matches(message),
        }
    }

    fn conditions(&self) -> Vec<&Condition> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::conditions).collect(),
            Self::Not(part) => part.conditions(),
            Self::One(condition) => vec![condition],
        }
    }
}

impl Condition {
    fn property(&self) -> &'static str {
        match self {
            Self::Time(time, ..) => time.name(),
            Self::From(_) => "from/emailAddress/address",
            Self::HasAttachments(_) => "hasAttachments",
            Self::IsRead(_) => "isRead",
            Self::IsDraft(_) => "isDraft",
            Self::SubjectIs(_) | Self::SubjectContains(_) | Self::SubjectStartsWith(_) => "subject",
            Self::InternetMessageId(_) => "internetMessageId",
            Self::ParentFolder(_) => "parentFolderId",
            Self::BodyContains => "body/content",
            Self::ExtendedProperty(_) => "singleValueExtendedProperties",
        }
    }

    fn name(&self) -> String {
        let comparison = match self {
            Self::Time(_, comparison, _) => comparison.name(),
            Self::SubjectContains(_) | Self::BodyContains => "contains",
            Self::SubjectStartsWith(_) => "startswith",
            Self::ExtendedProperty(test) => test.comparison(),
            _ => "eq",
        };
        format!("{} {comparison}", self.property())
    }

    fn value(&self) -> String {
        match self {
            Self::Time(_, _, at) => at.to_string(),
            Self::HasAttachments(wanted) | Self::IsRead(wanted) | Self::IsDraft(wanted) => wanted.to_string(),
            Self::From(text)
            | Self::SubjectIs(text)
            | Self::SubjectContains(text)
            | Self::SubjectStartsWith(text)
            | Self::InternetMessageId(text)
            | Self::ParentFolder(text) => text.clone(),
            Self::BodyContains => String::new(),
            Self::ExtendedProperty(test) => test.operands(),
        }
    }

    fn matches(&self, message: &Message<'_>) -> bool {
        match self {
            Self::Time(time, comparison, at) => comparison.holds(time.of(message) * 1_000, *at),
            Self::From(address) => {
                message.from().is_some_and(|from| from.address.eq_ignore_ascii_case(address))
            }
            Self::HasAttachments(wanted) => message.has_attachments() == *wanted,
            Self::IsRead(wanted) => message.is_read() == *wanted,
            Self::IsDraft(wanted) => message.is_draft() == *wanted,
            Self::SubjectIs(wanted) => message.subject().to_lowercase() == *wanted,
            Self::SubjectContains(part) => message.subject().to_lowercase().contains(part),
            Self::SubjectStartsWith(start) => message.subject().to_lowercase().starts_with(start),
            Self::InternetMessageId(id) => message.internet_message_id().as_deref() == Some(id),
            Self::ParentFolder(id) => message.folder_id() == *id,
            Self::BodyContains => true,
            Self::ExtendedProperty(test) => test.holds(&message.item.marks.properties),
        }
    }
}

fn disjunction(cursor: &mut Cursor<'_>) -> Result<Expression, Refusal> {
    let mut parts = vec![conjunction(cursor)?];
    while cursor.keyword(" or ") {
        parts.push(conjunction(cursor)?);
    }
    Ok(single_or(parts, Expression::Or))
}

fn conjunction(cursor: &mut Cursor<'_>) -> Result<Expression, Refusal> {
    let mut parts = Vec::new();
    loop {
        match factor(cursor)? {
            // Parentheses around a conjunction change nothing.
            Expression::And(inner) => parts.extend(inner),
            part => parts.push(part),
        }
        if !cursor.keyword(" and ") {
            return Ok(single_or(parts, Expression::And));
        }
    }
}

fn single_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}

fn factor(cursor: &mut Cursor<'_>) -> Result<Expression, Refusal> {
    if cursor.keyword("not ") {
        return Ok(Expression::Not(Box::new(factor(cursor)?)));
    }
    if cursor.keyword("(") {
        let inner = disjunction(cursor)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    condition(cursor)
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Expression, Refusal> {
    let name = cursor.word();
    if let Some(time) = Time::named(name) {
        let comparison =
            Comparison::named(cursor.word()).ok_or_else(|| cursor.error("comparison expected"))?;
        let literal = cursor.word();
        let at = timestamp(literal).ok_or_else(|| {
            cursor.error(&format!("'{literal}' is not an Edm.DateTimeOffset (an offset or Z is needed)"))
        })?;
        return Ok(Expression::One(Condition::Time(time, comparison, at)));
    }
    match name {
        "contains" | "startswith" => return function(cursor, name),
        "singleValueExtendedProperties/Any" | "singleValueExtendedProperties/any" => {
            return Ok(Expression::One(Condition::ExtendedProperty(PropertyTest::parse(cursor)?)));
        }
        "" => return Err(cursor.error("expression expected")),
        _ => {}
    }
    let value: fn(&mut Cursor<'_>) -> Result<Condition, Refusal> = match name {
        "from/emailAddress/address" | "sender/emailAddress/address" => {
            |cursor| Ok(Condition::From(cursor.string()?))
        }
        "hasAttachments" => |cursor| Ok(Condition::HasAttachments(cursor.boolean()?)),
        "isRead" => |cursor| Ok(Condition::IsRead(cursor.boolean()?)),
        "isDraft" => |cursor| Ok(Condition::IsDraft(cursor.boolean()?)),
        "subject" => |cursor| Ok(Condition::SubjectIs(cursor.string()?.to_lowercase())),
        "internetMessageId" => |cursor| Ok(Condition::InternetMessageId(cursor.string()?)),
        "parentFolderId" => |cursor| Ok(Condition::ParentFolder(cursor.string()?)),
        other => return Err(Refusal::no_property(other, "microsoft.graph.message")),
    };
    let differs = cursor.keyword(" ne ");
    if !differs {
        cursor.expect(" eq ")?;
    }
    let condition = Expression::One(value(cursor)?);
    Ok(if differs { Expression::Not(Box::new(condition)) } else { condition })
}

fn function(cursor: &mut Cursor<'_>, name: &str) -> Result<Expression, Refusal> {
    cursor.expect("(")?;
    let property = cursor.word();
    cursor.expect(",")?;
    let value = cursor.string()?.to_lowercase();
    cursor.expect(")")?;
    Ok(Expression::One(match (name, property) {
        ("contains", "subject") => Condition::SubjectContains(value),
        ("startswith", "subject") => Condition::SubjectStartsWith(value),
        ("contains", "body/content") => Condition::BodyContains,
        _ => return Err(Refusal::invalid_filter(&format!("'{name}' cannot be used on '{property}'."))),
    }))
}

/// A date-time with an offset, or a date (midnight, UTC), in milliseconds since 1970.
fn timestamp(literal: &str) -> Option<i64> {
    if let Ok(date) = NaiveDate::parse_from_str(literal, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    let with_time = literal.contains('T');
    DateTime::parse_from_rfc3339(literal).ok().filter(|_| with_time).map(|at| at.timestamp_millis())
}
