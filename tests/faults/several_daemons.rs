//! Several daemons share a queue: each works, and what one leaves behind when it is killed the others do.

use std::time::Duration;

use fn_exchange_online::functions::Function;
use fn_exchange_online::sandbox::graph::{Fault, Target};

use crate::account::Account;
use crate::common::activemq::{LOGIN, shared};
use crate::deployment::{Deployment, OtherBroker};
use crate::orders::Order;

/// Calls each daemon runs at a time.
const WORKERS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_daemons_share_the_calls_and_one_that_is_killed_leaves_its_own_to_the_others() {
    let broker = shared();
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_destination(other, "several_daemons").await;
    let faults = deployment.sandbox.graph.faults();
    // The first calls are not done before the daemon that runs them is killed.
    faults.next(3 * WORKERS, Target::containing("GET /users/"), Fault::Delay(Duration::from_secs(3)));
    let resilient = [("num_workers", &*WORKERS.to_string())];
    let mut killed = deployment.daemon_with(&resilient).await;
    let mut others = [deployment.daemon_with(&resilient).await, deployment.daemon_with(&resilient).await];
    let soar = deployment.caller().await;
    let mut account = Account::default();
    for nth in 0..45 {
        let function = if nth < 3 * WORKERS { Function::GetMessage } else { Function::ALL[nth % 9] };
        account.make(&soar, Order::new(&deployment, nth, function)).await;
    }
    killed.logged_times("call started", WORKERS).await;
    killed.signal("KILL").await;
    killed.ended().await;
    let abandoned = killed.count_in_log("call started") - killed.count_in_log("call completed");
    account.settle(&broker, &deployment).await;
    let mut worked = Vec::new();
    for daemon in &mut others {
        daemon.stop().await;
        worked.push(daemon.count_in_log("call completed"));
    }
    let after = format!("one of three daemons was killed and left {abandoned} calls; the others did {worked:?}");
    account.close(&broker, &deployment, &soar, &after).await;
    assert_eq!(abandoned, WORKERS, "it was killed in the midst of its calls");
    assert!(worked.iter().all(|calls| *calls > 0), "{worked:?}");
}
