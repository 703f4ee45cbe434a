//! The quarantine folder of a mailbox, made when it is first needed.

use super::order::Failed;
use crate::audit::{Act, ActOutcome, AuditRecord};
use crate::functions::context::Context;
use crate::functions::outcome::NotDone;
use crate::guard::{Authorization, Mailbox};
use graph::{self, Dispatch, MadeFolder, QUARANTINE};

/// The code of messages in a mailbox whose owner has a folder with the name of the quarantine.
const FOLDER_IS_TAKEN: &str = "QuarantineFolderTaken";

/// Returns the id of the quarantine folder of `mailbox`. The folder with the id `gone`, if one is given, is not there
/// any more.
pub(super) async fn quarantine_folder(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    gone: Option<&str>,
) -> Result<String, Failed> {
    let known = context.graph.quarantine_folder(mailbox.address());
    let mut known = known.lock().await;
    if let Some(id) = known.as_deref().filter(|id| Some(*id) != gone) {
        return Ok(id.to_owned());
    }
    let id = make(context, dispatch, mailbox).await?;
    *known = Some(id.clone());
    Ok(id)
}

async fn make(context: &Context, dispatch: &Dispatch, mailbox: &Mailbox) -> Result<String, Failed> {
    let record =
        AuditRecord { destination: Some(QUARANTINE.to_owned()), ..AuditRecord::new(Act::CreateFolder) };
    let act = match context.guard.authorize_change(mailbox, record).await.map_err(NotDone::from)? {
        Authorization::Change(act) => act,
        Authorization::DryRun(rehearsal) => {
            rehearsal.end_with(&Ok(()));
            return Err(NotDone::DryRun.into());
        }
    };
    let made = graph::make_quarantine_folder(&context.graph, dispatch, mailbox.address(), &act).await;
    match &made {
        Ok(MadeFolder::Existing(_)) => act.end(ActOutcome::NotDone, Some("it exists")),
        Ok(MadeFolder::OfOwner) => act.end(ActOutcome::NotDone, Some("the owner has a folder of the name")),
        other => act.end_with(other),
    }
    match made? {
        MadeFolder::New(id) | MadeFolder::Existing(id) => Ok(id),
        MadeFolder::OfOwner => Err(Failed::refused(
            FOLDER_IS_TAKEN,
            &format!(
                "The mailbox has a folder {QUARANTINE:?} that is not a quarantine, so nothing was moved there. Have \
                 its owner rename it."
            ),
        )),
    }
}
