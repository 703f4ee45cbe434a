//! How a request to Graph fails, in words for the analyst.

use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::path::InvalidSegment;
use super::retry::{BackoffHint, Failure};
use crate::auth::token::TokenError;

/// More of Graph's words than this, in characters, help nobody.
const LONGEST_MESSAGE: usize = 500;

/// No code and no id of Graph's is longer, in characters.
const LONGEST_CODE: usize = 100;
/// An error object that is larger, in bytes, is not kept: a search may keep one for every mailbox.
const LARGEST_BODY: usize = 64 * 1024;

/// `text`, or its first `most` characters.
pub(super) fn shortened(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Why a request to Graph has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Graph answered with an error.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Graph throttled everything for as long as the retries last, so this request was not even sent.
    #[error("Microsoft Graph throttled all requests for too long; this one was not sent any more: {0}")]
    GivenUp(Box<Refusal>),
    /// A change failed so in the end, and nobody knows what became of this try or of an earlier one.
    #[error("{0}. It may have been carried out all the same")]
    MayBeDone(Box<Self>),
    /// What had to be done first failed so; what was asked for was not begun.
    #[error("{0}")]
    NotBegun(Box<Self>),
    /// Graph could not be reached, or the connection broke.
    #[error("Microsoft Graph could not be reached: {reason}")]
    Unreachable {
        /// What the network said.
        reason: String,
        /// Whether the request may have reached Graph.
        sent: bool,
    },
    /// Graph was silent for too long.
    #[error("Microsoft Graph did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The certificate of the other side is not trusted. Trying again would not help.
    #[error(
        "the certificate of Microsoft Graph, or of a proxy before it, is not trusted: {0}. \
         Name its certificate authority in app.config (verify)"
    )]
    Untrusted(String),
    /// What came back is no answer of Graph's, or not the one that was asked for.
    #[error(
        "what came back with HTTP status {status} is not an answer of Microsoft Graph: {what}{}",
        RequestId(request_id)
    )]
    NotAnAnswer {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        what: &'static str,
        /// `request-id`, where there is one.
        request_id: Option<String>,
    },
    /// No token.
    #[error(transparent)]
    Token(Box<TokenError>),
    /// An input cannot be part of an address.
    #[error(transparent)]
    Path(#[from] InvalidSegment),
    /// A next page outside the configured Graph.
    #[error(
        "Microsoft Graph named a next page outside the configured microsoft_graph_url; it was not followed"
    )]
    ForeignNextLink,
    /// Pages without end.
    #[error("Microsoft Graph listed more than {0} pages; the rest was not read")]
    TooManyPages(usize),
    /// More found by a mark than any call has marked.
    #[error("Microsoft Graph listed more than {0} messages of this call; that cannot be")]
    TooManyMarked(usize),
    /// A search that cannot be cut into smaller ones.
    #[error(
        "a search of one mailbox gives at most 1,000 messages, and there are more than that of {day}; not all of \
         them were found. Add a criterion, or search without a text of the body"
    )]
    SearchCapped {
        /// The day, as UTC has it.
        day: NaiveDate,
    },
    /// More found than can be held.
    #[error(
        "more than {0} MiB of messages were found, which is too much for one answer; add a criterion, or lower \
         max_messages"
    )]
    TooMuchFound(usize),
    /// A message larger than a file may be.
    #[error("the message is larger than {0} MiB (max_attachment_mb)")]
    MessageTooLarge(u64),
    /// The time for the call was over before this was asked, or answered.
    #[error(
        "the time that one call may take (call_timeout) ended before it was {}",
        if *begun { "answered; it may have been done all the same" } else { "its turn" }
    )]
    OutOfTime {
        /// Whether it was begun.
        begun: bool,
    },
    /// An answer larger than any that is expected.
    #[error("the answer of Microsoft Graph is larger than {0} MiB")]
    TooLarge(usize),
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Token(Box::new(error))
    }
}

impl Error {
    /// How the retry policy sees it.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Refused(refusal) => Failure::of_status(refusal.status, refusal.retry_after),
            Self::Unreachable { sent: false, .. } => Failure::NotSent,
            // The token endpoint was already asked as often as makes sense. Somebody else's 404 says that the
            // address is wrong.
            Self::Token(_)
            | Self::NotAnAnswer { status: 404, .. }
            | Self::GivenUp(_)
            | Self::NotBegun(_)
            | Self::Untrusted(_)
            | Self::Path(_)
            | Self::ForeignNextLink
            | Self::TooManyPages(_)
            | Self::TooManyMarked(_)
            | Self::SearchCapped { .. }
            | Self::TooMuchFound(_)
            | Self::MessageTooLarge(_)
            | Self::OutOfTime { .. }
            | Self::TooLarge(_) => Failure::Final,
            Self::MayBeDone(_) | Self::Unreachable { .. } | Self::TimedOut(_) | Self::NotAnAnswer { .. } => {
                Failure::Unknown
            }
        }
    }

    /// What is said to those who still waited to be sent when it came to this.
    pub(super) fn given_up(self) -> Self {
        match self {
            Self::Refused(refusal) => Self::GivenUp(refusal),
            other => other,
        }
    }

    /// What the log may hold of it. Graph's own words are for the analyst only: they may quote what was asked,
    /// and that is what is being investigated.
    pub fn for_log(&self) -> String {
        match self {
            Self::Refused(refusal) | Self::GivenUp(refusal) => {
                let Refusal { status, code, request_id, .. } = refusal.as_ref();
                format!(
                    "Microsoft Graph answered HTTP status {status}{}{}",
                    Said(code, ""),
                    RequestId(request_id)
                )
            }
            Self::MayBeDone(last) => format!("{}; it may have been carried out", last.for_log()),
            Self::NotBegun(first) => first.for_log(),
            other => other.to_string(),
        }
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::GivenUp(refusal) => Some(refusal.as_ref()),
            Self::MayBeDone(last) | Self::NotBegun(last) => last.refusal(),
            _ => None,
        }
    }

    /// Whether Exchange says that the message is not there.
    pub fn is_item_gone(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == "ErrorItemNotFound")
    }

    /// Whether the request may have been carried out all the same. Of an answer that is too large no more is known than
    /// that it was no refusal, though asking again would be no use.
    pub fn is_indeterminate(&self) -> bool {
        matches!(self, Self::TooLarge(_)) || self.failure().is_indeterminate()
    }

    /// Whether Graph asks to go slower.
    pub fn backoff_hint(&self) -> Option<BackoffHint> {
        match self {
            Self::MayBeDone(last) => last.backoff_hint(),
            other => other.failure().backoff_hint(),
        }
    }

    /// The same without the doubt, for what knows better whether it was done.
    #[must_use]
    pub fn without_doubt(self) -> Self {
        match self {
            Self::MayBeDone(last) => *last,
            other => other,
        }
    }

    /// Whether it concerns all requests, not only the one: going on with others is no use.
    pub fn is_for_all(&self) -> bool {
        match self {
            Self::MayBeDone(last) | Self::NotBegun(last) => last.is_for_all(),
            other => matches!(other, Self::Token(_) | Self::Untrusted(_) | Self::TooMuchFound(_)),
        }
    }
}

/// An error answer of Graph (Graph page "Microsoft Graph error responses and resource types").
#[derive(Debug, Clone, thiserror::Error)]
#[error("Microsoft Graph answered HTTP status {status}{}{}", Said(code, message), RequestId(request_id))]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `error.code`; empty where the answer is none of Graph's own.
    pub code: String,
    /// `error.message`.
    pub message: String,
    /// Microsoft's id of the request.
    pub request_id: Option<String>,
    /// The wait that was asked for.
    pub retry_after: Option<Duration>,
    /// The whole body, where it is Graph's error object.
    pub body: Option<Box<RawValue>>,
}

impl Refusal {
    /// Reads an error answer.
    pub(super) fn new(
        status: u16,
        retry_after: Option<Duration>,
        request_id: Option<String>,
        body: Option<Box<RawValue>>,
    ) -> Self {
        let (body, detail) = match body.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok()) {
            Some(ErrorBody { error }) => (body, error),
            None => (None, Detail::default()),
        };
        let inner = detail.inner.or(detail.inner_lower_case);
        let request_id = request_id.or(inner.and_then(|inner| inner.request_id));
        let request_id = request_id.map(|id| shortened(id, LONGEST_CODE));
        let message = shortened(detail.message, LONGEST_MESSAGE);
        let body = body.filter(|body| body.get().len() <= LARGEST_BODY);
        Self { status, code: shortened(detail.code, LONGEST_CODE), message, request_id, retry_after, body }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Detail,
}

#[derive(Deserialize, Default)]
struct Detail {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(rename = "innerError")]
    inner: Option<Inner>,
    // Graph spells it both ways.
    #[serde(rename = "innererror")]
    inner_lower_case: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "request-id")]
    request_id: Option<String>,
}

/// `, CODE: message`, as far as there is one.
struct Said<'a>(&'a str, &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            ("", "") => Ok(()),
            (code, "") => write!(f, ", {code}"),
            ("", message) => write!(f, ": {message}"),
            (code, message) => write!(f, ", {code}: {message}"),
        }
    }
}

/// ` (request-id …)`, where there is one.
struct RequestId<'a>(&'a Option<String>);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |id| write!(f, " (request-id {id})"))
    }
}
