//! Whether the broker has transactions.

use std::mem::take;

/// What is known of the broker's transactions; outlives a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transactions {
    /// The session uses them.
    Used {
        /// The number of connections in a row that ended with an ERROR while the probe was open.
        doubts: u32,
    },
    /// The broker has none.
    Refused,
}

/// After this many connections in a row that ended on the probe, the broker counts as one without transactions. A
/// single connection may end for any reason.
const MOST_DOUBTS: u32 = 2;

impl Transactions {
    pub(super) fn new() -> Self {
        Self::Used { doubts: 0 }
    }

    pub(super) fn are_used(self) -> bool {
        matches!(self, Self::Used { .. }) && !net::failpoint::is_set(format_args!("no-transactions"))
    }

    /// Notes that the broker began a transaction.
    pub(super) fn confirm(&mut self) {
        *self = Self::new();
    }

    /// Notes that the broker refused a transaction, for `reason`.
    pub(super) fn refuse(&mut self, host: &str, reason: &str) {
        *self = Self::Refused;
        tracing::warn!(
            broker = host,
            "the broker refuses transactions ({reason}): replies are sent, confirmed, and only then are their messages \
             acknowledged, so a reply may come twice when the connection breaks between"
        );
    }

    /// Notes that a connection ended after an ERROR that may have been about the probe.
    pub(super) fn doubt(&mut self, host: &str, reason: &str) {
        if let Self::Used { doubts } = self {
            *doubts += 1;
            if *doubts >= MOST_DOUBTS {
                self.refuse(host, reason);
            }
        }
    }
}

/// How far the broker has confirmed what a new connection asks for.
#[derive(Debug)]
pub(super) enum Phase {
    /// The transaction probe is open. Subscriptions were requested as well.
    Probing {
        /// The text of an ERROR without receipt that came meanwhile. A broker may be unable to name the receipt of a
        /// command that it does not know; whether the ERROR was about the probe is clear once all later requests are
        /// confirmed.
        error: Option<String>,
    },
    /// The probe is settled, or was not needed; a subscription is not confirmed yet.
    Subscribing,
    /// Every subscription is confirmed.
    Serving {
        /// When the last of them was.
        since: tokio::time::Instant,
    },
}

impl Phase {
    /// Keeps the text of an ERROR that may be about the probe.
    pub(super) fn suspect(&mut self, text: &str) {
        if let Self::Probing { error } = self {
            error.get_or_insert_with(|| text.to_owned());
        }
    }

    /// The text of an ERROR that may have been about the probe, once.
    pub(super) fn take_suspicion(&mut self) -> Option<String> {
        match self {
            Self::Probing { error } => take(error),
            Self::Subscribing | Self::Serving { .. } => None,
        }
    }
}
