//! Removes the messages of a plan, many mailboxes at the same time.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::claim::Unaccounted;
use super::fate::Dealt;
use super::identity::identity;
use super::meetings;
use super::refusal::{Refusal, approver};
use super::wish::{Action, Wish};
use crate::functions::access::Access;
use crate::functions::context::Context;
use crate::functions::many::{self, UNDER_WAY};
use crate::functions::meetings::{MeetingsOfMessages, RemovedMeetings};
use crate::functions::outcome::{NotDone, under_current_rails};
use crate::functions::plan::{Fate, Folders, OutcomeMessage, Plan, PlannedMessage, folder_name};
use crate::functions::removal::{Identity, Order, Removed, RemovedBy, remove};
use crate::guard::{Mailbox, StopReason};
use graph::{Dispatch, read_meeting_message};

/// The code of a message that is not purged, since its calendar entry is left.
const MEETING_LEFT: &str = "MeetingLeft";

/// What was done, and why the call ended before it had tried all messages.
pub(super) struct Applied {
    /// Every message of the plan, in its order.
    pub(super) messages: Vec<OutcomeMessage>,
    /// The calendar entries that were removed along with them.
    pub(super) meetings: RemovedMeetings,
    pub(super) stopped: Option<StopReason>,
}

/// Removes the messages until the call is stopped, and as far as it gets `until` then.
pub(super) async fn apply(
    context: &Context,
    (wish, plan): (&Wish, &Plan),
    unaccounted: Unaccounted,
    until: Instant,
) -> Applied {
    let dispatch = context.graph.bulk();
    let job = wish.digest.to_string();
    let meetings = meetings::of_plan(wish, plan, &job);
    let removal =
        Removing { context, dispatch: &dispatch, wish, plan, unaccounted, job: &job, meetings: &meetings };
    let mailboxes: HashMap<&str, Access> =
        plan.mailboxes().into_iter().map(|(id, _)| (id, Access::default())).collect();
    let order = in_turns(plan);
    let run = many::each(context, until, &order, ("Removing", "message"), |(_, message)| {
        removal.one(&mailboxes[message.mailbox_id.as_str()], message)
    });
    let many::Run { fates, stopped } = run.await;
    let mut dealt: Vec<_> = order.into_iter().zip(fates).collect();
    dealt.sort_unstable_by_key(|((place, _), _)| *place);
    let dealt = dealt.into_iter().map(|((_, planned), fate)| Dealt::new(fate).of(planned));
    let mut messages: Vec<OutcomeMessage> = dealt.collect();
    let meetings = meetings::add_fates(meetings, &mut messages);
    if let Some(reason) = &stopped
        && !context.guard.is_untouched()
    {
        let left = messages.iter().filter(|message| message.fate == Fate::NotReached).count();
        context.guard.record_stop(left, reason);
    }
    if stopped.is_none() {
        name_folders(context, &dispatch, &mut messages, until).await;
    }
    Applied { messages, meetings, stopped }
}

/// The messages with their places: the first of each mailbox, then the second of each, since a mailbox takes only a few
/// requests at once.
fn in_turns(plan: &Plan) -> Vec<(usize, &PlannedMessage)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut turns = Vec::with_capacity(plan.messages().len());
    for (place, message) in plan.messages().iter().enumerate() {
        let nth = seen.entry(message.mailbox_id.as_str()).or_insert(0);
        turns.push((*nth, place, message));
        *nth += 1;
    }
    turns.sort_unstable_by_key(|(nth, place, _)| (*nth, *place));
    turns.into_iter().map(|(_, place, message)| (place, message)).collect()
}

/// How the messages of a plan are removed.
struct Removing<'a, 'm> {
    context: &'a Context,
    dispatch: &'a Dispatch,
    wish: &'a Wish,
    plan: &'a Plan,
    unaccounted: Unaccounted,
    /// On whose behalf a message goes into quarantine.
    job: &'a str,
    /// The calendar entries that go with the messages.
    meetings: &'a MeetingsOfMessages<'m>,
}

impl Removing<'_, '_> {
    async fn one(&self, access: &Access, planned: &PlannedMessage) -> Result<Removed, NotDone> {
        let expected = &identity(planned);
        under_current_rails(self.context, |context| async move {
            // The setting may have been switched on since the call began.
            approver(&context, self.wish, self.plan).map_err(not_done)?;
            let (name, id) = (&planned.mailbox, &planned.mailbox_id);
            let mailbox = access.planned(&context, self.dispatch, name, id).await?;
            let message = (planned.mailbox_id.as_str(), planned.id.as_str());
            Box::pin(self.meetings.remove(&context, self.dispatch, &mailbox, message)).await?;
            self.ensure_no_entry(&context, &mailbox, planned, expected).await?;
            let order = Order {
                folder: None,
                id: &planned.id,
                removal: self.wish.action.removal(),
                job: self.job,
                expected: Some(expected),
            };
            match remove(&context, self.dispatch, &mailbox, &order).await {
                // It cannot have gone into quarantine, but another call may have deleted it.
                Err(NotDone::Graph(error)) if self.unaccounted.deletions && error.is_item_gone() => {
                    Ok(Removed::by(RemovedBy::Presumed))
                }
                removed => removed,
            }
        })
        .await
    }

    /// Refuses to purge a message whose calendar entry is there still: nothing else says which entry it is.
    async fn ensure_no_entry(
        &self,
        context: &Context,
        mailbox: &Mailbox,
        planned: &PlannedMessage,
        expected: &Identity,
    ) -> Result<(), NotDone> {
        let has_entry = self.wish.with_meetings && planned.is_invitation;
        if self.wish.action != Action::Purge || !has_entry || context.guard.is_dry_run() {
            return Ok(());
        }
        let (address, id) = (mailbox.address(), planned.id.as_str());
        match read_meeting_message(&context.graph, self.dispatch, address, None, id).await {
            Ok(message) if !expected.is_of_meeting(&message) => Ok(()),
            Ok(message) if message.entry.as_ref().is_none_or(|entry| entry.is_organizer) => Ok(()),
            Err(error) if error.is_item_gone() => Ok(()),
            Err(error) if error.is_for_all() || error.withdrawal().is_some() => Err(error.into()),
            Ok(_) | Err(_) => Err(NotDone::Refused {
                code: MEETING_LEFT,
                why: "its calendar entry is there still, or may be, and would not be found without it"
                    .to_owned(),
            }),
        }
    }
}

fn not_done(Refusal { code, why }: Refusal) -> NotDone {
    NotDone::Refused { code, why }
}

/// Adds the names of the folders to which owners moved messages since the plan was made.
async fn name_folders(
    context: &Context,
    dispatch: &Dispatch,
    messages: &mut [OutcomeMessage],
    until: Instant,
) {
    let unnamed = messages.iter().filter(|message| message.changed.iter().any(|what| what == "moved"));
    let wanted: HashSet<(String, String)> =
        unnamed.map(|one| (one.mailbox_id.clone(), one.folder_id.clone())).collect();
    let named: Vec<_> = wanted
        .into_iter()
        .map(|(mailbox, id)| async move {
            let name = folder_name(context, dispatch, &mailbox, &id).await;
            ((mailbox, id), name)
        })
        .collect();
    let named = stream::iter(named).buffer_unordered(UNDER_WAY).collect::<Folders>();
    let Ok(named) = timeout_at(until, named).await else { return };
    for message in messages {
        let key = (message.mailbox_id.clone(), message.folder_id.clone());
        if let Some(name) = named.get(&key) {
            message.folder.clone_from(name);
        }
    }
}
