//! The form that a response must have, checked inside the retry loop before the response is used.
//!
//! Graph has been seen to answer 200 with an error object, with a list without `value`, or with an error among the
//! entries: a response that began well and then failed. Such a response is treated like a broken connection.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use net::untrusted::json::Bounded;

/// No list has more entries on a page.
const MOST_ENTRIES: usize = 100_000;

/// The form that a response must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any success. A body is not needed: some servers on the way turn 204 into 200.
    Success,
    /// A JSON object.
    Object,
    /// A JSON object with an `id`.
    Entity,
    /// A list: an object whose `value` is an array of objects.
    List,
    /// A list whose entries have an `id` each.
    Entities,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The body is an error object, or holds one.
    Error,
    /// Its form is wrong.
    Form(&'static str),
}

impl Expected {
    /// Checks the JSON object `body`.
    pub(crate) fn check(self, body: &RawValue) -> Result<(), Defect> {
        const UNREADABLE: Defect = Defect::Form("its JSON is not of the expected form");
        let envelope: Envelope<'_> = serde_json::from_str(body.get()).map_err(|_| UNREADABLE)?;
        if envelope.error.is_some() {
            return Err(Defect::Error);
        }
        match self {
            Self::Success | Self::Object => Ok(()),
            Self::Entity if is_id(envelope.id) => Ok(()),
            Self::Entity => Err(Defect::Form("it has no id")),
            Self::List | Self::Entities => {
                let value = envelope.value.ok_or(Defect::Form("it is a list without its entries"))?;
                let entries: Bounded<Entry<'_>, MOST_ENTRIES> =
                    serde_json::from_str(value.get()).map_err(|_| UNREADABLE)?;
                entries.0.iter().try_for_each(|entry| self.check_entry(entry))
            }
        }
    }

    fn check_entry(self, entry: &Entry<'_>) -> Result<(), Defect> {
        match (entry.error.is_some(), is_id(entry.id)) {
            (true, false) => Err(Defect::Form("one of its entries is an error")),
            (_, false) if self == Self::Entities => Err(Defect::Form("one of its entries has no id")),
            _ => Ok(()),
        }
    }
}

/// Whether `id` is a text or a number.
fn is_id(id: Option<&RawValue>) -> bool {
    id.is_some_and(|id| {
        !matches!(id.get(), "\"\"") && id.get().starts_with(|c: char| c == '"' || c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Expected, body: &str) -> Result<(), Defect> {
        expected.check(serde_json::from_str(body).unwrap())
    }

    #[test]
    fn error_object_is_not_a_success_of_any_form() {
        for body in [r#"{"error":{"code":"x"}}"#, r#"{"value":[],"error":{}}"#, r#"{"id":"a","error":"x"}"#] {
            for expected in [Expected::Success, Expected::Object, Expected::Entity, Expected::List] {
                assert_eq!(check(expected, body), Err(Defect::Error), "{expected:?} {body}");
            }
        }
        assert_eq!(check(Expected::Object, r#"{"error":null}"#), Ok(()));
    }

    #[test]
    fn entity_needs_an_id() {
        for body in ["{}", r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":{}}"#] {
            assert!(check(Expected::Entity, body).is_err(), "{body}");
        }
        for body in [r#"{"id":"a"}"#, r#"{"id":7}"#] {
            assert_eq!(check(Expected::Entity, body), Ok(()), "{body}");
        }
    }

    #[test]
    fn list_needs_entries_that_are_not_errors() {
        for body in
            ["{}", r#"{"value":null}"#, r#"{"value":{}}"#, r#"{"value":[1]}"#, r#"{"value":[{"error":{}}]}"#]
        {
            assert!(check(Expected::List, body).is_err(), "{body}");
        }
        assert_eq!(check(Expected::List, r#"{"value":[{"mail":"a"}]}"#), Ok(()));
        assert!(check(Expected::Entities, r#"{"value":[{"id":"a"},{"subject":"s"}]}"#).is_err());
        assert_eq!(check(Expected::Entities, r#"{"value":[{"id":"a"}]}"#), Ok(()));
    }
}
