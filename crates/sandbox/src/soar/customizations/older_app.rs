//! The customizations of the older app: the same objects with the same names and uuids, but with other texts.
//!
//! Both are derived from the import file of this program, by taking away what it has in addition.

use serde_json::{Value, json};
use uuid::Uuid;

use super::json::{list, text};

/// Labels that end with a blank in the older app.
const WITH_BLANK: [&str; 2] = ["Sender email address", "Mail Folder"];
/// Fields that version 1.3.0 does not have.
const SINCE_1_5: [&str; 3] = [
    "__function/exo_custom_folder_name",
    "actioninvocation/exo_custom_folder_name",
    "actioninvocation/exo_expected_messages",
];
/// The folder that a message is moved to, a choice.
const DESTINATION: &str = "exo_destination_mailfolder_id";
const FOLDER_COLUMN: &str = "exo_dt_message_folder";
/// How the names of fields begin in this program's forms, and in those of the older app's playbooks.
const PREFIXES: [&str; 2] = ["exo_", "exchange_online_"];

/// Version 1.3.0, with rules and workflows. Derived from our import file, whose scripts must be in the older language.
pub fn older_app(mut file: Value) -> Value {
    file["export_date"] = json!(1_613_696_748_638_u64);
    let is_newer = |field: &Value| SINCE_1_5.contains(&text(field, "export_key"));
    let newer: Vec<Value> =
        list(&file, "fields").iter().filter(|field| is_newer(field)).map(|one| one["uuid"].clone()).collect();
    each(&mut file, "fields", |field| {
        if field.get("tooltip").is_some() {
            field["tooltip"] = json!("");
        }
        if WITH_BLANK.iter().any(|label| field["text"] == *label) {
            field["text"] = json!(format!("{} ", text(field, "text")));
        }
        if field["name"] == DESTINATION {
            field["required"] = json!("always");
            field["blank_option"] = json!(false);
            for option in field["values"].as_array_mut().into_iter().flatten() {
                option["default"] = json!(option["label"] == "junkemail");
            }
        }
    });
    retain(&mut file["fields"], |field| !is_newer(field));
    each(&mut file, "functions", |function| {
        function["description"] = json!({"format": "text", "content": ""});
        retain(&mut function["view_items"], |item| !newer.contains(&item["content"]));
    });
    each(&mut file, "actions", |rule| {
        retain(&mut rule["view_items"], |item| !newer.contains(&item["content"]));
        // There the form has no text before the first field, and none that is followed by a text or by nothing.
        let items = list(rule, "view_items").to_vec();
        let is_text = |place: usize| items.get(place).is_none_or(|item| item["element"] == "header");
        let stays = |place: usize| !is_text(place) || place > 0 && !is_text(place + 1) && items.len() > 3;
        rule["view_items"] =
            (0..items.len()).filter(|place| stays(*place)).map(|place| items[place].clone()).collect();
        // The message of a row has one status in which it can be worked on.
        if rule["object_type"] != "artifact" && list(rule, "conditions").len() > 1 {
            rule["conditions"] = json!([rule["conditions"][0]]);
            rule["logic_type"] = json!("all");
        }
    });
    each(&mut file, "types", |table| {
        if let Some(columns) = table["fields"].as_object_mut() {
            columns.shift_remove(FOLDER_COLUMN);
        }
    });
    each(&mut file, "workflows", |workflow| workflow["description"] = json!(""));
    each(&mut file, "scripts", |script| script["description"] = json!(""));
    file
}

/// Version 1.5.0, with playbooks: their names and uuids are ours, their forms and scripts are not. The input and the
/// column that were added since 1.3.0 have uuids of their own. Derived from our import file with playbooks.
pub fn older_app_with_playbooks(mut file: Value) -> Value {
    each(&mut file, "fields", |field| {
        if field.get("tooltip").is_some() {
            field["tooltip"] = json!("");
        }
    });
    each(&mut file, "functions", |function| {
        function["description"] = json!({"format": "text", "content": ""});
    });
    let mut others = Vec::new();
    for field in list(&file, "fields").iter().chain([&file["types"][0]["fields"][FOLDER_COLUMN]]) {
        if [SINCE_1_5[0], "exo_message_query_results_dt/exo_dt_message_folder"]
            .contains(&text(field, "export_key"))
        {
            others.push(text(field, "uuid").to_owned());
        }
    }
    each(&mut file, "playbooks", |playbook| {
        let fields = playbook["fields_type"]["fields"].take();
        let mut renamed = serde_json::Map::new();
        for (name, mut field) in fields.as_object().cloned().unwrap_or_default() {
            // The older app asks for no number before it deletes.
            if name == "exo_expected_messages" {
                let asked = field["uuid"].clone();
                retain(&mut playbook["manual_settings"]["view_items"], |item| item["content"] != asked);
                continue;
            }
            let name = name.replacen(PREFIXES[0], PREFIXES[1], 1);
            field["export_key"] = json!(format!("{}/{name}", text(playbook, "field_type_handle")));
            field["name"] = json!(name);
            others.push(text(&field, "uuid").to_owned());
            renamed.insert(name, field);
        }
        playbook["fields_type"]["fields"] = renamed.into();
        for script in playbook["local_scripts"].as_array_mut().into_iter().flatten() {
            script["script_text"] = json!("# A script of the older app.");
        }
    });
    let mut text = file.to_string();
    for uuid in others {
        let other = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("older app {uuid}").as_bytes());
        text = text.replace(&uuid, &other.to_string());
    }
    serde_json::from_str(&text).unwrap_or_default()
}

fn each(file: &mut Value, section: &str, change: impl FnMut(&mut Value)) {
    file[section].as_array_mut().into_iter().flatten().for_each(change);
}

fn retain(list: &mut Value, stays: impl FnMut(&Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain(stays);
    }
}
