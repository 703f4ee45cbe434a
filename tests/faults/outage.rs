//! A broker that was away is served again within five seconds of its return, however long that was.

use std::time::Duration;

use fn_exchange_online::functions::Function;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::orders::Order;
use crate::plan::Form;
use crate::support::activemq::{ActiveMq, LOGIN, Tls};
use crate::support::deployment::{Deployment, OtherBroker};

/// The promise.
const BACK_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_within_five_seconds_of_an_outage() {
    let form = Form::of_environment();
    let mut broker = ActiveMq::start(Tls::V1_2);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_broker(other).await;
    let mut daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    let mut took = Vec::new();
    // Shorter than the daemon's first wait, and long enough for its waits to have grown as long as they become.
    for outage in [Duration::ZERO, form.outage] {
        broker.kill();
        sleep(outage).await;
        block_in_place(|| broker.restart());
        let back = Instant::now();
        account
            .make(&soar, Order::new(&deployment, account.len(), Function::GetEmailUserProfile).await)
            .await;
        account.at_most_open(0, back + BACK_WITHIN).await;
        took.push((outage, back.elapsed()));
        assert!(back.elapsed() < BACK_WITHIN, "(outage, answered after its end): {took:?}");
    }
    account.settle(&broker, &deployment).await;
    daemon.stop().await;
    account.close(&broker, &deployment, &soar, &format!("(outage, answered after its end): {took:?}")).await;
}
