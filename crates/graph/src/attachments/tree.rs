//! What the attachments of a message are, and the attachments of attached messages.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Kind, Sha256};
use crate::urls::FoundUrls;

/// A file or message that is attached to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedFile {
    /// Its name; may be empty.
    pub name: String,
    /// Its MIME type as the sender states it.
    pub content_type: Option<String>,
    /// Its size in bytes: counted where the content was read, otherwise as Exchange states it.
    pub size: Option<u64>,
    /// The digest of its content, where the content was read. An attached message has none: Exchange writes its content
    /// for each request.
    pub sha256: Option<Sha256>,
    /// Whether it is shown within the body.
    pub is_inline: bool,
    /// What it is.
    pub kind: Kind,
    /// The message that it is.
    pub nested: Option<Box<NestedMessage>>,
    /// Why its content was not looked at, or not all of it.
    pub unexamined: Option<Unexamined>,
}

/// A message that is attached to another one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NestedMessage {
    /// Its subject.
    pub subject: Option<String>,
    /// Its sender, as its header says.
    pub from: Option<String>,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// The URLs in its text.
    #[serde(flatten)]
    pub urls: FoundUrls,
    /// What is attached to it.
    pub attachments: Vec<AttachedFile>,
    /// Why it was not looked at as a whole.
    pub unexamined: Option<Unexamined>,
}

/// Why something was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unexamined {
    /// It is a message within more messages than are followed.
    TooDeep,
    /// There are more attachments than are looked at.
    TooMany,
    /// It is larger than this many bytes, which are left.
    TooLarge(u64),
    /// It is a link to a file in the cloud.
    Link,
    /// Its kind has no content that can be read.
    NoContent,
    /// Its content was not asked for.
    NotRequested,
    /// It could not be read.
    Failed(String),
}

impl fmt::Display for Unexamined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => f.write_str("it is nested too deep"),
            Self::TooMany => f.write_str("there are more attachments than are looked at"),
            Self::TooLarge(most) => write!(f, "it is larger than the {most} bytes that may be read"),
            Self::Link => f.write_str("it is a link to a file in the cloud"),
            Self::NoContent => f.write_str("its kind has no content that can be read"),
            Self::NotRequested => f.write_str("its content was not requested"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Serialize for Unexamined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl AttachedFile {
    /// Calls `each` for the file and everything in it, the outer ones first.
    pub fn visit<'a>(&'a self, each: &mut impl FnMut(&'a Self)) {
        each(self);
        for inner in self.nested.iter().flat_map(|nested| &nested.attachments) {
            inner.visit(each);
        }
    }

    /// Whether something of it was not looked at.
    pub fn is_incomplete(&self) -> bool {
        let mut incomplete = false;
        self.visit(&mut |file| {
            incomplete |= file.unexamined.is_some();
            incomplete |= file.nested.as_ref().is_some_and(|nested| nested.unexamined.is_some());
        });
        incomplete
    }
}

/// What a search for attachments compares: of all attachments of a message, those of attached messages included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traits<'a> {
    /// The names that are not empty.
    pub names: Vec<&'a str>,
    /// The digests of the files.
    pub digests: Vec<Sha256>,
    /// The URLs in the texts of attached messages.
    pub urls: Vec<&'a str>,
    /// The Message-IDs of attached messages.
    pub message_ids: Vec<&'a str>,
    /// What was not looked at, and why: the name, which may be empty.
    pub unexamined: Vec<(&'a str, &'a Unexamined)>,
}

impl<'a> Traits<'a> {
    /// Collects the traits of `files`.
    pub fn of(files: &'a [AttachedFile]) -> Self {
        let mut traits = Self::default();
        for file in files {
            file.visit(&mut |file| traits.add(file));
        }
        traits
    }

    fn add(&mut self, file: &'a AttachedFile) {
        let name = file.name.as_str();
        self.names.extend(Some(name).filter(|name| !name.is_empty()));
        self.digests.extend(file.sha256);
        self.unexamined.extend(file.unexamined.as_ref().map(|why| (name, why)));
        if let Some(nested) = &file.nested {
            self.urls.extend(nested.urls.urls.iter().map(String::as_str));
            self.message_ids.extend(nested.message_id.as_deref());
            self.unexamined.extend(nested.unexamined.as_ref().map(|why| (name, why)));
        }
    }
}
