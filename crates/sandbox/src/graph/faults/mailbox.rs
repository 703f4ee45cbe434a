//! What is wrong with single mailboxes, and with the lists that the tenant returns.

use std::time::Duration;

use chrono::TimeDelta;

use crate::graph::refusal::Refusal;

/// What is wrong with one mailbox until [`super::Faults::clear`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxFault {
    /// 401 `UnknownError`, although the token is valid (microsoft-graph-docs-contrib issue 9141).
    Unauthorized,
    /// 403 `ErrorAccessDenied`: RBAC for Applications, or an application access policy, excludes the mailbox.
    AccessPolicy,
    /// Every request is refused with this status, code and message.
    Refused(u16, &'static str, &'static str),
    /// Lists of messages with a `$top` above `entries` are answered with `status`
    /// (microsoft-graph-docs-contrib issues 6538 and 3885).
    LargePages {
        /// 504 or 500.
        status: u16,
        /// The largest page that is answered.
        entries: usize,
    },
    /// Lists of messages whose `$filter` spans more time than `span` are answered with `status`
    /// (microsoft-graph-docs issue 11628). A missing bound makes the span infinite.
    LongSpans {
        /// 504 or 500.
        status: u16,
        /// The longest span that is answered.
        span: TimeDelta,
    },
    /// Every request takes this much longer.
    Slow(Duration),
    /// Changes of a message's extended properties are refused with 403.
    NoExtendedProperties,
    /// Exchange does not know the principal name that `/users` returns. The object id works
    /// (microsoft-graph-docs issue 5291).
    OnlyById,
}

impl MailboxFault {
    /// The refusal of any request to the mailbox, which the URL names as `user`.
    pub(super) fn refusal(self, user: &str) -> Option<Refusal> {
        match self {
            Self::Unauthorized => Some(Refusal::new(401, "UnknownError", "")),
            Self::AccessPolicy => Some(Refusal::new(
                403,
                "ErrorAccessDenied",
                "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings.",
            )),
            Self::Refused(status, code, message) => Some(Refusal::new(status, code, message)),
            Self::OnlyById => user.contains('@').then(|| Refusal::invalid_user(user)),
            Self::LargePages { .. } | Self::LongSpans { .. } | Self::Slow(_) | Self::NoExtendedProperties => {
                None
            }
        }
    }

    /// The refusal of a list of messages with pages of `top`, which covers `span`; `None` is an infinite span.
    pub(super) fn list_refusal(self, top: usize, span: Option<TimeDelta>) -> Option<Refusal> {
        let (status, exceeded) = match self {
            Self::LargePages { status, entries } => (status, top > entries),
            Self::LongSpans { status, span: longest } => (status, span.is_none_or(|span| span > longest)),
            _ => return None,
        };
        exceeded.then(|| match status {
            504 => Refusal::new(504, "UnknownError", ""),
            _ => Refusal::new(status, "ErrorInternalServerError", "An internal server error occurred."),
        })
    }
}

/// How `@odata.nextLink` leads in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageLoop {
    /// A page that is not the last one names itself.
    Itself,
    /// An empty page that names itself follows the last page.
    EmptyPage,
    /// Each page that follows another one names the first page.
    First,
}

impl PageLoop {
    /// The offset that the page at `here` names as the next one, instead of `next`. `end` is the offset after the last
    /// entry.
    pub(in crate::graph) fn next<T: Copy + PartialEq>(
        self,
        first: T,
        here: T,
        next: Option<T>,
        end: T,
    ) -> Option<T> {
        match self {
            Self::Itself => next.map(|_| here),
            Self::EmptyPage => Some(next.unwrap_or(end)),
            Self::First if here == first => next,
            Self::First => Some(first),
        }
    }
}
