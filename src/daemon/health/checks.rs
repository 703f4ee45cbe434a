//! Checks whether SOAR and Entra ID accept this program's credentials. The result is kept for a while, so that frequent
//! probes do not cause frequent requests.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// How long a result is kept: longer than a check may take.
const KEPT_FOR: Duration = Duration::from_secs(15);
/// How long SOAR and Entra ID may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a probe waits for a check. Kubernetes' probes wait one second by default.
const PROBE_WAITS: Duration = Duration::from_millis(800);

// The log gives the reason once, however often the check fails.
const SOAR_FAILS: &str = "SOAR: it refuses us or fails; the log says why";
const NO_TOKEN: &str = "Entra ID: no access token; the log says why";

/// The problems that the latest check found; `None` before the first one has ended.
type Findings = Option<Vec<&'static str>>;

#[derive(Debug, Default)]
pub(super) struct Checks {
    latest: Arc<Mutex<Latest>>,
}

#[derive(Debug, Default)]
struct Latest {
    started_at: Option<Instant>,
    ended: bool,
    findings: watch::Sender<Findings>,
}

impl Checks {
    /// The problems that are known, after a check if one is due.
    pub(super) async fn problems(&self, soar: soar::Client, graph: graph::Client) -> Vec<&'static str> {
        let (mut findings, running) = {
            let mut latest = self.latest.lock();
            let due = latest.started_at.is_none_or(|at| at.elapsed() >= KEPT_FOR);
            let mut findings = latest.findings.subscribe();
            findings.mark_unchanged();
            if due {
                latest.started_at = Some(Instant::now());
                latest.ended = false;
                // In a task, so that the check ends even if the probe does not wait for it.
                tokio::spawn(check(Arc::clone(&self.latest), soar, graph));
            }
            (findings, !latest.ended)
        };
        if running {
            let _ = timeout(PROBE_WAITS, findings.changed()).await;
        }
        let known = findings.borrow().clone();
        known.unwrap_or_else(|| vec!["SOAR and Entra ID: asked, and not all have answered yet"])
    }
}

async fn check(latest: Arc<Mutex<Latest>>, soar: soar::Client, graph: graph::Client) {
    let (soar, graph) =
        tokio::join!(timeout(ANSWER_WITHIN, soar.check()), timeout(ANSWER_WITHIN, graph.claims()));
    let known = latest.lock().findings.borrow().clone().unwrap_or_default();
    let mut problems = Vec::new();
    match soar {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            if !known.contains(&SOAR_FAILS) {
                warn!(error = error.for_log(), "not ready: SOAR does not take us");
            }
            problems.push(SOAR_FAILS);
        }
        Err(_) => problems.push("SOAR: no answer in time"),
    }
    match graph {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            if !known.contains(&NO_TOKEN) {
                warn!(%error, "not ready: there is no access token");
            }
            problems.push(NO_TOKEN);
        }
        Err(_) => problems.push("Entra ID: no access token in time; it is tried again"),
    }
    let mut latest = latest.lock();
    latest.ended = true;
    latest.findings.send_replace(Some(problems));
}
