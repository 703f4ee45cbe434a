//! Whether SOAR and Entra ID take us: asked when somebody wants to know, and not again for a while, so that whoever
//! asks us often does not make us ask them often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// How long what was found out holds; longer than it takes to find it out.
const HOLDS: Duration = Duration::from_secs(15);
/// How long SOAR and Entra ID may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long whoever asks waits for that. Kubernetes' probes wait one second, where nothing else is said.
const WAITED_FOR: Duration = Duration::from_millis(800);

// The log says it once, however often it is found out.
const SOAR_FAILS: &str = "SOAR: it refuses us or fails; the log says why";
const NO_TOKEN: &str = "Entra ID: no access token; the log says why";

/// What was found out: nothing yet, or what is wrong.
type Findings = Option<Vec<&'static str>>;

#[derive(Debug, Default)]
pub(super) struct Checks {
    latest: Arc<Mutex<Latest>>,
}

#[derive(Debug, Default)]
struct Latest {
    asked_at: Option<Instant>,
    answered: bool,
    findings: watch::Sender<Findings>,
}

impl Checks {
    /// What is wrong, as far as is known.
    pub(super) async fn problems(&self, soar: soar::Client, graph: graph::Client) -> Vec<&'static str> {
        let (mut findings, asking) = {
            let mut latest = lock(&self.latest);
            let due = latest.asked_at.is_none_or(|at| at.elapsed() >= HOLDS);
            let mut findings = latest.findings.subscribe();
            findings.mark_unchanged();
            if due {
                latest.asked_at = Some(Instant::now());
                latest.answered = false;
                // A task of its own: it is ended even where whoever asked does not wait.
                tokio::spawn(ask(Arc::clone(&self.latest), soar, graph));
            }
            (findings, !latest.answered)
        };
        if asking {
            let _ = timeout(WAITED_FOR, findings.changed()).await;
        }
        let known = findings.borrow().clone();
        known.unwrap_or_else(|| vec!["SOAR and Entra ID: asked, and not all have answered yet"])
    }
}

async fn ask(latest: Arc<Mutex<Latest>>, soar: soar::Client, graph: graph::Client) {
    let (soar, graph) =
        tokio::join!(timeout(ANSWER_WITHIN, soar.check()), timeout(ANSWER_WITHIN, graph.claims()));
    let known = lock(&latest).findings.borrow().clone().unwrap_or_default();
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
    let mut latest = lock(&latest);
    latest.answered = true;
    latest.findings.send_replace(Some(problems));
}

fn lock(latest: &Mutex<Latest>) -> MutexGuard<'_, Latest> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}
