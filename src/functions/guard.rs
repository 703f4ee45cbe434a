//! The guard: what a call may change, by the settings, and that it is on record.
//!
//! A request that changes something takes an [`PendingAction`], and an act of a mailbox is begun in [`Guard::begin`] only,
//! with a [`Mailbox`] that [`Guard::mailbox`] let pass; in a dry run there is none to be had. So no function can
//! forget the guard rails.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::outcome::Outcome;
use crate::audit::{AuditError, AuditRecord, DryRun, Initiator, PendingAction, Trail};
use crate::config::{Deletion, GuardSettings};
use graph::{self, Client, Dispatch, Path, Request};

const PERMISSION_TO_IDENTIFY: &str = "User.Read.All";
const REFUSED: &str = "MailboxRefused";
const NOT_IDENTIFIED: &str = "MailboxNotIdentified";

/// What one call may change.
#[derive(Debug, Clone)]
pub struct Guard {
    rails: Arc<GuardSettings>,
    trail: Trail,
    asker: Arc<Initiator>,
}

/// A mailbox that may be changed.
#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    /// As it was named.
    name: String,
    /// The directory's id, where it was asked for: then it is what requests name, so that no other name of another
    /// mailbox can slip in between.
    id: Option<String>,
}

impl Mailbox {
    /// How requests name it.
    pub(super) fn address(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// Leave to do something, or to say that it would be done.
#[must_use]
pub(super) enum Authorization {
    PendingAction(PendingAction),
    DryRun(DryRun),
}

/// Why something was not done.
#[derive(Debug, Clone)]
pub(super) enum NotDone {
    /// Graph did not do it.
    Graph(graph::Error),
    /// It would have been done.
    DryRun,
    /// A setting forbids it.
    Refused { code: &'static str, why: String },
}

impl From<graph::Error> for NotDone {
    fn from(error: graph::Error) -> Self {
        Self::Graph(error)
    }
}

impl NotDone {
    /// What Graph said, where it was asked.
    pub(super) fn graph(&self) -> Option<&graph::Error> {
        match self {
            Self::Graph(error) => Some(error),
            Self::DryRun | Self::Refused { .. } => None,
        }
    }

    /// The answer, or the failure, of a function whose one act it was: it would have `done` something, for instance
    /// "deleted message X of mailbox Y".
    pub(super) fn answer(
        self,
        done: &str,
        content: Value,
        failed: impl FnOnce(graph::Error) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        match self {
            Self::Graph(error) => failed(error),
            Self::DryRun => rehearsed(done, content),
            Self::Refused { why, .. } => Err(Error::Refused(why)),
        }
    }
}

/// What the record says of `what`, and why, where it was not done.
pub(super) fn on_record<T>(
    [done, not_done]: [&'static str; 2],
    what: &Result<T, graph::Error>,
) -> (&'static str, Option<String>) {
    match what {
        Ok(_) => (done, None),
        Err(error) if error.is_indeterminate() => ("unknown", Some(error.for_log())),
        Err(error) => (not_done, Some(error.for_log())),
    }
}

/// The answer of a dry run. It looks like that of "not found", which every script tests for, and `content` has its
/// usual keys beside the error.
fn rehearsed(done: &str, content: Value) -> Result<Outcome, Error> {
    let message = format!("Dry run: this would have {done}. Nothing was changed (dry_run).");
    let mut object = match content {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.insert("error".to_owned(), json!({"code": "DryRun", "message": message}));
    let mut outcome = Outcome::done(&object)?;
    outcome.success = false;
    outcome.reason = Some(message);
    Ok(outcome)
}

/// The names of a mailbox in the directory. An answer that leaves one out, though all are asked for, is none: a pattern
/// that forbids the mailbox could be about that one. A mailbox without a `mail` has a null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    id: String,
    user_principal_name: String,
    #[serde(deserialize_with = "Option::deserialize")]
    mail: Option<String>,
    proxy_addresses: Vec<String>,
}

impl Names {
    /// What is asked for.
    const SELECT: &str = "id,userPrincipalName,mail,proxyAddresses";

    /// The two that are the mailbox's own.
    fn own(&self) -> impl Iterator<Item = &str> {
        [self.user_principal_name.as_str()].into_iter().chain(self.mail.as_deref())
    }

    /// All.
    fn all(&self) -> impl Iterator<Item = &str> {
        // `SMTP:` the first, `smtp:` the others; other kinds are other protocols' business.
        let proxies =
            self.proxy_addresses.iter().map(|proxy| proxy.split_once(':').map_or(&**proxy, |(_, rest)| rest));
        self.own().chain([self.id.as_str()]).chain(proxies)
    }
}

/// Those who have an address.
#[derive(Deserialize)]
struct Holders {
    value: Vec<Names>,
    #[serde(rename = "@odata.nextLink")]
    more: Option<IgnoredAny>,
}

/// Why it could not be found out whose mailbox it is.
enum Unidentified {
    /// Graph did not say.
    Graph(graph::Error),
    /// It did, but what it said is not enough.
    Answer(&'static str),
}

impl From<graph::Error> for Unidentified {
    fn from(error: graph::Error) -> Self {
        Self::Graph(error)
    }
}

impl fmt::Display for Unidentified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graph(error) => f.write_str(&error.for_log()),
            Self::Answer(what) => f.write_str(what),
        }
    }
}

impl Guard {
    /// Within `rails`, on behalf of `asker`, everything on record in `trail`.
    pub fn new(rails: Arc<GuardSettings>, trail: Trail, asker: Initiator) -> Self {
        Self { rails, trail, asker: Arc::new(asker) }
    }

    /// Where a deletion ends.
    pub(super) fn deletion(&self) -> Deletion {
        self.rails.deletion
    }

    /// Lets one call delete `count` messages, or says why it may not.
    pub(super) fn deletions(&self, count: usize) -> Result<(), String> {
        let Some(most) = self.rails.max_deletions.filter(|most| count > *most) else { return Ok(()) };
        let why = format!(
            "Nothing was deleted: {count} messages are listed, and one call may delete {most} at most \
             (max_deletions). Narrow the query down and run it again, or have the limit raised."
        );
        let deed = AuditRecord { act: "delete messages", messages: Some(count), ..AuditRecord::default() };
        self.trail.refused(&self.asker, deed, &why);
        Err(why)
    }

    /// Lets the mailbox that somebody called `name` be changed. Where some are allowed or denied, its names are those
    /// of the directory: an id, another case or another alias of a mailbox is the same mailbox.
    pub(super) async fn mailbox(
        &self,
        graph: &Client,
        route: &Dispatch,
        name: &str,
    ) -> Result<Mailbox, NotDone> {
        let GuardSettings { allowed, denied, .. } = &*self.rails;
        let mut mailbox = Mailbox { name: name.trim().to_owned(), id: None };
        if !self.rails.name_mailboxes() {
            return Ok(mailbox);
        }
        let names = identify(graph, route, &mailbox.name).await;
        let names = names.map_err(|unidentified| self.not_identified(&mailbox, unidentified))?;
        let is_denied =
            denied.match_address(&mailbox.name) || names.all().any(|name| denied.match_address(name));
        let is_allowed =
            allowed.as_ref().is_none_or(|allowed| names.own().any(|name| allowed.match_address(name)));
        let setting = match (is_denied, is_allowed) {
            (false, true) => {
                mailbox.id = Some(names.id);
                return Ok(mailbox);
            }
            (true, _) => "is one of those that this integration must not change (mailboxes_denied)",
            (false, false) => "is none of those that this integration may change (mailboxes_allowed)",
        };
        let why = format!("Mailbox {} {setting}; nothing was changed in it.", mailbox.name);
        mailbox.id = Some(names.id);
        self.put_refusal_on_record(&mailbox, REFUSED);
        Err(NotDone::Refused { code: REFUSED, why })
    }

    fn not_identified(&self, mailbox: &Mailbox, unidentified: Unidentified) -> NotDone {
        let reason = unidentified.to_string();
        self.put_refusal_on_record(mailbox, &format!("{NOT_IDENTIFIED}: {reason}"));
        let permission = match unidentified {
            // That there is no such mailbox is an answer, and what is wrong with every request is told once for all.
            Unidentified::Graph(error) if is_not_found(&error) || error.is_for_all() => {
                return NotDone::Graph(error);
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
        NotDone::Refused { code: NOT_IDENTIFIED, why }
    }

    fn put_refusal_on_record(&self, mailbox: &Mailbox, why: &str) {
        let deed = AuditRecord { act: "change mailbox", ..AuditRecord::default() };
        self.trail.refused(&self.asker, in_mailbox(deed, mailbox), why);
    }

    /// Begins something in `mailbox`, or, in a dry run, only says so.
    pub(super) fn begin(&self, mailbox: &Mailbox, deed: AuditRecord) -> Result<Authorization, NotDone> {
        let deed = in_mailbox(deed, mailbox);
        if self.rails.dry_run {
            return self.trail.rehearse(&self.asker, deed).map(Authorization::DryRun).map_err(not_on_record);
        }
        self.on_record(deed).map(Authorization::PendingAction)
    }

    /// Begins something that is done at SOAR.
    pub(super) fn at_soar(&self, deed: AuditRecord) -> Result<PendingAction, Error> {
        self.on_record(deed).map_err(|not_done| match not_done {
            NotDone::Refused { why, .. } => Error::Refused(why),
            NotDone::Graph(_) | NotDone::DryRun => Error::Refused("It was not done.".to_owned()),
        })
    }

    fn on_record(&self, deed: AuditRecord) -> Result<PendingAction, NotDone> {
        self.trail.begin(&self.asker, deed).map_err(not_on_record)
    }
}

fn not_on_record(AuditError { reason, .. }: AuditError) -> NotDone {
    NotDone::Refused {
        code: "NotOnRecord",
        why: format!(
            "Nothing was changed, since it could not be put on record: the audit trail (audit_file) cannot be \
             written ({reason})."
        ),
    }
}

fn in_mailbox(deed: AuditRecord, mailbox: &Mailbox) -> AuditRecord {
    AuditRecord { mailbox: Some(mailbox.name.clone()), mailbox_id: mailbox.id.clone(), ..deed }
}

fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

/// The names of the user that is called `name`: by its principal name or id, or else by one of its addresses, under
/// which Graph's directory does not know it (Graph page "Get a user").
async fn identify(graph: &Client, route: &Dispatch, name: &str) -> Result<Names, Unidentified> {
    const LEFT_OUT: &str = "Microsoft Graph left out some of its names, all of which were asked for (id, \
                            userPrincipalName, mail, proxyAddresses)";
    const AMBIGUOUS: &str = "Microsoft Graph names more than one mailbox for this address, or another one";
    let path = Path::user(name).map_err(graph::Error::from)?.option("$select", Names::SELECT);
    let not_found = match ask(graph, route, path).await {
        Ok(answer) => return answer.parse().map_err(|_| Unidentified::Answer(LEFT_OUT)),
        Err(error) if is_not_found(&error) && name.contains('@') => error,
        Err(error) => return Err(error.into()),
    };
    let path = Path::users_with_address(name).option("$select", Names::SELECT).option("$top", "2");
    let answer = ask(graph, route, path).await?;
    let Holders { mut value, more } = answer.parse().map_err(|_| Unidentified::Answer(LEFT_OUT))?;
    let wanted = name.to_lowercase();
    match (value.pop(), value.is_empty() && more.is_none()) {
        (None, true) => Err(not_found.into()),
        // A filter that filters nothing would find somebody else.
        (Some(names), true) if names.all().any(|name| name.to_lowercase() == wanted) => Ok(names),
        _ => Err(Unidentified::Answer(AMBIGUOUS)),
    }
}

async fn ask(graph: &Client, route: &Dispatch, path: Path) -> Result<graph::Answer, graph::Error> {
    graph.send_by(route, &Request::get(path)).await.map(|done| done.answer).map_err(|failed| failed.error)
}
