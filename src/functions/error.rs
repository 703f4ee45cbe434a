//! How a function fails, in a sentence or two for the analyst.

use std::fmt;
use std::time::Duration;

use super::inputs::InputError;
use super::permissions::Permissions;
use super::progress::Progress;
use crate::guard;
use graph::{BackoffHint, Effect, Meaning};

/// A call failed.
#[derive(Debug)]
pub struct Error {
    kind: Box<ErrorKind>,
    /// What is known of the attempts before the one that failed.
    earlier: Effect,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The inputs are incomplete or cannot be read. Nothing was sent.
    #[error(transparent)]
    Input(InputError),
    /// The function refused to do it, for this reason.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be sent or written.
    #[error("The attachment {name} {why}")]
    Attachment {
        /// Its name. The log must not hold it, since it may repeat a mail's subject.
        name: String,
        /// The rest of the sentence.
        why: String,
    },
    /// A request to Graph failed.
    #[error("Could not {attempt}: {}{}", sentence(source), Needs(*permissions, source))]
    Graph {
        /// The attempt: "read message X of mailbox Y".
        attempt: String,
        /// The application permissions that it needs.
        permissions: Permissions,
        /// Graph's error.
        source: graph::Error,
    },
    /// An index of mail could not be used.
    #[error("Could not {attempt}: {why}")]
    Index {
        /// The attempt.
        attempt: String,
        /// Why, in sentences, with what can be done.
        why: String,
        /// Graph's error.
        source: graph::Error,
    },
    /// A mail may have been sent, and is not sent again.
    #[error(
        "Could not {attempt}: {} It may have been sent all the same, though the mailbox does not show it, so it was \
         not sent once more.",
        sentence(source)
    )]
    NotSentAgain {
        /// The attempt.
        attempt: String,
        /// Graph's error.
        source: graph::Error,
    },
    /// The call ran longer than `call_timeout`.
    #[error(
        "The function took longer than a call may ({} s, call_timeout) and was ended{}. What it had done until then \
         stays done, and what it was doing then may have been done.",
        limit.as_secs(),
        Dealt(*progress)
    )]
    OutOfTime {
        /// `call_timeout`.
        limit: Duration,
        /// The progress until then, if the function reports it.
        progress: Option<Progress>,
    },
    /// A mail may have been sent before, and the lookup failed.
    #[error(
        "Whether {mail} was sent before could not be looked up, so it was not sent again: {}{}",
        sentence(source),
        Needs(*permissions, source)
    )]
    NotLookedUp {
        /// The mail: "a message from X".
        mail: String,
        /// The application permissions that the lookup needs.
        permissions: Permissions,
        /// Graph's error.
        source: graph::Error,
    },
    /// A note or file could not be written to SOAR.
    #[error("{}", sentence(.0))]
    Soar(soar::Error),
    /// A file could not be read from SOAR.
    #[error("{}", sentence(.0))]
    NotRead(soar::Error),
    /// A result could not be written as JSON.
    #[error("The result could not be written as JSON: {0}")]
    Result(serde_json::Error),
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind: Box::new(kind), earlier: Effect::NotApplied }
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        ErrorKind::Input(error).into()
    }
}

impl From<soar::Error> for Error {
    fn from(error: soar::Error) -> Self {
        ErrorKind::Soar(error).into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        ErrorKind::Result(error).into()
    }
}

impl From<guard::Refusal> for Error {
    fn from(refusal: guard::Refusal) -> Self {
        Self::refused(refusal.why)
    }
}

impl Error {
    /// The function refused to do it, for the reason `why`, a sentence.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        ErrorKind::Refused(why.into()).into()
    }

    /// Graph did not carry out `attempt`, which needs `permissions`.
    pub(super) fn graph(attempt: impl Into<String>, permissions: Permissions, source: graph::Error) -> Self {
        ErrorKind::Graph { attempt: attempt.into(), permissions, source }.into()
    }

    /// An index of mail could not be used for `attempt`; `why` says it in sentences.
    pub(super) fn index(attempt: String, why: String, source: graph::Error) -> Self {
        ErrorKind::Index { attempt, why, source }.into()
    }

    /// The file `name` cannot be sent or written; `why` is the rest of the sentence.
    pub(super) fn attachment(name: impl Into<String>, why: String) -> Self {
        ErrorKind::Attachment { name: name.into(), why }.into()
    }

    /// A file could not be read from SOAR.
    pub(super) fn not_read(source: soar::Error) -> Self {
        ErrorKind::NotRead(source).into()
    }

    /// Returns why the call failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns why the call failed.
    pub fn into_kind(self) -> ErrorKind {
        *self.kind
    }

    /// The text for the log: without Graph's message, which may quote a mail.
    pub fn for_log(&self) -> String {
        let doubt = if self.mentions_earlier() { "; an earlier try may have been carried out" } else { "" };
        format!("{}{doubt}", self.kind.for_log())
    }

    /// Whether this attempt or an earlier one may have taken effect in spite of the error.
    pub(super) fn is_indeterminate(&self) -> bool {
        self.earlier == Effect::Indeterminate || self.kind.effect() == Effect::Indeterminate
    }

    /// This error, after an earlier attempt whose outcome is unknown.
    pub(super) fn after_indeterminate(self) -> Self {
        Self { earlier: Effect::Indeterminate, ..self }
    }

    /// Whether the text adds that an earlier attempt may have been carried out. Some kinds say so themselves.
    fn mentions_earlier(&self) -> bool {
        let says_so = matches!(self.kind(), ErrorKind::NotSentAgain { .. } | ErrorKind::NotLookedUp { .. });
        self.earlier == Effect::Indeterminate && !says_so
    }

    /// Graph's error, where there is one.
    pub(super) fn graph_error(&self) -> Option<&graph::Error> {
        match self.kind() {
            ErrorKind::Graph { source, .. }
            | ErrorKind::Index { source, .. }
            | ErrorKind::NotSentAgain { source, .. } => Some(source),
            _ => None,
        }
    }

    /// The delay that Graph asks for.
    pub(super) fn backoff_hint(&self) -> Option<BackoffHint> {
        self.graph_error()?.backoff_hint()
    }

    /// Whether Graph throttled the request. As a rule, a throttled request was not carried out.
    pub(super) fn is_throttling(&self) -> bool {
        self.graph_error().is_some_and(graph::Error::is_throttled)
    }

    /// Whether the lookup failed for lack of a permission.
    pub(super) fn is_forbidden_look(&self) -> bool {
        let ErrorKind::NotLookedUp { source, .. } = self.kind() else { return false };
        source.refusal().is_some_and(|refusal| matches!(refusal.status, 401 | 403))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.mentions_earlier() {
            f.write_str(" An earlier try may have been carried out all the same.")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl ErrorKind {
    fn for_log(&self) -> String {
        match self {
            Self::Graph { attempt, source, .. }
            | Self::Index { attempt, source, .. }
            | Self::NotSentAgain { attempt, source } => {
                format!("could not {attempt}: {}", source.for_log())
            }
            Self::NotLookedUp { mail, source, .. } => {
                format!("whether {mail} was sent before could not be looked up: {}", source.for_log())
            }
            Self::Attachment { why, .. } => format!("an attachment {why}"),
            Self::Soar(error @ soar::Error::Content { source, .. }) => {
                let source =
                    source.downcast_ref().map(|source: &graph::Error| format!(": {}", source.for_log()));
                format!("{}{}", error.for_log(), source.unwrap_or_default())
            }
            Self::Soar(error) | Self::NotRead(error) => error.for_log(),
            Self::Input(error) => error.for_log(),
            other => other.to_string(),
        }
    }

    /// What is known of the attempt that failed. Graph's own error says it for the functions that ask.
    fn effect(&self) -> Effect {
        match self {
            Self::NotSentAgain { .. } | Self::NotLookedUp { .. } | Self::OutOfTime { .. } => {
                Effect::Indeterminate
            }
            Self::Soar(error) if error.is_indeterminate() => Effect::Indeterminate,
            Self::Soar(_)
            | Self::Input(_)
            | Self::Refused(_)
            | Self::Attachment { .. }
            | Self::Graph { .. }
            | Self::Index { .. }
            | Self::NotRead(_)
            | Self::Result(_) => Effect::NotApplied,
        }
    }
}

/// " after …", if the progress is known.
struct Dealt(Option<Progress>);

impl fmt::Display for Dealt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Progress { done, total, more, found }) = self.0 else { return Ok(()) };
        let known = if more { "at least " } else { "" };
        write!(f, " after it had dealt with {done} of {known}{total}")?;
        found.map_or(Ok(()), |found| write!(f, ", with {found} found"))
    }
}

/// Returns the text with exactly one full stop at its end.
fn sentence(text: &impl fmt::Display) -> String {
    format!("{}.", text.to_string().trim_end_matches('.'))
}

/// Names the permission, if a missing one is the likely reason.
pub(super) struct Needs<'a>(pub(super) Permissions, pub(super) &'a graph::Error);

impl fmt::Display for Needs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.meaning() {
            Some(Meaning::Policy) => f.write_str(
                " A policy in Exchange Online keeps the Entra application out of this mailbox: an application access \
                 policy (Get-ApplicationAccessPolicy), or the scope of a role assignment (RBAC for Applications). A \
                 change of it takes up to an hour.",
            ),
            Some(Meaning::TokenRejected | Meaning::MailboxUnauthorized | Meaning::Forbidden) => write!(
                f,
                " The Entra application needs the application permission {}, with admin consent, and access to \
                 this mailbox.",
                self.0
            ),
            _ => Ok(()),
        }
    }
}
