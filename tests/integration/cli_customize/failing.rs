//! What SOAR refuses or another administrator changes.

use super::*;
use crate::support::ports::ClosedPort;

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
    let hidden = ours("functions") + ours("actions") + ours("scripts");
    let output = fixture.customize(&[], "n\n").await;
    output.assert_contains(
        0,
        &[&format!("SOAR does not show {hidden} objects, which may have been changed there")],
    );
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &[
            "\nfunctions\n  ? exchange_online_apply_plan: SOAR does not show it; it would be written again\n",
            "\n  ~ example_exchange_online_create_meeting\n",
            &format!("{hidden} that SOAR does not show. What these have beyond the import is not kept."),
        ],
    );
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_key_is_sufficient_for_dry_run() {
    let fixture = Fixture::older().await;
    fixture.rest().forbid_customizing(true);
    let before = fixture.rest().customizations();
    fixture.customize(&["--dry-run"], "").await.assert_contains(0, &["\nfunctions\n  + "]);
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
        assert_eq!(list(&imported, "functions").len(), ours("functions"));

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
    let closed = ClosedPort::new();
    let port = fixture.rest().address().port();
    let unreachable = section.replace(&format!("\nport={port}\n"), &format!("\nport={}\n", closed.number()));
    let unreachable = fixture.write(&(unreachable + "request_retry_delay=0\n"));
    fixture.customize_as(&unreachable, &["-y"], "").await.assert_contains(20, &["cannot reach SOAR"]);
    let incomplete = fixture.write("[resilient]\nhost=localhost\n");
    fixture.customize_as(&incomplete, &["-y"], "").await.assert_contains(2, &["org", "api_key_id"]);
    assert_eq!(fixture.rest().customizations(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_are_named_as_in_the_older_tool() {
    let fixture = Fixture::fresh().await;
    fixture
        .customize(&["-y", "--list", "fn_other"], "")
        .await
        .assert_contains(0, &["Unknown package fn_other"]);
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
    for (arguments, more) in [
        (&["list"][..], false),
        (&["list", "-v"], true),
        (&["list", "--verbose"], true),
        (&["-v", "list"], true),
    ] {
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
