//! Several daemons share a queue: each works, and what one leaves behind when it is killed the others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fn_exchange_online::functions::Function;
use sandbox::graph::{Fault, RetryAfter, Target};
use stomp::ClientCommand;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::orders::{Order, add_files};
use crate::support::activemq::{LOGIN, shared};
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::deployment::{OtherBroker, SOON};

/// Calls each daemon runs at a time.
const WORKERS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_daemon_leaves_its_calls_to_the_others() {
    let broker = shared();
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = crate::with_destination(other, "several_daemons").await;
    add_files(&deployment).await;
    let faults = deployment.sandbox.graph.faults();
    // The calls of the first daemon do not end before it is killed.
    faults.next(WORKERS, Target::containing("GET /users/"), Fault::Delay(Duration::from_secs(25)));
    let resilient = [("num_workers", &*WORKERS.to_string())];
    let mut killed = deployment.daemon_with(&resilient).await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    for nth in 0..WORKERS {
        account.make(&soar, Order::new(&deployment, nth, Function::GetMessage).await).await;
    }
    killed.logged_times("call started", WORKERS).await;
    let mut others = [deployment.daemon_with(&resilient).await, deployment.daemon_with(&resilient).await];
    for nth in WORKERS..45 {
        account
            .make(&soar, Order::new(&deployment, nth, Function::ALL[nth % Function::ALL.len()]).await)
            .await;
    }
    killed.signal("KILL").await;
    killed.ended().await;
    let abandoned = killed.count_in_log("call started") - killed.count_in_log("call completed");
    account.settle(&broker, &deployment).await;
    let mut worked = Vec::new();
    for daemon in &mut others {
        daemon.stop().await;
        worked.push(daemon.count_in_log("call completed"));
    }
    let after =
        format!("one of three daemons was killed and left {abandoned} calls; the others did {worked:?}");
    account.close(&broker, &deployment, &soar, &after).await;
    assert_eq!(abandoned, WORKERS, "it was killed in the midst of its calls");
    assert!(worked.iter().all(|calls| *calls > 0), "{worked:?}");
}

/// How long Graph has the first daemon wait.
const THROTTLED: Duration = Duration::from_secs(4);
/// How long after the call began the first daemon's connection breaks: when it has asked Graph.
const BREAKS_AFTER: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_call_is_not_done_by_the_first_daemon() {
    let broker = shared();
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = crate::with_destination(other, "lost_call").await;
    let away = Arc::new(AtomicBool::new(false));
    let judge = {
        let (away, broken) = (Arc::clone(&away), AtomicBool::new(false));
        move |frame: Passing<'_>| match frame {
            Passing::ToBroker(frame)
                if frame.command == ClientCommand::Send && !broken.swap(true, Ordering::SeqCst) =>
            {
                away.store(true, Ordering::SeqCst);
                Verdict::CutLater(BREAKS_AFTER)
            }
            _ if away.load(Ordering::SeqCst) => Verdict::Cut,
            _ => Verdict::Pass,
        }
    };
    let port = cutter(broker.authority(), broker.port(), &broker.ca_file(), judge).await.to_string();
    // How long they look for a mail that may have been sent follows from it.
    let app = [("max_retries_backoff_factor", "0.1")];
    let mut first =
        deployment.spawn(&deployment.app_config(&[("stomp_port", &port), ("num_workers", "1")], &app));
    first.subscribed().await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    let throttled = Fault::Status(429, RetryAfter::Seconds(THROTTLED.as_secs()));
    deployment.sandbox.graph.faults().next(1, Target::containing("/sendMail"), throttled);
    account.make(&soar, Order::new(&deployment, account.len(), Function::SendMessage).await).await;
    first.logged("call started").await;
    let mut second = deployment.spawn(&deployment.app_config(&[], &app));
    second.subscribed().await;
    second.logged("call completed").await;
    account.settle(&broker, &deployment).await;
    // The first is back, though without the call, and its time to ask Graph again comes.
    away.store(false, Ordering::SeqCst);
    first.logged_times("subscribed to", 2).await;
    sleep(THROTTLED).await;
    second.stop().await;
    // What it waits for in vain does not keep it from the next call.
    account.make(&soar, Order::new(&deployment, account.len(), Function::SendMessage).await).await;
    account.at_most_open(0, Instant::now() + SOON).await;
    let abandoned = first.count_in_log("abandoned");
    account.settle(&broker, &deployment).await;
    first.stop().await;
    account
        .close(&broker, &deployment, &soar, "a call that went from one daemon to another, and the next")
        .await;
    assert_eq!(abandoned, 1, "the lost call made room for the next");
}
