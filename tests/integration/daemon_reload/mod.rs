//! Promise: a changed configuration takes effect while the program runs. No call is lost and none is done twice; it
//! reconnects only where it has to, and what cannot be used changes nothing.

mod noticing;
mod refusing;
mod taking_effect;

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
