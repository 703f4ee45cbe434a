//! The outcome of a function that did not fail.

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use tracing::debug;

use super::call::PriorRun;
use super::context::Context;
use super::error::{Error, ErrorKind};
use crate::guard::{self, RefusalCode};
use graph::{Effect, Withdrawal};
use net::untrusted::json;

/// What becomes `success`, `reason`, `content`, `raw` and `pretty_string` of the results.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the function did what was asked for.
    pub success: bool,
    /// Why it did not, or not completely.
    pub reason: Option<String>,
    /// The reason for the log, if that is another one: without quotes from Graph, which may hold words of a mail.
    pub reason_for_log: Option<String>,
    /// The content, as compact JSON.
    pub content: Box<RawValue>,
    /// The content indented for reading, if the function offers it.
    pub pretty: Option<String>,
}

impl Outcome {
    /// Success, with this content.
    pub(super) fn done(content: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            success: true,
            reason: None,
            reason_for_log: None,
            content: serde_json::value::to_raw_value(content)?,
            pretty: None,
        })
    }

    /// The same for content of about so many `bytes`. A long text whose memory grows step by step takes twice of it.
    pub(super) fn done_long(content: &impl Serialize, bytes: usize) -> Result<Self, Error> {
        let mut text = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut text, content)?;
        let text = String::from_utf8(text).map_err(serde_json::Error::custom)?;
        let content = RawValue::from_string(text)?;
        Ok(Self { success: true, reason: None, reason_for_log: None, content, pretty: None })
    }

    /// Success with Graph's `object`, unchanged. The indented form has sorted keys.
    pub(super) fn object(object: Box<RawValue>) -> Result<Self, Error> {
        Self { success: true, reason: None, reason_for_log: None, content: object, pretty: None }
            .with_pretty()
    }

    /// Success with Graph's `object`, unchanged. The indented form has Graph's order of keys.
    pub(super) fn object_in_order(object: Box<RawValue>) -> Result<Self, Error> {
        Self { success: true, reason: None, reason_for_log: None, content: object, pretty: None }
            .with_pretty_in_order()
    }

    /// An outcome without content: what was asked for was not done, for the reason given.
    pub(super) fn without_content(reason: String) -> Self {
        let content = RawValue::from_string("{}".to_owned()).unwrap_or_default();
        Self { success: false, reason: Some(reason), reason_for_log: None, content, pretty: None }
    }

    /// Turns a refusal of Graph into an outcome whose `content` is Graph's error object. Other failures stay.
    pub(super) fn refused(error: Error) -> Result<Self, Error> {
        let Some(refusal) = error.graph_error().and_then(graph::Error::refusal) else { return Err(error) };
        let content = refusal.body.clone();
        let outcome = Self::without_content(error.to_string());
        let reason_for_log = Some(error.for_log());
        Ok(Self { reason_for_log, content: content.unwrap_or(outcome.content), ..outcome })
    }

    /// Adds the content indented for reading. Scripts for the older app print it, also where nothing was found.
    pub(super) fn with_pretty(self) -> Result<Self, Error> {
        let pretty = pretty(&self.content, Value::sort_all_objects)?;
        Ok(Self { pretty, ..self })
    }

    /// The same, in Graph's order of keys.
    pub(super) fn with_pretty_in_order(self) -> Result<Self, Error> {
        let pretty = pretty(&self.content, |_| ())?;
        Ok(Self { pretty, ..self })
    }

    /// Turns a 404 of something in a mailbox into an outcome whose `content` is Graph's error object, which scripts test
    /// for. Other errors stay.
    pub(super) fn not_found_in(mailbox: &str, error: Error, what: &str) -> Result<Self, Error> {
        let is_no_mailbox = error.graph_error().is_some_and(graph::Error::is_no_mailbox);
        if is_no_mailbox {
            return Self::not_found(error, &format!("The mailbox {mailbox}"));
        }
        Self::not_found(error, what)
    }

    /// Turns a 404 into an outcome whose `content` is Graph's error object, which scripts test for. Other errors stay.
    pub(super) fn not_found(error: Error, what: &str) -> Result<Self, Error> {
        let ErrorKind::Graph { source, .. } = error.kind() else { return Err(error) };
        match source.refusal() {
            Some(graph::Refusal { status: 404, code, body, .. }) => {
                let doubt = if source.is_indeterminate() {
                    " An earlier try may have been carried out all the same."
                } else {
                    ""
                };
                let reason = Some(format!("{what} was not found ({code}).{doubt}"));
                let content = body.clone().unwrap_or_default();
                Ok(Self { success: false, reason, reason_for_log: None, content, pretty: None })
            }
            _ => Err(error),
        }
    }
}

/// Why a change was not made.
#[derive(Debug, Clone)]
pub(super) enum NotDone {
    /// Graph did not make it.
    Graph(graph::Error),
    /// A dry run: it would have been made.
    DryRun,
    /// A setting forbids it.
    Refused {
        /// The kind, for scripts.
        code: &'static str,
        /// The reason, as a sentence.
        why: String,
    },
    /// The guard rails changed before it was sent, so it has to be allowed again.
    RailsChanged {
        /// Whether an earlier try may have been carried out.
        in_doubt: bool,
    },
}

impl From<graph::Error> for NotDone {
    fn from(error: graph::Error) -> Self {
        let in_doubt = error.is_indeterminate();
        match error.withdrawal() {
            Some(withdrawal) if withdrawal.code == RefusalCode::RailsChanged.text() => {
                Self::RailsChanged { in_doubt }
            }
            Some(Withdrawal { code, phrase }) if !in_doubt => {
                Self::Refused { code, why: format!("Not done: {phrase}.") }
            }
            // Where an earlier try may have been carried out, the error says so.
            _ => Self::Graph(error),
        }
    }
}

impl From<guard::Refusal> for NotDone {
    fn from(guard::Refusal { code, why }: guard::Refusal) -> Self {
        Self::Refused { code: code.text(), why }
    }
}

impl From<guard::Error> for NotDone {
    fn from(error: guard::Error) -> Self {
        match error {
            guard::Error::Graph(error) => Self::Graph(error),
            guard::Error::Refused(refusal) => refusal.into(),
            guard::Error::RailsChanged => Self::RailsChanged { in_doubt: false },
        }
    }
}

impl NotDone {
    /// Graph's error, if there is one.
    pub(super) fn graph(&self) -> Option<&graph::Error> {
        match self {
            Self::Graph(error) => Some(error),
            Self::DryRun | Self::Refused { .. } | Self::RailsChanged { .. } => None,
        }
    }

    /// Returns the outcome, or the error, of a function whose only change was not made. `done` completes "this would
    /// have …", for instance "deleted message X of mailbox Y".
    pub(super) fn outcome(
        self,
        done: &str,
        content: Value,
        failed: impl FnOnce(graph::Error) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        match self {
            Self::Graph(error) => failed(error),
            Self::DryRun => dry_run(done, content),
            Self::Refused { why, .. } => Err(Error::refused(why)),
            Self::RailsChanged { .. } => Err(Error::refused(RAILS_CHANGE)),
        }
    }
}

/// The rails of one call change this often at most.
const MOST_CHANGES: usize = 100;
const RAILS_CHANGE: &str = "Not done: the guard rails kept changing.";

/// Makes a change, again where the guard rails changed before its request was sent. `change` begins by allowing the
/// mailbox. A try that may have been carried out counts in its context like an earlier run of the call.
pub(super) async fn under_current_rails<T, C: Future<Output = Result<T, NotDone>>>(
    context: &Context,
    change: impl Fn(Context) -> C,
) -> Result<T, NotDone> {
    let mut context = context.clone();
    let mut was_in_doubt = false;
    for _ in 0..MOST_CHANGES {
        match change(context.clone()).await {
            Err(NotDone::RailsChanged { in_doubt }) => {
                debug!("the guard rails changed; the change is checked again");
                if in_doubt {
                    was_in_doubt = true;
                    context.call.prior_run = PriorRun::Likely;
                }
            }
            Err(not_done) if was_in_doubt => return Err(not_done.in_doubt()),
            ended => return ended,
        }
    }
    Err(NotDone::Refused { code: RefusalCode::RailsChanged.text(), why: RAILS_CHANGE.to_owned() })
}

impl NotDone {
    /// The same, after a try that may have been carried out.
    fn in_doubt(self) -> Self {
        const DOUBT: &str = "An earlier try may have been carried out all the same.";
        match self {
            Self::Graph(error) => Self::Graph(error.with_effect(Effect::Indeterminate)),
            Self::DryRun => {
                Self::Refused { code: "DryRun", why: format!("A dry run was switched on (dry_run). {DOUBT}") }
            }
            Self::Refused { code, why } => Self::Refused { code, why: format!("{why} {DOUBT}") },
            changed @ Self::RailsChanged { .. } => changed,
        }
    }
}

/// The outcome of a dry run. Like that of "not found" it has an `error`, which every script tests for; `content` keeps
/// its usual keys.
fn dry_run(done: &str, content: Value) -> Result<Outcome, Error> {
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

/// A sentence about something that went wrong, for its two readers.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) for_analyst: String,
    pub(super) for_log: String,
}

impl Outcome {
    /// Sets the reason from `sentences` and `troubles`.
    pub(super) fn because(&mut self, mut sentences: Vec<String>, troubles: Vec<Trouble>) {
        let joined = |sentences: &[String]| (!sentences.is_empty()).then(|| sentences.join(" "));
        let mut for_log = sentences.clone();
        for trouble in troubles {
            sentences.push(trouble.for_analyst);
            for_log.push(trouble.for_log);
        }
        self.reason = joined(&sentences);
        self.reason_for_log = joined(&for_log);
    }
}

/// The largest object, in bytes, that is indented for reading.
const LARGEST_TO_READ: usize = 16 << 20;
/// The largest number of values in an object that is indented for reading.
const MOST_TO_READ: usize = 100_000;

/// Indents `object`, after `order` has arranged its keys.
fn pretty(object: &RawValue, order: impl FnOnce(&mut Value)) -> Result<Option<String>, Error> {
    if json::is_too_deep(object.get()) {
        return Err(Error::refused("What Microsoft Graph answered is nested too deep to be handed on."));
    }
    if object.get().len() > LARGEST_TO_READ || json::values(object.get()) > MOST_TO_READ {
        return Ok(None);
    }
    let mut value: Value = serde_json::from_str(object.get())?;
    order(&mut value);
    indented(&value).map(Some)
}

/// Indents JSON by four spaces, as Python's `json.dumps(…, indent=4, ensure_ascii=False)` does.
fn indented(value: &Value) -> Result<String, Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    ")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
