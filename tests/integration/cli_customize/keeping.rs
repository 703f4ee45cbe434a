//! An import takes nothing away that SOAR has: inputs, options, lines of forms, columns. Nothing becomes required.

use std::collections::BTreeSet;

use fn_exchange_online::customize::{Examples, Pack, ScriptLanguage, export, export_packs, unlisted};
use fn_exchange_online::functions::Function;
use sandbox::soar::customizations::{check, older_app_with_playbooks};
use serde_json::{Value, json};

use crate::cli_customize::{Fixture, list};

const MOVE: &str = "exchange_online_move_message_to_folder";
const OTHER: &str = "3b2c6f0e-98a1-4c55-9d7a-0c4f2b6c1e01";

/// A SOAR of today with the older app's version 1.5.0, and these customizations of an administrator.
async fn soar_with_1_5(change: impl FnOnce(&mut Value)) -> Fixture {
    let mut customizations =
        older_app_with_playbooks(export_packs(Examples::Playbooks, &[Pack::Core]).unwrap());
    change(&mut customizations);
    assert_eq!(check(&customizations), Vec::<String>::new());
    let fixture = Fixture::with(customizations).await;
    fixture.rest().set_version("51.0.9.0.20848");
    fixture
}

/// What SOAR has that calls, playbooks, rules and rows may use: the inputs of each function, options, columns, and the
/// fields of forms. `playbooks` says whether those of playbooks count.
fn usable(all: &Value, playbooks: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add_field = |of: &str, field: &Value| {
        let name = field["name"].as_str().unwrap();
        found.insert(format!("{of}: {name} is {} {}", field["uuid"], field["input_type"]));
        for option in field["values"].as_array().into_iter().flatten() {
            found.insert(format!("{of}: {name} may be {} {}", option["uuid"], option["label"]));
        }
    };
    for field in list(all, "fields") {
        add_field(field["export_key"].as_str().unwrap(), field);
    }
    for column in all["types"][0]["fields"].as_object().unwrap().values() {
        add_field("table", column);
    }
    let mut with_forms = [list(all, "functions"), list(all, "actions")].concat();
    if playbooks {
        with_forms.extend(list(all, "playbooks").iter().cloned());
    }
    for object in with_forms {
        let name = object["name"].as_str().unwrap().to_owned();
        found.insert(format!("{name} is {}", object["uuid"]));
        for field in object["fields_type"]["fields"].as_object().into_iter().flatten() {
            found.insert(format!("{name} asks for {}", field.0));
        }
        for item in list(&object, "view_items") {
            if item["element"] == "field_uuid" {
                found.insert(format!("{name} takes {}", item["content"]));
            }
        }
    }
    found
}

/// What has to be filled.
fn required(all: &Value) -> BTreeSet<String> {
    let columns = all["types"][0]["fields"].as_object().unwrap().values();
    let fields = list(all, "fields").iter().chain(columns);
    let must = fields.filter(|field| !field["required"].is_null());
    must.map(|field| field["export_key"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_nothing_lost(before: &Value, after: &Value) {
    let lost: Vec<_> = usable(before, true).difference(&usable(after, true)).cloned().collect();
    assert_eq!(lost, Vec::<String>::new());
    let known: BTreeSet<_> =
        list(before, "fields").iter().map(|field| field["export_key"].to_string()).collect();
    let new: Vec<_> = required(after).difference(&required(before)).cloned().collect();
    let became: Vec<_> = new.into_iter().filter(|key| known.contains(&json!(key).to_string())).collect();
    assert_eq!(became, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn import_over_1_5_0_loses_nothing_and_a_second_one_changes_nothing() {
    for choice in [&["-y"] as &[&str], &["-y", "--workflows"]] {
        let fixture = soar_with_1_5(|_| ()).await;
        let before = fixture.rest().customizations();
        fixture.customize(choice, "").await.assert_contains(0, &["SOAR has imported it", "Done"]);
        let after = fixture.rest().customizations();
        assert_nothing_lost(&before, &after);
        fixture.customize(choice, "").await.assert_contains(0, &["to add, 0 to change", "up to date"]);
        assert_eq!(fixture.rest().customizations(), after);
        // What the older app's calls send is what this program reads, by the same names.
        for function in list(&after, "functions") {
            let ours = Function::ALL.into_iter().find(|one| function["name"] == one.name()).unwrap();
            let taken: BTreeSet<_> =
                list(function, "view_items").iter().map(|item| item["content"].clone().to_string()).collect();
            for field in list(&after, "fields").iter().filter(|one| taken.contains(&one["uuid"].to_string()))
            {
                assert!(ours.spec().has_input(field["name"].as_str().unwrap()), "{field}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_app_can_come_back_after_an_import() {
    let of_1_5 = older_app_with_playbooks(export_packs(Examples::Playbooks, &[Pack::Core]).unwrap());
    for choice in [&["-y"] as &[&str], &["-y", "--workflows"]] {
        let fixture = soar_with_1_5(|_| ()).await;
        fixture.customize(choice, "").await.assert_contains(0, &["Done"]);
        let ours = fixture.rest().customizations();
        // An installation of the older app imports its file as it is.
        fixture.import(&of_1_5).await;
        let back = fixture.rest().customizations();
        let lost: Vec<_> = usable(&of_1_5, true).difference(&usable(&back, true)).cloned().collect();
        assert_eq!(lost, Vec::<String>::new());
        for playbook in list(&of_1_5, "playbooks") {
            let restored =
                list(&back, "playbooks").iter().find(|one| one["uuid"] == playbook["uuid"]).unwrap();
            assert_eq!(restored["content"], playbook["content"]);
            assert_eq!(restored["local_scripts"], playbook["local_scripts"]);
        }
        for kind in ["functions", "fields", "playbooks", "types"] {
            assert!(list(&back, kind).len() >= list(&ours, kind).len(), "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_added_stays() {
    let fixture = soar_with_1_5(|all| {
        let mut input = list(all, "fields").iter().find(|one| one["name"] == "task_id").unwrap().clone();
        (input["name"], input["export_key"]) = (json!("ticket"), json!("__function/ticket"));
        (input["uuid"], input["id"]) = (json!(OTHER), json!(9000));
        all["fields"].as_array_mut().unwrap().push(input);
        let function =
            all["functions"].as_array_mut().unwrap().iter_mut().find(|one| one["name"] == MOVE).unwrap();
        let mut item = function["view_items"][0].clone();
        item["content"] = json!(OTHER);
        function["view_items"].as_array_mut().unwrap().insert(1, item);
        for field in all["fields"].as_array_mut().unwrap() {
            if field["name"] == "exo_destination_mailfolder_id" {
                let option = json!({
                    "label": "phishing", "uuid": OTHER.replace("01", "02"), "value": 9001, "default": false,
                    "enabled": true, "hidden": false, "properties": null
                });
                field["values"].as_array_mut().unwrap().push(option);
                field["values"][0]["hidden"] = json!(true);
            }
            if field["name"] == "exo_message_subject" {
                field.as_object_mut().unwrap().remove("required");
            }
        }
        let columns = &mut all["types"][0]["fields"];
        let mut column = columns["exo_dt_received_date"].clone();
        (column["name"], column["uuid"]) = (json!("case"), json!(OTHER.replace("01", "03")));
        column["export_key"] = json!("exo_message_query_results_dt/case");
        (column["id"], column["order"]) = (json!(9002), json!(40));
        columns["case"] = column;
        columns["exo_dt_status"]["width"] = json!(300);
        columns["exo_dt_message_id"].as_object_mut().unwrap().remove("required");
        all["playbooks"][1]["status"] = json!("disabled");
    })
    .await;
    let before = fixture.rest().customizations();
    fixture.customize(&["-y"], "").await.assert_contains(0, &["SOAR has imported it"]);
    let after = fixture.rest().customizations();
    assert_nothing_lost(&before, &after);
    let function = list(&after, "functions").iter().find(|one| one["name"] == MOVE).unwrap();
    assert_eq!(list(function, "view_items")[1]["content"], OTHER, "the input has another place");
    let columns = &after["types"][0]["fields"];
    assert_eq!((&columns["case"]["order"], &columns["exo_dt_status"]["width"]), (&json!(40), &json!(300)));
    assert_eq!(columns["exo_dt_message_id"].get("required"), None);
    let folder = list(&after, "fields").iter().find(|one| one["name"] == "exo_destination_mailfolder_id");
    assert_eq!(folder.unwrap()["values"][0]["hidden"], true);
    assert_eq!(after["playbooks"][1]["status"], "disabled");
    fixture.customize(&["-y"], "").await.assert_contains(0, &["up to date"]);
    assert_eq!(fixture.rest().customizations(), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_an_administrator_wrote_into_a_form_stay() {
    let fixture = Fixture::older().await;
    let mine =
        json!({"element": "header", "field_type": null, "content": "Ask the data protection officer first."});
    let rule = "Example: Exchange Online Query Messages";
    fixture.rest().change_object("actions", rule, |rule| {
        rule["view_items"].as_array_mut().unwrap().insert(1, mine.clone());
        rule["enabled"] = json!(false);
        rule["timeout_seconds"] = json!(60);
    });
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
    let after = fixture.rest().customizations();
    let rule = list(&after, "actions").iter().find(|one| one["name"] == rule).unwrap();
    assert_eq!((&rule["view_items"][1], &rule["enabled"]), (&mine, &json!(false)));
    assert_eq!(rule["timeout_seconds"], 60);
    fixture.customize(&["-y"], "").await.assert_contains(0, &["up to date"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_nothing_is_imported() {
    let fixture = Fixture::older().await;
    let (listed, before) = (fixture.listed(), fixture.rest().customizations());
    let output = fixture.customize(&[], "").await;
    output
        .assert_contains(1, &["standard input has ended", "customize -y", "Nothing was changed", "REJECTED"]);
    assert_eq!((fixture.listed(), fixture.rest().customizations()), (listed, before));
    // No answer is needed where nothing is asked.
    fixture.customize(&["-y"], "").await.assert_contains(0, &["Done"]);
    fixture.customize(&[], "").await.assert_contains(0, &["up to date"]);
}

/// Parts of the release that is named on top of the changelog. Before a release, they change.
#[test]
fn released_parts_are_listed() {
    let changelog = include_str!("../../../CHANGELOG.md");
    let newest = changelog.lines().find_map(|line| line.strip_prefix("## ")).unwrap();
    if newest == "Unreleased" {
        return;
    }
    let files =
        [export(ScriptLanguage::Python3), export(ScriptLanguage::Python), export(Examples::Playbooks)];
    let missing: BTreeSet<_> = files.into_iter().flat_map(|file| unlisted(&file.unwrap())).collect();
    let lines: Vec<_> = missing.iter().map(|(fingerprint, _)| fingerprint.as_str()).collect();
    assert!(lines.is_empty(), "add to src/customize/shipped.txt:\n# {newest}\n{}", lines.join("\n"));
}

/// A SOAR with version 1.3.0 of the older app has nothing that was changed there.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_known_versions_are_not_marked() {
    let fixture = Fixture::older().await;
    let output = fixture.customize(&["--dry-run"], "").await;
    assert!(!output.stdout.contains('!'), "{}", output.stdout);
}
