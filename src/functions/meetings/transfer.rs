//! Entries in full fidelity, where the application may export and import them. Without it, or where it fails, an entry
//! comes back as an appointment.

use tracing::warn;

use super::record::Kept;
use crate::functions::context::Context;
use crate::guard::Mailbox;
use graph::{Dispatch, MAILBOX_FOLDERS_PERMISSION, TRANSFER_PERMISSION, export_entry};

/// Whether the application may export and import entries.
pub(in crate::functions) async fn can_transfer(context: &Context) -> bool {
    let claims = context.graph.claims().await.ok().flatten();
    claims.is_some_and(|claims| {
        [TRANSFER_PERMISSION, MAILBOX_FOLDERS_PERMISSION].iter().all(|role| claims.roles.contains(*role))
    })
}

/// The entry as an opaque text, if the application may export it. That it cannot be exported keeps no entry from its
/// removal, nor that there is no room to keep it.
pub(in crate::functions) async fn exported(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    id: &str,
    kept: &Kept,
) -> Option<String> {
    if !can_transfer(context).await {
        return None;
    }
    match export_entry(&context.graph, dispatch, mailbox.address(), id).await {
        Ok(exported) => kept.export(exported),
        Err(error) => {
            warn!(event_id = id, error = error.for_log(), "the calendar entry cannot be exported");
            None
        }
    }
}
