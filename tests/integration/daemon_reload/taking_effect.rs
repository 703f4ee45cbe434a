//! What a changed setting does, and to which calls.

use super::*;

#[tokio::test]
async fn log_settings_reload_without_losing_lines() {
    let mut running = Running::new().await;
    running.write(&[("loglevel", "DEBUG"), ("logfile", "first.log")], &[]);
    running.hang_up(SAME_CONNECTION).await;
    running.works().await;
    running.daemon.logged(" DEBUG ").await;
    running.write(&[("loglevel", "INFO"), ("logfile", "second.log"), ("log_format", "json")], &[]);
    running.hang_up(SAME_CONNECTION).await;
    running.works().await;
    running.daemon.logged_times("call completed", 2).await;
    assert_eq!(running.daemon.stop().await.code(), Some(0));
    let read = |name: &str| fs::read_to_string(running.deployment.directory().join(name)).unwrap();
    let (first, second) = (read("first.log"), read("second.log"));
    // What one file lacks of stderr, the other has.
    let log = running.daemon.log();
    assert!(log.ends_with(&format!("{first}{second}")), "{first}\n---\n{second}");
    assert!(first.contains(" DEBUG ") && first.contains("call completed"), "{first}");
    assert!(second.lines().all(|line| line.starts_with('{')), "{second}");
    assert!(second.contains("call completed") && second.contains("stopped"), "{second}");
    assert_eq!(running.logins().len(), 1, "the connection has nothing to do with it");
}

#[tokio::test]
async fn changed_client_secret_is_used_for_the_next_token() {
    let mut running = Running::with(&[], &[("client_secret", "an-old-one")]).await;
    assert_eq!(running.reply().await.message_type, 1);
    running.write(&[], &[]);
    running.hang_up(SAME_CONNECTION).await;
    running.works().await;
    assert_eq!(running.logins().len(), 1, "the connection has nothing to do with it");
}

#[tokio::test]
async fn changed_secret_file_is_reloaded_automatically() {
    let deployment = Deployment::new().await;
    let secret = deployment.write("secret", "an-old-one\n");
    let file = secret.to_str().unwrap();
    let app = [("client_secret", ""), ("client_secret_file", file)];
    let text = deployment.app_config(&[], &app);
    let mut running = Running::on(deployment, &text).await;
    assert_eq!(running.reply().await.message_type, 1);
    fs::write(&secret, running.deployment.sandbox.graph.client_secret()).unwrap();
    running.daemon.logged("in force for the calls that begin from now on: Graph").await;
    running.works().await;
    assert_eq!(running.logins().len(), 1, "the connection has nothing to do with it");
}

#[tokio::test]
async fn changed_limit_applies_to_new_calls() {
    let mut running = Running::with(&[], &[("max_messages", "2")]).await;
    let mailbox = running.deployment.mailbox(2);
    for nth in 0..5 {
        running.deployment.add_message(&mailbox, &format!("Message {nth}"), "Hello.");
    }
    let inputs = json!({
        "incident_id": INCIDENT,
        "exo_email_address": mailbox,
        "exo_email_address_sender": "zoe@elsewhere.example",
        "exo_query_output_format": [{"id": 1, "name": "Exchange Online data table"}],
    });
    for (limit, found) in [(None, 2), (Some("4"), 4)] {
        if let Some(limit) = limit {
            running.write(&[], &[("max_messages", limit)]);
            running.hang_up(SAME_CONNECTION).await;
        }
        let call = running.soar.call(QUERY, inputs.clone()).await.unwrap();
        let reply = call.reply(SOON).await.unwrap();
        let list = &reply.results["content"]["email_results"][0]["email_list"];
        assert_eq!(list.as_array().map(Vec::len), Some(found), "{reply:?}");
    }
}

#[tokio::test]
async fn log_names_the_rails_that_a_reload_changes() {
    let mut running = Running::with(&[], &[("dry_run", "true")]).await;
    running.write(&[], &[("hold", "true"), ("deletion", "permanent")]);
    running.hang_up(SAME_CONNECTION).await;
    running.daemon.logged("removed or wider after the hold: deletion is permanent; dry_run is off").await;
    running.daemon.logged("all changes are on hold (hold=true)").await;
    assert_eq!(running.daemon.count_in_log("stricter at once"), 0);
    running.write(&[], &[("max_deletions", "5"), ("dry_run", "true")]);
    running.hang_up(SAME_CONNECTION).await;
    running.daemon.logged("guard rails are removed or wider than before: hold is off").await;
    let stricter = "stricter at once, also for running calls: max_deletions, deletion, dry_run";
    running.daemon.logged(stricter).await;
}

#[tokio::test]
async fn more_workers_work_on_more_calls_at_once() {
    let mut running = Running::with(&[("num_workers", "1")], &[]).await;
    running.write(&[("num_workers", "3")], &[]);
    running.hang_up(NEW_CONNECTION).await;
    running.consumers_are(1).await;
    let slow = Fault::Delay(Duration::from_secs(4));
    running.deployment.sandbox.graph.faults().next(3, Target::containing("GET /users/"), slow);
    let calls = [running.call(0).await, running.call(1).await, running.call(2).await];
    for call in &calls {
        assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    }
    assert_eq!(calls.iter().map(Call::replies).sum::<usize>(), 0, "they run side by side");
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
}

#[tokio::test]
async fn changed_login_does_not_interrupt_running_call() {
    let mut running = Running::new().await;
    let slow = running.running_call(Duration::from_secs(8)).await;
    running.write_text(&running.of_account());
    running.hang_up(NEW_CONNECTION).await;
    running.works().await;
    assert_eq!(slow.replies(), 0, "it still runs");
    assert_eq!(slow.reply(SOON).await.unwrap().message_type, 0);
    running.consumers_are(1).await;
    running.works().await;
    running.deployment.queue_is_empty().await;
    assert_eq!(slow.replies(), 1);
    assert_eq!(running.profiles_read(), 3, "no call was run twice");
    let options = running.deployment.sandbox.soar.options();
    assert_eq!(running.logins(), [options.api_key.id.clone(), options.account.email.clone()]);
}

#[tokio::test]
async fn slow_call_of_draining_session_does_not_delay_new_calls() {
    let mut running = Running::new().await;
    let slow = running.running_call(Duration::from_secs(12)).await;
    running.write(&[("stomp_timeout", "30")], &[]);
    running.hang_up(NEW_CONNECTION).await;
    running.consumers_are(2).await;
    let mut calls = Vec::new();
    for nth in 0..10 {
        calls.push(running.call(nth).await);
    }
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    assert_eq!(slow.replies(), 0, "the others were answered before it");
    assert_eq!(slow.reply(SOON).await.unwrap().message_type, 0);
    running.consumers_are(1).await;
    assert!(calls.iter().all(|call| call.replies() == 1) && slow.replies() == 1);
    assert_eq!(running.profiles_read(), 11);
}

#[tokio::test]
async fn draining_session_does_not_delay_new_calls() {
    let mut running = Running::new().await;
    let slow = running.running_call(Duration::from_secs(5)).await;
    running.write(&[("stomp_timeout", "30")], &[]);
    running.hang_up(NEW_CONNECTION).await;
    running.consumers_are(2).await;
    let target = Target::containing("GET /users/");
    running.deployment.sandbox.graph.faults().next(4, target, Fault::Delay(Duration::from_secs(15)));
    let mut slower = Vec::new();
    for nth in 1..5 {
        let call = running.call(nth).await;
        assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
        slower.push(call);
    }
    assert_eq!(slow.reply(SOON).await.unwrap().message_type, 0);
    let mut calls = Vec::new();
    for nth in 0..6 {
        calls.push(running.call(nth).await);
    }
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    assert!(slower.iter().all(|call| call.replies() == 0), "the others were answered before them");
    running.consumers_are(2).await;
    for call in &slower {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    running.consumers_are(1).await;
    assert!(calls.iter().chain(&slower).chain([&slow]).all(|call| call.replies() == 1));
    assert_eq!(running.profiles_read(), 11);
}

#[tokio::test]
async fn new_session_sends_reply_after_draining_session_disconnects() {
    let mut running = Running::new().await;
    let slow = running.running_call(Duration::from_secs(8)).await;
    running.write(&[("stomp_timeout", "30")], &[]);
    running.hang_up(NEW_CONNECTION).await;
    running.deployment.sandbox.soar.broker.cut_connections();
    assert_eq!(slow.reply(SOON).await.unwrap().message_type, 0);
    running.deployment.queue_is_empty().await;
    running.works().await;
    assert_eq!(slow.replies(), 1);
    assert_eq!(running.profiles_read(), 2, "it was run once, whichever connection got its message again");
}

#[tokio::test]
async fn sigterm_while_draining_answers_calls_of_both_sessions() {
    let mut running = Running::new().await;
    let slow = running.running_call(Duration::from_secs(8)).await;
    running.write(&[("stomp_timeout", "30")], &[]);
    running.hang_up(NEW_CONNECTION).await;
    let mut others = Vec::new();
    let target = Target::containing("GET /users/");
    running.deployment.sandbox.graph.faults().next(4, target, Fault::Delay(Duration::from_secs(6)));
    for nth in 1..5 {
        let call = running.call(nth).await;
        assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
        others.push(call);
    }
    assert_eq!(running.daemon.stop().await.code(), Some(0));
    for call in others.iter().chain([&slow]) {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
        assert_eq!(call.replies(), 1);
    }
    running.deployment.queue_is_empty().await;
    running.consumers_are(0).await;
    assert!(running.daemon.log().trim_end().ends_with("stopped"), "{}", running.daemon.log());
}

#[tokio::test]
async fn changed_ca_file_is_reloaded_automatically() {
    let deployment = Deployment::new().await;
    let good = fs::read_to_string(deployment.sandbox.ca_file()).unwrap();
    let authorities = deployment.write("authorities.pem", &good);
    let text = deployment.app_config(&[("cafile", authorities.to_str().unwrap())], &[]);
    let mut running = Running::on(deployment, &text).await;
    let another = Certificates::generate().unwrap();
    fs::write(&authorities, format!("{}{good}", another.ca_pem())).unwrap();
    running.daemon.logged(NEW_CONNECTION).await;
    running.works().await;
    fs::write(&authorities, "no certificate").unwrap();
    running.hang_up("the configuration cannot be used").await;
    running.works().await;
    fs::write(&authorities, another.ca_pem().to_owned() + &good + "\n").unwrap();
    running.daemon.logged_times(NEW_CONNECTION, 2).await;
    running.works().await;
}

#[tokio::test]
async fn sighup_serves_new_function_at_another_destination() {
    const LATER: &str = "exchange_online_get_message";
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.remove_function(LATER);
    let text = deployment.app_config(&[], &[]);
    let mut running = Running::on(deployment, &text).await;
    running.hang_up(SAME_CONNECTION).await;
    let sandbox = &running.deployment.sandbox;
    sandbox.soar.rest.add_function_at(LATER, "another_destination");
    let account = sandbox.soar.options().account.clone();
    let another = Caller::connect(CallerOptions {
        host: "localhost".to_owned(),
        port: sandbox.soar.broker.address().port(),
        login: account.email,
        passcode: account.password,
        trust: Trust::SystemAnd(sandbox.ca_file()),
        org: sandbox.soar.options().organisation.id,
        destination: "another_destination".to_owned(),
    })
    .await
    .unwrap();
    running.hang_up(NEW_CONNECTION).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "Found", "Hello.");
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let call = another.call(LATER, inputs).await.unwrap();
    assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    running.works().await;
}
