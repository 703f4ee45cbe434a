//! `exchange_online_get_attachments`: names, types, sizes and digests of what is attached to a message, of messages
//! within it as well, and the URLs in their texts; on request the files are stored in the incident.

mod archive;
mod content;
mod store;
mod verified;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::Context;
use super::error::Error;
use super::file_names::{is_list_of_names, split_names};
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, Use};
use super::spec::{INCIDENT, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use content::Facts;
use graph::attachments::{Attachment, Limits, MessageAttachments, SELECT, Wanted};
use graph::{Dispatch, Expected, Path, Request};
use store::Store;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_get_attachments",
    summary: "Reads names, sizes, hashes and URLs of a message's attachments, and stores the files on request.",
    inputs: &[
        Input { required: false, ..INCIDENT },
        MAILBOX,
        MESSAGE,
        Input::optional(
            "exo_attachment_names",
            InputKind::Text,
            "names of the only attachments to read, separated by line ends or commas [default: all]",
        ),
        Input::optional(
            "exo_store_attachments",
            InputKind::Boolean,
            "stores the files in the incident as well [default: no]",
        ),
    ],
    uses: &[Use::always(&[READ_MAIL])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

/// The properties of the message that are read with its attachments.
const MESSAGE_PROPERTIES: &str = "id,subject,internetMessageId,body";

/// What is asked for.
struct Wish {
    incident: Option<i64>,
    mailbox: String,
    id: String,
    names: Option<String>,
    is_stored: bool,
}

impl Wish {
    fn read(context: &Context, inputs: &Inputs) -> Result<Self, Error> {
        let mut reader = inputs.read();
        let is_stored = reader.flag("exo_store_attachments").unwrap_or(false);
        let wish = Self {
            incident: reader.incident(is_stored && context.sink.needs_incident()),
            mailbox: reader.required_mailbox("exo_email_address"),
            id: reader.required_id("exo_messages_id"),
            names: reader.words("exo_attachment_names").filter(|names| is_list_of_names(names)),
            is_stored,
        };
        reader.finish()?;
        Ok(wish)
    }

    /// The attachments that are asked for, and the names that none has.
    fn choose(&self, mut attachments: Vec<Attachment>) -> (Vec<Attachment>, Vec<String>) {
        let Some(names) = &self.names else { return (attachments, Vec::new()) };
        let existing = attachments.iter().map(|attachment| attachment.name.as_str());
        let wanted = split_names(names, existing);
        let is_missing = |name: &&&str| attachments.iter().all(|attachment| attachment.name.trim() != **name);
        let missing = wanted.iter().filter(is_missing).map(|name| (*name).to_owned()).collect();
        attachments.retain(|attachment| wanted.contains(&attachment.name.trim()));
        (attachments, missing)
    }
}

/// The message, with as much of it as is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    subject: Option<String>,
    internet_message_id: Option<String>,
    body: Option<Body>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    content_type: Option<String>,
    content: Option<String>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let wish = Wish::read(context, inputs)?;
    let Wish { mailbox, id, .. } = &wish;
    context.status.say(format!("Reading the attachments of a message of {mailbox}"));
    let read = read(context, &wish).await;
    let count = read.as_ref().ok().map(|(_, _, attachments)| attachments.len());
    context.guard.record_reading_attachments(mailbox, id, count, &read);
    let (owner, message, attachments) = match read {
        Ok(read) => read,
        Err(source) => {
            let attempt = format!("read the attachments of message {id} of mailbox {mailbox}");
            let what = format!("Message {id} of mailbox {mailbox}");
            return Outcome::not_found_in(mailbox, Error::graph(attempt, SPEC.permissions(), source), &what);
        }
    };
    let (chosen, missing) = wish.choose(attachments);
    let source = MessageAttachments { client: &context.graph, mailbox: &owner, message: id };
    let limits = Limits { bytes: context.limits.max_attachment, ..Limits::default() };
    let files = source.examine(&chosen, Wanted::Digests, limits).await;
    let stored = if wish.is_stored {
        context.status.say(format!("Storing the attachments of a message of {mailbox}"));
        let store = Store { context, source, mailbox, incident: wish.incident };
        store.all(&chosen, &files).await?
    } else {
        store::Stored::default()
    };
    let facts = Facts { mailbox, id, message, files, stored, missing };
    facts.outcome()
}

/// Reads the message with its attachments. Returns the mailbox as it stands in addresses as well.
async fn read(context: &Context, wish: &Wish) -> Result<(String, Message, Vec<Attachment>), graph::Error> {
    let Context { graph, guard, .. } = context;
    let owner = guard.authorize_reading(graph, &Dispatch::Single, &wish.mailbox).await?;
    let path = Path::message(owner.address(), None, &wish.id)?
        .option("$select", MESSAGE_PROPERTIES)
        .option("$expand", &format!("attachments($select={SELECT})"));
    // Graph leaves out what it takes for unsafe, forms for instance, and with them the URLs (Graph page "message
    // resource type").
    let request = Request::get(path)
        .in_mailbox(owner.address())
        .expecting(Expected::Entity)
        .preferring(graph::WHOLE_HTML);
    let response = graph.send(&request).await?;
    let message: Message = response.parse()?;
    let raw: Box<RawValue> = response.json()?;
    let source = MessageAttachments { client: graph, mailbox: owner.address(), message: &wish.id };
    let attachments = source.expanded(&raw).await?;
    Ok((owner.address().to_owned(), message, attachments))
}
