//! What the page shows, as JSON.

use serde_json::{Value, json};

use crate::soar::customizations::Customizations;
use crate::soar::engine::{End, Engine, Run, Scripts};
use crate::soar::incidents::{Artifact, Attachment, Incident, Note, NoteFormat};

/// The version of the state: it grows with each change.
pub(super) fn version(engine: &Engine) -> u64 {
    *engine.changes().borrow() + *engine.soar().rest.incidents().changes().borrow()
}

/// The state of all incidents and calls. `live` says whether a server can tell of changes.
pub(super) fn of(engine: &Engine, live: bool) -> Value {
    // The version first: a change in between is shown twice rather than never.
    let version = version(engine);
    let soar = engine.soar();
    let incidents = soar.rest.incidents().all();
    json!({
        "live": live,
        "version": version,
        "organisation": soar.options().organisation.name,
        "incidents": incidents.iter().map(|one| incident(engine, one)).collect::<Vec<_>>(),
        "calls": engine.runs().iter().map(call).collect::<Vec<_>>(),
    })
}

fn incident(engine: &Engine, incident: &Incident) -> Value {
    json!({
        "id": incident.id,
        "name": incident.name,
        "created": incident.created,
        "modified": incident.modified,
        "author": incident.author.display_name,
        "active": incident.fields.get("plan_status").is_none_or(|status| status == "A"),
        "notes": incident.notes.iter().map(note).collect::<Vec<_>>(),
        "attachments": incident.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "artifacts": incident.artifacts.iter().map(artifact).collect::<Vec<_>>(),
        "tables": tables(engine, incident),
    })
}

fn note(note: &Note) -> Value {
    json!({
        "author": note.author.display_name,
        "created": note.created,
        "html": note.format == NoteFormat::Html,
        "content": note.content,
    })
}

fn attachment(attachment: &Attachment) -> Value {
    json!({
        "id": attachment.id,
        "name": attachment.name,
        "size": attachment.size,
        "author": attachment.author.display_name,
        "created": attachment.created,
    })
}

fn artifact(artifact: &Artifact) -> Value {
    json!({
        "type": artifact.kind,
        "value": artifact.value,
        "description": artifact.description,
        "author": artifact.author.display_name,
        "created": artifact.created,
    })
}

/// All data tables of the organisation with the incident's rows, in the order of the columns.
fn tables(engine: &Engine, incident: &Incident) -> Vec<Value> {
    let tables = engine.soar().rest.look_at_customizations(Customizations::tables);
    let shown = tables.iter().map(|table| {
        let columns =
            table.columns.iter().map(|column| json!({"label": column.label, "type": column.input_type}));
        let rows = incident.rows_of(&table.name).map(|row| {
            let cells = table.columns.iter().map(|column| row.cells.get(&column.name));
            cells.collect::<Vec<_>>()
        });
        json!({
            "label": table.label,
            "columns": columns.collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
        })
    });
    shown.collect()
}

fn call(run: &Run) -> Value {
    let (state, message) = match &run.end {
        None if run.replied.is_some() => ("running", "the scripts of the process run".to_owned()),
        None => {
            ("running", run.statuses.last().cloned().unwrap_or_else(|| "waits for the daemon".to_owned()))
        }
        Some(End::NoReply(why)) => ("failed", why.clone()),
        Some(End::Replied { reply, .. }) if reply.message_type != 0 => ("failed", reply.message.clone()),
        Some(End::Replied { reply, .. }) if reply.results["success"] != json!(true) => {
            ("failed", reply.results["reason"].as_str().unwrap_or_default().to_owned())
        }
        Some(End::Replied { reply, .. }) => ("done", reply.message.clone()),
    };
    let (added, script_failure) = match &run.end {
        Some(End::Replied { scripts: Scripts::Ran(added), .. }) => (Some(added), None),
        Some(End::Replied { scripts: Scripts::Failed(why), .. }) => (None, Some(why)),
        _ => (None, None),
    };
    json!({
        "incident": run.request.incident,
        "function": run.request.function,
        "process": run.process,
        "started": run.started,
        "replied": run.replied,
        "state": state,
        "message": message,
        "added": added,
        "script_failure": script_failure,
    })
}
