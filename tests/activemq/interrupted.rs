//! Promise: on a real ActiveMQ, which does not count deliveries for a STOMP client, a call that ends the process is
//! answered after three deliveries.

use std::time::Duration;

use crate::support::activemq::{ActiveMq, LOGIN, Tls};
use crate::support::deployment::{Deployment, OtherBroker, SOON};
use serde_json::json;

#[tokio::test]
async fn call_that_ends_process_is_answered_after_three_deliveries() {
    let broker = ActiveMq::start(Tls::V1_2);
    let other = OtherBroker { port: broker.port(), ca_file: broker.ca_file(), login: LOGIN };
    let deployment = Deployment::with_broker(other).await;
    let trail = deployment.directory().join("audit.log").display().to_string();
    let config = deployment.app_config(&[], &[("audit_file", &trail)]);
    let faults = deployment.sandbox.graph.faults();
    // What the call waits for when its daemon is killed.
    faults.set_latency(Duration::from_secs(600), Duration::ZERO);
    let soar = deployment.caller().await;
    let inputs = json!({"exo_email_address": deployment.mailbox(0), "exo_messages_id": "m"});
    let call = soar.call("exchange_online_get_message", inputs).await.unwrap();
    for _ in 0..3 {
        let mut daemon = deployment.spawn(&config);
        daemon.logged("call started").await;
        daemon.signal("KILL").await;
        daemon.ended().await;
    }
    let _last = deployment.spawn(&config);
    let reply = call.reply(SOON).await.unwrap();
    assert_eq!(reply.message_type, 1);
    assert!(reply.message.starts_with("The integration's process ended 3 times"), "{}", reply.message);
}
