//! An embedded SOAR: its broker, its REST interface, and the caller of functions.

pub mod broker;
pub mod caller;
pub mod customizations;
pub mod engine;
pub mod incidents;
pub mod instances;
pub mod rest;

use std::fmt::Write;
use std::io;
use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

use self::broker::{Broker, User};
use self::caller::{Caller, CallerError, CallerOptions};
use self::customizations::functions_only;
use self::rest::{Account, ApiKey, FUNCTIONS, Organisation, Rest, RestOptions};
use super::certificates::Certificates;
use net::Trust;

/// The app's default message destination.
const DESTINATION: &str = "fn_exchange_online";
/// The incident that every sandbox has.
pub const INCIDENT: i64 = 2095;
/// A task of [`INCIDENT`].
pub const TASK: i64 = 31;

/// The options of an embedded SOAR.
#[derive(Debug, Clone)]
pub struct SoarOptions {
    /// The port of the REST interface; 0 for any free port.
    pub rest_port: u16,
    /// The port of the broker; 0 for any free port.
    pub broker_port: u16,
    /// A path before `/rest`; may be empty.
    pub resource_prefix: String,
    /// The organisation.
    pub organisation: Organisation,
    /// The app's API key.
    pub api_key: ApiKey,
    /// An account that may sign in instead.
    pub account: Account,
    /// The app's message destination.
    pub destination: String,
    /// Its customizations, in the form of an import file; may be an empty object.
    pub customizations: Value,
}

impl Default for SoarOptions {
    /// Free ports, organisation 201 "Sandbox", the destination `fn_exchange_online` with the nine functions, and a
    /// new secret and password.
    fn default() -> Self {
        Self {
            rest_port: 0,
            broker_port: 0,
            resource_prefix: String::new(),
            organisation: Organisation::new(201, "Sandbox"),
            api_key: ApiKey {
                id: Uuid::new_v4().to_string(),
                secret: Uuid::new_v4().simple().to_string(),
                handle: 17,
            },
            account: Account {
                email: "integration@sandbox.example".to_owned(),
                password: Uuid::new_v4().simple().to_string(),
                user_id: 1,
            },
            destination: DESTINATION.to_owned(),
            customizations: functions_only(DESTINATION, FUNCTIONS),
        }
    }
}

/// A running SOAR on loopback sockets.
#[derive(Debug)]
pub struct Soar {
    /// Its broker.
    pub broker: Broker,
    /// Its REST interface.
    pub rest: Rest,
    options: SoarOptions,
    /// SOAR's own login at the broker.
    own: User,
}

impl Soar {
    /// Starts the broker and the REST interface, with [`INCIDENT`] and its [`TASK`].
    pub async fn start(options: SoarOptions, certificates: &Certificates) -> io::Result<Self> {
        let own = User::new("soar", Uuid::new_v4().simple().to_string());
        let SoarOptions { api_key, account, .. } = &options;
        let users = vec![
            own.clone(),
            User::new(&api_key.id, &api_key.secret),
            User::new(&account.email, &account.password),
        ];
        let broker = Broker::start(options.broker_port, users, certificates.server_config(&[]))?;
        let rest = RestOptions {
            port: options.rest_port,
            resource_prefix: options.resource_prefix.clone(),
            organisations: vec![options.organisation.clone()],
            api_keys: vec![api_key.clone()],
            accounts: vec![account.clone()],
            customizations: options.customizations.clone(),
        };
        let rest = Rest::start(rest, certificates.server_config(rest::ALPN)).await?;
        broker.ask_who_may_read(rest.readers());
        broker.show_messages(rest.viewer());
        rest.add_incident(INCIDENT, "Reported phishing");
        rest.add_task(TASK, INCIDENT).map_err(io::Error::other)?;
        Ok(Self { broker, rest, options, own })
    }

    /// The options it was started with.
    pub fn options(&self) -> &SoarOptions {
        &self.options
    }

    /// The queue of calls.
    pub fn actions_queue(&self) -> String {
        format!("actions.{}.{}", self.options.organisation.id, self.options.destination)
    }

    /// The queue of replies.
    pub fn acks_queue(&self) -> String {
        format!("acks.{}.{}", self.options.organisation.id, self.options.destination)
    }

    /// The section `[resilient]` of an `app.config` for this SOAR, with the API key. `ca_file` is the path of the
    /// certificate authority's certificate.
    pub fn app_config_section(&self, ca_file: &Path) -> String {
        let SoarOptions { api_key, .. } = &self.options;
        self.section(ca_file, &[("api_key_id", &api_key.id), ("api_key_secret", &api_key.secret)])
    }

    /// Like [`Soar::app_config_section`], with the account.
    pub fn app_config_section_of_account(&self, ca_file: &Path) -> String {
        let SoarOptions { account, .. } = &self.options;
        self.section(ca_file, &[("email", &account.email), ("password", &account.password)])
    }

    fn section(&self, ca_file: &Path, login: &[(&str, &str)]) -> String {
        let mut section = format!(
            "[resilient]\nhost=localhost\nport={}\nstomp_port={}\norg={}\ncafile={}\n",
            self.rest.address().port(),
            self.broker.address().port(),
            self.options.organisation.name,
            ca_file.display(),
        );
        if !self.options.resource_prefix.is_empty() {
            // Writing to a String does not fail.
            let _ = writeln!(section, "resource_prefix={}", self.options.resource_prefix);
        }
        for (key, value) in login {
            let _ = writeln!(section, "{key}={value}");
        }
        section
    }

    /// Connects SOAR's side of the queue to the broker.
    pub async fn caller(&self, ca_file: &Path) -> Result<Caller, CallerError> {
        Caller::connect(CallerOptions {
            host: "localhost".to_owned(),
            port: self.broker.address().port(),
            login: self.own.login.clone(),
            passcode: self.own.passcode.clone(),
            trust: Trust::SystemAnd(ca_file.to_owned()),
            org: self.options.organisation.id,
            destination: self.options.destination.clone(),
        })
        .await
    }
}
