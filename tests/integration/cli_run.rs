//! Promise: a command line of SOAR's own framework runs the daemon. Its arguments take precedence over the file and the
//! environment, and those without a meaning here are refused with the setting to use.

use fn_exchange_online::config::definitions::ARGUMENTS;

use serde_json::json;

use crate::support::deployment::{Daemon, Deployment};

/// Checks that a call leaves lines of the level DEBUG.
async fn logs_at_debug(deployment: &Deployment, daemon: &mut Daemon) {
    let inputs = json!({"exo_email_address": deployment.mailbox(0)});
    let call =
        deployment.caller().await.call("exchange_online_get_email_user_profile", inputs).await.unwrap();
    daemon.logged(" DEBUG [").await;
    drop(call);
}

#[tokio::test]
async fn framework_command_line_runs_the_daemon() {
    let deployment = Deployment::new().await;
    let text = deployment.app_config(&[("loglevel", "ERROR"), ("num_workers", "0")], &[]);
    let file = deployment.write("app.config", &text).display().to_string();
    let arguments = [
        "run",
        "--auto-restart",
        "--config-file",
        &file,
        "--loglevel=DEBUG",
        "--num-workers",
        "7",
        "--log-max-bytes=0",
    ];
    let mut daemon = Daemon::spawn_in(&[("LOGLEVEL", "CRITICAL")], &arguments);
    daemon.subscribed().await;
    logs_at_debug(&deployment, &mut daemon).await;
    // The arguments hold for the file when it is read again, too.
    daemon.signal("HUP").await;
    daemon.logged("no setting has changed").await;
}

#[tokio::test]
async fn verbose_run_logs_at_debug() {
    let deployment = Deployment::new().await;
    let file = deployment.write("app.config", &deployment.app_config(&[], &[])).display().to_string();
    let mut daemon = Daemon::spawn(&["-v", "run", "--config-file", &file]);
    daemon.subscribed().await;
    logs_at_debug(&deployment, &mut daemon).await;
}

#[tokio::test]
async fn arguments_without_meaning_are_refused_by_name() {
    let mut refused = 0;
    for argument in ARGUMENTS {
        let Some(refusal) = argument.refusal() else { continue };
        refused += 1;
        for values in [&[][..], &["value"]] {
            let name = format!("--{}", argument.name);
            let arguments = [&["run", name.as_str()], values].concat();
            let (code, _, err) = Daemon::spawn(&arguments).outcome().await;
            assert_eq!(code, 2, "{err}");
            let expected = format!("error: {name} is not supported; {refusal}");
            assert!(err.contains(&expected), "{expected} is not in {err}");
        }
    }
    assert!(refused > 10);
}
