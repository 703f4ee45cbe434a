//! `sandbox --call`: sends one call to the daemon of a served sandbox, as SOAR does, and shows the reply.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::inputs;

use crate::cli::invoke::inputs::Given;
use crate::cli::invoke::progress::ProgressDisplay;
use crate::cli::invoke::{named, write};
use crate::cli::{ExitCode, Failure};
use sandbox::call_in;
use sandbox::soar::caller::{Call, NoReply, Origin, Reply};

/// How long to wait for the reply.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Calls `function` in the sandbox that is served in `directory`, as `origin` does. Standard output has only the
/// results.
pub(super) async fn call(
    origin: Origin,
    function: &str,
    given: Vec<Given>,
    directory: &Path,
) -> Result<(), Failure> {
    let function = named(function)?;
    let values = inputs::read(function, given, directory).await?;
    let mut display = ProgressDisplay::on_stderr();
    let reply = call_in(directory, origin, function.name(), Value::Object(values), async |call| {
        display
            .line(&format!("SOAR has called {}; the call waits in the queue for a daemon", function.name()));
        replied(&call, &mut display).await
    })
    .await
    .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let Reply { message_type, message, results, .. } =
        reply.map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    if message_type != 0 || results.is_null() {
        return Err(Failure::new(ExitCode::Failed, &message));
    }
    display.line(&message);
    write(results.to_string().as_bytes())?;
    if results["success"] == json!(true) {
        Ok(())
    } else {
        Err(Failure::new(ExitCode::Failed, &results["reason"].as_str().unwrap_or_default()))
    }
}

/// Shows the status messages until the final reply arrives.
async fn replied(call: &Call, display: &mut ProgressDisplay) -> Result<Reply, NoReply> {
    let mut shown = 0;
    let mut show = |statuses: &[String]| {
        for status in statuses.iter().skip(shown) {
            display.status(status);
        }
        shown = statuses.len();
        shown
    };
    let reply = call.reply(PATIENCE);
    tokio::pin!(reply);
    let mut next = 1;
    let reply = loop {
        tokio::select! {
            reply = &mut reply => break reply,
            statuses = call.statuses_up_to(next, PATIENCE) => next = show(&statuses) + 1,
        }
    };
    show(&call.statuses());
    reply
}
