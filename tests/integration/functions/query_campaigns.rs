//! Campaigns as attackers send them, each found completely and without a false hit, by every strategy that can know it.

use chrono::{TimeDelta, Utc};
use graph::attachments::Sha256;
use sandbox::graph::{Address, Attachment, Delivery, TenantOptions};
use serde_json::{Value, json};

use crate::functions::common::{Fixture, QueryEmails, empty, found, query};

/// A campaign: the mails, the criteria, and the strategies that can know it.
struct Campaign {
    name: String,
    mails: Vec<Delivery>,
    /// Mails that look like it and are not.
    decoys: Vec<Delivery>,
    criteria: Value,
    strategies: &'static [&'static str],
}

const ALL: &[&str] = &["mailboxes", "trace", "hunting"];
const NOT_TRACE: &[&str] = &["mailboxes", "hunting"];
const MAILBOXES: &[&str] = &["mailboxes"];

fn mail(id: &str, from: &str, subject: &str) -> Delivery {
    Delivery::new(id, Address::new("X", from), subject, Utc::now() - TimeDelta::hours(1))
}

fn campaign(
    name: &str,
    mails: Vec<Delivery>,
    decoys: Vec<Delivery>,
    criteria: Value,
    strategies: &'static [&'static str],
) -> Campaign {
    Campaign { name: name.to_owned(), mails, decoys, criteria, strategies }
}

/// Message-IDs that an attacker may choose.
fn by_message_id() -> Vec<Campaign> {
    let ids = [
        "<plain@evil.example>",
        "<it's@evil.example>",
        "<''@evil.example>",
        "<50%25@evil.example>",
        "<%27 or 1 eq 1@evil.example>",
        "<a b@evil.example>",
        "<\"a,b>c\"@evil.example>",
        "<a&b=c?d#e@evil.example>",
        "<a+b@evil.example>",
        "<\u{fc}ml\u{e4}ut@evil.example>",
        "<back\\slash\"quote@evil.example>",
        "<x' or 1 eq 1 or 'x>",
        "<*@evil.example>",
        "<a;b@evil.example>",
        "<\u{1f980}@evil.example>",
        "<\u{202e}gnp.exe@evil.example>",
        "<a%b@evil.example>",
        "<$filter=1@evil.example>",
        "<a\tb@evil.example>",
        "<long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long@evil.example>",
    ];
    let one = |(nth, id): (usize, &&str)| {
        let near = format!("{}x>", id.trim_end_matches('>'));
        campaign(
            &format!("Message-ID {id}"),
            vec![mail(id, "it@evil.example", &format!("id {nth}"))],
            vec![
                mail(&near, "it@evil.example", &format!("id {nth}")),
                mail(&id.replace(['\'', '%'], ""), "it@good.example", "near").with_other_id(nth),
            ],
            json!({ "exo_internet_message_id": id }),
            ALL,
        )
    };
    ids.iter().enumerate().map(one).collect()
}

trait WithOtherId {
    fn with_other_id(self, nth: usize) -> Self;
}

impl WithOtherId for Delivery {
    /// Makes sure that the id is another one than the campaign's.
    fn with_other_id(self, nth: usize) -> Self {
        Self { message_id: format!("<{nth}-{}", self.message_id.trim_start_matches('<')), ..self }
    }
}

/// One campaign with an id of its own for each recipient.
fn rotating() -> Campaign {
    let ids: Vec<String> = (0..40).map(|nth| format!("<{nth}.rotating@evil.example>")).collect();
    let mails = ids.iter().map(|id| mail(id, "it@evil.example", "rotating")).collect();
    let criteria = json!({"exo_internet_message_id": ids.join("\n")});
    campaign(
        "rotating ids",
        mails,
        vec![mail("<40.rotating@evil.example>", "it@evil.example", "x")],
        criteria,
        ALL,
    )
}

fn by_sender() -> Vec<Campaign> {
    let look_alikes = ["a@evil-senders.example.com", "a@xevil-senders.example", "a@sub.evil-senders.example"];
    let decoys =
        look_alikes.iter().enumerate().map(|(nth, from)| mail(&format!("<d{nth}@s>"), from, "domain"));
    vec![
        campaign(
            "domain of the sender",
            vec![
                mail("<s1@s>", "a@evil-senders.example", "domain"),
                mail("<s2@s>", "b@EVIL-senders.example", "domain"),
            ],
            decoys.collect(),
            json!({"exo_email_address_sender": "@evil-senders.example"}),
            ALL,
        ),
        campaign(
            "sender with a quote",
            vec![mail("<s3@s>", "o'neil@evil.example", "quote")],
            vec![mail("<s4@s>", "oneil@evil.example", "quote")],
            json!({"exo_email_address_sender": "O'Neil@evil.example"}),
            ALL,
        ),
        campaign(
            "blank subject",
            vec![mail("<s5@s>", "blank@evil.example", ""), mail("<s6@s>", "blank@evil.example", "  ")],
            vec![mail("<s7@s>", "blank2@evil.example", "")],
            json!({"exo_email_address_sender": "blank@evil.example"}),
            ALL,
        ),
    ]
}

fn by_subject() -> Vec<Campaign> {
    let subjects = [
        "50% off: it's 7 o'clock",
        "a \"quoted\" & b",
        "100 \u{20ac} R\u{fc}ckzahlung",
        "[x] (y) {z}",
        "C:\\path",
    ];
    let one = |(nth, subject): (usize, &&str)| {
        campaign(
            &format!("subject {subject}"),
            vec![mail(&format!("<u{nth}@s>"), "it@evil.example", &format!("Re: {subject}!"))],
            vec![mail(
                &format!("<v{nth}@s>"),
                "it@evil.example",
                &subject[..subject.len() - 1].replace('\u{20ac}', "$"),
            )],
            json!({ "exo_message_subject": subject, "exo_email_address_sender": "it@evil.example" }),
            ALL,
        )
    };
    subjects.iter().enumerate().map(one).collect()
}

fn with_link(id: &str, html: &str, urls: &[&str]) -> Delivery {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    Delivery { html: true, body: html.to_owned(), urls, ..mail(id, "link@evil.example", "link") }
}

fn by_url() -> Vec<Campaign> {
    let cases = [
        (
            "https://u1.example/login",
            r#"<a href="https://u1.example/login?u=7">x</a>"#,
            "https://u1.example/login?u=7",
        ),
        (
            "u2.example",
            "<img src='//u2.example/x.png'><a href='HTTP://U2.EXAMPLE/'>x</a>",
            "http://u2.example/",
        ),
        (
            "https://u3.example/a%20b",
            r#"<a href="https://u3.example/a%20b">x</a>"#,
            "https://u3.example/a%20b",
        ),
        ("hxxps://u4[.]example/", "see https://u4.example/ now", "https://u4.example/"),
        ("*.u5.example", r#"<form action="https://deep.u5.example/post">"#, "https://deep.u5.example/post"),
        (
            "https://u6.example/?q=1&r=2",
            r#"<a href="https://u6.example/?q=1&amp;r=2">x</a>"#,
            "https://u6.example/?q=1&r=2",
        ),
    ];
    let one = |(nth, (wanted, html, url)): (usize, &(&str, &str, &str))| {
        let host = format!("u{}.example", nth + 1);
        let near = html.replace(&host, &format!("{host}.com"));
        let near = near.replace(&host.to_uppercase(), &format!("{}.COM", host.to_uppercase()));
        campaign(
            &format!("URL {wanted}"),
            vec![with_link(&format!("<l{nth}@s>"), html, &[url])],
            vec![with_link(&format!("<m{nth}@s>"), &near, &[&url.replace(&host, &format!("{host}.com"))])],
            json!({ "exo_url": wanted }),
            NOT_TRACE,
        )
    };
    cases.iter().enumerate().map(one).collect()
}

fn with_files(id: &str, attachments: Vec<Attachment>) -> Delivery {
    Delivery { attachments, ..mail(id, "file@evil.example", "file") }
}

fn by_attachment() -> Vec<Campaign> {
    let file = |name: &str, content: &'static [u8]| Attachment::file(name, "application/pdf", content);
    let digest = |content: &[u8]| Sha256::of(content).to_string();
    let forwarded = |content: &'static [u8]| {
        let inner = sandbox::graph::NewMessage {
            attachments: vec![file("inner.pdf", content)],
            ..crate::functions::common::mail("inner")
        };
        vec![Attachment::message(inner)]
    };
    vec![
        campaign(
            "two attachments of one name",
            vec![with_files("<f1@s>", vec![file("a.pdf", b"good"), file("a.pdf", b"evil 1")])],
            vec![with_files("<f2@s>", vec![file("a.pdf", b"good"), file("a.pdf", b"good")])],
            json!({"exo_attachment_sha256": digest(b"evil 1")}),
            NOT_TRACE,
        ),
        campaign(
            "file in a forwarded copy",
            vec![with_files("<f3@s>", forwarded(b"evil 2"))],
            vec![with_files("<f4@s>", forwarded(b"good 2"))],
            json!({"exo_attachment_sha256": digest(b"evil 2")}),
            MAILBOXES,
        ),
        campaign(
            "name with characters",
            vec![with_files("<f5@s>", vec![file("R\u{e9}sum\u{e9} 100% (1)'s.pdf", b"x")])],
            vec![with_files("<f6@s>", vec![file("Resume 100% (1)'s.pdf", b"x")])],
            json!({"exo_attachment_name": "r\u{e9}sum\u{e9} 100% (1)'s.PDF"}),
            NOT_TRACE,
        ),
        campaign(
            "name by a wildcard",
            vec![
                with_files("<f7@s>", vec![file("scan-17.iso", b"x")]),
                with_files("<f8@s>", vec![file("SCAN-.ISO", b"x")]),
            ],
            vec![with_files("<f9@s>", vec![file("scan-17.iso.txt", b"x")])],
            json!({"exo_attachment_name": "scan-*.iso"}),
            MAILBOXES,
        ),
    ]
}

fn by_header_and_recipient() -> Vec<Campaign> {
    let with_header = |id: &str, value: &str| Delivery {
        headers: vec![("X-Mailer".to_owned(), value.to_owned())],
        ..mail(id, "header@evil.example", "header")
    };
    vec![
        campaign(
            "header",
            vec![with_header("<h1@s>", "Kit 4.2"), with_header("<h2@s>", "kit 4.7")],
            vec![with_header("<h3@s>", "My Kit 4.2"), with_header("<h4@s>", "Kit 5")],
            json!({"exo_header": "x-mailer: Kit 4.*"}),
            MAILBOXES,
        ),
        campaign(
            "two criteria",
            vec![with_header("<h5@s>", "Both 1")],
            vec![with_header("<h6@s>", "Both 1")],
            json!({"exo_header": "X-Mailer: Both 1", "exo_internet_message_id": "<h5@s>"}),
            ALL,
        ),
    ]
}

fn campaigns() -> Vec<Campaign> {
    let mut all = by_message_id();
    all.push(rotating());
    all.extend(by_sender());
    all.extend(by_subject());
    all.extend(by_url());
    all.extend(by_attachment());
    all.extend(by_header_and_recipient());
    all
}

#[tokio::test]
async fn campaigns_are_found_whole_and_alone() {
    let tenant = TenantOptions { now: Utc::now(), ..empty(6) };
    let fixture = Fixture::configured(tenant, &[("max_messages", "1000")]).await;
    let graph = fixture.graph();
    for role in ["ExchangeMessageTrace.Read.All", "ThreatHunting.Read.All"] {
        graph.faults().give_role(role);
    }
    let names = graph.mailboxes();
    graph.add_list("inner@contoso.example", [&names[2]]);
    graph.add_list("all@contoso.example", [names[1].as_str(), "inner@contoso.example"]);
    let campaigns = campaigns();
    let mut expected = Vec::new();
    for campaign in &campaigns {
        let mut copies = Vec::new();
        for (nth, mail) in campaign.mails.iter().enumerate() {
            let to = [names[nth % 6].as_str(), "all@contoso.example"];
            copies.extend(graph.deliver(&mail.clone().to(to)).into_iter().map(|copy| copy.mailbox));
        }
        for decoy in &campaign.decoys {
            graph.deliver(&decoy.clone().to([&names[0], &names[3]]));
        }
        copies.sort();
        expected.push(copies);
    }
    let now = Utc::now().timestamp_millis();
    for (Campaign { name, criteria, strategies, .. }, expected) in campaigns.iter().zip(expected) {
        for strategy in *strategies {
            let mut criteria = criteria.clone();
            criteria["exo_search_strategy"] = json!(strategy);
            criteria["exo_start_date"] = json!(now - 7_200_000);
            criteria["exo_end_date"] = json!(now - 1_800_000);
            let results = fixture.done(QueryEmails, query("all", criteria)).await;
            let mut owners: Vec<String> = found(&results).into_iter().map(|(owner, _)| owner).collect();
            owners.sort();
            assert_eq!(owners, expected, "{name} by {strategy}: {:#}", results["content"]["reconciliation"]);
        }
    }
}
