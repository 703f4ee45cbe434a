//! Promise: a changed configuration takes effect while the program runs. No call is lost and none is done twice; it
//! reconnects only where it has to, and what cannot be used changes nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::deployment::{Daemon, Deployment, SOON};
use net::Trust;
use sandbox::certificates::Certificates;
use sandbox::graph::{Fault, Target};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Call, Caller, CallerOptions, Reply};
use sandbox::soar::rest::Failure;
use serde_json::json;

const PROFILE: &str = "exchange_online_get_email_user_profile";
const QUERY: &str = "exchange_online_query_emails";

const NEW_CONNECTION: &str = "calls come over the new connection";
const SAME_CONNECTION: &str = "the connection stays";

/// A daemon, and its configuration file.
struct Running {
    deployment: Deployment,
    soar: Caller,
    file: PathBuf,
    daemon: Daemon,
}

impl Running {
    async fn new() -> Self {
        Self::with(&[], &[]).await
    }

    async fn with(resilient: &[(&str, &str)], app: &[(&str, &str)]) -> Self {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(resilient, app);
        Self::on(deployment, &text).await
    }

    async fn on(deployment: Deployment, text: &str) -> Self {
        let file = deployment.write("app.config", text);
        let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
        daemon.subscribed().await;
        let soar = deployment.caller().await;
        Self { deployment, soar, file, daemon }
    }

    /// Writes the file with these options.
    fn write(&self, resilient: &[(&str, &str)], app: &[(&str, &str)]) {
        self.write_text(&self.deployment.app_config(resilient, app));
    }

    fn write_text(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    /// Sends SIGHUP, and waits until `text` is in the log once more.
    async fn hang_up(&mut self, text: &str) {
        let before = self.daemon.count_in_log(text);
        self.daemon.signal("HUP").await;
        self.daemon.logged_times(text, before + 1).await;
    }

    async fn call(&self, nth: usize) -> Call {
        let inputs = json!({"exo_email_address": self.deployment.mailbox(nth)});
        self.soar.call(PROFILE, inputs).await.unwrap()
    }

    async fn reply(&self) -> Reply {
        self.call(1).await.reply(SOON).await.unwrap()
    }

    async fn works(&self) {
        assert_eq!(self.reply().await.message_type, 0);
    }

    /// A call that has begun and goes on for so long.
    async fn running_call(&self, takes: Duration) -> Call {
        let target = Target::containing("GET /users/");
        self.deployment.sandbox.graph.faults().next(1, target, Fault::Delay(takes));
        let call = self.call(0).await;
        assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
        call
    }

    fn connections(&self) -> usize {
        self.deployment.sandbox.soar.broker.connects().len()
    }

    fn logins(&self) -> Vec<String> {
        let login = &self.deployment.sandbox.soar.options().api_key.id;
        let email = &self.deployment.sandbox.soar.options().account.email;
        let connects = self.deployment.sandbox.soar.broker.connects();
        let logins = connects.iter().filter_map(|headers| headers.get("login")).map(str::to_owned);
        logins.filter(|it| it == login || it == email).collect()
    }

    async fn consumers_are(&self, count: usize) {
        let queue = self.deployment.queue();
        let broker = &self.deployment.sandbox.soar.broker;
        assert!(broker.until(SOON, |broker| broker.consumers(&queue) == count).await);
    }

    fn profiles_read(&self) -> u64 {
        self.deployment.sandbox.graph.counters().by_kind.get("get user").copied().unwrap_or(0)
    }

    /// The file's text with the account in the place of the API key.
    fn of_account(&self) -> String {
        let account = &self.deployment.sandbox.soar.options().account;
        let line = |line: &str| match line.split('=').next() {
            Some("api_key_id") => format!("email={}\n", account.email),
            Some("api_key_secret") => format!("password={}\n", account.password),
            _ => format!("{line}\n"),
        };
        self.deployment.app_config(&[], &[]).lines().map(line).collect()
    }
}

mod taking_effect {
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
        assert_eq!(running.profiles_read(), 2, "it was run once, whoever got its message again");
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
}

mod noticing {
    use super::*;

    /// Puts `text` where Kubernetes would: a new directory, to which `..data` leads from then on.
    fn mount(volume: &Path, version: &str, text: &str) {
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("app.config"), text).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    }

    #[tokio::test]
    async fn kubernetes_config_update_is_reloaded_automatically() {
        let deployment = Deployment::new().await;
        let volume = deployment.directory().join("volume");
        fs::create_dir(&volume).unwrap();
        mount(&volume, "..first", &deployment.app_config(&[], &[("client_secret", "an-old-one")]));
        symlink("..data/app.config", volume.join("app.config")).unwrap();
        let file = volume.join("app.config");
        let arguments = ["run", "-r", "--config-file", file.to_str().unwrap()];
        let mut daemon = Daemon::spawn_in(&[("APP_HOST_CONTAINER", "1")], &arguments);
        daemon.subscribed().await;
        let soar = deployment.caller().await;
        let mut running = Running { deployment, soar, file, daemon };
        assert_eq!(running.reply().await.message_type, 1);
        mount(&volume, "..second", &running.deployment.app_config(&[], &[]));
        fs::remove_dir_all(volume.join("..first")).unwrap();
        running.daemon.logged("in force for the calls that begin from now on: Graph").await;
        running.works().await;
    }

    #[tokio::test]
    async fn config_changed_during_startup_retries_is_used() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.fail_next("/session", usize::MAX, Failure::Status(503));
        let text = deployment.app_config(&[("port", "1")], &[]);
        let file = deployment.write("app.config", &text);
        let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
        daemon.logged("signing in to SOAR is tried again").await;
        deployment.sandbox.soar.rest.heal();
        fs::write(&file, deployment.app_config(&[], &[])).unwrap();
        daemon.signal("HUP").await;
        daemon.subscribed().await;
        let soar = deployment.caller().await;
        Running { deployment, soar, file, daemon }.works().await;
    }

    #[tokio::test]
    async fn without_a_change_sighup_says_so() {
        let mut running = Running::new().await;
        running.hang_up("no setting has changed").await;
        running.daemon.logged(SAME_CONNECTION).await;
        running.works().await;
        assert_eq!(running.logins().len(), 1);
    }
}

mod refusing {
    use super::*;

    const REFUSED: &str = "the configuration cannot be used, the one before stays in force";

    #[tokio::test]
    async fn invalid_config_is_rejected_and_logged_once() {
        let mut running = Running::new().await;
        let secret = "S3cret-that-nobody-may-read";
        running.write(
            &[("port", "many"), ("num_workers", "0")],
            &[("client_secret", secret), ("max_messages", "none")],
        );
        running.daemon.logged(REFUSED).await;
        running.works().await;
        let log = running.daemon.log();
        let line = log.lines().find(|line| line.contains(REFUSED)).unwrap();
        for words in ["[resilient] port", "[resilient] num_workers", "[fn_exchange_online] max_messages"] {
            assert!(line.contains(words), "{words} is not in {line}");
        }
        assert!(!log.contains(secret), "{log}");
        running.write(&[], &[]);
        running.daemon.logged("no setting has changed").await;
        assert_eq!(running.daemon.count_in_log(REFUSED), 1, "{}", running.daemon.log());
        running.works().await;
    }

    #[tokio::test]
    async fn unusable_file_rejects_all_config_changes() {
        let mut running = Running::new().await;
        let nowhere = "/nowhere/ca.pem";
        for (resilient, app) in [
            (vec![("cafile", nowhere)], vec![]),
            (vec![("stomp_cafile", nowhere)], vec![]),
            (vec![], vec![("verify", nowhere)]),
            (vec![("logdir", "/nowhere"), ("logfile", "app.log")], vec![]),
        ] {
            let app: Vec<_> = app.into_iter().chain([("client_secret", "wrong")]).collect();
            running.write(&resilient, &app);
            running.hang_up(REFUSED).await;
            running.works().await;
        }
        fs::remove_file(&running.file).unwrap();
        running.hang_up(REFUSED).await;
        running.works().await;
        assert_eq!(running.logins().len(), 1);
    }

    #[tokio::test]
    async fn refused_login_keeps_old_connection_until_corrected() {
        let mut running = Running::new().await;
        running.write(&[("api_key_secret", "wrong")], &[]);
        running.hang_up("the one before stays in service").await;
        running.works().await;
        running.write_text(&running.of_account());
        running.deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
        running.hang_up("the broker refused the login").await;
        running.works().await;
        running.deployment.sandbox.soar.broker.refuse_logins(None);
        running.hang_up(NEW_CONNECTION).await;
        running.works().await;
        running.consumers_are(1).await;
    }
}

#[tokio::test]
async fn reloads_under_load_answer_each_call_once() {
    const CALLS: usize = 200;
    let mut running = Running::new().await;
    running.deployment.sandbox.graph.faults().set_latency(Duration::from_millis(200), Duration::ZERO);
    let mut calls = Vec::new();
    for nth in 0..CALLS {
        calls.push(running.call(nth % 20).await);
        match nth % 40 {
            10 => {
                running.write(&[("num_workers", if nth % 80 == 10 { "6" } else { "12" })], &[]);
                running.hang_up(NEW_CONNECTION).await;
            }
            20 => {
                running.write_text(&running.of_account());
                running.hang_up(NEW_CONNECTION).await;
            }
            30 => running.hang_up(SAME_CONNECTION).await,
            _ => {}
        }
    }
    for call in &calls {
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
    }
    running.deployment.queue_is_empty().await;
    running.consumers_are(1).await;
    assert!(calls.iter().all(|call| call.replies() == 1));
    assert_eq!(running.profiles_read(), CALLS as u64, "none was run twice");
    assert_eq!(running.connections(), 1 + 1 + 10, "SOAR's own, the first, and one for each change");
}
