//! The guard: decides, by the settings, what a call may change, and puts every change on record.
//!
//! A request that changes something needs a [`Change`]. Only [`Guard::authorize_change`] makes one, and only for a
//! [`Mailbox`] that [`Guard::authorize_mailbox`] returned; in a dry run it makes none. So no function can skip the
//! guard rails. Until its request is sent, a change is withdrawn where the rails change or the call is stopped.

mod allowance;
mod change;
mod deletion_count;
mod directory;
mod policy;
mod rails;
mod reading;
mod refusal;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::allowance::Allowance;
pub use self::allowance::PlanRails;
pub use self::change::Change;
use self::change::{CallState, Gate};
pub use self::deletion_count::DeletionCount;
pub use self::directory::has_name;
use self::directory::{Unidentified, identify, is_not_found};
pub use self::policy::ChangePolicy;
use self::rails::Rails;
pub use self::refusal::{Refusal, RefusalCode};
pub use self::stop::StopReason;
use crate::audit::{Act, AuditRecord, DryRun, Initiator, PendingAction, Trail};
use crate::config::Deletion;
use graph::{self, Client, Dispatch};

const PERMISSION_TO_IDENTIFY: &str = "User.Read.All";

/// Decides what one call may change.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: ChangePolicy,
    /// What the call has to keep to, as far as it was looked at.
    rails: Arc<Mutex<Rails>>,
    /// What the call may remove, once that is permitted.
    allowance: Arc<Mutex<Allowance>>,
    /// What the call does to messages or calendar entries, and to how many, if it does not delete messages.
    task: Arc<Mutex<Option<(Act, usize)>>>,
    call: CallState,
    trail: Trail,
    /// The deletions of the last hour.
    deletions: DeletionCount,
    initiator: Arc<Initiator>,
}

/// A mailbox that may be changed.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// The name in the call.
    name: String,
    /// The directory's id, if the guard looked it up. Requests then use the id, so that the name cannot come to mean
    /// another mailbox in between.
    id: Option<String>,
    /// The version of the rails that allowed it.
    version: u64,
}

impl Mailbox {
    /// The same mailbox, with the id of `identified` in the directory.
    #[must_use]
    pub fn identified_as(&self, identified: &Self) -> Self {
        Self { id: identified.id.clone(), ..self.clone() }
    }

    /// The name that requests use.
    pub fn address(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// Permission to change something, or, in a dry run, to say that it would be changed.
#[must_use]
pub enum Authorization {
    /// The change may be made.
    Change(Change),
    /// Nothing is changed (`dry_run`).
    DryRun(DryRun),
}

/// Why a mailbox may not be changed.
#[derive(Debug, Clone)]
pub enum Error {
    /// Graph did not say who owns the mailbox.
    Graph(graph::Error),
    /// A setting forbids it, or the owner is not known.
    Refused(Refusal),
    /// The guard rails have changed since the mailbox was allowed. It has to be allowed again.
    RailsChanged,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StopReason> for Error {
    fn from(reason: StopReason) -> Self {
        Self::Refused(reason.refusal())
    }
}

impl Guard {
    /// Applies `policy` to the call of `initiator`, with everything on record in `trail`. All calls of a process share
    /// `policy` and `deletions`.
    pub fn new(policy: &ChangePolicy, trail: Trail, deletions: DeletionCount, initiator: Initiator) -> Self {
        let rails = policy.watch().borrow().as_rails();
        Self {
            policy: policy.clone(),
            rails: Arc::new(Mutex::new(rails)),
            allowance: Arc::default(),
            task: Arc::default(),
            call: CallState::default(),
            trail,
            deletions,
            initiator: Arc::new(initiator),
        }
    }

    /// The rails that hold for the call now.
    fn rails(&self) -> Rails {
        let in_force = self.policy.watch();
        let in_force = in_force.borrow();
        let mut rails = self.rails.lock();
        if rails.version() != in_force.version {
            rails.add(in_force.version, Arc::clone(&in_force.rails));
            self.stop_if_too_many(&rails);
        }
        rails.clone()
    }

    /// Lets no change of the call begin any more.
    pub fn stop(&self, reason: StopReason) {
        self.call.stop(reason);
    }

    /// Why no change of the call may begin any more, if that is so.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.call.stop_reason(&self.policy.watch().borrow())
    }

    /// Waits until no change of the call may begin any more.
    pub async fn stopped(&self) -> StopReason {
        self.call.stopped(self.policy.watch()).await
    }

    /// Whether the end of the process kept a change of the call from beginning.
    pub fn is_cut_short(&self) -> bool {
        self.call.is_cut_short()
    }

    /// Whether the end of the process kept every change of the call from beginning.
    pub fn is_untouched(&self) -> bool {
        self.call.is_cut_short() && !self.call.has_begun()
    }

    /// Waits, at most until no change of the call may begin any more.
    pub async fn sleep(&self, wait: Duration) {
        tokio::select! {
            _ = self.stopped() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Notes that the call restores `count` messages. No number of them is too large.
    pub fn begin_restorations(&self, count: usize) {
        *self.task.lock() = Some((Act::RestoreMessages, count));
    }

    /// Notes that the call removes `count` calendar entries.
    pub fn begin_meetings(&self, count: usize) {
        *self.task.lock() = Some((Act::RemoveMeeting, count));
    }

    /// Puts on record that `left` messages or calendar entries were not dealt with, because the call was stopped.
    pub fn record_stop(&self, left: usize, reason: &StopReason) {
        let act = self.task.lock().map_or(Act::DeleteMessages, |(act, _)| act);
        let record = AuditRecord { messages: Some(left), ..AuditRecord::new(act) };
        self.trail.refused(&self.initiator, &record, &format!("{}: {}", reason.code(), reason.phrase()));
    }

    /// The version of the rails that hold for the call now.
    pub fn rails_version(&self) -> u64 {
        self.rails().version()
    }

    /// Refuses what `record` says if the call was stopped. A deletion or restoration of many is on record once, by
    /// [`Self::record_stop`].
    fn ensure_not_stopped(&self, record: impl FnOnce() -> AuditRecord) -> Result<(), Refusal> {
        let Some(reason) = self.stop_reason() else { return Ok(()) };
        let is_of_many = self.task.lock().is_some_and(|(_, count)| count > 1);
        let is_one = self.allowance.lock().messages <= 1 && !is_of_many;
        if is_one && reason != StopReason::Stopping {
            let why = format!("{}: {}", reason.code(), reason.phrase());
            self.trail.refused(&self.initiator, &record(), &why);
        }
        Err(reason.refusal())
    }

    /// The same guard, for the acts that apply the plan with this digest. Each names the plan and its approver.
    #[must_use]
    pub fn applying(&self, plan: String, approved_by: Option<String>) -> Self {
        let initiator = Initiator { approved_by, plan: Some(plan), ..(*self.initiator).clone() };
        Self { initiator: Arc::new(initiator), ..self.clone() }
    }

    /// The call on whose behalf something is done.
    pub fn initiator(&self) -> &Initiator {
        &self.initiator
    }

    /// Waits until what the call has done is on record, before it is answered. Does not wait for a trail that cannot be
    /// written.
    pub async fn settle(&self) {
        self.trail.settle().await;
    }

    /// Whether the call changes nothing, as a dry run.
    pub fn is_dry_run(&self) -> bool {
        self.rails().dry_run()
    }

    /// Where a deletion ends.
    pub fn deletion(&self) -> Deletion {
        self.rails().deletion()
    }

    /// Checks that the mailbox called `name` may be changed. Where the settings allow or deny mailboxes, the
    /// directory's names of the mailbox are compared: another case, an alias or an id still means the same mailbox.
    ///
    /// # Errors
    /// The settings forbid it, the call was stopped, or the owner could not be found out.
    pub async fn authorize_mailbox(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
    ) -> Result<Mailbox, Error> {
        self.authorize_named_mailbox(graph, route, name, None).await
    }

    /// Checks that the mailbox with the directory's `id` may be changed, which was called `name` when it was planned.
    /// The id counts: the name may be that of another mailbox by now.
    ///
    /// # Errors
    /// As those of [`Self::authorize_mailbox`].
    pub async fn authorize_planned_mailbox(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
        id: &str,
    ) -> Result<Mailbox, Error> {
        self.authorize_named_mailbox(graph, route, name, Some(id)).await
    }

    async fn authorize_named_mailbox(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
        id: Option<&str>,
    ) -> Result<Mailbox, Error> {
        let rails = self.rails();
        let id = id.map(str::to_owned);
        let mut mailbox = Mailbox { name: name.trim().to_owned(), id, version: rails.version() };
        self.ensure_not_stopped(|| in_mailbox(AuditRecord::new(Act::ChangeMailbox), &mailbox))?;
        if !rails.name_mailboxes() {
            return Ok(mailbox);
        }
        let names = tokio::select! {
            biased;
            reason = self.stopped() => return Err(reason.into()),
            names = identify(graph, route, mailbox.address()) => names,
        };
        let names = names.map_err(|unidentified| self.not_identified(&mailbox, unidentified))?;
        let is_denied = rails.deny(&mailbox.name, &names);
        let is_allowed = rails.allow(&names);
        mailbox.id = Some(names.id);
        let setting = match (is_denied, is_allowed) {
            (false, true) => return Ok(mailbox),
            (true, _) => "is one of those that this integration must not change (mailboxes_denied)",
            (false, false) => "is none of those that this integration may change (mailboxes_allowed)",
        };
        let why = format!("Mailbox {} {setting}; nothing was changed in it.", mailbox.name);
        let code = RefusalCode::MailboxRefused;
        self.record_refused_mailbox(&mailbox, code.text());
        Err(Error::Refused(Refusal { code, why }))
    }

    /// Returns `mailbox` with the id by which the directory knows it, for a mailbox that Exchange does not know by its
    /// name; `None` where the directory does not know it either, or must not be asked.
    pub async fn identify(&self, graph: &Client, route: &Dispatch, mailbox: &Mailbox) -> Option<Mailbox> {
        if mailbox.id.is_some() {
            return None;
        }
        let names = identify(graph, route, &mailbox.name).await.ok()?;
        Some(Mailbox { name: mailbox.name.clone(), id: Some(names.id), version: mailbox.version })
    }

    fn not_identified(&self, mailbox: &Mailbox, unidentified: Unidentified) -> Error {
        let reason = unidentified.to_string();
        let code = RefusalCode::MailboxNotIdentified;
        self.record_refused_mailbox(mailbox, &format!("{code}: {reason}"));
        let permission = match unidentified {
            // A mailbox that does not exist is an answer. An error of every request is reported once for the whole
            // call.
            Unidentified::Graph(error) if is_not_found(&error) || error.is_for_all() => {
                return Error::Graph(error);
            }
            Unidentified::Graph(error)
                if error.refusal().is_some_and(|refusal| matches!(refusal.status, 401 | 403)) =>
            {
                format!(
                    " Where mailboxes are allowed or denied (mailboxes_allowed, mailboxes_denied), the Entra \
                     application needs the application permission {PERMISSION_TO_IDENTIFY}, with admin consent."
                )
            }
            Unidentified::Graph(_) | Unidentified::Answer(_) => String::new(),
        };
        let why = format!(
            "Whose mailbox {} is could not be found out, so nothing was changed in it: {}.{permission}",
            mailbox.name,
            reason.trim_end_matches('.')
        );
        Error::Refused(Refusal { code, why })
    }

    fn record_refused_mailbox(&self, mailbox: &Mailbox, why: &str) {
        let record = in_mailbox(AuditRecord::new(Act::ChangeMailbox), mailbox);
        self.trail.refused(&self.initiator, &record, why);
    }

    /// Begins a change in `mailbox`, or, in a dry run, its rehearsal.
    ///
    /// # Errors
    /// The call was stopped, the rails have changed since `mailbox` was allowed, or the audit trail cannot be written.
    pub async fn authorize_change(
        &self,
        mailbox: &Mailbox,
        record: AuditRecord,
    ) -> Result<Authorization, Error> {
        let rails = self.rails();
        self.ensure_not_stopped(|| in_mailbox(record.clone(), mailbox))?;
        if mailbox.version != rails.version() {
            return Err(Error::RailsChanged);
        }
        let record = in_mailbox(record, mailbox);
        if rails.dry_run() {
            let rehearsal = self.trail.rehearse(&self.initiator, record).await;
            return Ok(Authorization::DryRun(rehearsal.map_err(Refusal::from)?));
        }
        let action = self.trail.begin(&self.initiator, record).await.map_err(Refusal::from)?;
        let gate = Gate::new(self.policy.watch(), self.call.clone(), rails.version());
        Ok(Authorization::Change(Change::new(action, gate)))
    }

    /// Begins to write a note or a file in SOAR. Guard rails are about mailboxes, so a dry run writes it as well.
    ///
    /// # Errors
    /// The audit trail cannot be written.
    pub async fn authorize_write(&self, record: AuditRecord) -> Result<PendingAction, Refusal> {
        Ok(self.trail.begin(&self.initiator, record).await?)
    }
}

fn in_mailbox(record: AuditRecord, mailbox: &Mailbox) -> AuditRecord {
    AuditRecord { mailbox: Some(mailbox.name.clone()), mailbox_id: mailbox.id.clone(), ..record }
}
