//! Notices that a user has ended, in SOAR, the workflow or playbook whose call is running.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use soar::{Client, Run};

/// The time between two looks. A call that ends sooner is never looked up.
const INTERVAL: Duration = Duration::from_secs(2);

/// Waits until `run`, on `incident`, is ended by a user. Returns a phrase that says so. Waits indefinitely where SOAR
/// does not say it.
pub(super) async fn of(soar: &Client, run: Option<&Run>, incident: Option<i64>) -> String {
    let Some(run) = run else { return pending().await };
    loop {
        sleep(INTERVAL).await;
        match soar.was_ended(run, incident).await {
            None => return pending().await,
            Some(Ok(true)) => {
                info!("the workflow or playbook was ended in SOAR");
                return match run {
                    Run::Workflow { .. } => "the workflow was terminated in SOAR".to_owned(),
                    Run::Playbook { .. } => "the playbook was canceled in SOAR".to_owned(),
                };
            }
            Some(Err(error)) if !error.is_transient() => {
                warn!(
                    "whether the workflow or playbook was ended cannot be seen, so ending it does not stop this call: \
                     {error}"
                );
                return pending().await;
            }
            // After an error, the next look may succeed.
            Some(Ok(false) | Err(_)) => {}
        }
    }
}
