//! How many messages a call may remove: by deleting what a query listed, and by applying a plan.

use std::time::Duration;

use super::rails::Rails;
use super::{Guard, Refusal, RefusalCode, StopReason};
use crate::audit::{Act, AuditRecord};

/// How many messages a call may remove, and which limit that is held to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) messages: usize,
    limit: Limit,
}

/// The limit of the messages that one call may remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Limit {
    /// `max_deletions`
    #[default]
    Deletions,
    /// `max_plan_messages`
    Plan,
    /// `max_deletions`, for calendar entries.
    Meetings,
}

impl Limit {
    fn of(self, rails: &Rails) -> usize {
        match self {
            Self::Deletions | Self::Meetings => rails.max_deletions(),
            Self::Plan => rails.max_plan_messages(),
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::Deletions | Self::Meetings => "max_deletions",
            Self::Plan => "max_plan_messages",
        }
    }

    fn code(self) -> RefusalCode {
        match self {
            Self::Deletions | Self::Meetings => RefusalCode::TooManyDeletions,
            Self::Plan => RefusalCode::PlanTooLarge,
        }
    }
}

/// The guard rails of removal plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanRails {
    /// `plan_lifetime`
    pub lifetime: Duration,
    /// `four_eyes`
    pub four_eyes: bool,
    /// `max_plan_messages`
    pub max_messages: usize,
}

impl PlanRails {
    /// Refuses a plan with `count` messages if it may not hold so many.
    ///
    /// # Errors
    /// It may not.
    pub fn allow(&self, count: usize) -> Result<(), Refusal> {
        if count <= self.max_messages {
            return Ok(());
        }
        Err(Refusal { code: RefusalCode::PlanTooLarge, why: too_large_a_plan(count, self.max_messages) })
    }
}

impl Guard {
    /// For how long a plan can be applied, whether its maker may not approve it, and how many messages it may hold.
    pub fn plan_rails(&self) -> PlanRails {
        let rails = self.rails();
        PlanRails {
            lifetime: rails.plan_lifetime(),
            four_eyes: rails.four_eyes(),
            max_messages: rails.max_plan_messages(),
        }
    }

    /// Checks that one call may delete `count` messages, and counts them. A dry run is checked and not counted.
    ///
    /// # Errors
    /// A plan is needed, or there are more than `max_deletions`, or more than `max_deletions_per_hour` leaves.
    pub fn authorize_deletions(&self, count: usize) -> Result<(), Refusal> {
        if self.rails().approval_required() {
            let (code, why) = (RefusalCode::ApprovalRequired, APPROVAL_REQUIRED.to_owned());
            self.trail.refused(&self.initiator, &deletions(count), &why);
            return Err(Refusal { code, why });
        }
        self.authorize_removals(count, Limit::Deletions)
    }

    /// Checks that one call may remove the `count` messages of a plan, and counts them. A dry run is checked and not
    /// counted.
    ///
    /// # Errors
    /// There are more than `max_plan_messages`, or more than `max_deletions_per_hour` leaves.
    pub fn authorize_plan(&self, count: usize) -> Result<(), Refusal> {
        self.authorize_removals(count, Limit::Plan)
    }

    /// Checks that one call may remove `count` calendar entries, and counts them. A dry run is checked and not counted.
    ///
    /// # Errors
    /// There are more than `max_deletions`, or more than `max_deletions_per_hour` leaves.
    pub fn authorize_meetings(&self, count: usize) -> Result<(), Refusal> {
        self.authorize_removals(count, Limit::Meetings)
    }

    /// Puts on record that a plan of `count` messages is not applied.
    pub fn record_refused_plan(&self, count: Option<usize>, why: &str) {
        let record = AuditRecord { messages: count, ..AuditRecord::new(Act::DeleteMessages) };
        self.trail.refused(&self.initiator, &record, why);
    }

    fn authorize_removals(&self, count: usize, limit: Limit) -> Result<(), Refusal> {
        let rails = self.rails();
        self.ensure_not_stopped(|| deletions(count))?;
        let most = limit.of(&rails);
        let (code, why) = if count > most {
            let why = match limit {
                Limit::Deletions => format!(
                    "Nothing was deleted: {count} messages are listed, and one call may delete {most} at most \
                     (max_deletions). Narrow the query down and run it again, or have the limit raised."
                ),
                Limit::Plan => too_large_a_plan(count, most),
                Limit::Meetings => format!(
                    "Nothing was removed: {count} calendar entries were found, and one call may remove {most} at most \
                     (max_deletions). Name fewer mailboxes, or have the limit raised."
                ),
            };
            (limit.code(), why)
        } else if let per_hour = rails.max_deletions_per_hour().unwrap_or(usize::MAX)
            && let Err(left) = self.deletions.take(count, per_hour, rails.dry_run())
        {
            let why = format!(
                "Nothing was deleted: the call's {count} messages are too many, since {per_hour} may be deleted in an \
                 hour by all calls together and {left} are left (max_deletions_per_hour). Run it again later, or have \
                 the limit raised."
            );
            (RefusalCode::TooManyDeletionsPerHour, why)
        } else {
            *self.allowance.lock() = Allowance { messages: count, limit };
            return Ok(());
        };
        self.trail.refused(&self.initiator, &deletions(count), &why);
        Err(Refusal { code, why })
    }

    /// Stops the call if it lists more messages than may be deleted since the rails changed: none without a plan, where
    /// one is needed.
    pub(super) fn stop_if_too_many(&self, rails: &Rails) {
        let Allowance { messages, limit } = *self.allowance.lock();
        let most = limit.of(rails);
        if messages > 0 && limit == Limit::Deletions && rails.approval_required() {
            let phrase = "messages are deleted by an approved plan only by now (approval_required)";
            let code = RefusalCode::ApprovalRequired;
            self.call.stop(StopReason::TooMany { code, phrase: phrase.to_owned() });
        } else if messages > most {
            let setting = limit.setting();
            let phrase = format!("one call may delete {most} messages at most by now ({setting})");
            self.call.stop(StopReason::TooMany { code: limit.code(), phrase });
        } else if messages > 0
            && let Some(limit) = rails.max_deletions_per_hour()
            && self.deletions.exceed(limit)
        {
            let phrase =
                format!("{limit} messages may be deleted in an hour by now (max_deletions_per_hour)");
            self.call.stop(StopReason::TooMany { code: RefusalCode::TooManyDeletionsPerHour, phrase });
        }
    }
}

/// What to do where messages are deleted by an approved plan only.
const APPROVAL_REQUIRED: &str = "Nothing was deleted: messages are deleted by an approved plan only (approval_required). Make a \
                                 plan of the query's results (exchange_online_plan_removal), have it approved, and apply \
                                 it (exchange_online_apply_plan).";

fn too_large_a_plan(count: usize, most: usize) -> String {
    format!(
        "Nothing was changed: there are {count} messages, and a plan may hold {most} at most (max_plan_messages). Narrow the \
         query down and plan again, or have the limit raised."
    )
}

fn deletions(count: usize) -> AuditRecord {
    AuditRecord { messages: Some(count), ..AuditRecord::new(Act::DeleteMessages) }
}
