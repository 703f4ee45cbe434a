//! A search in a process of its own, so that its memory and its processor time are its own.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fn_exchange_online::config::{Environment, Settings};
use graph::{
    AddressMatch, Client, Criteria, GraphSettings, Path as GraphPath, Progress, Request, Search, SearchScope,
    list_mailboxes, search,
};
use sandbox::Sandbox;
use sandbox::graph::Phish;

use crate::{bare_requests, fixed_batches};

/// Names the way and the configuration file in the environment of the process.
const TASK: &str = "SEARCH_PROCESS";

/// How the mailboxes are searched.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// By the product's client.
    Client,
    /// Eight batches of twenty, always.
    FixedBatches,
    /// By the HTTP library alone.
    BareRequests,
    /// By the product's client, with small calls next to it.
    SmallCalls,
}

impl Way {
    const ALL: [(&'static str, Self); 4] = [
        ("client", Self::Client),
        ("batches", Self::FixedBatches),
        ("bare", Self::BareRequests),
        ("small", Self::SmallCalls),
    ];
}

/// What the process found, and what it cost.
pub(crate) struct Found {
    pub(crate) seconds: f64,
    /// Seconds until 99 % of the mailboxes were done.
    pub(crate) most_done: f64,
    pub(crate) messages: usize,
    pub(crate) failed: usize,
    /// Seconds of processor time.
    pub(crate) processor: f64,
    pub(crate) peak_mib: f64,
}

/// The task of this process, if it is such a process.
pub(crate) struct Task {
    way: Way,
    settings: GraphSettings,
}

impl Task {
    pub(crate) fn from_environment() -> Option<Self> {
        let task = std::env::var(TASK).ok()?;
        let (way, config) = task.split_once(' ').unwrap();
        let nothing: [(&str, &str); 0] = [];
        let environment: Environment = nothing.into_iter().collect();
        let settings = Settings::load(Path::new(config), &environment).unwrap().settings.graph;
        let way = Way::ALL.into_iter().find(|(name, _)| *name == way).unwrap().1;
        Some(Self { way, settings })
    }

    /// Searches, and prints the fields of [`Found`].
    pub(crate) async fn run(self) {
        let sender = Phish::default().sender.address;
        let client = Client::new(&self.settings).unwrap();
        // A daemon has a token when a call comes.
        client.claims().await.unwrap();
        let (started, before) = (Instant::now(), processor_seconds());
        let (messages, failed, most_done) = match self.way {
            Way::Client => by_client(&client, sender, started).await,
            Way::FixedBatches => (fixed_batches::search(&self.settings, &sender).await, 0, 0.0),
            Way::BareRequests => (bare_requests::search(&self.settings, &sender).await, 0, 0.0),
            Way::SmallCalls => return small_calls(&client, sender).await,
        };
        let seconds = started.elapsed().as_secs_f64();
        println!("{seconds} {most_done} {messages} {failed} {} {}", processor_seconds() - before, peak_mib());
    }
}

async fn by_client(client: &Client, sender: String, started: Instant) -> (usize, usize, f64) {
    let mut times = Vec::new();
    let found = find(client, sender, |progress| times.resize(progress.done, started.elapsed())).await;
    let messages = found.mailboxes.iter().map(|mailbox| mailbox.messages.len()).sum();
    let failed = found.failures().count();
    (messages, failed, times[times.len() * 99 / 100].as_secs_f64())
}

async fn find(client: &Client, sender: String, progress: impl FnMut(Progress) + Send) -> Search {
    let criteria = Criteria { sender: Some(AddressMatch::Address(sender)), ..Criteria::default() };
    let tenant = SearchScope::Tenant { prefix: String::new() };
    search(client, tenant, &criteria, 1_000_000, 1_000_000, progress).await.unwrap()
}

/// Prints the seconds that a small call takes alone, and during a search, one line for each.
async fn small_calls(client: &Client, sender: String) {
    const ALONE: usize = 60;
    const DURING: usize = 120;
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let mailboxes = list_mailboxes(client, tenant, ALONE + DURING).await.unwrap().named;
    for (name, _) in &mailboxes[..ALONE] {
        println!("{} 0", small_call(client, name).await);
    }
    let searching = tokio::spawn({
        let client = client.clone();
        async move { find(&client, sender, |_| ()).await }
    });
    // The search has found the limit by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (name, _) in &mailboxes[ALONE..] {
        let took = small_call(client, name).await;
        if searching.is_finished() {
            break;
        }
        println!("0 {took}");
    }
    searching.abort();
}

async fn small_call(client: &Client, mailbox: &str) -> f64 {
    let path = GraphPath::messages(mailbox, None).unwrap().option("$top", "1").option("$select", "id");
    let started = Instant::now();
    client.send(&Request::get(path).in_mailbox(mailbox)).await.unwrap();
    started.elapsed().as_secs_f64()
}

/// Seconds that a small call takes, in order: alone, and during a search.
pub(crate) async fn time_small_calls(sandbox: &Sandbox) -> [Vec<f64>; 2] {
    let text = output(sandbox, Way::SmallCalls).await;
    [0, 1].map(|column| {
        let fields = text.lines().map(|line| line.split(' ').nth(column).unwrap().parse::<f64>().unwrap());
        let mut times: Vec<f64> = fields.filter(|time| *time > 0.0).collect();
        times.sort_by(f64::total_cmp);
        times
    })
}

/// Runs a search of the sandbox's tenant in a process of its own.
pub(crate) async fn in_own_process(sandbox: &Sandbox, way: Way) -> Found {
    let text = output(sandbox, way).await;
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [seconds, most_done, messages, failed, processor, peak_mib] = fields[..] else {
        panic!("the search printed {text:?}")
    };
    Found {
        seconds: seconds.parse().unwrap(),
        most_done: most_done.parse().unwrap(),
        messages: messages.parse().unwrap(),
        failed: failed.parse().unwrap(),
        processor: processor.parse().unwrap(),
        peak_mib: peak_mib.parse().unwrap(),
    }
}

async fn output(sandbox: &Sandbox, way: Way) -> String {
    // A file of its own, since several such processes may start at once.
    let mut config = tempfile::NamedTempFile::new().unwrap();
    config.write_all(sandbox.app_config(&[("timeout", "30")]).as_bytes()).unwrap();
    let name = Way::ALL.into_iter().find(|(_, one)| *one == way).unwrap().0;
    let task = format!("{name} {}", config.path().display());
    let process = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap()).env(TASK, task).output().unwrap()
    });
    let output = process.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The most memory this process has held (`proc_pid_status(5)`, VmHWM).
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// The processor time of this process (`proc_pid_stat(5)`, fields 14 and 15, in ticks of 10 ms).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
