//! `exchange_online_apply_plan`: removes exactly the messages of a plan that was approved, and says of each what became
//! of it. What arrived since is reported, and not touched.

mod act;
mod arrivals;
mod claim;
mod content;
mod fate;
mod find;
mod identity;
mod meetings;
mod note;
mod refusal;
mod wish;

use chrono::Utc;
use tokio::time::Instant;
use tracing::info;

use super::call::{Call, PriorRun};
use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::{Outcome, Trouble};
use super::permissions::{CHANGE_CALENDARS, CHANGE_MAIL, Use};
use super::plan::{Author, Fate, Files, Plan, RemovalOutcome, is_since};
use super::removal::ACTIONS;
use super::report::Output;
use super::spec::{INCIDENT, Input, InputKind, Spec, Timeout};
use crate::guard::StopReason;
use act::Applied;
use arrivals::Arrivals;
use claim::{Claims, Unaccounted};
use content::Content;
use refusal::{Refusal, age, check};
use soar::Attachment;
use wish::Wish;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_apply_plan",
    summary: "Removes exactly the messages of an approved plan, and says of each what became of it.",
    inputs: &[
        INCIDENT,
        Input::required("exo_plan_digest", InputKind::Text, "SHA-256 of the plan that was approved"),
        Input::optional(
            "exo_plan_attachment",
            InputKind::Text,
            "name or number of the plan's file [default: the newest one with the digest]",
        ),
        Input::required("exo_expected_messages", InputKind::Number, "how many messages were approved"),
        Input::required(
            "exo_removal_action",
            InputKind::Select(ACTIONS),
            "what becomes of the messages: Quarantine, Delete or Purge",
        ),
        Input::optional(
            "exo_approved_by",
            InputKind::Text,
            "who approved the plan; required where two people are needed (four_eyes)",
        ),
        Input::optional(
            "exo_include_meetings",
            InputKind::Boolean,
            "removes the calendar entries of invitations as well [default: no]",
        ),
    ],
    uses: &[
        Use::always(&[CHANGE_MAIL]),
        Use::when("with calendar entries", &[CHANGE_MAIL, CHANGE_CALENDARS]),
    ],
    changes_mailbox: true,
    // It accounts for every message, including those that it did not reach in time.
    timeout: Timeout::Report,
};

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let until = Instant::now() + context.limits.call_timeout;
    let wish = Wish::read(inputs)?;
    let files = Files::of(context, wish.incident)?;
    let application = Application { context, wish: &wish, files: &files };
    match application.run(until).await? {
        Ok(outcome) => Ok(outcome),
        Err(refusal) => {
            let approved = usize::try_from(wish.expected).ok();
            context.guard.record_refused_plan(approved, &format!("{}: {}", refusal.code, refusal.why));
            info!(code = refusal.code, "the plan is not applied");
            refusal.outcome(&wish)
        }
    }
}

/// One application of a plan.
#[derive(Clone, Copy)]
struct Application<'a> {
    context: &'a Context,
    wish: &'a Wish,
    files: &'a Files<'a>,
}

/// An outcome and its file, if it has one.
struct Filed {
    outcome: RemovalOutcome,
    name: Option<String>,
}

impl Application<'_> {
    async fn run(self, until: Instant) -> Result<Result<Outcome, Refusal>, Error> {
        let Self { context, wish, files } = self;
        let started = Instant::now();
        let listed = files.list().await?;
        let plan = match find::plan(files, &listed, wish).await? {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // What an earlier run of the call has done and filed is done, whatever the time is now.
        let claims = Claims { context, files, wish };
        if context.may_have_been_run()
            && let Some(filed) = self.earlier(&listed).await?
        {
            let troubles = release_unless_settled(&claims, &filed).await;
            let mut answer = self.answer(&plan, filed, started, None).await?;
            add(&mut answer, troubles.into_iter().collect());
            return Ok(Ok(answer));
        }
        let (now, is_ours) = (Utc::now(), claims.is_ours(&listed));
        let allowed = check(context, wish, &plan)
            .and_then(|()| if is_ours { Ok(()) } else { age(context, &plan, now) })
            .and_then(|()| claims.check(&listed))
            .and_then(|()| Ok(context.guard.authorize_plan(plan.messages().len())?));
        if let Err(refusal) = allowed {
            if context.guard.stop_reason() == Some(StopReason::Stopping) {
                // The message stays in the queue.
                return Err(Error::refused(refusal.why));
            }
            if is_ours {
                claims.release(now.into(), false).await?;
                return Ok(Err(refusal.after_an_earlier_run()));
            }
            return Ok(Err(refusal));
        }
        let unaccounted = claims.unaccounted(&listed).await?;
        let is_dry_run = context.guard.is_dry_run();
        if !is_dry_run && let Err(refusal) = claims.claim(now.into(), is_ours).await? {
            return Ok(Err(if is_ours { refusal.after_an_earlier_run() } else { refusal }));
        }
        let applied = self.apply(&plan, unaccounted, until).await;
        if context.guard.is_untouched() {
            // The message stays in the queue, and the next run finds the claim of the call.
            return Err(Error::refused("Nothing was removed: the integration is being stopped."));
        }
        let (outcome, stopped) = applied;
        let mut troubles = Vec::new();
        let mut filed = Filed { outcome, name: None };
        if !is_dry_run {
            match self.file(&filed.outcome).await {
                Ok(file) => filed.name = Some(file.name),
                Err(error) => troubles.push(not_filed("outcome", &error)),
            }
            troubles.extend(release_unless_settled(&claims, &filed).await);
        }
        let mut answer = self.answer(&plan, filed, started, stopped.as_ref()).await?;
        add(&mut answer, troubles);
        Ok(Ok(answer))
    }

    /// Removes the messages, and looks for what arrived since.
    async fn apply(
        self,
        plan: &Plan,
        unaccounted: Unaccounted,
        until: Instant,
    ) -> (RemovalOutcome, Option<StopReason>) {
        let Self { context, wish, .. } = self;
        // The files of claims show that an earlier run or another call may have removed messages.
        let prior_run = if unaccounted.removals { PriorRun::Likely } else { context.call.prior_run };
        // Each act names the plan and its approver in the audit trail.
        let context = &Context {
            call: Call { prior_run, ..context.call.clone() },
            guard: context.guard.applying(wish.digest.to_string(), wish.approved_by.clone()),
            ..context.clone()
        };
        let Applied { messages, meetings, stopped } =
            act::apply(context, (wish, plan), unaccounted, until).await;
        let Arrivals { arrivals, not_looked_into } = match &stopped {
            // The process may end soon, and the outcome has to be filed before.
            Some(_) => Arrivals::not_looked_for(plan),
            None => arrivals::look(context, plan, until).await,
        };
        let outcome = RemovalOutcome {
            incident_id: wish.incident,
            plan_digest: wish.digest.to_string(),
            reference: context.call.reference().to_string(),
            action: wish.action.name().to_owned(),
            approved_by: wish.approved_by.clone(),
            applied_by: Author::of(context.guard.initiator()),
            ended: Utc::now().into(),
            settled: messages
                .iter()
                .all(|message| message.fate.is_settled() && meetings::is_settled(message, wish.action)),
            messages,
            meetings,
            arrivals,
            not_looked_into,
        };
        (outcome, stopped)
    }

    /// The outcome that an earlier run of the call has attached.
    async fn earlier(self, listed: &[Attachment]) -> Result<Option<Filed>, Error> {
        let Self { context, wish, files } = self;
        let (prefix, reference) = (RemovalOutcome::prefix(wish.digest), context.call.reference().to_string());
        for file in listed.iter().filter(|file| file.name.starts_with(&prefix)) {
            if !is_since(file, &context.call) {
                continue;
            }
            let Some(bytes) = files.read(file, RemovalOutcome::LARGEST).await? else { continue };
            if let Some(outcome) = RemovalOutcome::read(&bytes)
                && outcome.reference == reference
                && outcome.plan_digest == wish.digest.to_string()
            {
                return Ok(Some(Filed { outcome, name: Some(file.name.clone()) }));
            }
        }
        Ok(None)
    }

    async fn file(self, outcome: &RemovalOutcome) -> Result<Attachment, Error> {
        let Self { context, wish, files } = self;
        let time = context.call.asked_at.unwrap_or_else(Utc::now).format("%Y-%m-%dT%H-%M-%SZ");
        let name = format!("{}{time}.json", RemovalOutcome::prefix(wish.digest));
        files.attach(&name, outcome.bytes()?).await
    }

    /// Writes the note, and makes the answer.
    async fn answer(
        self,
        plan: &Plan,
        filed: Filed,
        started: Instant,
        stopped: Option<&StopReason>,
    ) -> Result<Outcome, Error> {
        let Self { context, wish, .. } = self;
        let outcome = &filed.outcome;
        let removed = outcome.count(Fate::Removed) + outcome.count(Fate::AlreadyRemoved);
        info!(
            digest = %wish.digest,
            action = wish.action.name(),
            messages = outcome.messages.len(),
            removed,
            settled = outcome.settled,
            arrived_since = outcome.arrivals.len(),
            "plan applied; every message of it is accounted for"
        );
        let mut answer = Outcome::done(&Content::of(plan, outcome, filed.name.as_deref()))?;
        answer.success = removed > 0;
        let application = note::Application { plan, wish, outcome, stopped, permissions: SPEC.permissions() };
        let output = Output { chosen: vec!["Incident note".to_owned()] };
        let report = application.report(started.elapsed());
        let prefix = RemovalOutcome::prefix(wish.digest);
        let written = report.write(context, Some(wish.incident), &output, prefix.trim_end_matches('-')).await;
        answer.because(application.sentences(), written);
        Ok(answer)
    }
}

/// Lets another call apply the plan, if something is left to do. An earlier run of the call may have done so.
async fn release_unless_settled(claims: &Claims<'_>, filed: &Filed) -> Option<Trouble> {
    if filed.outcome.settled {
        return None;
    }
    let released = claims.release(Utc::now().into(), filed.name.is_some()).await;
    released.err().map(|error| not_filed("release", &error))
}

fn not_filed(what: &str, error: &Error) -> Trouble {
    Trouble {
        for_analyst: format!("The {what} could not be attached to the incident: {error}"),
        for_log: format!("The {what} could not be attached to the incident: {}.", error.for_log()),
    }
}

/// Adds sentences to the reason.
fn add(outcome: &mut Outcome, troubles: Vec<Trouble>) {
    let join = |reason: Option<String>, sentence: String| {
        Some(reason.map_or(sentence.clone(), |reason| format!("{reason} {sentence}")))
    };
    for Trouble { for_analyst, for_log } in troubles {
        outcome.reason = join(outcome.reason.take(), for_analyst);
        outcome.reason_for_log = join(outcome.reason_for_log.take(), for_log);
    }
}
