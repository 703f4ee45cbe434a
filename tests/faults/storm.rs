//! Everything at once: hundreds of calls of all functions, while connections are cut, daemons and the broker are
//! killed, and Graph and SOAR fail.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use fn_exchange_online::functions::Function;
use sandbox::graph::{Fault, RetryAfter, Scope, Target};
use sandbox::soar::rest::Failure;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::orders::{Order, add_files};
use crate::plan::{Form, Step};
use crate::support::activemq::{ActiveMq, LOGIN, Tls};
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::deployment::{Daemon, Deployment, OtherBroker};

/// Calls that SOAR has open at a time.
const OPEN: usize = 24;
/// How long the oldest of them may take while faults come.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_calls_are_answered_and_done_once() {
    let form = Form::of_environment();
    println!("to repeat: {}", form.command());
    let started = Instant::now();
    let mut broker = ActiveMq::start(Tls::V1_2);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_broker(other).await;
    add_files(&deployment).await;
    deployment.sandbox.graph.faults().set_latency(Duration::from_millis(30), Duration::ZERO);
    let weather = Weather::new(&form);
    let port = cutter(broker.authority(), broker.port(), &broker.ca_file(), weather.judge()).await;
    let mut crew = Crew::new(&deployment, port);
    let soar = deployment.caller().await;

    let mut chance = form.chance(2);
    let mut account = Account::default();
    for step in form.storm() {
        match step {
            Step::Call(function) => {
                account.at_most_open(OPEN - 1, Instant::now() + ANSWERED_WITHIN).await;
                let order = Order::new(&deployment, account.len(), function).await;
                trouble(&deployment, &order, &mut chance);
                account.make(&soar, order).await;
            }
            Step::KillDaemon { which, after } => {
                sleep(after).await;
                crew.replace(&deployment, which).await;
            }
            Step::KillBroker { after, away } => {
                sleep(after).await;
                broker.kill();
                sleep(away).await;
                block_in_place(|| broker.restart());
            }
            Step::Cut { at_frame } => weather.cut(at_frame),
            Step::Throttle(duration) => {
                let faults = deployment.sandbox.graph.faults();
                faults.throttle_everything(duration, Scope::HttpRequests, RetryAfter::Decimal(0.5));
            }
        }
    }
    account.settle(&broker, &deployment).await;
    weather.clear();
    let worked = crew.dismiss().await;
    let Form { broker_kills, daemon_kills, .. } = &form;
    let cut = weather.cuts();
    let after = format!(
        "{} calls in {:?}; broker killed {broker_kills} times, daemons {daemon_kills} times, {} connections cut \
         ({cut:?}), calls begun by each daemon: {worked:?}; to repeat: {}",
        account.len(),
        started.elapsed(),
        cut.values().sum::<usize>(),
        form.command(),
    );
    account.close(&broker, &deployment, &soar, &after).await;
    assert_eq!(cut.values().sum::<usize>(), form.cuts, "connections cut: {cut:?}");
    assert!(worked.iter().filter(|calls| **calls > 0).count() >= 2, "one daemon did it all: {worked:?}");
}

/// Has something go wrong with about every third call: at Graph, at SOAR, or with the token.
fn trouble(deployment: &Deployment, order: &Order, chance: &mut Rng) {
    use RetryAfter::{Absent, Decimal, Seconds};
    let done_or_not = |chance: &mut Rng, status: u16| {
        *chance.choice([Fault::DoneButStatus(status, Absent), Fault::Status(status, Absent)].iter()).unwrap()
    };
    let graph = deployment.sandbox.graph.faults();
    if chance.u8(..100) < 30 {
        let (request, fault) = match order.function {
            Function::SendMessage => (
                "/sendMail",
                match chance.u8(..5) {
                    0 => Fault::Close,
                    1 => Fault::Status(429, Seconds(1)),
                    2 => Fault::DoneButStatus(429, Decimal(0.3)),
                    3 => Fault::DoneButStatus(503, Decimal(0.3)),
                    _ => done_or_not(chance, 504),
                },
            ),
            Function::CreateMeeting => (
                "/calendar/events",
                match chance.u8(..4) {
                    0 => Fault::CutBody,
                    1 => Fault::Status(503, Decimal(0.3)),
                    _ => done_or_not(chance, 504),
                },
            ),
            Function::MoveMessageToFolder => (
                "/move",
                match chance.u8(..5) {
                    0 => Fault::CutBody,
                    1 => Fault::Status(429, Decimal(0.3)),
                    // Seen at the service (msgraph-sdk-php issue 285).
                    2 => Fault::DoneButStatus(404, Absent),
                    _ => done_or_not(chance, 504),
                },
            ),
            Function::DeleteEmail | Function::DeleteMessagesFromQueryResults => (
                "DELETE ",
                match chance.u8(..4) {
                    0 => Fault::DoneButStatus(429, Decimal(0.3)),
                    1 => Fault::Status(503, Absent),
                    _ => done_or_not(chance, 504),
                },
            ),
            _ => (
                "GET ",
                match chance.u8(..6) {
                    0 => Fault::CutBody,
                    1 => Fault::Status(500, Absent),
                    2 => Fault::BrokenJson,
                    3 => Fault::Close,
                    4 => Fault::Delay(Duration::from_millis(700)),
                    _ => Fault::Status(429, Seconds(1)),
                },
            ),
        };
        graph.next(1, Target::containing(request), fault);
    }
    if chance.u8(..100) < 3 {
        graph.next(1, Target::Token, Fault::Status(503, Absent));
    }
    if chance.u8(..100) < 3 {
        graph.next(1, Target::Batch, Fault::Status(429, Seconds(1)));
    }
    if chance.u8(..100) < 40 {
        let failures = [
            Failure::DoneButStatus(500),
            Failure::DoneButStatus(503),
            Failure::Status(500),
            Failure::Status(503),
            Failure::CutBefore,
            Failure::CutAfter,
            Failure::CutBody,
        ];
        let what = if chance.bool() { "comments" } else { "attachments" };
        // Mostly what writes, for a look before it would use the fault up.
        let method = if chance.u8(..4) == 0 { "GET" } else { "POST" };
        let org = deployment.sandbox.soar.options().organisation.id;
        let on = format!("{method} /rest/orgs/{org}/incidents/{}/{what}", order.incident);
        deployment.sandbox.soar.rest.fail_next(&on, 1, *chance.choice(failures.iter()).unwrap());
    }
}

/// What the way to the broker is like: it is cut where the plan says, and slow in between.
#[derive(Clone)]
struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    chance: Rng,
    /// Frames until the next cut, from there to the one after it, and so on.
    due: VecDeque<usize>,
    /// Where connections were cut, and how often.
    cuts: BTreeMap<String, usize>,
    clear: bool,
}

impl Weather {
    fn new(form: &Form) -> Self {
        let sky = Sky { chance: form.chance(3), due: VecDeque::new(), cuts: BTreeMap::new(), clear: false };
        Self(Arc::new(Mutex::new(sky)))
    }

    fn judge(&self) -> impl Fn(Passing<'_>) -> Verdict + Send + Sync + 'static {
        let sky = Arc::clone(&self.0);
        move |frame| sky.lock().unwrap().verdict(&frame)
    }

    /// Cuts a connection at the frame so many frames from now, or from the cut that is due before it.
    fn cut(&self, at_frame: usize) {
        self.0.lock().unwrap().due.push_back(at_frame);
    }

    /// Nothing more happens.
    fn clear(&self) {
        self.0.lock().unwrap().clear = true;
    }

    fn cuts(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().cuts.clone()
    }
}

impl Sky {
    fn verdict(&mut self, frame: &Passing<'_>) -> Verdict {
        if self.clear {
            return Verdict::Pass;
        }
        if let Some(left) = self.due.front_mut() {
            *left -= 1;
            if *left == 0 {
                self.due.pop_front();
                return self.cut(frame);
            }
        }
        match self.chance.u8(..100) {
            0..5 => Verdict::Late(Duration::from_millis(self.chance.u64(1..200))),
            5..15 => Verdict::InPieces(self.chance.usize(1..64)),
            _ => Verdict::Pass,
        }
    }

    fn cut(&mut self, frame: &Passing<'_>) -> Verdict {
        let name = match frame {
            Passing::ToBroker(frame) => format!("{:?}", frame.command),
            Passing::FromBroker(frame) => format!("{:?}", frame.command),
        };
        *self.cuts.entry(name.to_uppercase()).or_default() += 1;
        *self.chance.choice([Verdict::Cut, Verdict::CutWithin, Verdict::CutAfter].iter()).unwrap()
    }
}

/// The daemons at work: always two, though not always the same.
struct Crew {
    app_config: String,
    daemons: [Daemon; 2],
    /// Calls that were begun by those that are no more.
    worked: Vec<usize>,
}

impl Crew {
    fn new(deployment: &Deployment, port: u16) -> Self {
        let resilient =
            [("stomp_port", &*port.to_string()), ("num_workers", "4"), ("request_retry_delay", "0.1")];
        let app = [("max_retries_backoff_factor", "0.1")];
        let app_config = deployment.app_config(&resilient, &app);
        let daemons = [deployment.spawn(&app_config), deployment.spawn(&app_config)];
        Self { app_config, daemons, worked: Vec::new() }
    }

    /// SIGKILL for one of them, and a new one in its place.
    async fn replace(&mut self, deployment: &Deployment, which: usize) {
        let place = &mut self.daemons[which % 2];
        let mut old = std::mem::replace(place, deployment.spawn(&self.app_config));
        old.signal("KILL").await;
        old.ended().await;
        self.worked.push(old.count_in_log("call started"));
    }

    /// Lets them stop; how many calls each daemon has begun.
    async fn dismiss(mut self) -> Vec<usize> {
        for daemon in &mut self.daemons {
            daemon.stop().await;
            self.worked.push(daemon.count_in_log("call started"));
        }
        self.worked
    }
}
