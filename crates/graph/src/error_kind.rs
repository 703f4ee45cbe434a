//! Why requests to Graph fail, in words for the analyst.

use std::time::Duration;

use chrono::NaiveDate;

use crate::auth::error::TokenError;
use crate::failure::Failure;
use crate::path::InvalidSegment;
use crate::refusal::Refusal;
use crate::withdrawal::Withdrawal;

/// The reason of [`ErrorKind::Unreachable`] where the server was silent for too long.
pub(crate) const OUT_OF_TIME: &str = "time ran out";

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
         another way, the sender or a recipient is written as an internal name of Exchange, or the body or an attachment \
         could not be read as a whole. They are not among the results. Look at them in the mailbox, or search by other \
         criteria"
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
            // The token endpoint was already tried as often as makes sense.
            Self::Token(_)
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
            // Either the address is wrong, which stays so, or the body of Graph's own 404 was damaged on its way.
            Self::NotAnAnswer { status: 404, .. } => Failure::Persistent,
            Self::Unreachable { .. }
            | Self::TimedOut(_)
            | Self::NotAnAnswer { .. }
            | Self::ErrorInSuccess(_) => Failure::Unknown,
        }
    }
}
