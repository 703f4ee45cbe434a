//! Writes KQL (Kusto pages "The string data type", "where operator"). Texts from outside become literals and nothing
//! else: a Message-ID or a URL is chosen by an attacker.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::index::coverage::Span;

/// Returns a string literal.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '\\' => literal.push_str("\\\\"),
            '"' => literal.push_str("\\\""),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            // A line end of any kind would end the literal.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// A query that is being written: a table, and one operator after the other.
#[derive(Debug)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn of(table: &'static str) -> Self {
        Self(table.to_owned())
    }

    /// Rows of a span of time.
    pub(super) fn within(self, span: Span) -> Self {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let Span { from, to } = span;
        self.then(&format!(
            "where Timestamp >= datetime({}) and Timestamp <= datetime({})",
            time(from),
            time(to)
        ))
    }

    /// Rows in which one of the conditions holds; all rows where there are none.
    pub(super) fn any(self, conditions: &[Condition]) -> Self {
        let conditions: Vec<String> = conditions.iter().filter_map(Condition::text).collect();
        if conditions.is_empty() { self } else { self.then(&format!("where {}", conditions.join(" or "))) }
    }

    /// Rows of messages that `right` has a row for, if there is a `right`.
    pub(super) fn of_messages_in(self, right: Option<Self>) -> Self {
        match right {
            Some(Self(right)) => self
                .then(&format!("join kind=inner ({right} | distinct NetworkMessageId) on NetworkMessageId")),
            None => self,
        }
    }

    /// The oldest `most` rows, with these columns.
    pub(super) fn oldest(self, columns: &str, most: usize) -> String {
        self.then(&format!("project {columns}")).then("sort by Timestamp asc").then(&format!("take {most}")).0
    }

    fn then(mut self, operator: &str) -> Self {
        self.0.push_str(" | ");
        self.0.push_str(operator);
        self
    }
}

/// A condition on one column.
#[derive(Debug)]
pub(super) enum Condition<'a> {
    /// The column has one of the values.
    In(&'static str, Vec<&'a str>),
    /// The column has one of the values, without regard to case.
    InAnyCase(&'static str, Vec<&'a str>),
    /// One of the values occurs in the column, without regard to case.
    Contains(&'static str, Vec<&'a str>),
    /// The column ends with one of the values, without regard to case.
    EndsWith(&'static str, Vec<&'a str>),
}

impl Condition<'_> {
    /// The condition; `None` where there are no values.
    fn text(&self) -> Option<String> {
        let (Self::In(column, values)
        | Self::InAnyCase(column, values)
        | Self::Contains(column, values)
        | Self::EndsWith(column, values)) = self;
        let literals: Vec<String> = values.iter().map(|value| literal(value)).collect();
        if literals.is_empty() {
            return None;
        }
        let each = |operator: &str| {
            let terms: Vec<String> =
                literals.iter().map(|literal| format!("{column} {operator} {literal}")).collect();
            terms.join(" or ")
        };
        Some(match self {
            Self::In(..) => format!("{column} in ({})", literals.join(", ")),
            Self::InAnyCase(..) => format!("{column} in~ ({})", literals.join(", ")),
            Self::Contains(..) => each("contains"),
            Self::EndsWith(..) => each("endswith"),
        })
    }
}
