//! What a trace looks for, and the filters of its requests.

use chrono::{DateTime, SecondsFormat, Utc};

use super::row::TraceRow;
use crate::index::coverage::Span;
use crate::index::matching::{any, bracketed, is_in_subject, is_message_id, is_of};
use crate::path::literal;

/// What a trace looks for. A row has to meet all properties that have values, and one of the values of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceCriteria {
    /// Message-IDs, with or without their angle brackets.
    pub message_ids: Vec<String>,
    /// Addresses of senders, and domains that begin with `@`. It is the sender of the envelope.
    pub senders: Vec<String>,
    /// Addresses of recipients, as the sender wrote them, and domains that begin with `@`.
    pub recipients: Vec<String>,
    /// Texts that occur in the subject.
    pub subjects: Vec<String>,
    /// Received at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Received at this time or earlier.
    pub to: Option<DateTime<Utc>>,
}

/// The conditions of one request: one for each property at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<String>);

/// How a value becomes a condition.
type Condition = fn(&str) -> String;

impl TraceCriteria {
    /// Whether there is no criterion but the time, so that every message would match.
    pub fn is_empty(&self) -> bool {
        [&self.message_ids, &self.senders, &self.recipients, &self.subjects]
            .iter()
            .all(|values| values.is_empty())
    }

    /// The filters of the requests that together find every match. Of the properties with several values, one is asked
    /// for value by value; the others are checked on the rows.
    pub(super) fn filters(&self) -> Vec<Filter> {
        // The trace has no filter for a domain of recipients; its rows are checked.
        let has_domain = self.recipients.iter().any(|recipient| recipient.starts_with('@'));
        let recipients = if has_domain { &Vec::new() } else { &self.recipients };
        let properties: [(&Vec<String>, Condition); 4] = [
            (&self.message_ids, |id| format!("messageId eq {}", literal(&bracketed(id)))),
            (recipients, |address| format!("recipientAddress eq {}", literal(address))),
            (&self.senders, |sender| {
                let wildcard = if sender.starts_with('@') { "*" } else { "" };
                format!("senderAddress eq {}", literal(&format!("{wildcard}{sender}")))
            }),
            (&self.subjects, |text| format!("contains(subject,{})", literal(text))),
        ];
        let single = properties.iter().filter_map(|(values, condition)| match values.as_slice() {
            [only] => Some(condition(only)),
            _ => None,
        });
        let single: Vec<String> = single.collect();
        // One Message-ID is enough: the rest is checked. Otherwise a Message-ID finds the fewest rows, and the fewest
        // values make the fewest requests.
        let several = match self.message_ids.len() {
            0 => properties
                .iter()
                .filter(|(values, _)| values.len() > 1)
                .min_by_key(|(values, _)| values.len()),
            1 => None,
            _ => properties.first(),
        };
        match several {
            Some((values, condition)) => values
                .iter()
                .map(|value| Filter(single.iter().cloned().chain([condition(value)]).collect()))
                .collect(),
            None => vec![Filter(single)],
        }
    }

    /// Whether a row meets the criteria.
    pub(super) fn matches(&self, row: &TraceRow) -> bool {
        any(&self.message_ids, &row.message_id, is_message_id)
            && any(&self.senders, &row.sender, is_of)
            && any(&self.recipients, &row.recipient, is_of)
            && any(&self.subjects, &row.subject, is_in_subject)
            // Graph shows no fractions of a second.
            && self.from.is_none_or(|from| row.received.timestamp() >= from.timestamp())
            && self.to.is_none_or(|to| row.received <= to)
    }
}

impl Filter {
    /// The OData filter for a window. Graph takes whole seconds, so the window is widened to them.
    pub(super) fn text(&self, span: Span) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut text =
            format!("receivedDateTime ge {} and receivedDateTime le {}", time(span.from), time(span.to));
        for condition in &self.0 {
            text.push_str(" and ");
            text.push_str(condition);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn filters(criteria: &TraceCriteria) -> Vec<String> {
        criteria.filters().iter().map(|filter| filter.0.join(" and ")).collect()
    }

    #[test]
    fn request_has_one_value_for_each_property() {
        let criteria = TraceCriteria {
            message_ids: list(&["a'b@x", "<c@x>"]),
            senders: list(&["@evil.example"]),
            recipients: list(&["a@x", "b@x", "c@x"]),
            ..TraceCriteria::default()
        };
        assert_eq!(
            filters(&criteria),
            [
                "senderAddress eq '*@evil.example' and messageId eq '<a''b@x>'",
                "senderAddress eq '*@evil.example' and messageId eq '<c@x>'",
            ]
        );
        let criteria = TraceCriteria { message_ids: Vec::new(), subjects: list(&["s", "t"]), ..criteria };
        assert_eq!(
            filters(&criteria),
            [
                "senderAddress eq '*@evil.example' and contains(subject,'s')",
                "senderAddress eq '*@evil.example' and contains(subject,'t')",
            ]
        );
        let recipients = list(&["@contoso.example", "a@x"]);
        assert_eq!(filters(&TraceCriteria { recipients, ..TraceCriteria::default() }), [""]);
    }

    #[test]
    fn one_message_id_makes_one_request() {
        let criteria = TraceCriteria {
            message_ids: list(&["a@x"]),
            recipients: list(&["a@x", "b@x"]),
            ..TraceCriteria::default()
        };
        assert_eq!(filters(&criteria), ["messageId eq '<a@x>'"]);
    }
}
