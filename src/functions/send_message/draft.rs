//! A mail that is too large for one request: it is put together as a draft in the sender's Drafts, its attachments
//! after it, and sent then (Graph pages "Create message", "Attach large files to Outlook messages or events", "message:
//! send"). A draft can be sent once only. One that is not sent is removed.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tracing::warn;

use super::{
    Ended, FileAttachment, Post, SMALLEST_IN_SESSION, failed, in_doubt, may_be_done, read, removal,
    remove_draft,
};
use crate::functions::error::Error;
use graph::{self, Dispatch, Failed, Path, Request, UploadError, UploadSession};
use soar::Attachment;

const PERMISSION_FOR_LARGE: &str = "Mail.Send and Mail.ReadWrite";
/// How often a draft is made anew of which it is not known whether it is there, or what it holds. One that Graph puts
/// off is as often as the retry policy says.
const MOST_DRAFTS: u32 = 3;

/// Puts the mail together in the sender's Drafts and sends it. A draft of which nobody knows whether it is there,
/// or what it holds, is made anew.
pub(super) async fn send(post: Post<'_>, attachments: &[Attachment]) -> Result<Ended, Error> {
    let mut tries = 0;
    loop {
        let (error, at_work) = match Draft::create(post).await {
            Ok(draft) => match draft.fill_and_send(attachments).await {
                Ok(()) => return Ok(Ended::Sent),
                Err(error) => (error, true),
            },
            Err(error) => (error, false),
        };
        let wait = match &error {
            Error::Graph { source, .. } if may_be_done(source) => {
                let asked = source.backoff_hint();
                let again = asked.is_some() || tries < MOST_DRAFTS;
                post.context.graph.again_after(asked.and_then(|asked| asked.named), tries).filter(|_| again)
            }
            _ => None,
        };
        let Some(wait) = wait else {
            // It was not sent, whatever became of the request; it may lie there.
            let error = match error {
                Error::Graph { attempt, permission, source } => {
                    if may_be_done(&source)
                        && let Ok(Some(ended)) = post.was_sent().await
                    {
                        return Ok(ended);
                    }
                    Error::Graph { attempt, permission, source: source.without_doubt() }
                }
                other => other,
            };
            return if at_work { Err(error) } else { post.no_mailbox(error) };
        };
        tries += 1;
        warn!(mailbox = post.mail.sender, error = error.for_log(), "putting the mail together once more");
        sleep(wait).await;
        // What lies there of it is removed.
        if let Some(ended) = post.was_sent().await? {
            return Ok(ended);
        }
    }
}

/// A mail that is put together in the sender's Drafts.
struct Draft<'a> {
    post: Post<'a>,
    id: String,
    leftover: Leftover,
}

/// What removes the draft where the call is cut short, by `call_timeout` or because its message is ours no more.
struct Leftover(Option<(graph::Client, Request)>);

impl Drop for Leftover {
    fn drop(&mut self) {
        if let (Some((graph, removal)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = graph.send(&removal).await {
                    warn!(
                        error = error.for_log(),
                        "the draft of a call that was cut short could not be removed"
                    );
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
    async fn create(post: Post<'a>) -> Result<Self, Error> {
        let Post { context, mail, from, mark, act } = post;
        let body = serde_json::to_vec(&mail.message(mark, Vec::new()))?;
        let created = async {
            let path = Path::messages(from.address(), None)?;
            let request = Request::post(path, body.into(), act).retry_if_unsent().in_mailbox(from.address());
            context.graph.send(&request).await?.parse::<Created>()
        };
        let created = created.await.map_err(|source| failed(mail, PERMISSION_FOR_LARGE, source));
        let Created { id } = created?;
        let removal = removal(from, &id, act).map_err(|source| failed(mail, PERMISSION_FOR_LARGE, source))?;
        Ok(Self { post, id, leftover: Leftover(Some((context.graph.clone(), removal))) })
    }

    /// Adds the attachments and sends the draft. One that was not sent is removed.
    async fn fill_and_send(mut self, attachments: &[Attachment]) -> Result<(), Error> {
        let ended = self.send_or_remove(attachments).await;
        self.leftover.0 = None;
        ended
    }

    async fn send_or_remove(&self, attachments: &[Attachment]) -> Result<(), Error> {
        if let Err(error) = self.fill(attachments).await {
            if let Err(Failed { error, .. }) = self.remove().await {
                self.is_left(&error);
            }
            return Err(error);
        }
        let source = match self.send().await {
            Ok(()) => return Ok(()),
            // It was sent by a try that was answered "try again"; or its owner has removed it, or another run of the
            // call has. The mailbox tells.
            Err(Failed { error, .. }) if error.is_item_gone() => return Err(in_doubt(self.post.mail, error)),
            Err(Failed { error, .. }) => error,
        };
        match self.remove().await {
            Ok(()) => Err(self.failed(source)),
            Err(Failed { error, repeated: false }) if error.is_item_gone() => {
                Err(in_doubt(self.post.mail, source))
            }
            Err(Failed { error, .. }) => {
                self.is_left(&error);
                Err(if may_be_done(&source) { in_doubt(self.post.mail, source) } else { self.failed(source) })
            }
        }
    }

    /// A draft can be sent once only, so this is as good as once however often it is asked for.
    async fn send(&self) -> Result<(), Failed> {
        let path = self.path().map_err(|error| Failed { error, repeated: false })?;
        let Post { context, from, act, .. } = self.post;
        let request =
            Request::post(path.then("send"), Bytes::new(), act).idempotent().in_mailbox(from.address());
        context.graph.send_by(&Dispatch::Single, &request).await.map(drop)
    }

    async fn remove(&self) -> Result<(), Failed> {
        remove_draft(self.post.context, self.post.from, &self.id, self.post.act).await
    }

    fn is_left(&self, error: &graph::Error) {
        warn!(
            mailbox = self.post.mail.sender,
            message_id = self.id,
            error = error.for_log(),
            "the unsent draft could not be removed"
        );
    }

    fn failed(&self, source: graph::Error) -> Error {
        failed(self.post.mail, PERMISSION_FOR_LARGE, source)
    }

    async fn fill(&self, attachments: &[Attachment]) -> Result<(), Error> {
        for attachment in attachments {
            match attachment.size {
                Some(size) if size >= SMALLEST_IN_SESSION => self.upload(attachment, size).await?,
                _ => {
                    let content = read(self.post.context, self.post.mail, attachment).await?;
                    let body = serde_json::to_vec(&FileAttachment::new(attachment, &content))?;
                    self.post("attachments", body.into(), Request::retry_if_unsent)
                        .await
                        .map_err(|source| self.failed(source))?;
                }
            }
        }
        Ok(())
    }

    /// Sends a large attachment in ranges, straight from SOAR.
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
        // A session that nobody uses does no harm.
        let session: UploadSession = self
            .post("attachments/createUploadSession", body.into(), Request::idempotent)
            .await
            .and_then(|answer| answer.parse())
            .map_err(|source| self.failed(source))?;
        let incident = self.post.mail.incident.unwrap_or_default();
        let content = self.post.context.casebook.attachment_contents(incident, attachment.id).await?;
        session.send(&self.post.context.graph, content, size).await.map_err(|error| match error {
            UploadError::Source(source) => Error::NotRead(source),
            UploadError::Graph(source) => self.failed(source),
            error => Error::Attachment {
                name: attachment.name.clone(),
                why: format!("could not be attached: {error}."),
            },
        })
    }

    fn path(&self) -> Result<Path, graph::Error> {
        Ok(Path::message(self.post.from.address(), None, &self.id)?)
    }

    async fn post(
        &self,
        what: &'static str,
        body: Bytes,
        repeated: fn(Request) -> Request,
    ) -> Result<graph::Answer, graph::Error> {
        let Post { context, from, act, .. } = self.post;
        let request = Request::post(self.path()?.then(what), body, act).in_mailbox(from.address());
        context.graph.send(&repeated(request)).await
    }
}
