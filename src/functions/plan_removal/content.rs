//! The content of the result, as workflows and scripts read it.

use serde::Serialize;

use super::freeze::{Frozen, LeftOut};
use crate::functions::plan::{Author, Counts, Plan, Stamp};
use graph::attachments::Sha256;
use soar::Attachment;

#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: i64,
    plan_digest: Sha256,
    /// The name of the file.
    plan_attachment: &'a str,
    plan_attachment_id: i64,
    /// How many messages the plan holds. The application has to expect as many.
    messages: usize,
    mailboxes: usize,
    invitations: usize,
    created: Stamp,
    created_by: &'a Author,
    expires: Stamp,
    looked_until: Stamp,
    complete: bool,
    incomplete_because: &'a [String],
    counts: &'a Counts,
    not_planned: Vec<NotPlanned<'a>>,
}

/// Messages that are listed and not in the plan.
#[derive(Serialize)]
struct NotPlanned<'a> {
    email_address: &'a str,
    messages: usize,
    gone: bool,
    reason: &'a str,
}

impl<'a> Content<'a> {
    pub(super) fn of(plan: &'a Plan, file: &'a Attachment, frozen: &'a Frozen) -> Self {
        let (facts, counts) = (plan.facts(), plan.counts());
        Self {
            incident_id: facts.incident,
            plan_digest: plan.digest(),
            plan_attachment: &file.name,
            plan_attachment_id: file.id,
            messages: counts.messages,
            mailboxes: plan.mailboxes().len(),
            invitations: counts.invitations,
            created: facts.created,
            created_by: &facts.created_by,
            expires: facts.expires,
            looked_until: facts.looked_until,
            complete: facts.incomplete_because.is_empty(),
            incomplete_because: &facts.incomplete_because,
            counts,
            not_planned: frozen.left_out.iter().map(NotPlanned::of).collect(),
        }
    }
}

impl<'a> NotPlanned<'a> {
    fn of(left_out: &'a LeftOut) -> Self {
        let LeftOut { mailbox, messages, reason, is_gone } = left_out;
        Self { email_address: mailbox, messages: *messages, gone: *is_gone, reason }
    }
}
