//! What an import shows, asks and does.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_lists_new_objects_and_changes_nothing() {
    let fixture = Fixture::fresh().await;
    let output = fixture.customize(&["--dry-run"], "").await;
    for (title, count) in [
        ("functions", ours("functions")),
        ("workflows", ours("workflows")),
        ("rules", ours("actions")),
        ("data table", 1),
    ] {
        let changes = output.changes_of(title);
        assert_eq!(changes.len(), count, "{title}: {changes:?}");
        assert!(changes.iter().all(|line| line.starts_with("  + ")), "{title}: {changes:?}");
    }
    output.assert_contains(
        0,
        &["The API key will be added to the message destination fn_exchange_online", "Dry run"],
    );
    let plan = format!("\nPlan: {} to add, 0 to change, 0 unchanged.\n", all_of_ours());
    assert!(output.stdout.contains(&plan), "{}", output.stdout);
    assert_eq!(fixture.changes(), 0);
    assert_eq!(fixture.rest().customizations(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn first_run_imports_everything_and_second_run_nothing() {
    let fixture = Fixture::fresh().await;
    let output = fixture.customize(&["-y"], "").await;
    output.assert_contains(
        0,
        &[
            &format!("    INFO: {} functions", ours("functions")),
            "SOAR has imported it",
            "The API key was added",
            "Done",
        ],
    );
    let imported = fixture.rest().customizations();
    let file = export(ScriptLanguage::Python3).unwrap();
    for kind in KINDS {
        assert_eq!(list(&imported, kind).len(), list(&file, kind).len(), "{kind}");
    }
    assert_eq!(fixture.listed(), json!([17]));

    let changes = fixture.changes();
    fixture.customize(&["-y"], "").await.assert_contains(
        0,
        &[
            &format!("functions\n  = {} unchanged\n", ours("functions")),
            &format!("Plan: 0 to add, 0 to change, {}", all_of_ours()),
            "up to date",
        ],
    );
    assert_eq!(fixture.changes(), changes);
    assert_eq!(fixture.rest().customizations(), imported);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_import_gives_same_state() {
    let fixture = Fixture::fresh().await;
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let once = fixture.rest().customizations();
    let changed = ours("workflows") + ours("scripts");
    // In the older language all workflows differ, so that everything is imported again, and back.
    fixture.customize(&["-y", "--script-language", "python"], "").await.assert_contains(
        0,
        &[&format!("Plan: 0 to add, {changed} to change, {} unchanged.", all_of_ours() - changed)],
    );
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
            "\n  ~ exchange_online_create_meeting\n      description: (none) -> \"Creates a meeting",
            "\n      inputs:\n        + exo_custom_folder_name\n",
            "\n      required: \"always\" -> (none)\n",
            "\n    + column exo_dt_message_folder\n",
            "The API key has access to the message destination",
        ],
    );
    let after = fixture.rest().customizations();
    let (before, after_that) = (identities(&before), identities(&after));
    assert!(before.iter().all(|one| after_that.contains(one)), "an object is there twice, or gone");
    let file = export(ScriptLanguage::Python3).unwrap();
    let core = export_packs(ScriptLanguage::Python3, &[Pack::Core]).unwrap();
    let all = |file: &Value| KINDS.iter().map(|kind| list(file, kind).len()).sum::<usize>();
    let newer = all(&file) - all(&core);
    assert_eq!(after_that.len(), before.len() + 3 + newer, "three fields of the core are new");
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
    for no in ["n\n", "NO\n", "perhaps\nn\n"] {
        let output = fixture.customize(&[], no).await;
        output.assert_contains(0, &["Nothing was imported; SOAR calls the import REJECTED"]);
        assert!(!output.stdout.contains('!'), "{}", output.stdout);
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
        rule["conditions"] =
            json!([{"field_name": "incident.name", "method": "equals", "value": "Phishing"}]);
    });
    rest.change_object("fields", "__function/exo_email_address", |field| field["text"] = json!("Mailbox"));
    rest.change_object("types", "exo_message_query_results_dt", |table| {
        table["fields"]["exo_dt_status"]["tooltip"] = json!("What became\n\u{1b}[2Jof it");
        table["fields"]["mine"] = json!({"name": "mine", "input_type": "text"});
    });
    rest.remove_function("exchange_online_get_message");

    let output = fixture.customize(&["--dry-run"], "").await;
    let all = &output.stdout;
    let unchanged = |kind: &str| format!("  = {} unchanged", ours(kind) - 1);
    let file = export(ScriptLanguage::Python3).unwrap();
    let fields = list(&file, "fields").iter().filter(|field| field["type_id"] == 11).count();
    for (title, expected) in [
        ("functions", &["  + exchange_online_get_message", &*unchanged("functions")] as &[&str]),
        (
            "inputs of functions",
            &[
                "  ~ exo_email_address",
                "    ! label: \"Mailbox\" -> \"exo_email_address\"",
                &format!("  = {} unchanged", fields - 1),
            ],
        ),
        (
            "rules",
            &[
                "  ~ Example: Exchange Online Send Message",
                "    ! conditions:",
                "        - incident.name equals \"Phishing\"",
                &unchanged("actions"),
            ],
        ),
        (
            "workflows",
            &["  ~ example_exchange_online_query_emails", "      diagram: differs", &unchanged("workflows")],
        ),
    ] {
        assert_eq!(output.changes_of(title), expected, "{all}");
    }
    let script = output.changes_of("script");
    assert_eq!(script[1], "    ! text: 1 lines -> 13 lines");
    assert_eq!((script[2], script.len()), ("        - pass", 16));
    let table = output.changes_of("data table");
    assert_eq!(table.len(), 4, "{table:?}");
    assert!(table[1].starts_with("    ! column exo_dt_status: tooltip:"), "{table:?}");
    assert!(!all.contains('\u{1b}') && all.contains("What became"), "{all}");
    assert!(all.contains("It would be overwritten in 4 objects."), "{all}");
    let output = fixture.customize(&[], "n\n").await;
    output.assert_contains(
        0,
        &["overwrite what was changed in SOAR in 4 objects (marked with !)?", "REJECTED"],
    );
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let after = fixture.rest().customizations();
    assert_eq!(after["workflows"], imported["workflows"]);
    assert_eq!(after["actions"], imported["actions"]);
    assert_eq!(list(&after, "functions").len(), ours("functions"));
    assert!(after["types"][0]["fields"]["mine"].is_object(), "a column of theirs is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_hidden_by_soar_are_not_reported_as_unchanged() {
    let fixture = Fixture::with(export(ScriptLanguage::Python3).unwrap()).await;
    fixture.rest().fail_next("GET /rest/orgs/201/workflows/", usize::MAX, Failure::Status(404));
    let output = fixture.customize(&["--dry-run"], "").await;
    output.assert_contains(
        0,
        &[
            "? example_exchange_online_query_emails: SOAR does not show it; it would be written again",
            &format!(
                "{} unchanged, {} that SOAR does not show.",
                all_of_ours() - ours("workflows"),
                ours("workflows")
            ),
            "Dry run",
        ],
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
