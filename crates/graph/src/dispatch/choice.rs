//! Chooses how requests of one kind travel: by themselves, or in batches.
//!
//! Each way is measured by its cost: the time that one answered request keeps a place in the window. Outlook runs four
//! parts of a batch at a time and answers when the last is done, so a batch keeps four places until its slowest part
//! has ended; a single request keeps one, but for a whole round trip. A way's throughput is the number of places that
//! it can use, divided by its cost. The slower way is measured again from time to time.

use std::time::Duration;

use crate::batch::PARTS_AT_ONCE;
use crate::dispatch::latency::Latency;

/// The other way is measured for the first time after so many requests. A short piece of work is not worth it.
const FIRST_AFTER: usize = 1_500;
/// It is measured again after so many, as long as little is known of it.
const AGAIN_AFTER: usize = 200;
/// And later.
const LATER_AFTER: usize = 4_000;
/// So many requests are one measurement.
const AT_A_TIME: usize = 20;
/// A way is known after so many requests.
const KNOWN: u32 = 200;
/// The other way is taken when it is better by this factor.
const BETTER: f64 = 1.25;

/// What requests do. Kinds take different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Change,
}

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Single,
    Batch,
}

/// How many places in the window each way can use now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) single: usize,
    pub(crate) batch: usize,
}

/// The measurements of one kind of work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    way: Way,
    single: Latency,
    batch: Latency,
    /// Requests since the other way was measured.
    since: usize,
    /// Requests by the other way in the measurement under way.
    measuring: usize,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            way: Way::Single,
            single: Latency::default(),
            batch: Latency::default(),
            since: 0,
            measuring: 0,
        }
    }
}

impl Choice {
    /// Returns the way of the next of `waiting` requests.
    pub(crate) fn next(&mut self, places: Places, waiting: usize, batch: usize) -> Way {
        self.decide(places);
        let due = match self.other() {
            other if other.mean_of(KNOWN).is_some() => LATER_AFTER,
            other if other.mean_of(1).is_some() => AGAIN_AFTER,
            _ => FIRST_AFTER,
        };
        // A batch near the end of the work would hold it up.
        if self.since < due || waiting < batch.max(places.single) {
            return self.way;
        }
        match self.way {
            Way::Single => Way::Batch,
            Way::Batch => Way::Single,
        }
    }

    /// Records that `requests` are sent by `way`.
    pub(crate) fn began(&mut self, way: Way, requests: usize) {
        if way == self.way {
            return;
        }
        self.measuring += requests;
        if self.measuring >= AT_A_TIME {
            (self.since, self.measuring) = (0, 0);
        }
    }

    /// Records that `answered` requests came back by `way` after `took`.
    pub(crate) fn measured(&mut self, way: Way, took: Duration, answered: usize) {
        let Some(requests) = u32::try_from(answered).ok().filter(|requests| *requests > 0) else { return };
        match way {
            Way::Single => self.single.measured(took, 1),
            Way::Batch => {
                let places = u32::try_from(places(Way::Batch, answered)).unwrap_or(1);
                self.batch.measured(took * places / requests, requests);
            }
        }
        self.since += if way == self.way { answered } else { 0 };
    }

    /// The latency of single requests.
    pub(crate) fn single(&self) -> Latency {
        self.single
    }

    fn other(&self) -> Latency {
        match self.way {
            Way::Single => self.batch,
            Way::Batch => self.single,
        }
    }

    fn decide(&mut self, places: Places) {
        let (Some(single), Some(batch)) = (self.single.mean_of(KNOWN), self.batch.mean_of(KNOWN)) else {
            return;
        };
        let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        // In requests for each second, multiplied by both costs, which may be next to nothing.
        let (single, batch) = (number(places.single) * batch, number(places.batch) * single);
        self.way = match self.way {
            Way::Single if batch > single * BETTER => Way::Batch,
            Way::Batch if single > batch * BETTER => Way::Single,
            way => way,
        };
    }
}

/// Returns how many places in the window `requests` take that travel together.
pub(crate) fn places(way: Way, requests: usize) -> usize {
    match way {
        Way::Single => 1,
        Way::Batch => requests.min(PARTS_AT_ONCE),
    }
}
