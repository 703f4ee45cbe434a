//! The part of SOAR's REST interface that the app uses, over TLS: signing in with an API key or an account,
//! customizations with their import and export, incidents with everything they have, users, and the search.
//!
//! Methods of [`Rest`] switch faults on and return what happened.

mod artifacts;
mod attachments;
mod data;
mod error;
mod exports;
mod handles;
mod imports;
mod incident_dto;
mod incidents;
mod instances;
mod middleware;
mod notes;
mod patch;
mod people;
mod platform;
mod query;
mod router;
mod search;
mod session;
mod system;
mod table_data;
mod tasks;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use self::data::Data;
pub use self::data::{Account, ApiKey, FUNCTIONS, Organisation};
use self::middleware::Traffic;
pub use self::middleware::{Failure, Recorded};
pub use self::table_data::RowRefused;
use super::broker::{Readers, Viewer};
use super::customizations::{Customizations, DESTINATIONS, FUNCTIONS as FUNCTIONS_KIND, functions_only};
pub use super::incidents::{Attachment, Note, Owner};
use super::incidents::{Author, Incidents, Missing};
use super::instances::Instances;
use crate::observed::Observed;
use crate::server::Server;

/// The protocol to offer. SOAR's own server does not support HTTP/2. A cut connection then ends one request only.
pub const ALPN: &[&[u8]] = &[b"http/1.1"];

/// SOAR's own fields and types have numbers up to this one; what an administrator adds follows.
const LAST_SYSTEM_ID: i64 = 1000;

/// The options of a platform.
#[derive(Debug, Clone)]
pub struct RestOptions {
    /// The port on 127.0.0.1; 0 for any free port.
    pub port: u16,
    /// A path before `/rest` with a leading slash and without a trailing one, as in Cloud Pak for Security; may be
    /// empty.
    pub resource_prefix: String,
    /// The organisations that API keys and accounts belong to.
    pub organisations: Vec<Organisation>,
    /// The API keys.
    pub api_keys: Vec<ApiKey>,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The customizations at the start, in the form of an import file or of [`functions_only`]. The API keys and
    /// accounts above may read their message destinations.
    pub customizations: Value,
}

/// A running platform. Dropping it closes its listener and connections, and removes its attachments.
#[derive(Debug)]
pub struct Rest {
    shared: Arc<Shared>,
    server: Server,
}

/// What all requests share.
#[derive(Debug)]
struct Shared {
    platform: Observed<Platform>,
    incidents: Incidents,
    instances: Instances,
    prefix: String,
}

/// The platform's data, and the requests for it.
#[derive(Debug)]
struct Platform {
    data: Data,
    traffic: Traffic,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Data) -> T) -> T {
        self.platform.change(|platform| change(&mut platform.data))
    }

    fn look<T>(&self, look: impl FnOnce(&Data) -> T) -> T {
        self.platform.look(|platform| look(&platform.data))
    }

    fn traffic<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        self.platform.change(|platform| change(&mut platform.traffic))
    }
}

impl Rest {
    /// Starts the platform. `tls` should offer [`ALPN`].
    pub async fn start(options: RestOptions, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let directory = std::env::temp_dir().join(format!("sandbox-soar-{}", Uuid::new_v4()));
        tokio::fs::create_dir(&directory).await?;
        let mut data = Data {
            version: platform::VERSION.to_owned(),
            organisations: options.organisations,
            api_keys: options.api_keys,
            accounts: options.accounts,
            ..Data::default()
        };
        let mut last_id = LAST_SYSTEM_ID;
        data.customizations.import(&options.customizations, || {
            last_id += 1;
            last_id
        });
        data.last_id = last_id;
        let keys: Vec<i64> = data.api_keys.iter().map(|key| key.handle).collect();
        let users: Vec<i64> = data.accounts.iter().map(|account| account.user_id).collect();
        for destination in data.customizations.all_mut(&DESTINATIONS) {
            destination["api_keys"] = json!(keys);
            destination["users"] = json!(users);
        }
        let shared = Arc::new(Shared {
            platform: Observed::new(Platform { data, traffic: Traffic::default() }),
            incidents: Incidents::new(directory),
            instances: Instances::default(),
            prefix: options.resource_prefix,
        });
        let server = Server::start_on(listener, router::router(&shared), tls)?;
        Ok(Self { shared, server })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// The incidents, to read and to change.
    pub fn incidents(&self) -> &Incidents {
        &self.shared.incidents
    }

    /// Adds an incident.
    pub fn add_incident(&self, id: i64, name: &str) {
        self.shared.incidents.open(Some(id), name, Map::new(), &Author::analyst());
    }

    /// Adds a task to an incident.
    pub fn add_task(&self, id: i64, incident: i64) -> Result<(), Missing> {
        self.shared.incidents.add_task(incident, Some(id), &format!("Task {id}")).map(drop)
    }

    /// Attaches a file.
    pub async fn add_attachment(
        &self,
        owner: Owner,
        name: &str,
        content_type: &str,
        bytes: &[u8],
    ) -> io::Result<Attachment> {
        self.shared.incidents.add_attachment(owner, name, content_type, bytes, &Author::analyst()).await
    }

    /// Removes a function.
    pub fn remove_function(&self, name: &str) {
        self.shared.change(|data| data.customizations.remove(&FUNCTIONS_KIND, name));
    }

    /// Adds a function with the app's message destination.
    pub fn add_function(&self, name: &str) {
        self.shared.change(|data| {
            let destination = data.customizations.all(&DESTINATIONS).next().cloned().unwrap_or_default();
            let destination = destination["programmatic_name"].as_str().unwrap_or_default();
            let last_id = &mut data.last_id;
            data.customizations.import(&functions_only(destination, [name]), || {
                *last_id += 1;
                *last_id
            });
        });
    }

    /// Adds a function with a message destination of its own, which the API keys and accounts may read.
    pub fn add_function_at(&self, name: &str, destination: &str) {
        self.shared.change(|data| {
            let keys: Vec<i64> = data.api_keys.iter().map(|key| key.handle).collect();
            let users: Vec<i64> = data.accounts.iter().map(|account| account.user_id).collect();
            let last_id = &mut data.last_id;
            data.customizations.import(&functions_only(destination, [name]), || {
                *last_id += 1;
                *last_id
            });
            if let Some(own) = data.customizations.object_mut("message_destinations", destination) {
                own["api_keys"] = json!(keys);
                own["users"] = json!(users);
            }
        });
    }

    /// Reads the customizations.
    pub(crate) fn look_at_customizations<T>(&self, look: impl FnOnce(&Customizations) -> T) -> T {
        self.shared.look(|data| look(&data.customizations))
    }

    /// All customizations, in the form of an export.
    pub fn customizations(&self) -> Value {
        self.shared.look(|data| data.customizations.export())
    }

    /// Changes an object of the customizations, as an administrator does in SOAR: `section` is the key of its kind in
    /// an export, `name` its name.
    pub fn change_object(&self, section: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.shared.change(|data| data.customizations.object_mut(section, name).map(change));
    }

    /// Makes this another version of SOAR. It does not import files from versions newer than its own.
    pub fn set_version(&self, version: &str) {
        self.shared.change(|data| version.clone_into(&mut data.version));
    }

    /// Removes or restores the permission of all API keys and accounts to change customizations. They may still read.
    pub fn forbid_customizing(&self, forbidden: bool) {
        self.shared.change(|data| data.customizing_forbidden = forbidden);
    }

    /// Gives all further imports this status without a decision.
    pub fn decide_imports(&self, status: &str) {
        self.shared.change(|data| data.import_status = Some(status.to_owned()));
    }

    /// Decides who may read a queue of calls: the API keys and accounts that its message destination lists.
    pub fn readers(&self) -> Readers {
        let shared = Arc::downgrade(&self.shared);
        Readers::new(move |login, queue| {
            shared.upgrade().is_none_or(|shared| shared.look(|data| data.may_read(login, queue)))
        })
    }

    /// Records the instances of workflows by the broker's messages.
    pub fn viewer(&self) -> Viewer {
        let instances = self.shared.instances.clone();
        Viewer::new(move |queue, correlation, body| instances.see(queue, correlation, body))
    }

    /// Ends the workflow or playbook whose call has this correlation id, as a user does in SOAR. The call goes on until
    /// its app notices.
    pub fn terminate(&self, correlation: &str) {
        if let Some(id) = correlation.strip_prefix("invid:").and_then(|id| id.parse().ok()) {
            self.shared.instances.terminate(id);
        }
    }

    /// Changes the organisation with number `id`.
    pub fn change_organisation(&self, id: i64, change: impl FnOnce(&mut Organisation)) {
        self.shared.change(|data| {
            if let Some(org) = data.organisations.iter_mut().find(|o| o.id == id) {
                change(org);
            }
        });
    }

    /// Ends the sessions of all accounts, as a restart of SOAR does.
    pub fn end_sessions(&self) {
        self.shared.change(|data| data.sessions.clear());
    }

    /// The id (`JSESSIONID`) and the CSRF token (`X-sess-id`) of every session that was opened so far.
    pub fn session_secrets(&self) -> Vec<String> {
        self.shared.look(|data| data.session_secrets.clone())
    }

    /// Makes the next `count` changes of a message destination conflict with another change.
    pub fn conflict_next(&self, count: usize) {
        self.shared.change(|data| data.conflicts = count);
    }

    /// Sets whether an upload is answered with a list of one attachment, as in some versions, instead of the
    /// attachment.
    pub fn list_uploads(&self, list: bool) {
        self.shared.change(|data| data.lists_uploads = list);
    }

    /// Makes the next `count` requests fail whose method and path (`POST /rest/orgs/201/incidents/2095/comments`)
    /// contain `on`. Failures that were added earlier come first. `usize::MAX` means indefinitely.
    pub fn fail_next(&self, on: &str, count: usize, failure: Failure) {
        self.shared.traffic(|traffic| traffic.fail(on, count, failure));
    }

    /// Makes the responses of [`Failure::Status`] quote the request from now on.
    pub fn quote_requests(&self) {
        self.shared.traffic(|traffic| traffic.quotes = true);
    }

    /// Delays every response by `latency`.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.traffic(|traffic| traffic.latency = latency);
    }

    /// Ends all failures and the latency.
    pub fn heal(&self) {
        self.shared.traffic(Traffic::heal);
    }

    /// The notes of an incident, without those of its tasks, oldest first.
    pub fn notes(&self, incident: i64) -> Vec<Note> {
        let found = self.shared.incidents.get(incident);
        found.map_or_else(Vec::new, |found| found.notes_of(Owner::Incident(incident)).cloned().collect())
    }

    /// The attachments of an incident or task, oldest first.
    pub fn attachments(&self, owner: Owner) -> Vec<Attachment> {
        let found = self.shared.incidents.of(owner);
        found.map_or_else(|_| Vec::new(), |found| found.attachments_of(owner).cloned().collect())
    }

    /// A message destination's body, by its programmatic name.
    pub fn destination(&self, programmatic_name: &str) -> Option<Value> {
        self.shared.look(|data| data.customizations.get(&DESTINATIONS, programmatic_name).cloned())
    }

    /// Forgets all requests so far.
    pub fn forget_requests(&self) {
        self.shared.traffic(Traffic::forget);
    }

    /// Every request so far, or since [`Rest::forget_requests`], in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.platform.look(|platform| platform.traffic.recorded.clone())
    }

    /// Waits until `condition` holds, and checks it again after each change. Returns `false` if it does not hold
    /// within `deadline`.
    pub async fn until(&self, deadline: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let mut platform = self.shared.platform.subscribe();
        let mut incidents = self.shared.incidents.changes();
        let wait = async {
            while !condition(self) {
                // The senders live in `self`, so `changed` does not fail.
                tokio::select! {
                    _ = platform.changed() => {}
                    _ = incidents.changed() => {}
                }
            }
        };
        tokio::time::timeout(deadline, wait).await.is_ok()
    }
}
