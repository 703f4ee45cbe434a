//! `exchange_online_write_message_as_attachment`: keeps the MIME text of a message as a file of the incident or
//! of a task. It streams from Graph to SOAR and is never held.

use serde::Serialize;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use crate::graph::{self, Path, Request};
use crate::soar::{self, Target};

const PERMISSION: &str = "Mail.Read (or Mail.ReadWrite)";
/// How often a message that broke off on the way is read again, from its start.
const READ_AGAIN: usize = 3;

#[derive(Serialize)]
struct Content<'a> {
    attachment_name: &'a str,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let incident = reader.incident(&context.casebook);
    let task = reader.number("task_id");
    let mailbox = reader.required_word("exo_email_address");
    let id = reader.required_word("exo_messages_id");
    let name = reader.word("exo_attachment_name").unwrap_or_else(|| format!("message-{mailbox}-{id}.eml"));
    reader.finish()?;
    // Without an incident the casebook is one that takes no notice of the target.
    let target = task.map_or(Target::Incident(incident.unwrap_or_default()), Target::Task);

    context.status.say(format!("Writing a message of {mailbox} to the attachment {name}"));
    let mut left = READ_AGAIN;
    loop {
        let opened = async {
            let path = Path::message(&mailbox, None, &id)?.then("$value");
            context.graph.open(&Request::get(path).in_mailbox(&mailbox)).await
        };
        let message = match opened.await {
            Ok(message) => message,
            Err(source) => {
                let attempt = format!("read message {id} of mailbox {mailbox}");
                let what = format!("Message {id} of mailbox {mailbox}");
                return Outcome::not_found(Error::Graph { attempt, permission: PERMISSION, source }, &what);
            }
        };
        let most = context.limits.max_attachment;
        let kept = if message.length().is_some_and(|length| length > most) {
            Err(too_large(&name, most))
        } else {
            context.casebook.keep_message(target, &name, message, most).await
        };
        match kept {
            Ok(kept) => return Outcome::done(&Content { attachment_name: &kept }),
            // It would be as large again.
            Err(Error::Soar(soar::Error::Content { source, .. })) if is_too_large(source.as_ref()) => {
                return Err(too_large(&name, most));
            }
            // What came of it is not kept by SOAR, and reading does no harm.
            Err(Error::Soar(soar::Error::Content { .. })) if left > 0 => left -= 1,
            Err(error) => return Err(error),
        }
    }
}

fn is_too_large(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(graph::Error::MessageTooLarge(_)))
}

fn too_large(name: &str, most: u64) -> Error {
    Error::Refused(format!(
        "The message is larger than {} MiB (max_attachment_mb), so {name} was not written.",
        most >> 20
    ))
}
