//! Dashboard, alerts and manual use the metrics that exist.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::health::watched;
use crate::support::deployment::Deployment;
use crate::support::exposition::{Metrics, PREFIX, promtool};

fn file(name: &str) -> String {
    let path = format!("{}/deploy/monitoring/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Each use of a metric of ours in `text`: its name, and what stands in braces after it.
fn uses(text: &str) -> Vec<(&str, &str)> {
    let mut uses = Vec::new();
    for (at, _) in text.match_indices(PREFIX) {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let selector =
            after.strip_prefix('{').and_then(|after| after.split_once('}')).map_or("", |(inside, _)| inside);
        uses.push((name, selector));
    }
    uses
}

/// Whether what `text` asks for is there: the metrics, their labels, and the values it names.
fn check(text: &str, metrics: &Metrics) -> usize {
    let names = metrics.names();
    let uses = uses(text);
    for (name, selector) in &uses {
        assert!(names.contains(*name), "there is no {name}");
        for matcher in selector.split(',').map(str::trim).filter(|matcher| !matcher.is_empty()) {
            let (label, value) =
                matcher.split_once(['=', '!']).unwrap_or_else(|| panic!("{name}: {matcher}"));
            if ["job", "instance"].contains(&label) {
                continue;
            }
            assert!(metrics.labels(name).contains(label), "{name} has no label {label}");
            let value = value.trim_start_matches(['=', '~']).trim_matches(['\\', '"']);
            for value in value.split('|').filter(|value| !value.contains(['.', '$'])) {
                assert!(metrics.has(name, label, value), "no {name} has {label}={value}");
            }
        }
    }
    uses.len()
}

async fn metrics() -> Metrics {
    let deployment = Deployment::new().await;
    let (_daemon, watcher) = watched(&deployment, &[]).await;
    watcher.until("/readyz", 200).await;
    watcher.metrics().await
}

#[tokio::test]
async fn dashboard_uses_existing_metrics() {
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "a panel's id is its own");
    let metrics = metrics().await;
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        let asked: usize =
            targets.iter().map(|target| check(target["expr"].as_str().unwrap(), &metrics)).sum();
        assert!(asked >= targets.len(), "{title} asks for nothing of ours");
    }
    check(&dashboard.to_string(), &metrics);
}

#[tokio::test]
async fn alerts_use_existing_metrics() {
    let metrics = metrics().await;
    assert!(check(&file("alerts.yml"), &metrics) >= 7);
    check(&file("alerts.test.yml"), &metrics);
}

#[tokio::test]
async fn manual_lists_exactly_the_existing_metrics() {
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md")).unwrap();
    let (_, after) = manual.split_once("| metric | labels | meaning |").unwrap();
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let explained: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .map(|name| format!("{PREFIX}{name}"))
        .collect();
    assert_eq!(explained, metrics().await.families());
}

#[test]
fn each_alert_links_to_its_runbook() {
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md")).unwrap();
    let alerts = file("alerts.yml");
    let rules: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 10, "{} alerts", rules.len());
    for rule in rules {
        let name = rule.lines().next().unwrap();
        let link = format!("runbook_url: docs/monitoring.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&link), "{name} has no runbook_url");
        assert!(manual.contains(&format!("\n### {name}\n")), "docs/monitoring.md has no chapter {name}");
    }
}

#[test]
fn alerts_fire_as_intended() {
    let directory = format!("{}/deploy/monitoring", env!("CARGO_MANIFEST_DIR"));
    for (command, name) in [("check", "alerts.yml"), ("test", "alerts.test.yml")] {
        if let Some((passed, output)) = promtool(&[command, "rules", &format!("{directory}/{name}")], "") {
            assert!(passed, "{output}");
        }
    }
}
