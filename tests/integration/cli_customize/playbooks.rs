//! A SOAR of version 46 or later gets playbooks, an older one rules and workflows.

use fn_exchange_online::customize::{Examples, Pack, ScriptLanguage, export, export_packs};
use sandbox::soar::customizations::older_app;
use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::cli_customize::{Fixture, list, ours};

/// A SOAR of the first version that gets playbooks, with these customizations.
async fn recent(customizations: Value) -> Fixture {
    let fixture = Fixture::with(customizations).await;
    fixture.rest().set_version("46.0.8131");
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recent_soar_gets_playbooks_and_an_older_one_rules_and_workflows() {
    let fixture = recent(json!({})).await;
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &[
            "SOAR 46.0.8131 gets playbooks",
            "--workflows",
            "\nplaybooks\n  + example_exchange_online_apply_plan\n  + example_exchange_online_create_artifacts\n",
        ],
    );
    assert_eq!(
        (output.changes_of("playbooks").len(), output.changes_of("rules").len()),
        (ours("playbooks"), 0)
    );
    assert_eq!(fixture.rest().customizations(), json!({}));
    for version in ["45.9.1", "38.2.0", "a strange one"] {
        fixture.rest().set_version(version);
        let output = fixture.customize(&["--dry-run"], "").await;
        output.assert_contains(0, &["gets rules and workflows", "\nrules\n  + Example: "]);
    }
    fixture.rest().set_version("51.0.9.0.20848");
    assert_eq!(fixture.customize(&["--dry-run"], "").await.changes_of("playbooks").len(), ours("playbooks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn playbooks_are_imported_and_a_second_run_finds_nothing_to_do() {
    let fixture = recent(older_app(export_packs(ScriptLanguage::Python, &[Pack::Core]).unwrap())).await;
    let before = fixture.rest().customizations();
    let (functions, playbooks) = (ours("functions"), ours("playbooks"));
    let imported = format!("    INFO: {functions} functions, 0 rules, 0 workflows, {playbooks} playbooks");
    fixture
        .customize(&["-y"], "")
        .await
        .assert_contains(0, &["\nplaybooks\n  + example_", &imported, "Done"]);
    let after = fixture.rest().customizations();
    assert_eq!(list(&after, "playbooks").len(), playbooks);
    assert_eq!((&after["actions"], &after["workflows"]), (&before["actions"], &before["workflows"]));
    let samples = list(&after, "functions").iter().filter(|one| one["output_json_example"].is_string());
    assert_eq!(samples.count(), functions);
    fixture
        .customize(&["-y"], "")
        .await
        .assert_contains(0, &[&format!("\nplaybooks\n  = {playbooks} unchanged\n"), "up to date"]);
    assert_eq!(fixture.rest().customizations(), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_playbooks_are_named_before_they_are_overwritten() {
    let fixture = recent(json!({})).await;
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
    let name = |purpose: &str| format!("example_exchange_online_{purpose}");
    let rest = fixture.rest();
    rest.change_object("playbooks", &name("send_message"), |one| one["display_name"] = json!("Mail"));
    rest.change_object("playbooks", &name("create_meeting"), |one| {
        one["local_scripts"][0]["script_text"] = json!("pass");
    });
    rest.change_object("playbooks", &name("query_messages"), |one| {
        one["fields_type"]["fields"]["exo_start_date"]["text"] = json!("From");
    });
    rest.change_object("playbooks", &name("get_user_profile"), |one| {
        one["manual_settings"]["activation_conditions"]["conditions"] = json!([]);
    });
    rest.change_object("playbooks", &name("delete_message"), |one| one["content"]["xml"] = json!("<x/>"));
    let output = fixture.customize(&["--dry-run"], "").await;
    let changes = output.changes_of("playbooks");
    for expected in [
        "    ! label: \"Mail\" -> \"Exchange Online Send Message - Example (PB)\"",
        "    ! script note_about_the_meeting: 1 lines -> ",
        "    ! field exo_start_date: label: \"From\" -> \"Start date/time\"",
        "        + artifact.type equals \"Email Sender\"",
        &format!("  = {} unchanged", ours("playbooks") - 5),
    ] {
        assert!(changes.iter().any(|line| line.starts_with(expected)), "{expected:?} is not in {changes:#?}");
    }
    assert!(!output.all().contains(&name("move_message_to_folder")), "{}", output.all());
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["up to date"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_choose_against_the_version() {
    let fixture = recent(json!({})).await;
    let output = fixture.customize(&["--dry-run", "--workflows"], "").await;
    assert_eq!(output.changes_of("workflows").len(), ours("workflows"));
    assert!(!output.all().contains("playbooks"), "{}", output.all());
    let output = fixture.customize(&["--dry-run", "--script-language", "python"], "").await;
    assert_eq!(output.changes_of("workflows").len(), ours("workflows"));

    fixture.rest().set_version("45.3.0");
    let output = fixture.customize(&["-y", "--playbooks"], "").await;
    output
        .assert_contains(1, &["46.0.8131", "newer than this server", "Nothing was imported", "--workflows"]);
    assert_eq!(fixture.rest().customizations(), json!({}));
    for both in [["--playbooks", "--workflows"], ["--playbooks", "--script-language=python3"]] {
        fixture.customize(&both, "").await.assert_contains(2, &["cannot be used with"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_playbooks_are_reported_and_stop_nothing() {
    let fixture = recent(export(Examples::Playbooks).unwrap()).await;
    for status in [403, 404, 405] {
        let list = "POST /rest/orgs/201/playbooks/query_paged";
        fixture.rest().fail_next(list, 1, Failure::Status(status));
        let output = fixture.customize(&["--dry-run"], "").await;
        output.assert_contains(
            0,
            &["\nplaybooks\n  ? example_exchange_online_apply_plan: SOAR does not show it"],
        );
    }
    fixture.rest().fail_next("GET /rest/orgs/201/playbooks/", usize::MAX, Failure::Status(404));
    let output = fixture.customize(&["--dry-run"], "").await;
    output
        .assert_contains(0, &["\nplaybooks\n  ? example_exchange_online_apply_plan: SOAR does not show it"]);
}
