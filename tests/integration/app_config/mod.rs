//! Promise: `app.config` is found where installations have it, every option of it is honoured, everything wrong
//! with it is reported at once in words, and no secret is ever shown.

use std::fs;

use fn_exchange_online::config::{Problem, Settings};
use graph::{Credential, Proof};
use net::{ProxyUrl, Secret};
use url::Url;

use crate::support::app_config::{load_in, places, problems};

mod arguments;
mod credentials;
mod guard_rails;
mod layers;
mod options;
mod problems;
mod protected;
mod reference;
mod secret_files;

const MINIMAL: &str = "\
[resilient]
host=soar.example.com
org=Security
api_key_id=key-id
api_key_secret=K3Y!
[fn_exchange_online]
tenant_id=tenant
client_id=client
client_secret=S3CR3T
";

/// [`MINIMAL`] with further lines in its sections (`app` may open another section at its end).
fn with(resilient: &str, app: &str) -> String {
    MINIMAL.replace("[fn_", &format!("{resilient}\n[fn_")) + app + "\n"
}

fn loaded(text: &str) -> Settings {
    load_in(text, &[]).unwrap().settings
}

/// The client secret, where that is the credential.
fn client_secret(settings: &Settings) -> &str {
    match &settings.graph.credential {
        Credential::Application { proof: Proof::Secret(secret), .. } => secret.expose(),
        other => panic!("{other:?}"),
    }
}

fn resilient(line: &str) -> Settings {
    loaded(&with(line, ""))
}

fn app(line: &str) -> Settings {
    loaded(&with("", line))
}

fn only_problem(text: impl AsRef<[u8]>) -> Problem {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

fn warnings(text: &str) -> Vec<String> {
    load_in(text, &[]).unwrap().warnings.iter().map(ToString::to_string).collect()
}

fn proxy(url: &str, login: Option<(&str, &str)>) -> ProxyUrl {
    ProxyUrl {
        url: Url::parse(url).unwrap(),
        login: login.map(|(user, password)| (user.to_owned(), Secret::new(password))),
    }
}
