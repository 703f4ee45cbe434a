//! What became of each delivery that an index of mail knows. Every row has one fate, and the fates add up to the rows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::query::shown;
use crate::functions::report::{ByReason, Heading, in_words, thousands};
use graph::{Copies, Error, ErrorKind, MailboxResult, Search};
use net::untrusted::csv;

/// So many exceptions stand in the content. The file has all.
const MOST_EXCEPTIONS: usize = 10_000;

const AT_LIMIT: &str = "a limit ended the search before (max_messages, max_users)";
/// The states of a message that may still arrive.
const UNDER_WAY: [&str; 2] = ["pending", "gettingStatus"];
/// What stands for a recipient that must not be shown.
const HIDDEN: &str = "(not shown)";

/// A delivery: a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) recipient: String,
    /// The recipient's id in the directory, where the index has it.
    pub(super) user_id: Option<String>,
    pub(super) message_id: String,
    pub(super) received: DateTime<Utc>,
    pub(super) delivery: Delivery,
}

/// What an index says of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    Delivered,
    /// To a list, whose members have rows of their own.
    List,
    Quarantined,
    /// It is not in a mailbox, for this reason.
    NotDelivered(String),
    /// It may be in the mailbox: the index has this status.
    Unsure(String),
}

impl Delivery {
    /// Whether a copy may be in the recipient's mailbox.
    pub(super) fn may_be_in_mailbox(&self) -> bool {
        matches!(self, Self::Delivered | Self::Unsure(_))
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The copy is among the results, in a folder with this name.
    Found(Option<String>),
    InDeletedItems,
    InRecoverableItems,
    /// The copy is there, but it does not meet the other criteria.
    MeetsOtherCriteriaNot,
    /// The mailbox was looked into, and the copy is not there any more.
    Gone,
    /// The mailbox could not be looked into, for this reason.
    NotReachable(String),
    List,
    External,
    Quarantined,
    NotDelivered(String),
    /// The settings of this integration do not allow to look into the mailbox.
    Refused,
    /// A limit ended the search before, or the row names no Message-ID.
    NotLookedUp(&'static str),
}

impl Fate {
    /// Its key in the content.
    fn key(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::InDeletedItems => "in_deleted_items",
            Self::InRecoverableItems => "in_recoverable_items",
            Self::MeetsOtherCriteriaNot => "meets_other_criteria_not",
            Self::Gone => "gone",
            Self::NotReachable(_) => "not_reachable",
            Self::List => "list",
            Self::External => "external",
            Self::Quarantined => "quarantined",
            Self::NotDelivered(_) => "not_delivered",
            Self::Refused => "refused",
            Self::NotLookedUp(_) => "not_looked_up",
        }
    }

    /// What it is, after a number.
    fn phrase(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::InDeletedItems => "in Deleted Items",
            Self::InRecoverableItems => "in Recoverable Items",
            Self::MeetsOtherCriteriaNot => "found, but not by the other criteria",
            Self::Gone => "gone",
            Self::NotReachable(_) => "in mailboxes that could not be searched",
            Self::List => "to lists",
            Self::External => "to addresses outside of the directory",
            Self::Quarantined => "in quarantine",
            Self::NotDelivered(_) => "not delivered",
            Self::Refused => "in mailboxes that this integration must not read",
            Self::NotLookedUp(_) => "not looked up",
        }
    }

    /// Why it is as it is, for a reader.
    fn reason(&self) -> String {
        match self {
            Self::Found(None) | Self::InDeletedItems | Self::InRecoverableItems => String::new(),
            Self::Found(Some(folder)) => format!("in the folder {folder}"),
            Self::MeetsOtherCriteriaNot => {
                "a message with this Message-ID is there and does not meet the other criteria".to_owned()
            }
            Self::Gone => "it was delivered and is not in the mailbox any more: purged, or moved to an archive mailbox, which \
                           Microsoft Graph does not reach"
                .to_owned(),
            Self::List => "the members have deliveries of their own".to_owned(),
            Self::External => "the directory has no user with this address: it is outside, a group, or a public folder".to_owned(),
            Self::Quarantined => "Exchange holds it in quarantine".to_owned(),
            Self::NotDelivered(status) => format!("status {status}"),
            Self::NotReachable(reason) => reason.clone(),
            Self::Refused => "this integration must not read it (mailboxes_denied_reading)".to_owned(),
            Self::NotLookedUp(reason) => (*reason).to_owned(),
        }
    }

    /// The heading of its exceptions in a report; `None` if it is what a reader expects.
    fn heading(&self) -> Option<Heading> {
        let (text, is_urgent) = match self {
            Self::Found(_) | Self::InDeletedItems | Self::InRecoverableItems => return None,
            Self::List | Self::External | Self::Quarantined | Self::NotDelivered(_) => {
                ("No copy in a mailbox", false)
            }
            Self::MeetsOtherCriteriaNot | Self::Gone => ("Delivered, not found", false),
            Self::NotReachable(_) | Self::Refused | Self::NotLookedUp(_) => {
                ("Delivered, not looked up", true)
            }
        };
        Some(Heading { text, is_urgent })
    }
}

/// By what a copy was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookedUp {
    /// By all criteria.
    ByCriteria,
    /// By its Message-ID alone.
    ById,
}

/// What the mailboxes of the recipients hold.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By recipient in lower case and Message-ID.
    by_criteria: HashMap<(String, String), Fate>,
    by_id: HashMap<(String, String), Fate>,
    /// The recipients that must not be shown.
    hidden: HashSet<String>,
    /// The recipients whose mailboxes were looked into, or why not.
    looked_into: HashMap<String, Option<Fate>>,
}

/// What reconciliation needs of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CopyFound {
    internet_message_id: Option<String>,
    parent_folder_name: Option<String>,
    parent_folder_kind: Option<String>,
}

impl Seen {
    /// Nothing was looked into. `hidden` are the recipients, in lower case, whose mail must not be read.
    pub(super) fn new(hidden: HashSet<String>) -> Self {
        Self { hidden, ..Self::default() }
    }

    /// Takes the result of a look into the mailboxes.
    pub(super) fn add(&mut self, search: &Search, looked_up: LookedUp) {
        for mailbox in &search.mailboxes {
            let recipient = mailbox.address.to_lowercase();
            for message in &mailbox.messages {
                let Ok(copy) = serde_json::from_str::<CopyFound>(message.get()) else { continue };
                let key = (recipient.clone(), copy.internet_message_id.clone().unwrap_or_default());
                match looked_up {
                    LookedUp::ByCriteria => drop(self.by_criteria.insert(key, copy.fate())),
                    LookedUp::ById => drop(self.by_id.insert(key, copy.fate())),
                }
            }
            let unreached = match &mailbox.failure {
                Some(why) => Some(unreached(mailbox, why)),
                None if mailbox.is_cut => Some(Fate::NotLookedUp(AT_LIMIT)),
                None => None,
            };
            if looked_up == LookedUp::ByCriteria || unreached.is_some() {
                self.looked_into.insert(recipient, unreached);
            }
        }
    }

    /// Those of the copies that were not found by all criteria in a mailbox that was looked into.
    pub(super) fn missing(&self, copies: Copies) -> Option<Copies> {
        let recipient = copies.recipient.to_lowercase();
        if self.looked_into.get(&recipient) != Some(&None) {
            return None;
        }
        let is_missing = |id: &String| !self.by_criteria.contains_key(&(recipient.clone(), id.clone()));
        let message_ids: Vec<String> = copies.message_ids.into_iter().filter(is_missing).collect();
        (!message_ids.is_empty()).then_some(Copies { message_ids, ..copies })
    }

    fn fate(&self, row: &Row) -> Fate {
        if self.hidden.contains(&row.recipient.to_lowercase()) {
            return Fate::Refused;
        }
        let unsure = match &row.delivery {
            Delivery::List => return Fate::List,
            Delivery::Quarantined => return Fate::Quarantined,
            Delivery::NotDelivered(status) => return Fate::NotDelivered(status.clone()),
            Delivery::Delivered => None,
            Delivery::Unsure(status) => Some(status),
        };
        if row.message_id.is_empty() {
            return Fate::NotLookedUp("the index names no Message-ID");
        }
        let key = (row.recipient.to_lowercase(), row.message_id.clone());
        if let Some(found) = self.by_criteria.get(&key) {
            return found.clone();
        }
        match self.by_id.get(&key) {
            Some(Fate::InRecoverableItems) => return Fate::InRecoverableItems,
            Some(_) => return Fate::MeetsOtherCriteriaNot,
            None => {}
        }
        match (self.looked_into.get(&key.0), unsure) {
            (None, _) => Fate::NotLookedUp(AT_LIMIT),
            (Some(Some(unreached)), _) => unreached.clone(),
            (Some(None), Some(status)) if UNDER_WAY.iter().any(|one| status.eq_ignore_ascii_case(one)) => {
                Fate::NotLookedUp("it was still on its way")
            }
            (Some(None), Some(status)) => Fate::NotDelivered(status.clone()),
            (Some(None), None) => Fate::Gone,
        }
    }
}

impl CopyFound {
    fn fate(self) -> Fate {
        match self.parent_folder_kind.as_deref() {
            Some("deleteditems") => Fate::InDeletedItems,
            Some("recoverableitemsdeletions") => Fate::InRecoverableItems,
            _ => Fate::Found(self.parent_folder_name),
        }
    }
}

/// Why a mailbox was not looked into.
fn unreached(mailbox: &MailboxResult, failure: &Error) -> Fate {
    match failure.kind() {
        ErrorKind::ReadingDenied | ErrorKind::NotIdentified(_) => Fate::Refused,
        _ if failure.is_no_mailbox() && mailbox.is_unknown_address => Fate::External,
        _ if failure.is_no_mailbox() => Fate::NotReachable(
            "the recipient has no mailbox in Exchange Online (guest, unlicensed, or on premises)".to_owned(),
        ),
        _ => Fate::NotReachable(in_words(failure)),
    }
}

/// The deliveries that an index knows, with their fates.
#[derive(Debug)]
pub(super) struct Reconciliation {
    source: &'static str,
    rows: Vec<(Row, Fate)>,
}

impl Reconciliation {
    pub(super) fn of(source: &'static str, rows: Vec<Row>, seen: &Seen) -> Self {
        let with_fate = |mut row: Row| {
            let fate = seen.fate(&row);
            if fate == Fate::Refused {
                HIDDEN.clone_into(&mut row.recipient);
            }
            (row, fate)
        };
        Self { source, rows: rows.into_iter().map(with_fate).collect() }
    }

    /// Whether copies may be in mailboxes that were not looked into.
    pub(super) fn is_incomplete(&self) -> bool {
        self.rows.iter().any(|(_, fate)| fate.heading().is_some_and(|heading| heading.is_urgent))
    }

    /// The sum in one line: "412 deliveries by the message trace: 405 found, 3 in Recoverable Items, 4 gone."
    pub(super) fn line(&self) -> String {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for (_, fate) in &self.rows {
            match counts.iter_mut().find(|(phrase, _)| *phrase == fate.phrase()) {
                Some((_, count)) => *count += 1,
                None => counts.push((fate.phrase(), 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let counts: Vec<String> =
            counts.into_iter().map(|(phrase, count)| format!("{} {phrase}", thousands(count))).collect();
        let deliveries = if self.rows.len() == 1 { "delivery" } else { "deliveries" };
        let sum = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        format!("{} {deliveries} by the {}: {sum}.", thousands(self.rows.len()), self.source)
    }

    /// Adds the deliveries that were not found to the failures of a report.
    pub(super) fn add_exceptions(&self, failures: &mut ByReason) {
        for (row, fate) in &self.rows {
            if let Some(heading) = fate.heading() {
                failures.add(heading, fate.reason(), &row.recipient, None);
            }
        }
    }

    /// All deliveries as a table for a spreadsheet. Each line names the call, so that the file of a call is recognised.
    pub(super) fn table(&self, reference: Uuid) -> String {
        let columns = [
            "recipient",
            "received (UTC)",
            "internet message id",
            "fate",
            "explanation",
            "source",
            "reference",
        ];
        let mut table = csv::Table::for_excel(&columns);
        let reference = reference.to_string();
        for (row, fate) in &self.rows {
            let received = row.received.format("%Y-%m-%d %H:%M:%S").to_string();
            let cells = [
                row.recipient.as_str(),
                &received,
                &row.message_id,
                fate.phrase(),
                &fate.reason(),
                self.source,
                &reference,
            ];
            table.add(cells);
        }
        table.into_text()
    }
}

#[derive(Serialize)]
struct Exception<'a> {
    recipient: &'a str,
    message_id: &'a str,
    received: String,
    fate: &'static str,
    explanation: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    source: &'static str,
    deliveries: usize,
    /// They add up to the deliveries.
    fates: BTreeMap<&'static str, usize>,
    exceptions: Vec<Exception<'a>>,
    exceptions_left_out: usize,
}

impl Serialize for Reconciliation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fates = BTreeMap::new();
        for (_, fate) in &self.rows {
            *fates.entry(fate.key()).or_insert(0) += 1;
        }
        let exceptions = || self.rows.iter().filter(|(_, fate)| fate.heading().is_some());
        let shown = exceptions().take(MOST_EXCEPTIONS).map(|(row, fate)| Exception {
            recipient: &row.recipient,
            message_id: &row.message_id,
            received: shown(row.received),
            fate: fate.key(),
            explanation: fate.reason(),
        });
        let shown = Shown {
            source: self.source,
            deliveries: self.rows.len(),
            fates,
            exceptions: shown.collect(),
            exceptions_left_out: exceptions().count().saturating_sub(MOST_EXCEPTIONS),
        };
        shown.serialize(serializer)
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}
