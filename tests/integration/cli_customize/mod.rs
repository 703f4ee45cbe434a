//! Promise: `customize` says what an import would do, asks, imports, and lets the daemon read its calls; twice in a row
//! it does nothing the second time, and whatever SOAR refuses is reported with a remedy.

mod playbooks;

use std::path::PathBuf;
use std::process::Stdio;

use crate::support::deployment::Daemon;
use fn_exchange_online::customize::{ScriptLanguage, export};
use sandbox::Sandbox;
use sandbox::graph::TenantOptions;
use sandbox::soar::SoarOptions;
use sandbox::soar::customizations::older_app;
use sandbox::soar::rest::{Failure, Rest};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const DESTINATION: &str = "fn_exchange_online";
const KINDS: [&str; 8] = [
    "message_destinations",
    "functions",
    "fields",
    "types",
    "actions",
    "workflows",
    "scripts",
    "incident_types",
];

struct Fixture {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
}

/// How the program ended, what it asked and what it said.
struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Output {
    #[track_caller]
    fn assert_contains(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
    }
}

impl Fixture {
    /// A SOAR with these customizations.
    async fn with(customizations: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tenant = TenantOptions { mailboxes: 10, ..TenantOptions::default() };
        let soar = SoarOptions { customizations, ..SoarOptions::default() };
        let sandbox = Sandbox::start(directory.path(), tenant, soar).await.unwrap();
        // The last version that gets rules and workflows.
        sandbox.soar.rest.set_version("45.3.0");
        Self { sandbox, directory }
    }

    /// A SOAR that knows nothing of us.
    async fn fresh() -> Self {
        Self::with(json!({})).await
    }

    /// A SOAR as the older app left it.
    async fn older() -> Self {
        Self::with(older_app(export(ScriptLanguage::Python).unwrap())).await
    }

    fn rest(&self) -> &Rest {
        &self.sandbox.soar.rest
    }

    /// SOAR's section of a configuration, and nothing else; with these options.
    fn app_config(&self, options: &str) -> PathBuf {
        let section = self.sandbox.soar.app_config_section(&self.sandbox.ca_file());
        self.write(&format!("{section}request_max_retries=1\nrequest_retry_delay=0\n{options}"))
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("customize.config");
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn customize(&self, arguments: &[&str], answers: &str) -> Output {
        self.customize_as(&self.app_config(""), arguments, answers).await
    }

    async fn customize_as(&self, app_config: &PathBuf, arguments: &[&str], answers: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
            .args(["customize", "--config-file"])
            .arg(app_config)
            .args(arguments)
            .env_remove("APP_CONFIG_FILE")
            .env_remove("LOGLEVEL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Who asks nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes()).await;
        let output = child.wait_with_output().await.unwrap();
        Output {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// How many requests there were of that method to paths that contain this.
    fn count(&self, method: &str, path: &str) -> usize {
        let is_one = |seen: &&_| {
            let sandbox::soar::rest::Recorded { method: m, path: p, .. } = seen;
            m == method && p.contains(path)
        };
        self.rest().requests().iter().filter(is_one).count()
    }

    /// How many requests may have changed something.
    fn changes(&self) -> usize {
        ["POST", "PUT", "DELETE", "PATCH"].iter().map(|method| self.count(method, "")).sum()
    }

    fn listed(&self) -> Value {
        self.rest().destination(DESTINATION).unwrap()["api_keys"].clone()
    }
}

fn list<'v>(all: &'v Value, kind: &str) -> &'v [Value] {
    all[kind].as_array().map_or(&[], Vec::as_slice)
}

/// Section, uuid and number of everything.
fn identities(all: &Value) -> Vec<(&'static str, String, String)> {
    let number = |one: &Value| one.get("workflow_id").or(one.get("id")).unwrap().to_string();
    KINDS
        .iter()
        .flat_map(|kind| list(all, kind).iter().map(|one| (*kind, one["uuid"].to_string(), number(one))))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_lists_new_objects_and_changes_nothing() {
    let fixture = Fixture::fresh().await;
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &["functions              9 new", "workflows             10 new", "rules                 11 new"],
    );
    output.assert_contains(
        0,
        &["The API key will be added to the message destination fn_exchange_online", "Dry run"],
    );
    assert_eq!(output.stdout, "");
    assert_eq!(fixture.changes(), 0);
    assert_eq!(fixture.rest().customizations(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn first_run_imports_everything_and_second_run_nothing() {
    let fixture = Fixture::fresh().await;
    let output = fixture.customize(&["-y"], "").await;
    output.assert_contains(
        0,
        &["    INFO: 9 functions", "SOAR has imported it", "The API key was added", "Done"],
    );
    assert_eq!(output.stdout, "");
    let imported = fixture.rest().customizations();
    let file = export(ScriptLanguage::Python3).unwrap();
    for kind in KINDS {
        assert_eq!(list(&imported, kind).len(), list(&file, kind).len(), "{kind}");
    }
    assert_eq!(fixture.listed(), json!([17]));

    let changes = fixture.changes();
    fixture
        .customize(&["-y"], "")
        .await
        .assert_contains(0, &["functions              9 unchanged", "up to date"]);
    assert_eq!(fixture.changes(), changes);
    assert_eq!(fixture.rest().customizations(), imported);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_import_gives_same_state() {
    let fixture = Fixture::fresh().await;
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let once = fixture.rest().customizations();
    // In the older language all workflows differ, so that everything is imported again, and back.
    fixture
        .customize(&["-y", "--script-language", "python"], "")
        .await
        .assert_contains(0, &["workflows             10 will"]);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let mut twice = fixture.rest().customizations();
    assert_eq!(fixture.count("POST", "/configurations/imports"), 3);
    // Each import counts as a change of it.
    twice["message_destinations"][0]["version"] = once["message_destinations"][0]["version"].clone();
    assert_eq!(twice, once);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_older_app_are_updated_without_duplicates() {
    let fixture = Fixture::older().await;
    let before = fixture.rest().customizations();
    fixture.customize(&["-y"], "").await.assert_contains(
        0,
        &[
            "functions              9 will change",
            "rules                 11 unchanged",
            "The API key has access to the message destination",
        ],
    );
    let after = fixture.rest().customizations();
    assert_eq!(identities(&after), identities(&before));
    assert_eq!(fixture.listed(), json!([17]));
    assert_eq!(after["scripts"][0]["language"], "python3");
    let tooltips = list(&after, "fields").iter().filter(|field| field["tooltip"] == "").count();
    assert_eq!(tooltips, 0);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["up to date"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn import_requires_confirmation() {
    let fixture = Fixture::older().await;
    let before = fixture.rest().customizations();
    for no in ["n\n", "NO\n", "perhaps\nn\n", ""] {
        let output = fixture.customize(&[], no).await;
        output.assert_contains(0, &["Nothing was imported; SOAR calls the import REJECTED"]);
        assert!(output.stdout.contains("(y/n): "));
        assert_eq!(fixture.rest().customizations(), before);
    }
    let output = fixture.customize(&[], "what?\n Y \n").await;
    output.assert_contains(0, &["SOAR has imported it"]);
    assert_eq!(output.stdout.matches("(y/n): ").count(), 2);
    assert_ne!(fixture.rest().customizations(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_soar_are_named_before_they_are_overwritten() {
    let fixture = Fixture::fresh().await;
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
    let imported = fixture.rest().customizations();
    let rest = fixture.rest();
    rest.change_object("workflows", "example_exchange_online_query_emails", |workflow| {
        let xml =
            workflow["content"]["xml"].as_str().unwrap().replace("</process>", "<!-- mine --></process>");
        workflow["content"]["xml"] = json!(xml);
    });
    rest.change_object("scripts", "Exchange Online Create Artifacts from Message", |script| {
        script["script_text"] = json!("pass");
    });
    rest.change_object("actions", "Example: Exchange Online Send Message", |rule| {
        rule["enabled"] = json!(false);
    });
    rest.change_object("fields", "__function/exo_email_address", |field| field["text"] = json!("Mailbox"));
    rest.change_object("types", "exo_message_query_results_dt", |table| {
        table["fields"]["exo_dt_status"]["input_type"] = json!("text");
        table["fields"]["mine"] = json!({"name": "mine", "input_type": "text"});
    });
    rest.remove_function("exchange_online_get_message");

    let output = fixture.customize(&["--dry-run"], "").await;
    let named = [
        "example_exchange_online_query_emails\n",
        "script                 1 will change",
        "Example: Exchange Online Send Message\n",
        "exo_email_address\n",
        "exchange_online_get_message\n",
        "functions              1 new\n",
        "data table             1 will change",
        "workflows              1 will change",
        "9 unchanged",
    ];
    output.assert_contains(0, &named);
    assert!(!output.stderr.contains("exo_email_address_sender"), "{}", output.stderr);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let after = fixture.rest().customizations();
    assert_eq!(after["workflows"], imported["workflows"]);
    assert_eq!(after["actions"], imported["actions"]);
    assert_eq!(list(&after, "functions").len(), 9);
    assert!(after["types"][0]["fields"]["mine"].is_object(), "a column of theirs is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_hidden_by_soar_are_not_reported_as_unchanged() {
    let fixture = Fixture::with(export(ScriptLanguage::Python3).unwrap()).await;
    fixture.rest().fail_next("GET /rest/orgs/201/workflows/", usize::MAX, Failure::Status(404));
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &["workflows             10 will be written again: SOAR does not show", "Dry run"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_api_key_is_added_to_destination_without_import() {
    let fixture = Fixture::with(export(ScriptLanguage::Python3).unwrap()).await;
    fixture.rest().change_object("message_destinations", DESTINATION, |one| one["api_keys"] = json!([99]));
    fixture.customize(&[], "n\n").await.assert_contains(0, &["Nothing was changed"]);
    assert_eq!(fixture.listed(), json!([99]));
    fixture.customize(&[], "y\n").await.assert_contains(0, &["The API key was added"]);
    assert_eq!(fixture.listed(), json!([99, 17]));
    assert_eq!(fixture.count("POST", "/configurations/imports"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_login_is_added_to_destination_users() {
    let fixture = Fixture::fresh().await;
    let section = fixture.sandbox.soar.app_config_section_of_account(&fixture.sandbox.ca_file());
    let app_config = fixture.write(&section);
    fixture.customize_as(&app_config, &["-y"], "").await.assert_contains(0, &["The account was added"]);
    let destination = fixture.rest().destination(DESTINATION).unwrap();
    assert_eq!((&destination["users"], &destination["api_keys"]), (&json!([1]), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_can_read_calls_only_after_customize() {
    let fixture = Fixture::fresh().await;
    let app_config = fixture.sandbox.write_app_config(&[]).unwrap().display().to_string();
    let mut waiting = Daemon::spawn(&["run", "--config-file", &app_config]);
    waiting.logged("knows none of the Exchange Online functions").await;
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done. The daemon can take calls."]);
    waiting.subscribed().await;

    fixture.rest().change_object("message_destinations", DESTINATION, |one| one["api_keys"] = json!([]));
    let mut refused = Daemon::spawn(&["run", "--config-file", &app_config]);
    assert_eq!(refused.ended().await.code(), Some(32));
    fixture.customize(&["-y"], "").await.assert_contains(0, &["The API key was added"]);
    Daemon::spawn(&["run", "--config-file", &app_config]).subscribed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_destination_change_is_not_overwritten() {
    let fixture = Fixture::fresh().await;
    fixture.rest().conflict_next(3);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["The API key was added"]);
    assert_eq!(fixture.listed(), json!([17]));
    assert_eq!(fixture.count("PUT", "/message_destinations/"), 4);

    let fixture = Fixture::fresh().await;
    fixture.rest().conflict_next(usize::MAX);
    let output = fixture.customize(&["-y"], "").await;
    output.assert_contains(1, &["changed by another user during each of 10 attempts", "run customize again"]);
    assert_eq!(fixture.listed(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_request_reports_required_permission() {
    for (on, attempt) in [
        ("POST /rest/orgs/201/configurations/imports", "import customizations"),
        ("PUT /rest/orgs/201/configurations/imports", "accept the import"),
        ("PUT /rest/orgs/201/message_destinations", "change the message destination"),
    ] {
        let fixture = Fixture::fresh().await;
        fixture.rest().fail_next(on, 1, Failure::Status(403));
        let output = fixture.customize(&["-y"], "").await;
        output.assert_contains(
            1,
            &[attempt, "HTTP status 403", "Administration and Customization", "--export FILE"],
        );
        let was_imported = on.contains("message_destinations");
        assert_eq!(fixture.rest().customizations() == json!({}), !was_imported, "{on}");
        fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_list_is_reported_and_stops_nothing() {
    let fixture = Fixture::older().await;
    for list in ["functions", "actions", "scripts"] {
        fixture.rest().fail_next(&format!("GET /rest/orgs/201/{list}"), usize::MAX, Failure::Status(403));
    }
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &[
            "functions              9 will be written again: SOAR does not show",
            "workflows             10 will",
        ],
    );
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_key_is_sufficient_for_dry_run() {
    let fixture = Fixture::older().await;
    fixture.rest().forbid_customizing(true);
    let before = fixture.rest().customizations();
    fixture.customize(&["--dry-run"], "").await.assert_contains(0, &["functions              9 will change"]);
    let output = fixture.customize(&["-y"], "").await;
    output
        .assert_contains(1, &["Nothing was imported", "not authorized", "Administration and Customization"]);
    assert_eq!(fixture.rest().customizations(), before);
    fixture.rest().forbid_customizing(false);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_undecidable_imports_change_nothing() {
    let fixture = Fixture::fresh().await;
    fixture.rest().fail_next("POST /rest/orgs/201/configurations/imports", 1, Failure::Status(400));
    let output = fixture.customize(&["-y"], "").await;
    output.assert_contains(1, &["HTTP status 400", "Nothing was imported", "--script-language python"]);
    fixture.rest().decide_imports("FAILED");
    let output = fixture.customize(&["-y"], "").await;
    output.assert_contains(1, &["does not wait for a decision", "calls it FAILED", "    INFO: "]);
    assert_eq!(fixture.rest().customizations(), json!({}));
    assert_eq!(fixture.count("PUT", ""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_is_reported_and_a_repeat_is_harmless() {
    let lost = [
        (Failure::CutAfter, "the connection to SOAR failed"),
        // A balancer that did not wait for SOAR.
        (Failure::DoneButStatus(504), "with HTTP status 504"),
    ];
    for (failure, words) in lost {
        let fixture = Fixture::fresh().await;
        let rest = fixture.rest();
        rest.fail_next("POST /rest/orgs/201/configurations/imports", 1, failure);
        fixture.customize(&["-y"], "").await.assert_contains(20, &["Nothing was imported: ", words]);
        assert_eq!(rest.customizations(), json!({}));
        rest.fail_next("PUT /rest/orgs/201/configurations/imports", 1, failure);
        let output = fixture.customize(&["-y"], "").await;
        output
            .assert_contains(20, &["accept the import", words, "may have imported it; run customize again"]);
        let imported = rest.customizations();
        assert_eq!(list(&imported, "functions").len(), 9);

        rest.fail_next("PUT /rest/orgs/201/message_destinations", 1, failure);
        fixture.customize(&["-y"], "").await.assert_contains(0, &["The API key was added"]);
        assert_eq!(fixture.listed(), json!([17]));
        fixture.customize(&["-y"], "").await.assert_contains(0, &["up to date"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_lead_nowhere_end_it_soon() {
    let fixture = Fixture::fresh().await;
    let section = fixture.sandbox.soar.app_config_section(&fixture.sandbox.ca_file());
    let wrong_org = fixture.write(&section.replace("org=Sandbox", "org=Elsewhere"));
    fixture
        .customize_as(&wrong_org, &["-y"], "")
        .await
        .assert_contains(24, &["Elsewhere", "a member of: Sandbox"]);
    let key = &fixture.sandbox.soar.options().api_key;
    let wrong_key = fixture.write(&section.replace(&key.secret, "wrong"));
    fixture.customize_as(&wrong_key, &["-y"], "").await.assert_contains(21, &["api_key_secret"]);
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let port = fixture.rest().address().port();
    let nobody = section.replace(&format!("\nport={port}\n"), &format!("\nport={closed}\n"));
    let nobody = fixture.write(&(nobody + "request_retry_delay=0\n"));
    fixture.customize_as(&nobody, &["-y"], "").await.assert_contains(20, &["cannot reach SOAR"]);
    let incomplete = fixture.write("[resilient]\nhost=localhost\n");
    fixture.customize_as(&incomplete, &["-y"], "").await.assert_contains(2, &["org", "api_key_id"]);
    assert_eq!(fixture.rest().customizations(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_are_named_as_in_the_older_tool() {
    let fixture = Fixture::fresh().await;
    fixture.customize(&["-y", "-l", "fn_other"], "").await.assert_contains(0, &["Unknown package fn_other"]);
    assert_eq!(fixture.rest().customizations(), json!({}));
    fixture
        .customize(&["-y", "-l", "fn-exchange-online", "fn_other"], "")
        .await
        .assert_contains(0, &["Done"]);
    for wrong in [&["-y", "--dry-run"][..], &["--export", "-", "-y"], &["--export", "-", "--dry-run"]] {
        assert_eq!(fixture.customize(wrong, "").await.code, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_every_function_and_where_its_calls_come() {
    for (arguments, more) in [(&["list"][..], false), (&["list", "-v"], true), (&["list", "--verbose"], true)]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online")).args(arguments).output().await;
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(text.contains(concat!("fn_exchange_online==", env!("CARGO_PKG_VERSION"))), "{text}");
        assert!(text.contains("message destination fn_exchange_online"), "{text}");
        for function in fn_exchange_online::functions::Function::ALL {
            assert!(text.contains(&format!("\t{}\n", function.name())), "{text}");
            assert_eq!(text.contains(function.spec().summary), more, "{text}");
        }
        assert_eq!(text.contains(env!("CARGO_BIN_EXE_fn-exchange-online")), more);
    }
}
