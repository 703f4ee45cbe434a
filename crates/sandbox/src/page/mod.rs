//! A page that shows the incidents of the sandbox's SOAR in a browser, and a door by which other processes call
//! functions. Both are served over HTTP on loopback.

mod html;
mod state;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path as FilePath;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::server::Server;
use crate::soar::caller::Origin;
use crate::soar::engine::{End, Engine, Request, Run, Scripts};
use crate::soar::incidents::Owner;

/// The name of the file from which other processes learn how to call.
const FILE: &str = "soar.json";
/// How long a request for a newer state waits for a change.
const PATIENCE: Duration = Duration::from_secs(20);

/// The page as it is now, as one HTML document that needs no server.
pub fn document(engine: &Engine) -> String {
    html::document(&state::of(engine, false))
}

/// A served page. Dropping it ends the server.
#[derive(Debug)]
pub struct Page {
    server: Server,
    endpoint: Endpoint,
}

/// Where a served sandbox takes calls from other processes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Endpoint {
    url: String,
    token: String,
}

/// A call as another process asks for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PostedCall {
    /// Whether a playbook calls, or else a workflow.
    pub playbook: bool,
    /// The function's name.
    pub function: String,
    /// Its inputs.
    pub inputs: Map<String, Value>,
    /// The incident of the process.
    pub incident: i64,
}

/// A line of the answer to a [`PostedCall`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// SOAR has called; the message is in the queue.
    Called {
        /// How many daemons are subscribed to the queue.
        daemons: usize,
    },
    /// A status message of the daemon.
    Status(String),
    /// The daemon's final reply, and what the scripts after the function did, or why they did not run.
    Replied {
        /// 0 for information, 1 for a failed call.
        message_type: i64,
        /// The text that SOAR shows.
        message: String,
        /// The results; null if the call failed.
        results: Value,
        /// What the scripts added to the incident.
        added: Option<String>,
        /// Why a script did not run, or not to its end.
        script_failure: Option<String>,
    },
    /// The call could not be sent, or no reply arrived.
    Failed(String),
}

#[derive(Debug, Clone)]
struct Shared {
    engine: Engine,
    token: String,
    port: u16,
}

impl Page {
    /// Serves the page on a free port of loopback.
    pub async fn serve(engine: Engine) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let token = Uuid::new_v4().simple().to_string();
        let shared = Shared { engine, token: token.clone(), port };
        let router = Router::new()
            .route("/", get(page))
            .route("/state", get(newer_state))
            .route("/incidents/{id}/attachments/{attachment}", get(attachment))
            .route("/calls", post(call))
            .layer(from_fn_with_state(shared.clone(), for_this_host))
            .with_state(shared);
        let server = Server::start_plain_on(listener, router)?;
        Ok(Self { server, endpoint: Endpoint { url: format!("http://127.0.0.1:{port}/calls"), token } })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Removes that file. Then no other process calls any more.
    pub fn remove_endpoint_file(directory: &FilePath) -> io::Result<()> {
        std::fs::remove_file(directory.join(FILE))
    }

    /// Writes the file by which other processes find it into `directory`, readable by its owner only.
    pub fn write_endpoint_file(&self, directory: &FilePath) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(&self.endpoint)?;
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(directory.join(FILE))?;
        file.write_all(&text)
    }
}

impl Endpoint {
    /// The door of the sandbox that another process serves in `directory`.
    pub fn open(directory: &FilePath) -> io::Result<Self> {
        Ok(serde_json::from_reader(File::open(directory.join(FILE))?)?)
    }

    /// Where calls are posted.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a caller proves its permission with, as a bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Refuses requests for another host: a web page elsewhere could otherwise read this one through a name of its own
/// that resolves to loopback.
async fn for_this_host(State(shared): State<Shared>, request: HttpRequest, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = ["localhost", "127.0.0.1"].map(|name| format!("{name}:{}", shared.port));
    if own.iter().any(|own| own == host) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "This page is only for browsers on this machine.").into_response()
    }
}

async fn page(State(shared): State<Shared>) -> Response {
    let mut response = html::document(&state::of(&shared.engine, true)).into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

#[derive(Deserialize)]
struct After {
    after: u64,
}

/// The state, as soon as it differs from the one with that version.
async fn newer_state(State(shared): State<Shared>, Query(After { after }): Query<After>) -> Json<Value> {
    let engine = &shared.engine;
    let (mut calls, mut incidents) = (engine.changes(), engine.soar().rest.incidents().changes());
    let changed = async {
        while state::version(engine) == after {
            tokio::select! {
                _ = calls.changed() => {}
                _ = incidents.changed() => {}
            }
        }
    };
    // After this time the browser asks again.
    let _ = tokio::time::timeout(PATIENCE, changed).await;
    Json(state::of(engine, true))
}

async fn attachment(State(shared): State<Shared>, Path((incident, id)): Path<(i64, i64)>) -> Response {
    let incident = shared.engine.soar().rest.incidents().of(Owner::Incident(incident));
    let found = incident.ok().and_then(|one| one.attachments.into_iter().find(|one| one.id == id));
    let Some(found) = found else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(bytes) = found.bytes().await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    // A browser must not show a mail as a page of this address.
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    (headers, bytes).into_response()
}

/// Makes a call, and answers with a [`Line`] for everything that happens.
async fn call(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(posted): Json<PostedCall>,
) -> Result<Response, StatusCode> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.strip_prefix("Bearer ") != Some(shared.token.as_str()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let PostedCall { playbook, function, inputs, incident } = posted;
    let origin = if playbook { Origin::Playbook } else { Origin::Workflow };
    let engine = shared.engine;
    let (first, id) = match engine.start(Request { origin, function, inputs, incident, started: None }).await
    {
        Ok(id) => {
            let soar = engine.soar();
            (Line::Called { daemons: soar.broker.consumers(&soar.actions_queue()) }, Some(id))
        }
        Err(error) => (Line::Failed(error.to_string()), None),
    };
    let rest = stream::unfold((engine, id, 0), |(engine, id, shown)| async move {
        let (line, id) = next_line(&engine, id?, shown).await;
        Some((line, (engine, id, shown + 1)))
    });
    let lines = stream::once(async { first });
    let lines = futures_util::StreamExt::chain(lines, rest);
    let lines = futures_util::StreamExt::map(lines, |line| {
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Bytes::from(line))
    });
    Ok(Body::from_stream(lines).into_response())
}

/// The next line after `shown` status messages, and the call if more lines follow.
async fn next_line(engine: &Engine, id: usize, shown: usize) -> (Line, Option<usize>) {
    let mut changes = engine.changes();
    loop {
        let Some(Run { mut statuses, end, .. }) = engine.run(id) else {
            return (Line::Failed("the call is not known any more".to_owned()), None);
        };
        if shown < statuses.len() {
            return (Line::Status(statuses.swap_remove(shown)), Some(id));
        }
        match end {
            Some(End::Replied { reply, scripts }) => {
                let (added, script_failure) = match scripts {
                    Scripts::None => (None, None),
                    Scripts::Ran(added) => (Some(added), None),
                    Scripts::Failed(why) => (None, Some(why)),
                };
                let (message_type, message) = (reply.message_type, reply.message.clone());
                let results = reply.results.clone();
                return (Line::Replied { message_type, message, results, added, script_failure }, None);
            }
            Some(End::NoReply(why)) => return (Line::Failed(why), None),
            None => {
                // The sender lives in `engine`, so this does not fail.
                let _ = changes.changed().await;
            }
        }
    }
}
