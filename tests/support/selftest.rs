//! Runs `selftest` and reads its report.

use serde_json::{Value, json};

use super::deployment::{Daemon, Deployment};

pub(crate) const PROFILE: &str = "exchange_online_get_email_user_profile";

/// The output of a self test.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) report: Value,
}

impl Outcome {
    /// The one check with this id.
    pub(crate) fn check(&self, id: &str) -> &Value {
        let found: Vec<&Value> = self.checks().filter(|check| check["id"] == id).collect();
        assert_eq!(found.len(), 1, "checks {id} in {:#}", self.report);
        found[0]
    }

    pub(crate) fn checks(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().unwrap().iter()
    }

    /// The ids of all checks with this outcome.
    pub(crate) fn with_outcome(&self, outcome: &str) -> Vec<&str> {
        self.checks()
            .filter(|check| check["outcome"] == outcome)
            .map(|check| check["id"].as_str().unwrap())
            .collect()
    }

    /// Asserts that this check, and no other before it, failed with this code, in words that hold these; that it
    /// says what to do; and that the program ended with the code.
    pub(crate) fn first_failure(&self, id: &str, code: i32, words: &[&str]) {
        assert_eq!(self.with_outcome("failed").first(), Some(&id), "{:#}", self.report);
        let check = self.check(id);
        assert_eq!((self.code, &check["exit_code"]), (code, &json!(code)), "{check:#}");
        let found = check["found"].as_str().unwrap();
        for word in words {
            assert!(found.contains(word), "{word:?} is not in {found:?}");
        }
        assert!(!check["advice"].as_str().unwrap().is_empty());
    }
}

/// Runs the self test with `app.config`, as JSON.
pub(crate) async fn selftest(deployment: &Deployment, app_config: &str) -> Outcome {
    selftest_with(deployment, app_config, &[]).await
}

pub(crate) async fn selftest_with(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> Outcome {
    let arguments = [&["--json"], arguments].concat();
    let (code, out, log) = spawn(deployment, app_config, &arguments).outcome().await;
    assert_eq!(log, "", "all there is to say is in the report");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}:\n{out}"));
    assert_eq!(report["exit_code"], code);
    assert_eq!(report["outcome"], if code == 0 { "passed" } else { "failed" });
    let options = deployment.sandbox.soar.options();
    for secret in
        [&options.api_key.secret, &options.account.password, deployment.sandbox.graph.client_secret()]
    {
        assert!(!out.contains(secret), "a secret is in the report:\n{out}");
    }
    assert!(!out.contains("eyJ0eXAi"), "a token is in the report:\n{out}");
    Outcome { code, report }
}

pub(crate) fn spawn(deployment: &Deployment, app_config: &str, arguments: &[&str]) -> Daemon {
    let file = deployment.write("selftest.config", app_config).display().to_string();
    Daemon::spawn(&[&["selftest", "--config-file", &file], arguments].concat())
}
