//! A tenant and a Graph client that speaks to it over HTTPS.

use fn_exchange_online::config::{Environment, Settings};
use graph::{Client, GraphSettings};
use net::Trust;
use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::SoarOptions;

/// Settings with these options for a Graph, and a token endpoint, at `root`, which is no tenant of the sandbox.
pub(crate) async fn settings_at(root: &str, options: &[(&str, &str)]) -> GraphSettings {
    let fixture = TestTenant::new(TenantOptions { mailboxes: 1, ..TenantOptions::default() }).await;
    let mut settings = fixture.settings(options).graph;
    settings.trust = Trust::Insecure;
    settings.base_url = format!("{root}/v1.0").parse().unwrap();
    settings.token_url = format!("{root}/token").parse().unwrap();
    settings
}

/// An embedded tenant and where its certificate lies.
pub(crate) struct TestTenant {
    pub(crate) sandbox: Sandbox,
    _directory: tempfile::TempDir,
}

impl TestTenant {
    pub(crate) async fn new(options: TenantOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(directory.path(), options, SoarOptions::default()).await.unwrap();
        Self { sandbox, _directory: directory }
    }

    /// The settings of an `app.config` for the tenant with these options, and a first wait of a tenth of a
    /// second unless they say otherwise.
    pub(crate) fn settings(&self, options: &[(&str, &str)]) -> Settings {
        let mut all = vec![("timeout", "5")];
        if !options.iter().any(|(name, _)| *name == "max_retries_backoff_factor") {
            all.push(("max_retries_backoff_factor", "0.1"));
        }
        all.retain(|(name, _)| !options.iter().any(|(other, _)| other == name));
        all.extend_from_slice(options);
        let file = self.sandbox.write_app_config(&all).unwrap();
        let nothing: [(&str, &str); 0] = [];
        let environment: Environment = nothing.into_iter().collect();
        Settings::load(&file, &environment).unwrap().settings
    }

    pub(crate) fn client(&self, options: &[(&str, &str)]) -> Client {
        Client::new(&self.settings(options).graph).unwrap()
    }
}
