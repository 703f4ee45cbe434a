//! The mark on a message in quarantine: an extended property that mail programs do not show.

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::flag::Flag;
use crate::change::ChangePermit;
use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::own_property::{Properties, property};
use crate::path::Path;
use crate::request::Request;

pub(super) const PROPERTY: &str = property!("fn-exchange-online-quarantine-mark");
const VERSION: u32 = 1;
/// No mark is longer, in bytes. Categories that would make it longer are left out.
const LONGEST: usize = 8 << 10;
/// No message has more categories.
pub(super) const MOST_CATEGORIES: usize = 1000;

/// What a message was before it went into quarantine, and on whose behalf it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    version: u32,
    /// The plan's digest, or the reference of the call.
    pub job: String,
    /// The id of the folder that the message was in.
    pub folder: String,
    /// The id of the quarantine that it went to.
    pub to: String,
    /// Whether it was read.
    pub read: bool,
    /// Its flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    /// Its categories; `None` where they are too long for the mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// When it was marked (RFC 3339).
    pub at: String,
    /// What its owner had changed in quarantine, and a restoration has set back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Mark {
    pub(super) fn new(
        job: &str,
        (folder, to): (&str, &str),
        read: bool,
        flag: Option<Flag>,
        categories: &[String],
    ) -> Self {
        let mut mark = Self {
            version: VERSION,
            job: job.to_owned(),
            folder: folder.to_owned(),
            to: to.to_owned(),
            read,
            flag,
            categories: Some(categories.to_vec()),
            at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            changed: Vec::new(),
        };
        if mark.text().len() > LONGEST {
            mark.categories = None;
        }
        mark
    }

    /// The mark with what its owner had changed.
    #[must_use]
    pub fn with_changes(&self, changed: Vec<String>) -> Self {
        Self { changed, ..self.clone() }
    }

    /// Whether both say the same, apart from the time.
    pub fn says_same(&self, other: &Self) -> bool {
        *self == Self { at: self.at.clone(), ..other.clone() }
    }

    /// The property as it stands in a request.
    pub(super) fn property(&self) -> serde_json::Value {
        json!({"id": PROPERTY, "value": self.text()})
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The mark among these properties.
    pub(super) fn among(properties: &Properties) -> Option<Self> {
        Self::read(properties.value(PROPERTY)?)
    }

    /// Reads the value of the property. The owner of the mailbox can write anything there.
    fn read(value: &str) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        serde_json::from_str(value).ok().filter(|mark: &Self| mark.version == VERSION)
    }
}

/// Writes `mark` on a message.
pub async fn mark_message(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
    mark: &Mark,
    permit: &(impl ChangePermit + ?Sized),
) -> Result<(), Error> {
    let path = Path::message(mailbox, None, id)?;
    let body = json!({"singleValueExtendedProperties": [mark.property()]});
    let request = Request::patch(path, body.to_string().into(), permit).in_mailbox(mailbox);
    client.send_by(dispatch, &request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(categories: &[String]) -> Mark {
        Mark::new("job", ("folder", "quarantine"), true, None, categories)
    }

    #[test]
    fn mark_is_read_as_it_was_written() {
        let mark = mark(&["Red".to_owned(), "Büro \"1\"".to_owned()]);
        assert_eq!(Mark::read(&mark.text()), Some(mark.clone()));
        assert!(mark.says_same(&Mark { at: "later".to_owned(), ..mark.clone() }));
        assert!(!mark.says_same(&mark.with_changes(vec!["read".to_owned()])));
    }

    #[test]
    fn mark_leaves_out_categories_that_are_too_long() {
        let categories: Vec<String> = (0..100).map(|nth| format!("{nth}{}", "x".repeat(200))).collect();
        let mark = mark(&categories);
        assert_eq!(mark.categories, None);
        assert_eq!(Mark::read(&mark.text()), Some(mark));
    }

    #[test]
    fn text_of_another_form_is_not_a_mark() {
        let text = mark(&[]).text();
        for other in [
            "",
            "{}",
            "[]",
            &text.replace("\"version\":1", "\"version\":2"),
            &text.replace("\"job\"", "\"other\""),
            &text[..text.len() - 1],
            &"x".repeat(LONGEST + 1),
        ] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
