//! How a request to Graph fails, in words for the analyst.

use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use net::Scrubber;

use crate::auth::error::TokenError;
use crate::error_code::Meaning;
use crate::failure::{BackoffHint, Failure};
use crate::path::InvalidSegment;
use crate::refusal::Refusal;
use crate::withdrawal::Withdrawal;

/// The reason of [`ErrorKind::Unreachable`] where the server was silent for too long.
pub(crate) const OUT_OF_TIME: &str = "time ran out";

/// A request to Graph failed.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    effect: Effect,
    request_id: Option<String>,
}

/// What is known about a change whose request failed. The term is Jepsen's ("indeterminate").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing was changed. This holds for every request that only reads.
    NotApplied,
    /// This try or an earlier one may have been carried out.
    Indeterminate,
}

/// Why a request to Graph failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ErrorKind {
    /// Graph sent an error response.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Graph throttled all requests for as long as the retries last, so this request was never sent.
    #[error("Microsoft Graph throttled all requests for too long; this one was not sent any more: {0}")]
    GivenUp(Box<Refusal>),
    /// Graph could not be reached, or the connection broke.
    #[error("Microsoft Graph could not be reached: {reason}")]
    Unreachable {
        /// The network's own words.
        reason: String,
        /// Whether the request may have reached Graph.
        sent: bool,
    },
    /// Graph was silent for too long.
    #[error("Microsoft Graph did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The server's certificate is not trusted. Trying again would not help.
    #[error(
        "the certificate of Microsoft Graph, or of a proxy before it, is not trusted: {0}. \
         Name its certificate authority in app.config (verify)"
    )]
    Untrusted(String),
    /// The response is not from Graph, or not the one that was asked for.
    #[error("what came back with HTTP status {status} is not an answer of Microsoft Graph: {what}")]
    NotAnAnswer {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the response.
        what: &'static str,
    },
    /// The status says success, but the body is an error.
    #[error("what came back with HTTP status {} is not an answer of Microsoft Graph: it is an error, {}", .0.status, .0.code_and_message())]
    ErrorInSuccess(Box<Refusal>),
    /// There is no access token.
    #[error(transparent)]
    Token(Box<TokenError>),
    /// An input cannot be part of an address.
    #[error(transparent)]
    Path(#[from] InvalidSegment),
    /// A next page lies outside the configured Graph, or in another list.
    #[error(
        "Microsoft Graph named a next page outside the configured microsoft_graph_url, or of another list; it was not \
         followed"
    )]
    ForeignNextLink,
    /// A listing does not end.
    #[error("Microsoft Graph listed more than {0} pages; the rest was not read")]
    TooManyPages(usize),
    /// A list that begins again.
    #[error(
        "Microsoft Graph named a page of the list a second time, so the list was not read further; there may be more"
    )]
    PagesRepeat,
    /// Messages that were not asked for.
    #[error(
        "Microsoft Graph did not apply the filter: it listed a message that does not meet the criteria, so nothing \
         that it listed counts as found"
    )]
    FilterNotApplied,
    /// More entries than such a list can have.
    #[error(
        "Microsoft Graph listed more than {0} entries where there cannot be so many; the list was not used"
    )]
    TooManyListed(usize),
    /// A search that cannot be divided into smaller ones.
    #[error(
        "Microsoft Graph ends a search of message texts after some hundreds of hits; it gave {hits} of {day}, and there \
         may be more of that day. Add a criterion, or search without a text of the body"
    )]
    SearchCapped {
        /// The hits of the day.
        hits: usize,
        /// The day, in UTC.
        day: NaiveDate,
    },
    /// The application does not allow to read the mailbox.
    #[error("the settings of this integration do not allow to read it (mailboxes_denied_reading)")]
    ReadingDenied,
    /// The application could not find out whose mailbox it is, so it is not read.
    #[error("whose mailbox it is could not be found out, so it was not read (mailboxes_denied_reading): {0}")]
    NotIdentified(String),
    /// Messages that only Exchange could compare with the criteria.
    #[error(
        "{0} message(s) that Microsoft Graph listed could not be compared with the criteria: the subject is spelt in \
         another way, or the sender is written as an internal name of Exchange. They are not among the results. Look at \
         them in the mailbox, or search by other criteria"
    )]
    Undecided(usize),
    /// A search found more than the process can hold.
    #[error(
        "more than {0} MiB of messages were found, which is too much for one answer; add a criterion, or lower \
         max_messages"
    )]
    TooMuchFound(usize),
    /// A user of the directory whose name or id is longer than any.
    #[error("its name or id in the directory is longer than any can be, so it was not searched")]
    UnusableName,
    /// A message is larger than a file may be.
    #[error("the message is larger than {0} MiB (max_attachment_mb)")]
    MessageTooLarge(u64),
    /// The change was withdrawn before it was sent.
    #[error("not done: {}", .0.phrase)]
    Withdrawn(Withdrawal),
    /// The time for the call ended before this request was sent or answered.
    #[error(
        "the time that one call may take (call_timeout) ended before it was {}",
        if *begun { "answered; it may have been done all the same" } else { "its turn" }
    )]
    OutOfTime {
        /// Whether the request was begun.
        begun: bool,
    },
    /// The calls of this process hold too much in memory for a large answer. The request is sent again when there is
    /// room; no caller sees this.
    #[error("there is no room in memory for a large answer of Microsoft Graph")]
    NoRoom {
        /// For how many bytes there has to be room.
        needed: usize,
    },
    /// A response is larger than any that is expected.
    #[error("the answer of Microsoft Graph is larger than {0} MiB")]
    TooLarge(usize),
}

impl ErrorKind {
    /// Classifies the failure for the retry policy.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Refused(refusal) => Failure::of(refusal.meaning(), refusal.retry_after),
            Self::Unreachable { sent: false, .. } => Failure::NotSent,
            // The token endpoint was already tried as often as makes sense. A 404 that is not Graph's own says that
            // the address is wrong.
            Self::Token(_)
            | Self::NotAnAnswer { status: 404, .. }
            | Self::GivenUp(_)
            | Self::Untrusted(_)
            | Self::Path(_)
            | Self::ForeignNextLink
            | Self::TooManyPages(_)
            | Self::TooManyListed(_)
            | Self::SearchCapped { .. }
            | Self::Undecided(_)
            | Self::ReadingDenied
            | Self::NotIdentified(_)
            | Self::PagesRepeat
            | Self::FilterNotApplied
            | Self::TooMuchFound(_)
            | Self::MessageTooLarge(_)
            | Self::OutOfTime { .. }
            | Self::Withdrawn(_)
            | Self::NoRoom { .. }
            | Self::UnusableName
            | Self::TooLarge(_) => Failure::Final,
            Self::Unreachable { .. }
            | Self::TimedOut(_)
            | Self::NotAnAnswer { .. }
            | Self::ErrorInSuccess(_) => Failure::Unknown,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        let effect = match kind {
            ErrorKind::OutOfTime { begun: true } => Effect::Indeterminate,
            _ => Effect::NotApplied,
        };
        Self { kind, effect, request_id: None }
    }
}

impl From<InvalidSegment> for Error {
    fn from(invalid: InvalidSegment) -> Self {
        ErrorKind::Path(invalid).into()
    }
}

impl From<Withdrawal> for Error {
    fn from(withdrawal: Withdrawal) -> Self {
        ErrorKind::Withdrawn(withdrawal).into()
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        ErrorKind::Token(Box::new(error)).into()
    }
}

impl Error {
    /// Returns why the request failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns what is known about the change that was asked for.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns Microsoft's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Sets what is known about the change that was asked for.
    #[must_use]
    pub fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Sets Microsoft's id of the request.
    pub(crate) fn with_request_id(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }

    /// Whether this try or an earlier one may have been carried out.
    pub fn is_indeterminate(&self) -> bool {
        self.effect == Effect::Indeterminate
    }

    /// Whether Graph may have carried out a request that failed like this. A response that is too large only shows
    /// that the request was not refused, although sending it again would not help.
    pub(crate) fn may_have_been_applied(&self) -> bool {
        matches!(self.kind, ErrorKind::TooLarge(_)) || self.failure().is_indeterminate()
    }

    /// Classifies the failure for the retry policy.
    pub(crate) fn failure(&self) -> Failure {
        self.kind.failure()
    }

    /// Returns the error for requests that still waited to be sent when Graph throttled everything.
    pub(crate) fn given_up(self) -> Self {
        match self.kind {
            ErrorKind::Refused(refusal) => Self { kind: ErrorKind::GivenUp(refusal), ..self },
            kind => Self { kind, ..self },
        }
    }

    /// Returns the text that the log may hold. Graph's own words are for the analyst only: they may quote what is being
    /// investigated.
    pub fn for_log(&self) -> String {
        let what = match self.refusal() {
            Some(Refusal { status, code, .. }) if code.is_empty() => {
                format!("Microsoft Graph answered HTTP status {status}")
            }
            Some(Refusal { status, code, .. }) => {
                format!("Microsoft Graph answered HTTP status {status}, {code}")
            }
            None => match &self.kind {
                ErrorKind::ErrorInSuccess(refusal) => {
                    format!(
                        "Microsoft Graph answered HTTP status {} with an error, {}",
                        refusal.status, refusal.code
                    )
                }
                kind => kind.to_string(),
            },
        };
        let doubt = if self.says_indeterminate() { "; it may have been carried out" } else { "" };
        format!("{what}{}{doubt}", RequestId(self.request_id()))
    }

    /// Returns Graph's error response, if there was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.kind {
            ErrorKind::Refused(refusal) | ErrorKind::GivenUp(refusal) => Some(refusal.as_ref()),
            _ => None,
        }
    }

    /// Returns the HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        match &self.kind {
            ErrorKind::Refused(refusal) | ErrorKind::ErrorInSuccess(refusal) => Some(refusal.status),
            ErrorKind::NotAnAnswer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns what Graph's error response means, if there was one.
    pub fn meaning(&self) -> Option<Meaning> {
        self.refusal().map(Refusal::meaning)
    }

    /// Whether Exchange reports that the message does not exist.
    pub fn is_item_gone(&self) -> bool {
        self.meaning() == Some(Meaning::NoItem)
    }

    /// Whether Graph reports that the user has no mailbox that it can reach.
    pub fn is_no_mailbox(&self) -> bool {
        self.meaning() == Some(Meaning::NoMailbox)
    }

    /// Whether the mailbox may be able to answer a request for less: some answer a large page or a long time with
    /// these statuses, or not at all, each time that they are asked (docs-contrib issues 6538 and 7758).
    pub(crate) fn is_about_size(&self) -> bool {
        match &self.kind {
            ErrorKind::Refused(refusal) => {
                matches!(refusal.status, 408 | 500 | 504) && refusal.retry_after.is_none()
            }
            ErrorKind::TooLarge(_) => true,
            _ => self.is_silence(),
        }
    }

    /// Returns why the change was withdrawn, if it was.
    pub fn withdrawal(&self) -> Option<&Withdrawal> {
        match &self.kind {
            ErrorKind::Withdrawn(withdrawal) => Some(withdrawal),
            _ => None,
        }
    }

    /// Whether Graph listed messages that it was not asked for.
    pub fn is_filter_not_applied(&self) -> bool {
        matches!(self.kind, ErrorKind::FilterNotApplied)
    }

    /// Whether the mailbox was searched, and only messages that could not be compared with the criteria are missing.
    pub fn is_undecided(&self) -> bool {
        matches!(self.kind, ErrorKind::Undecided(_))
    }

    /// Whether Exchange says that the folder is not there.
    pub fn is_no_folder(&self) -> bool {
        matches!(self.meaning(), Some(Meaning::NoFolder | Meaning::NoItem))
    }

    /// Returns the error without Graph's error object, for results that hold many errors.
    #[must_use]
    pub(crate) fn without_body(mut self) -> Self {
        if let ErrorKind::Refused(refusal)
        | ErrorKind::GivenUp(refusal)
        | ErrorKind::ErrorInSuccess(refusal) = &mut self.kind
        {
            refusal.body = None;
        }
        self
    }

    /// Returns about how many bytes the error takes in results.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.to_string().len()
    }

    /// Returns the error without secrets that were sent, in case that Graph quotes them.
    #[must_use]
    pub(crate) fn scrubbed(mut self, scrubber: &Scrubber) -> Self {
        if let ErrorKind::Refused(refusal)
        | ErrorKind::GivenUp(refusal)
        | ErrorKind::ErrorInSuccess(refusal) = &mut self.kind
        {
            refusal.scrub(scrubber);
        }
        self.request_id = self.request_id.map(|id| scrubber.scrub(&id));
        self
    }

    /// Returns Graph's request to go slower, if the error is one.
    pub fn backoff_hint(&self) -> Option<BackoffHint> {
        self.failure().backoff_hint()
    }

    /// Whether the last try was throttled before Graph did anything.
    pub fn is_throttled(&self) -> bool {
        matches!(self.failure(), Failure::Throttled(_))
    }

    /// Whether the text adds that the change may have been carried out. [`ErrorKind::OutOfTime`] says so itself.
    fn says_indeterminate(&self) -> bool {
        self.is_indeterminate() && !matches!(self.kind, ErrorKind::OutOfTime { .. })
    }

    /// Whether the server was silent for too long.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self.kind, ErrorKind::TimedOut(_))
            || matches!(&self.kind, ErrorKind::Unreachable { reason, sent: true } if reason == OUT_OF_TIME)
    }

    /// Whether the error concerns all requests, so that sending others would not help.
    pub fn is_for_all(&self) -> bool {
        matches!(self.kind, ErrorKind::Token(_) | ErrorKind::Untrusted(_) | ErrorKind::TooMuchFound(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (ErrorKind::Withdrawn(withdrawal), true) = (&self.kind, self.is_indeterminate()) {
            let phrase = &withdrawal.phrase;
            return write!(f, "not sent again: {phrase}. An earlier try may have been carried out");
        }
        write!(f, "{}{}", self.kind, RequestId(self.request_id()))?;
        if self.says_indeterminate() {
            f.write_str(". It may have been carried out all the same")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Writes ` (request-id …)`, where there is one.
struct RequestId<'a>(Option<&'a str>);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " (request-id {id})"))
    }
}
