//! Promise: a connection that is to hand over, and whose way to the broker is barred for good, holds up nothing. A key
//! that is taken from the old settings as soon as the new ones are in force is the usual case.

use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, SOON};
use sandbox::graph::{Fault, RetryAfter, Target};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A way to the broker at `port`, until it is barred. Returns its own port.
async fn way_to(port: u16, barred: CancellationToken) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let barred = barred.clone();
            tokio::spawn(async move {
                let pass_on = async {
                    let mut broker = TcpStream::connect(("127.0.0.1", port)).await?;
                    copy_bidirectional(&mut stream, &mut broker).await
                };
                tokio::select! {
                    biased;
                    () = barred.cancelled() => {}
                    _ = pass_on => {}
                }
            });
        }
    });
    own
}

#[tokio::test]
async fn call_of_lost_connection_frees_worker_and_runs_once() {
    let deployment = Deployment::new().await;
    let broker = &deployment.sandbox.soar.broker;
    let barred = CancellationToken::new();
    let way = way_to(broker.address().port(), barred.clone()).await.to_string();
    // How long it looks for a mail that may have been sent follows from it.
    let app = [("max_retries_backoff_factor", "0.1")];
    let former = deployment.app_config(&[("num_workers", "1"), ("stomp_port", &way)], &app);
    let file = deployment.write("app.config", &former);
    let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
    daemon.subscribed().await;
    let soar = deployment.caller().await;

    // The one place is taken by a mail that Graph does not take yet.
    let throttled = Fault::Status(429, RetryAfter::Seconds(600));
    deployment.sandbox.graph.faults().next(1, Target::containing("/sendMail"), throttled);
    let mail = soar
        .call(
            "exchange_online_send_message",
            json!({
                "exo_email_address": deployment.mailbox(0), "exo_recipients": "a@b.example",
                "exo_message_subject": "Once", "exo_message_body": "Look out",
            }),
        )
        .await
        .unwrap();
    assert_eq!(mail.statuses_up_to(1, SOON).await.len(), 1);

    std::fs::write(&file, deployment.app_config(&[("num_workers", "1")], &app)).unwrap();
    daemon.signal("HUP").await;
    daemon.logged("calls come over the new connection").await;
    // The other call fills the new connection's prefetch, so the mail's message cannot come back before it is done.
    let profile = soar
        .call("exchange_online_get_email_user_profile", json!({"exo_email_address": deployment.mailbox(1)}))
        .await
        .unwrap();
    let queue = deployment.queue();
    assert!(broker.until(SOON, |broker| broker.unacknowledged(&queue) == 2).await);
    barred.cancel();

    assert_eq!(profile.reply(SOON).await.unwrap().message_type, 0);
    assert_eq!(mail.reply(SOON).await.unwrap().message_type, 0);
    deployment.queue_is_empty().await;
    assert_eq!((mail.replies(), deployment.sandbox.graph.sent_mail().len()), (1, 1));
    // The former connection has nothing left to wait for, and is given up.
    daemon.logged("taking no more calls").await;
    let within = Duration::from_secs(40);
    assert_eq!(tokio::time::timeout(within, daemon.stop()).await.unwrap().code(), Some(0));
}
