//! One call, and one fault at each frame in turn, from the CONNECT to the receipt of the DISCONNECT, until there is
//! no frame left at which something could happen.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use fn_exchange_online::functions::Function;
use futures_util::{StreamExt, stream};

use crate::account::Account;
use crate::orders::{Order, add_files};
use crate::plan::Form;
use crate::support::activemq::{ActiveMq, LOGIN, shared};
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::deployment::OtherBroker;

/// More frames than a call takes by far.
const MOST_FRAMES: usize = 100;

/// CONNECT, CONNECTED; BEGIN, SUBSCRIBE, their receipts, ABORT; MESSAGE, status, BEGIN, reply, RECEIPT, ACK, COMMIT,
/// RECEIPT; DISCONNECT, RECEIPT.
const FEWEST_FRAMES: usize = 17;
/// Series of blows that go side by side.
const SERIES: usize = 4;

/// What happens at a frame.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// This to the frame and its connection.
    Connection(Verdict),
    /// SIGKILL for the daemon, before the frame passes.
    Daemon,
}

/// Where it happens: counts frames in both directions, and strikes once.
struct Trap {
    blow: Blow,
    /// Frames until then.
    left: AtomicUsize,
    /// The daemon's process.
    process: AtomicU32,
}

impl Trap {
    fn verdict(&self) -> Verdict {
        let counted = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (counted, self.blow) {
            (Ok(1), Blow::Connection(verdict)) => verdict,
            (Ok(1), Blow::Daemon) => {
                let process = self.process.load(Ordering::SeqCst).to_string();
                assert!(Command::new("kill").args(["-s", "KILL", &process]).status().unwrap().success());
                Verdict::Cut
            }
            _ => Verdict::Pass,
        }
    }

    fn struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_at_any_frame_loses_and_repeats_nothing() {
    let broker = shared();
    let blows = [
        Blow::Connection(Verdict::Cut),
        Blow::Connection(Verdict::CutWithin),
        Blow::Connection(Verdict::CutAfter),
        Blow::Daemon,
    ];
    let functions = Form::of_environment().cut_functions;
    let series = functions.iter().flat_map(|function| blows.map(|blow| (*function, blow)));
    let frames: Vec<usize> = stream::iter(series)
        .map(|(function, blow)| blow_by_blow(&broker, function, blow))
        .buffer_unordered(SERIES)
        .collect()
        .await;
    // From CONNECT to the last RECEIPT; the fewest are those of a function that says one status.
    assert!(frames.iter().all(|frames| *frames >= FEWEST_FRAMES), "{frames:?}");
}

/// Has a call of `function` meet the blow at the first frame, another at the second, and so on; each is answered and
/// done once. Every call has a daemon of its own. Returns how many frames there were.
async fn blow_by_blow(broker: &ActiveMq, function: Function, blow: Blow) -> usize {
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let destination = format!("every_frame_{}", fastrand::u64(..));
    let deployment = crate::with_destination(other, &destination).await;
    add_files(&deployment).await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    for frame in 1..MOST_FRAMES {
        let trap = Arc::new(Trap { blow, left: AtomicUsize::new(frame), process: AtomicU32::new(0) });
        let judge = {
            let trap = Arc::clone(&trap);
            move |_: Passing<'_>| trap.verdict()
        };
        let port = cutter(broker.authority(), broker.port(), &broker.ca_file(), judge).await.to_string();
        let app_config =
            deployment.app_config(&[("stomp_port", &port)], &[("max_retries_backoff_factor", "0.1")]);
        account.make(&soar, Order::new(&deployment, account.len(), function).await).await;
        let mut daemon = deployment.spawn(&app_config);
        trap.process.store(daemon.id(), Ordering::SeqCst);
        let mut settled = tokio::select! {
            settled = account.settle(broker, &deployment) => Some(settled),
            _ = daemon.ended_at_last() => None,
        };
        if settled.is_none() {
            daemon = deployment.spawn(&app_config);
            settled = Some(account.settle(broker, &deployment).await);
        }
        daemon.stop().await;
        if !trap.struck() || settled == Some(false) {
            let after = format!("{function:?}, {blow:?} at each of {} frames", frame - 1);
            account.close(broker, &deployment, &soar, &after).await;
            return frame - 1;
        }
    }
    panic!("the frames of one call do not end");
}
