//! An embedded Microsoft 365 tenant: Microsoft Graph and Entra's token endpoint on a loopback socket.
//!
//! A client that passes here shall pass at Graph, so the tenant refuses what Graph refuses, in Graph's words, and
//! can do to a client all that Graph and the network in between do: make it wait, throttle it, break off, lie.
//!
//! ```text
//!  http      latency, faults, tokens, limits     token     Entra; assertion, identity: other proofs
//!   └ batch   the parts of a $batch               record    what was asked, for tests to look at
//!      └ call  method and path to an endpoint     faults    what goes wrong, on demand
//!         └ people, mail, compose, upload, calendar: the endpoints
//!            └ state  what changed since the start, over
//!               └ directory, generate: what the seed says, made on demand
//! ```

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;

mod answer;
mod assertion;
mod batch;
mod calendar;
mod call;
mod chance;
mod compose;
mod directory;
mod faults;
mod filter;
mod folder;
mod generate;
mod http;
mod identifier;
mod identity;
mod json;
mod mail;
mod meaning;
mod message;
mod mime;
mod options;
mod path;
mod people;
mod query;
mod record;
mod retry_after;
mod search;
mod state;
mod token;
mod upload;
mod zones;

pub use calendar::Event;
pub use compose::SentMail;
pub use directory::User;
pub use faults::{Fault, Faults, ROLES, Scope, Target, Throttling, TokenRefusal};
pub use meaning::Meaning;
pub use message::Attachment;
pub use options::{Address, NewMessage, Phish, TenantOptions};
pub use record::{Counters, RecordedRequest};
pub use retry_after::RetryAfter;
pub use state::{Deleted, Moved};

use super::certificates::{Certificates, Shown};
use super::serve::{HTTP_ALPN, Server};
use directory::Directory;
use folder::Folder;
use generate::{Generator, Origin};
use http::Shared;
use identifier::{Key, message_id, message_key};
use message::{Item, Text, Written};
use record::Recorder;
use state::{Base, State};
use token::Entra;

/// A message as it is in a mailbox now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Who sent it; a draft has no sender.
    pub from: Option<Address>,
    /// When it was received.
    pub received: DateTime<Utc>,
    /// Whether files came with it.
    pub has_attachments: bool,
    /// The well-known name of its folder.
    pub folder: &'static str,
    /// Its body as plain text.
    pub text: String,
}

/// A planted mail: where it was when the tenant started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The userPrincipalName of the mailbox's owner.
    pub mailbox: String,
    /// The message's id.
    pub id: String,
}

/// A running tenant. Dropping it closes its socket.
#[derive(Debug)]
pub struct Tenant {
    shared: Arc<Shared>,
    server: Server,
}

impl Tenant {
    /// Makes the tenant and serves it on a free port of 127.0.0.1, with `certificates`.
    pub async fn start(options: TenantOptions, certificates: &Certificates) -> io::Result<Self> {
        Self::start_showing(options, certificates, Shown::Valid).await
    }

    /// Like [`Tenant::start`], with a certificate that a client may have to refuse.
    pub async fn start_showing(
        options: TenantOptions,
        certificates: &Certificates,
        shown: Shown,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("https://{}", listener.local_addr()?);
        let TenantOptions { seed, mailboxes, users_without_mailbox, .. } = options;
        let directory = Directory::new(seed, mailboxes, users_without_mailbox);
        let infected = infected(&directory, seed, options.phish.as_ref().map_or(0, |phish| phish.mailboxes));
        let generator = Generator {
            seed,
            now: options.now.timestamp(),
            per_mailbox: options.messages_per_mailbox,
            phish: options.phish,
            infected,
        };
        let root = format!("{origin}/v1.0");
        let entra = Entra::new(seed, &origin);
        let base = Base { directory, generator, origin, root, mime_bytes: options.mime_bytes };
        let shared = Arc::new(Shared {
            state: State::new(base),
            faults: Faults::new(seed),
            recorder: Recorder::new(options.requests_kept),
            entra,
            requests: AtomicU64::new(0),
        });
        let router = Router::new().fallback(http::handle).with_state(shared.clone());
        let tls = certificates.server_config_showing(shown, HTTP_ALPN);
        let server = Server::start_on(listener, router, tls)?;
        Ok(Self { shared, server })
    }

    /// `https://127.0.0.1:PORT/v1.0`, for the setting `microsoft_graph_url`.
    pub fn graph_url(&self) -> &str {
        &self.shared.state.base.root
    }

    /// `https://127.0.0.1:PORT/{tenant}/oauth2/v2.0/token`, with the placeholder, for the setting
    /// `microsoft_graph_token_url`.
    pub fn token_url(&self) -> String {
        format!("{}/{{tenant}}/oauth2/v2.0/token", self.shared.state.base.origin)
    }

    /// The tenant's id.
    pub fn tenant_id(&self) -> &str {
        &self.shared.entra.tenant_id
    }

    /// The id of the application that may use the tenant.
    pub fn client_id(&self) -> &str {
        &self.shared.entra.client_id
    }

    /// The application's secret.
    pub fn client_secret(&self) -> &str {
        &self.shared.entra.client_secret
    }

    /// Registers a certificate (PEM), whose key may then sign the application's assertions. False if it is none.
    pub fn trust_certificate(&self, pem: &str) -> bool {
        self.shared.entra.proofs().trust_certificate(pem)
    }

    /// Trusts this token of another issuer as the application's proof, and none before it.
    pub fn trust_federated_token(&self, token: &str) {
        self.shared.entra.proofs().trust_federated_token(token);
    }

    /// Every assertion that was shown to Entra so far, good or not.
    pub fn assertions(&self) -> Vec<String> {
        self.shared.entra.proofs().shown()
    }

    /// The variables by which a machine of the tenant finds its identity endpoint: `app_service`'s, or a virtual
    /// machine's.
    pub fn identity_variables(&self, app_service: bool) -> Vec<(&'static str, String)> {
        let origin = &self.shared.state.base.origin;
        if app_service {
            vec![
                ("IDENTITY_ENDPOINT", format!("{origin}{}", identity::APP_SERVICE)),
                ("IDENTITY_HEADER", self.shared.entra.identity_header()),
            ]
        } else {
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", origin.clone())]
        }
    }

    /// What goes wrong; changes take effect at once.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Makes all tokens worthless that were given so far.
    pub fn revoke_tokens(&self) {
        self.shared.entra.revoke();
    }

    /// How many TCP connections were opened.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// All requests so far, as far as they are kept, in the order in which they were answered.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// The sums over all requests so far.
    pub fn counters(&self) -> Counters {
        self.shared.recorder.counters()
    }

    /// Forgets all requests and starts the sums at 0.
    pub fn forget_requests(&self) {
        self.shared.recorder.clear();
    }
}

/// What the tenant holds: the truth to measure a client's answers by.
impl Tenant {
    fn state(&self) -> &State {
        &self.shared.state
    }

    /// All users, in the order in which Graph lists them.
    pub fn users(&self) -> Vec<User> {
        let directory = &self.state().base.directory;
        directory.numbers().map(|number| directory.user(number)).collect()
    }

    /// The userPrincipalNames of all users with a mailbox, in the order in which Graph lists them.
    pub fn mailboxes(&self) -> Vec<String> {
        let with_mailbox = self.users().into_iter().filter(|user| user.has_mailbox);
        with_mailbox.map(|user| user.user_principal_name).collect()
    }

    fn mailbox(&self, user: &str) -> Option<u32> {
        self.state().mailbox(user).ok()
    }

    fn stored(&self, mailbox: u32, item: &Item) -> StoredMessage {
        let message = self.state().look(mailbox, item);
        StoredMessage {
            id: message.id(),
            subject: message.subject().into_owned(),
            from: message.from(),
            received: DateTime::from_timestamp(item.received, 0).unwrap_or_default(),
            has_attachments: message.has_attachments(),
            folder: item.folder.name(),
            text: message.text().into_owned(),
        }
    }

    /// A mailbox's messages, newest first, recoverable ones left out; empty if there is no such mailbox.
    pub fn messages(&self, user: &str) -> Vec<StoredMessage> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        self.state().items(mailbox, None).iter().map(|item| self.stored(mailbox, item)).collect()
    }

    /// One message, in whichever folder, the recoverable ones included.
    pub fn message(&self, user: &str, id: &str) -> Option<StoredMessage> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(self.stored(mailbox, &item))
    }

    /// Where the phish lay at the start, in the order of the mailboxes, each mailbox's newest first.
    pub fn planted(&self) -> Vec<Planted> {
        let base = &self.state().base;
        let copies = base.generator.phish.as_ref().map_or(0, |phish| phish.copies);
        let mut planted = Vec::new();
        for &number in &base.generator.infected {
            let mailbox = base.directory.user(number).user_principal_name;
            planted.extend((0..copies).map(|copy| Planted {
                mailbox: mailbox.clone(),
                id: message_id(base.generator.seed, number, Key::Original(Origin::Phish(copy))),
            }));
        }
        planted
    }

    /// What was deleted by `DELETE …/messages/{id}` or for good, in that order.
    pub fn deleted(&self) -> Vec<Deleted> {
        self.state().changes().deleted.clone()
    }

    /// What was moved by `POST …/move`, in that order.
    pub fn moved(&self) -> Vec<Moved> {
        self.state().changes().moved.clone()
    }

    /// What was sent, in that order.
    pub fn sent_mail(&self) -> Vec<SentMail> {
        self.state().changes().sent.clone()
    }

    /// The events in a user's calendar, in the order of their creation.
    pub fn events(&self, user: &str) -> Vec<Event> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        let changes = self.state().changes();
        changes.mailboxes.get(&mailbox).map(|changed| changed.events.clone()).unwrap_or_default()
    }

    /// Whom somebody tried to delete by `DELETE /users/{user}`: must stay empty, whatever is asked of a client.
    pub fn users_deleted(&self) -> Vec<String> {
        self.state().changes().users_deleted.clone()
    }

    /// Puts a message into a mailbox, and gives its id; `None` if there is no such mailbox or folder.
    pub fn add_message(&self, user: &str, message: NewMessage) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        let state = self.state();
        let folder = Folder::named(&message.folder, state.base.generator.seed, mailbox).ok()?;
        let owner = state.base.directory.user(mailbox);
        let mut changes = state.changes();
        changes.written += 1;
        let written = Written {
            subject: message.subject,
            from: Some(message.from),
            to: vec![Address::new(owner.display_name, owner.mail.unwrap_or(owner.user_principal_name))],
            html: message.html,
            body: message.body,
            attachments: message.attachments,
            number: changes.written,
            ..Written::default()
        };
        let text = Text::Written(Arc::new(written));
        let received = message.received.timestamp();
        let item = changes.mailboxes.entry(mailbox).or_default().add(received, folder, text);
        Some(message_id(state.base.generator.seed, mailbox, item.key))
    }

    /// Lets what is sent from now on be listed that much later: Exchange files it when it gets to it.
    pub fn set_sent_items_lag(&self, lag: Duration) {
        self.state().changes().sent_items_lag = lag;
    }

    /// Sets the time zone of a mailbox; `None` is a mailbox that has none. False if there is no such mailbox.
    pub fn set_time_zone(&self, user: &str, zone: Option<&str>) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        self.state().changes().time_zones.insert(mailbox, zone.map(str::to_owned));
        true
    }

    /// Makes a message's MIME form this many bytes long, but not shorter than its content needs. False if there
    /// is no such message.
    pub fn set_mime_bytes(&self, user: &str, id: &str, bytes: u64) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let Ok(Some(key)) = message_key(self.state().base.generator.seed, mailbox, id) else { return false };
        self.state().changes().mime_bytes.insert((mailbox, key), bytes);
        true
    }

    /// A message's MIME form, as `GET …/$value` sends it.
    pub fn mime(&self, user: &str, id: &str) -> Option<Vec<u8>> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(mime::chunks(self.state(), mailbox, &item).flatten().collect())
    }
}

/// `wanted` mailboxes, spread evenly over the directory, in its order.
fn infected(directory: &Directory, seed: u64, wanted: usize) -> Vec<u32> {
    let mailboxes: Vec<u32> = directory.numbers().filter(|number| directory.has_mailbox(*number)).collect();
    let wanted = wanted.min(mailboxes.len());
    let stride = mailboxes.len() / wanted.max(1);
    let offset = chance::below(seed, stride.max(1));
    (0..wanted)
        .map(|nth| mailboxes[nth * mailboxes.len() / wanted + offset.min(stride.saturating_sub(1))])
        .collect()
}
