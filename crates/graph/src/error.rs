//! A request to Graph that failed, and what is known of its effect.

use std::fmt;

use net::Scrubber;

use crate::auth::error::TokenError;
use crate::error_code::Meaning;
pub use crate::error_kind::ErrorKind;
pub(crate) use crate::error_kind::OUT_OF_TIME;
use crate::failure::{BackoffHint, Failure};
use crate::path::InvalidSegment;
use crate::refusal::Refusal;
use crate::withdrawal::Withdrawal;

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

    /// Whether another try may succeed.
    pub fn is_transient(&self) -> bool {
        self.failure() != Failure::Final
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
