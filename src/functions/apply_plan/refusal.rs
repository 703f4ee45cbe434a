//! Why a plan is not applied.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::wish::Wish;
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::outcome::Outcome;
use crate::functions::plan::{Author, Plan};
use crate::functions::report::counted;
use crate::guard;

/// A plan is not applied. Nothing was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The kind, for scripts.
    pub(super) code: &'static str,
    /// The reason, in sentences.
    pub(super) why: String,
}

impl From<guard::Refusal> for Refusal {
    fn from(guard::Refusal { code, why }: guard::Refusal) -> Self {
        Self { code: code.text(), why }
    }
}

impl Refusal {
    pub(super) fn new(code: &'static str, why: impl std::fmt::Display) -> Self {
        Self { code, why: format!("Nothing was removed: {why}") }
    }

    /// The same, where an earlier run of the call had begun.
    pub(super) fn after_an_earlier_run(self) -> Self {
        let why = format!("{} An earlier run of this call may have removed some.", self.why);
        Self { why, ..self }
    }

    /// The answer: it has an `error`, which every script tests for.
    pub(super) fn outcome(self, wish: &Wish) -> Result<Outcome, Error> {
        let content = json!({
            "incident_id": wish.incident,
            "plan_digest": wish.digest,
            "action": wish.action.name(),
            "error": {"code": self.code, "message": &self.why},
        });
        let mut outcome = Outcome::done(&content)?;
        (outcome.success, outcome.reason) = (false, Some(self.why));
        Ok(outcome)
    }
}

/// Checks that the plan is the one that was approved, and may be applied now.
pub(super) fn check(context: &Context, wish: &Wish, plan: &Plan) -> Result<(), Refusal> {
    let (facts, messages) = (plan.facts(), plan.messages().len());
    if plan.digest() != wish.digest {
        return Err(Refusal::new(
            "OtherDigest",
            format!(
                "the file {} holds another plan, with the digest {}. The approval is for the digest {}.",
                plan.file_name(),
                plan.digest(),
                wish.digest
            ),
        ));
    }
    if facts.incident != wish.incident {
        let why = format!(
            "the plan was made for incident {}, and this is incident {}.",
            facts.incident, wish.incident
        );
        return Err(Refusal::new("OtherIncident", why));
    }
    if usize::try_from(wish.expected) != Ok(messages) {
        return Err(Refusal::new(
            "OtherCount",
            format!(
                "the plan holds {}, and {} were expected (exo_expected_messages).",
                counted(messages, "message"),
                wish.expected
            ),
        ));
    }
    context.guard.plan_rails().allow(messages)?;
    approver(context, wish, plan)
}

/// Refuses a plan that is too old. An application that has begun in time may go on.
pub(super) fn age(context: &Context, plan: &Plan, now: DateTime<Utc>) -> Result<(), Refusal> {
    let facts = plan.facts();
    // A lifetime that was made shorter since holds for older plans as well.
    let lifetime = TimeDelta::from_std(context.guard.plan_rails().lifetime).unwrap_or_default();
    let expires = facts.expires.time().min(facts.created.time() + lifetime);
    if now < expires {
        return Ok(());
    }
    let expired = expires.format("%Y-%m-%d %H:%M:%S UTC");
    let why = format!("the plan expired at {expired} (plan_lifetime). Query again and make a new plan.");
    Err(Refusal::new("PlanExpired", why))
}

/// Checks the approver, where two people are needed. It is checked again before each act: the setting may change.
pub(super) fn approver(context: &Context, wish: &Wish, plan: &Plan) -> Result<(), Refusal> {
    if !context.guard.plan_rails().four_eyes {
        return Ok(());
    }
    let maker = &plan.facts().created_by;
    let caller = Author::of(context.guard.initiator());
    match &wish.approved_by {
        None => Err(Refusal::new(
            "ApproverMissing",
            "the name of the approver is missing (exo_approved_by), which the setting four_eyes requires.",
        )),
        Some(approver) if maker.may_be(approver) => Err(Refusal::new(
            "ApproverIsMaker",
            format!(
                "{} made the plan and cannot approve it (four_eyes). Another person has to approve it.",
                maker.shown()
            ),
        )),
        // The approver's name is what the workflow says; the caller's is SOAR's own.
        Some(_) if maker.may_be(&caller.name) || maker.may_be(&caller.display_name) => Err(Refusal::new(
            "ApproverIsMaker",
            format!(
                "{} made the plan and cannot apply it (four_eyes). Another person has to do so.",
                maker.shown()
            ),
        )),
        Some(_) if maker.is_unknown() => Err(Refusal::new(
            "MakerUnknown",
            "the plan does not name its maker, so an approver cannot be known to be another person (four_eyes).",
        )),
        Some(_) => Ok(()),
    }
}
