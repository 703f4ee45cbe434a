//! A mail that is too large for one request: created as a draft, filled with its attachments one by one, then sent
//! (Graph pages "Create message", "Attach large files to Outlook messages or events", "message: send"). A draft can be
//! sent only once. A draft that is not sent is removed.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tracing::warn;

use super::LARGE;
use super::message::{FileAttachment, SMALLEST_IN_SESSION};
use super::outgoing::{Ended, Outgoing, may_be_done};
use crate::functions::error::Error;
use graph::{self, Dispatch, Effect, Path, Request, SendError, UploadError, UploadSession};
use soar::Attachment;

/// Maximum number of times a draft is recreated after an indeterminate failure. Where Graph asks for a delay, the retry
/// policy decides instead.
const MAX_DRAFTS: u32 = 3;

/// Creates the mail as a draft and sends it. After an indeterminate failure the draft is removed and created again.
pub(super) async fn send(outgoing: Outgoing<'_>, attachments: &[Attachment]) -> Result<Ended, Error> {
    let mut tries = 0;
    loop {
        let (error, at_work) = match Draft::create(outgoing).await {
            Ok(draft) => match draft.fill_and_send(attachments).await {
                Ok(()) => return Ok(Ended::Sent),
                Err(error) => (error, true),
            },
            Err(error) => (error, false),
        };
        let wait = match &error {
            Error::Graph { source, .. } if may_be_done(source) => {
                let asked = source.backoff_hint();
                let again = asked.is_some() || tries < MAX_DRAFTS;
                outgoing
                    .context
                    .graph
                    .again_after(asked.and_then(|asked| asked.named), tries)
                    .filter(|_| again)
            }
            _ => None,
        };
        let Some(wait) = wait else {
            // The draft was not sent, whatever became of the request, but it may exist.
            let error = match error {
                Error::Graph { attempt, permissions, source } => {
                    if may_be_done(&source)
                        && let Ok(Some(ended)) = outgoing.find_sent().await
                    {
                        return Ok(ended);
                    }
                    Error::Graph { attempt, permissions, source: source.with_effect(Effect::NotApplied) }
                }
                other => other,
            };
            return if at_work { Err(error) } else { outgoing.no_mailbox(error) };
        };
        tries += 1;
        warn!(mailbox = outgoing.mail.sender, error = error.for_log(), "creating the draft again");
        sleep(wait).await;
        // Also removes an earlier draft.
        if let Some(ended) = outgoing.find_sent().await? {
            return Ok(ended);
        }
    }
}

/// A mail in the sender's Drafts folder.
struct Draft<'a> {
    outgoing: Outgoing<'a>,
    id: String,
    leftover: Leftover,
}

/// Removes the draft when the call is cut short, by `call_timeout` or because it lost the lease on its message.
struct Leftover(Option<(graph::Client, Request)>);

impl Drop for Leftover {
    fn drop(&mut self) {
        if let (Some((graph, removal)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = graph.send(&removal).await {
                    warn!(error = error.for_log(), "could not remove the draft of a call that was cut short");
                }
            });
        }
    }
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl<'a> Draft<'a> {
    async fn create(outgoing: Outgoing<'a>) -> Result<Self, Error> {
        let Outgoing { context, mail, from, tag, act } = outgoing;
        let body = serde_json::to_vec(&mail.message(tag, Vec::new()))?;
        let created = async {
            let path = Path::messages(from.address(), None)?;
            let request = Request::post(path, body.into(), act).retry_if_unsent().in_mailbox(from.address());
            context.graph.send(&request).await?.parse::<Created>()
        };
        let failed = |source| outgoing.failed(LARGE.permissions, source);
        let Created { id } = created.await.map_err(failed)?;
        let removal = outgoing.removal(&id).map_err(failed)?;
        Ok(Self { outgoing, id, leftover: Leftover(Some((context.graph.clone(), removal))) })
    }

    /// Adds the attachments and sends the draft, or removes it.
    async fn fill_and_send(mut self, attachments: &[Attachment]) -> Result<(), Error> {
        let ended = self.send_or_remove(attachments).await;
        self.leftover.0 = None;
        ended
    }

    async fn send_or_remove(&self, attachments: &[Attachment]) -> Result<(), Error> {
        if let Err(error) = self.fill(attachments).await {
            if let Err(SendError { error, .. }) = self.remove().await {
                self.warn_left_over(&error);
            }
            return Err(error);
        }
        let source = match self.send().await {
            Ok(()) => return Ok(()),
            // An attempt that was answered "try again" sent it, or its owner or another run of the call removed it.
            // A lookup in the mailbox decides.
            Err(SendError { error, .. }) if error.is_item_gone() => {
                return Err(self.outgoing.in_doubt(error));
            }
            Err(SendError { error, .. }) => error,
        };
        match self.remove().await {
            Ok(()) => Err(self.failed(source)),
            Err(SendError { error, repeated: false }) if error.is_item_gone() => {
                Err(self.outgoing.in_doubt(source))
            }
            Err(SendError { error, .. }) => {
                self.warn_left_over(&error);
                Err(if may_be_done(&source) { self.outgoing.in_doubt(source) } else { self.failed(source) })
            }
        }
    }

    /// A draft can be sent only once, so repeating the request is harmless.
    async fn send(&self) -> Result<(), SendError> {
        let path = self.path().map_err(|error| SendError { error, repeated: false })?;
        let Outgoing { context, from, act, .. } = self.outgoing;
        let request =
            Request::post(path.then("send"), Bytes::new(), act).idempotent().in_mailbox(from.address());
        context.graph.send_by(&Dispatch::Single, &request).await.map(drop)
    }

    async fn remove(&self) -> Result<(), SendError> {
        self.outgoing.remove_draft(&self.id).await
    }

    fn warn_left_over(&self, error: &graph::Error) {
        warn!(
            mailbox = self.outgoing.mail.sender,
            message_id = self.id,
            error = error.for_log(),
            "could not remove the unsent draft"
        );
    }

    fn failed(&self, source: graph::Error) -> Error {
        self.outgoing.failed(LARGE.permissions, source)
    }

    async fn fill(&self, attachments: &[Attachment]) -> Result<(), Error> {
        for attachment in attachments {
            match attachment.size {
                Some(size) if size >= SMALLEST_IN_SESSION => self.upload(attachment, size).await?,
                _ => {
                    let Outgoing { context, mail, .. } = self.outgoing;
                    let content = mail.read_attachment(context, attachment).await?;
                    let body = serde_json::to_vec(&FileAttachment::new(attachment, &content))?;
                    self.post("attachments", body.into(), Request::retry_if_unsent)
                        .await
                        .map_err(|source| self.failed(source))?;
                }
            }
        }
        Ok(())
    }

    /// Streams a large attachment from SOAR to Graph, in ranges.
    async fn upload(&self, attachment: &Attachment, size: u64) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct NewSession<'a> {
            #[serde(rename = "AttachmentItem")]
            item: Item<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Item<'a> {
            attachment_type: &'static str,
            name: &'a str,
            size: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            content_type: Option<&'a str>,
        }
        let content_type = attachment.content_type.as_deref();
        let item = Item { attachment_type: "file", name: &attachment.name, size, content_type };
        let body = serde_json::to_vec(&NewSession { item })?;
        // An unused session does no harm.
        let session: UploadSession = self
            .post("attachments/createUploadSession", body.into(), Request::idempotent)
            .await
            .and_then(|answer| answer.parse())
            .map_err(|source| self.failed(source))?;
        let Outgoing { context, mail, .. } = self.outgoing;
        let content = mail.open(context, attachment).await?;
        session.send(&context.graph, content, size).await.map_err(|error| match error {
            UploadError::Source(source) => Error::NotRead(source),
            UploadError::Graph(source) => self.failed(source),
            error => Error::Attachment {
                name: attachment.name.clone(),
                why: format!("could not be attached: {error}."),
            },
        })
    }

    fn path(&self) -> Result<Path, graph::Error> {
        Ok(Path::message(self.outgoing.from.address(), None, &self.id)?)
    }

    async fn post(
        &self,
        what: &'static str,
        body: Bytes,
        repeated: fn(Request) -> Request,
    ) -> Result<graph::Response, graph::Error> {
        let Outgoing { context, from, act, .. } = self.outgoing;
        let request = Request::post(self.path()?.then(what), body, act).in_mailbox(from.address());
        context.graph.send(&repeated(request)).await
    }
}
