//! One call, and one fault at each frame in turn, from the CONNECT to the receipt of the DISCONNECT, until there is
//! no frame left at which something could happen.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use fn_exchange_online::functions::Function;
use futures_util::future::join_all;

use crate::account::Account;
use crate::common::activemq::{ActiveMq, LOGIN, shared};
use crate::common::cutter::{Verdict, cutter};
use crate::deployment::{Deployment, OtherBroker, SOON};
use crate::orders::{Order, add_files};
use crate::plan::Form;

/// More frames than a call takes by far.
const MOST_FRAMES: usize = 100;

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
        let counted =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
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

/// Has a call of `function` meet the blow at the first frame, another at the second, and so on; each is answered and
/// done once. Every call has a daemon of its own. Returns how many frames there were.
async fn blow_by_blow(broker: &ActiveMq, function: Function, blow: Blow) -> usize {
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let destination = format!("every_frame_{}", fastrand::u64(..));
    let deployment = Deployment::with_destination(other, &destination).await;
    add_files(&deployment).await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    for frame in 1..MOST_FRAMES {
        let trap =
            Arc::new(Trap { blow, left: AtomicUsize::new(frame), process: AtomicU32::new(0) });
        let judge = {
            let trap = Arc::clone(&trap);
            move |_: crate::common::cutter::Passing<'_>| trap.verdict()
        };
        let port = cutter(broker.authority(), broker.port(), &broker.ca_file(), judge).await.to_string();
        let app_config = deployment.app_config(&[("stomp_port", &port)], &[]);
        account.make(&soar, Order::new(&deployment, account.len(), function)).await;
        let mut daemon = deployment.spawn(&app_config);
        trap.process.store(daemon.id(), Ordering::SeqCst);
        if matches!(blow, Blow::Daemon) {
            let mut second = None;
            tokio::select! {
                _ = account.settle(broker, &deployment) => {}
                () = async { daemon.ended().await; } => second = Some(deployment.spawn(&app_config)),
            }
            account.settle(broker, &deployment).await;
            if let Some(mut second) = second {
                second.stop().await;
                continue;
            }
        } else {
            account.settle(broker, &deployment).await;
        }
        daemon.stop().await;
        if !trap.struck() {
            let after = format!("{function:?}, {blow:?} at each of {} frames", frame - 1);
            account.close(broker, &deployment, &soar, &after).await;
            return frame - 1;
        }
    }
    panic!("the frames of one call do not end");
}
