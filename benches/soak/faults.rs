//! What goes wrong, by a schedule that the seed decides.

use std::time::Duration;

use fastrand::Rng;
use sandbox::graph::{Fault, MailboxFault, RetryAfter, Scope, Target, Throttling};
use sandbox::soar::rest::Failure;

use crate::daemon::Bench;
use crate::relay::Relay;

/// Kinds of trouble that are there at the same time.
pub const AT_ONCE: usize = 2;
/// The lifetime of tokens while they expire. It is an hour otherwise, so that the daemon at rest renews none.
const SHORT_LIFETIME: Duration = Duration::from_secs(2);
/// How many mailboxes are slow, and by how much.
const SLOW_MAILBOXES: usize = 5;
const SLOW_BY: Duration = Duration::from_secs(2);
/// Until the trouble ends.
const ALL: usize = usize::MAX;

#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// A part of the requests is throttled.
    ThrottledShare,
    /// All are, for seconds.
    ThrottledAll,
    /// Graph is away: 503, or 504.
    Unavailable,
    GatewayTimeout,
    /// Connections to Graph close without a response, or within one.
    GraphConnectionCut,
    GraphBodyCut,
    /// The token endpoint answers 503.
    NoTokens,
    /// Tokens are revoked, and live for seconds only.
    ExpiredTokens,
    SlowMailboxes,
    /// SOAR's REST interface answers 503, or closes connections.
    SoarErrors,
    SoarConnectionCut,
    /// The connection to the broker breaks, or stays away.
    BrokerConnectionCut,
    BrokerAway,
    /// The configuration changes.
    Reload,
}

const KINDS: [Trouble; 14] = [
    Trouble::ThrottledShare,
    Trouble::ThrottledAll,
    Trouble::Unavailable,
    Trouble::GatewayTimeout,
    Trouble::GraphConnectionCut,
    Trouble::GraphBodyCut,
    Trouble::NoTokens,
    Trouble::ExpiredTokens,
    Trouble::SlowMailboxes,
    Trouble::SoarErrors,
    Trouble::SoarConnectionCut,
    Trouble::BrokerConnectionCut,
    Trouble::BrokerAway,
    Trouble::Reload,
];

/// Deals out all kinds of trouble again and again, each time in another order.
pub struct Schedule {
    chance: Rng,
    left: Vec<Trouble>,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        Self { chance: Rng::with_seed(seed), left: Vec::new() }
    }

    pub fn next(&mut self) -> [Trouble; AT_ONCE] {
        std::array::from_fn(|_| {
            if self.left.is_empty() {
                self.left.extend(KINDS);
                self.chance.shuffle(&mut self.left);
            }
            self.left.pop().unwrap()
        })
    }
}

/// Everything that can go wrong around the daemon.
pub struct World<'a> {
    pub bench: &'a Bench,
    pub relay: &'a Relay,
    pub options: &'a [(&'a str, &'a str)],
}

impl World<'_> {
    /// Lets it happen. Called once in each second that the trouble lasts.
    pub fn strike(&self, trouble: Trouble, second: u64) {
        let sandbox = &self.bench.sandbox;
        let (faults, rest) = (sandbox.graph.faults(), &sandbox.soar.rest);
        let (first, wait) = (second == 0, RetryAfter::Decimal(0.5));
        match trouble {
            Trouble::ThrottledShare if first => faults.throttle(Some(Throttling {
                share: 0.2,
                scope: Scope::Everything,
                retry_after: wait,
                times: 2,
            })),
            Trouble::ThrottledAll if first => {
                faults.throttle_everything(Duration::from_secs(4), Scope::HttpRequests, wait);
            }
            Trouble::Unavailable if first => {
                faults.next(ALL, Target::HttpRequest, Fault::Status(503, RetryAfter::Absent));
            }
            Trouble::GatewayTimeout if first => {
                faults.next(ALL, Target::HttpRequest, Fault::Status(504, RetryAfter::Absent));
            }
            Trouble::GraphConnectionCut => faults.next(3, Target::HttpRequest, Fault::Close),
            Trouble::GraphBodyCut => faults.next(3, Target::containing("GET "), Fault::CutBody),
            Trouble::NoTokens | Trouble::ExpiredTokens => {
                if matches!(trouble, Trouble::NoTokens) && first {
                    faults.next(ALL, Target::Token, Fault::Status(503, RetryAfter::Absent));
                }
                faults.set_token_lifetime(SHORT_LIFETIME);
                sandbox.graph.revoke_tokens();
            }
            Trouble::SlowMailboxes if first => {
                for mailbox in sandbox.graph.mailboxes().iter().take(SLOW_MAILBOXES) {
                    assert!(sandbox.graph.fail_mailbox(mailbox, MailboxFault::Slow(SLOW_BY)));
                }
            }
            Trouble::SoarErrors if first => rest.fail_next("", ALL, Failure::Status(503)),
            Trouble::SoarConnectionCut => rest.fail_next("", 3, Failure::CutBefore),
            Trouble::BrokerConnectionCut if second.is_multiple_of(2) => self.relay.cut(),
            Trouble::BrokerAway if first => {
                self.relay.refuse(true);
                self.relay.cut();
            }
            Trouble::Reload if second.is_multiple_of(2) => {
                let timeout = if second.is_multiple_of(4) { "20" } else { "21" };
                let changed: Vec<_> = self.options.iter().copied().chain([("timeout", timeout)]).collect();
                self.bench.configure(&changed);
            }
            _ => {}
        }
    }

    /// Ends all trouble.
    pub fn calm(&self) {
        self.bench.sandbox.graph.faults().clear();
        self.bench.sandbox.soar.rest.heal();
        self.relay.refuse(false);
    }
}
