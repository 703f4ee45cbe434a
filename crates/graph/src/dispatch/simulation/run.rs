//! Clients and a service in virtual time. Everything follows from the seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::service::Service;
use crate::batch::PARTS_AT_ONCE;
use crate::dispatch::admission::{Admission, Limits, Ticket};
use crate::dispatch::choice::{Kind, Way};
use crate::dispatch::sample::Sample;
use crate::failure::Failure;
use crate::retry::{Policy, Retries};

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy::for_tests(10, SECOND)
}

/// One request of a client.
#[derive(Debug, Clone, Copy)]
struct Job {
    retries: Retries,
    /// How many requests its client had done at the last look.
    done: usize,
    time: Duration,
    /// Whether it is throttled the first time, whatever else is at work.
    is_throttled: bool,
    /// The number of its search.
    search: usize,
}

/// An HTTP request on its way, with its parts.
#[derive(Debug)]
struct Sent {
    client: usize,
    ticket: Ticket,
    /// Those that have not begun yet.
    jobs: VecDeque<Job>,
    at_work: usize,
    refused: Vec<Job>,
    /// The searches of those that were accepted.
    accepted: Vec<usize>,
    sample: Sample,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The HTTP request with this number reaches the service.
    Arrive(usize),
    /// One of its parts has ended.
    End(usize),
    /// Its answer reaches the client.
    Answer(usize),
    /// A client checks what it may send.
    Wake(usize),
}

/// One client of the service.
#[derive(Debug)]
pub(super) struct SimulatedClient {
    admission: Admission,
    waiting: VecDeque<Job>,
    /// Throttled requests, with the time when they are sent again.
    later: BinaryHeap<Reverse<(Instant, usize)>>,
    /// When it checks again what it may send.
    wake: Option<Instant>,
    retries: Vec<Job>,
    pub(super) done: usize,
    /// How many searches it completed.
    pub(super) searches: usize,
    pub(super) ended: Option<Duration>,
    pub(super) by_batch: usize,
    /// How often it sent something, one HTTP request or several.
    pub(super) turns: usize,
    pub(super) refused: usize,
    /// The window after each answer, with its time.
    pub(super) windows: Vec<(Duration, usize)>,
}

/// A run: some clients, and one service.
pub(super) struct Run {
    pub(super) service: Service,
    pub(super) is_http2: bool,
    pub(super) clients: Vec<SimulatedClient>,
    start: Instant,
    now: Instant,
    random: fastrand::Rng,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    sent: Vec<Option<Sent>>,
    at_work: usize,
    number: u64,
    /// Searches that no client has begun.
    searches: VecDeque<Vec<Job>>,
    /// How many requests of each search are not done.
    left: Vec<usize>,
}

impl Run {
    /// Prepares a run of `clients` clients, which have `requests` requests each.
    pub(super) fn new(service: Service, seed: u64, clients: usize, requests: usize) -> Self {
        Self::of_searches(service, seed, (clients, 1), (clients, requests))
    }

    /// Prepares a run of `clients` clients, which take the next of `searches` searches as soon as they have less than
    /// `at_once`.
    pub(super) fn of_searches(
        service: Service,
        seed: u64,
        (clients, at_once): (usize, usize),
        (searches, requests): (usize, usize),
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = Instant::now();
        let mut job = |search| Job {
            retries: Retries::default(),
            done: 0,
            time: service.draw(&mut random),
            is_throttled: random.f64() < service.throttled,
            search,
        };
        let queue = (0..searches).map(|search| (0..requests).map(|_| job(search)).collect()).collect();
        let client = || SimulatedClient {
            admission: Admission::new(policy(), Limits { requests: 256, batches: 8 }, start),
            waiting: VecDeque::new(),
            later: BinaryHeap::new(),
            wake: None,
            retries: Vec::new(),
            done: 0,
            searches: 0,
            ended: None,
            by_batch: 0,
            turns: 0,
            refused: 0,
            windows: Vec::new(),
        };
        let mut run = Self {
            service,
            is_http2: true,
            clients: (0..clients).map(|_| client()).collect(),
            start,
            now: start,
            random,
            events: BinaryHeap::new(),
            sent: Vec::new(),
            at_work: 0,
            number: 0,
            searches: queue,
            left: vec![requests; searches],
        };
        for _ in 0..at_once {
            for client in 0..clients {
                run.begin_search(client);
            }
        }
        run
    }

    fn begin_search(&mut self, client: usize) {
        self.clients[client].waiting.extend(self.searches.pop_front().into_iter().flatten());
    }

    /// The shortest time in which the first client's requests can be done.
    pub(super) fn optimum(&self) -> Duration {
        let times: Vec<_> = self.clients[0].waiting.iter().map(|job| (job.time, job.is_throttled)).collect();
        self.service.optimum(&times, 256)
    }

    /// Runs until all requests are done, or until `limit`. Returns the time that it took.
    pub(super) fn finish(&mut self, limit: Duration) -> Duration {
        for client in 0..self.clients.len() {
            // Clients do not begin at the same moment.
            let offset = SECOND.mul_f64(self.random.f64() / 10.0);
            self.at(self.start + offset, Event::Wake(client));
        }
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > self.start + limit {
                break;
            }
            assert!(self.number < 20_000_000, "it does not end: {event:?} at {:?}", at - self.start);
            self.now = at;
            self.handle(event);
        }
        self.now - self.start
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Wake(client) => self.send(client),
            Event::Arrive(number) => {
                self.refuse_batch(number);
                self.work(number);
            }
            Event::End(number) => {
                self.at_work -= 1;
                if let Some(sent) = &mut self.sent[number] {
                    sent.at_work -= 1;
                }
                self.work(number);
            }
            Event::Answer(number) => self.answer(number),
        }
    }

    /// Whether everything is throttled.
    fn is_out(&self) -> bool {
        let begins = self.start + self.service.outage_at;
        self.now >= begins && self.now < begins + self.service.outage
    }

    /// Lets the service throttle a batch as a whole, as it does single requests.
    fn refuse_batch(&mut self, number: usize) {
        let is_out = self.is_out();
        let Some(sent) = &mut self.sent[number] else { return };
        if sent.ticket.way == Way::Batch && (is_out || self.random.f64() < self.service.throttled) {
            for job in sent.jobs.drain(..) {
                sent.sample.note(job.retries.made == 0, Some(Failure::Throttled(Some(SECOND))));
                sent.refused.push(job);
            }
            sent.sample.call_throttled = true;
        }
    }

    /// Lets the service begin the parts of an HTTP request that it can begin.
    fn work(&mut self, number: usize) {
        let is_out = self.is_out();
        let Some(mut sent) = self.sent[number].take() else { return };
        while sent.at_work < PARTS_AT_ONCE
            && let Some(job) = sent.jobs.pop_front()
        {
            let is_over = self.service.limit.is_some_and(|limit| self.at_work >= limit);
            if is_out || is_over || job.is_throttled {
                sent.sample.note(job.retries.made == 0, Some(Failure::Throttled(Some(SECOND))));
                sent.refused.push(job);
            } else {
                sent.sample.note(job.retries.made == 0, None);
                sent.accepted.push(job.search);
                sent.at_work += 1;
                self.at_work += 1;
                self.at(self.now + job.time, Event::End(number));
            }
        }
        if sent.at_work == 0 && sent.jobs.is_empty() {
            self.at(self.now + self.service.round_trip / 2, Event::Answer(number));
        }
        self.sent[number] = Some(sent);
    }

    fn answer(&mut self, number: usize) {
        let Some(sent) = self.sent[number].take() else { return };
        let (index, now) = (sent.client, self.now);
        let client = &mut self.clients[index];
        let _ = client.admission.end(sent.ticket, sent.sample, now);
        client.done += sent.sample.answers - sent.sample.throttled;
        client.refused += sent.refused.len();
        client.windows.push((now - self.start, client.admission.window().size()));
        if client.done > 0 {
            client.ended = Some(now - self.start);
        }
        for job in sent.refused {
            assert!(
                job.retries.made < policy().max_retries(),
                "a request is given up at {:?}",
                now - self.start
            );
            let mut retries = job.retries;
            let wait = policy().wait_among_others(Some(SECOND), &mut retries, client.done != job.done);
            retries.made += 1;
            let wait = wait.expect("a second is not too long");
            let due = now + wait.mul_f64(1.0 + self.random.f64() / 10.0);
            client.later.push(Reverse((due, client.retries.len())));
            let done = client.done;
            client.retries.push(Job { retries, done, is_throttled: false, ..job });
        }
        for search in sent.accepted {
            self.left[search] -= 1;
            if self.left[search] == 0 {
                self.clients[index].searches += 1;
                self.begin_search(index);
            }
        }
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let now = self.now;
        let client = &mut self.clients[index];
        while let Some(Reverse((due, retry))) = client.later.peek().copied()
            && due <= now
        {
            client.later.pop();
            client.waiting.push_back(client.retries[retry]);
        }
        let sent = self.sent.len();
        let next = self.send_waiting(index);
        let client = &mut self.clients[index];
        client.turns += usize::from(self.sent.len() > sent);
        let next = next.into_iter().chain(client.later.peek().map(|Reverse((due, _))| *due)).min();
        if let Some(next) = next
            && client.wake.is_none_or(|wake| wake <= now || next < wake)
        {
            client.wake = Some(next);
            self.at(next, Event::Wake(index));
        }
    }

    /// Sends what may be sent. Returns when more may be sent without an answer.
    fn send_waiting(&mut self, index: usize) -> Option<Instant> {
        let now = self.now;
        let gathers_until = self.clients[index].admission.gathers_until(Kind::Read, now);
        loop {
            let client = &mut self.clients[index];
            if client.waiting.is_empty() {
                client.admission.emptied();
                return None;
            }
            let way = client.admission.way(Kind::Read, client.waiting.len(), 20, self.is_http2);
            if way == Way::Single && gathers_until.is_some() {
                return gathers_until;
            }
            let parts = client.admission.room(way, client.waiting.len().min(20), client.waiting.len(), now);
            if parts == 0 {
                return client.admission.next_change(now);
            }
            let ticket = client.admission.begin(way, Kind::Read, parts, now);
            client.by_batch += if way == Way::Batch { parts } else { 0 };
            let jobs = client.waiting.drain(..parts).collect();
            let sample = Sample::of(now);
            self.sent.push(Some(Sent {
                client: index,
                ticket,
                jobs,
                at_work: 0,
                refused: Vec::new(),
                accepted: Vec::new(),
                sample,
            }));
            self.at(now + self.service.round_trip / 2, Event::Arrive(self.sent.len() - 1));
        }
    }
}
