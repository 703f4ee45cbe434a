//! Reads what each message is like now, in many mailboxes at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::source::{Found, Source};
use crate::functions::context::Context;
use crate::functions::listed::Listed;
use crate::functions::plan::{Folders, MessageState, PlannedMessage, Stamp, folder_name};
use crate::functions::progress::Progress;
use crate::functions::removal::Identity;
use crate::functions::report::{counted, in_words, thousands};
use graph::{Copies, Criteria, Dispatch, ErrorKind, Search};
use net::untrusted::text::beginning;

/// How many requests may be under way at once, those that wait for their mailbox or a `Retry-After` included.
const UNDER_WAY: usize = 1000;
/// So many bytes of a subject are in a plan.
const LONGEST_SUBJECT: usize = 500;
/// So many bytes of a sender's address.
const LONGEST_SENDER: usize = 2000;
const GONE: &str = "not found any more";

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Frozen {
    pub(super) messages: Vec<PlannedMessage>,
    pub(super) mailboxes: usize,
    /// Why messages may be missing, in sentences.
    pub(super) incomplete_because: Vec<String>,
    /// What is listed and not in the plan.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) looked_until: Stamp,
}

/// Messages of a mailbox that are listed and not in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) mailbox: String,
    pub(super) messages: usize,
    pub(super) reason: String,
    /// Whether the messages are gone, so that there is nothing to plan.
    pub(super) is_gone: bool,
}

/// What could not be read, and the first failure of a request.
type Failures<'a> = (&'a mut Vec<LeftOut>, &'a mut Option<graph::Error>);

/// One message to read: its mailbox as the results name it, the directory's id, and the message's id.
struct Place<'a> {
    mailbox: &'a str,
    mailbox_id: &'a str,
    id: &'a str,
}

/// Reads the messages.
///
/// # Errors
/// Something fails that concerns every request, or nothing could be read.
pub(super) async fn freeze(context: &Context, source: Source) -> Result<Frozen, graph::Error> {
    let Source { found, mut incomplete_because, looked_until } = source;
    let mut left_out = Vec::new();
    let listed = match found {
        Found::Listed(listed) => listed,
        Found::Traced(copies) => look_up(context, copies, &mut left_out).await?,
    };
    let dispatch = context.graph.bulk();
    let mut failure = None;
    let owners = owners(context, &dispatch, &listed, (&mut left_out, &mut failure)).await?;
    let places = places(&listed, &owners);
    let mut messages = read(context, &dispatch, &places, (&mut left_out, &mut failure)).await?;
    // A plan of nothing must not look as if there was nothing to plan.
    if messages.is_empty()
        && let Some(failure) = failure
    {
        return Err(failure);
    }
    name_folders(context, &dispatch, &mut messages).await;

    let unread: usize = left_out.iter().filter(|one| !one.is_gone).map(|one| one.messages).sum();
    if unread > 0 {
        let mailboxes: HashSet<&str> =
            left_out.iter().filter(|one| !one.is_gone).map(|one| one.mailbox.as_str()).collect();
        incomplete_because.push(format!(
            "What is listed for {} could not be read and is not in the plan.",
            counted(mailboxes.len(), "mailbox")
        ));
    }
    let newest = messages.iter().filter_map(|one| one.received.parse::<DateTime<Utc>>().ok()).max();
    let mailboxes: HashSet<&str> = messages.iter().map(|one| one.mailbox_id.as_str()).collect();
    Ok(Frozen {
        mailboxes: mailboxes.len(),
        // Where the results do not say it: what is newer than the newest of them may be new.
        looked_until: looked_until.or(newest.map(Stamp::from)).unwrap_or_default(),
        messages,
        incomplete_because,
        left_out,
    })
}

/// Looks up the copies that a trace says recipients got.
async fn look_up(
    context: &Context,
    copies: Vec<Copies>,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Listed>, graph::Error> {
    context.status.say(format!("Looking up the copies of {}", counted(copies.len(), "recipient")));
    let wanted: HashMap<String, usize> =
        copies.iter().map(|one| (one.recipient.to_lowercase(), one.message_ids.len())).collect();
    // One more than a plan may hold, so that a larger one is noticed.
    let most = context.guard.plan_rails().max_messages + 1;
    let policy = context.guard.read_policy();
    let search: Search =
        graph::look_up_copies(&context.graph, copies, &Criteria::default(), most, policy, |_| ()).await?;
    let mut listed = Vec::with_capacity(search.mailboxes.len());
    for mailbox in search.mailboxes {
        let reason = match &mailbox.failure {
            Some(failure) => in_words(failure),
            None if mailbox.is_cut => "more copies than a plan may hold".to_owned(),
            None => GONE.to_owned(),
        };
        let expected = wanted.get(&mailbox.address.to_lowercase()).copied().unwrap_or(0);
        let missing = expected.saturating_sub(mailbox.messages.len());
        if mailbox.failure.is_some() || mailbox.is_cut || missing > 0 {
            // A recipient outside of the tenant, or without a mailbox, has no copy to remove.
            let is_gone = match &mailbox.failure {
                Some(failure) => failure.is_no_mailbox(),
                None => !mailbox.is_cut,
            };
            left_out.push(LeftOut {
                mailbox: mailbox.address.clone(),
                messages: missing.max(1),
                reason,
                is_gone,
            });
        }
        listed.extend(Listed::found(mailbox.address, mailbox.messages));
    }
    Ok(listed)
}

/// The directory's id of each mailbox, by its address in lower case.
async fn owners(
    context: &Context,
    dispatch: &Dispatch,
    listed: &[Listed],
    (left_out, failure): Failures<'_>,
) -> Result<HashMap<String, String>, graph::Error> {
    let mut addresses: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for one in listed.iter().filter(|one| !one.messages.is_empty()) {
        addresses.entry(one.address.to_lowercase()).or_insert((&one.address, 0)).1 += one.messages.len();
    }
    let asked = addresses.into_iter().map(|(key, (address, messages))| async move {
        let id = context.guard.identify_for_reading(&context.graph, dispatch, address).await;
        (key, address, messages, id)
    });
    let asked: Vec<_> = asked.collect();
    let mut asked = stream::iter(asked).buffer_unordered(UNDER_WAY);
    let mut owners = HashMap::new();
    while let Some((key, address, messages, id)) = asked.next().await {
        match id {
            Ok(id) => {
                owners.insert(key, id);
            }
            Err(error) if error.is_for_all() => return Err(error),
            Err(error) => {
                let (mailbox, reason) = (address.to_owned(), unread(&error));
                left_out.push(LeftOut { mailbox, messages, reason, is_gone: false });
                failure.get_or_insert(error);
            }
        }
    }
    Ok(owners)
}

/// The messages, each once: the first of each mailbox, then the second of each, since a mailbox takes only a few
/// requests at once.
fn places<'a>(listed: &'a [Listed], owners: &'a HashMap<String, String>) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    for one in listed {
        let Some(mailbox_id) = owners.get(&one.address.to_lowercase()) else { continue };
        for (nth, message) in one.messages.iter().enumerate() {
            places.push((nth, Place { mailbox: &one.address, mailbox_id, id: message.id.trim() }));
        }
    }
    places.sort_by_key(|(nth, _)| *nth);
    let mut seen = HashSet::with_capacity(places.len());
    let places = places.into_iter().map(|(_, place)| place);
    places.filter(|place| seen.insert((place.mailbox_id, place.id))).collect()
}

async fn read(
    context: &Context,
    dispatch: &Dispatch,
    places: &[Place<'_>],
    (left_out, failure): Failures<'_>,
) -> Result<Vec<PlannedMessage>, graph::Error> {
    let total = places.len();
    context.status.say(format!("Reading {}", counted(total, "message")));
    let mut pace = context.status.every_few_seconds();
    let reading = places.iter().map(|place| async move {
        (place, MessageState::read(context, dispatch, place.mailbox_id, place.id).await)
    });
    let reading: Vec<_> = reading.collect();
    let mut reading = stream::iter(reading).buffer_unordered(UNDER_WAY);
    let mut messages = Vec::with_capacity(total);
    let mut failed: BTreeMap<(&str, String, bool), usize> = BTreeMap::new();
    let mut done = 0;
    while let Some((place, state)) = reading.next().await {
        done += 1;
        let read = state.map(|state| planned(place, state));
        match read {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => {
                let reason = "its folder is not known".to_owned();
                *failed.entry((place.mailbox, reason, false)).or_default() += 1;
            }
            Err(error) if error.is_for_all() => return Err(error),
            Err(error) => {
                let is_gone = error.is_item_gone();
                let reason = if is_gone { GONE.to_owned() } else { unread(&error) };
                *failed.entry((place.mailbox, reason, is_gone)).or_default() += 1;
                if !is_gone {
                    failure.get_or_insert(error);
                }
            }
        }
        let progress = Progress { done, total, more: false, found: None };
        pace.say(progress, || format!("Read {} of {}", thousands(done), counted(total, "message")));
    }
    left_out.extend(failed.into_iter().map(|((mailbox, reason, is_gone), messages)| LeftOut {
        mailbox: mailbox.to_owned(),
        messages,
        reason,
        is_gone,
    }));
    Ok(messages)
}

fn planned(place: &Place<'_>, state: MessageState) -> Option<PlannedMessage> {
    let cut = |text: Option<String>, most| text.map(|text| beginning(&text, most).to_owned());
    Some(PlannedMessage {
        mailbox_id: place.mailbox_id.to_owned(),
        mailbox: place.mailbox.to_owned(),
        sender: beginning(state.sender(), LONGEST_SENDER).to_owned(),
        is_invitation: state.is_invitation(),
        id: state.id,
        internet_message_id: cut(state.internet_message_id, Identity::LONGEST_MESSAGE_ID).unwrap_or_default(),
        received: state.received_date_time.unwrap_or_default(),
        folder_id: state.parent_folder_id.filter(|id| !id.is_empty())?,
        folder: None,
        subject: cut(state.subject, LONGEST_SUBJECT).unwrap_or_default(),
        is_read: state.is_read.unwrap_or_default(),
    })
}

/// Adds the names of the folders; each folder is asked for once.
async fn name_folders(context: &Context, dispatch: &Dispatch, messages: &mut [PlannedMessage]) {
    let wanted: HashSet<(String, String)> =
        messages.iter().map(|one| (one.mailbox_id.clone(), one.folder_id.clone())).collect();
    let named = wanted.into_iter().map(|(mailbox, id)| async move {
        let name = folder_name(context, dispatch, &mailbox, &id).await;
        ((mailbox, id), name)
    });
    let named: Vec<_> = named.collect();
    let named: Folders = stream::iter(named).buffer_unordered(UNDER_WAY).collect().await;
    for message in messages {
        let key = (message.mailbox_id.clone(), message.folder_id.clone());
        message.folder = named.get(&key).cloned().flatten();
    }
}

/// Why a mailbox or a message could not be read.
fn unread(error: &graph::Error) -> String {
    match error.kind() {
        ErrorKind::ReadingDenied => {
            "the mailbox may not be read (mailboxes_denied_reading; ask your administrator)".to_owned()
        }
        _ => in_words(error),
    }
}
