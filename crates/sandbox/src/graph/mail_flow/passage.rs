//! One message on its way to one recipient.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::graph::base::Base;
use crate::graph::folder::Folder;
use crate::graph::generate::Origin;
use crate::graph::identifier::Key;
use crate::graph::message::{self, Message, internet_message_id};
use crate::graph::options::{Attachment, Content};
use crate::graph::rng::{guid, hash, mix};

/// The length of a message's headers, in bytes.
const HEADERS: usize = 3_200;

/// A message, as the transport sees it.
#[derive(Debug)]
pub(in crate::graph) struct Mail {
    pub(super) network_message_id: String,
    pub(super) message_id: String,
    /// The sender of the envelope.
    pub(super) sender: String,
    /// The sender in the header.
    pub(super) from: String,
    pub(super) subject: String,
    /// In seconds since 1970.
    pub(super) received: i64,
    pub(super) size: usize,
    pub(super) from_ip: String,
    pub(super) urls: Vec<String>,
    pub(super) files: Vec<File>,
}

impl Mail {
    pub(in crate::graph) fn message_id(&self) -> &str {
        &self.message_id
    }

    pub(in crate::graph) fn network_message_id(&self) -> &str {
        &self.network_message_id
    }
}

/// An attached file.
#[derive(Debug)]
pub(in crate::graph) struct File {
    pub(in crate::graph) name: String,
    pub(in crate::graph) content_type: String,
    pub(in crate::graph) size: usize,
    pub(in crate::graph) sha256: String,
}

impl File {
    /// Returns the files among `attachments`.
    pub(super) fn among(attachments: &[Attachment]) -> Vec<Self> {
        attachments.iter().filter_map(Self::of).collect()
    }

    fn of(attachment: &Attachment) -> Option<Self> {
        let Content::File { content_type, bytes } = &attachment.content else { return None };
        let digest = digest(&SHA256, bytes);
        Some(Self {
            name: attachment.name.clone(),
            content_type: content_type.clone(),
            size: bytes.len(),
            sha256: digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
        })
    }
}

/// A copy: its mailbox, its first place there, and the folder that it was delivered to.
pub(in crate::graph) type Place = (u32, Key, Folder);

/// A passage since the start.
#[derive(Debug)]
pub(in crate::graph) struct Recorded {
    pub(in crate::graph) mail: Arc<Mail>,
    pub(super) recipient: String,
    pub(super) status: &'static str,
    pub(super) copy: Option<Place>,
    pub(super) to_ip: &'static str,
}

impl Recorded {
    /// A message that was put into a mailbox.
    pub(in crate::graph) fn of_message(message: &Message<'_>) -> Self {
        let message_id = message.internet_message_id().unwrap_or_default().into_owned();
        let sender = message.from().map(|from| from.address).unwrap_or_default();
        let text = message.text();
        let attachments = message.written().map_or(&[][..], |written| &written.attachments);
        let files = File::among(attachments);
        let mail = Mail {
            network_message_id: message.network_message_id().into_owned(),
            message_id,
            from: sender.clone(),
            sender,
            subject: message.subject().into_owned(),
            received: message.received(),
            size: HEADERS + text.len() + files.iter().map(|file| file.size).sum::<usize>(),
            from_ip: "198.51.100.7".to_owned(),
            urls: urls(&text),
            files,
        };
        let owner = message.base.directory.user(message.mailbox);
        Self {
            mail: Arc::new(mail),
            recipient: owner.mail.unwrap_or(owner.user_principal_name),
            status: "delivered",
            copy: Some((message.mailbox, message.item.root, message.item.folder)),
            to_ip: "",
        }
    }
}

/// The network message id of a mail, which is also its id in the message trace.
pub(super) fn network_message_id(message_id: &str) -> String {
    let chance = hash(0x4E4D, message_id);
    guid(chance, mix(chance, 3, 3))
}

/// The length of a mail in bytes.
pub(super) fn size(body: &str, files: &[File]) -> usize {
    HEADERS + body.len() + files.iter().map(|file| file.size).sum::<usize>()
}

/// The web addresses in a text.
fn urls(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>\"'".contains(c));
    let urls = words.filter(|word| word.starts_with("https://") || word.starts_with("http://"));
    urls.map(str::to_owned).collect()
}

/// A message on its way to one recipient.
#[derive(Debug, Clone)]
pub(in crate::graph) enum Passage<'a> {
    /// From the seed: delivered before the start.
    Original {
        base: &'a Base,
        mailbox: u32,
        origin: Origin,
    },
    Recorded(Arc<Recorded>),
}

impl Passage<'_> {
    /// In milliseconds since 1970.
    pub(in crate::graph) fn received(&self) -> i64 {
        1_000
            * match self {
                Self::Original { base, mailbox, origin } => base.generator.received(*mailbox, *origin),
                Self::Recorded(recorded) => recorded.mail.received,
            }
    }

    pub(in crate::graph) fn message_id(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, origin } => {
                Cow::Owned(internet_message_id(base.generator.chance(*mailbox, *origin)))
            }
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.message_id),
        }
    }

    pub(in crate::graph) fn network_message_id(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, origin } => {
                Cow::Owned(message::network_message_id(base.generator.chance(*mailbox, *origin)))
            }
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.network_message_id),
        }
    }

    /// The sender of the envelope.
    pub(in crate::graph) fn sender(&self) -> Cow<'_, str> {
        match self {
            Self::Original { .. } => self.from(),
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.sender),
        }
    }

    /// The sender in the header.
    pub(in crate::graph) fn from(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, origin } => {
                Cow::Owned(base.generator.from(&base.directory, *mailbox, *origin).address)
            }
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.from),
        }
    }

    pub(in crate::graph) fn recipient(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, .. } => {
                let owner = base.directory.user(*mailbox);
                Cow::Owned(owner.mail.unwrap_or(owner.user_principal_name))
            }
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.recipient),
        }
    }

    /// The recipient's mailbox, if it got a copy.
    pub(in crate::graph) fn mailbox(&self) -> Option<u32> {
        match self {
            Self::Original { mailbox, .. } => Some(*mailbox),
            Self::Recorded(recorded) => recorded.copy.map(|(mailbox, ..)| mailbox),
        }
    }

    pub(in crate::graph) fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, origin } => base.generator.subject(*mailbox, *origin),
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.subject),
        }
    }

    pub(in crate::graph) fn status(&self) -> &'static str {
        match self {
            Self::Original { .. } => "delivered",
            Self::Recorded(recorded) => recorded.status,
        }
    }

    pub(in crate::graph) fn size(&self) -> usize {
        match self {
            Self::Original { base, mailbox, origin } => {
                HEADERS + base.generator.html(*mailbox, *origin).len()
            }
            Self::Recorded(recorded) => recorded.mail.size,
        }
    }

    pub(in crate::graph) fn source_ip(&self) -> Cow<'_, str> {
        match self {
            Self::Original { base, mailbox, origin } => {
                Cow::Owned(format!("198.51.100.{}", base.generator.chance(*mailbox, *origin) % 254 + 1))
            }
            Self::Recorded(recorded) => Cow::Borrowed(&recorded.mail.from_ip),
        }
    }

    pub(in crate::graph) fn to_ip(&self) -> &'static str {
        match self {
            Self::Original { .. } => "",
            Self::Recorded(recorded) => recorded.to_ip,
        }
    }

    pub(in crate::graph) fn urls(&self) -> Vec<String> {
        match self {
            Self::Original { base, mailbox, origin } => {
                base.generator.paragraphs(*mailbox, *origin).into_iter().flat_map(urls).collect()
            }
            Self::Recorded(recorded) => recorded.mail.urls.clone(),
        }
    }

    /// The attached files whose bytes are known. Those of the seed have none.
    pub(in crate::graph) fn files(&self) -> &[File] {
        match self {
            Self::Original { .. } => &[],
            Self::Recorded(recorded) => &recorded.mail.files,
        }
    }

    /// The copy that the recipient got, if any.
    pub(in crate::graph) fn copy(&self) -> Option<Place> {
        match self {
            Self::Original { base, mailbox, origin } => {
                Some((*mailbox, Key::Original(*origin), base.generator.folder(*mailbox, *origin)))
            }
            Self::Recorded(recorded) => recorded.copy,
        }
    }
}
