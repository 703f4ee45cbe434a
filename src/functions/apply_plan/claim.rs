//! A plan is applied by one call at a time. The call claims it by a file of the incident, and releases it by another
//! file if it leaves messages to be removed.
//!
//! SOAR numbers a file when its upload begins and lists it when the upload has ended, so a claim with a lower number
//! may appear later. Of two claims at the same time, the one with the higher number is released. The other call goes on
//! only when it sees that, since the first may not have seen its claim. So no two calls hold a plan, whatever their
//! timing is.
//!
//! A redelivery of a call finds the call's own claim, and continues. Where a call has claimed a plan and never ends, a
//! new plan has to be made.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::refusal::Refusal;
use super::wish::{Action, Wish};
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::plan::{Author, Files, Stamp, short};
use graph::attachments::Sha256;
use soar::Attachment;

const CLAIMED: &str = "applied";
const RELEASED: &str = "released";

/// How long a call waits for the release of a claim with a higher number than its own.
const WAITS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// What the file of a claim or a release says.
#[derive(Serialize)]
struct Note<'a> {
    format: &'static str,
    version: u32,
    plan_digest: Sha256,
    reference: &'a str,
    action: &'static str,
    approved_by: Option<&'a str>,
    applied_by: Author,
    at: Stamp,
    /// Of a release, whether a file with an outcome says all that the call removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounted: Option<bool>,
}

/// What is read of the file of a release.
#[derive(Deserialize)]
struct Release {
    action: String,
    accounted: bool,
}

/// A longer file, in bytes, is not a release.
const LONGEST: u64 = 64 << 10;

/// What was removed for the plan and is in no outcome, as far as it may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unaccounted {
    /// Messages may have been removed.
    pub(super) removals: bool,
    /// Another call may have deleted messages.
    pub(super) deletions: bool,
}

/// The claims of one plan.
pub(super) struct Claims<'a> {
    pub(super) context: &'a Context,
    pub(super) files: &'a Files<'a>,
    pub(super) wish: &'a Wish,
}

impl Claims<'_> {
    fn name(&self, what: &str) -> String {
        let reference = self.context.call.reference();
        format!("{}{reference}.json", prefix(self.wish.digest, what))
    }

    /// Whether an earlier run of the call has claimed the plan.
    pub(super) fn is_ours(&self, listed: &[Attachment]) -> bool {
        let name = self.name(CLAIMED);
        listed.iter().any(|file| file.name == name)
    }

    /// Refuses where another call has claimed the plan and not released it, or this call has released it. `listed` are
    /// the incident's files.
    pub(super) fn check(&self, listed: &[Attachment]) -> Result<(), Refusal> {
        let own = self.context.call.reference().to_string();
        if references(listed, self.wish.digest, RELEASED).iter().any(|(_, reference)| *reference == own) {
            return Err(Refusal::new(
                "PlanApplied",
                "this call has left the plan to others. Apply the plan by a new call.",
            ));
        }
        if self.is_ours(listed) {
            return Ok(());
        }
        others(listed, self.wish.digest, &own)
            .first()
            .map_or(Ok(()), |(_, reference)| Err(applied(reference)))
    }

    /// What earlier runs of this call and other calls may have removed without an outcome.
    pub(super) async fn unaccounted(&self, listed: &[Attachment]) -> Result<Unaccounted, Error> {
        let mut found = Unaccounted { removals: self.is_ours(listed), deletions: false };
        let prefix = prefix(self.wish.digest, RELEASED);
        for file in listed.iter().filter(|file| file.name.starts_with(&prefix)) {
            let bytes = self.files.read(file, LONGEST).await?;
            let release = bytes.and_then(|bytes| serde_json::from_slice::<Release>(&bytes).ok());
            // One that cannot be read may be of any call.
            let is_deletion =
                release.as_ref().is_none_or(|release| release.action != Action::Quarantine.name());
            if release.is_none_or(|release| !release.accounted) {
                found = Unaccounted { removals: true, deletions: found.deletions || is_deletion };
            }
        }
        Ok(found)
    }

    /// Claims the plan for this call, or refuses, with the claim released again. `was_begun`: an earlier run of the call
    /// may have removed messages.
    pub(super) async fn claim(&self, now: Stamp, was_begun: bool) -> Result<Result<(), Refusal>, Error> {
        let own = self.context.call.reference().to_string();
        let claim = self.files.attach(&self.name(CLAIMED), self.note("claim", now, None)?).await?;
        let mut waits = WAITS.into_iter();
        let holder = loop {
            let listed = match self.files.list().await {
                Ok(listed) => listed,
                Err(error) => {
                    // The call ends here, and must not hold the plan for good.
                    if let Err(error) = self.release(now, !was_begun).await {
                        warn!(error = error.for_log(), "the plan could not be released");
                    }
                    return Err(error);
                }
            };
            let others = others(&listed, self.wish.digest, &own);
            let Some((number, reference)) = others.into_iter().next() else { return Ok(Ok(())) };
            match waits.next().filter(|_| number > claim.id) {
                Some(wait) => self.context.guard.sleep(wait).await,
                None => break reference,
            }
        };
        self.release(now, !was_begun).await?;
        Ok(Err(applied(&holder)))
    }

    /// Lets another call apply the plan. `accounted`: all that this one has removed is in an outcome.
    pub(super) async fn release(&self, now: Stamp, accounted: bool) -> Result<(), Error> {
        let note = self.note("release", now, Some(accounted))?;
        self.files.attach(&self.name(RELEASED), note).await.map(drop)
    }

    fn note(&self, what: &str, at: Stamp, accounted: Option<bool>) -> Result<Vec<u8>, Error> {
        let format = if what == "claim" {
            "fn-exchange-online claim of a removal plan"
        } else {
            "fn-exchange-online release of a removal plan"
        };
        let note = Note {
            format,
            version: 1,
            plan_digest: self.wish.digest,
            reference: &self.context.call.reference().to_string(),
            action: self.wish.action.name(),
            approved_by: self.wish.approved_by.as_deref(),
            applied_by: Author::of(self.context.guard.initiator()),
            at,
            accounted,
        };
        Ok(serde_json::to_vec(&note)?)
    }
}

fn prefix(plan: Sha256, what: &str) -> String {
    format!("exo-plan-{}-{what}-", short(plan))
}

fn applied(reference: &str) -> Refusal {
    Refusal::new(
        "PlanApplied",
        format!(
            "another call applied this plan, or is applying it (reference {reference}). Make a new plan for what is left."
        ),
    )
}

/// The numbers and references of the claims that other calls have not released, the lowest number first.
fn others(listed: &[Attachment], plan: Sha256, own: &str) -> Vec<(i64, String)> {
    let released = references(listed, plan, RELEASED);
    let mut claims = references(listed, plan, CLAIMED);
    claims.retain(|(_, reference)| reference != own && released.iter().all(|(_, other)| other != reference));
    claims
}

/// The files that claim or release a plan: their numbers and the references of their calls.
fn references(listed: &[Attachment], plan: Sha256, what: &str) -> Vec<(i64, String)> {
    let prefix = prefix(plan, what);
    let reference = |file: &Attachment| {
        let reference = file.name.strip_prefix(prefix.as_str())?.strip_suffix(".json")?;
        Some((file.id, reference.to_owned()))
    };
    let mut all: Vec<_> = listed.iter().filter_map(reference).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<Attachment> {
        let file = |(nth, name): (usize, &&str)| Attachment {
            id: i64::try_from(nth).unwrap(),
            name: (*name).to_owned(),
            content_type: None,
            size: None,
            created: None,
        };
        names.iter().enumerate().map(file).collect()
    }

    #[test]
    fn claim_of_another_call_counts_until_it_is_released() {
        let plan = Sha256::of(b"plan");
        let (claimed, released) = (prefix(plan, CLAIMED), prefix(plan, RELEASED));
        let name = |prefix: &str, reference: &str| format!("{prefix}{reference}.json");
        let others_of = |names: &[String]| -> Vec<String> {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            others(&files(&names), plan, "own").into_iter().map(|(_, reference)| reference).collect()
        };
        let claims = [name(&claimed, "own"), name(&claimed, "b"), name(&claimed, "a")];
        assert_eq!(others_of(&claims), ["b", "a"], "by number");
        assert_eq!(others_of(&[&claims[..], &[name(&released, "b")]].concat()), ["a"]);
        assert_eq!(others_of(&claims[..1]), Vec::<String>::new());
        let other = prefix(Sha256::of(b"other"), CLAIMED);
        assert_eq!(others_of(&[name(&other, "a")]), Vec::<String>::new());
    }
}
