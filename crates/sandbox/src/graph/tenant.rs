//! A running tenant: its start, its addresses and credentials, its faults and its records.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::TcpListener;

use super::base::Base;
use super::directory::Directory;
use super::faults::Faults;
use super::generate::Generator;
use super::identifier::{IdForm, Ids};
use super::options::TenantOptions;
use super::record::{Counters, RecordedRequest, Recorder};
use super::shared::Shared;
use super::state::State;
use super::token::Entra;
use super::{http, identity, rng};
use crate::certificates::{Certificates, Shown};
use crate::server::{HTTP_ALPN, HTTP1_ALPN, Server};

/// A running tenant. Dropping it closes its socket.
#[derive(Debug)]
pub struct Tenant {
    pub(super) shared: Arc<Shared>,
    server: Server,
}

impl Tenant {
    /// Creates the tenant and serves it on a free port of 127.0.0.1, with `certificates`.
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
        let directory = Directory::new(seed, mailboxes, users_without_mailbox, options.name_starts);
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
        let base = Base {
            directory,
            generator,
            ids: Ids { seed, alphabet: options.id_alphabet },
            origin,
            root,
            mime_bytes: options.mime_bytes,
            id_form: if options.immutable_ids_in_methods { IdForm::Immutable } else { IdForm::Default },
            started: Instant::now(),
        };
        let shared = Arc::new(Shared {
            state: State::new(base),
            faults: Faults::new(seed),
            recorder: Recorder::new(options.requests_kept),
            entra,
            requests: AtomicU64::new(0),
        });
        let router = Router::new().fallback(http::handle).with_state(shared.clone());
        let tls = certificates
            .server_config_showing(shown, if options.http1_only { HTTP1_ALPN } else { HTTP_ALPN });
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

    /// Registers a certificate (PEM), whose key may then sign the application's assertions. Returns `false` if `pem` is
    /// not a certificate.
    pub fn trust_certificate(&self, pem: &str) -> bool {
        self.shared.entra.proofs().trust_certificate(pem)
    }

    /// Accepts this token of another issuer as the application's credential, and no earlier one.
    pub fn trust_federated_token(&self, token: &str) {
        self.shared.entra.proofs().trust_federated_token(token);
    }

    /// Every assertion that Entra has received, valid or not.
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

    /// What goes wrong. Changes take effect immediately.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Invalidates all tokens that were issued.
    pub fn revoke_tokens(&self) {
        self.shared.entra.revoke();
    }

    /// How many TCP connections were opened.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// All recorded requests, in the order in which they were answered.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// How many HTTP requests Graph has received and not yet ended.
    pub fn requests_at_work(&self) -> usize {
        self.shared.recorder.requests_at_work()
    }

    /// The sums over all requests so far.
    pub fn counters(&self) -> Counters {
        self.shared.recorder.counters()
    }

    /// Waits until `condition` holds, and checks it again when a request begins, is recorded or ends. Returns `false`
    /// if it does not hold within `deadline`.
    pub async fn until(&self, deadline: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        self.shared.recorder.until(deadline, || condition(self)).await
    }

    /// Forgets all requests and resets the sums to 0.
    pub fn forget_requests(&self) {
        self.shared.recorder.clear();
    }
}

/// `wanted` mailboxes, spread evenly over the directory, in its order.
fn infected(directory: &Directory, seed: u64, wanted: usize) -> Vec<u32> {
    let mailboxes: Vec<u32> = directory.numbers().filter(|number| directory.has_mailbox(*number)).collect();
    let wanted = wanted.min(mailboxes.len());
    let stride = mailboxes.len() / wanted.max(1);
    let offset = rng::below(seed, stride.max(1));
    (0..wanted)
        .map(|nth| mailboxes[nth * mailboxes.len() / wanted + offset.min(stride.saturating_sub(1))])
        .collect()
}
