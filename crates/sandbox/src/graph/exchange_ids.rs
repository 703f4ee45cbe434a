//! `translateExchangeIds`: from default ids to immutable ones and back ("user: translateExchangeIds").

use serde::Deserialize;
use serde_json::{Value, json};

use super::identifier::IdForm;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::state::State;

/// Ids in one request.
const MOST_IDS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Translation {
    input_ids: Vec<String>,
    source_id_type: String,
    target_id_type: String,
}

pub(super) fn translate(state: &State, user: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let Translation { input_ids, source_id_type, target_id_type } = request.json()?;
    if input_ids.len() > MOST_IDS {
        return Err(Refusal::bad_request(format!("The maximum number of ids is {MOST_IDS}.")));
    }
    form(&source_id_type)?;
    let target = form(&target_id_type)?;
    let translated = |id: &String| match state.item(mailbox, None, id) {
        Ok(item) => {
            let message = state.look(mailbox, &item);
            let target_id = match target {
                IdForm::Default => message.id(),
                IdForm::Immutable => message.immutable_id(),
            };
            json!({"sourceId": id, "targetId": target_id})
        }
        Err(refusal) => json!({
            "sourceId": id,
            "errorDetails": {"code": refusal.code, "message": refusal.message},
        }),
    };
    let value: Vec<Value> = input_ids.iter().map(translated).collect();
    let context = format!("{}/$metadata#Collection(microsoft.graph.convertIdResult)", state.base.root);
    Ok(GraphResponse::json(200, json!({"@odata.context": context, "value": value}).to_string()))
}

/// The formats that Graph itself returns. Exchange's others (`entryId`, `ewsId`) do not exist here.
fn form(id_type: &str) -> Result<IdForm, Refusal> {
    match id_type {
        "restId" => Ok(IdForm::Default),
        "restImmutableEntryId" => Ok(IdForm::Immutable),
        other => Err(Refusal::bad_request(format!(
            "Requested value '{other}' was not found in microsoft.graph.exchangeIdFormat."
        ))),
    }
}
