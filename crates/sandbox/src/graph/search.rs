//! `$search` on messages: keyword query language as Exchange's index supports it. The index has words and days, not
//! substrings and seconds. A client that needs more must check the hits itself.

use chrono::{DateTime, NaiveDate};

use super::generate;
use super::message::Message;
use super::options::Address;
use super::refusal::Refusal;

/// The maximum number of hits. Graph does not report that there are more ("Use the $search query parameter").
pub(super) const MOST_HITS: usize = 1_000;

/// Terms that a message must all meet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
enum Term {
    /// Days since 1970, both ends included.
    Received(i64, i64),
    HasAttachments(bool),
    From(Phrase),
    /// Those of the fields to, cc and bcc.
    Recipients(Phrase),
    Subject(Phrase),
    Body(Phrase),
    Anywhere(Phrase),
    AnyOf(Vec<Term>),
}

/// Consecutive words. The last one may be the start of a longer word.
#[derive(Debug, PartialEq, Eq)]
struct Phrase {
    words: Vec<String>,
    /// Whether an everyday message's text can contain them. If not, a search need not create such texts.
    everyday: bool,
}

impl Search {
    /// Reads the option's value: a text in double quotes, in which double quotes are escaped by a backslash.
    pub(super) fn parse(value: &str) -> Result<Self, Refusal> {
        let kql = unquote(value.trim())?;
        let mut rest = kql.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            terms.push(term);
            rest = after.trim_start();
            if let Some(next) = rest.strip_prefix("AND ") {
                rest = next.trim_start();
                if rest.is_empty() {
                    return Err(syntax_error(value));
                }
            }
        }
        if terms.is_empty() {
            return Err(syntax_error(value));
        }
        // Cheap terms first.
        terms.sort_by_key(Term::cost);
        Ok(Self(terms))
    }

    pub(super) fn matches(&self, message: &Message<'_>) -> bool {
        self.0.iter().all(|term| term.matches(message))
    }

    /// Each term, as its property and its value.
    pub(super) fn terms(&self) -> Vec<(&'static str, String)> {
        let one = |term: &Term| match term {
            Term::Received(first, last) => ("received", format!("{first}..{last}")),
            Term::HasAttachments(wanted) => ("hasattachments", wanted.to_string()),
            Term::From(phrase) => ("from", phrase.words.join(" ")),
            Term::Subject(phrase) => ("subject", phrase.words.join(" ")),
            Term::Body(phrase) => ("body", phrase.words.join(" ")),
            Term::Anywhere(phrase) => ("", phrase.words.join(" ")),
            Term::Recipients(phrase) => ("recipients", phrase.words.join(" ")),
            Term::AnyOf(terms) => ("any of", format!("{} terms", terms.len())),
        };
        self.0.iter().map(one).collect()
    }
}

impl Term {
    fn cost(&self) -> u8 {
        match self {
            Self::Received(..) | Self::HasAttachments(_) => 0,
            Self::From(_) | Self::Recipients(_) => 1,
            Self::Subject(_) => 2,
            Self::Body(_) => 3,
            Self::Anywhere(_) => 4,
            Self::AnyOf(terms) => terms.iter().map(Self::cost).max().unwrap_or(0),
        }
    }

    fn matches(&self, message: &Message<'_>) -> bool {
        match self {
            Self::Received(first, last) => (*first..=*last).contains(&message.received().div_euclid(86_400)),
            Self::HasAttachments(wanted) => message.has_attachments() == *wanted,
            Self::From(phrase) => in_sender(phrase, message),
            Self::Recipients(phrase) => in_recipients(phrase, message),
            Self::AnyOf(terms) => terms.iter().any(|term| term.matches(message)),
            Self::Subject(phrase) => phrase.is_in(&message.subject()),
            Self::Body(phrase) => in_body(phrase, message),
            Self::Anywhere(phrase) => {
                in_sender(phrase, message) || phrase.is_in(&message.subject()) || in_body(phrase, message)
            }
        }
    }
}

fn in_sender(phrase: &Phrase, message: &Message<'_>) -> bool {
    message.from().is_some_and(|from| phrase.is_in(&from.address) || phrase.is_in(&from.name))
}

fn in_recipients(phrase: &Phrase, message: &Message<'_>) -> bool {
    let is_one = |one: &Address| phrase.is_in(&one.address) || phrase.is_in(&one.name);
    message.recipients().iter().any(is_one)
}

fn in_body(phrase: &Phrase, message: &Message<'_>) -> bool {
    (phrase.everyday || !message.is_everyday()) && phrase.is_in(&message.text())
}

impl Phrase {
    fn new(text: &str) -> Self {
        let words: Vec<String> = words(text).map(str::to_lowercase).collect();
        let everyday = words.iter().all(|word| generate::everyday_text_may_hold(word));
        Self { words, everyday }
    }

    fn is_in(&self, text: &str) -> bool {
        let Some((last, first)) = self.words.split_last() else { return false };
        let text: Vec<String> = words(text).map(str::to_lowercase).collect();
        text.windows(self.words.len()).any(|window| {
            window[first.len()].starts_with(last.as_str()) && window.iter().zip(first).all(|(a, b)| a == b)
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn unquote(value: &str) -> Result<String, Refusal> {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .ok_or_else(|| syntax_error(value))?;
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().ok_or_else(|| syntax_error(value))?),
            '"' => return Err(syntax_error(value)),
            other => text.push(other),
        }
    }
    Ok(text)
}

/// Takes the first term: one condition, or several in parentheses that are joined by OR.
fn term(text: &str) -> Result<(Term, &str), Refusal> {
    let Some(mut rest) = text.strip_prefix('(') else { return condition(text) };
    let mut terms = Vec::new();
    loop {
        let (term, after) = condition(rest.trim_start())?;
        terms.push(term);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((Term::AnyOf(terms), after));
        }
        rest = rest.strip_prefix("OR ").ok_or_else(|| syntax_error(text))?;
    }
}

fn condition(text: &str) -> Result<(Term, &str), Refusal> {
    let end = text.find([':', '<', '>', '=', ' ', '"', '(', ')']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if ["AND", "OR", "NOT", "NEAR"].contains(&name) || rest.starts_with(['(', ')']) {
        return Err(Refusal::bad_request(
            "This sandbox searches for terms joined by AND, and by OR in parentheses, only.",
        ));
    }
    let operator = ["<=", ">=", ":", "<", ">", "="].into_iter().find(|operator| rest.starts_with(operator));
    let Some(operator) = operator.filter(|_| !name.is_empty()) else {
        let (value, rest) = value(text)?;
        return Ok((Term::Anywhere(Phrase::new(value)), rest));
    };
    let (value, rest) = value(&rest[operator.len()..])?;
    let name = name.to_ascii_lowercase();
    let term = match (name.as_str(), operator) {
        ("received", _) => received(operator, value)?,
        ("hasattachments" | "hasattachment", ":" | "=") => {
            Term::HasAttachments(value.parse().map_err(|_| syntax_error(text))?)
        }
        ("from", ":" | "=") => Term::From(Phrase::new(value)),
        ("recipients", ":" | "=") => Term::Recipients(Phrase::new(value)),
        ("subject", ":" | "=") => Term::Subject(Phrase::new(value)),
        ("body", ":" | "=") => Term::Body(Phrase::new(value)),
        _ => return Err(syntax_error(text)),
    };
    Ok((term, rest))
}

/// A value in quotes, or up to the next blank.
fn value(text: &str) -> Result<(&str, &str), Refusal> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').ok_or_else(|| syntax_error(text));
    }
    let end = text.find([' ', '"', ')']).unwrap_or(text.len());
    if end == 0 { Err(syntax_error(text)) } else { Ok(text.split_at(end)) }
}

fn received(operator: &str, value: &str) -> Result<Term, Refusal> {
    let days = |text: &str| day(text).ok_or_else(|| syntax_error(value));
    Ok(match operator {
        ":" | "=" => match value.split_once("..") {
            Some((first, last)) => Term::Received(days(first)?, days(last)?),
            None => Term::Received(days(value)?, days(value)?),
        },
        ">=" => Term::Received(days(value)?, i64::MAX),
        ">" => Term::Received(days(value)? + 1, i64::MAX),
        "<=" => Term::Received(i64::MIN, days(value)?),
        _ => Term::Received(i64::MIN, days(value)? - 1),
    })
}

/// `YYYY-MM-DD` or `MM/DD/YYYY` as days since 1970.
fn day(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .or_else(|_| NaiveDate::parse_from_str(text, "%m/%d/%Y"))
        .ok()?;
    Some(date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days())
}

fn syntax_error(text: &str) -> Refusal {
    Refusal::bad_request(format!("Syntax error: the search text '{text}' is not valid."))
}
