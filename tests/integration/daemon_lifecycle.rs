//! Promise: the program starts, waits, shares, stops and refuses to start as an operator expects it to.

use std::time::{Duration, Instant};

use crate::support::deployment::{Daemon, Deployment, SOON};
use fn_exchange_online::functions::Function;
use sandbox::certificates::Certificates;
use sandbox::graph::{Fault, Target};
use sandbox::soar::broker::CommitFault;
use sandbox::soar::caller::{Call, Caller};
use sandbox::soar::rest::Failure;
use serde_json::json;

const PROFILE: &str = "exchange_online_get_email_user_profile";

async fn call_for(deployment: &Deployment, soar: &Caller, nth: usize) -> Call {
    soar.call(PROFILE, json!({"exo_email_address": deployment.mailbox(nth)})).await.unwrap()
}

/// A call that has begun and goes on for so long.
async fn running_call(deployment: &Deployment, soar: &Caller, takes: Duration) -> Call {
    deployment.sandbox.graph.faults().next(1, Target::containing("GET /users/"), Fault::Delay(takes));
    let call = call_for(deployment, soar, 0).await;
    assert_eq!(call.statuses_up_to(1, SOON).await.len(), 1);
    call
}

async fn works(deployment: &Deployment) {
    let soar = deployment.caller().await;
    assert_eq!(call_for(deployment, &soar, 1).await.reply(SOON).await.unwrap().message_type, 0);
}

/// Runs the program with `app_config` to its end, which must come by itself, with this code and one message.
async fn refuses(deployment: &Deployment, app_config: &str, code: i32, words: &[&str]) {
    let (ended_with, _, log) = deployment.spawn(app_config).outcome().await;
    assert_eq!(ended_with, code, "{log}");
    let messages: Vec<&str> =
        log.split_inclusive('\n').filter(|l| l.starts_with("fn-exchange-online: ")).collect();
    assert_eq!(messages.len(), 1, "{log}");
    let message = &log[log.find("fn-exchange-online: ").unwrap()..];
    for words in words {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    let secret = &deployment.sandbox.soar.options().api_key.secret;
    assert!(!log.contains(secret.as_str()) && !log.contains("panicked"), "{log}");
}

mod stopping {
    use super::*;

    /// What runs is finished and answered; what comes later stays in the queue.
    async fn stops_on(signal: &str) {
        let deployment = Deployment::new().await;
        let mut daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        let running = running_call(&deployment, &soar, Duration::from_secs(5)).await;
        daemon.signal(signal).await;
        daemon.logged("taking no more calls running=1").await;
        let late = call_for(&deployment, &soar, 1).await;
        assert_eq!(daemon.ended().await.code(), Some(0));
        assert_eq!(running.reply(SOON).await.unwrap().message_type, 0);
        assert_eq!(deployment.sandbox.soar.broker.queue_depth(&deployment.queue()), 1);
        assert_eq!((running.replies(), late.replies()), (1, 0));
        assert_eq!(late.statuses(), Vec::<String>::new(), "it was not begun");
        assert!(daemon.log().trim_end().ends_with("stopped"), "{}", daemon.log());

        let _next = deployment.daemon().await;
        assert_eq!(late.reply(SOON).await.unwrap().message_type, 0);
    }

    #[tokio::test]
    async fn sigterm_finishes_running_calls_and_keeps_queued_ones() {
        stops_on("TERM").await;
    }

    #[tokio::test]
    async fn sigint_finishes_running_calls_and_keeps_queued_ones() {
        stops_on("INT").await;
    }

    #[tokio::test]
    async fn connection_loss_during_shutdown_does_not_lose_reply() {
        let deployment = Deployment::new().await;
        let mut daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        let running = running_call(&deployment, &soar, Duration::from_secs(5)).await;
        daemon.signal("TERM").await;
        daemon.logged("taking no more calls").await;
        deployment.sandbox.soar.broker.cut_connections();
        daemon.logged_times("subscribed to", 2).await;
        deployment.sandbox.soar.broker.break_commit(CommitFault::CutBefore);
        assert_eq!(daemon.ended().await.code(), Some(0));
        assert_eq!(running.reply(SOON).await.unwrap().message_type, 0);
        deployment.queue_is_empty().await;
        assert_eq!(running.replies(), 1);
        assert_eq!(daemon.count_in_log("call started"), 1);
    }

    #[tokio::test]
    async fn call_exceeding_shutdown_time_is_redelivered() {
        let deployment = Deployment::new().await;
        let mut daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        let call = running_call(&deployment, &soar, Duration::from_secs(28)).await;
        assert_eq!(daemon.stop().await.code(), Some(0));
        assert!(daemon.log().contains("did not finish in time"), "{}", daemon.log());
        assert_eq!(call.replies(), 0);
        assert_eq!(deployment.sandbox.soar.broker.queue_depth(&deployment.queue()), 1);

        let next = deployment.daemon().await;
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
        deployment.queue_is_empty().await;
        assert_eq!(call.replies(), 1);
        assert!(next.log().contains("redelivered=true"), "{}", next.log());
    }

    #[tokio::test]
    async fn second_signal_stops_at_once_and_call_is_redelivered() {
        let deployment = Deployment::new().await;
        let mut daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        let call = running_call(&deployment, &soar, Duration::from_secs(15)).await;
        daemon.signal("TERM").await;
        daemon.logged("taking no more calls").await;
        let second = Instant::now();
        assert_eq!(daemon.stop().await.code(), Some(0));
        assert!(second.elapsed() < Duration::from_secs(10), "{:?}", second.elapsed());
        assert!(daemon.log().contains("ending at once: SIGTERM"), "{}", daemon.log());
        assert_eq!(call.replies(), 0);

        let _next = deployment.daemon().await;
        assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
        deployment.queue_is_empty().await;
        assert_eq!(call.replies(), 1);
    }

    #[tokio::test]
    async fn stop_while_waiting_for_soar_exits_with_0() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.rest.fail_next("/session", usize::MAX, Failure::Status(503));
        let mut daemon = deployment.spawn(&deployment.app_config(&[], &[]));
        daemon.logged("signing in to SOAR is tried again").await;
        assert_eq!(daemon.stop().await.code(), Some(0));
    }

    #[tokio::test]
    async fn stop_while_waiting_for_broker_exits_with_0() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.stop().await;
        let mut daemon = deployment.spawn(&deployment.app_config(&[], &[]));
        daemon.logged("cannot reach the broker").await;
        assert_eq!(daemon.stop().await.code(), Some(0));
    }
}

mod sharing {
    use super::*;

    #[tokio::test]
    async fn calls_of_killed_daemon_are_redelivered_to_other_daemon() {
        const CALLS: usize = 12;
        let deployment = Deployment::new().await;
        let mut first = deployment.daemon_with(&[("num_workers", "2")]).await;
        let second = deployment.daemon_with(&[("num_workers", "2")]).await;
        let queue = deployment.queue();
        let soar = deployment.caller().await;
        deployment.sandbox.graph.faults().set_latency(Duration::from_millis(300), Duration::ZERO);
        let mut calls = Vec::new();
        for nth in 0..CALLS {
            calls.push(call_for(&deployment, &soar, nth).await);
        }
        calls[0].reply(SOON).await.unwrap();
        first.signal("KILL").await;
        first.ended().await;
        for call in &calls {
            assert_eq!(call.reply(SOON).await.unwrap().message_type, 0);
        }
        deployment.queue_is_empty().await;
        assert!(calls.iter().all(|call| call.replies() == 1));
        assert_eq!(deployment.sandbox.soar.broker.consumers(&queue), 1);
        for daemon in [&first, &second] {
            assert!(daemon.count_in_log("call started") >= 2, "{}", daemon.log());
        }
        assert!(second.log().contains("redelivered=true"), "it got what the other had begun");
    }
}

mod waiting {
    use super::*;

    #[tokio::test]
    async fn daemon_waits_for_unreachable_broker_at_start() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.stop().await;
        let mut daemon = deployment.spawn(&deployment.app_config(&[], &[]));
        daemon.logged("cannot reach the broker").await;
        deployment.sandbox.soar.broker.restart().unwrap();
        daemon.subscribed().await;
        works(&deployment).await;
    }

    #[tokio::test]
    async fn daemon_waits_for_broker_login_service_at_start() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.refuse_logins(Some("Unable to connect to authentication service."));
        let mut daemon = deployment.spawn(&deployment.app_config(&[], &[]));
        daemon.logged("cannot check the login at present").await;
        deployment.sandbox.soar.broker.refuse_logins(None);
        daemon.subscribed().await;
        works(&deployment).await;
    }

    #[tokio::test]
    async fn login_refused_after_start_is_reported_and_retried() {
        let deployment = Deployment::new().await;
        let mut daemon = deployment.daemon().await;
        deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
        deployment.sandbox.soar.broker.cut_connections();
        daemon.logged("refused the login").await;
        deployment.sandbox.soar.broker.refuse_logins(None);
        daemon.logged_times("subscribed to", 2).await;
        works(&deployment).await;
    }

    #[tokio::test]
    async fn daemon_waits_for_unavailable_soar_at_start() {
        let deployment = Deployment::new().await;
        let rest = &deployment.sandbox.soar.rest;
        rest.fail_next("/session", 1, Failure::Status(503));
        rest.fail_next("/functions/", 1, Failure::Status(500));
        let options = [("request_max_retries", "1"), ("request_retry_delay", "1")];
        let mut daemon = deployment.spawn(&deployment.app_config(&options, &[]));
        daemon.logged("signing in to SOAR is tried again").await;
        daemon.logged("SOAR is asked again for the functions").await;
        daemon.subscribed().await;
        works(&deployment).await;
    }

    #[tokio::test]
    async fn daemon_reports_unknown_functions_and_waits_for_them() {
        let deployment = Deployment::new().await;
        let rest = &deployment.sandbox.soar.rest;
        for function in Function::ALL {
            rest.remove_function(function.name());
        }
        let mut daemon = deployment.spawn(&deployment.app_config(&[], &[]));
        daemon.logged_times("knows none of the Exchange Online functions", 2).await;
        for function in Function::ALL {
            let log = daemon.log();
            let is_warning = |line: &&str| {
                line.contains("this function is not defined in SOAR") && line.contains(function.name())
            };
            assert_eq!(log.lines().filter(is_warning).count(), 1, "{}\n{log}", function.name());
        }
        rest.add_function(PROFILE);
        daemon.subscribed().await;
        works(&deployment).await;
    }

    #[tokio::test]
    async fn organisation_with_actions_disabled_gives_warning() {
        let deployment = Deployment::new().await;
        let id = deployment.sandbox.soar.options().organisation.id;
        let rest = &deployment.sandbox.soar.rest;
        rest.change_organisation(id, |organisation| organisation.actions_framework_enabled = false);
        let mut daemon = deployment.daemon().await;
        daemon.logged("actions are not enabled").await;
    }
}

mod refusing {
    use super::*;

    #[tokio::test]
    async fn missing_config_file_exits_with_2() {
        let (code, out, log) =
            Daemon::spawn(&["run", "--config-file", "/nowhere/app.config"]).outcome().await;
        assert_eq!((code, out.as_str()), (2, ""), "{log}");
        assert!(log.starts_with("fn-exchange-online: cannot read"), "{log}");
        assert!(log.contains("/nowhere/app.config") && log.lines().count() == 1, "{log}");
    }

    #[tokio::test]
    async fn bad_settings_all_of_them_at_once() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(
            &[("port", "many"), ("org", ""), ("num_workers", "0")],
            &[("max_batched_requests", "21"), ("tenant_id", "")],
        );
        let words = [
            "[resilient] port",
            "[resilient] org",
            "[resilient] num_workers",
            "[fn_exchange_online] max_batched_requests",
            "[fn_exchange_online] tenant_id",
        ];
        refuses(&deployment, &text, 2, &words).await;
        assert_eq!(deployment.sandbox.soar.rest.requests(), [], "no request was sent");
    }

    #[tokio::test]
    async fn wrong_api_key_exits_with_21() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(&[("api_key_secret", "wrong")], &[]);
        refuses(&deployment, &text, 21, &["401", "api_key_id and api_key_secret"]).await;
    }

    #[tokio::test]
    async fn missing_soar_or_broker_ca_file_exits_with_22() {
        let deployment = Deployment::new().await;
        for option in ["cafile", "stomp_cafile"] {
            let text = deployment.app_config(&[(option, "/nowhere/ca.pem")], &[]);
            refuses(&deployment, &text, 22, &["CA certificate", "/nowhere/ca.pem"]).await;
        }
        assert_eq!(deployment.sandbox.soar.rest.requests(), [], "no request was sent");
    }

    #[tokio::test]
    async fn untrusted_soar_or_broker_certificate_exits_with_23() {
        let deployment = Deployment::new().await;
        let another = Certificates::generate().unwrap();
        let another = deployment.write("another.pem", another.ca_pem()).display().to_string();
        let ca_file = deployment.sandbox.ca_file().display().to_string();
        let text = deployment.app_config(&[("cafile", &another), ("stomp_cafile", &ca_file)], &[]);
        refuses(&deployment, &text, 23, &["certificate of SOAR", "not trusted"]).await;
        let text = deployment.app_config(&[("stomp_cafile", &another)], &[]);
        refuses(&deployment, &text, 23, &["certificate of the broker", "not trusted"]).await;
    }

    #[tokio::test]
    async fn unknown_organisation_exits_with_24() {
        let deployment = Deployment::new().await;
        let text = deployment.app_config(&[("org", "Elsewhere")], &[]);
        refuses(&deployment, &text, 24, &["\"Elsewhere\"", "Sandbox"]).await;
    }

    #[tokio::test]
    async fn refused_broker_login_exits_with_30() {
        let deployment = Deployment::new().await;
        deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
        let text = deployment.app_config(&[], &[]);
        refuses(&deployment, &text, 30, &["the broker refused the login", "password is invalid"]).await;
        assert_eq!(deployment.sandbox.soar.broker.connects().len(), 1, "it is not tried again");
    }

    #[tokio::test]
    async fn queue_without_read_permission_exits_with_32() {
        let deployment = Deployment::new().await;
        let login = &deployment.sandbox.soar.options().api_key.id;
        deployment.sandbox.soar.broker.allow_reading(login, &deployment.queue(), false);
        let text = deployment.app_config(&[], &[]);
        refuses(&deployment, &text, 32, &["not authorised to read", &deployment.queue()]).await;
    }

    #[tokio::test]
    async fn unknown_arguments() {
        let (code, _, log) = Daemon::spawn(&["--no-such-option"]).outcome().await;
        assert_eq!(code, 2, "{log}");
        assert!(log.contains("--no-such-option") && log.contains("--help"), "{log}");
    }
}

mod telling {
    use super::*;

    #[tokio::test]
    async fn print_config_prints_the_example_in_the_repository() {
        let (code, out, log) = Daemon::spawn(&["--print-config"]).outcome().await;
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/app.config.example");
        assert_eq!((code, log.as_str()), (0, ""));
        assert_eq!(out, std::fs::read_to_string(example).unwrap());
    }

    #[tokio::test]
    async fn version_names_program_and_version() {
        let (code, out, _) = Daemon::spawn(&["--version"]).outcome().await;
        let version = concat!("fn-exchange-online ", env!("CARGO_PKG_VERSION"));
        // The commit follows, where it is known.
        assert_eq!((code, out.trim().split(" (").next()), (0, Some(version)));
    }

    #[tokio::test]
    async fn help_says_what_it_is_and_names_every_command() {
        let (code, out, _) = Daemon::spawn(&["--help"]).outcome().await;
        assert_eq!(code, 0);
        for words in ["SOAR", "Microsoft Graph", "--config-file", "--print-config", "run", "sandbox"] {
            assert!(out.contains(words), "{words} is not in:\n{out}");
        }
    }
}
