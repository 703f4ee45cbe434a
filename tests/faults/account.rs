//! The account of a run: every call with its replies and effects, counted after all is over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use sandbox::soar::caller::{Call, Caller};
use tokio::time::{Instant, sleep, timeout_at};

use crate::orders::Order;
use crate::support::activemq::{ADMIN, ActiveMq, DEAD_LETTERS};
use crate::support::deployment::{Deployment, SOON};
use crate::support::stomp_client::StompClient;

/// How long the calls that are left may take when no more faults come.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);

/// Every call that was made.
#[derive(Default)]
pub(crate) struct Account {
    calls: Vec<(Order, Call)>,
    /// Indices of those that may be unanswered, oldest first.
    open: VecDeque<usize>,
}

/// Sums over some calls.
#[derive(Default)]
struct Sum {
    expected: usize,
    once: usize,
    never: usize,
    again: usize,
}

impl Sum {
    fn count(&mut self, times: usize) {
        self.expected += 1;
        match times {
            0 => self.never += 1,
            1 => self.once += 1,
            _ => self.again += 1,
        }
    }
}

impl Account {
    /// How many calls were made.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Has SOAR make a call; it counts from the moment the broker has it.
    pub(crate) async fn make(&mut self, soar: &Caller, order: Order) {
        let call = soar.call(order.function.name(), order.inputs.clone()).await.unwrap();
        self.open.push_back(self.calls.len());
        self.calls.push((order, call));
    }

    /// Waits until no more than `most` calls are without a final reply, and until `deadline`.
    pub(crate) async fn at_most_open(&mut self, most: usize, deadline: Instant) {
        loop {
            self.open.retain(|&nth| self.calls[nth].1.replies() == 0);
            let Some(&oldest) = self.open.front().filter(|_| self.open.len() > most) else { return };
            let reply = self.calls[oldest].1.reply(deadline - Instant::now());
            if !matches!(timeout_at(deadline, reply).await, Ok(Ok(_))) {
                return;
            }
        }
    }

    /// Waits until every call is answered and the queue is empty, as long as that may take; tells whether it is so.
    pub(crate) async fn settle(&mut self, broker: &ActiveMq, deployment: &Deployment) -> bool {
        let deadline = Instant::now() + SETTLED_WITHIN;
        self.at_most_open(0, deadline).await;
        while self.open.is_empty() {
            if left_in(broker, &deployment.queue()).await.is_empty() {
                return true;
            }
            if Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// Holds the account up against what SOAR and the tenant have. `after` says what the run was like. To be called
    /// when no daemon runs any more, so that nothing can come after it.
    pub(crate) async fn close(&self, broker: &ActiveMq, deployment: &Deployment, soar: &Caller, after: &str) {
        let mut answers: BTreeMap<&str, Sum> = BTreeMap::new();
        let mut effects: BTreeMap<&str, Sum> = BTreeMap::new();
        let mut objections = String::new();
        for (order, call) in &self.calls {
            let name = order.function.name();
            let replies = call.replies();
            answers.entry(name).or_default().count(replies);
            let mut object = |objection: String| {
                let _ = writeln!(objections, "{name} (incident {}): {objection}", order.incident);
            };
            if replies != 1 {
                object(format!("{replies} final replies"));
            }
            if replies > 0
                && let Some(objection) = order.objection(deployment, &call.reply(SOON).await.unwrap())
            {
                object(objection);
            }
            for effect in &order.effects {
                let times = effect.times(deployment);
                effects.entry(effect.kind()).or_default().count(times);
                if times != 1 {
                    object(format!("{}: {times} times", effect.kind()));
                }
            }
        }
        for queue in [deployment.queue(), DEAD_LETTERS.to_owned(), deployment.sandbox.soar.acks_queue()] {
            let left = left_in(broker, &queue).await.len();
            if left > 0 {
                let _ = writeln!(objections, "{left} messages are left in {queue}");
            }
        }
        let drafts = drafts(deployment);
        if drafts > 0 {
            let _ = writeln!(objections, "{drafts} drafts are left");
        }
        if !soar.unreadable().is_empty() {
            let _ = writeln!(objections, "SOAR cannot read {} replies", soar.unreadable().len());
        }
        println!("\n{after}\n{}{}", table("final replies", &answers), table("effects", &effects));
        assert!(objections.is_empty(), "{after}\n{objections}");
    }
}

/// How many drafts of ours were never sent.
fn drafts(deployment: &Deployment) -> usize {
    let graph = &deployment.sandbox.graph;
    let messages = graph.mailboxes().into_iter().flat_map(|mailbox| graph.messages(&mailbox));
    messages.filter(|message| message.folder == "drafts" && message.subject.starts_with("Order-")).count()
}

/// The bodies of what is in a queue, handed out or not.
pub(crate) async fn left_in(broker: &ActiveMq, queue: &str) -> Vec<String> {
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    admin.browse(queue).await
}

fn table(title: &str, sums: &BTreeMap<&str, Sum>) -> String {
    let mut text = format!("{title:<54}{:>9}{:>7}{:>7}{:>12}\n", "expected", "once", "never", "repeatedly");
    let mut row = |name: &str, sum: &Sum| {
        let Sum { expected, once, never, again } = sum;
        let _ = writeln!(text, "  {name:<52}{expected:>9}{once:>7}{never:>7}{again:>12}");
    };
    let mut all = Sum::default();
    for (name, sum) in sums {
        row(name, sum);
        all.expected += sum.expected;
        all.once += sum.once;
        all.never += sum.never;
        all.again += sum.again;
    }
    row("all", &all);
    text
}
