//! A broker does not give up a call because connections break: however often it was delivered, it is not put among
//! the dead letters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fn_exchange_online::functions::Function;
use stomp::ClientCommand;

use crate::account::Account;
use crate::orders::Order;
use crate::support::activemq::{LOGIN, shared};
use crate::support::cutter::{Passing, Verdict, cutter};
use crate::support::deployment::OtherBroker;

/// Twice as often as JMS clients of ActiveMQ deliver a message before they give it up.
const CUTS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_never_gives_up_a_redelivered_call() {
    let broker = shared();
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = crate::with_destination(other, "redelivery").await;
    let cuts = Arc::new(AtomicUsize::new(0));
    let judge = {
        let cuts = Arc::clone(&cuts);
        move |frame: Passing<'_>| match frame {
            Passing::ToBroker(frame)
                if frame.command == ClientCommand::Commit && cuts.fetch_add(1, Ordering::SeqCst) < CUTS =>
            {
                Verdict::Cut
            }
            _ => Verdict::Pass,
        }
    };
    let port = cutter(broker.authority(), broker.port(), &broker.ca_file(), judge).await.to_string();
    let mut daemon = deployment.daemon_with(&[("stomp_port", &port)]).await;
    let soar = deployment.caller().await;
    let mut account = Account::default();
    account.make(&soar, Order::new(&deployment, account.len(), Function::SendMessage).await).await;
    account.settle(&broker, &deployment).await;
    daemon.stop().await;
    let after = format!("one call, whose connection was cut at {} commits", cuts.load(Ordering::SeqCst) - 1);
    account.close(&broker, &deployment, &soar, &after).await;
    assert_eq!(cuts.load(Ordering::SeqCst), CUTS + 1);
    assert_eq!(daemon.count_in_log("call started"), 1);
}
