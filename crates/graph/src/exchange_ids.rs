//! Ids that survive a move, for messages that are known by older ones (Graph page "user: translateExchangeIds").

use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::path::Path;
use crate::request::Request;

#[derive(Deserialize)]
struct Translated {
    value: [Translation; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Translation {
    target_id: String,
}

/// Returns the immutable id of the message that has `id`, an id as they were before immutable ones.
pub async fn immutable_id(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    id: &str,
) -> Result<String, Error> {
    let path = Path::user(mailbox)?.then("translateExchangeIds");
    let body = json!({
        "inputIds": [id], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId",
    });
    let request = Request::query(path, body.to_string().into()).in_mailbox(mailbox);
    let response = client.send_by(dispatch, &request).await?.response;
    let Translated { value: [Translation { target_id }] } = response.parse()?;
    Ok(target_id)
}
