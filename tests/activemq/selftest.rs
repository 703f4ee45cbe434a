//! A real ActiveMQ: no call is taken, and none is marked.

use std::cell::Cell;

use serde_json::json;

use crate::support::activemq::{ADMIN, ActiveMq, LOGIN, Tls};
use crate::support::deployment::{Deployment, OtherBroker, SOON};
use crate::support::selftest::{PROFILE, selftest};
use crate::support::stomp_client::StompClient;

#[tokio::test]
async fn waiting_call_is_neither_taken_nor_marked() {
    let broker = ActiveMq::start(Tls::V1_2);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_broker(other).await;
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let waiting = soar.call(PROFILE, inputs.clone()).await.unwrap();
    let text = deployment.app_config(&[], &[]);
    for _ in 0..3 {
        let outcome = selftest(&deployment, &text).await;
        assert_eq!(outcome.code, 0, "{:#}", outcome.report);
    }
    let mut admin = StompClient::connect(broker.port(), &broker.ca_file(), ADMIN).await;
    assert_eq!(admin.browse(&deployment.queue()).await.len(), 1, "it waits still");

    let mut daemon = deployment.daemon().await;
    waiting.reply(SOON).await.unwrap();
    assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
    // Calls arrive all the while the self test looks around.
    let looked = Cell::new(false);
    let looking = async {
        let outcome = selftest(&deployment, &text).await;
        looked.set(true);
        outcome
    };
    let calling = async {
        let mut calls = Vec::new();
        while !looked.get() {
            let call = soar.call(PROFILE, inputs.clone()).await.unwrap();
            call.reply(SOON).await.unwrap();
            calls.push(call);
        }
        calls
    };
    let (outcome, calls) = tokio::join!(looking, calling);
    assert!(calls.len() > 1, "{}", calls.len());
    assert_eq!(outcome.code, 0, "{:#}", outcome.report);
    for call in &calls {
        assert_eq!(call.replies(), 1);
    }
    assert_eq!(daemon.count_in_log("redelivered=true"), 0, "{}", daemon.log());
    assert_eq!(daemon.count_in_log("subscribed to"), 1, "{}", daemon.log());
    assert_eq!(admin.browse(&deployment.queue()).await, Vec::<String>::new());
    assert_eq!(daemon.stop().await.code(), Some(0));
}
