//! How long requests take: the time on the network, and the time at work at the service, which varies.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::Faults;
use crate::graph::rng::{hash, mix, step, unit};

/// The 99th percentile of the standard normal distribution.
const P99_OF_NORMAL: f64 = 2.326_347_874_040_841;

/// How long requests take. The times at work have a log-normal distribution, as those of most services.
///
/// A time depends on the tenant's seed, on the request, and on how often this request was made before. A second copy of
/// a request has another time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The time on the network: once for each HTTP request. The service is not at work meanwhile.
    pub round_trip: Duration,
    /// The time at work that half of the requests do not exceed.
    pub median: Duration,
    /// The time at work that 99 % of the requests do not exceed.
    pub p99: Duration,
    /// Mailboxes that take longer, if any.
    pub slow: Option<Slow>,
    /// The time at work for a page of the list of users.
    pub users_page: Duration,
}

/// Mailboxes that take longer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// The share of the mailboxes, from 0 to 1. The seed decides which mailboxes are slow.
    pub share: f64,
    /// How many times as long a request to one of them takes.
    pub times: u32,
}

/// What takes time at the service.
pub(in crate::graph) enum Work<'a> {
    /// A batch, in addition to its parts.
    Batch,
    /// A batch that is refused as a whole, in addition to [`Self::Batch`].
    RefusedBatch,
    /// A page of the list of users.
    UsersPage,
    /// A request with this method, path and query, and its mailbox if the directory knows it.
    Request { line: &'a str, mailbox: Option<u32> },
}

impl Pace {
    /// The times at work of `number` requests, each to another mailbox, in a tenant with this seed. They have the
    /// distribution of the requests that a tenant answers, but are not the times of particular requests.
    pub fn draws(&self, seed: u64, number: usize) -> Vec<Duration> {
        let mailboxes = (0..u32::MAX).take(number);
        mailboxes
            .map(|mailbox| self.time(seed, mix(seed, 0xD4A3, mailbox.into()), 0, Some(mailbox)))
            .collect()
    }

    /// The time at work of the request with this method, path and query (`GET /users/…?…`, below the version root),
    /// which was made `before` times before. Slow mailboxes are not considered.
    pub fn draw(&self, seed: u64, request: &str, before: u32) -> Duration {
        self.time(seed, hash(seed, request), before, None)
    }

    fn time(&self, seed: u64, request: u64, before: u32, mailbox: Option<u32>) -> Duration {
        let chance = mix(seed ^ request, 0x9ACE, before.into());
        let spread = (self.p99.as_secs_f64() / self.median.as_secs_f64()).ln() / P99_OF_NORMAL;
        let seconds = self.median.as_secs_f64() * (spread * normal(chance)).exp();
        // A median of 0 makes this "not a number".
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        time * mailbox.map_or(1, |mailbox| self.times(seed, mailbox))
    }

    /// How many times as long a request to the mailbox takes.
    fn times(&self, seed: u64, mailbox: u32) -> u32 {
        let slow = self.slow.filter(|slow| unit(mix(seed, 0x510E, mailbox.into())) < slow.share);
        slow.map_or(1, |slow| slow.times)
    }
}

/// The shortest time in which the service can carry out requests with these times at work, `at_once` of them at a time
/// and in this order: each begins when the first of the places is free. `round_trip` is added once, since a client can
/// send the other requests in time.
pub fn optimum(draws: &[Duration], at_once: usize, round_trip: Duration) -> Duration {
    optimum_with_refusals(draws, at_once, round_trip, |_| false, Duration::ZERO)
}

/// The same where the service refuses the first try of some requests at once: of the nth where `is_refused` says so of
/// n. They come again `again_after` that, when the others have begun.
pub fn optimum_with_refusals(
    draws: &[Duration],
    at_once: usize,
    round_trip: Duration,
    is_refused: impl Fn(usize) -> bool,
    again_after: Duration,
) -> Duration {
    let mut free = BinaryHeap::from(vec![Reverse(Duration::ZERO); at_once.max(1)]);
    let mut end = Duration::ZERO;
    let mut again = Vec::new();
    let mut begin = |due: Duration, takes: Duration| {
        let Some(mut first) = free.peek_mut() else { return due };
        let begun = first.0.max(due);
        first.0 = begun + takes;
        end = end.max(first.0);
        begun
    };
    for (nth, draw) in draws.iter().enumerate() {
        if is_refused(nth) {
            again.push((begin(Duration::ZERO, Duration::ZERO) + again_after, *draw));
        } else {
            begin(Duration::ZERO, *draw);
        }
    }
    for (due, draw) in again {
        begin(due, draw);
    }
    end + round_trip
}

/// A number with the standard normal distribution (Box and Muller's transform).
fn normal(chance: u64) -> f64 {
    let (radius, angle) = (1.0 - unit(chance), unit(step(chance)));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

impl Faults {
    /// Sets how long every request takes. A `$batch` call takes `each` for every round of sub-requests, and `more`
    /// in addition: Outlook runs four sub-requests of a batch at a time ("Throttling limits").
    pub fn set_latency(&self, each: Duration, more: Duration) {
        let mut plan = self.plan();
        (plan.latency, plan.batch_latency) = (each, more);
    }

    /// Sets how long requests take, instead of the times of [`Self::set_latency`]; `None` restores these.
    ///
    /// The four parts of a batch that Outlook runs at a time then run for their own times, and leave when they are done.
    pub fn set_pace(&self, pace: Option<Pace>) {
        let mut plan = self.plan();
        plan.pace = pace;
        plan.drawn.clear();
    }

    /// Sets how many requests below mailboxes, and parts of batches below mailboxes, may be at work at once, whatever
    /// their mailboxes. One more is refused at once with 429 `ApplicationThrottled`. There is no limit by default.
    ///
    /// Some versions of the Graph page "Microsoft Graph service-specific throttling limits" state Outlook's limit of
    /// four concurrent requests for an application and a mailbox, others for an application alone.
    pub fn set_application_limit(&self, limit: Option<usize>) {
        self.plan().application_limit = limit;
    }

    pub(in crate::graph) fn application_limit(&self) -> Option<usize> {
        self.plan().application_limit
    }

    /// The time on the network, if a pace defines it.
    pub(in crate::graph) fn round_trip(&self) -> Duration {
        self.plan().pace.map(|pace| pace.round_trip).unwrap_or_default()
    }

    /// How long the service works.
    pub(in crate::graph) fn time(&self, work: &Work<'_>) -> Duration {
        let more = match *work {
            Work::Request { mailbox: Some(mailbox), .. } => self.mailbox_latency(mailbox),
            _ => Duration::ZERO,
        };
        let mut plan = self.plan();
        let Some(pace) = plan.pace else {
            let each = if matches!(work, Work::Batch) { plan.batch_latency } else { plan.latency };
            return each + more;
        };
        match *work {
            Work::Batch | Work::RefusedBatch => Duration::ZERO,
            Work::UsersPage => pace.users_page,
            Work::Request { line, mailbox } => {
                let request = hash(self.seed, line);
                let before = plan.drawn.entry(request).or_default();
                let time = pace.time(self.seed, request, *before, mailbox);
                *before += 1;
                time + more
            }
        }
    }
}
