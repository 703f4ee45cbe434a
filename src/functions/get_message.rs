//! `exchange_online_get_message`: returns one message as Graph shows it, with its internet headers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, Use};
use super::spec::{MAILBOX, MESSAGE, Spec, Timeout};
use graph::{Dispatch, Expected, Path, Request};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_get_message",
    summary: "Reads one message.",
    inputs: &[MAILBOX, MESSAGE],
    uses: &[Use::always(&[READ_MAIL])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

/// What Graph shows without `$select`, and the headers, which it shows only where they are selected (Graph page
/// "message resource type"). With `$select` it shows nothing else, so everything is named.
const PROPERTIES: &str = "id,createdDateTime,lastModifiedDateTime,changeKey,categories,receivedDateTime,sentDateTime,\
                          hasAttachments,internetMessageId,subject,bodyPreview,importance,parentFolderId,\
                          conversationId,conversationIndex,isDeliveryReceiptRequested,isReadReceiptRequested,isRead,\
                          isDraft,webLink,inferenceClassification,body,sender,from,toRecipients,ccRecipients,\
                          bccRecipients,replyTo,flag,internetMessageHeaders";

/// The kind of a message, and its headers. An invitation is a message with more properties, which cannot be selected
/// as those of a message.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "@odata.type")]
    name: Option<String>,
    #[serde(rename = "internetMessageHeaders")]
    headers: Option<Box<RawValue>>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    reader.finish()?;

    context.status.say(format!("Reading a message of {mailbox}"));
    let read = read(context, &mailbox, &id).await;
    context.guard.record_reading(&mailbox, &id, &read);
    match read {
        Ok(message) => Outcome::object(message),
        Err(source) => {
            let attempt = format!("read message {id} of mailbox {mailbox}");
            let what = format!("Message {id} of mailbox {mailbox}");
            Outcome::not_found_in(&mailbox, Error::graph(attempt, SPEC.permissions(), source), &what)?
                .with_pretty()
        }
    }
}

async fn read(context: &Context, mailbox: &str, id: &str) -> Result<Box<RawValue>, graph::Error> {
    let Context { graph, guard, .. } = context;
    let owner = guard.authorize_reading(graph, &Dispatch::Single, mailbox).await?;
    let path = Path::message(owner.address(), None, id)?;
    let request = |path: Path| Request::get(path).in_mailbox(owner.address()).expecting(Expected::Entity);
    let response = graph.send(&request(path.clone().option("$select", PROPERTIES))).await?;
    let kind: Kind = response.parse()?;
    match kind.name.as_deref() {
        None | Some("#microsoft.graph.message") => response.json(),
        Some(_) => {
            let message = graph.send(&request(path)).await?.json()?;
            Ok(with_headers(message, kind.headers))
        }
    }
}

/// Adds the headers to a message that has none.
fn with_headers(message: Box<RawValue>, headers: Option<Box<RawValue>>) -> Box<RawValue> {
    let Some(headers) = headers else { return message };
    let added = message.get().trim_end().strip_suffix('}').and_then(|open| {
        RawValue::from_string(format!("{open},\"internetMessageHeaders\":{headers}}}")).ok()
    });
    added.unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_added_to_what_is_there() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let with = |headers| with_headers(raw(r#"{"id": "a" }"#), headers).get().to_owned();
        assert_eq!(with(Some(raw("[1]"))), r#"{"id": "a" ,"internetMessageHeaders":[1]}"#);
        assert_eq!(with(None), r#"{"id": "a" }"#);
    }
}
