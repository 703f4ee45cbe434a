//! Writing mail: sendMail, and draft, attachments and send for large messages.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use serde::Deserialize;
use serde_json::Value;

use super::attachments;
use super::calendar::{Outgoing, OutgoingKind};
use super::changes::{Changes, SentMail};
use super::extended_property::{Properties, Property};
use super::faults::Faults;
use super::folder::Folder;
use super::mail::shown;
use super::message::{Item, Text, Written};
use super::options::{Address, Attachment};
use super::path::Place;
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::state::State;
use super::view::View;

/// Recipients of one message, all kinds together ("Exchange Online limits").
const MOST_RECIPIENTS: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendMail {
    // Parameters of actions are spelled with a capital letter in Graph's metadata, and so by Microsoft's clients.
    #[serde(alias = "Message")]
    message: NewMessage,
    #[serde(alias = "SaveToSentItems")]
    save_to_sent_items: Option<Value>,
}

/// The properties of a new message. Any other property is an error, as at Graph.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    #[serde(rename = "@odata.type")]
    _type: Option<String>,
    subject: Option<String>,
    body: Option<Body>,
    #[serde(default)]
    to_recipients: Vec<Recipient>,
    #[serde(default)]
    cc_recipients: Vec<Recipient>,
    #[serde(default)]
    bcc_recipients: Vec<Recipient>,
    #[serde(default)]
    attachments: Vec<FileAttachment>,
    #[serde(default)]
    internet_message_headers: Vec<Header>,
    #[serde(default)]
    single_value_extended_properties: Vec<Property>,
    #[serde(rename = "importance")]
    _importance: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(rename = "@odata.type")]
    _type: Option<String>,
    content_type: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recipient {
    #[serde(rename = "@odata.type")]
    _type: Option<String>,
    email_address: EmailAddress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailAddress {
    #[serde(rename = "@odata.type")]
    _type: Option<String>,
    name: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAttachment {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    name: Option<String>,
    content_type: Option<String>,
    content_bytes: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: String,
}

impl NewMessage {
    fn into_written(self) -> Result<Written, Refusal> {
        let (html, body) = match self.body {
            None => (false, String::new()),
            Some(body) => match body.content_type.to_ascii_lowercase().as_str() {
                "html" => (true, body.content),
                "text" => (false, body.content),
                other => {
                    return Err(Refusal::bad_request(format!(
                        "Requested value '{other}' was not found in microsoft.graph.bodyType."
                    )));
                }
            },
        };
        if self
            .internet_message_headers
            .iter()
            .any(|header| !header.name.to_ascii_lowercase().starts_with("x-"))
        {
            return Err(Refusal::new(
                400,
                "InvalidInternetMessageHeader",
                "The internet message header name should start with 'x-' or 'X-'.",
            ));
        }
        Ok(Written {
            subject: self.subject.unwrap_or_default(),
            to: addresses(self.to_recipients)?,
            cc: addresses(self.cc_recipients)?,
            bcc: addresses(self.bcc_recipients)?,
            html,
            body,
            attachments: self.attachments.into_iter().map(FileAttachment::read).collect::<Result<_, _>>()?,
            properties: Properties::of(self.single_value_extended_properties)?,
            internet_headers: self
                .internet_message_headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
            ..Written::default()
        })
    }
}

impl FileAttachment {
    fn read(self) -> Result<Attachment, Refusal> {
        if self.kind.as_deref() != Some("#microsoft.graph.fileAttachment") {
            return Err(Refusal::bad_request(
                "Cannot create an abstract class: '@odata.type' must be '#microsoft.graph.fileAttachment'.",
            ));
        }
        let (Some(name), Some(content)) = (self.name, self.content_bytes) else {
            return Err(Refusal::new(
                400,
                "ErrorRequiredPropertyMissing",
                "Required property is missing: name and contentBytes are needed.",
            ));
        };
        let content = STANDARD
            .decode(content)
            .map_err(|_| Refusal::bad_request("Cannot convert a value to target type 'Edm.Binary'."))?;
        let content_type = self.content_type.unwrap_or_else(|| "application/octet-stream".into());
        Ok(Attachment::file(name, content_type, content))
    }
}

fn addresses(recipients: Vec<Recipient>) -> Result<Vec<Address>, Refusal> {
    recipients
        .into_iter()
        .map(|recipient| {
            let address = recipient.email_address.address.unwrap_or_default();
            if address.is_empty() {
                return Err(Refusal::invalid_recipients());
            }
            Ok(Address::new(recipient.email_address.name.unwrap_or_else(|| address.clone()), address))
        })
        .collect()
}

pub(super) fn send_mail(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let SendMail { message, save_to_sent_items } = request.json()?;
    // Documented as a boolean. The page's own example has a string.
    let save = match save_to_sent_items {
        None => true,
        Some(Value::Bool(save)) => save,
        Some(Value::String(save)) => save.eq_ignore_ascii_case("true"),
        Some(_) => return Err(Refusal::bad_request("Cannot convert a value to target type 'Edm.Boolean'.")),
    };
    let written = message.into_written()?;
    deliver(state, &mut state.changes(), mailbox, written, None, save)?;
    Ok(GraphResponse::empty(202))
}

/// Whether a recipient is a mail address. Any other text is looked up in the directory.
fn is_address(recipient: &str) -> bool {
    recipient.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !recipient.contains(char::is_whitespace)
    })
}

/// Sends a message. The copy in Sent Items has the immutable id of its draft, if it was one.
fn deliver(
    state: &State,
    changes: &mut Changes,
    mailbox: u32,
    mut written: Written,
    draft: Option<Item>,
    save: bool,
) -> Result<(), Refusal> {
    let recipients = written.to.len() + written.cc.len() + written.bcc.len();
    if recipients == 0 {
        return Err(Refusal::invalid_recipients());
    }
    let everyone = || written.to.iter().chain(&written.cc).chain(&written.bcc);
    if let Some(unknown) =
        everyone().find(|to| !is_address(&to.address) && state.mailbox(&to.address).is_err())
    {
        return Err(Refusal::unresolved_recipient(&unknown.address));
    }
    if recipients > MOST_RECIPIENTS {
        return Err(Refusal::new(400, "ErrorTooManyRecipients", "The message has too many recipients."));
    }
    let owner = state.base.directory.user(mailbox);
    changes.sent.push(SentMail {
        mailbox: owner.user_principal_name.clone(),
        subject: written.subject.clone(),
        to: written.to.clone(),
        html: written.html,
        body: written.body.clone(),
        attachments: written.attachments.clone(),
        saved_to_sent_items: save,
    });
    let recipients = written.to.iter().chain(&written.cc).chain(&written.bcc);
    changes.outbox.extend(recipients.map(|to| Outgoing {
        from: owner.user_principal_name.clone(),
        to: to.address.clone(),
        kind: OutgoingKind::Mail,
        subject: written.subject.clone(),
    }));
    if !save {
        return Ok(());
    }
    changes.written += 1;
    written.number = changes.written;
    written.draft = false;
    written.from = Some(Address::new(owner.display_name, owner.mail.unwrap_or(owner.user_principal_name)));
    let (received, lag) = (Utc::now().timestamp(), changes.sent_items_lag);
    let listed_from = (!lag.is_zero()).then(|| Instant::now() + lag);
    let own = changes.mailboxes.entry(mailbox).or_default();
    let text = Text::Written(Arc::new(written));
    match draft {
        Some(draft) => own.relocate(Item { received, text, listed_from, ..draft }, Folder::SENT),
        None => own.add_from(received, Folder::SENT, text, listed_from),
    };
    Ok(())
}

pub(super) fn draft(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let message: NewMessage = request.json()?;
    let mut written = message.into_written()?;
    let mut changes = state.changes();
    changes.written += 1;
    written.number = changes.written;
    written.draft = true;
    let now = Utc::now().timestamp();
    let item = changes.mailboxes.entry(mailbox).or_default().add(
        now,
        Folder::DRAFTS,
        Text::Written(Arc::new(written)),
    );
    drop(changes);
    Ok(shown(state, 201, mailbox, &item, &View::of(request, &Query::default())?))
}

/// Returns a draft, or the refusal of a message that is not a draft.
pub(super) fn draft_in(
    state: &State,
    faults: &Faults,
    changes: &Changes,
    mailbox: u32,
    place: &Place,
) -> Result<(Item, Arc<Written>), Refusal> {
    let folder = state.folder(mailbox, place.folder.as_deref())?;
    let item = state.item_in(changes, mailbox, folder, &place.id)?;
    if item.since.is_some_and(|since| since.elapsed() < faults.visibility_lag()) {
        return Err(Refusal::item_not_found());
    }
    match &item.text {
        Text::Written(written) if written.draft => {
            let written = written.clone();
            Ok((item, written))
        }
        _ => Err(Refusal::new(
            403,
            "ErrorAccessDenied",
            "The operation failed: only a draft can be changed or sent.",
        )),
    }
}

pub(super) fn attach(state: &State, faults: &Faults, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let attachment = request.json::<FileAttachment>()?.read()?;
    let mut changes = state.changes();
    let (item, written) = draft_in(state, faults, &changes, mailbox, place)?;
    let mut attached = Arc::unwrap_or_clone(written);
    attached.attachments.push(attachment.clone());
    let item_after = Item { text: Text::Written(Arc::new(attached)), ..item.clone() };
    let body = attachments::created(state, mailbox, &item_after, request);
    changes
        .mailboxes
        .entry(mailbox)
        .or_default()
        .edit(item.key, |written| written.attachments.push(attachment));
    Ok(body)
}

pub(super) fn send_draft(state: &State, faults: &Faults, place: &Place) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let mut changes = state.changes();
    let (item, written) = draft_in(state, faults, &changes, mailbox, place)?;
    deliver(state, &mut changes, mailbox, Arc::unwrap_or_clone(written), Some(item), true)?;
    Ok(GraphResponse::empty(202))
}
