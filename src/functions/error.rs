//! How a function fails, in a sentence or two for the analyst.

use std::time::Duration;

use super::context::Progress;
use super::inputs::InputError;
use super::permissions::Permissions;
use crate::guard;
use graph::BackoffHint;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The inputs are incomplete or of the wrong kind. Nothing was sent.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The inputs make no sense together. Nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be sent or written.
    #[error("The attachment {name} {why}")]
    Attachment {
        /// What it is called; not for the log, since it may be called after a mail.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        why: String,
    },
    /// Graph did not do it.
    #[error("Could not {attempt}: {}{}", sentence(source), Needs(*permissions, source))]
    Graph {
        /// What was attempted, for whom: "read message X of mailbox Y".
        attempt: String,
        /// The application permissions that it needs.
        permissions: Permissions,
        /// What Graph said.
        source: graph::Error,
    },
    /// Nobody knows whether Graph sent a mail, and nobody wants it twice.
    #[error(
        "Could not {attempt}: {} It may have been sent all the same, though the mailbox does not show it, so it was \
         not sent once more.",
        sentence(source)
    )]
    InDoubt {
        /// What was attempted, for whom.
        attempt: String,
        /// What became of the request.
        source: graph::Error,
    },
    /// Refused, or not possible any more, after a try of which nobody knows what became.
    #[error("{0} An earlier try may have been carried out all the same.")]
    AfterUnknown(Box<Self>),
    /// The call took longer than one may.
    #[error(
        "The function took longer than a call may ({} s, call_timeout) and was ended{}. What it had done until then \
         stays done, and what it was doing then may have been done.",
        limit.as_secs(),
        Dealt(*progress)
    )]
    OutOfTime {
        /// `call_timeout`.
        limit: Duration,
        /// How far it was, where it said so.
        progress: Option<Progress>,
    },
    /// A mail may have been sent before, and whether it was cannot be looked up.
    #[error(
        "Whether {mail} was sent before could not be looked up, so it was not sent again: {}{}",
        sentence(source),
        Needs(*permissions, source)
    )]
    NotLookedUp {
        /// Which mail: "a message from X".
        mail: String,
        /// The application permissions that looking needs.
        permissions: Permissions,
        /// What Graph said to the look.
        source: graph::Error,
    },
    /// SOAR did not do its part.
    #[error("{}", sentence(.0))]
    Soar(#[from] soar::Error),
    /// SOAR did not show what was to be sent.
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
    /// What the log may hold of it: all but Graph's own words, which may quote what is investigated.
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
            other => other.to_string(),
        }
    }

    /// Whether what was attempted may have been done all the same.
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

    /// The same after a try of which nobody knows what became.
    pub(super) fn after_unknown(self) -> Self {
        match self {
            // These say so themselves.
            said @ (Self::InDoubt { .. } | Self::NotLookedUp { .. } | Self::AfterUnknown(_)) => said,
            other => Self::AfterUnknown(Box::new(other)),
        }
    }

    /// Whether Graph asks to go slower.
    pub(super) fn backoff_hint(&self) -> Option<BackoffHint> {
        match self {
            Self::Graph { source, .. } | Self::InDoubt { source, .. } => source.backoff_hint(),
            _ => None,
        }
    }

    /// Whether Graph refused because it was asked too much. It says so before it does anything, as a rule.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, Self::Graph { source, .. } | Self::InDoubt { source, .. } if source.is_throttled())
    }

    /// Whether it could not be looked whether something was done, for want of a permission.
    pub(super) fn is_forbidden_look(&self) -> bool {
        let Self::NotLookedUp { source, .. } = self else { return false };
        source.refusal().is_some_and(|refusal| matches!(refusal.status, 401 | 403))
    }
}

/// ` after …`, where that is known.
struct Dealt(Option<Progress>);

impl std::fmt::Display for Dealt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Progress { done, total, more, found }) = self.0 else { return Ok(()) };
        let known = if more { "at least " } else { "" };
        write!(f, " after it had dealt with {done} of {known}{total}")?;
        found.map_or(Ok(()), |found| write!(f, ", with {found} found"))
    }
}

/// What `said` says, with one full stop at its end.
fn sentence(said: &impl std::fmt::Display) -> String {
    format!("{}.", said.to_string().trim_end_matches('.'))
}

/// Where permission is the likely reason, says which one.
pub(super) struct Needs<'a>(pub(super) Permissions, pub(super) &'a graph::Error);

impl std::fmt::Display for Needs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1.refusal().map(|refusal| refusal.status) {
            Some(401 | 403) => write!(
                f,
                " The Entra application needs the application permission {}, with admin consent, and access to \
                 this mailbox.",
                self.0
            ),
            _ => Ok(()),
        }
    }
}
