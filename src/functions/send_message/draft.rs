//! A mail that is created as a draft, filled with its attachments one by one, then sent (Graph pages "Create
//! message", "Attach large files to Outlook messages or events", "message: send"). A draft can be sent only once, and
//! its immutable id stays the same when it is sent, so one request shows whether it was. A draft that is not sent is
//! removed.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::message::FileAttachment;
use super::outgoing::{Ended, Outgoing};
use super::{LARGE, SMALLEST_IN_SESSION};
use crate::functions::error::{Error, ErrorKind};
use crate::functions::idempotency::may_have_been_applied;
use graph::{self, Effect, Expected, Path, Request, SendError, UploadError, UploadSession};
use soar::Attachment;

/// Maximum number of times a draft is recreated after an indeterminate failure. Where Graph asks for a delay, the retry
/// policy decides instead.
const MAX_DRAFTS: u32 = 3;

/// A draft or upload session that is younger than this may not be visible to all of Exchange yet.
const YOUNG: Duration = Duration::from_secs(30);

/// Creates the mail as a draft and sends it.
pub(super) async fn send(outgoing: Outgoing<'_>, attachments: &[Attachment]) -> Result<Ended, Error> {
    let created = Draft::create(outgoing).await;
    send_created(outgoing, created, attachments).await
}

/// Creates the mail as a draft and sends it. Returns `None` if Graph refuses to create a draft, for instance because
/// the application may not change mail.
pub(super) async fn send_if_allowed(
    outgoing: Outgoing<'_>,
    attachments: &[Attachment],
) -> Option<Result<Ended, Error>> {
    let created = Draft::create(outgoing).await;
    if let Err(error) = &created
        && let ErrorKind::Graph { source, .. } = error.kind()
        && !may_have_been_applied(source)
    {
        return None;
    }
    Some(send_created(outgoing, created, attachments).await)
}

/// Sends a draft. After an indeterminate failure the draft is removed and created again.
async fn send_created(
    outgoing: Outgoing<'_>,
    mut created: Result<Draft<'_>, Error>,
    attachments: &[Attachment],
) -> Result<Ended, Error> {
    let mut tries = 0;
    loop {
        let (error, at_work) = match created {
            Ok(draft) => match draft.fill_and_send(attachments).await {
                Ok(()) => return Ok(Ended::Sent),
                Err(error) => (error, true),
            },
            Err(error) => (error, false),
        };
        let wait = match error.kind() {
            ErrorKind::Graph { source, .. } if may_have_been_applied(source) => {
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
            let error = match error.into_kind() {
                ErrorKind::Graph { attempt, permissions, source } => {
                    if may_have_been_applied(&source)
                        && let Ok(Some(ended)) = outgoing.find_sent().await
                    {
                        return Ok(ended);
                    }
                    Error::graph(attempt, permissions, source.with_effect(Effect::NotApplied))
                }
                other => other.into(),
            };
            return if at_work { Err(error) } else { outgoing.no_mailbox(error) };
        };
        tries += 1;
        warn!(mailbox = outgoing.mail.sender, error = error.for_log(), "creating the draft again");
        outgoing.context.guard.sleep(wait).await;
        // Also removes an earlier draft.
        if let Some(ended) = outgoing.find_sent().await? {
            return Ok(ended);
        }
        created = Draft::create(outgoing).await;
    }
}

/// A mail in the sender's Drafts folder.
struct Draft<'a> {
    outgoing: Outgoing<'a>,
    id: String,
    /// The id of the Drafts folder.
    folder: Option<String>,
    created_at: Instant,
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
    #[serde(rename = "parentFolderId")]
    folder: Option<String>,
}

/// What became of a draft that Graph was asked to send.
enum Fate {
    Sent,
    Unsent,
    /// The draft is on its way, or was removed.
    Unknown,
}

impl<'a> Draft<'a> {
    async fn create(outgoing: Outgoing<'a>) -> Result<Self, Error> {
        let Outgoing { context, mail, from, tag, act } = outgoing;
        let body = serde_json::to_vec(&mail.message(tag, Vec::new()))?;
        let created = async {
            let path = Path::messages(from.address(), None)?;
            let request = Request::post(path, body.into(), act).retry_if_unsent().in_mailbox(from.address());
            let response = context.graph.send(&request.expecting(Expected::Entity)).await?;
            // Graph created the draft, whatever is wrong with its answer.
            response.parse::<Created>().map_err(|error| error.with_effect(Effect::Indeterminate))
        };
        let failed = |source| outgoing.failed(LARGE.permissions, source);
        let Created { id, folder } = created.await.map_err(failed)?;
        let removal = outgoing.removal(&id).map_err(failed)?;
        let created_at = Instant::now();
        Ok(Self {
            outgoing,
            id,
            folder,
            created_at,
            leftover: Leftover(Some((context.graph.clone(), removal))),
        })
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
        let Err(source) = self.send().await else { return Ok(()) };
        match self.remove().await {
            // The draft was still there, so it was not sent.
            Ok(()) => Err(self.failed(source)),
            // It was sent, or its owner or another run of the call removed it. A lookup in the mailbox decides.
            Err(SendError { error, repeated: false }) if error.is_item_gone() => {
                Err(self.outgoing.in_doubt(source))
            }
            Err(SendError { error, .. }) => {
                self.warn_left_over(&error);
                let sent = may_have_been_applied(&source) || source.is_item_gone();
                Err(if sent { self.outgoing.in_doubt(source) } else { self.failed(source) })
            }
        }
    }

    /// Sends the draft. A failed attempt is repeated only while the draft is known to be unsent.
    async fn send(&self) -> Result<(), graph::Error> {
        let mut repeats = 0;
        loop {
            let Err(error) = self.post("send", Bytes::new(), Request::retry_if_unsent).await else {
                return Ok(());
            };
            let repeatable = may_have_been_applied(&error) || self.is_settling(&error);
            if !repeatable && !error.is_item_gone() {
                return Err(error);
            }
            match self.fate().await {
                Ok(Fate::Sent) => return Ok(()),
                Ok(Fate::Unsent) if repeatable => {}
                Ok(Fate::Unsent | Fate::Unknown) => return Err(error),
                Err(lookup) => {
                    warn!(error = lookup.for_log(), "could not look up whether the draft was sent");
                    return Err(error);
                }
            }
            let Some(wait) = self.wait_after(&error, repeats) else { return Err(error) };
            repeats += 1;
            self.outgoing.context.guard.sleep(wait).await;
        }
    }

    /// Looks up whether the draft was sent.
    async fn fate(&self) -> Result<Fate, graph::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Place {
            is_draft: bool,
            parent_folder_id: Option<String>,
        }
        let Outgoing { context, from, .. } = self.outgoing;
        let path = self.path()?.option("$select", "id,isDraft,parentFolderId");
        let request = Request::get(path).in_mailbox(from.address());
        let place: Place = match context.graph.send(&request).await {
            Err(error) if error.is_item_gone() => return Ok(Fate::Unknown),
            response => response?.parse()?,
        };
        Ok(match place {
            Place { is_draft: false, .. } => Fate::Sent,
            // A mail that waits in the Outbox still counts as a draft.
            Place { parent_folder_id, .. } if parent_folder_id != self.folder => Fate::Unknown,
            Place { .. } => Fate::Unsent,
        })
    }

    /// Whether Graph refused a request because the draft is new. After an attempt that may have been carried out, a 404
    /// means something else. The client itself repeats a request that met a conflict.
    fn is_settling(&self, error: &graph::Error) -> bool {
        error.is_item_gone() && self.created_at.elapsed() < YOUNG && !error.is_indeterminate()
    }

    fn wait_after(&self, error: &graph::Error, repeats: u32) -> Option<Duration> {
        let named = error.backoff_hint().and_then(|hint| hint.named);
        self.outgoing.context.graph.again_after(named, repeats)
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
            let mut repeats = 0;
            while let Err(error) = self.attach(attachment).await {
                let wait = match error.kind() {
                    ErrorKind::Graph { source, .. } if self.is_settling(source) => {
                        self.wait_after(source, repeats)
                    }
                    _ => None,
                };
                let Some(wait) = wait else { return Err(error) };
                repeats += 1;
                info!(error = error.for_log(), "the draft is not ready for its attachment; trying again");
                self.outgoing.context.guard.sleep(wait).await;
            }
        }
        Ok(())
    }

    async fn attach(&self, attachment: &Attachment) -> Result<(), Error> {
        if let Some(size) = attachment.size.filter(|size| *size >= SMALLEST_IN_SESSION) {
            return self.upload(attachment, size).await;
        }
        let Outgoing { context, mail, .. } = self.outgoing;
        let content = mail.read_attachment(context, attachment).await?;
        let body = serde_json::to_vec(&FileAttachment::new(attachment, &content))?;
        let attached = self.post("attachments", body.into(), Request::retry_if_unsent).await;
        attached.map(drop).map_err(|source| self.failed(source))
    }

    /// Streams a large attachment from SOAR to Graph, in ranges. Where SOAR breaks off, both begin again.
    async fn upload(&self, attachment: &Attachment, size: u64) -> Result<(), Error> {
        let Outgoing { context, mail, act, .. } = self.outgoing;
        let mut waits = context.graph.download_waits();
        loop {
            let session = self.upload_session(attachment, size).await?;
            let content = mail.open(context, attachment).await?;
            let Err(error) = session.send(&context.graph, act, content, size).await else { return Ok(()) };
            match error {
                UploadError::Source(source) => {
                    let wait = waits.next().filter(|_| source.is_transient());
                    let Some(wait) = wait else { return Err(Error::not_read(source)) };
                    info!(error = source.for_log(), "a file of the incident broke off; it is read again");
                    context.guard.sleep(wait).await;
                }
                UploadError::Graph(source) => return Err(self.failed(source)),
                error => {
                    return Err(Error::attachment(
                        &attachment.name,
                        format!("could not be attached: {error}."),
                    ));
                }
            }
        }
    }

    /// Opens a session. One that is not used, or not to its end, does no harm.
    async fn upload_session(&self, attachment: &Attachment, size: u64) -> Result<UploadSession, Error> {
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
        self.post("attachments/createUploadSession", body.into(), Request::idempotent)
            .await
            .and_then(|answer| answer.parse().map_err(|error| error.with_effect(Effect::Indeterminate)))
            .map_err(|source| self.failed(source))
    }

    fn path(&self) -> Result<Path, graph::Error> {
        Ok(Path::message(self.outgoing.from.address(), None, &self.id)?)
    }

    async fn post(
        &self,
        action: &'static str,
        body: Bytes,
        safety: fn(Request) -> Request,
    ) -> Result<graph::Response, graph::Error> {
        let Outgoing { context, from, act, .. } = self.outgoing;
        let request = Request::post(self.path()?.then(action), body, act).in_mailbox(from.address());
        context.graph.send(&safety(request)).await
    }
}
