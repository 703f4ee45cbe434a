//! From a URL to the resource that it names. Everything is percent-decoded exactly once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::calendar::MeetingResponse;
use super::refusal::Refusal;

/// The resource that a path below the version root names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Batch,
    Users,
    MessageTraces,
    HuntingQuery,
    /// A mailbox that is named by its own id.
    MailboxItems {
        mailbox: String,
        part: ItemsPart,
    },
    ExchangeSettings(String),
    User(String),
    SendMail(String),
    TranslateIds(String),
    MailboxSettings(String),
    TimeZone(String),
    Events(String),
    Event {
        user: String,
        id: String,
        part: EventPart,
    },
    Folders {
        user: String,
        parent: Option<String>,
    },
    Folder {
        user: String,
        folder: String,
    },
    Messages {
        user: String,
        folder: Option<String>,
    },
    Message(Place, Part),
    /// An attachment, or its content.
    Attachment {
        place: Place,
        attachment: String,
        content: bool,
    },
}

/// The address of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) user: String,
    pub(super) folder: Option<String>,
    pub(super) id: String,
}

/// A message, or a resource of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Itself,
    Mime,
    Move,
    PermanentDelete,
    Send,
    Attachments,
    UploadSession,
    /// The calendar entry of a message about a meeting.
    Event,
}

/// An event, or an action on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventPart {
    Itself,
    PermanentDelete,
    Respond(MeetingResponse),
    Cancel,
}

/// What a mailbox that is named by its own id is requested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemsPart {
    Folders,
    Export,
    ImportSession,
}

/// The owner's id within a mailbox's own id.
pub(super) fn mailbox_owner(id: &str) -> Option<&str> {
    id.strip_prefix("MBX:")?.split_once('@').map(|(owner, _)| owner)
}

impl Route {
    /// Reads a path below `/v1.0`, still percent-encoded, with or without a leading slash.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        match *lower.as_slice() {
            ["$batch"] => return Ok(Self::Batch),
            ["users"] => return Ok(Self::Users),
            ["admin", "exchange", "tracing", "messagetraces"] => return Ok(Self::MessageTraces),
            ["security", "runhuntingquery"] => return Ok(Self::HuntingQuery),
            ["admin", "exchange", "mailboxes", _, part] => {
                let part = match part {
                    "folders" => ItemsPart::Folders,
                    "exportitems" => ItemsPart::Export,
                    "createimportsession" => ItemsPart::ImportSession,
                    other => return Err(Refusal::no_segment(other)),
                };
                return Ok(Self::MailboxItems { mailbox: segments[3].to_owned(), part });
            }
            ["me", ..] => {
                return Err(Refusal::bad_request(
                    "/me request is only valid with delegated authentication flow.",
                ));
            }
            ["users", ..] => {}
            _ => return Err(Refusal::no_segment(segments.first().copied().unwrap_or_default())),
        }
        let user = segments[1].to_owned();
        // "Get a user": a userPrincipalName that starts with $ works only as users('$…').
        if user.starts_with('$') && !path.contains('(') {
            return Err(Refusal::bad_request("The request URI is not valid."));
        }
        Ok(match lower[2..] {
            [] => Self::User(user),
            ["sendmail"] => Self::SendMail(user),
            ["translateexchangeids"] => Self::TranslateIds(user),
            ["mailboxsettings"] => Self::MailboxSettings(user),
            ["settings", "exchange"] => Self::ExchangeSettings(user),
            ["mailboxsettings", "timezone"] => Self::TimeZone(user),
            ["events"] | ["calendar", "events"] => Self::Events(user),
            ["events", _, ref rest @ ..] => {
                Self::Event { user, id: segments[3].to_owned(), part: event_part(rest)? }
            }
            ["calendar", "events", _, ref rest @ ..] => {
                Self::Event { user, id: segments[4].to_owned(), part: event_part(rest)? }
            }
            ["mailfolders"] => Self::Folders { user, parent: None },
            ["mailfolders", _, "childfolders"] => {
                Self::Folders { user, parent: Some(segments[3].to_owned()) }
            }
            ["mailfolders", _] => Self::Folder { user, folder: segments[3].to_owned() },
            ["mailfolders", _, "messages"] => Self::Messages { user, folder: Some(segments[3].to_owned()) },
            ["mailfolders", _, "messages", _, ..] => {
                let place = Place { user, folder: Some(segments[3].to_owned()), id: segments[5].to_owned() };
                Self::below(place, &lower[6..], &segments[6..])?
            }
            ["messages"] => Self::Messages { user, folder: None },
            ["messages", _, ..] => {
                let place = Place { user, folder: None, id: segments[3].to_owned() };
                Self::below(place, &lower[4..], &segments[4..])?
            }
            [other, ..] => return Err(Refusal::no_segment(other)),
        })
    }

    /// What the rest of a path below a message names.
    fn below(place: Place, lower: &[&str], segments: &[&str]) -> Result<Self, Refusal> {
        match *lower {
            ["attachments", id, ref rest @ ..] if id != "createuploadsession" => {
                let content = match *rest {
                    [] => false,
                    ["$value"] => true,
                    [other, ..] => return Err(Refusal::no_segment(other)),
                };
                Ok(Self::Attachment { place, attachment: segments[1].to_owned(), content })
            }
            _ => Ok(Self::Message(place, part(lower)?)),
        }
    }

    /// The user whose mailbox the request works in, for the limit of concurrent requests.
    pub(super) fn mailbox(&self) -> Option<&str> {
        match self {
            Self::Batch | Self::Users | Self::MessageTraces | Self::HuntingQuery | Self::User(_) => None,
            Self::MailboxItems { mailbox, .. } => mailbox_owner(mailbox),
            Self::SendMail(user)
            | Self::ExchangeSettings(user)
            | Self::TranslateIds(user)
            | Self::MailboxSettings(user)
            | Self::TimeZone(user)
            | Self::Events(user)
            | Self::Event { user, .. }
            | Self::Folders { user, .. }
            | Self::Folder { user, .. }
            | Self::Messages { user, .. }
            | Self::Message(Place { user, .. }, _)
            | Self::Attachment { place: Place { user, .. }, .. } => Some(user),
        }
    }
}

fn part(rest: &[&str]) -> Result<Part, Refusal> {
    Ok(match *rest {
        [] => Part::Itself,
        ["$value"] => Part::Mime,
        ["move"] => Part::Move,
        ["permanentdelete"] => Part::PermanentDelete,
        ["send"] => Part::Send,
        ["attachments"] => Part::Attachments,
        ["attachments", "createuploadsession"] => Part::UploadSession,
        ["microsoft.graph.eventmessage", "event"] => Part::Event,
        [other, ..] => return Err(Refusal::no_segment(other)),
    })
}

fn event_part(rest: &[&str]) -> Result<EventPart, Refusal> {
    Ok(match *rest {
        [] => EventPart::Itself,
        ["permanentdelete"] => EventPart::PermanentDelete,
        ["accept"] => EventPart::Respond(MeetingResponse::Accepted),
        ["tentativelyaccept"] => EventPart::Respond(MeetingResponse::TentativelyAccepted),
        ["decline"] => EventPart::Respond(MeetingResponse::Declined),
        ["cancel"] => EventPart::Cancel,
        [other, ..] => return Err(Refusal::no_segment(other)),
    })
}

/// The decoded segments; `name('value')` becomes two.
fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let mut segments = Vec::with_capacity(6);
    for raw in path.strip_prefix('/').unwrap_or(path).split('/') {
        if raw.is_empty() {
            return Err(Refusal::bad_request("The request URI is not valid: it has an empty segment."));
        }
        let segment = decode(raw)?;
        let called = segment.strip_suffix("')").and_then(|call| call.split_once("('")).filter(|(name, _)| {
            ["users", "mailfolders", "messages", "attachments", "events"]
                .contains(&name.to_ascii_lowercase().as_str())
        });
        match called {
            Some((name, value)) => {
                let (name, value) = (name.to_owned(), value.replace("''", "'"));
                segments.push(Cow::Owned(name));
                segments.push(Cow::Owned(value));
            }
            None => segments.push(segment),
        }
    }
    Ok(segments)
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    let bytes = raw.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%' && !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(Refusal::bad_request("The request URI is not valid: a percent sign stands alone."));
    }
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| Refusal::bad_request("The request URI is not valid: it is not UTF-8."))
}
