//! The settings of the Graph client.

use std::path::Path;
use std::time::Duration;

use net::{ClientCertificate, Proxy, Trust};
use url::Url;

use crate::Credential;

/// Microsoft Graph and its token endpoint: `[fn_exchange_online]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphSettings {
    /// The token endpoint: `microsoft_graph_token_url` with `{tenant}` replaced, or the endpoint of the
    /// machine's managed identity.
    pub token_url: Url,
    /// `microsoft_graph_url`, with the version, without a slash at the end.
    pub base_url: Url,
    /// `upload_hosts`: hosts that upload sessions may lead to, besides Graph's own and Outlook's.
    pub upload_hosts: Vec<String>,
    /// Credential for the token endpoint.
    pub credential: Credential,
    /// `verify` of the section: `false`, or a PEM file.
    pub trust: Trust,
    /// `token_verify`: the same for the token endpoint; `None` is as for Graph.
    pub token_trust: Option<Trust>,
    /// `client_auth_cert` and `client_auth_key` of the section.
    pub client_certificate: Option<ClientCertificate>,
    /// The environment's proxy, else this section's pair, else that of `[integrations]`.
    pub proxy: Proxy,
    /// `timeout`: the longest silence of Graph within one request. A batch may take it once for each of its rounds.
    pub timeout: Duration,
    /// `max_batched_requests`: sub-requests in one `$batch`, 1 to 20.
    pub max_batched_requests: usize,
    /// `max_concurrent_requests`: requests at work at once at most, 1 to 1,000. Of a batch, four are.
    pub max_concurrent_requests: usize,
    /// `max_concurrent_batches`: `$batch` calls under way at once at most, 1 to 32.
    pub max_concurrent_batches: usize,
    /// `max_retries_total`: repeats of one request after the first try.
    pub max_retries: u32,
    /// `max_retries_backoff_factor`: the first wait where Graph names none; each further one is twice as long.
    pub retry_backoff: Duration,
}

impl GraphSettings {
    /// Returns the files that the settings name, except those of the credential, which are read again for every token.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let trusts = [Some(&self.trust), self.token_trust.as_ref()].into_iter().flatten();
        trusts
            .filter_map(Trust::file)
            .chain(self.client_certificate.iter().flat_map(ClientCertificate::files))
    }
}
