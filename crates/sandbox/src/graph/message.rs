//! A message as Graph shows it: its properties, created on demand for unchanged messages.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use chrono::DateTime;

use super::base::Base;
use super::calendar::{MeetingMail, MeetingNews};
use super::extended_property::Properties;
use super::folder::Folder;
use super::generate::Origin;
use super::headers::{self, Envelope, NETWORK_MESSAGE_ID};
use super::identifier::{IdForm, Key};
use super::marks::Marks;
use super::options::{Address, Attachment, MessageId, NewMessage};
use super::rng::{guid, mix};

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its present place, which its default id names.
    pub(super) key: Key,
    /// Its first place, which its immutable id names.
    pub(super) root: Key,
    pub(super) received: i64,
    pub(super) folder: Folder,
    pub(super) text: Text,
    pub(super) marks: Marks,
    /// When it was added, if that was after the start.
    pub(super) since: Option<Instant>,
    /// From when on it is in its folder: Exchange files sent mail with a delay.
    pub(super) listed_from: Option<Instant>,
}

/// The content of a message.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// From the seed. The message may have been moved since.
    Original(Origin),
    Written(Arc<Written>),
}

/// A message that was written while the tenant ran.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) from: Option<Address>,
    pub(super) to: Vec<Address>,
    pub(super) cc: Vec<Address>,
    pub(super) bcc: Vec<Address>,
    pub(super) html: bool,
    pub(super) body: String,
    pub(super) attachments: Vec<Attachment>,
    /// The extended properties from its creation.
    pub(super) properties: Properties,
    pub(super) internet_headers: Vec<(String, String)>,
    pub(super) message_id: MessageId,
    pub(super) draft: bool,
    /// What it says about a meeting.
    pub(super) meeting: Option<Arc<MeetingMail>>,
    /// The number that its Message-ID is derived from, unless it has its own.
    pub(super) number: u64,
}

impl Written {
    /// A message that a test puts into a mailbox.
    pub(super) fn of(message: NewMessage, number: u64) -> Self {
        Self {
            subject: message.subject,
            from: Some(message.from),
            to: message.to,
            cc: message.cc,
            html: message.html,
            body: message.body,
            attachments: message.attachments,
            internet_headers: message.headers,
            message_id: message.message_id,
            number,
            ..Self::default()
        }
    }
}

impl Written {
    /// Whether it invites to the meeting with this identifier.
    pub(super) fn is_request_for(&self, uid: &str) -> bool {
        let message = self.meeting.as_ref().map(|meeting| &meeting.message);
        message.is_some_and(|message| message.news == MeetingNews::Request && message.uid() == uid)
    }
}

impl Item {
    /// What it says about a meeting.
    pub(super) fn meeting(&self) -> Option<&MeetingMail> {
        match &self.text {
            Text::Original(_) => None,
            Text::Written(written) => written.meeting.as_deref(),
        }
    }
}

/// A message in its mailbox.
pub(super) struct Message<'a> {
    pub(super) base: &'a Base,
    pub(super) mailbox: u32,
    pub(super) item: &'a Item,
}

impl<'a> Message<'a> {
    pub(super) fn chance(&self) -> u64 {
        match &self.item.text {
            Text::Original(origin) => self.base.generator.chance(self.mailbox, *origin),
            Text::Written(written) => {
                mix(self.base.generator.seed, self.mailbox.into(), written.number | 1 << 50)
            }
        }
    }

    /// Its id for the tenant's own methods.
    pub(super) fn own_id(&self) -> String {
        match self.base.id_form {
            IdForm::Default => self.id(),
            IdForm::Immutable => self.immutable_id(),
        }
    }

    /// Its default id.
    pub(super) fn id(&self) -> String {
        self.base.ids.message(self.mailbox, self.item.key)
    }

    /// Its immutable id.
    pub(super) fn immutable_id(&self) -> String {
        self.base.ids.immutable(self.mailbox, self.item.root)
    }

    pub(super) fn received(&self) -> i64 {
        self.item.received
    }

    /// Whether it is an everyday message, whose possible words are all known.
    pub(super) fn is_everyday(&self) -> bool {
        matches!(self.item.text, Text::Original(Origin::Everyday(_)))
    }

    pub(super) fn subject(&self) -> Cow<'a, str> {
        match &self.item.text {
            Text::Original(origin) => self.base.generator.subject(self.mailbox, *origin),
            Text::Written(written) => Cow::Borrowed(&written.subject),
        }
    }

    pub(super) fn from(&self) -> Option<Address> {
        match &self.item.text {
            Text::Original(origin) => {
                Some(self.base.generator.from(&self.base.directory, self.mailbox, *origin))
            }
            Text::Written(written) => written.from.clone(),
        }
    }

    pub(super) fn to(&self) -> Vec<Address> {
        match &self.item.text {
            Text::Original(_) => {
                let owner = self.base.directory.user(self.mailbox);
                vec![Address::new(owner.display_name, owner.mail.unwrap_or(owner.user_principal_name))]
            }
            Text::Written(written) => written.to.clone(),
        }
    }

    /// The recipients that the message names: to, cc and bcc.
    pub(super) fn recipients(&self) -> Vec<Address> {
        let copies = self.written().map(|written| [&written.cc, &written.bcc]);
        self.to().into_iter().chain(copies.into_iter().flatten().flatten().cloned()).collect()
    }

    /// Whether it has attachments other than inline ones, which do not count (Graph page "message resource type").
    pub(super) fn has_attachments(&self) -> bool {
        self.attachments().iter().any(|attachment| attachment.content_id.is_none())
    }

    /// Its attachments, in their order.
    pub(super) fn attachments(&self) -> &'a [Attachment] {
        match &self.item.text {
            Text::Original(origin) if self.base.generator.has_attachments(self.mailbox, *origin) => {
                everyday_attachments()
            }
            Text::Original(_) => &[],
            Text::Written(written) => &written.attachments,
        }
    }

    pub(super) fn is_read(&self) -> bool {
        self.item.marks.read.unwrap_or_else(|| match &self.item.text {
            Text::Original(_) => self.chance() >> 60 & 1 == 0,
            Text::Written(_) => true,
        })
    }

    pub(super) fn is_draft(&self) -> bool {
        matches!(&self.item.text, Text::Written(written) if written.draft)
    }

    pub(super) fn sent(&self) -> i64 {
        self.item.received - 2
    }

    pub(super) fn folder_id(&self) -> String {
        self.item.folder.id(self.base.ids, self.mailbox)
    }

    pub(super) fn internet_message_id(&self) -> Option<Cow<'a, str>> {
        match self.written().map(|written| &written.message_id) {
            Some(MessageId::Own(id)) => Some(Cow::Borrowed(id)),
            Some(MessageId::Absent) => None,
            Some(MessageId::Generated) | None => Some(Cow::Owned(internet_message_id(self.chance()))),
        }
    }

    /// Defender's id of the message, from the header in which Exchange keeps it.
    pub(super) fn network_message_id(&self) -> Cow<'a, str> {
        let own =
            self.written().and_then(|written| headers::value(&written.internet_headers, NETWORK_MESSAGE_ID));
        own.map_or_else(|| Cow::Owned(network_message_id(self.chance())), Cow::Borrowed)
    }

    /// The headers with which it arrived, or would be sent.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let written = self.written();
        let arrived = self.item.folder != Folder::SENT && !self.is_draft();
        let (to, subject, message_id) = (self.to(), self.subject(), self.internet_message_id());
        let network_message_id = arrived.then(|| self.network_message_id());
        let envelope = Envelope {
            from: self.from(),
            to: &to,
            cc: written.map_or(&[], |written| &written.cc),
            subject: &subject,
            received: self.received(),
            message_id: message_id.as_deref(),
            network_message_id: network_message_id.as_deref(),
            own: written.map_or(&[], |written| &written.internet_headers),
        };
        envelope.headers()
    }

    /// The body without its markup.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match &self.item.text {
            Text::Original(origin) => {
                Cow::Owned(self.base.generator.paragraphs(self.mailbox, *origin).join("\r\n"))
            }
            Text::Written(written) if written.html => Cow::Owned(without_markup(&written.body)),
            Text::Written(written) => Cow::Borrowed(&written.body),
        }
    }

    /// The body as it is stored, and whether it is HTML.
    pub(super) fn body(&self) -> (Cow<'a, str>, bool) {
        match &self.item.text {
            Text::Original(origin) => (Cow::Owned(self.base.generator.html(self.mailbox, *origin)), true),
            Text::Written(written) => (Cow::Borrowed(&written.body), written.html),
        }
    }

    pub(super) fn written(&self) -> Option<&'a Written> {
        match &self.item.text {
            Text::Original(_) => None,
            Text::Written(written) => Some(written),
        }
    }
}

/// What is attached to each everyday message that has attachments.
fn everyday_attachments() -> &'static [Attachment] {
    static DOCUMENT: LazyLock<[Attachment; 1]> = LazyLock::new(|| {
        let content = b"%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n";
        [Attachment::file("document.pdf", "application/pdf", &content[..])]
    });
    &*DOCUMENT
}

/// The URL at which a browser shows the message.
pub(super) fn web_link(id: &str) -> String {
    let id = super::query::encode(id);
    format!("https://outlook.office365.com/owa/?ItemID={id}&exvsurl=1&viewmodel=ReadMessageItem")
}

/// The Message-ID that is derived from a number.
pub(super) fn internet_message_id(chance: u64) -> String {
    format!("<{:016X}{:08x}@mail.contoso.example>", chance, mix(chance, 1, 2) >> 32)
}

/// The network message id that is derived from a number.
pub(super) fn network_message_id(chance: u64) -> String {
    guid(mix(chance, 3, 4), mix(chance, 5, 6))
}

/// Formats seconds since 1970 as Graph does.
pub(super) fn date_time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns the text between tags, with the most common entities decoded.
fn without_markup(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
