//! The tables of mail (Defender pages "EmailEvents", "EmailUrlInfo", "EmailAttachmentInfo", "UrlClickEvents",
//! "EmailPostDeliveryEvents"), with some of their columns.

use std::collections::BTreeSet;

use crate::graph::folder::Folder;
use crate::graph::mail_flow::{MailFlow, Passage, passages};
use crate::graph::state::State;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Number,
    Truth,
}

impl Kind {
    /// The type's name in a response.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Time => "DateTime",
            Self::Number => "Int32",
            Self::Truth => "SByte",
        }
    }
}

/// The values of a row, by column.
pub(super) type Values<'a> = dyn Fn(&str) -> Datum + 'a;

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Datum {
    Text(String),
    /// In milliseconds since 1970.
    Time(i64),
    Number(usize),
    Truth(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    EmailEvents,
    EmailUrlInfo,
    EmailAttachmentInfo,
    UrlClickEvents,
    EmailPostDeliveryEvents,
}

use Kind::{Number, Text, Time, Truth};

const EMAIL_EVENTS: &[(&str, Kind)] = &[
    ("Timestamp", Time),
    ("NetworkMessageId", Text),
    ("InternetMessageId", Text),
    ("SenderMailFromAddress", Text),
    ("SenderMailFromDomain", Text),
    ("SenderFromAddress", Text),
    ("SenderFromDomain", Text),
    ("SenderIPv4", Text),
    ("RecipientEmailAddress", Text),
    ("RecipientObjectId", Text),
    ("Subject", Text),
    ("DeliveryAction", Text),
    ("DeliveryLocation", Text),
    ("LatestDeliveryLocation", Text),
    ("AttachmentCount", Number),
    ("UrlCount", Number),
];
const EMAIL_URL_INFO: &[(&str, Kind)] =
    &[("Timestamp", Time), ("NetworkMessageId", Text), ("Url", Text), ("UrlDomain", Text)];
const EMAIL_ATTACHMENT_INFO: &[(&str, Kind)] = &[
    ("Timestamp", Time),
    ("NetworkMessageId", Text),
    ("SenderFromAddress", Text),
    ("RecipientEmailAddress", Text),
    ("FileName", Text),
    ("FileType", Text),
    ("SHA256", Text),
    ("FileSize", Number),
];
const URL_CLICK_EVENTS: &[(&str, Kind)] = &[
    ("Timestamp", Time),
    ("Url", Text),
    ("ActionType", Text),
    ("AccountUpn", Text),
    ("Workload", Text),
    ("NetworkMessageId", Text),
    ("IsClickedThrough", Truth),
];
const EMAIL_POST_DELIVERY_EVENTS: &[(&str, Kind)] = &[
    ("Timestamp", Time),
    ("NetworkMessageId", Text),
    ("InternetMessageId", Text),
    ("Action", Text),
    ("ActionType", Text),
    ("RecipientEmailAddress", Text),
];

impl Table {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "EmailEvents" => Self::EmailEvents,
            "EmailUrlInfo" => Self::EmailUrlInfo,
            "EmailAttachmentInfo" => Self::EmailAttachmentInfo,
            "UrlClickEvents" => Self::UrlClickEvents,
            "EmailPostDeliveryEvents" => Self::EmailPostDeliveryEvents,
            _ => return None,
        })
    }

    pub(super) fn columns(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::EmailEvents => EMAIL_EVENTS,
            Self::EmailUrlInfo => EMAIL_URL_INFO,
            Self::EmailAttachmentInfo => EMAIL_ATTACHMENT_INFO,
            Self::UrlClickEvents => URL_CLICK_EVENTS,
            Self::EmailPostDeliveryEvents => EMAIL_POST_DELIVERY_EVENTS,
        }
    }

    /// The rows of a span, in milliseconds since 1970 and both ends included, that pass a test. A value is made only
    /// when the test or the result needs it.
    pub(super) fn scan(
        self,
        state: &State,
        span: (i64, i64),
        test: &dyn Fn(&Values<'_>) -> bool,
    ) -> Vec<Vec<Datum>> {
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        let mut offer = |value: &Values<'_>| {
            if test(value) {
                rows.push(self.columns().iter().map(|(column, _)| value(column)).collect());
            }
        };
        let all = || passages(state, span, state.base.directory.numbers(), |_| true);
        // A list is not a recipient: Defender lists the members.
        let to_people = || all().into_iter().filter(|passage| passage.status() != "expanded");
        match self {
            Self::EmailEvents => {
                to_people().for_each(|passage| offer(&|column| email_event(state, &passage, column)));
            }
            Self::EmailUrlInfo => {
                for passage in to_people() {
                    for url in passage.urls() {
                        offer(&|column| url_info(&passage, &url, column));
                    }
                }
                // One row for a message and a URL, however many recipients it has.
                let mut seen = BTreeSet::new();
                rows.retain(|row| seen.insert(row.clone()));
            }
            Self::EmailAttachmentInfo => {
                for passage in to_people() {
                    for nth in 0..passage.files().len() {
                        offer(&|column| attachment_info(&passage, nth, column));
                    }
                }
            }
            Self::UrlClickEvents | Self::EmailPostDeliveryEvents => {
                let changes = state.changes();
                self.scan_events(&changes.flow, span, &mut offer);
            }
        }
        rows
    }

    fn scan_events(self, flow: &MailFlow, (from, to): (i64, i64), offer: &mut dyn FnMut(&Values<'_>)) {
        let network_message_id = |message_id: &str| {
            let sent = flow.passages.iter().find(|passage| passage.mail.message_id() == message_id);
            Datum::Text(sent.map(|passage| passage.mail.network_message_id().to_owned()).unwrap_or_default())
        };
        let text = |text: &str| Datum::Text(text.to_owned());
        if self == Self::UrlClickEvents {
            for click in &flow.clicks {
                let at = click.at.timestamp_millis();
                if (from..=to).contains(&at) {
                    offer(&|column| match column {
                        "Timestamp" => Datum::Time(at),
                        "Url" => text(&click.url),
                        "ActionType" => text(click.action),
                        "AccountUpn" => text(&click.user),
                        "Workload" => text("Email"),
                        "NetworkMessageId" => network_message_id(&click.message_id),
                        _ => Datum::Truth(click.clicked_through),
                    });
                }
            }
            return;
        }
        for event in &flow.post_delivery {
            let at = event.at.timestamp_millis();
            if (from..=to).contains(&at) {
                offer(&|column| match column {
                    "Timestamp" => Datum::Time(at),
                    "NetworkMessageId" => network_message_id(&event.message_id),
                    "InternetMessageId" => text(&event.message_id),
                    "Action" => text(event.action),
                    "ActionType" => text(event.action_type),
                    _ => text(&event.recipient),
                });
            }
        }
    }
}

fn email_event(state: &State, passage: &Passage<'_>, column: &str) -> Datum {
    Datum::Text(match column {
        "Timestamp" => return Datum::Time(passage.received()),
        "AttachmentCount" => return Datum::Number(passage.files().len()),
        "UrlCount" => return Datum::Number(passage.urls().len()),
        "NetworkMessageId" => passage.network_message_id().into_owned(),
        "InternetMessageId" => passage.message_id().into_owned(),
        "SenderMailFromAddress" => passage.sender().into_owned(),
        "SenderMailFromDomain" => domain(&passage.sender()).to_owned(),
        "SenderFromAddress" => passage.from().into_owned(),
        "SenderFromDomain" => domain(&passage.from()).to_owned(),
        "SenderIPv4" => passage.source_ip().into_owned(),
        "RecipientEmailAddress" => passage.recipient().into_owned(),
        "RecipientObjectId" => {
            let user = passage.mailbox().or_else(|| state.base.directory.find_address(&passage.recipient()));
            user.map(|number| state.base.directory.user(number).id).unwrap_or_default()
        }
        "Subject" => passage.subject().into_owned(),
        "DeliveryAction" => action(passage.status()).to_owned(),
        "DeliveryLocation" => {
            let first = passage.copy().map(|(_, _, folder)| folder);
            first.map_or_else(|| without_copy(passage.status()), location).to_owned()
        }
        _ => latest_location(state, passage).to_owned(),
    })
}

fn url_info(passage: &Passage<'_>, url: &str, column: &str) -> Datum {
    Datum::Text(match column {
        "Timestamp" => return Datum::Time(passage.received()),
        "NetworkMessageId" => passage.network_message_id().into_owned(),
        "Url" => url.to_owned(),
        _ => {
            let host = url.split("://").nth(1).unwrap_or(url);
            host.split(['/', '?', '#', ':']).next().unwrap_or_default().to_owned()
        }
    })
}

fn attachment_info(passage: &Passage<'_>, nth: usize, column: &str) -> Datum {
    let file = &passage.files()[nth];
    Datum::Text(match column {
        "Timestamp" => return Datum::Time(passage.received()),
        "FileSize" => return Datum::Number(file.size),
        "NetworkMessageId" => passage.network_message_id().into_owned(),
        "SenderFromAddress" => passage.from().into_owned(),
        "RecipientEmailAddress" => passage.recipient().into_owned(),
        "FileName" => file.name.clone(),
        "FileType" => file.content_type.clone(),
        _ => file.sha256.clone(),
    })
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

fn action(status: &str) -> &'static str {
    match status {
        "filteredAsSpam" => "Junked",
        "quarantined" | "failed" => "Blocked",
        _ => "Delivered",
    }
}

fn without_copy(status: &str) -> &'static str {
    match status {
        "quarantined" => "Quarantine",
        "failed" => "Failed",
        "delivered" => "On-premises/external",
        _ => "Unknown",
    }
}

fn location(folder: Folder) -> &'static str {
    match folder {
        Folder::JUNK => "Junk folder",
        Folder::DELETED | Folder::RECOVERABLE => "Deleted items",
        _ => "Inbox/folder",
    }
}

/// Where Defender knows the copy to be: it sees moves to the junk folder and deletions by its own tools, not those of
/// users.
fn latest_location(state: &State, passage: &Passage<'_>) -> &'static str {
    let message_id = passage.message_id();
    let recipient = passage.recipient();
    let changes = state.changes();
    let event =
        changes.flow.post_delivery.iter().rev().find(|event| {
            event.message_id == *message_id && event.recipient.eq_ignore_ascii_case(&recipient)
        });
    match (event.map(|event| event.action), passage.copy()) {
        (Some("Moved to quarantine"), _) => "Quarantine",
        (Some("Moved to junk folder"), _) => "Junk folder",
        (Some(_), _) => "Deleted items",
        (None, Some((_, _, folder))) => location(folder),
        (None, None) => without_copy(passage.status()),
    }
}
