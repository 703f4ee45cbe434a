//! What a message is like now: what a plan freezes, and what is compared before the message is removed.

use std::collections::HashMap;

use serde::Deserialize;

use crate::functions::context::Context;
use graph::models::Correspondent;
use graph::{Dispatch, Expected, Path, Request};

const SELECT: &str = "id,internetMessageId,receivedDateTime,parentFolderId,subject,isRead,from,sender";
/// The kinds of messages that concern a meeting (Graph page "eventMessage resource type").
const EVENT_MESSAGE: &str = "#microsoft.graph.eventMessage";

/// What Graph says of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::functions) struct MessageState {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    pub(in crate::functions) id: String,
    pub(in crate::functions) internet_message_id: Option<String>,
    pub(in crate::functions) received_date_time: Option<String>,
    pub(in crate::functions) parent_folder_id: Option<String>,
    pub(in crate::functions) subject: Option<String>,
    pub(in crate::functions) is_read: Option<bool>,
    from: Option<Correspondent>,
    sender: Option<Correspondent>,
}

impl MessageState {
    /// Reads the message called `id` in the mailbox with that id. Its own id is immutable, whatever `id` is.
    pub(in crate::functions) async fn read(
        context: &Context,
        dispatch: &Dispatch,
        mailbox: &str,
        id: &str,
    ) -> Result<Self, graph::Error> {
        let (state, is_mutable) = Self::read_as_named(context, dispatch, mailbox, id).await?;
        if !is_mutable {
            return Ok(state);
        }
        let id = graph::immutable_id(&context.graph, dispatch, mailbox, &state.id).await?;
        Ok(Self::read_as_named(context, dispatch, mailbox, &id).await?.0)
    }

    async fn read_as_named(
        context: &Context,
        dispatch: &Dispatch,
        mailbox: &str,
        id: &str,
    ) -> Result<(Self, bool), graph::Error> {
        let path = Path::message(mailbox, None, id)?.option("$select", SELECT);
        let request = Request::get(path).in_mailbox(mailbox).expecting(Expected::Entity);
        let completed = context.graph.send_by(dispatch, &request).await?;
        Ok((completed.response.parse()?, completed.mutable_ids))
    }

    /// Whether it invites to a meeting, updates or cancels one.
    pub(in crate::functions) fn is_invitation(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.starts_with(EVENT_MESSAGE))
    }

    /// The address of its author, or of who sent it for the author.
    pub(in crate::functions) fn sender(&self) -> &str {
        let people = [&self.from, &self.sender].into_iter().flatten();
        let mut addresses = people.filter_map(Correspondent::address);
        addresses.next().unwrap_or_default()
    }
}

/// The names of folders by mailbox and id; `None` where a name could not be read.
pub(in crate::functions) type Folders = HashMap<(String, String), Option<String>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    display_name: Option<String>,
}

/// The name of a folder. One that cannot be read has none: the messages in it are known by their ids.
pub(in crate::functions) async fn folder_name(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
) -> Option<String> {
    let path = Path::mail_folder(mailbox, id).ok()?.option("$select", "id,displayName");
    let request = Request::get(path).in_mailbox(mailbox);
    let folder = context.graph.send_by(dispatch, &request).await.ok()?.response.parse::<Folder>();
    folder.ok()?.display_name
}
