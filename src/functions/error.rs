//! How a function fails, in a sentence or two for the analyst.

use std::time::Duration;

use super::inputs::InputError;
use super::permissions::Permissions;
use super::progress::Progress;
use crate::guard;
use graph::{BackoffHint, Meaning};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The inputs are incomplete or cannot be read. Nothing was sent.
    #[error(transparent)]
    Input(#[from] InputError),
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
    /// A mail may have been sent, and is not sent again.
    #[error(
        "Could not {attempt}: {} It may have been sent all the same, though the mailbox does not show it, so it was \
         not sent once more.",
        sentence(source)
    )]
    InDoubt {
        /// The attempt.
        attempt: String,
        /// Graph's error.
        source: graph::Error,
    },
    /// The operation failed after an earlier attempt whose outcome is unknown.
    #[error("{0} An earlier try may have been carried out all the same.")]
    AfterUnknown(Box<Self>),
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
    Soar(#[from] soar::Error),
    /// A file could not be read from SOAR.
    #[error("{}", sentence(.0))]
    NotRead(soar::Error),
    /// A result could not be written as JSON.
    #[error("The result could not be written as JSON: {0}")]
    Result(#[from] serde_json::Error),
}

impl From<guard::Refusal> for Error {
    fn from(refusal: guard::Refusal) -> Self {
        Self::Refused(refusal.why)
    }
}

impl Error {
    /// The text for the log: without Graph's message, which may quote a mail.
    pub fn for_log(&self) -> String {
        match self {
            Self::Graph { attempt, source, .. } | Self::InDoubt { attempt, source } => {
                format!("could not {attempt}: {}", source.for_log())
            }
            Self::NotLookedUp { mail, source, .. } => {
                format!("whether {mail} was sent before could not be looked up: {}", source.for_log())
            }
            Self::AfterUnknown(last) => {
                format!("{}; an earlier try may have been carried out", last.for_log())
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

    /// Whether the attempt may have taken effect in spite of the error.
    pub(super) fn is_indeterminate(&self) -> bool {
        match self {
            Self::InDoubt { .. } | Self::AfterUnknown(_) | Self::OutOfTime { .. } => true,
            Self::Soar(error) => error.is_indeterminate(),
            Self::Input(_)
            | Self::Refused(_)
            | Self::Attachment { .. }
            | Self::Graph { .. }
            | Self::NotLookedUp { .. }
            | Self::NotRead(_)
            | Self::Result(_) => false,
        }
    }

    /// This error, after an earlier attempt whose outcome is unknown.
    pub(super) fn after_unknown(self) -> Self {
        match self {
            // These say so themselves.
            said @ (Self::InDoubt { .. } | Self::NotLookedUp { .. } | Self::AfterUnknown(_)) => said,
            other => Self::AfterUnknown(Box::new(other)),
        }
    }

    /// The delay that Graph asks for.
    pub(super) fn backoff_hint(&self) -> Option<BackoffHint> {
        match self {
            Self::Graph { source, .. } | Self::InDoubt { source, .. } => source.backoff_hint(),
            _ => None,
        }
    }

    /// Whether Graph throttled the request. As a rule, a throttled request was not carried out.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, Self::Graph { source, .. } | Self::InDoubt { source, .. } if source.is_throttled())
    }

    /// Whether the lookup failed for lack of a permission.
    pub(super) fn is_forbidden_look(&self) -> bool {
        let Self::NotLookedUp { source, .. } = self else { return false };
        source.refusal().is_some_and(|refusal| matches!(refusal.status, 401 | 403))
    }
}

/// " after …", if the progress is known.
struct Dealt(Option<Progress>);

impl std::fmt::Display for Dealt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Progress { done, total, more, found }) = self.0 else { return Ok(()) };
        let known = if more { "at least " } else { "" };
        write!(f, " after it had dealt with {done} of {known}{total}")?;
        found.map_or(Ok(()), |found| write!(f, ", with {found} found"))
    }
}

/// Returns the text with exactly one full stop at its end.
fn sentence(said: &impl std::fmt::Display) -> String {
    format!("{}.", said.to_string().trim_end_matches('.'))
}

/// Names the permission, if a missing one is the likely reason.
pub(super) struct Needs<'a>(pub(super) Permissions, pub(super) &'a graph::Error);

impl std::fmt::Display for Needs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
