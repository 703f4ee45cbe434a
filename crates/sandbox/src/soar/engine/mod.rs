//! SOAR's process engine, as far as the sandbox needs it: calls a function as a workflow or playbook does, waits for
//! the reply, and runs the scripts that follow the function in that process, so that a call ends in rows, notes and
//! artifacts.
//!
//! The scripts are those of the organisation's customizations. They run in Python 3 with the rights of this process.

mod automation;
mod effects;
mod process;
mod script;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use self::effects::Happened;
pub use self::script::NotRun;
use super::Soar;
use super::caller::{Call, Caller, CallerError, NoReply, Origin, Reply};
use super::incidents::Author;
use crate::observed::Observed;

/// How long the engine waits for the reply to a call.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A call of a function.
#[derive(Debug, Clone)]
pub struct Request {
    /// A workflow or a playbook.
    pub origin: Origin,
    /// The function's name.
    pub function: String,
    /// Its inputs, in SOAR's encodings.
    pub inputs: Map<String, Value>,
    /// The incident of the process.
    pub incident: i64,
    /// What started the process, where it is not the function alone that is called.
    pub started: Option<Started>,
}

/// What started a process.
#[derive(Debug, Clone)]
pub struct Started {
    /// The API name of the workflow or playbook.
    pub process: String,
    /// The user whose act it was.
    pub by: Author,
    /// The task that it works on.
    pub task: Option<i64>,
    /// The row of the data table that it works on.
    pub row: Option<i64>,
    /// The fields of its form. A choice is its label.
    pub form: Map<String, Value>,
}

/// A call that was made, and what became of it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number, from 1.
    pub id: usize,
    /// What was asked.
    pub request: Request,
    /// The display name of the workflow or playbook with the function, if the organisation has one.
    pub process: Option<String>,
    /// When it was sent, in milliseconds since 1970.
    pub started: i64,
    /// When the daemon's reply arrived, in milliseconds since 1970.
    pub replied: Option<i64>,
    /// The daemon's status messages so far.
    pub statuses: Vec<String>,
    /// How it ended; `None` while it goes on.
    pub end: Option<End>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum End {
    /// The daemon replied.
    Replied {
        /// Its final reply.
        reply: Arc<Reply>,
        /// What the scripts after the function did.
        scripts: Scripts,
    },
    /// The daemon did not reply.
    NoReply(String),
}

/// What became of the scripts after a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scripts {
    /// The process has none, or the organisation has no process with the function.
    None,
    /// They ran; the sentence says what they added.
    Ran(String),
    /// They did not run, or not to their end; the sentence says why.
    Failed(String),
}

/// Calls functions and runs scripts. Clones share the calls.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    soar: Arc<Soar>,
    caller: Caller,
    runs: Observed<Vec<Run>>,
    /// The results of the last call of each function, for scripts that read the results of an earlier step.
    results: Mutex<HashMap<String, Value>>,
}

impl Engine {
    /// An engine that calls through `caller`. No other caller may receive replies of this SOAR.
    pub(crate) fn new(soar: Arc<Soar>, caller: Caller) -> Self {
        let (runs, results) = Default::default();
        let shared = Arc::new(Shared { soar, caller, runs, results });
        tokio::spawn(automation::watch_tasks(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// The SOAR it works for.
    pub fn soar(&self) -> &Soar {
        &self.shared.soar
    }

    /// All calls so far, the oldest first.
    pub fn runs(&self) -> Vec<Run> {
        self.shared.runs.look(Clone::clone)
    }

    /// Counts the changes of the calls.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.runs.subscribe()
    }

    /// Sends a call, and returns its number as soon as the broker has the message. The engine goes on with it.
    pub async fn start(&self, request: Request) -> Result<usize, CallerError> {
        let Request { origin, function, inputs, started, .. } = &request;
        let process = self.process(&request);
        let inputs = Value::Object(inputs.clone());
        let call = match started {
            None => self.shared.caller.call_from(*origin, function, inputs).await?,
            Some(Started { by, .. }) => {
                self.shared.caller.call_as(&by.principal(), *origin, function, inputs).await?
            }
        };
        let id = self.shared.runs.change(|runs| {
            runs.push(Run {
                id: runs.len() + 1,
                request,
                process: process.map(|process| process.name),
                started: now(),
                replied: None,
                statuses: Vec::new(),
                end: None,
            });
            runs.len()
        });
        let engine = self.clone();
        tokio::spawn(async move { engine.go_on(id, call).await });
        Ok(id)
    }

    /// A call, by its number.
    pub fn run(&self, id: usize) -> Option<Run> {
        self.shared.runs.look(|runs| runs.get(id.checked_sub(1)?).cloned())
    }

    /// Waits until the call with that number has ended, and returns it.
    pub async fn ended(&self, id: usize) -> Option<Run> {
        let over = || self.run(id).is_none_or(|run| run.end.is_some());
        self.shared.runs.until(PATIENCE * 2, over).await;
        self.run(id)
    }

    fn change(&self, id: usize, change: impl FnOnce(&mut Run)) {
        self.shared.runs.change(|runs| id.checked_sub(1).and_then(|at| runs.get_mut(at)).map(change));
    }

    fn process(&self, request: &Request) -> Option<process::Process> {
        let Request { origin, function, started, .. } = request;
        let named = started.as_ref().map(|started| started.process.as_str());
        self.shared
            .soar
            .rest
            .look_at_customizations(|all| process::Process::of(all, *origin, function, named))
    }

    /// Collects status messages until the reply arrives, then runs the scripts.
    async fn go_on(&self, id: usize, call: Call) {
        let end = match self.reply(id, &call).await {
            Ok(reply) => {
                self.change(id, |run| run.replied = Some(now()));
                let scripts = self.after(id, &reply).await;
                End::Replied { reply: Arc::new(reply), scripts }
            }
            Err(no_reply) => End::NoReply(no_reply.to_string()),
        };
        self.change(id, |run| run.end = Some(end));
    }

    async fn reply(&self, id: usize, call: &Call) -> Result<Reply, NoReply> {
        let reply = call.reply(PATIENCE);
        tokio::pin!(reply);
        let mut shown = 0;
        let reply = loop {
            tokio::select! {
                reply = &mut reply => break reply,
                statuses = call.statuses_up_to(shown + 1, PATIENCE) => {
                    shown = statuses.len();
                    self.change(id, |run| run.statuses = statuses);
                }
            }
        };
        self.change(id, |run| run.statuses = call.statuses());
        reply
    }

    /// Runs the scripts that follow the function. A call that failed ends its process, so none follows.
    async fn after(&self, id: usize, reply: &Reply) -> Scripts {
        let Some(run) = self.run(id).filter(|_| reply.message_type == 0 && !reply.results.is_null()) else {
            return Scripts::None;
        };
        let Request { function, started, .. } = &run.request;
        let process = self.process(&run.request);
        // Nothing but a task starts a process on a task.
        let is_started = |process: &process::Process| process.object_type != "task" || started.is_some();
        let scripts = match process.filter(|process| !process.scripts.is_empty() && is_started(process)) {
            None => Scripts::None,
            Some(process) => match self.run_scripts(&process, &run.request, &reply.results).await {
                Ok(happened) => Scripts::Ran(happened.to_string()),
                Err(why) => Scripts::Failed(format!("{}: {why}", process.name)),
            },
        };
        self.shared.results.lock().insert(function.clone(), reply.results.clone());
        scripts
    }

    async fn run_scripts(
        &self,
        process: &process::Process,
        request: &Request,
        results: &Value,
    ) -> Result<Happened, String> {
        let mut earlier = self.earlier(process)?;
        if request.origin == Origin::Playbook {
            earlier.insert(process.result_name.clone(), results.clone());
        }
        let object = effects::Object::find(&self.shared.soar.rest, process, request)?;
        let mut happened = Happened::default();
        for script in &process.scripts {
            let run = object.script_run(script, request, &earlier, Some(results), None)?;
            let effects = run.run().await.map_err(|error| error.to_string())?;
            happened += object.apply(effects)?;
        }
        Ok(happened)
    }

    /// The results of the functions that the process has called before, by their names in its scripts.
    fn earlier(&self, process: &process::Process) -> Result<Map<String, Value>, String> {
        let known = |(function, name): &(String, String)| {
            let known = self.shared.results.lock().get(function).cloned();
            let known = known.ok_or_else(|| {
                format!("its script reads the results of {function}, which was not called before")
            })?;
            Ok((name.clone(), known))
        };
        process.earlier.iter().map(known).collect()
    }
}

/// The time in milliseconds since 1970.
fn now() -> i64 {
    Utc::now().timestamp_millis()
}
