//! Promise: what daemons quarantined, however often they were killed, another daemon elsewhere brings back as it was,
//! from the mailboxes alone. What the owners did in between is reported, and nothing else is touched.
//!
//! The release's run:
//! `QUARANTINE_MESSAGES=10000 cargo nextest run --release --test integration quarantine_and_back --no-capture`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sandbox::Sandbox;
use sandbox::graph::{MessageState, Phish, Tenant, TenantOptions};
use sandbox::soar::SoarOptions;
use sandbox::soar::caller::{Caller, Reply};
use serde_json::{Value, json};

use crate::support::deployment::{Daemon, SOON};

const QUARANTINE: &str = "exchange_online_delete_messages_from_query_results";
const RESTORE: &str = "exchange_online_restore_messages";
const FOLDER: &str = "fn-exchange-online quarantine";
/// Messages in each mailbox that are to be quarantined.
const COPIES: u32 = 5;
const IN_MAILBOX: usize = COPIES as usize;
/// The broker gives a call to a daemon again until three have ended with it.
const KILLS_OF_A_CALL: usize = 2;
/// Long enough for a call of the release's run.
const CALL_WITHIN: Duration = Duration::from_secs(600);

type Everything = BTreeMap<(String, String), MessageState>;

/// A tenant, SOAR, and a daemon that can be killed and moved elsewhere.
struct Site {
    sandbox: Sandbox,
    caller: Caller,
    daemon: Daemon,
    /// The disk of the daemon.
    disk: PathBuf,
    /// The sandbox's files.
    _directory: tempfile::TempDir,
}

impl Site {
    async fn new(mailboxes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tenant = TenantOptions {
            mailboxes,
            users_without_mailbox: 2,
            messages_per_mailbox: 3,
            phish: Some(Phish { mailboxes, copies: COPIES, ..Phish::default() }),
            ..TenantOptions::default()
        };
        let sandbox = Sandbox::start(directory.path(), tenant, SoarOptions::default()).await.unwrap();
        let caller = sandbox.caller().await.unwrap();
        let disk = directory.path().join("first");
        let daemon = started(&sandbox, &disk).await;
        Self { sandbox, caller, daemon, disk, _directory: directory }
    }

    fn graph(&self) -> &Tenant {
        &self.sandbox.graph
    }

    /// Calls a function, kills the daemon `kills` times while it moves messages, and returns the reply of the last one.
    async fn call(&mut self, function: &str, inputs: Value, kills: usize, messages: usize) -> Reply {
        let begin = self.moves();
        let call = self.caller.call(function, inputs).await.unwrap();
        for kill in 0..kills {
            // Another moment each time, and at last when nearly all is done.
            let moment = begin + (messages * (2 * kill + 1) / (2 * kills)) as u64;
            assert!(self.graph().until(CALL_WITHIN, |graph| moves(graph) > moment).await, "{kill}");
            self.daemon.signal("KILL").await;
            self.daemon.ended().await;
            // Graph ends what it has received.
            assert!(self.graph().until(SOON, |graph| graph.requests_at_work() == 0).await);
            self.daemon = started(&self.sandbox, &self.disk).await;
        }
        let reply = call.reply(CALL_WITHIN).await.unwrap();
        assert_eq!((reply.message_type, &reply.results["success"]), (0, &json!(true)), "{}", reply.message);
        reply
    }

    fn moves(&self) -> u64 {
        moves(self.graph())
    }

    fn everything(&self) -> Everything {
        let mailboxes = self.graph().mailboxes().into_iter();
        let all = mailboxes.flat_map(|mailbox| {
            let messages = self.graph().snapshot(&mailbox).into_iter();
            messages.map(move |(id, state)| ((mailbox.clone(), id), state))
        });
        all.collect()
    }
}

fn moves(graph: &Tenant) -> u64 {
    graph.counters().by_kind.get("move message").copied().unwrap_or_default()
}

/// Starts a daemon whose files are in `disk`, and waits until it is subscribed.
async fn started(sandbox: &Sandbox, disk: &Path) -> Daemon {
    fs::create_dir_all(disk).unwrap();
    let options = [("deletion", "quarantine"), ("max_deletions", "100000"), ("max_users", "100000")];
    let config = sandbox.app_config(&options);
    let logs = format!("logdir={}", disk.display());
    let config: String = config
        .lines()
        .map(|line| if line.starts_with("logdir=") { format!("{logs}\n") } else { format!("{line}\n") })
        .collect();
    let file = disk.join("app.config");
    fs::write(&file, config).unwrap();
    let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
    daemon.subscribed().await;
    daemon
}

/// What owners do with messages while these are in quarantine.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Owner {
    Nothing,
    Reads,
    Moves,
}

/// A third of the messages is read or moved.
fn owner_of(nth: usize) -> Owner {
    match nth % 6 {
        1 => Owner::Reads,
        4 => Owner::Moves,
        _ => Owner::Nothing,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_lost_daemons_lose_no_message() {
    let messages: usize =
        std::env::var("QUARANTINE_MESSAGES").map_or(300, |messages| messages.parse().unwrap());
    let mailboxes = messages / IN_MAILBOX;
    // Each kill ends with the daemon all calls that it runs, so there is one at a time.
    let calls = if messages < 10_000 { 2 } else { 5 };
    let started_at = Instant::now();
    let mut site = Site::new(mailboxes).await;
    prepare(&site);
    let before = site.everything();
    let planted = site.graph().planted();
    assert_eq!(planted.len(), messages);

    let mut jobs = Vec::new();
    for part in planted.chunks(messages / calls) {
        let lists = part.chunks(IN_MAILBOX).map(|messages| {
            let list: Vec<Value> = messages.iter().map(|message| json!({"id": message.id})).collect();
            json!({"email_address": messages[0].mailbox, "status_code": 200, "email_list": list})
        });
        let inputs = json!({"exo_query_messages_results": json!(lists.collect::<Vec<_>>()).to_string()});
        let reply = site.call(QUARANTINE, inputs, KILLS_OF_A_CALL, part.len()).await;
        let content = &reply.results["content"];
        assert_eq!(content["messages_deleted"], part.len(), "{}", content["failures"]);
        jobs.push(content["delete_results"][0]["quarantined_list"][0]["job"].clone());
    }
    let quarantined = site.everything();
    for message in &planted {
        let key = (message.mailbox.clone(), message.id.clone());
        let (was, is) = (&before[&key], &quarantined[&key]);
        assert_eq!((is.folder, kept(is)), (FOLDER, kept(was)));
    }
    println!(
        "{messages} messages quarantined with {} kills: {:?}",
        calls * KILLS_OF_A_CALL,
        started_at.elapsed()
    );

    for (nth, message) in planted.iter().enumerate() {
        let was_read = before[&(message.mailbox.clone(), message.id.clone())].is_read;
        assert!(match owner_of(nth) {
            Owner::Nothing => true,
            Owner::Reads => site.graph().mark_read(&message.mailbox, &message.id, !was_read),
            Owner::Moves => site.graph().move_message(&message.mailbox, &message.id, "archive"),
        });
    }
    // The machine is lost, with everything that the daemon has written.
    site.daemon.signal("KILL").await;
    site.daemon.ended().await;
    fs::remove_dir_all(&site.disk).unwrap();
    site.disk = site.disk.with_file_name("elsewhere");
    site.daemon = started(&site.sandbox, &site.disk).await;

    let restoring = Instant::now();
    let mut entries = BTreeMap::new();
    for (nth, job) in jobs.iter().enumerate() {
        let part = messages / calls;
        site.graph().forget_requests();
        // The first restoration is killed, too.
        let kills = usize::from(nth == 0);
        let reply = site.call(RESTORE, json!({"exo_plan_digest": job}), kills, part / 2).await;
        if kills == 0 {
            let counters = site.graph().counters();
            let searched = (mailboxes - part / IN_MAILBOX) * 3;
            assert!(
                counters.sub_requests <= (3 * part + searched) as u64,
                "{} requests for {part} messages: {:?}",
                counters.sub_requests,
                counters.by_kind
            );
        }
        let content = &reply.results["content"];
        assert_eq!((&content["messages"], &content["complete"]), (&json!(part), &json!(true)));
        for entry in content["results"].as_array().unwrap() {
            assert!(entries.insert(entry["id"].as_str().unwrap().to_owned(), entry.clone()).is_none());
        }
    }
    println!("restored in {:?}", restoring.elapsed());
    assert_eq!(entries.len(), messages);
    let after = site.everything();
    let mut unmarked = after.clone();
    for (nth, message) in planted.iter().enumerate() {
        let key = (message.mailbox.clone(), message.id.clone());
        let (was, entry) = (&before[&key], &entries[&message.id]);
        let is = unmarked.get_mut(&key).unwrap();
        is.properties.clear();
        let (fate, changed) = (entry["fate"].as_str().unwrap(), &entry["changed"]);
        let is_back = ["restored", "already_restored"].contains(&fate);
        match owner_of(nth) {
            Owner::Nothing => assert!(is_back && *is == *was, "{entry} {is:?} {was:?}"),
            Owner::Reads => {
                let read = if was.is_read { "unread" } else { "read" };
                assert!(is_back && *changed == json!([read]) && *is == *was, "{entry} {is:?} {was:?}");
            }
            Owner::Moves => {
                assert_eq!((fate, changed, is.folder), ("not_touched", &json!(["moved"]), "archive"));
                *is = was.clone();
            }
        }
    }
    assert_eq!(unmarked, before, "nothing else is touched");
    let graph = site.graph();
    assert!(graph.deleted().is_empty() && graph.sent_mail().is_empty());

    let reply = site.call(RESTORE, json!({"exo_plan_digest": jobs[0]}), 0, 0).await;
    let content = &reply.results["content"];
    assert_eq!(content["messages_restored"], 0);
    assert_eq!(site.everything(), after, "a second restoration changes nothing");
    site.daemon.stop().await;
}

/// Gives the messages different folders and states.
fn prepare(site: &Site) {
    let graph = site.graph();
    for (nth, messages) in graph.planted().chunks(IN_MAILBOX).enumerate() {
        let mailbox = &messages[0].mailbox;
        let folder = graph.make_folder(mailbox, "inbox", "Suppliers", false).unwrap();
        for (place, message) in messages.iter().enumerate() {
            assert!(graph.mark_read(mailbox, &message.id, (nth + place) % 2 == 0));
            if place % 2 == 1 {
                assert!(graph.move_message(mailbox, &message.id, &folder));
                assert!(graph.flag_message(mailbox, &message.id, "flagged"));
                assert!(graph.categorise_message(mailbox, &message.id, &["Red", "Büro"]));
            }
        }
    }
}

/// What a message keeps wherever it is.
fn kept(state: &MessageState) -> (bool, &str, &[String]) {
    (state.is_read, &state.flag, &state.categories)
}
