//! The full-text search over incidents and what they have.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use crate::soar::incidents::{Incident, Owner};

/// A search as it is sent.
#[derive(Deserialize)]
pub(super) struct Search {
    query: String,
    /// The kinds of objects to search; all of them if it is left out.
    #[serde(default)]
    types: Option<Vec<String>>,
}

/// A text that can be found: the kind and number of its object, and the name of its field.
type Text<'i> = (&'static str, i64, &'static str, &'i str);

/// `POST /rest/search_ex`: what contains every word of the query.
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    Json(Search { query, types }): Json<Search>,
) -> Json<Value> {
    let words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
    let wanted = |kind: &str| types.as_ref().is_none_or(|types| types.iter().any(|one| one == kind));
    let org = shared.look(|data| data.organisations.first().map(|org| org.id));
    let mut results = Vec::new();
    for incident in shared.incidents.all() {
        for (kind, id, field, text) in texts(&incident) {
            let lower = text.to_lowercase();
            if wanted(kind) && !words.is_empty() && words.iter().all(|word| lower.contains(word)) {
                results.push(json!({
                    "type_id": kind, "obj_id": id, "match_field_name": field, "match_field_value": text,
                    "inc_id": incident.id, "inc_name": incident.name, "org_id": org, "score": 1.0,
                    "inc_owner_id": incident.fields.get("owner_id"), "obj_create_date": incident.created,
                    "task_id": null, "task_name": null, "result": {"id": id, "inc_id": incident.id}
                }));
            }
        }
    }
    Json(json!({"results": results}))
}

fn texts(incident: &Incident) -> Vec<Text<'_>> {
    let description = incident.fields.get("description").and_then(Value::as_str).unwrap_or_default();
    let own = [("name", incident.name.as_str()), ("description", description)];
    let mut all: Vec<Text<'_>> =
        own.into_iter().map(|(field, text)| ("incident", incident.id, field, text)).collect();
    all.extend(incident.tasks.iter().map(|task| ("task", task.id, "name", task.name.as_str())));
    all.extend(incident.artifacts.iter().map(|one| ("artifact", one.id, "value", one.value.as_str())));
    all.extend(incident.notes.iter().map(|note| {
        let kind = if matches!(note.owner, Owner::Incident(_)) { "incidentcomment" } else { "taskcomment" };
        (kind, note.id, "text", note.content.as_str())
    }));
    all.extend(incident.attachments.iter().map(|one| ("attachment", one.id, "name", one.name.as_str())));
    for row in &incident.rows {
        let cells = row.cells.values().filter_map(Value::as_str);
        all.extend(cells.map(|cell| ("datatable", row.id, "cell", cell)));
    }
    all
}
