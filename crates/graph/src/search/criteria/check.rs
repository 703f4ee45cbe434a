//! Whether a message meets the criteria.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Criteria;
use super::address_match::AddressMatch;
use super::indicators::HeaderMatch;
use crate::search::message::{Checked, is_x500};

impl Criteria {
    /// Compares `message` with all criteria but the body, which only Graph can check.
    pub(crate) fn check(&self, message: &Checked<'_>) -> Verdict {
        let verdicts = [
            self.check_message_id(message),
            self.sender.as_ref().map(|wanted| check_sender(wanted, message)),
            // Graph shows no fractions of a second.
            self.received_from.map(|from| check_time(message, |at| at.timestamp() >= from.timestamp())),
            self.received_to.map(|to| check_time(message, |at| at <= to)),
            self.has_attachments.map(|wanted| match message.has_attachments {
                Some(has) => Verdict::of(has.unwrap_or(false) == wanted),
                None => Verdict::Unknown,
            }),
            self.subject.as_ref().map(|wanted| match &message.subject {
                Some(subject) => check_subject(wanted, subject.as_deref().unwrap_or_default()),
                None => Verdict::Unknown,
            }),
        ];
        verdicts.into_iter().flatten().max().unwrap_or(Verdict::Matches)
    }

    /// Exchange may compare a Message-ID without regard to case; [`Criteria::met`] does not.
    fn check_message_id(&self, message: &Checked<'_>) -> Option<Verdict> {
        let wanted = &self.indicators.message_ids;
        let is_one = |id: &str| wanted.iter().any(|wanted| id.to_lowercase() == wanted.to_lowercase());
        let check = || match &message.message_id {
            Some(id) => Verdict::of(id.as_deref().is_some_and(is_one)),
            None => Verdict::Unknown,
        };
        (!wanted.is_empty()).then(check)
    }

    /// Which indicators `message` meets, attachments aside.
    pub(crate) fn met(&self, message: &Checked<'_>) -> Met {
        let wanted = &self.indicators;
        let has_header =
            |wanted: &HeaderMatch| message.headers().any(|(name, value)| wanted.matches(name, value));
        let (urls, are_all_urls) = if wanted.urls.is_empty() { (Vec::new(), true) } else { message.urls() };
        let recipients = message.recipients();
        let lists = [
            found("internetMessageId", &wanted.message_ids, |id| message.message_id() == Some(id)),
            found("networkMessageId", &wanted.network_message_ids, |id| {
                has_header(&HeaderMatch::network_message_id(id))
            }),
            found("url", &wanted.urls, |one| urls.iter().any(|url| one.matches(url))),
            found("header", &wanted.headers, has_header),
            found("recipient", &wanted.recipients, |one| {
                recipients.iter().any(|address| one.matches(address))
            }),
        ];
        let mut met = Vec::new();
        for (criterion, list) in lists.into_iter().flatten() {
            if list.is_empty() {
                // Exchange knows whose address such a name is; this program does not.
                let is_hidden = match criterion {
                    "recipient" => recipients.iter().any(|name| is_x500(name)),
                    "url" => !are_all_urls,
                    _ => false,
                };
                return if is_hidden { Met::Unknown } else { Met::NotAll };
            }
            met.extend(list);
        }
        Met::All(met)
    }

    /// Whether `message` meets all criteria but the subject.
    pub(crate) fn differs_in_subject_only(&self, message: &Checked<'_>) -> bool {
        self.subject.is_some() && Self { subject: None, ..self.clone() }.check(message) != Verdict::Differs
    }
}

/// An indicator that a message meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Match {
    criterion: &'static str,
    value: String,
}

/// Whether a message meets the indicators.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Met<T = Vec<Match>> {
    /// At least one of each list: these.
    All(T),
    /// None of one of the lists.
    NotAll,
    /// Only Exchange can tell.
    Unknown,
}

impl<T> Met<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Met<U> {
        match self {
            Self::All(value) => Met::All(change(value)),
            Self::NotAll => Met::NotAll,
            Self::Unknown => Met::Unknown,
        }
    }
}

/// Those of the `wanted` that a message meets; `None` if none is wanted.
pub(crate) fn found<T: Display>(
    criterion: &'static str,
    wanted: &[T],
    is_met: impl Fn(&T) -> bool,
) -> Option<(&'static str, Vec<Match>)> {
    let met = wanted.iter().filter(|one| is_met(one)).map(|one| Match { criterion, value: one.to_string() });
    (!wanted.is_empty()).then(|| (criterion, met.collect()))
}

/// The result of the comparison of a message with the criteria. The worst verdict is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The message meets them.
    Matches,
    /// The message does not have a property that a criterion is about, or only Exchange can compare it.
    Unknown,
    /// The message does not meet one of them.
    Differs,
}

impl Verdict {
    fn of(matches: bool) -> Self {
        if matches { Self::Matches } else { Self::Differs }
    }
}

fn check_sender(wanted: &AddressMatch, message: &Checked<'_>) -> Verdict {
    match (&message.from, message.sender()) {
        (None, _) => Verdict::Unknown,
        // Exchange knows which address that is; this program does not.
        (_, Some(address)) if is_x500(address) => Verdict::Unknown,
        (_, address) => Verdict::of(address.is_some_and(|address| wanted.matches(address))),
    }
}

fn check_time(message: &Checked<'_>, holds: impl FnOnce(DateTime<Utc>) -> bool) -> Verdict {
    match message.received {
        None => Verdict::Unknown,
        Some(received) => Verdict::of(received.is_some_and(holds)),
    }
}

/// Exchange compares subjects without regard to case. Whether it ignores accents is not documented. So a subject that
/// agrees in its ASCII letters, digits and marks is taken to be a match where either text has other characters.
fn check_subject(wanted: &str, subject: &str) -> Verdict {
    let folded = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    if folded(subject).contains(&folded(wanted)) {
        return Verdict::Matches;
    }
    if wanted.is_ascii() && subject.is_ascii() {
        return Verdict::Differs;
    }
    if is_like(&folded(wanted), &folded(subject)) { Verdict::Unknown } else { Verdict::Differs }
}

/// Whether `wanted` occurs in `subject` if a character outside of ASCII may stand for any letter.
fn is_like(wanted: &str, subject: &str) -> bool {
    let [wanted, subject] = [wanted, subject].map(|text| text.chars().collect::<Vec<_>>());
    let same = |(a, b): (&char, &char)| {
        a == b || (!a.is_ascii() && b.is_alphabetic()) || (!b.is_ascii() && a.is_alphabetic())
    };
    subject.windows(wanted.len().max(1)).any(|part| part.iter().zip(&wanted).all(same))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(criteria: &Criteria, message: &Value) -> Verdict {
        let message = serde_json::value::to_raw_value(message).unwrap();
        criteria.check(&Checked::read(&message).unwrap())
    }

    fn from(address: &Value) -> Value {
        json!({"from": {"emailAddress": {"name": "B", "address": address}}})
    }

    #[test]
    fn sender_is_compared_without_case() {
        let criteria = Criteria { sender: Some(AddressMatch::new("it@example.org")), ..Criteria::default() };
        assert_eq!(check(&criteria, &from(&json!("IT@Example.org"))), Verdict::Matches);
        for other in
            [from(&json!("b@example.org")), from(&Value::Null), json!({"from": null}), json!({"from": {}})]
        {
            assert_eq!(check(&criteria, &other), Verdict::Differs, "{other}");
        }
        for unknown in [json!({}), from(&json!("/O=EXCHANGELABS/OU=X/CN=0A1B"))] {
            assert_eq!(check(&criteria, &unknown), Verdict::Unknown, "{unknown}");
        }
    }

    #[test]
    fn subject_is_compared_as_exchange_may_do() {
        let subject = |wanted: &str, subject: &Value| {
            let criteria = Criteria { subject: Some(wanted.to_owned()), ..Criteria::default() };
            check(&criteria, &json!({"subject": subject}))
        };
        assert_eq!(subject("invoice 7", &json!("Your INVOICE  7")), Verdict::Matches);
        assert_eq!(subject("STRASSE \u{c4}", &json!("strasse \u{e4}")), Verdict::Matches);
        assert_eq!(subject("resume", &json!("My r\u{e9}sum\u{e9}")), Verdict::Unknown);
        assert_eq!(subject("resume", &json!("Rechnung \u{e4}")), Verdict::Differs);
        assert_eq!(subject("invoice", &json!("lunch")), Verdict::Differs);
        assert_eq!(subject("invoice", &Value::Null), Verdict::Differs);
    }

    #[test]
    fn time_is_compared_to_the_second() {
        let at = |text: &str| Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        let criteria = Criteria {
            received_from: at("2026-03-01T10:00:00.700Z"),
            received_to: at("2026-03-01T11:00:00Z"),
            ..Criteria::default()
        };
        let received = |text: &str| check(&criteria, &json!({"receivedDateTime": text}));
        assert_eq!(received("2026-03-01T10:00:00Z"), Verdict::Matches);
        assert_eq!(received("2026-03-01T11:00:00Z"), Verdict::Matches);
        assert_eq!(received("2026-03-01T09:59:59Z"), Verdict::Differs);
        assert_eq!(received("2026-03-01T11:00:01Z"), Verdict::Differs);
        assert_eq!(check(&criteria, &json!({})), Verdict::Unknown);
    }
}
