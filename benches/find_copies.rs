//! How many requests it takes to find all copies of a message in a large tenant: by the message trace, and by a search
//! of all mailboxes. Both must find the same copies, and each delivery must have the fate that it had.
//!
//! `cargo bench --bench find_copies`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Instant;

use chrono::{TimeDelta, Utc};
use daemon::Bench;
use sandbox::graph::{Address, Delivery, Fate, MailboxFault, TenantOptions};
use sandbox::soar::INCIDENT;
use serde_json::{Value, json};

const MAILBOXES: usize = 50_000;
const RECIPIENTS: usize = 400;
const ID: &str = "<wave@evil.example>";
/// The least by which the trace takes fewer requests.
const FEWER: u64 = 50;

#[tokio::main]
async fn main() {
    let tenant = TenantOptions {
        mailboxes: MAILBOXES,
        users_without_mailbox: 20,
        messages_per_mailbox: 4,
        phish: None,
        requests_kept: 0,
        now: Utc::now(),
        ..TenantOptions::default()
    };
    let options = [("max_users", "1000000"), ("max_messages", "100000"), ("call_timeout", "7200")];
    let bench = Bench::start(tenant, &options).await;
    bench.sandbox.graph.faults().give_role("ExchangeMessageTrace.Read.All");
    let expected = deliver(&bench);
    println!("{:>10} {:>9} {:>10} {:>8}", "strategy", "requests", "copies", "seconds");
    let (by_trace, content) = find(&bench, "trace").await;
    assert_eq!(content["reconciliation"]["fates"], expected, "{}", content["reconciliation"]);
    let (by_search, all) = find(&bench, "mailboxes").await;
    assert_eq!(content["messages_found"], all["messages_found"]);
    println!("{} times fewer requests", by_search / by_trace);
    assert!(by_search >= FEWER * by_trace, "{by_search} and {by_trace} requests");
}

/// Finds the copies. Returns the number of requests, parts of batches included, and the content.
async fn find(bench: &Bench, strategy: &str) -> (u64, Value) {
    let graph = &bench.sandbox.graph;
    graph.forget_requests();
    let now = Utc::now().timestamp_millis();
    let inputs = json!({
        "incident_id": INCIDENT,
        "exo_email_address": "all",
        "exo_internet_message_id": ID,
        "exo_start_date": now - 7_200_000,
        "exo_end_date": now - 1_800_000,
        // A search of the mailboxes knows the same only if it looks there, too.
        "exo_include_recoverable": true,
        "exo_search_strategy": strategy,
        "exo_query_output_format": ["Exchange Online data table"],
    });
    let started = Instant::now();
    let reply = bench.call("exchange_online_query_emails", inputs).await;
    let seconds = started.elapsed().as_secs_f64();
    let counters = graph.counters();
    let requests = counters.http_requests - counters.batches + counters.sub_requests;
    let content = reply.results["content"].clone();
    println!("{strategy:>10} {requests:>9} {:>10} {seconds:>8.1}", content["messages_found"]);
    (requests, content)
}

/// Sends the mail to its recipients, who do different things with it. Returns how many deliveries have which fate.
fn deliver(bench: &Bench) -> Value {
    let graph = &bench.sandbox.graph;
    let names = graph.mailboxes();
    let without_mailbox: Vec<String> = graph
        .users()
        .into_iter()
        .map(|user| user.user_principal_name)
        .filter(|name| !names.contains(name))
        .collect();
    let step = MAILBOXES / RECIPIENTS;
    let recipients: Vec<&String> = names.iter().step_by(step).take(RECIPIENTS).collect();
    let (list, direct) = recipients.split_at(20);
    let (listed, nested) = list.split_at(10);
    graph.add_list("inner@contoso.example", nested);
    graph.add_list(
        "all@contoso.example",
        listed.iter().map(|name| name.as_str()).chain(["inner@contoso.example"]),
    );
    let received = Utc::now() - TimeDelta::hours(1);
    let mut mail = Delivery::new(ID, Address::new("IT", "it@evil.example"), "Renew now", received)
        .with("all@contoso.example", Fate::INBOX)
        .with("eve@partner.example", Fate::INBOX)
        .with(&without_mailbox[0], Fate::DeliveredElsewhere)
        .with(&without_mailbox[1], Fate::DeliveredElsewhere);
    for (nth, recipient) in direct.iter().enumerate() {
        let fate = match nth % 38 {
            0 => Fate::Delivered("archive"),
            1 => Fate::Delivered("deleteditems"),
            2 => Fate::Delivered("recoverableitemsdeletions"),
            3 => Fate::FilteredAsSpam,
            4 => Fate::Quarantined,
            5 => Fate::Failed,
            6 => Fate::Pending,
            7 => Fate::DeliveredElsewhere,
            _ => Fate::INBOX,
        };
        mail = mail.with(recipient, fate);
    }
    let alias = alias_of(bench, &names[1]);
    graph.deliver(&mail.with(&alias, Fate::INBOX));
    assert!(graph.fail_mailbox(direct[20], MailboxFault::AccessPolicy));
    // 380 direct deliveries, ten of each of the eight; the mailbox that refuses had one in its inbox, and one is for an
    // alias. What is pending may still arrive, so it is not looked up.
    json!({
        "external": 1,
        "found": 20 + 380 - 6 * 10 - 1 + 1,
        "gone": 10,
        "in_deleted_items": 10,
        "in_recoverable_items": 10,
        "list": 2,
        "not_delivered": 10,
        "not_looked_up": 10,
        "not_reachable": 3,
        "quarantined": 10,
    })
}

/// Another address of the mailbox.
fn alias_of(bench: &Bench, name: &str) -> String {
    let user = bench.sandbox.graph.users().into_iter().find(|user| user.user_principal_name == name).unwrap();
    let addresses = user.proxy_addresses();
    addresses.iter().find_map(|address| address.strip_prefix("smtp:")).unwrap().to_owned()
}
