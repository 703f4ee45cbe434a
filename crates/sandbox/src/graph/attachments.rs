//! Attachments of a message: "List attachments", "Get attachment" with `$value`, and `$expand` on messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::faults::Faults;
use super::identifier::IdForm;
use super::json::Object;
use super::listing::next_link;
use super::message::{Item, Message, date_time};
use super::mime;
use super::options::{Attachment, Content};
use super::path::Place;
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::{GraphResponse, Payload, written};
use super::state::State;

const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;
/// What `size` counts beyond the content: it includes the attachment's properties in Exchange.
const OVERHEAD: usize = 164;

/// The properties of an attachment, in Graph's order. `id` always comes before them.
const PROPERTY: [&str; 8] = [
    "lastModifiedDateTime",
    "name",
    "contentType",
    "size",
    "isInline",
    "contentId",
    "contentLocation",
    "contentBytes",
];
/// The number of properties, from the start, that every attachment has. A file has the others.
const COMMON: usize = 5;
const CAST: &str = "microsoft.graph.fileAttachment/";

/// The properties of attachments that a request selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SelectAttachment(u8);

impl SelectAttachment {
    const ALL: Self = Self(u8::MAX);

    fn of(query: &Query) -> Result<Self, Refusal> {
        query.select.as_deref().map_or(Ok(Self::ALL), Self::parse)
    }

    /// Reads a list of properties. The collection's type is the base type, which has no content: a property of files
    /// needs a cast (microsoft-graph-explorer-v4 issue 3916).
    fn parse(list: &str) -> Result<Self, Refusal> {
        let mut selected = 0;
        for name in list.split(',').map(str::trim) {
            if name.eq_ignore_ascii_case("id") {
                continue;
            }
            let (known, bare) = match name.strip_prefix(CAST) {
                Some(bare) => (&PROPERTY[..], bare),
                None => (&PROPERTY[..COMMON], name),
            };
            let place = known
                .iter()
                .position(|property| property.eq_ignore_ascii_case(bare))
                .ok_or_else(|| Refusal::no_property(name, "microsoft.graph.attachment"))?;
            selected |= 1 << place;
        }
        Ok(Self(selected))
    }

    /// Reads `$expand` of messages: `attachments`, or `attachments($select=…)`.
    pub(super) fn expanded(expand: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::no_property(expand, "microsoft.graph.message");
        let rest = expand.trim().strip_prefix("attachments").ok_or_else(unknown)?;
        if rest.is_empty() {
            return Ok(Self::ALL);
        }
        let option = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(unknown)?;
        let list = option.trim().strip_prefix("$select=").ok_or_else(|| {
            Refusal::bad_request(format!(
                "This sandbox knows only $select within $expand, and not '{option}'."
            ))
        })?;
        Self::parse(list)
    }

    fn has(self, place: usize) -> bool {
        self.0 & 1 << place != 0
    }
}

/// A message's attachment with its number.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    message_id: &'a str,
    nth: usize,
    attachment: &'a Attachment,
}

impl Numbered<'_> {
    /// Its id: the message's, and more.
    fn id(self) -> String {
        let stem = self.message_id.trim_end_matches('=');
        let stem = stem.get(..stem.len() / 4 * 4).unwrap_or_default();
        let number = STANDARD.encode((self.nth as u64 ^ 0x5eed_cafe_f00d_5eed).to_be_bytes());
        format!("{stem}ABEgAQ{number}")
    }

    fn write(
        self,
        out: &mut Vec<u8>,
        message: &Message<'_>,
        select: SelectAttachment,
        context: Option<&str>,
    ) {
        let mut object = Object::begin(out);
        if let Some(context) = context {
            object.text("@odata.context", context);
        }
        let (kind, content_type, size) = match &self.attachment.content {
            Content::File { content_type, bytes } => {
                ("fileAttachment", Some(content_type.as_str()), bytes.len())
            }
            Content::Message(message) => ("itemAttachment", None, mime::of(message).len()),
            Content::Link => ("referenceAttachment", None, 0),
        };
        object.text("@odata.type", &format!("#microsoft.graph.{kind}"));
        if let Some(content_type) = content_type.filter(|_| context.is_none()) {
            object.text("@odata.mediaContentType", content_type);
        }
        object.text("id", &self.id());
        let is_file = content_type.is_some();
        let properties = if is_file { &PROPERTY[..] } else { &PROPERTY[..COMMON] };
        for (_, property) in properties.iter().enumerate().filter(|(place, _)| select.has(*place)) {
            match *property {
                "lastModifiedDateTime" => object.text(property, &date_time(message.received())),
                "name" => object.text(property, &self.attachment.name),
                "contentType" => match content_type {
                    Some(content_type) => object.text(property, content_type),
                    None => object.raw(property, "null"),
                },
                "size" => object.raw(property, &(size + OVERHEAD).to_string()),
                "isInline" => object.boolean(property, self.attachment.content_id.is_some()),
                "contentId" => match &self.attachment.content_id {
                    Some(id) => object.text(property, id),
                    None => object.raw(property, "null"),
                },
                "contentBytes" => object.text(property, &STANDARD.encode(self.attachment.bytes())),
                _ => object.raw(property, "null"),
            };
        }
        object.end();
    }
}

/// The attachments of a message, from number `skipped` on, whose ids begin with `message_id`.
fn numbered<'a>(
    message_id: &'a str,
    attachments: &'a [Attachment],
    skipped: usize,
) -> impl Iterator<Item = Numbered<'a>> {
    let all = attachments.iter().enumerate().skip(skipped);
    all.map(move |(nth, attachment)| Numbered { message_id, nth, attachment })
}

fn write_all<'a>(
    out: &mut Vec<u8>,
    message: &Message<'_>,
    attachments: impl Iterator<Item = Numbered<'a>>,
    select: SelectAttachment,
) {
    out.push(b'[');
    for (place, attachment) in attachments.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        attachment.write(out, message, select, None);
    }
    out.push(b']');
}

/// Appends the attachments to the message that is being written.
pub(super) fn write_expanded(
    object: &mut Object<'_>,
    message: &Message<'_>,
    message_id: &str,
    select: SelectAttachment,
) {
    object.text("attachments@odata.context", &context(message, message_id));
    write_all(object.key("attachments"), message, numbered(message_id, message.attachments(), 0), select);
}

fn context(message: &Message<'_>, message_id: &str) -> String {
    let user = message.base.directory.user(message.mailbox).id;
    let id = super::query::encode(message_id);
    format!("{}/$metadata#users('{user}')/messages('{id}')/attachments", message.base.root)
}

fn shown_id(message: &Message<'_>, request: &GraphRequest) -> String {
    match request.id_form() {
        IdForm::Default => message.id(),
        IdForm::Immutable => message.immutable_id(),
    }
}

/// `GET …/attachments`. `$filter` is accepted and has no effect (Graph's known issue 13635).
pub(super) fn list(
    state: &State,
    faults: &Faults,
    place: &Place,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let (mailbox, item) = message(state, place)?;
    let select = SelectAttachment::of(query)?;
    let asked = query.page_size(DEFAULT_PAGE, LARGEST_PAGE)?;
    let top = faults.page(asked);
    let message = state.look(mailbox, &item);
    let skipped = query.skip.unwrap_or(0);
    let attachments = message.attachments();
    let next = (attachments.len() > skipped.saturating_add(top))
        .then(|| next_link(state, &request.path, query, skipped + top));
    let id = shown_id(&message, request);
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        object.text("@odata.context", &context(&message, &id));
        write_all(object.key("value"), &message, numbered(&id, attachments, skipped).take(top), select);
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        object.end();
    }))
}

/// `GET …/attachments/{id}`
pub(super) fn get(
    state: &State,
    place: &Place,
    attachment: &str,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let (mailbox, item) = message(state, place)?;
    let select = SelectAttachment::of(query)?;
    let message = state.look(mailbox, &item);
    let nth = find(&message, attachment)?;
    let id = shown_id(&message, request);
    let attachment = Numbered { message_id: &id, nth, attachment: &message.attachments()[nth] };
    let context = format!("{}/$entity", context(&message, &id));
    Ok(written(200, |out| attachment.write(out, &message, select, Some(&context))))
}

/// `GET …/attachments/{id}/$value`
pub(super) fn content(state: &State, place: &Place, attachment: &str) -> GraphResult {
    let (mailbox, item) = message(state, place)?;
    let message = state.look(mailbox, &item);
    let nth = find(&message, attachment)?;
    let (content_type, bytes) = match &message.attachments()[nth].content {
        Content::File { content_type, bytes } => (content_type.clone(), bytes.clone()),
        Content::Message(message) => ("text/plain".to_owned(), Bytes::from(mime::of(message))),
        Content::Link => return Err(Refusal::method_not_allowed()),
    };
    Ok(GraphResponse {
        status: 200,
        headers: Vec::new(),
        content: Payload::Stream(content_type.into(), Box::new(pieces(bytes))),
    })
}

/// The attachment that was added last, as the response to its creation.
pub(super) fn created(state: &State, mailbox: u32, item: &Item, request: &GraphRequest) -> GraphResponse {
    let message = state.look(mailbox, item);
    let id = shown_id(&message, request);
    let nth = message.attachments().len().saturating_sub(1);
    let context = format!("{}/$entity", context(&message, &id));
    written(201, |out| {
        for attachment in numbered(&id, message.attachments(), nth) {
            attachment.write(out, &message, SelectAttachment::ALL, Some(&context));
        }
    })
}

fn message(state: &State, place: &Place) -> Result<(u32, Item), Refusal> {
    let mailbox = state.mailbox(&place.user)?;
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    Ok((mailbox, state.item(mailbox, folder, &place.id)?))
}

/// The number of the attachment that an id names, in either form.
fn find(message: &Message<'_>, id: &str) -> Result<usize, Refusal> {
    for message_id in [message.id(), message.immutable_id()] {
        let mut all = numbered(&message_id, message.attachments(), 0);
        if let Some(found) = all.find(|attachment| attachment.id() == id) {
            return Ok(found.nth);
        }
    }
    let is_well_formed = (id.starts_with("AAMkA") || id.starts_with("AAkALg")) && id.contains("ABEgAQ");
    Err(if is_well_formed { Refusal::item_not_found() } else { Refusal::malformed_id() })
}

/// The bytes in pieces, as a network delivers them. An empty file is one empty piece.
fn pieces(bytes: Bytes) -> impl Iterator<Item = Bytes> + Send {
    const PIECE: usize = 64 << 10;
    (0..bytes.len().div_ceil(PIECE).max(1))
        .map(move |nth| bytes.slice(nth * PIECE..bytes.len().min((nth + 1) * PIECE)))
}
