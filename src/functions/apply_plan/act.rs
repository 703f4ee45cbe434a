//! Removes the messages of a plan, many mailboxes at the same time.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::claim::Unaccounted;
use super::fate::Dealt;
use super::identity::identity;
use super::meetings;
use super::refusal::{Refusal, approver};
use super::wish::{Action, Wish};
use crate::functions::context::Context;
use crate::functions::meetings::{MeetingsOfMessages, RemovedMeetings};
use crate::functions::outcome::{NotDone, under_current_rails};
use crate::functions::plan::{Fate, Folders, OutcomeMessage, Plan, PlannedMessage, folder_name};
use crate::functions::progress::Progress;
use crate::functions::removal::{Identity, Order, Removed, RemovedBy, remove};
use crate::functions::report::{counted, thousands};
use crate::guard::{Mailbox, StopReason};
use graph::{Dispatch, read_meeting_message};

/// How many removals may be under way at once, those that wait for their mailbox or a `Retry-After` included.
const UNDER_WAY: usize = 1000;
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
    let total = plan.messages().len();
    context.status.say(format!("Removing {}", counted(total, "message")));
    let mut pace = context.status.every_few_seconds();
    let dispatch = context.graph.batched();
    let job = wish.digest.to_string();
    let meetings = meetings::of_plan(wish, plan, &job);
    let removal =
        Removing { context, dispatch: &dispatch, wish, plan, unaccounted, job: &job, meetings: &meetings };
    let mailboxes: HashMap<&str, Access> =
        plan.mailboxes().into_iter().map(|(id, _)| (id, Access::default())).collect();
    let order = in_turns(plan);
    let mut fates: Vec<Option<Dealt>> = (0..total).map(|_| None).collect();
    let mut begun = 0;
    let mut done = 0;
    let mut under_way = FuturesUnordered::new();
    let mut stop_reason = None;
    let mut stopped = pin!(context.guard.stopped());
    loop {
        while stop_reason.is_none()
            && under_way.len() < UNDER_WAY
            && let Some(place) = order.get(begun)
            && let Some(message) = plan.messages().get(*place)
        {
            begun += 1;
            let access = &mailboxes[message.mailbox_id.as_str()];
            let removal = &removal;
            under_way.push(async move { (*place, removal.one(access, message).await) });
        }
        let ended = tokio::select! {
            biased;
            // What is under way ends by itself: as sent, or as withdrawn.
            reason = &mut stopped, if stop_reason.is_none() => {
                stop_reason = Some(reason);
                continue;
            }
            ended = timeout_at(until, under_way.next()) => ended,
        };
        let Ok(Some((place, removed))) = ended else { break };
        fates[place] = Some(Dealt::new(removed));
        done += 1;
        let progress = Progress { done, total, more: false, found: None };
        pace.say(progress, || format!("Dealt with {} of {}", thousands(done), counted(total, "message")));
    }
    drop(under_way);
    // These are left only if the call was stopped or the time ended.
    for (nth, place) in order.iter().enumerate() {
        fates[*place].get_or_insert_with(|| {
            Dealt::new(Err(match &stop_reason {
                Some(reason) if nth >= begun => reason.refusal().into(),
                _ => graph::Error::from(graph::ErrorKind::OutOfTime { begun: nth < begun }).into(),
            }))
        });
    }
    let dealt = plan.messages().iter().zip(fates).filter_map(|(planned, fate)| Some(fate?.of(planned)));
    let mut messages: Vec<OutcomeMessage> = dealt.collect();
    let meetings = meetings::add_fates(meetings, &mut messages);
    if let Some(reason) = &stop_reason
        && !context.guard.is_untouched()
    {
        let left = messages.iter().filter(|message| message.fate == Fate::NotReached).count();
        context.guard.record_stop(left, reason);
    }
    if stop_reason.is_none() {
        name_folders(context, &dispatch, &mut messages, until).await;
    }
    Applied { messages, meetings, stopped: stop_reason }
}

/// The places of the messages: the first of each mailbox, then the second of each, since a mailbox takes only a few
/// requests at once.
fn in_turns(plan: &Plan) -> Vec<usize> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(plan.messages().len());
    for (place, message) in plan.messages().iter().enumerate() {
        let nth = seen.entry(message.mailbox_id.as_str()).or_insert(0);
        places.push((*nth, place));
        *nth += 1;
    }
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}

/// Whether a mailbox may be changed by the rails of this version.
#[derive(Default)]
struct Access(Mutex<Option<(u64, Result<Mailbox, NotDone>)>>);

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
            let mailbox = self.mailbox(&context, access, planned).await?;
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

    async fn mailbox(
        &self,
        context: &Context,
        Access(allowed): &Access,
        planned: &PlannedMessage,
    ) -> Result<Mailbox, NotDone> {
        let mut allowed = allowed.lock().await;
        let version = context.guard.rails_version();
        match &*allowed {
            Some((checked, mailbox)) if *checked == version => mailbox.clone(),
            _ => {
                let (name, id) = (&planned.mailbox, &planned.mailbox_id);
                let guard = &context.guard;
                let checked = guard.authorize_planned_mailbox(&context.graph, self.dispatch, name, id).await;
                let mailbox = checked.map_err(NotDone::from);
                *allowed = Some((version, mailbox.clone()));
                mailbox
            }
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
