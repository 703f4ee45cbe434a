//! What a message is before it is removed and after it is restored: where it is, and what its owner can change.

use net::untrusted::json::Bounded;
use serde::{Deserialize, Serialize};

use super::flag::Flag;
use super::mark::{MOST_CATEGORIES, Mark};
use crate::calendar::MeetingMark;
use crate::own_property::Properties;

/// A message, as far as its removal and its restoration are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    /// Its id.
    pub id: String,
    /// The id of its folder.
    pub folder: String,
    /// Whether it is read.
    pub is_read: bool,
    /// Its flag.
    pub flag: Option<Flag>,
    /// Its categories.
    pub categories: Vec<String>,
    /// Its `Message-ID`; a draft may have none.
    pub internet_message_id: Option<String>,
    /// When it was received, as Graph writes it.
    pub received: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its sender.
    pub from: Option<Sender>,
    /// The mark of the quarantine.
    pub mark: Option<Mark>,
    /// What its calendar entry was that was removed along with it.
    pub meeting: Option<Box<MeetingMark>>,
}

/// The sender of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sender {
    #[serde(default)]
    email_address: Option<Address>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Address {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    id: String,
    parent_folder_id: String,
    is_read: bool,
    #[serde(default)]
    flag: Option<Flag>,
    #[serde(default)]
    categories: Option<Bounded<String, MOST_CATEGORIES>>,
    #[serde(default)]
    internet_message_id: Option<String>,
    #[serde(default)]
    received_date_time: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    from: Option<Sender>,
    #[serde(default)]
    single_value_extended_properties: Properties,
}

impl MessageState {
    /// Creates the mark of the message for `job`, before it goes to the folder with the id `to`.
    pub fn mark_for(&self, job: &str, to: &str) -> Mark {
        Mark::new(job, (&self.folder, to), self.is_read, self.flag.clone(), &self.categories)
    }
}

impl From<Answer> for MessageState {
    fn from(answer: Answer) -> Self {
        Self {
            id: answer.id,
            folder: answer.parent_folder_id,
            is_read: answer.is_read,
            flag: answer.flag,
            categories: answer.categories.map_or_else(Vec::new, |categories| categories.0),
            internet_message_id: answer.internet_message_id,
            received: answer.received_date_time,
            subject: answer.subject,
            from: answer.from,
            mark: Mark::among(&answer.single_value_extended_properties),
            meeting: MeetingMark::among(&answer.single_value_extended_properties).map(Box::new),
        }
    }
}

/// What is set in a message; `None` stays.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateChange {
    /// Whether it is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_read: Option<bool>,
    /// Its flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    /// Its categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
}

impl StateChange {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
