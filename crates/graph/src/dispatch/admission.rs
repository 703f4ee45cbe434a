//! What may be sent now, and how it travels. It knows nothing of requests and connections, so that a simulation can
//! drive it as the scheduler does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use crate::batch::PARTS_AT_ONCE;
use crate::dispatch::choice::{self, Choice, Kind, Places, Way};
use crate::dispatch::gather::Gather;
use crate::dispatch::latency::Latency;
use crate::dispatch::sample::Sample;
use crate::dispatch::window::{Decision, RequestWindow};
use crate::retry::Policy;

/// A throttled request keeps its place no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// A larger window is not tried unless so many requests wait: one that is refused would be the last to end.
const MANY: usize = 500;

/// Without HTTP/2, more requests than this at work travel in batches.
const MOST_CONNECTIONS: usize = 32;

/// The installation's limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `max_concurrent_requests`.
    pub(crate) requests: usize,
    /// `max_concurrent_batches`.
    pub(crate) batches: usize,
}

/// One HTTP request under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) way: Way,
    pub(crate) kind: Kind,
    pub(crate) sent_at: Instant,
    /// How many places in the window it takes.
    places: usize,
    /// Whether it belongs to no lane. It does not wait for pauses, and says nothing about them.
    is_lone: bool,
}

/// The places that are taken, and the measurements.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    window: RequestWindow,
    reads: Choice,
    changes: Choice,
    at_work: usize,
    batches: usize,
    /// Until when the places of throttled requests stay taken. Graph refuses at once, so that otherwise a single place
    /// too many would have one request after another refused.
    resting: BinaryHeap<Reverse<Instant>>,
    /// Whether the places are taken, and as many requests wait.
    is_full: bool,
    /// How many requests were answered and not throttled.
    accepted: u64,
    /// Whether the last batch was refused as a whole. What Graph would say to its requests is not known then.
    batch_refused: bool,
    gather: Gather,
}

impl Admission {
    pub(crate) fn new(policy: Policy, limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            window: RequestWindow::new(policy, limits.requests, now),
            reads: Choice::default(),
            changes: Choice::default(),
            at_work: 0,
            batches: 0,
            resting: BinaryHeap::new(),
            is_full: false,
            accepted: 0,
            batch_refused: false,
            gather: Gather::new(now),
        }
    }

    pub(crate) fn window(&self) -> &RequestWindow {
        &self.window
    }

    /// Returns how many places are taken by requests under way.
    pub(crate) fn at_work(&self) -> usize {
        self.at_work
    }

    /// Returns how many requests were answered and not throttled.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Returns when single requests of `kind` are sent next; `None` is at once.
    pub(crate) fn gathers_until(&mut self, kind: Kind, now: Instant) -> Option<Instant> {
        let latency = self.choice(kind).single().typical();
        self.gather.until(self.at_work, latency, now)
    }

    /// The latency of single reads.
    pub(crate) fn reads(&self) -> Latency {
        self.reads.single()
    }

    /// Returns how the next of `waiting` requests of `kind` travels; batches have `batch` parts. Without HTTP/2 each
    /// single request needs a connection of its own, so a window sends them only as long as batches could use it, too.
    pub(crate) fn way(&mut self, kind: Kind, waiting: usize, batch: usize, is_http2: bool) -> Way {
        let size = self.window.size();
        if size < PARTS_AT_ONCE || batch == 1 {
            return Way::Single;
        }
        let is_small = size <= MOST_CONNECTIONS.min(self.places_of_batches());
        if !is_http2 && (!is_small || self.batch_refused) {
            return Way::Batch;
        }
        let places = Places { single: size, batch: size.min(self.places_of_batches()) };
        self.choice(kind).next(places, waiting, batch)
    }

    /// Returns how many of `wanted` requests may be sent now by `way`, in one HTTP request, while `waiting` wait. Where
    /// only some places are free, a batch has only as many parts.
    pub(crate) fn room(&mut self, way: Way, wanted: usize, waiting: usize, now: Instant) -> usize {
        let taken = self.taken(now);
        let (size, free) = (self.window.size(), self.window.room(taken, now));
        // Where only batches travel, a window with places for more of them than may be under way is not full: their
        // number is the limit. In a smaller window its places are the limit, even where batches of few parts use up the
        // number.
        let most = self.places_of_batches();
        let is_wide = way == Way::Batch && size > most && self.at_work <= most;
        self.is_full = !is_wide && free < choice::places(way, wanted) && waiting >= (4 * size).min(MANY);
        match way {
            Way::Single => free.min(1),
            Way::Batch if self.batches >= self.limits.batches => 0,
            Way::Batch if free >= PARTS_AT_ONCE => wanted,
            // Places for a whole batch become free.
            Way::Batch if self.at_work > 0 && self.batches < size / PARTS_AT_ONCE => 0,
            Way::Batch => free.min(wanted),
        }
    }

    /// Returns how many requests batches can have at work.
    fn places_of_batches(&self) -> usize {
        self.limits.batches * PARTS_AT_ONCE
    }

    /// Whether a lone request may be sent now.
    pub(crate) fn has_room_for_lone(&mut self, now: Instant) -> bool {
        let taken = self.taken(now);
        self.window.is_paused(now) || self.window.room(taken, now) > 0
    }

    fn taken(&mut self, now: Instant) -> usize {
        while self.resting.peek().is_some_and(|Reverse(until)| *until <= now) {
            self.resting.pop();
        }
        self.at_work + self.resting.len()
    }

    /// Records that nothing waits any more.
    pub(crate) fn emptied(&mut self) {
        self.is_full = false;
        self.gather.emptied();
    }

    /// Returns when a place becomes free or a pause ends, without an answer.
    pub(crate) fn next_change(&mut self, now: Instant) -> Option<Instant> {
        self.taken(now);
        let rested = self.resting.peek().map(|Reverse(until)| *until);
        [self.window.paused_until(now), rested].into_iter().flatten().min()
    }

    /// Records that `requests` of `kind` are sent by `way`.
    pub(crate) fn begin(&mut self, way: Way, kind: Kind, requests: usize, sent_at: Instant) -> Ticket {
        self.window.sent();
        if way == Way::Single {
            self.gather.sent(sent_at);
        }
        self.choice(kind).began(way, requests);
        self.batches += usize::from(way == Way::Batch);
        let places = choice::places(way, requests);
        self.at_work += places;
        Ticket { way, kind, sent_at, places, is_lone: false }
    }

    /// Records that a lone request of `kind` is sent.
    pub(crate) fn begin_lone(&mut self, kind: Kind, sent_at: Instant) -> Ticket {
        self.at_work += 1;
        Ticket { way: Way::Single, kind, sent_at, places: 1, is_lone: true }
    }

    /// Frees the places of what was not sent.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.at_work = self.at_work.saturating_sub(ticket.places);
        self.batches = self.batches.saturating_sub(usize::from(ticket.way == Way::Batch));
    }

    /// Records the outcome of what `ticket` stands for.
    pub(crate) fn end(&mut self, ticket: Ticket, sample: Sample, now: Instant) -> Decision {
        self.cancel(ticket);
        if ticket.way == Way::Batch {
            self.batch_refused = sample.call_throttled;
        }
        self.accepted += (sample.answers - sample.throttled) as u64;
        let took = now.saturating_duration_since(ticket.sent_at);
        if sample.is_all_throttled() {
            let rest = self.choice(ticket.kind).single().typical().min(LONGEST_REST);
            let until = ticket.sent_at + rest;
            self.resting.extend((0..ticket.places).filter(|_| until > now).map(|_| Reverse(until)));
        } else {
            self.choice(ticket.kind).measured(ticket.way, took, sample.answers);
        }
        if ticket.is_lone && self.window.is_paused(now) {
            return Decision::GoOn;
        }
        self.window.answered(sample, ticket.places, self.is_full, self.at_work, now)
    }

    fn choice(&mut self, kind: Kind) -> &mut Choice {
        match kind {
            Kind::Read => &mut self.reads,
            Kind::Change => &mut self.changes,
        }
    }
}
