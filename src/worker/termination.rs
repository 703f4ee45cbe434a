//! Notices that a user has ended, in SOAR, the workflow or playbook whose call is running.

use std::future::pending;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use soar::{Client, Run};

/// The time between two looks. A call that ends sooner is never looked up.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long SOAR may take to answer a look.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Waits until `run`, on `incident`, is ended by a user. Returns a phrase that says so. Waits indefinitely where SOAR
/// does not say it.
pub(super) async fn of(soar: &Client, run: Option<&Run>, incident: Option<i64>) -> String {
    let Some(run) = run else { return pending().await };
    loop {
        sleep(INTERVAL).await;
        match look(soar, run, incident).await {
            Look::Ended(phrase) => return phrase,
            Look::GoesOn => {}
            Look::CannotBeSeen => return pending().await,
        }
    }
}

/// Returns a phrase if `run` has been ended by a user, for instance while its call waited in the queue.
pub(super) async fn is_ended(soar: &Client, run: Option<&Run>, incident: Option<i64>) -> Option<String> {
    match look(soar, run?, incident).await {
        Look::Ended(phrase) => Some(phrase),
        Look::GoesOn | Look::CannotBeSeen => None,
    }
}

enum Look {
    Ended(String),
    GoesOn,
    CannotBeSeen,
}

async fn look(soar: &Client, run: &Run, incident: Option<i64>) -> Look {
    match timeout(LOOK_WITHIN, soar.was_ended(run, incident)).await {
        Ok(None) => Look::CannotBeSeen,
        Ok(Some(Ok(true))) => {
            let phrase = match run {
                Run::Workflow { .. } => "the workflow was terminated in SOAR",
                Run::Playbook { .. } => "the playbook was canceled in SOAR",
            };
            info!("{phrase}");
            Look::Ended(phrase.to_owned())
        }
        Ok(Some(Err(error))) if !error.is_transient() => {
            warn!(
                "whether the workflow or playbook was ended cannot be seen, so ending it does not stop this call: \
                 {error}"
            );
            Look::CannotBeSeen
        }
        // After an error or no answer, the next look may succeed.
        Ok(Some(Ok(false) | Err(_))) | Err(_) => Look::GoesOn,
    }
}
