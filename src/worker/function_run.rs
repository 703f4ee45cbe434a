//! The function of a call: whether it runs, its run, and the reply that it leads to.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Span, debug, error, info, warn};

use super::call::Call;
use super::metrics::CallOutcome;
use super::{Services, termination};
use crate::audit::Initiator;
use crate::functions::{self, Context, Function, Inputs, Lease, Outcome, PriorRun, Status};
use crate::guard::{Guard, StopReason};
use serde_json::value::RawValue;
use soar::reply::TooLarge;
use soar::{FunctionCall, Results, Run, reply};
use stomp::{Reply, ReplyBody};

/// Why a call failed: once for the analyst, and once for the log, which must not quote what is being investigated.
struct FunctionFailure {
    for_analyst: String,
    for_log: String,
}

impl Call {
    /// Runs a call to its end and returns the body of its final reply; `None` if the process ends before the call has
    /// made its change, so that its message stays in the queue.
    pub(super) async fn run_function_call(
        &self,
        function: Option<Function>,
        call: FunctionCall,
        lease: Lease,
    ) -> Option<ReplyBody> {
        let metrics = &self.consumer.shared.metrics;
        let FunctionCall { function: name, caller, inputs, raw_inputs, .. } = call;
        let inputs = Inputs::new(inputs);
        let span = Span::current();
        span.record("function", &name);
        span.record("incident", inputs.incident());
        span.record("principal", caller.principal.as_deref());
        match &caller.run {
            Some(Run::Workflow { name, instance }) => {
                span.record("workflow", name.as_deref());
                span.record("workflow_instance", instance);
            }
            Some(Run::Playbook { name, id, instance }) => {
                span.record("playbook", name.as_deref());
                span.record("playbook_id", id);
                span.record("playbook_instance", instance);
            }
            None => {}
        }
        let Some(function) = function else {
            warn!("unknown function");
            metrics.not_a_call();
            return Some(
                reply::failed(&format!("This integration has no function \"{name}\", so nothing was done."))
                    .into(),
            );
        };
        metrics.started(caller.run.as_ref());
        info!(redelivered = self.delivery.redelivered, "call started");
        debug!(prior_run = ?self.prior_run, broker = self.delivery.broker_session.as_deref(), "earlier runs");
        let started = Instant::now();
        let services = self.consumer.shared.services();
        let initiator = Initiator {
            principal: caller.principal,
            display_name: caller.display_name,
            incident: inputs.incident(),
            run: caller.run,
            correlation_id: Some(self.correlation_id().to_owned()),
            function: Some(name),
            ..Initiator::default()
        };
        let outcome = if let Some(failure) = self.too_old(function, services.limits.max_call_age) {
            Err(failure)
        } else {
            let ended = self.run_function(function, &inputs, &services, initiator, lease).await;
            let Some(outcome) = ended else {
                metrics.abandoned(Some(function));
                info!("stopped before it made its change; its message stays in the queue");
                return None;
            };
            outcome
        };
        let took = started.elapsed();
        metrics.ended(function, ended(&outcome), took);
        Some(match outcome {
            Ok(outcome) => completed(&outcome, &raw_inputs, &services, took),
            Err(failure) => failed(function, &failure, &services, took).into(),
        })
    }

    /// Refuses a call that changes something and has waited longer than `limit`, for instance because no daemon ran. What
    /// it was to change may look different by now. A call whose time is not known is not refused.
    fn too_old(&self, function: Function, limit: Duration) -> Option<FunctionFailure> {
        let sent_at = self.delivery.sent_at.filter(|_| function.spec().changes_mailbox)?;
        let age = (Utc::now() - sent_at).to_std().ok().filter(|age| *age > limit)?;
        let hours = |time: Duration| time.as_secs() / 3600;
        let earlier = match self.prior_run {
            PriorRun::None => "",
            PriorRun::Possible | PriorRun::Likely => " An earlier run of it may have begun.",
        };
        Some(FunctionFailure {
            for_analyst: format!(
                "SOAR sent this call {} hours ago, at {}. A call that changes something is carried out within {} hours \
                 (max_call_age), so nothing was done.{earlier} Run it again if it is still wanted.",
                hours(age),
                sent_at.format("%Y-%m-%d %H:%M:%S UTC"),
                hours(limit),
            ),
            for_log: format!(
                "the call is {} s old, and may be {} s old (max_call_age)",
                age.as_secs(),
                limit.as_secs()
            ),
        })
    }

    /// Runs the function and sends its status messages. Returns `None` if the process ends before the function has
    /// made its change.
    async fn run_function(
        &self,
        function: Function,
        inputs: &Inputs,
        services: &Services,
        initiator: Initiator,
        lease: Lease,
    ) -> Option<Result<Outcome, FunctionFailure>> {
        let (status, mut statuses) = Status::channel();
        let (run, incident) = (initiator.run.clone(), initiator.incident);
        let guard =
            Guard::new(&services.policy, services.trail.clone(), services.deletions.clone(), initiator);
        let context = Context {
            graph: services.graph.for_call(self.memory.clone()),
            sink: self.consumer.soar.clone().into(),
            call: functions::Call {
                id: self.delivery.message_id.clone(),
                asked_at: self.delivery.sent_at,
                prior_run: self.prior_run,
            },
            lease,
            guard: guard.clone(),
            limits: services.limits,
            zip_password: services.zip_password.clone(),
            status,
        };
        if self.prior_run == PriorRun::Likely
            && let Some(phrase) = termination::is_ended(&self.consumer.soar, run.as_ref(), incident).await
        {
            guard.stop(StopReason::Terminated(phrase));
        }
        let run = async {
            let terminated = Box::pin(termination::of(&self.consumer.soar, run.as_ref(), incident));
            let run = Box::pin(AssertUnwindSafe(function.run(&context, inputs)).catch_unwind());
            let ended = until_terminated(function, &guard, run, terminated).await;
            if ended.is_err() {
                // What was dropped has put itself on record.
                guard.settle().await;
            }
            // Closes the channel of status messages, which ends the other half.
            drop(context);
            ended
        };
        // Concurrently, so that a broker that is slow to take a status message does not delay the function.
        let report = async {
            while let Some(text) = statuses.recv().await {
                self.send_status(&text).await;
            }
        };
        let (ended, ()) = tokio::join!(run, report);
        // The next worker that gets the message runs the call, and looks first for what this run has done.
        let is_left = if function.spec().accounts_for_parts() {
            guard.is_untouched()
        } else {
            guard.is_cut_short() && matches!(ended, Ok(Ok(Err(_))))
        };
        if is_left {
            return None;
        }
        Some(match ended {
            Ok(Ok(outcome)) => outcome.map_err(|error| {
                let may_have_begun = self.prior_run == PriorRun::Likely && guard.stop_reason().is_some();
                let earlier = if may_have_begun { " An earlier run of it may have begun." } else { "" };
                FunctionFailure { for_analyst: format!("{error}{earlier}"), for_log: error.for_log() }
            }),
            // The panic hook has logged where.
            Ok(Err(_)) => Err(FunctionFailure {
                for_analyst:
                    "An error in the integration itself ended the function; its log says more. What it had \
                              done until then is not known."
                        .to_owned(),
                for_log: "the function panicked".to_owned(),
            }),
            Err(phrase) => Err(FunctionFailure {
                for_analyst: format!(
                    "The function was stopped before it had a result: {phrase}. What it was writing to the incident may \
                     have been written."
                ),
                for_log: phrase,
            }),
        })
    }

    /// Sends a status message. A status message may be lost with a connection; the final reply may not.
    async fn send_status(&self, text: &str) {
        info!(status = text, "progress");
        if let Some(destination) = &self.delivery.reply_to {
            let status = Reply {
                destination: destination.clone(),
                correlation_id: self.delivery.correlation_id.clone(),
                body: reply::status(text).into(),
            };
            if let Err(error) = self.consumer.session.send(status).await {
                debug!(%error, "status message not sent");
            }
        }
    }
}

/// Waits for the end of a function. Where its workflow or playbook is ended in SOAR, a function that changes something
/// begins no further change and accounts for the rest; another one is dropped, with the phrase that says why.
async fn until_terminated<T>(
    function: Function,
    guard: &Guard,
    run: impl Future<Output = T>,
    terminated: impl Future<Output = String>,
) -> Result<T, String> {
    let mut run = pin!(run);
    let phrase = tokio::select! {
        biased;
        ended = &mut run => return Ok(ended),
        phrase = terminated => phrase,
    };
    if !function.spec().changes_mailbox {
        return Err(phrase);
    }
    guard.stop(StopReason::Terminated(phrase));
    Ok(run.await)
}

fn ended(outcome: &Result<Outcome, FunctionFailure>) -> CallOutcome {
    match outcome {
        Ok(Outcome { success: true, .. }) => CallOutcome::Succeeded,
        Ok(Outcome { success: false, .. }) => CallOutcome::Unsuccessful,
        Err(_) => CallOutcome::Failed,
    }
}

/// The reply to a call that was worked through.
fn completed(outcome: &Outcome, inputs: &RawValue, services: &Services, took: Duration) -> ReplyBody {
    let Outcome { success, reason, reason_for_log, content, pretty } = outcome;
    let logged_reason = reason_for_log.as_ref().or(reason.as_ref());
    info!(success, reason = logged_reason, elapsed_ms = took.as_millis(), "call completed");
    let results = Results {
        success: *success,
        reason: reason.as_deref(),
        content,
        pretty: pretty.as_deref(),
        inputs,
        execution_time: took,
    };
    let max_bytes = services.limits.max_reply;
    match reply::completed(&results, max_bytes) {
        Ok(pieces) => pieces.into(),
        Err(TooLarge) => super::reply::too_large(max_bytes).into(),
    }
}

/// The reply to a call that failed.
fn failed(function: Function, error: &FunctionFailure, services: &Services, took: Duration) -> Bytes {
    error!(error = error.for_log, elapsed_ms = took.as_millis(), "call failed");
    if services.settings.trap_exception {
        reply::trapped(function.name(), &error.for_analyst)
    } else {
        reply::failed(&error.for_analyst)
    }
}
