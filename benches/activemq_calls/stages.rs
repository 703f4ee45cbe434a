//! Where the time of a call goes: the frames between consumer and broker, and when they pass.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stomp::{ClientCommand, ServerCommand};

use crate::load::{Load, Run};
use crate::support::activemq::ActiveMq;
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::tls::Authority;
use crate::{CALLS, median};

/// What passes for a call, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    /// The broker hands the message to the consumer.
    Delivered,
    /// The consumer sends the reply.
    Replied,
    /// The broker accepts the reply.
    Accepted,
    /// The consumer commits reply and acknowledgement.
    Committing,
    /// The broker confirms both.
    Committed,
}

type Times = HashMap<Step, Vec<Instant>>;

/// A way to the broker that notes when each frame of a call passes.
pub(crate) struct Tap {
    pub(crate) port: u16,
    authority: Authority,
    times: Arc<Mutex<Times>>,
}

/// The parts of the time of a call, from its message to its reply.
pub(crate) const PARTS: [&str; 6] = [
    "broker stores the call and delivers it",
    "consumer: from the message to the reply",
    "broker accepts the reply",
    "consumer: from the receipt to ACK and COMMIT",
    "broker commits, and delivers the reply",
    "all",
];

impl Tap {
    pub(crate) async fn new(broker: &ActiveMq) -> Self {
        let (authority, times) = (Authority::new(), Arc::new(Mutex::new(Times::new())));
        let (noted, receipts) = (Arc::clone(&times), Mutex::new(HashMap::new()));
        let note = move |passing: Passing<'_>| {
            let mut receipts = receipts.lock().unwrap();
            let mut expect = |receipt: Option<&str>, step| {
                receipts.extend(receipt.map(|receipt| (receipt.to_owned(), step)));
            };
            let step = match passing {
                Passing::ToBroker(frame) => match frame.command {
                    ClientCommand::Send if frame.header("transaction").is_some() => {
                        expect(frame.header("receipt"), Step::Accepted);
                        Some(Step::Replied)
                    }
                    ClientCommand::Commit => {
                        expect(frame.header("receipt"), Step::Committed);
                        Some(Step::Committing)
                    }
                    _ => None,
                },
                Passing::FromBroker(frame) => match frame.command {
                    ServerCommand::Message => Some(Step::Delivered),
                    ServerCommand::Receipt => receipts.remove(frame.header("receipt-id").unwrap_or_default()),
                    _ => None,
                },
            };
            if let Some(step) = step {
                noted.lock().unwrap().entry(step).or_default().push(Instant::now());
            }
            Verdict::Pass
        };
        let port = cutter(&authority, broker.port(), &broker.ca_file(), note).await;
        Self { port, authority, times }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// The parts of the time of calls that come one after another. Leaves out the first ones, and forgets all.
    pub(crate) async fn measure(&self, load: &mut Load) -> ([Duration; PARTS.len()], Duration) {
        self.times.lock().unwrap().clear();
        load.run(CALLS, 1).await;
        self.settle().await;
        self.times.lock().unwrap().clear();
        let run = load.run(CALLS, 1).await;
        self.settle().await;
        let parts = self.parts(&run);
        self.times.lock().unwrap().clear();
        parts
    }

    /// Waits until the broker has confirmed all calls: SOAR may have the last reply before its receipt comes.
    async fn settle(&self) {
        let confirmed = || self.times.lock().unwrap().get(&Step::Committed).map_or(0, Vec::len);
        while confirmed() < CALLS as usize {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many replies each transaction had, on average.
    pub(crate) fn replies_in_a_transaction(&self) -> f64 {
        let times = self.times.lock().unwrap();
        let count = |step| times.get(&step).map_or(0, Vec::len);
        f64::from(u32::try_from(count(Step::Replied)).unwrap())
            / f64::from(u32::try_from(count(Step::Committing)).unwrap())
    }

    /// The median of each of the [`PARTS`] while one call was outstanding at a time, and of the time from COMMIT to its
    /// receipt.
    fn parts(&self, run: &Run) -> ([Duration; PARTS.len()], Duration) {
        let times = self.times.lock().unwrap();
        let of = |step| {
            let times = &times[&step];
            assert_eq!(times.len(), run.times.len(), "{step:?}");
            times
        };
        let sent: Vec<_> = run.times.iter().map(|(sent, _)| *sent).collect();
        let answered: Vec<_> = run.times.iter().map(|(_, answered)| *answered).collect();
        let between = |from: &[Instant], to: &[Instant]| {
            median(from.iter().zip(to).map(|(from, to)| to.duration_since(*from)).collect())
        };
        let parts = [
            between(&sent, of(Step::Delivered)),
            between(of(Step::Delivered), of(Step::Replied)),
            between(of(Step::Replied), of(Step::Accepted)),
            between(of(Step::Accepted), of(Step::Committing)),
            between(of(Step::Committing), &answered),
            between(&sent, &answered),
        ];
        (parts, between(of(Step::Committing), of(Step::Committed)))
    }
}
